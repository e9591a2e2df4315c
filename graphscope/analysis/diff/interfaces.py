"""Compares the metadata of two models: signatures, collections, versions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import zip_longest

from graphscope.analysis.detail import value_text
from graphscope.analysis.diff.report import Change, Difference, Section
from graphscope.core.changes.renaming import rename_strings
from graphscope.core.collections import Collection
from graphscope.core.model import Model
from graphscope.core.signatures import Signature
from graphscope.core.tensors import TensorName, TensorSpec, shape_text
from graphscope.protos import AttrValue, Message, TensorProto

_FEW = 3

Names = Mapping[str, str]
"""Node of the first graph -> node of the second."""


def signature_differences(a: Model, b: Model, names: Names) -> Iterator[Difference]:
    """Signatures that only one model has, and arguments that differ."""
    yield from _by_key(Section.SIGNATURES, a.signatures, b.signatures)
    for name in a.signatures.keys() & b.signatures.keys():
        one, other = a.signatures[name], b.signatures[name]
        details = [*_signature(one, other, names), *_defaults(a, b, name)]
        yield from (Difference(Section.SIGNATURES, Change.CHANGED, name, detail) for detail in details)


def _signature(a: Signature, b: Signature, names: Names) -> Iterator[str]:
    if a.method != b.method:
        yield f"method: {a.method or 'none'} -> {b.method or 'none'}"
    for what, ones, others in (("input", a.inputs, b.inputs), ("output", a.outputs, b.outputs)):
        for key in sorted({*ones, *others}):
            before, after = ones.get(key), others.get(key)
            if before is None or after is None or [_rename(s, names) for s in before] != [_port(s) for s in after]:
                yield f"{what} {key}: {_specs(before)} -> {_specs(after)}"


def _defaults(a: Model, b: Model, name: str) -> Iterator[str]:
    """Inputs for which a signature declares another value."""
    ones, others = (model.meta.signature_def[name].defaults for model in (a, b))
    for key in sorted({*ones, *others}):
        one, other = ones.get(key), others.get(key)
        if one != other:
            before, after = ("nothing" if value is None else _value(value) for value in (one, other))
            yield f"default of {key}: {before} -> {after}"


def _value(tensor: TensorProto) -> str:
    return value_text(AttrValue(tensor=tensor))


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
    own = dict(zip(names.values(), names.values()))
    is_renamed = any(name != other for name, other in names.items())
    for name in a.collections.keys() & b.collections.keys():
        one, other = a.collections[name], b.collections[name]
        before, after = _content(one, names, is_renamed=is_renamed), _content(other, own)
        if before != after:
            yield Difference(Section.COLLECTIONS, Change.CHANGED, name, _entries(one, other, before, after))


def _entries(a: Collection, b: Collection, before: list[object], after: list[object]) -> str:
    """What differs between two collections: the entries that only one has, their order, or the first one that changed."""
    text = f"{len(a.values):,} -> {len(b.values):,} entries"
    changed = sorted({*a.names} ^ {*b.names})[:_FEW]
    if changed:
        return f"{text}: {', '.join(changed)}"
    if len(before) != len(after):
        return text
    first = next(i for i, (one, other) in enumerate(zip(before, after)) if one != other)
    if sorted(map(str, before)) == sorted(map(str, after)):
        return f"{text}, in another order"
    name = a.names[first] if len(a.names) == len(a.values) else f"entry {first}"
    return f"{name}: {first_change(a.values[first], b.values[first])}"


def first_change(one: object, other: object) -> str:
    """The first line in which two entries differ."""
    lines = [str(value).splitlines() for value in (one, other)]
    before, after = next((p for p in zip_longest(*lines, fillvalue="nothing") if p[0] != p[1]), ("", "other content"))
    return f"{before.strip()} -> {after.strip()}"


def _content(collection: Collection, names: Names, *, is_renamed: bool = False) -> list[object]:
    """The items of a collection, with the names that nodes have in the second model.

    If nodes were renamed, other texts in messages (names of frames and partitions) say nothing.
    """
    return [_item(value, names, "" if is_renamed else None) for value in collection.values]


def _item(value: object, names: Names, other: str | None) -> object:
    if isinstance(value, str):
        return _moved(value, names, value)
    if not isinstance(value, Message):
        return value.SerializeToString() if hasattr(value, "SerializeToString") else value
    message = type(value)()
    message.CopyFrom(value)
    rename_strings(message, lambda text: _moved(text, names, text if other is None else other))
    return str(message)


def _moved(text: str, names: Names, other: str) -> str:
    """A node or tensor as the second model calls it; ``other`` if it has none of that name."""
    node, colon, port = text.removeprefix("^").partition(":")
    moved = names.get(node)
    return other if moved is None else f"{'^' * text.startswith('^')}{moved}{colon}{port}"


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
