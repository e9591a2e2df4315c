"""What is known of ops beyond TensorFlow's op table: which of them belong together, and why."""

from __future__ import annotations

from graphscope.core.patterns import OpPattern

DEFAULTED = "PlaceholderWithDefault"
"""The placeholder that need not be fed."""

PLACEHOLDER_OPS = frozenset({"Placeholder", "PlaceholderV2", DEFAULTED})
"""Ops whose value a person gives."""

VARIABLE_OPS = frozenset({"Variable", "VariableV2", "VarHandleOp", "AutoReloadVariable"})
"""Ops that are variables: the first two and the last give references, ``VarHandleOp`` a resource."""

HANDLE_READ_OPS = frozenset(
    {"ReadVariableOp", "ResourceGather", "ResourceGatherNd", "VariableShape", "VarIsInitializedOp"}
)
"""Ops that take a variable's handle and only read."""

HANDLE_PASSING_OPS = frozenset("Identity Switch RefSwitch Enter RefEnter Merge RefMerge".split())
"""Ops that pass a variable's handle on."""

ASSIGN_OPS = frozenset({"Assign", "AssignVariableOp"})
"""Ops that give a variable a whole value."""

COUNT_OPS = frozenset({"AssignAdd", "AssignSub", "AssignAddVariableOp", "AssignSubVariableOp"})
"""Ops that add to a variable or take from it."""

CALL_OPS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})
"""Ops that call the library function in their attribute ``f``."""

BRANCH_OPS = frozenset({"While", "StatelessWhile", "If", "StatelessIf", "Case", "StatelessCase"})
"""Ops that run one of the library functions in their attributes, or one again and again."""

TABLE_FILLING_OPS = frozenset(
    "InitializeTable InitializeTableV2 InitializeTableFromTextFile InitializeTableFromTextFileV2"
    " InitializeTableFromDataset LookupTableImport LookupTableImportV2".split()
)
"""Ops that give a lookup table its content."""

TABLES = OpPattern("Table", r"\w*(HashTable|HashTableOfTensors|LookupTable)(V2)?")
"""Ops that make a lookup table."""

TABLE_USERS = OpPattern("Table", r"\w*HashTable\w*|\w*LookupTableFind\w*")
"""Ops that make a lookup table or look something up in one."""

DATA_KINDS = {
    "an iterator": OpPattern("Get", r"(Iterator|MultiDeviceIterator|Optional)\w*Get(Next|Value)\w*"),
    "a queue": OpPattern("Dequeue BarrierTakeMany", r"\w*(Queue|Infeed|Outfeed)Dequeue\w*|BarrierTakeMany"),
    "a reader": OpPattern("ReaderRead", r"ReaderRead\w*"),
    "a staging area": OpPattern("Unstage Peek", r"(Ordered)?(Map)?Unstage\w*|StagePeek|(Ordered)?MapPeek"),
    "an accumulator": OpPattern("AccumulatorTakeGradient", r"\w*AccumulatorTakeGradient"),
}
"""What gives a graph data without a placeholder -> the ops that take it out."""

PYTHON_OPS = frozenset({"PyFunc", "PyFuncStateless", "EagerPyFunc"})
"""Ops that call a Python function of the process that built the graph; no file holds it."""

PARSERS = OpPattern(
    "Parse DecodeCSV RecordInput Dataset",
    r"Parse(Single|Sequence|SingleSequence)?Example(V2)?|DecodeCSV|RecordInput|Dataset\w*GetNext\w*",
)
"""Ops that make tensors of records."""

SUPPRESSION = OpPattern(
    "NonMaxSuppression TFLite_Detection_PostProcess", r"(Combined)?NonMaxSuppression\w*|TFLite_Detection_PostProcess"
)
"""Ops that keep the best of boxes that overlap: the end of a detector."""

RANDOM_OPS = frozenset(
    "RandomUniform RandomUniformInt RandomStandardNormal TruncatedNormal ParameterizedTruncatedNormal RandomGamma Multinomial"
    " RandomPoisson RandomPoissonV2 RandomShuffle StatelessRandomUniform StatelessRandomUniformV2 StatelessMultinomial"
    " StatelessRandomNormal StatelessRandomNormalV2 StatelessTruncatedNormal StatelessTruncatedNormalV2 StatefulUniform"
    " StatefulStandardNormal StatefulStandardNormalV2 StatefulTruncatedNormal StatefulRandomBinomial"
    " StatelessRandomUniformInt StatelessRandomUniformIntV2 StatelessRandomUniformFullInt StatelessRandomUniformFullIntV2"
    " StatelessRandomGammaV2 StatelessRandomGammaV3 StatelessRandomPoisson StatelessRandomBinomial"
    " StatelessParameterizedTruncatedNormal RandomCrop StatefulUniformInt StatefulUniformFullInt".split()
)
"""Ops that draw random numbers. What stateless ones draw is fixed by their seed, which is usually drawn itself."""


def brings_data(op: str) -> bool:
    """Whether nodes of ``op`` bring data in without a placeholder."""
    return PARSERS.fullmatch(op) is not None or any(pattern.fullmatch(op) for pattern in DATA_KINDS.values())


SWITCHES = frozenset({"Switch", "RefSwitch"})
"""Ops that pass their data on to one of two branches."""

MERGES = frozenset({"Merge", "RefMerge"})
"""Ops that give whichever of their inputs is alive."""

ENTERS = frozenset({"Enter", "RefEnter"})
EXITS = frozenset({"Exit", "RefExit"})
NEXT_ITERATIONS = frozenset({"NextIteration", "RefNextIteration"})
"""Ops that lead into a loop's frame, out of it, and back to its beginning: the edges that close a loop."""
