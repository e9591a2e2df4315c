"""Nodes that access files, the network or processes, rated by their effect, when they run and who controls the target."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from graphscope.analysis.audit.finding import Finding, Reach, Severity
from graphscope.analysis.audit.reach import Reached
from graphscope.analysis.effects import NodeEffect, PathSource, find_effects
from graphscope.core.assets import asset_parts, stated_assets
from graphscope.core.model import Model
from graphscope.core.ops.effects import Effect, read_at_import
from graphscope.core.ops.sets import PYTHON_OPS
from graphscope.core.tensors import node_of
from graphscope.core.values.dtypes import DataType
from graphscope.named_tuple import NamedTuple
from graphscope.protos import DecodeError

_RULES = {
    Effect.READS: "reads-file",
    Effect.WRITES: "writes-file",
    Effect.NETWORK: "uses-network",
    Effect.CONFIGURATION: "changes-settings",
    Effect.CODE: "calls-code",
    Effect.PROCESS: "ends-process",
}

_SAVERS = frozenset("Save SaveSlices SaveV2 MergeV2Checkpoints Restore RestoreSlice RestoreV2".split())
_BARE_READERS = frozenset({"ReadFile", "MatchingFiles", "ImmutableConst"})
"""Ops that hand a file's content to the graph; those of input pipelines and tables read records and vocabularies."""

SAVER_DEFAULT = "model"
"""The file name of a saver that is not fed: ``tensorflow/python/training/saver.py``."""


def effect_findings(model: Model, reached: Reached) -> Iterator[Finding]:
    """One finding for each node that does more than compute, those in functions that nothing calls included.

    Linear in the graph's size; reads the constants that paths come from.
    """
    own, stored, functions = _own(model), _stored_strings(model), reached.uncalled
    filename = node_of(model.meta.saver_def.filename_tensor_name)
    seen: set[NodeEffect] = set()
    for fed, is_saver in (((), False), ((filename,) if filename else (), True)):
        for effect in find_effects(model.graph, fed, own, stored, functions):
            reach = reached.of(effect.node, effect.function)
            if (reach is Reach.SAVER) is is_saver and effect not in seen:
                seen.add(effect)
                yield _finding(effect, reach)


def _finding(effect: NodeEffect, reach: Reach) -> Finding:
    severity, reason = judge(effect, reach)
    text = effect.action
    if effect.op in read_at_import() and effect.target.source is PathSource.CONSTANT and not effect.function:
        reason += "; TensorFlow may run this op when it only imports the graph"
    return Finding(
        _RULES[effect.does.effect],
        severity,
        text,
        reason,
        effect.node,
        effect.op,
        effect.function,
        reach,
        effect.target.source,
        effect.target.text,
    )


def judge(effect: NodeEffect, reach: Reach) -> tuple[Severity, str]:
    """The severity of ``effect`` and the reason: the first matching row of the table."""
    return next((row.severity, row.reason) for row in _TABLE if row.applies(effect, reach))


class _Row(NamedTuple):
    applies: Callable[[NodeEffect, Reach], bool]
    severity: Severity
    reason: str


def _is(*effects: Effect) -> Callable[[NodeEffect, Reach], bool]:
    return lambda effect, _: effect.does.effect in effects


def _from(*sources: PathSource) -> Callable[[NodeEffect, Reach], bool]:
    return lambda effect, _: effect.target.source in sources and bool(effect.does.argument or effect.does.attribute)


def _leads_out(effect: NodeEffect, _: Reach) -> bool:
    return effect.target.leads_out


def _reads_all(effect: NodeEffect, _: Reach) -> bool:
    return effect.op in _BARE_READERS


def _is_default_saver(effect: NodeEffect, reach: Reach) -> bool:
    is_started = reach in (Reach.LOAD, Reach.SIGNATURE, Reach.METHOD)
    return effect.op in _SAVERS and effect.target.text == SAVER_DEFAULT and not is_started


def _runs_unasked(_: NodeEffect, reach: Reach) -> bool:
    return reach in (Reach.LOAD, Reach.SIGNATURE, Reach.METHOD)


def _all(*tests: Callable[[NodeEffect, Reach], bool]) -> Callable[[NodeEffect, Reach], bool]:
    return lambda effect, reach: all(test(effect, reach) for test in tests)


_TABLE = (
    _Row(_from(PathSource.OWN), Severity.INFO, "the file is one of the model's own assets"),
    _Row(lambda _, reach: reach is Reach.DEAD, Severity.LOW, "nothing calls the function that contains it"),
    _Row(
        lambda effect, _: effect.op in PYTHON_OPS,
        Severity.MEDIUM,
        "the function is not in the file: the node fails in any other process",
    ),
    _Row(_is(Effect.CODE), Severity.HIGH, "the code is not in the file and cannot be judged"),
    _Row(_is(Effect.PROCESS), Severity.HIGH, "a server that runs the model can be taken over"),
    _Row(
        _all(_is(Effect.NETWORK, Effect.CONFIGURATION), _from(PathSource.FED)),
        Severity.LOW,
        "the caller names the target",
    ),
    _Row(_is(Effect.NETWORK), Severity.HIGH, "the file names the address"),
    _Row(_is(Effect.CONFIGURATION), Severity.HIGH, "the file decides the setting"),
    _Row(_from(PathSource.FED), Severity.INFO, "the caller names the file"),
    _Row(_is_default_saver, Severity.INFO, "a saver's default name, replaced by every program that saves"),
    _Row(_is(Effect.WRITES), Severity.HIGH, "the file decides what is written where"),
    _Row(
        _all(_from(PathSource.COMPUTED), _leads_out, _reads_all),
        Severity.HIGH,
        "the path is computed from constants, which hides where it leads",
    ),
    _Row(
        _all(_leads_out, _reads_all),
        Severity.HIGH,
        "the path is a constant and leads out of the model's directory",
    ),
    _Row(
        _all(_leads_out, _runs_unasked),
        Severity.HIGH,
        "the path leads out of the model's directory, and is read without being asked for",
    ),
    _Row(
        _all(_from(PathSource.COMPUTED), _reads_all, _runs_unasked),
        Severity.HIGH,
        "the graph computes the path, and reads without being asked for",
    ),
    _Row(_from(PathSource.CONSTANT), Severity.MEDIUM, "the path is a constant of the graph"),
    _Row(lambda _, __: True, Severity.MEDIUM, "the graph computes the path"),
)
"""The first matching row decides. Targets from the model's own files or from the caller are not controlled by anyone else."""


def _own(model: Model) -> set[str]:
    """Nodes that name the model's own assets."""
    try:
        assets = stated_assets(model.meta)
    except DecodeError:
        return set()
    return {node_of(asset.tensor_info.name) for asset in assets if asset_parts(asset.filename)}


def _stored_strings(model: Model) -> set[str]:
    """Variables of strings that a checkpoint fills: the only ones that can hold a path."""
    texts = [
        node.name
        for op, node in zip(model.graph.ops, model.graph.nodes)
        if op == "VarHandleOp" and (dtype := node.attr("dtype")) is not None and dtype.type == DataType.STRING
    ]
    if not texts:
        return set()
    filled = {variable.name for variable in model.variables if variable.entry is not None}
    return filled.intersection(texts)
