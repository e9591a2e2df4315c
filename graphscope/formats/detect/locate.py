"""Finds the files of the model at a path of any kind."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from graphscope.advice import Advice, Call
from graphscope.core.patterns import Pattern
from graphscope.errors import FileError, closest_names, file_errors
from graphscope.formats.detect.prefixes import join, without_pattern
from graphscope.formats.detect.savedmodel_parts import SAVED_MODEL_FILES, refuse_part
from graphscope.formats.detect.sniff import Content, Sniffed, sniff
from graphscope.formats.io.interrupted import finish_around
from graphscope.formats.io.paths import exists, is_below, is_directory, is_file, real_path
from graphscope.formats.io.records import is_event_file_name
from graphscope.formats.io.table_footer import is_table
from graphscope.formats.io.wire import FileSource, refuse_special
from graphscope.named_tuple import NamedTuple

_SHARD = r"-\d{5}-of-\d{5}"
_MEMBER = Pattern(rf"(?P<prefix>.*?)(?:\.meta|\.index|\.data{_SHARD})\Z", re.DOTALL)
_V1_SHARD = Pattern(rf"(?P<prefix>.+){_SHARD}\Z", re.DOTALL)
_STEP = Pattern(r"-(\d+)\Z")
PROJECTOR_CONFIG = "projector_config.pbtxt"
"""The configuration of TensorBoard's projector, beside event files."""

TFJS_MODEL = "model.json"
"""What a TF.js model in a directory of its own is called."""

GRAPH_SUFFIXES = (".pb", ".pbtxt", ".meta")


class GraphFile(NamedTuple):
    """A file that holds a GraphDef or a MetaGraphDef by itself."""

    source: FileSource
    sniffed: Sniffed


class SavedModelDirectory(NamedTuple):
    """A SavedModel: its directory and the ``saved_model.pb`` or ``.pbtxt`` in it."""

    directory: Path
    file: Path


class CheckpointPrefix(NamedTuple):
    """The common prefix of a checkpoint's files; it may end in a slash (an empty base name).

    Attributes:
        prefix: as text, since a path drops that slash.
        notes: information about how it was found.
        warnings: files outside the named directory.
    """

    prefix: str
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def file(self, suffix: str) -> Path:
        """The member with ``suffix``, whether it exists or not."""
        return Path(self.prefix + suffix)

    @property
    def members(self) -> list[Path]:
        """The files of the checkpoint that exist."""
        files = [self.file(suffix) for suffix in (".meta", ".index", "")]
        return [*(path for path in files if is_file(path)), *self.shards(".data"), *self.shards("")]

    def shards(self, marker: str) -> list[Path]:
        """Existing ``prefix<marker>-00000-of-0000N`` files, sorted; ``marker`` is ``.data`` (V2) or empty (V1)."""
        directory, base = os.path.split(self.prefix)
        pattern = re.compile(re.escape(base + marker) + _SHARD + r"\Z")
        return sorted(p for p in _listing(Path(directory or ".")) if pattern.match(p.name))

    @property
    def exists(self) -> bool:
        """Whether any file of a checkpoint has this prefix."""
        if is_file(self.file(".index")) or is_file(self.file(".meta")):
            return True
        return bool(self.shards(".data") or self.shards("")) or is_table_file(Path(self.prefix))


class EventFiles(NamedTuple):
    """A directory of event files, the latest last."""

    directory: Path
    files: tuple[Path, ...]


Location = GraphFile | SavedModelDirectory | CheckpointPrefix | EventFiles


def locate(path: str | os.PathLike[str]) -> Location:
    """Locates the model at ``path``.

    Raises:
        FileError: the path does not exist, or there is no model.
        NotTensorFlowError: the file is of a neighbouring format.
        CorruptFileError: a ``checkpoint`` state file is broken, or the journal of an interrupted write.
    """
    text = os.fspath(path)
    with file_errors(text):
        finish_around(text)
        return _locate(text)


def _locate(text: str) -> Location:
    place = Path(text)
    prefix = CheckpointPrefix(without_pattern(text))
    if is_file(place):
        return _file(text)
    if exists(place) and not is_directory(place):
        refuse_special(place)
    if is_directory(place):
        try:
            return _in_directory(place)
        except FileError:
            if text.endswith("/") or not prefix.exists:
                raise
    if prefix.exists:
        return prefix
    raise _nothing_at(text)


def _file(text: str) -> Location:
    path = Path(text)
    member = _MEMBER.match(text)
    if member is not None:
        return CheckpointPrefix(member["prefix"] or "./")
    source = FileSource(path)
    if is_table(source):
        return CheckpointPrefix(_v1_prefix(text))
    sniffed = sniff(source) if source.size else Sniffed(Content.UNKNOWN, False)
    if sniffed.content is Content.STATE:
        return _from_state(path)
    if sniffed.content is not Content.GRAPH and path.name not in SAVED_MODEL_FILES:
        refuse_part(path)
    return GraphFile(source, sniffed)


def _in_directory(directory: Path) -> Location:
    for name in SAVED_MODEL_FILES:
        if is_file(directory / name):
            return SavedModelDirectory(directory, directory / name)
    state = directory / "checkpoint"
    if is_file(state):
        return _from_state(state)
    prefixes = _prefixes(directory)
    if prefixes:
        notes = (
            (f"{len(prefixes)} checkpoints in {directory}: using the latest, {prefixes[-1]}",) if prefixes[1:] else ()
        )
        return CheckpointPrefix(prefixes[-1], notes)
    names = [p for p in _listing(directory) if is_file(p) and p.name != PROJECTOR_CONFIG]
    graphs = [p for p in names if p.suffix in GRAPH_SUFFIXES]
    if len(graphs) == 1:
        return _file(str(graphs[0]))
    events = [p for p in names if is_event_file_name(p.name)]
    if events and not graphs:
        return EventFiles(directory, tuple(events))
    if not graphs and directory / TFJS_MODEL in names:
        return _file(str(directory / TFJS_MODEL))
    raise _no_model_in(directory, graphs)


def _from_state(path: Path) -> CheckpointPrefix:
    """The first checkpoint that the state file names and that is there; otherwise the latest beside it, with a note."""
    from graphscope.formats.detect.checkpoint_state import read_state  # single files have no state file

    state = read_state(path)
    named = ", ".join(state.prefixes[:3]) or "none"
    for candidate in state.candidates():
        prefix = CheckpointPrefix(candidate)
        if prefix.exists:
            stale = state.prefixes[0].replace("\\", "/").rsplit("/", 1)[-1] != candidate.rsplit("/", 1)[-1]
            notes = (f"using the latest of {named} that exists: {candidate}",) if stale else ()
            return CheckpointPrefix(candidate, notes, tuple(_outside(state.directory, prefix)))
    beside = _prefixes(state.directory)
    if beside:
        missing = f"{state.directory / 'checkpoint'} names {named}, which is missing"
        return CheckpointPrefix(beside[-1], (f"{missing}; using the latest in the directory, {beside[-1]}",))
    raise FileError(
        f"{state.directory / 'checkpoint'}: none of the checkpoints that it names exists: {named}",
        hint=f"copy the .index, .data-* and .meta files into {state.directory}",
    )


def _outside(directory: Path, prefix: CheckpointPrefix) -> Iterator[str]:
    """A warning, if files of ``prefix`` are elsewhere than below the state file's directory."""
    outside = [path for path in prefix.members if not is_below(str(path), directory)]
    if outside:
        real = real_path(outside[0])
        more = f" and {len(outside) - 1} more" if outside[1:] else ""
        yield f"{directory / 'checkpoint'} leads outside its directory: {real}{more} opened"


def _prefixes(directory: Path) -> list[str]:
    """The checkpoint prefixes in ``directory``, the latest last: by step number, then by time of change."""
    files = [path for path in _listing(directory) if is_file(path)]
    members = [(path, member["prefix"]) for path in files if (member := _MEMBER.match(path.name))]
    found: dict[str, float] = {}
    for path, base in members or [(path, _v1_prefix(path.name)) for path in files if is_table_file(path)]:
        prefix = join(directory, base)
        found[prefix] = max(found.get(prefix, 0.0), path.stat().st_mtime)
    return sorted(found, key=lambda prefix: (_step(prefix), found[prefix]))


def _v1_prefix(name: str) -> str:
    """The prefix that a V1 checkpoint's file, or one of its shards, belongs to."""
    shard = _V1_SHARD.match(name)
    return shard["prefix"] if shard else name


def _step(prefix: str) -> int:
    found = _STEP.search(prefix)
    return int(found[1]) if found else -1


def is_table_file(path: Path) -> bool:
    """Whether ``path`` is a file that ends like a leveldb table: a V1 checkpoint, or an index."""
    return is_file(path) and is_table(FileSource(path))


def _listing(directory: Path) -> list[Path]:
    """The entries of ``directory``; none, if it is not a directory."""
    if not is_directory(directory):
        return []
    with file_errors(directory):
        return sorted(directory.iterdir())


def _nothing_at(text: str) -> FileError:
    directory = Path(text).parent
    if not is_directory(directory):
        return FileError(f"{text}: no such file, directory or checkpoint prefix: there is no directory {directory}")
    closest = closest_names(Path(text).name, (p.name for p in _listing(directory)))
    hint = "closest: " + ", ".join(str(directory / name) for name in closest) if closest else f"ls {directory}"
    return FileError(f"{text}: no such file, directory or checkpoint prefix", hint=hint)


def _is_model_directory(path: Path) -> bool:
    names = {p.name for p in _listing(path) if is_file(p)}
    return not names.isdisjoint((*SAVED_MODEL_FILES, "checkpoint")) or any(map(is_event_file_name, names))


def _no_model_in(directory: Path, graphs: list[Path]) -> FileError:
    if graphs:
        names = ", ".join(p.name for p in graphs[:8])
        return FileError(f"{directory}: {len(graphs)} graph files, but no checkpoint: {names}", hint="name one of them")
    below = [p for p in _listing(directory) if _is_model_directory(p)]
    if below:
        latest = max(below, key=lambda p: (p.name.isdecimal(), int(p.name) if p.name.isdecimal() else 0, p.name))
        return FileError(
            f"{directory}: no model here, but {len(below)} below it", hint=Advice(Call("summarize", (str(latest),)))
        )
    return FileError(f"{directory}: no model in this directory: no checkpoint, graph or SavedModel")
