"""Python pickles, read without loading them: what they would import.

Source: ``pickletools`` in Python's standard library; the opcodes are those of :pep:`3154`.
"""

from __future__ import annotations

import pickletools
import re
from collections.abc import Iterator

from graphscope.analysis.audit.finding import Finding, Severity
from graphscope.formats.io.wire import FileSource

MAX_BYTES = 64 << 20
"""So much of a pickle is looked at: what it imports stands before its data, as a rule."""

_SUFFIXES = (".pkl", ".pickle", ".joblib")
_MAGIC = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
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
    return 0 if source.path.suffix in _SUFFIXES or head.startswith(_MAGIC) else None


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
    return name.partition(".")[0].split()[0] in _DANGEROUS and name not in _PLAIN


def _imports(content: bytes) -> Iterator[str]:
    """``module name`` of everything that the pickle imports, up to the first unreadable part."""
    texts: list[str] = []
    try:
        for opcode, argument, _ in pickletools.genops(content):
            if opcode.name in ("GLOBAL", "INST"):
                yield str(argument)
            elif opcode.name == "STACK_GLOBAL":
                yield " ".join(texts[-2:]) if len(texts) > 1 else "? ?"
            elif isinstance(argument, str):
                texts.append(argument)
    except ValueError:
        return  # the rest is data of another kind, or the pickle is cut short
