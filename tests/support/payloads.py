"""Payloads that are large or fail, and everything that can be written of them. Needs no TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from graphscope.core.changes.build import constant, make_node, type_attr
from graphscope.core.graph import Graph
from graphscope.core.model import Model, ModelKind
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import CHUNK_BYTES, Payload
from graphscope.core.variables.variables import Entry
from graphscope.errors import CorruptFileError
from graphscope.formats.archives.npz_writer import write_npz
from graphscope.formats.archives.safetensors import write_safetensors
from graphscope.formats.checkpoint.writer import write_checkpoint
from graphscope.formats.savedmodel.writer import write_saved_model
from graphscope.formats.text.writer import write_pbtxt
from graphscope.protos import GraphDef

Tensors = Sequence[tuple[str, Payload]]


class BrokenPayload(Payload):
    """Gives a piece, then fails as a shard with a wrong checksum does."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(DataType.FLOAT, (CHUNK_BYTES,))

    def chunks(self) -> Iterator[bytes]:
        yield bytes(CHUNK_BYTES)
        raise CorruptFileError("variable w: the content's checksum is wrong", path="somewhere")


class LargePayload(Payload):
    """``size`` bytes of zeros, made while they are taken."""

    __slots__ = ()

    def __init__(self, size: int) -> None:
        super().__init__(DataType.UINT8, (size,))

    def chunks(self) -> Iterator[bytes]:
        for _ in range(self.elements // CHUNK_BYTES):
            yield bytes(CHUNK_BYTES)


class MemoryStore:
    """A checkpoint that is in memory."""

    def __init__(self, tensors: Tensors) -> None:
        self.tensors = dict(tensors)
        self.entries: Mapping[str, Entry] = {n: Entry(n, p.dtype, p.shape) for n, p in tensors}

    def payload(self, key: str) -> Payload:
        return self.tensors[key]


def constants_model(tensors: Tensors) -> Model:
    """A graph of constants."""
    return Model(
        "m", ModelKind.GRAPH, "", (), Graph(GraphDef(), [constant(name, payload) for name, payload in tensors])
    )


def variables_model(tensors: Tensors) -> Model:
    """A graph of variables, each with its value."""
    nodes = [make_node(name, "VariableV2", attrs={"dtype": type_attr(payload.dtype)}) for name, payload in tensors]
    for made, (_, payload) in zip(nodes, tensors, strict=True):
        for size in payload.shape:
            made.proto.attr["shape"].shape.dim.add(size=size)
    return Model("m", ModelKind.GRAPH, "", (), Graph(GraphDef(), nodes), store=MemoryStore(tensors))


def writers(directory: Path, tensors: Tensors, overwrite: bool = False) -> dict[str, Callable[[], int]]:
    """By name, every way to write ``tensors`` below ``directory``."""
    constants, variables = constants_model(tensors), variables_model(tensors)
    saved = directory / "saved"
    return {
        "checkpoint": lambda: write_checkpoint(f"{directory}/model", tensors, meta=[b"meta"], overwrite=overwrite),
        "npz": lambda: write_npz(directory / "model.npz", tensors, overwrite=overwrite),
        "safetensors": lambda: write_safetensors(directory / "model.safetensors", tensors, overwrite=overwrite),
        "pbtxt": lambda: write_pbtxt(constants, directory / "model.pbtxt", overwrite=overwrite),
        "SavedModel": lambda: write_saved_model(variables, saved, inputs=[], outputs=[], overwrite=overwrite),
    }


def contents(directory: Path) -> dict[str, bytes]:
    """Every file below ``directory``."""
    return {str(p.relative_to(directory)): p.read_bytes() for p in directory.rglob("*") if p.is_file()}
