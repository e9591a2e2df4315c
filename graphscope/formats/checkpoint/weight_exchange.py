"""Writes weights from an archive to a checkpoint of the same graph."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from graphscope.core.model import Model
from graphscope.core.tensors import Shape, shape_text
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import Payload
from graphscope.core.variables.restore import RestoreSource, restore_sources
from graphscope.core.variables.roles import role_by_name
from graphscope.core.variables.variables import Entry, Role, Variable
from graphscope.errors import FormatError, IncompleteModelError, closest_names
from graphscope.formats.archives.weights import Archive
from graphscope.formats.checkpoint.partitioned import Part, PartitionedPayload, StoredPayload
from graphscope.formats.checkpoint.upgrade import meta_chunks
from graphscope.formats.checkpoint.writer import write_checkpoint
from graphscope.formats.io.progress import Progress, quiet

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LISTED = 8


def weights_into_checkpoint(
    model: Model, archive: Archive, prefix: str, *, overwrite: bool = False, progress: Progress = quiet
) -> int:
    """Writes a V2 checkpoint of ``model`` at ``prefix`` with the values in ``archive``, and the model's ``.meta`` file.

    Names are those that :func:`graphscope.formats.archives.weights.weights_of` gives; partitions may also come one by one,
    under their variables' names. What the archive need not have are optimizer slots, moving averages, steps and values that
    no variable of the graph takes: these stay as they are in the model's own checkpoint. Slots, averages and steps that the
    graph lacks are left out.

    Returns:
        The size of the files in bytes.

    Raises:
        FormatError: names are missing in the archive or unknown to the graph, or a type or shape differs: all of them in one
            message.
        IncompleteModelError: the model has no graph.
        FileError, UnsupportedError, CorruptFileError: as :func:`write_checkpoint`.
    """
    tensors = _Exchange(model, archive).tensors()
    return write_checkpoint(prefix, tensors.items(), meta=meta_chunks(model), overwrite=overwrite, progress=progress)


_SUFFIXES = (":0", ".npy", ":0.npy")
"""Suffixes that programs add to a variable's name: TensorFlow's own ``Variable.name`` ends in ``:0``."""


class _Archive:
    """An archive by the names of a graph: a suffix that others add is taken off where only that gives a known name."""

    def __init__(self, archive: Archive, known: Collection[str]) -> None:
        self.path = archive.path
        self._archive = archive
        self._names: dict[str, str] = {}
        for given in archive.entries:
            bare = next((b for s in _SUFFIXES if (b := given.removesuffix(s)) != given and b in known), given)
            name = given if given in known or bare in archive.entries or bare in self._names else bare
            self._names[name] = given
        self.entries: Mapping[str, Entry] = {name: archive.entries[given] for name, given in self._names.items()}

    def payload(self, name: str) -> Payload:
        """The value of ``name``."""
        return self._archive.payload(self._names[name])


class _Exchange:
    """Finds a value for each key of a checkpoint; collects what is wrong."""

    def __init__(self, model: Model, archive: Archive) -> None:
        self.model = model
        self.own: Mapping[str, Entry] = model.store.entries if model.store is not None else {}
        self.sources = restore_sources(model.graph, model.meta.saver_def.restore_op_name)
        self.variables = {v.name: v for v in model.variables if v.in_graph}
        self.holders: dict[str, list[Variable]] = {}
        for variable in self.variables.values():
            source = self.sources.get(variable.name, RestoreSource(variable.name))
            self.holders.setdefault(variable.key or source.key, []).append(variable)
        self.archive = _Archive(archive, {*self.variables, *self.holders, *self.own})
        self.missing: list[str] = []
        self.differing: list[str] = []

    def tensors(self) -> dict[str, Payload]:
        """Key -> value.

        Raises:
            FormatError: the archive does not fit the graph.
        """
        store = self.model.store
        found = {key: store.payload(key) for key in self.own} if store is not None else {}
        for key in dict.fromkeys([*self.holders, *self.own]):
            value = self.value(key, self.holders.get(key, []))
            if value is not None:
                found[key] = value
        self.refuse()
        return found

    def value(self, key: str, variables: Sequence[Variable]) -> Payload | None:
        """What the archive has for ``key``; ``None`` if that stays as it is, or something is wrong."""
        names = [v.name for v in variables]
        if names and all(name in self.archive.entries for name in names):
            parts = [self.checked(v.name, v.dtype, self.shape(v)) for v in variables]
            return parts[0] if variables[0].slice is None else _join(variables, parts)
        if key in self.archive.entries and key not in self.variables:
            dtype = variables[0].dtype if variables else self.own[key].dtype
            return self.checked(key, dtype, self.whole_shape(key, variables))
        self.differing += [
            f"{v.name} is {v.mismatch} in the checkpoint, in the graph {v.declared}" for v in variables if v.mismatch
        ]
        absent = [v for v in variables if v.name not in self.archive.entries]
        is_begun = len(absent) < len(variables)
        self.missing += [v.name for v in absent if is_begun or self.is_required(v, key)]
        return None

    def checked(self, name: str, dtype: DataType, shape: Shape) -> Payload:
        """The archive's value; notes, if it is of another type or shape."""
        entry = self.archive.entries[name]
        if entry.dtype is not dtype or not _fits(entry.shape, shape):
            found, stated = f"{entry.dtype.label} {shape_text(entry.shape)}", f"{dtype.label} {shape_text(shape)}"
            self.differing.append(f"{name} is {found}, in the graph {stated}")
        return self.archive.payload(name)

    def shape(self, variable: Variable) -> Shape:
        """What a value of ``variable`` must have. The op ``Variable`` writes an unknown shape as an empty one."""
        if variable.slice is not None:
            return tuple(length for _, length in variable.slice)
        if variable.demanded is not None:
            return variable.demanded
        if variable.entry is not None:
            return variable.entry.shape
        node = self.model.graph.get(variable.name)
        return None if node is not None and node.op == "Variable" and not variable.shape else variable.shape

    def whole_shape(self, key: str, variables: Sequence[Variable]) -> Shape:
        """The shape of all partitions together."""
        demanded = next((v.demanded for v in variables if v.demanded is not None), None)
        if demanded is not None or key in self.own:
            return demanded if demanded is not None else self.own[key].shape
        extents = zip(*(v.slice for v in variables if v.slice is not None))
        return tuple(max(start + length for start, length in extent) for extent in extents)

    def is_required(self, variable: Variable, key: str) -> bool:
        """Whether the archive must have it: the model's own weights, and what would be left without a value."""
        if key in self.own:
            return variable.role is Role.MODEL
        return variable.role is not Role.LOCAL and (variable.name in self.sources or not self.sources)

    def refuse(self) -> None:
        """Raises an error that lists all problems, if there are any."""
        known = {*self.variables, *self.holders, *self.own}
        others = [name for name in self.archive.entries if name not in known]
        extra = [name for name in others if role_by_name(name, None, self.archive.entries) is Role.MODEL]
        problems = [
            *problem_lines("missing", self.missing, extra or self.archive.entries),
            *problem_lines("not in the graph", extra, self.missing or known),
            *problem_lines("different", self.differing, ()),
        ]
        if problems:
            raise FormatError("\n  ".join([f"does not fit {self.model.path}", *problems]), path=self.archive.path)


def _join(variables: Sequence[Variable], parts: Sequence[Payload]) -> Payload:
    """Partitions put together."""
    regions = [tuple(slice(start, start + length) for start, length in v.slice or ()) for v in variables]
    shape = tuple(max(extent.stop for extent in extents) for extents in zip(*regions))
    placed = [Part(region, _Given(part)) for region, part in zip(regions, parts, strict=True)]
    return PartitionedPayload(placed, parts[0].dtype, shape, IncompleteModelError)


class _Given(StoredPayload):
    """A partition that has been checked."""

    __slots__ = ("_payload",)

    def __init__(self, payload: Payload) -> None:
        super().__init__(payload.dtype, payload.shape)
        self._payload = payload

    def verify(self) -> None:
        """Nothing is left to check."""

    def chunks(self) -> Iterator[bytes]:
        """See :meth:`Payload.chunks`."""
        return self._payload.chunks()

    def numpy(self) -> NDArray[Any]:
        """See :meth:`Payload.numpy`."""
        return self._payload.numpy()


def _fits(shape: tuple[int, ...], stated: Shape) -> bool:
    if stated is None:
        return True
    return len(shape) == len(stated) and all(s is None or s == d for s, d in zip(stated, shape))


def problem_lines(what: str, items: Sequence[str], known: Iterable[str]) -> Iterator[str]:
    """``what: item`` for each of the first few ``items``, with those of the ``known`` names that resemble it."""
    for item in items[:_LISTED]:
        closest = closest_names(item, known, 3)
        yield f"{what}: {item}" + (f"; closest: {', '.join(closest)}" if closest else "")
    if len(items) > _LISTED:
        yield f"{what}: {len(items) - _LISTED:,} more"
