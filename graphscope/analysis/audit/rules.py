"""The rules of an audit, and what they are about."""

from __future__ import annotations

import enum

from graphscope.named_tuple import NamedTuple


class Category(str, enum.Enum):
    """The subject of a finding. The first six are those of :class:`graphscope.core.ops.effects.Effect`."""

    READS = "reads"
    WRITES = "writes"
    NETWORK = "network"
    CONFIGURATION = "configuration"
    CODE = "code"
    PROCESS = "process"
    DENIAL = "denial"
    DISCLOSURE = "disclosure"
    DECEPTION = "deception"


class Rule(NamedTuple):
    """An audit rule.

    Attributes:
        category: the subject.
        text: the meaning, as a sentence.
    """

    category: Category
    text: str


RULES: dict[str, Rule] = {
    "reads-file": Rule(Category.READS, "The graph reads files, or lists directories, on the machine that runs it."),
    "writes-file": Rule(Category.WRITES, "The graph writes files on the machine that runs it."),
    "uses-network": Rule(Category.NETWORK, "The graph connects to an address or opens a server."),
    "changes-settings": Rule(Category.CONFIGURATION, "The graph changes settings of the process that runs it."),
    "remote-device": Rule(Category.CONFIGURATION, "Nodes are placed on devices of another process."),
    "calls-code": Rule(Category.CODE, "The graph calls code that is not part of TensorFlow."),
    "unknown-op": Rule(
        Category.CODE, "An op is not registered by TensorFlow: a library of native code must provide it."
    ),
    "hidden-graph": Rule(Category.CODE, "An op runs a program stored in a string, where no node shows what it does."),
    "keras-lambda": Rule(
        Category.CODE, "Keras runs the Python code of a Lambda layer when it loads or calls the model."
    ),
    "keras-import": Rule(Category.CODE, "A Keras configuration names a function that touches files or runs code."),
    "pickle": Rule(Category.CODE, "Loading a Python pickle runs whatever it names."),
    "native-library": Rule(Category.CODE, "A native library is stored beside the model."),
    "ends-process": Rule(Category.PROCESS, "The graph ends the process that runs it."),
    "huge-tensor": Rule(
        Category.DENIAL, "A tensor's stated size exhausts the memory of the machine that runs the graph."
    ),
    "recursion": Rule(Category.DENIAL, "Functions call themselves, which overflows TensorFlow's stack."),
    "call-explosion": Rule(Category.DENIAL, "Functions call one another so often that inlining them never ends."),
    "endless-loop": Rule(Category.DENIAL, "A loop's condition is a constant that is always true."),
    "archive-bomb": Rule(Category.DENIAL, "An archive unpacks to more than any model needs."),
    "path-traversal": Rule(Category.DISCLOSURE, "A name of a file leads out of the model's directory."),
    "link-outside": Rule(Category.DISCLOSURE, "A link leads out of the directory that is audited."),
    "foreign-state": Rule(Category.DISCLOSURE, "A checkpoint state file names files in another directory."),
    "duplicate-name": Rule(
        Category.DECEPTION, "Two nodes or functions share a name: readers disagree about which counts."
    ),
    "hidden-characters": Rule(Category.DECEPTION, "A name holds characters that hide or reorder what a person reads."),
    "shadowed-op": Rule(Category.DECEPTION, "A library function has the name of an op of TensorFlow."),
}
"""Rule -> what it means. The names are stable: policies and SARIF files refer to them."""
