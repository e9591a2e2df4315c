# The types of the messages' fields, written by tests/support/protos_stub.py from their descriptors.
import abc
from collections.abc import Iterable, MutableMapping, Sequence
from typing import Any, TypeAlias, TypeVar

from google.protobuf.message import DecodeError as DecodeError
from google.protobuf.message import Message as Message

_K = TypeVar("_K")
_T = TypeVar("_T")

class _List(Sequence[_T], metaclass=abc.ABCMeta):
    def append(self, value: _T, /) -> None: ...
    def extend(self, values: Iterable[_T], /) -> None: ...
    def add(self, **fields: Any) -> _T: ...
    def __setitem__(self, index: int, value: _T, /) -> None: ...
    def __delitem__(self, index: Any, /) -> None: ...

class _MessageMap(MutableMapping[_K, _T], metaclass=abc.ABCMeta):
    def get_or_create(self, key: _K, /) -> _T: ...

class AssetFileDef(Message):
    tensor_info: TensorInfo
    filename: str

class AttrValue(Message):
    s: bytes
    i: int
    f: float
    b: bool
    type: int
    shape: TensorShapeProto
    tensor: TensorProto
    list: _AttrValue_ListValue
    func: NameAttrList
    placeholder: str

class BundleEntryProto(Message):
    dtype: int
    shape: TensorShapeProto
    shard_id: int
    offset: int
    size: int
    crc32c: int
    slices: _List[TensorSliceProto]

class BundleHeaderProto(Message):
    num_shards: int
    endianness: int
    version: VersionDef

class CheckpointState(Message):
    model_checkpoint_path: str
    all_model_checkpoint_paths: _List[str]
    all_model_checkpoint_timestamps: _List[float]
    last_preserved_timestamp: float

class CollectionDef(Message):
    node_list: _CollectionDef_NodeList
    bytes_list: _CollectionDef_BytesList
    int64_list: _CollectionDef_Int64List
    float_list: _CollectionDef_FloatList
    any_list: _CollectionDef_AnyList

class CondContextDef(Message):
    context_name: str
    pred_name: str
    pivot_name: str
    branch: int
    values_def: _ValuesDef
    nested_contexts: _List[_ControlFlowContextDef]

class DeviceStepStats(Message):
    device: str
    node_stats: _List[NodeExecStats]
    thread_names: MutableMapping[int, str]

class Event(Message):
    wall_time: float
    step: int
    file_version: str
    graph_def: bytes
    summary: Summary
    log_message: _LogMessage
    session_log: _SessionLog
    tagged_run_metadata: TaggedRunMetadata
    meta_graph_def: bytes
    source_metadata: _SourceMetadata

class Example(Message):
    features: Features

class Feature(Message):
    bytes_list: _BytesList
    float_list: _FloatList
    int64_list: _Int64List

class Features(Message):
    feature: _List[_FeatureEntry]

class FunctionDef(Message):
    signature: OpDef
    attr: _MessageMap[str, AttrValue]
    arg_attr: _MessageMap[int, _FunctionDef_ArgAttrs]
    resource_arg_unique_id: MutableMapping[int, int]
    node_def: _List[NodeDef]
    ret: MutableMapping[str, str]
    control_ret: MutableMapping[str, str]

class FunctionDefLibrary(Message):
    function: _List[FunctionDef]
    gradient: _List[_GradientDef]
    registered_gradients: _List[_RegisteredGradient]

class GraphDef(Message):
    node: _List[NodeDef]
    versions: VersionDef
    version: int
    library: FunctionDefLibrary
    debug_info: _GraphDebugInfo

class HistogramProto(Message):
    min: float
    max: float
    num: float
    sum: float
    sum_squares: float
    bucket_limit: _List[float]
    bucket: _List[float]

class MetaGraphDef(Message):
    meta_info_def: _MetaGraphDef_MetaInfoDef
    graph_def: GraphDef
    saver_def: SaverDef
    collection_def: _MessageMap[str, CollectionDef]
    signature_def: _MessageMap[str, SignatureDef]
    asset_file_def: _List[AssetFileDef]
    object_graph_def: SavedObjectGraph

class NameAttrList(Message):
    name: str
    attr: _MessageMap[str, AttrValue]

class NodeDef(Message):
    name: str
    op: str
    input: _List[str]
    device: str
    attr: _MessageMap[str, AttrValue]
    experimental_debug_info: _NodeDef_ExperimentalDebugInfo
    experimental_type: _FullTypeDef

class NodeExecStats(Message):
    node_name: str
    all_start_micros: int
    op_start_rel_micros: int
    op_end_rel_micros: int
    all_end_rel_micros: int
    memory: _List[_AllocatorMemoryUsed]
    output: _List[_NodeOutput]
    timeline_label: str
    scheduled_micros: int
    thread_id: int
    referenced_tensor: _List[_AllocationDescription]
    memory_stats: _MemoryStats
    all_start_nanos: int
    op_start_rel_nanos: int
    op_end_rel_nanos: int
    all_end_rel_nanos: int
    scheduled_nanos: int

class OnnxAttribute(Message):
    name: str
    f: float
    i: int
    s: bytes
    t: OnnxTensor
    g: OnnxGraph
    floats: _List[float]
    ints: _List[int]
    strings: _List[bytes]
    tensors: _List[OnnxTensor]
    graphs: _List[OnnxGraph]
    doc_string: bytes
    tp: OnnxType
    type_protos: _List[OnnxType]
    type: int
    ref_attr_name: str
    sparse_tensor: OnnxSparseTensor
    sparse_tensors: _List[OnnxSparseTensor]

class OnnxDimension(Message):
    dim_value: int
    dim_param: str

class OnnxFunction(Message):
    name: str
    input: _List[str]
    output: _List[str]
    node: _List[OnnxNode]
    doc_string: bytes
    domain: str
    value_info: _List[OnnxValueInfo]
    overload: str

class OnnxGraph(Message):
    node: _List[OnnxNode]
    name: str
    initializer: _List[OnnxTensor]
    doc_string: bytes
    input: _List[OnnxValueInfo]
    output: _List[OnnxValueInfo]
    value_info: _List[OnnxValueInfo]
    sparse_initializer: _List[OnnxSparseTensor]

class OnnxModel(Message):
    ir_version: int
    producer_name: str
    producer_version: str
    domain: str
    model_version: int
    doc_string: bytes
    graph: OnnxGraph
    opset_import: _List[_OnnxOperatorSet]
    metadata_props: _List[_OnnxEntry]
    functions: _List[OnnxFunction]

class OnnxNode(Message):
    input: _List[str]
    output: _List[str]
    name: str
    op_type: str
    attribute: _List[OnnxAttribute]
    doc_string: bytes
    domain: str
    overload: str

class OnnxSparseTensor(Message):
    values: OnnxTensor
    indices: OnnxTensor
    dims: _List[int]

class OnnxTensor(Message):
    dims: _List[int]
    data_type: int
    float_data: _List[float]
    int32_data: _List[int]
    string_data: _List[bytes]
    int64_data: _List[int]
    name: str
    raw_data: bytes
    double_data: _List[float]
    uint64_data: _List[int]
    doc_string: bytes
    external_data: _List[_OnnxEntry]
    data_location: int

class OnnxTensorType(Message):
    elem_type: int
    shape: _OnnxShape

class OnnxType(Message):
    tensor_type: OnnxTensorType
    sequence_type: _OnnxElementType
    map_type: _OnnxMapType
    sparse_tensor_type: OnnxTensorType
    optional_type: _OnnxElementType

class OnnxValueInfo(Message):
    name: str
    type: OnnxType
    doc_string: bytes

class OpDef(Message):
    ArgDef: TypeAlias = _OpDef_ArgDef
    name: str
    input_arg: _List[_OpDef_ArgDef]
    output_arg: _List[_OpDef_ArgDef]
    control_output: _List[str]
    attr: _List[_OpDef_AttrDef]
    deprecation: _OpDeprecation
    summary: str
    description: str
    is_commutative: bool
    is_aggregate: bool
    is_stateful: bool
    allows_uninitialized_input: bool
    is_distributed_communication: bool

class OpList(Message):
    op: _List[OpDef]

class QueueRunnerDef(Message):
    queue_name: str
    enqueue_op_name: _List[str]
    close_op_name: str
    cancel_op_name: str
    queue_closed_exception_types: _List[int]

class RunMetadata(Message):
    step_stats: StepStats
    cost_graph: _CostGraphDef
    partition_graphs: _List[GraphDef]
    function_graphs: _List[_RunMetadata_FunctionGraphs]
    session_metadata: _SessionMetadata

class SavedModel(Message):
    saved_model_schema_version: int
    meta_graphs: _List[MetaGraphDef]

class SavedObjectGraph(Message):
    nodes: _List[_SavedObject]
    concrete_functions: _MessageMap[str, _SavedConcreteFunction]

class SavedTensorSliceMeta(Message):
    tensor: _List[_SavedSliceMeta]
    versions: VersionDef

class SavedTensorSlices(Message):
    meta: SavedTensorSliceMeta
    data: _SavedSlice

class SaverDef(Message):
    filename_tensor_name: str
    save_tensor_name: str
    restore_op_name: str
    max_to_keep: int
    sharded: bool
    keep_checkpoint_every_n_hours: float
    version: int

class SignatureDef(Message):
    inputs: _MessageMap[str, TensorInfo]
    outputs: _MessageMap[str, TensorInfo]
    method_name: str
    defaults: _MessageMap[str, TensorProto]

class StepStats(Message):
    dev_stats: _List[DeviceStepStats]

class Summary(Message):
    Value: TypeAlias = _Summary_Value
    value: _List[_Summary_Value]

class SummaryMetadata(Message):
    plugin_data: _SummaryMetadata_PluginData
    display_name: str
    summary_description: str
    data_class: int

class TaggedRunMetadata(Message):
    tag: str
    run_metadata: bytes

class TensorInfo(Message):
    name: str
    coo_sparse: _TensorInfo_CooSparse
    composite_tensor: _TensorInfo_CompositeTensor
    dtype: int
    tensor_shape: TensorShapeProto

class TensorProto(Message):
    dtype: int
    tensor_shape: TensorShapeProto
    version_number: int
    tensor_content: bytes
    half_val: _List[int]
    float_val: _List[float]
    double_val: _List[float]
    int_val: _List[int]
    string_val: _List[bytes]
    scomplex_val: _List[float]
    int64_val: _List[int]
    bool_val: _List[bool]
    dcomplex_val: _List[float]
    resource_handle_val: _List[_ResourceHandleProto]
    variant_val: _List[_VariantTensorDataProto]
    uint32_val: _List[int]
    uint64_val: _List[int]
    float8_val: bytes

class TensorShapeProto(Message):
    dim: _List[_TensorShapeProto_Dim]
    unknown_rank: bool

class TensorSliceProto(Message):
    extent: _List[_TensorSliceExtent]

class TrackableObjectGraph(Message):
    nodes: _List[_TrackableObjectGraph_TrackableObject]

class VariableDef(Message):
    variable_name: str
    initial_value_name: str
    initializer_name: str
    snapshot_name: str
    save_slice_info_def: _SaveSliceInfoDef
    is_resource: bool
    trainable: bool
    synchronization: int
    aggregation: int

class VersionDef(Message):
    producer: int
    min_consumer: int
    bad_consumers: _List[int]

class WhileContextDef(Message):
    context_name: str
    parallel_iterations: int
    back_prop: bool
    swap_memory: bool
    pivot_name: str
    pivot_for_pred_name: str
    pivot_for_body_name: str
    loop_exit_names: _List[str]
    loop_enter_names: _List[str]
    values_def: _ValuesDef
    maximum_iterations_name: str
    nested_contexts: _List[_ControlFlowContextDef]

class _OpDef_ArgDef(Message):
    name: str
    description: str
    type: int
    type_attr: str
    number_attr: str
    type_list_attr: str
    handle_data: _List[_ResourceHandleProto_DtypeAndShape]
    is_ref: bool
    experimental_full_type: _FullTypeDef

class _Summary_Value(Message):
    node_name: str
    tag: str
    metadata: SummaryMetadata
    simple_value: float
    obsolete_old_style_histogram: bytes
    image: _Summary_Image
    histo: HistogramProto
    audio: _Summary_Audio
    tensor: TensorProto

class _AttrValue_ListValue(Message):
    s: _List[bytes]
    i: _List[int]
    f: _List[float]
    b: _List[bool]
    type: _List[int]
    shape: _List[TensorShapeProto]
    tensor: _List[TensorProto]
    func: _List[NameAttrList]

class _CollectionDef_NodeList(Message):
    value: _List[str]

class _CollectionDef_BytesList(Message):
    value: _List[bytes]

class _CollectionDef_Int64List(Message):
    value: _List[int]

class _CollectionDef_FloatList(Message):
    value: _List[float]

class _CollectionDef_AnyList(Message):
    value: _List[_protobuf_Any]

class _ValuesDef(Message):
    values: _List[str]
    external_values: _List[_ExternalValuesEntry]

class _ControlFlowContextDef(Message):
    cond_ctxt: CondContextDef
    while_ctxt: WhileContextDef

class _LogMessage(Message):
    level: int
    message: str

class _SessionLog(Message):
    status: int
    checkpoint_path: str
    msg: str

class _SourceMetadata(Message):
    writer: str

class _BytesList(Message):
    value: _List[bytes]

class _FloatList(Message):
    value: _List[float]

class _Int64List(Message):
    value: _List[int]

class _FeatureEntry(Message):
    key: str
    value: Feature

class _FunctionDef_ArgAttrs(Message):
    attr: _MessageMap[str, AttrValue]

class _GradientDef(Message):
    function_name: str
    gradient_func: str

class _RegisteredGradient(Message):
    gradient_func: str
    registered_op_type: str

class _GraphDebugInfo(Message):
    files: _List[str]
    frames_by_id: _MessageMap[int, _GraphDebugInfo_FileLineCol]
    traces_by_id: _MessageMap[int, _GraphDebugInfo_StackTrace]
    traces: _MessageMap[str, _GraphDebugInfo_StackTrace]
    name_to_trace_id: MutableMapping[str, int]

class _MetaGraphDef_MetaInfoDef(Message):
    meta_graph_version: str
    stripped_op_list: OpList
    any_info: _protobuf_Any
    tags: _List[str]
    tensorflow_version: str
    tensorflow_git_version: str
    stripped_default_attrs: bool
    function_aliases: MutableMapping[str, str]

class _NodeDef_ExperimentalDebugInfo(Message):
    original_node_names: _List[str]
    original_func_names: _List[str]

class _FullTypeDef(Message):
    type_id: int
    args: _List[_FullTypeDef]
    s: str
    i: int

class _AllocatorMemoryUsed(Message):
    allocator_name: str
    total_bytes: int
    peak_bytes: int
    live_bytes: int
    allocation_records: _List[_AllocationRecord]
    allocator_bytes_in_use: int

class _NodeOutput(Message):
    slot: int
    tensor_description: _TensorDescription

class _AllocationDescription(Message):
    requested_bytes: int
    allocated_bytes: int
    allocator_name: str
    allocation_id: int
    has_single_reference: bool
    ptr: int

class _MemoryStats(Message):
    temp_memory_size: int
    persistent_memory_size: int
    persistent_tensor_alloc_ids: _List[int]
    device_temp_memory_size: int
    device_persistent_memory_size: int
    device_persistent_tensor_alloc_ids: _List[int]

class _OnnxOperatorSet(Message):
    domain: str
    version: int

class _OnnxEntry(Message):
    key: str
    value: str

class _OnnxShape(Message):
    dim: _List[OnnxDimension]

class _OnnxElementType(Message):
    elem_type: OnnxType

class _OnnxMapType(Message):
    key_type: int
    value_type: OnnxType

class _OpDef_AttrDef(Message):
    name: str
    type: str
    default_value: AttrValue
    description: str
    has_minimum: bool
    minimum: int
    allowed_values: AttrValue

class _OpDeprecation(Message):
    version: int
    explanation: str

class _CostGraphDef(Message):
    node: _List[_CostGraphDef_Node]
    cost: _List[_CostGraphDef_AggregatedCost]

class _RunMetadata_FunctionGraphs(Message):
    partition_graphs: _List[GraphDef]
    pre_optimization_graph: GraphDef
    post_optimization_graph: GraphDef

class _SessionMetadata(Message):
    name: str
    version: int

class _SavedObject(Message):
    children: _List[_TrackableObjectGraph_TrackableObject_ObjectReference]
    dependencies: _List[_TrackableObjectGraph_TrackableObject_ObjectReference]
    slot_variables: _List[_TrackableObjectGraph_TrackableObject_SlotVariableReference]
    user_object: _SavedUserObject
    asset: _SavedAsset
    function: _SavedFunction
    variable: _SavedVariable
    bare_concrete_function: _SavedBareConcreteFunction
    constant: _SavedConstant
    resource: _SavedResource
    captured_tensor: _CapturedTensor
    saveable_objects: _MessageMap[str, _SaveableObject]
    registered_name: str
    serialized_user_proto: _protobuf_Any
    registered_saver: str

class _SavedConcreteFunction(Message):
    bound_inputs: _List[int]
    canonicalized_input_signature: _StructuredValue
    output_signature: _StructuredValue

class _SavedSliceMeta(Message):
    name: str
    shape: TensorShapeProto
    type: int
    slice: _List[TensorSliceProto]

class _SavedSlice(Message):
    name: str
    slice: TensorSliceProto
    data: TensorProto

class _SummaryMetadata_PluginData(Message):
    plugin_name: str
    content: bytes

class _TensorInfo_CooSparse(Message):
    values_tensor_name: str
    indices_tensor_name: str
    dense_shape_tensor_name: str

class _TensorInfo_CompositeTensor(Message):
    type_spec: _TypeSpecProto
    components: _List[TensorInfo]

class _ResourceHandleProto(Message):
    DtypeAndShape: TypeAlias = _ResourceHandleProto_DtypeAndShape
    device: str
    container: str
    name: str
    hash_code: int
    maybe_type_name: str
    dtypes_and_shapes: _List[_ResourceHandleProto_DtypeAndShape]

class _VariantTensorDataProto(Message):
    type_name: str
    metadata: bytes
    tensors: _List[TensorProto]

class _TensorShapeProto_Dim(Message):
    size: int
    name: str

class _TensorSliceExtent(Message):
    start: int
    length: int

class _TrackableObjectGraph_TrackableObject(Message):
    ObjectReference: TypeAlias = _TrackableObjectGraph_TrackableObject_ObjectReference
    SlotVariableReference: TypeAlias = _TrackableObjectGraph_TrackableObject_SlotVariableReference
    children: _List[_TrackableObjectGraph_TrackableObject_ObjectReference]
    attributes: _List[_TrackableObjectGraph_TrackableObject_SerializedTensor]
    slot_variables: _List[_TrackableObjectGraph_TrackableObject_SlotVariableReference]
    registered_saver: _RegisteredSaver
    has_checkpoint_values: _protobuf_BoolValue

class _SaveSliceInfoDef(Message):
    full_name: str
    full_shape: _List[int]
    var_offset: _List[int]
    var_shape: _List[int]

class _ResourceHandleProto_DtypeAndShape(Message):
    dtype: int
    shape: TensorShapeProto

class _Summary_Image(Message):
    height: int
    width: int
    colorspace: int
    encoded_image_string: bytes

class _Summary_Audio(Message):
    sample_rate: float
    num_channels: int
    length_frames: int
    encoded_audio_string: bytes
    content_type: str

class _protobuf_Any(Message):
    type_url: str
    value: bytes

class _ExternalValuesEntry(Message):
    key: str
    value: str

class _GraphDebugInfo_FileLineCol(Message):
    file_index: int
    line: int
    col: int
    func: str
    code: str

class _GraphDebugInfo_StackTrace(Message):
    file_line_cols: _List[_GraphDebugInfo_FileLineCol]
    frame_id: _List[int]

class _AllocationRecord(Message):
    alloc_micros: int
    alloc_bytes: int

class _TensorDescription(Message):
    dtype: int
    shape: TensorShapeProto
    allocation_description: _AllocationDescription

class _CostGraphDef_Node(Message):
    name: str
    device: str
    id: int
    input_info: _List[_CostGraphDef_Node_InputInfo]
    output_info: _List[_CostGraphDef_Node_OutputInfo]
    temporary_memory_size: int
    persistent_memory_size: int
    host_temp_memory_size: int
    device_temp_memory_size: int
    device_persistent_memory_size: int
    compute_cost: int
    compute_time: int
    memory_time: int
    is_final: bool
    control_input: _List[int]
    inaccurate: bool

class _CostGraphDef_AggregatedCost(Message):
    cost: float
    dimension: str

class _TrackableObjectGraph_TrackableObject_ObjectReference(Message):
    node_id: int
    local_name: str

class _TrackableObjectGraph_TrackableObject_SlotVariableReference(Message):
    original_variable_node_id: int
    slot_name: str
    slot_variable_node_id: int

class _SavedUserObject(Message):
    identifier: str
    version: VersionDef
    metadata: str

class _SavedAsset(Message):
    asset_file_def_index: int

class _SavedFunction(Message):
    concrete_functions: _List[str]
    function_spec: _FunctionSpec

class _SavedVariable(Message):
    dtype: int
    shape: TensorShapeProto
    trainable: bool
    synchronization: int
    aggregation: int
    name: str
    device: str
    experimental_distributed_variable_components: _List[_SavedVariable]

class _SavedBareConcreteFunction(Message):
    concrete_function_name: str
    argument_keywords: _List[str]
    allowed_positional_arguments: int
    function_spec: _FunctionSpec

class _SavedConstant(Message):
    operation: str

class _SavedResource(Message):
    device: str

class _CapturedTensor(Message):
    name: str
    concrete_function: str

class _SaveableObject(Message):
    save_function: int
    restore_function: int

class _StructuredValue(Message):
    pass

class _TypeSpecProto(Message):
    pass

class _TrackableObjectGraph_TrackableObject_SerializedTensor(Message):
    name: str
    full_name: str
    checkpoint_key: str

class _RegisteredSaver(Message):
    name: str
    object_name: str

class _protobuf_BoolValue(Message):
    value: bool

class _CostGraphDef_Node_InputInfo(Message):
    preceding_node: int
    preceding_port: int

class _CostGraphDef_Node_OutputInfo(Message):
    size: int
    alias_input_port: int
    shape: TensorShapeProto
    dtype: int

class _FunctionSpec(Message):
    fullargspec: _StructuredValue
    is_method: bool
    input_signature: _StructuredValue
    jit_compile: int
