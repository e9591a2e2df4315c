"""Compares the metadata of two models: signatures, collections, versions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from graphscope.analysis.diff.report import Change, Difference, Section
from graphscope.core.collections import Collection
from graphscope.core.model import Model
from graphscope.core.signatures import Signature
from graphscope.core.tensors import TensorName, TensorSpec, shape_text

Names = Mapping[str, str]
"""Node of the first graph -> node of the second."""


def signature_differences(a: Model, b: Model, names: Names) -> Iterator[Difference]:
    """Signatures that only one model has, and arguments that differ."""
    yield from _by_key(Section.SIGNATURES, a.signatures, b.signatures)
    for name in a.signatures.keys() & b.signatures.keys():
        one, other = a.signatures[name], b.signatures[name]
        for detail in _signature(one, other, names):
            yield Difference(Section.SIGNATURES, Change.CHANGED, name, detail)


def _signature(a: Signature, b: Signature, names: Names) -> Iterator[str]:
    if a.method != b.method:
        yield f"method: {a.method or 'none'} -> {b.method or 'none'}"
    for what, ones, others in (("input", a.inputs, b.inputs), ("output", a.outputs, b.outputs)):
        for key in sorted({*ones, *others}):
            before, after = ones.get(key), others.get(key)
            if before is None or after is None or [_rename(s, names) for s in before] != [_port(s) for s in after]:
                yield f"{what} {key}: {_specs(before)} -> {_specs(after)}"


def _port(spec: TensorSpec) -> tuple[object, ...]:
    tensor = TensorName.parse(spec.name)
    return tensor.node, tensor.index, spec.dtype, spec.shape


def _rename(spec: TensorSpec, names: Names) -> tuple[object, ...]:
    node, *rest = _port(spec)
    return (names.get(str(node), node), *rest)


def _specs(specs: tuple[TensorSpec, ...] | None) -> str:
    if specs is None:
        return "nothing"
    return ", ".join(f"{spec.name} {spec.dtype.label} {shape_text(spec.shape)}" for spec in specs)


def collection_differences(a: Model, b: Model, names: Names) -> Iterator[Difference]:
    """Collections that only one model has, or that list something else."""
    yield from _by_key(Section.COLLECTIONS, a.collections, b.collections)
    for name in a.collections.keys() & b.collections.keys():
        one, other = a.collections[name], b.collections[name]
        if _content(one, names) != _content(other, {}):
            detail = f"{len(one.values):,} -> {len(other.values):,} entries"
            changed = sorted({*one.names} ^ {*other.names})[:3]
            yield Difference(Section.COLLECTIONS, Change.CHANGED, name, f"{detail}: {', '.join(changed)}".rstrip(": "))


def _content(collection: Collection, names: Names) -> list[object]:
    """The items of a collection: node names only, without the rest of their messages; other values unchanged."""
    if len(collection.names) != len(collection.values):
        return list(collection.values)
    tensors = [TensorName.parse(name) for name in collection.names]
    return [(names.get(tensor.node, tensor.node), tensor.index) for tensor in tensors]


def _by_key(section: Section, a: Mapping[str, object], b: Mapping[str, object]) -> Iterator[Difference]:
    yield from (Difference(section, Change.REMOVED, name) for name in a if name not in b)
    yield from (Difference(section, Change.ADDED, name) for name in b if name not in a)


def version_differences(a: Model, b: Model) -> Iterator[Difference]:
    """Producer, TensorFlow version and tags."""
    facts = (
        ("producer", *(str(m.graph.producer) for m in (a, b))),
        ("min_consumer", *(str(m.graph.versions.min_consumer) for m in (a, b))),
        ("TensorFlow", *(m.meta.meta_info_def.tensorflow_version for m in (a, b))),
        ("tags", *(", ".join(sorted(m.meta.meta_info_def.tags)) for m in (a, b))),
    )
    for name, one, other in facts:
        if one != other:
            yield Difference(Section.VERSIONS, Change.CHANGED, name, f"{one or 'none'} -> {other or 'none'}")
