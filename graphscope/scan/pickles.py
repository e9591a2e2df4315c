"""Python pickles, read without loading them: what they would import.

Source: ``pickletools`` in Python's standard library; the opcodes are those of :pep:`3154`.
"""

from __future__ import annotations

import io
import pickletools
import re
from collections.abc import Iterator

from graphscope.analysis.audit.finding import Finding, Severity
from graphscope.formats.io.wire import FileSource

MAX_BYTES = 64 << 20
"""So much of a pickle is looked at: what it imports stands before its data, as a rule."""

_SUFFIXES = (".pkl", ".pickle", ".joblib")
COMPUTED = "?"
"""A module or name that the pickle does not state as text."""

_MAGIC = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
_TEXT = re.compile(rb"\(*c[A-Za-z_][\w.]*\n[A-Za-z_][\w.]*\n[(tR\dVSpq]")
"""How a pickle of protocol 0 begins that imports something."""

_NPY = b"\x93NUMPY"
_OBJECTS = re.compile(rb"'descr': '\|O'")

_DANGEROUS = frozenset(
    "os posix nt subprocess sys shutil socket pty ctypes importlib runpy marshal pickle _pickle code codeop builtins"
    " __builtin__ types operator functools asyncio multiprocessing threading webbrowser http urllib requests bdb pdb"
    " timeit tempfile pathlib io platform signal commands".split()
)
"""Modules whose functions run code, start programs, or touch files and the network."""

_HARMLESS = frozenset(
    "numpy collections copyreg _codecs datetime decimal fractions array ndarray scipy pandas sklearn ml_dtypes".split()
)
_PLAIN = frozenset(
    f"{module} {name}"
    for module in ("builtins", "__builtin__")
    for name in "set frozenset list dict tuple bytearray complex range slice object int float str bool bytes".split()
)
"""Classes of values."""


def pickle_start(source: FileSource) -> int | None:
    """Where the pickle in ``source`` begins: a pickle by its name or first bytes, or a NumPy array of Python objects."""
    head = source.read(0, min(256, source.size))
    if head.startswith(_NPY):
        return 10 + int.from_bytes(head[8:10], "little") if _OBJECTS.search(head) else None
    return 0 if source.path.suffix in _SUFFIXES or head.startswith(_MAGIC) or _TEXT.match(head) else None


def pickle_findings(source: FileSource) -> Iterator[Finding]:
    """One finding: what loading the pickle would import."""
    start = pickle_start(source) or 0
    names = list(dict.fromkeys(_imports(source.read(start, min(MAX_BYTES, source.size - start)))))
    path = str(source.path)
    dangerous = [name for name in names if _is_dangerous(name)]
    if dangerous:
        text = f"is a pickle that uses {', '.join(name.replace(' ', '.') for name in dangerous[:3])}"
        yield Finding("pickle", Severity.HIGH, text, "loading it runs that", target=dangerous[0], path=path)
        return
    unknown = [name for name in names if name.partition(".")[0].split()[0] not in _HARMLESS and name not in _PLAIN]
    if unknown:
        text = f"is a pickle that uses {', '.join(name.replace(' ', '.') for name in unknown[:3])}"
        yield Finding("pickle", Severity.MEDIUM, text, "loading it runs the code of that module", path=path)
    else:
        yield Finding(
            "pickle", Severity.LOW, "is a pickle of plain values", "it imports nothing that runs code", path=path
        )


def _is_dangerous(name: str) -> bool:
    module = name.partition(".")[0].split()[0]
    return (module in _DANGEROUS and name not in _PLAIN) or COMPUTED in name.split()


def _imports(content: bytes) -> Iterator[str]:
    """``module name`` of everything that the pickles in ``content`` import, up to the first unreadable part."""
    stream = io.BytesIO(content)
    while stream.tell() < len(content):
        stack = _Stack()
        try:
            for opcode, argument, _ in pickletools.genops(stream):
                if opcode.name in ("GLOBAL", "INST"):
                    yield str(argument)
                elif opcode.name == "STACK_GLOBAL":
                    yield " ".join(text or COMPUTED for text in stack.top(2))
                stack.follow(opcode.name, opcode, argument)
        except (ValueError, IndexError):
            return  # the rest is data of another kind, or the pickle is cut short


class _Stack:
    """The stack and the memo of an unpickler, as far as they hold texts; ``None`` for anything else."""

    def __init__(self) -> None:
        self._items: list[str | _Mark | None] = []
        self._memo: dict[int, str | None] = {}

    def top(self, number: int) -> list[str | None]:
        """The last items; fewer than that count as computed."""
        found = [item if isinstance(item, str) else None for item in self._items[-number:]]
        return [None] * (number - len(found)) + found

    def follow(self, name: str, opcode: pickletools.OpcodeInfo, argument: object) -> None:
        """Does what an opcode does to the stack."""
        if name in ("MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT"):
            self._memo[argument if isinstance(argument, int) else len(self._memo)] = self.top(1)[0]
            return
        if name == "DUP":
            self._items.append(self.top(1)[0])
            return
        if pickletools.stackslice in opcode.stack_before or (name == "POP" and self._items[-1:] == [_MARK]):
            while self._items and self._items.pop() is not _MARK:
                pass
            taken = (
                opcode.stack_before.index(pickletools.markobject)
                if pickletools.stackslice in opcode.stack_before
                else 0
            )
        else:
            taken = len(opcode.stack_before)
        del self._items[len(self._items) - min(taken, len(self._items)) :]
        if name == "MARK":
            self._items.append(_MARK)
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            self._items.append(self._memo.get(argument) if isinstance(argument, int) else None)
        elif opcode.stack_after:
            self._items += [argument if isinstance(argument, str) else None] * len(opcode.stack_after)


class _Mark:
    pass


_MARK = _Mark()
