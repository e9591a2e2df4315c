"""Hints and notes of the library, worded for the command line."""

from __future__ import annotations

import shlex

from graphscope.advice import Advice, Call, Option, Options

FLAGS = {
    "asynchronous": "--async",
    "feeds": "--feed",
    "inputs": "--input",
    "out": "-o",
    "outputs": "--output",
    "overwrite": "--force",
    "from_": "--from",
}
"""Arguments of the library that have another name as an option."""

_VERBS = {"summarize": "info", "load_foreign": "info"}
"""Functions of the library that have another name as a command."""

_PLACEHOLDER = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ_[]|.")


def to_words(text: str | Advice | None) -> str:
    """``text`` with options as flags and calls as commands; empty if there is none."""
    return text.word_for(_word) if isinstance(text, Advice) else text or ""


def _word(part: Option | Options | Call) -> str:
    if isinstance(part, Options):
        return " ".join(map(_flag, part.options))
    return _flag(part) if isinstance(part, Option) else _command(part)


def _flag(option: Option) -> str:
    flag = FLAGS.get(option.name) or "--" + option.name.replace("_", "-")
    if option.value is False:
        return "--no-" + flag.removeprefix("--")
    return flag if option.value in (None, True) else f"{flag} {_typed_text(str(option.value))}"


def _command(call: Call) -> str:
    verb = _VERBS.get(call.function, call.function)
    return " ".join(["graphscope", verb, *map(_typed_text, call.arguments), *map(_flag, call.options)])


def _typed_text(text: str) -> str:
    """Quoted for a shell, except for a placeholder in capitals."""
    return text if _PLACEHOLDER.issuperset(text) or "..." in text else shlex.quote(text).replace("'='", "=")
