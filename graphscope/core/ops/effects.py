"""Ops that do more than compute: they touch files, the network or settings, run foreign code, or end the process.

Statefulness is no guide: ``ReadFile``, ``MatchingFiles`` and ``ImmutableConst`` are registered without state. The table is
compared with TensorFlow's op table in the tests: every op that takes a file name, a path or an address is in it.
"""

from __future__ import annotations

import enum
import functools
from collections.abc import Mapping

from graphscope.core.ops.sets import PYTHON_OPS
from graphscope.core.ops.table import registered_ops
from graphscope.named_tuple import NamedTuple


class Effect(str, enum.Enum):
    """What an op does to the machine that runs it."""

    READS = "reads"
    WRITES = "writes"
    NETWORK = "network"
    CONFIGURATION = "configuration"
    CODE = "code"
    PROCESS = "process"


class OpEffect(NamedTuple):
    """What a node of an op does, and where its target is named.

    Attributes:
        effect: the class.
        reason: what it does, as a verb phrase that its target completes: "reads the file".
        argument: the input argument that names the target, as in the op's definition; empty if an attribute does.
        attribute: the attribute that names it; empty if an input does, or nothing.
        empty_is_harmless: whether an empty name means that nothing is touched.
    """

    effect: Effect
    reason: str
    argument: str = ""
    attribute: str = ""
    empty_is_harmless: bool = False


def _rows(
    effect: Effect, reason: str, ops: str, argument: str = "", attribute: str = "", empty_is_harmless: bool = False
) -> dict[str, OpEffect]:
    return dict.fromkeys(ops.split(), OpEffect(effect, reason, argument, attribute, empty_is_harmless))


_READERS = "TextLineReader TFRecordReader FixedLengthRecordReader WholeFileReader"
"""Readers that take file names from a queue. ``LMDBReader`` has only its first version."""

OP_EFFECTS: Mapping[str, OpEffect] = {
    **_rows(Effect.READS, "reads the file", "ReadFile", "filename"),
    **_rows(Effect.READS, "lists the files", "MatchingFiles", "pattern"),
    **_rows(Effect.READS, "lists the files", "MatchingFilesDataset ExperimentalMatchingFilesDataset", "patterns"),
    **_rows(
        Effect.READS,
        "reads the files",
        "TextLineDataset TFRecordDataset TFRecordDatasetV2 FixedLengthRecordDataset FixedLengthRecordDatasetV2"
        " CSVDataset CSVDatasetV2 ExperimentalCSVDataset LMDBDataset ExperimentalLMDBDataset",
        "filenames",
    ),
    **_rows(Effect.READS, "reads the database", "SqlDataset ExperimentalSqlDataset", "data_source_name"),
    **_rows(
        Effect.READS,
        "reads the files that a queue names",
        " ".join(f"{op} {op}V2" for op in _READERS.split()) + " LMDBReader",
    ),
    **_rows(Effect.READS, "reads the files", "RecordInput", attribute="file_pattern"),
    **_rows(Effect.READS, "reads the checkpoint", "Restore RestoreSlice", "file_pattern"),
    **_rows(Effect.READS, "reads the checkpoint", "RestoreV2 DTensorRestoreV2", "prefix"),
    **_rows(Effect.READS, "reads the checkpoint", "LoadAndRemapMatrix", "ckpt_path"),
    **_rows(Effect.READS, "reads the file", "GenerateVocabRemapping", "new_vocab_file"),
    **_rows(Effect.READS, "reads the file", "InitializeTableFromTextFile InitializeTableFromTextFileV2", "filename"),
    **_rows(
        Effect.READS,
        "reads the file",
        "FixedUnigramCandidateSampler",
        attribute="vocab_file",
        empty_is_harmless=True,
    ),
    **_rows(Effect.READS, "reads the file", "Skipgram", attribute="filename"),
    **_rows(Effect.READS, "maps the file", "ImmutableConst", attribute="memory_region_name"),
    **_rows(Effect.READS, "reads the saved dataset", "LoadDataset", "path"),
    **_rows(Effect.READS, "reads the snapshot", "ListSnapshotChunksDataset", "snapshot_path"),
    **_rows(Effect.READS, "reads the snapshot", "SnapshotChunkDataset", "chunk_file"),
    **_rows(Effect.READS, "reads the snapshot", "SnapshotDatasetReader", "shard_dir"),
    **_rows(Effect.WRITES, "writes the file", "WriteFile", "filename"),
    **_rows(Effect.WRITES, "writes the checkpoint", "Save SaveSlices", "filename"),
    **_rows(Effect.WRITES, "writes the checkpoint", "SaveV2", "prefix"),
    **_rows(Effect.WRITES, "writes the checkpoint", "MergeV2Checkpoints", "destination_prefix"),
    **_rows(Effect.WRITES, "writes the file", "DatasetToTFRecord ExperimentalDatasetToTFRecord", "filename"),
    **_rows(Effect.WRITES, "writes the dataset", "SaveDataset SaveDatasetV2", "path"),
    **_rows(Effect.WRITES, "writes the snapshot", "SnapshotDataset SnapshotDatasetV2", "path"),
    **_rows(Effect.WRITES, "writes the dataset", "DistributedSave", "directory"),
    **_rows(Effect.WRITES, "writes the files", "CacheDataset CacheDatasetV2", "filename", empty_is_harmless=True),
    **_rows(Effect.WRITES, "writes event files to", "CreateSummaryFileWriter", "logdir"),
    **_rows(Effect.WRITES, "writes the database", "CreateSummaryDbWriter", "db_uri"),
    **_rows(Effect.WRITES, "writes its input to", "DumpTensor", attribute="log_dir_path"),
    **_rows(Effect.WRITES, "writes the file", "CalibrationStatisticsSaver", attribute="output_file_path"),
    **_rows(Effect.WRITES, "appends to", "PrintV2", attribute="output_stream"),
    **_rows(
        Effect.WRITES,
        "sends its input to",
        "DebugIdentity DebugIdentityV2 DebugIdentityV3 DebugNanCount DebugNumericSummary",
        attribute="debug_urls",
        empty_is_harmless=True,
    ),
    **_rows(
        Effect.NETWORK,
        "connects to",
        "DataServiceDataset DataServiceDatasetV2 DataServiceDatasetV3 DataServiceDatasetV4 RegisterDataset RegisterDatasetV2",
        "address",
    ),
    **_rows(Effect.NETWORK, "connects to", "RpcClient", "server_address"),
    **_rows(Effect.NETWORK, "opens a server at", "RpcServer", "server_address"),
    **_rows(Effect.CONFIGURATION, "configures the file system", "FileSystemSetConfiguration", "scheme"),
    **_rows(
        Effect.CODE,
        "calls a Python function of the process that built the graph: it breaks elsewhere",
        " ".join(sorted(PYTHON_OPS)),
    ),
    **_rows(Effect.CODE, "calls the native function", "XlaCustomCall", attribute="target_name"),
    **_rows(Effect.CODE, "calls the native function", "XlaCustomCallV2", attribute="call_target_name"),
    **_rows(Effect.PROCESS, "ends the process", "Abort"),
}
"""Op -> what it does. Ops that only pass on a writer, a reader or a connection made elsewhere are not listed."""


@functools.cache
def read_at_import() -> frozenset[str]:
    """Ops that TensorFlow may run when it only imports a graph: it computes small tensors then, unless an op has state."""
    return frozenset(op for op in OP_EFFECTS if op in registered_ops() and not registered_ops()[op].is_stateful)


_PRINTS = ("stdout", "stderr", "log(info)", "log(warning)", "log(error)")
"""Where ``PrintV2`` writes without touching a file: ``tensorflow/core/kernels/logging_ops.cc``."""


def is_harmless(op: str, target: str) -> bool:
    """Whether a node of ``op``, one of :data:`OP_EFFECTS`, touches nothing if its target is ``target``."""
    return target in _PRINTS if op == "PrintV2" else OP_EFFECTS[op].empty_is_harmless and not target
