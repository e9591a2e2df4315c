"""TF.js under Node.js for tests: one process for all of them."""

from __future__ import annotations

import functools
import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from graphscope.core.graph import Graph
from graphscope.errors import MissingDependencyError
from graphscope.export.tfjs.convert import convert
from graphscope.export.tfjs.write import write_tfjs
from graphscope.runtime.engines.program import NamedProgram
from graphscope.runtime.engines.tfjs import TfjsProgram, TfjsServer
from tests.support.running import Array

try:
    SERVER = TfjsServer()
except MissingDependencyError as error:
    pytest.skip(f"optional: TF.js runs what is exported for it: {error}", allow_module_level=True)


def computed(graph: Graph, outputs: Sequence[str], feeds: Mapping[str, Any], directory: Path) -> list[Array]:
    """What TF.js computes of ``graph``, which is written to ``directory``."""
    made = convert(graph, outputs)
    file = directory / "model" / "model.json"
    write_tfjs(made, file, overwrite=True)
    fed = {name: value for name, value in feeds.items() if name.partition(":")[0] in made.graph}
    return NamedProgram(TfjsProgram(file, SERVER), made.tensors).run(outputs, fed)


@functools.cache
def installed_ops() -> dict[str, Any]:
    """What the installed package says: its version, category -> op -> attributes, and the ops that its executors have."""
    script = """
        const fs = require("fs"), path = require("path");
        const found = require.resolve("@tensorflow/tfjs-converter/package.json", { paths: [process.cwd()] });
        const operations = path.join(path.dirname(found), "dist", "operations");
        const read = (folder) => fs.readdirSync(path.join(operations, folder))
          .filter((name) => name.endsWith(".js") && !name.startsWith("tfdf"))
          .map((name) => [name.slice(0, -3), fs.readFileSync(path.join(operations, folder, name), "utf8")]);
        const ops = {};
        for (const [name, text] of read("op_list")) {
          const rows = new Function(text.replace("export const json =", "return"))();
          ops[name] = Object.fromEntries(rows.map((row) => [row.tfOpName, (row.attrs || [])
            .filter((attr) => !attr.notSupported)
            .flatMap((attr) => [attr.tfName, attr.tfDeprecatedName].filter((each) => each))]));
        }
        const run = read("executors").flatMap(([, text]) => [...text.matchAll(/case '(\\w+)'/g)].map((found) => found[1]));
        console.log(JSON.stringify({ version: require(found).version, ops, run }));
    """
    answer = subprocess.run(["node", "-e", script], capture_output=True, text=True, check=True)
    result: dict[str, Any] = json.loads(answer.stdout)
    return result
