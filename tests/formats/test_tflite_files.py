"""TensorFlow Lite files as graphscope shows them, beside what LiteRT reads of them."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphscope
from graphscope.analysis.foreign.detail import show_foreign
from graphscope.core.foreign import ForeignModel
from graphscope.core.values.dtypes import DataType
from graphscope.errors import CorruptFileError, UnsupportedError
from graphscope.formats import tflite
from graphscope.formats.tflite import schema as slots
from graphscope.formats.tflite.vocabulary import NAMES, Option, data_type, operator_name, option_tables
from tests.support.foreign_files import packed, tflite_bytes, tflite_model
from tests.support.running import tf
from tests.support.tflite_tables import OPERATORS, OPTIONS, members, operator_lines, option_lines, schema

pytest.importorskip("ai_edge_litert", reason="it defines the format")


def read(path: Path, content: bytes) -> ForeignModel:
    path.write_bytes(content)
    return graphscope.load_foreign(path)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> ForeignModel:
    return read(tmp_path_factory.mktemp("tflite") / "small.tflite", tflite_bytes())


# What is known of the format, beside the package's


def test_tables_are_the_packages() -> None:
    directory = Path(str(tflite.__file__)).parent
    for name, lines in ((OPERATORS, operator_lines()), (OPTIONS, option_lines())):
        assert (directory / name).read_text("utf-8").splitlines() == list(lines), (
            "python -m tests.support.tflite_tables"
        )


def test_types_and_enumerations_are_the_packages() -> None:
    labels = {"FLOAT32": "float32", "FLOAT64": "float64", "FLOAT16": "float16"}
    for number, name in members(schema().TensorType).items():
        assert data_type(number).label == labels.get(name, name.lower())
    assert data_type(-1) is data_type(99) is DataType.INVALID
    kinds = {"padding": "Padding", "fused_activation_function": "ActivationFunctionType", "mode": "MirrorPadMode"}
    for option, kind in kinds.items():
        assert dict(enumerate(NAMES[option])) == members(getattr(schema(), kind))
    assert operator_name(999) == "operator 999"


def test_slots_are_the_packages() -> None:
    """Each is where a table with that field alone has it."""
    import flatbuffers

    for kind in ("Model", "OperatorCode", "SubGraph", "Tensor", "QuantizationParameters", "Operator", "Buffer"):
        for slot in getattr(slots, kind):
            add = getattr(schema(), f"{kind}Add{slot.name.title().replace('_', '')}")
            builder = flatbuffers.Builder(0)
            text = builder.CreateString("x")
            builder.StartObject(20)
            add(builder, text)
            assert next(i for i, place in enumerate(builder.current_vtable) if place) == slot, slot


# What is shown


def test_what_is_in_it(small: ForeignModel) -> None:
    summary = graphscope.summarize(small)
    assert (summary.kind, summary.description) == ("TensorFlow Lite model", "two graphs")
    assert summary.versions == {"schema": 3, "runtime": "1.5.0"}
    [fed], [computed] = summary.inputs, summary.outputs
    assert (fed.name, fed.dtype, fed.shape) == ("x", DataType.INT8, (None, 4, 4, 3))
    assert fed.quantization is not None
    assert (fed.quantization.scales, fed.quantization.zero_points) == ((0.5,), (-3,))
    assert (computed.name, computed.quantization) == ("tensor_3", None)
    assert summary.ops == {"CONV_2D": 1, "Mine": 1}
    assert [(body.name, body.nodes) for body in summary.bodies] == [("body", 1)]
    assert summary.tensors == 6
    assert summary.parameters.by_dtype == {"int8": 24, "int4": 3}
    [signature] = summary.signatures
    assert (signature.name, signature.inputs, signature.outputs) == ("serve", {"image": "x"}, {"scores": "tensor_3"})
    assert summary.metadata == {"notes": "2 bytes"}


def test_contents(small: ForeignModel) -> None:
    constants = small.graph.constants
    assert constants["kernel"].numpy().tolist() == np.arange(-12, 12).reshape(2, 2, 2, 3).tolist()
    assert constants["nibbles"].numpy().astype(int).tolist() == [1, 2, 3]
    assert constants["words"].numpy().tolist() == [b"ab", b"cde"]


def test_options(small: ForeignModel) -> None:
    node = show_foreign(small, "y").node
    assert node is not None
    assert {a.name: a.value for a in node.attributes} == {
        "padding": "VALID",
        "stride_w": 1,
        "stride_h": 2,
        "fused_activation_function": "RELU6",
        "dilation_w_factor": 1,
        "dilation_h_factor": 1,
        "quantized_bias_type": "float32",
        "version": 5,
    }
    assert node.inputs == (("x", "(input of the graph)"), ("kernel", "(constant)"))
    assert node.consumers == (("tensor_3", "Mine"),)
    custom = show_foreign(small, "tensor_3").node
    assert custom is not None
    assert [(a.name, a.text) for a in custom.attributes] == [("custom_options", "3 bytes"), ("version", "1")]
    kernel = show_foreign(small, "kernel")
    assert kernel.node is not None
    assert kernel.node.attributes[0].text == "2 scales along dimension 3"


def described(change: Any, path: Path) -> dict[str, tuple[str, str, Any]]:
    """Name -> kind, text and value of the options of the second operator, after ``change``."""
    model = tflite_model()
    operator = model.subgraphs[0].operators[1]
    operator.customOptions = None
    change(operator)
    node = show_foreign(read(path / "m.tflite", packed(model)), "tensor_3").node
    assert node is not None
    return {a.name: (a.kind, a.text, a.value) for a in node.attributes if a.name != "version"}


@pytest.mark.parametrize("count", [1, 32, 33, 40])
def test_lists_of_options(count: int, tmp_path: Path) -> None:
    """The text has the first 32; options of the second union are read as those of the first."""

    def gather(operator: Any) -> None:
        options = schema().StablehloGatherOptionsT()
        options.offsetDims, options.indexVectorDim = list(range(count)), -7
        options.indicesAreSorted = True
        operator.builtinOptions2, operator.builtinOptions2Type = (
            options,
            schema().BuiltinOptions2.StablehloGatherOptions,
        )

    found = described(gather, tmp_path)
    more = f", and {count - 32} more" if count > 32 else ""
    text = f"[{', '.join(map(str, range(min(count, 32))))}{more}]"
    assert found["offset_dims"] == ("ints", text, list(range(count)))
    assert found["collapsed_slice_dims"] == ("ints", "[]", [])
    assert found["index_vector_dim"] == ("int", "-7", -7)
    assert found["indices_are_sorted"] == ("bool", "true", True)
    assert list(found) == [
        *("offset_dims", "collapsed_slice_dims", "start_index_map"),
        *("index_vector_dim", "slice_sizes", "indices_are_sorted"),
    ]


def test_options_of_every_kind(tmp_path: Path) -> None:
    s = schema()

    def bucketize(operator: Any) -> None:
        options = s.BucketizeOptionsT()
        options.boundaries = [0.5, 1e9]
        operator.builtinOptions, operator.builtinOptionsType = options, s.BuiltinOptions.BucketizeOptions

    def leaky(operator: Any) -> None:
        options = s.LeakyReluOptionsT()
        options.alpha = 0.25
        operator.builtinOptions, operator.builtinOptionsType = options, s.BuiltinOptions.LeakyReluOptions

    def cast(operator: Any) -> None:
        options = s.CastOptionsT()
        options.inDataType, options.outDataType = s.TensorType.INT16, s.TensorType.FLOAT16
        operator.builtinOptions, operator.builtinOptionsType = options, s.BuiltinOptions.CastOptions

    def pool(operator: Any) -> None:
        options = s.Pool2DOptionsT()
        options.padding, options.fusedActivationFunction = 0, 5
        operator.builtinOptions, operator.builtinOptionsType = options, s.BuiltinOptions.Pool2DOptions

    assert described(bucketize, tmp_path) == {"boundaries": ("floats", "[0.5, 1e+09]", [0.5, 1e9])}
    assert described(leaky, tmp_path) == {"alpha": ("float", "0.25", 0.25)}
    assert described(cast, tmp_path) == {
        "in_data_type": ("enum", "int16", "int16"),
        "out_data_type": ("enum", "float16", "float16"),
    }
    found = described(pool, tmp_path)
    assert (found["padding"], found["fused_activation_function"]) == (
        ("enum", "SAME", "SAME"),
        ("enum", "SIGN_BIT", "SIGN_BIT"),
    )
    for number in (6, 100, -1):

        def unknown(operator: Any, number: int = number) -> None:
            pool(operator)
            operator.builtinOptions.fusedActivationFunction = number

        assert described(unknown, tmp_path)["fused_activation_function"] == ("int", str(number), number)
    assert described(lambda operator: None, tmp_path) == {}


@pytest.mark.parametrize(
    ("old", "new", "custom", "name"),
    [
        (3, 0, None, "CONV_2D"),
        (0, 3, None, "CONV_2D"),
        (127, 150, None, operator_name(150)),
        (32, 32, "Mine", "Mine"),
        (32, 32, None, "CUSTOM"),
        (3, 3, "Mine", "CONV_2D"),
        (0, 0, None, "ADD"),
    ],
)
def test_the_larger_number_names_an_operator(old: int, new: int, custom: str | None, name: str, tmp_path: Path) -> None:
    """Files before the second field have the first one alone."""
    model = tflite_model()
    code = model.operatorCodes[1]
    code.deprecatedBuiltinCode, code.builtinCode, code.customCode, code.version = old, new, custom, 7
    node = show_foreign(read(tmp_path / "m.tflite", packed(model)), "tensor_3").node
    assert node is not None
    assert (node.op, node.attributes[-1].value) == (name, 7)


def test_fields_of_options() -> None:
    assert Option.parse("stride_w:i") == Option("stride_w", "i", False, 0)
    assert Option.parse("axes:i[]") == Option("axes", "i", True, 0)
    assert Option.parse("factor:f=-1.5") == Option("factor", "f", False, -1.5)
    assert Option.parse("is_on:?=True") == Option("is_on", "?", False, True)
    assert Option.parse("-") is None
    assert option_tables()[1, 1] == [
        Option.parse(field)
        for field in (
            "padding:b stride_w:i stride_h:i fused_activation_function:b dilation_w_factor:i=1"
            " dilation_h_factor:i=1 quantized_bias_type:b"
        ).split()
    ]


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A quantized network, and a loop with a branch, by TensorFlow's converter."""
    rng = np.random.default_rng(0)
    kernel, weights = (tf.constant(rng.normal(size=s), tf.float32) for s in ((3, 3, 1, 4), (64, 5)))

    @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 1], name="image")])  # type: ignore[untyped-decorator]
    def network(image: Any) -> Any:
        x = tf.nn.relu(tf.nn.conv2d(image, kernel, 2, "SAME"))
        return {"scores": tf.nn.softmax(tf.reshape(x, [-1, 64]) @ weights)}

    @tf.function(input_signature=[tf.TensorSpec([None, 3], name="x"), tf.TensorSpec([], tf.int32, name="n")])  # type: ignore[untyped-decorator]
    def loop(x: Any, n: Any) -> Any:
        _, y = tf.while_loop(lambda i, _: i < n, lambda i, y: (i + 1, y @ tf.ones((3, 3))), [tf.constant(0), x])
        return {"y": y, "z": tf.cond(n > 3, lambda: y + 1, lambda: y * 2)}

    directory = tmp_path_factory.mktemp("converted")
    found = []
    for name, function in (("network", network), ("loop", loop)):
        converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()])
        if name == "network":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = lambda: ([np.ones((1, 8, 8, 1), np.float32) * i] for i in range(3))
        found.append(directory / f"{name}.tflite")
        found[-1].write_bytes(converter.convert())
    return found


def test_converted_files_are_read_as_litert_reads_them(converted: list[Path]) -> None:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    for path in converted:
        model = graphscope.load_foreign(path)
        plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        theirs = Interpreter(str(path), experimental_op_resolver_type=plain)
        details = theirs.get_tensor_details()
        assert [t.name for t in model.graph.tensors.values()] == [d["name"] for d in details][
            : len(model.graph.tensors)
        ]
        for tensor, detail in zip(model.graph.tensors.values(), details):
            signature = [None if size < 0 else size for size in detail["shape_signature"]]
            assert (list(tensor.shape or ()), tensor.dtype.numpy) == (signature, detail["dtype"])
            scales = detail["quantization_parameters"]["scales"].tolist()
            assert (list(tensor.quantization.scales) if tensor.quantization else []) == scales
        assert [t.name for t in model.graph.inputs] == [d["name"] for d in theirs.get_input_details()]
        assert [t.name for t in model.graph.outputs] == [d["name"] for d in theirs.get_output_details()]
        operators = [op for op in theirs._get_ops_details() if op["op_name"] != "DELEGATE"]
        names = list(model.graph.tensors)
        assert [node.op for node in model.graph] == [op["op_name"] for op in operators]
        assert [list(node.inputs) for node in model.graph] == [
            [names[i] if i >= 0 else "" for i in op["inputs"]] for op in operators
        ]
        theirs.allocate_tensors()
        for number, name in enumerate(names):
            if name in model.graph.constants:
                assert model.graph.constants[name].numpy().tolist() == theirs.get_tensor(number).tolist()
        assert len(model.graph.constants) >= 2
    assert {t.dtype for t in graphscope.load_foreign(converted[0]).graph.tensors.values()} >= {DataType.INT8}
    assert len(graphscope.load_foreign(converted[1]).bodies) == 4


# Files that lie


def test_buffers_behind_the_flatbuffer(tmp_path: Path) -> None:
    """As the converter writes them beyond 2 GiB."""
    model = tflite_model()
    content = model.buffers[1].data.tobytes()
    model.buffers[1].data, model.buffers[1].offset, model.buffers[1].size = None, 1 << 20, 24
    whole = packed(model).ljust(1 << 20, b"\0") + content
    found = read(tmp_path / "m.tflite", whole)
    assert found.graph.constants["kernel"].numpy().tobytes() == content
    with pytest.raises(CorruptFileError, match="beyond the end"):
        read(tmp_path / "m.tflite", whole[:-1])


def test_a_tensor_of_unknown_size_has_no_content(tmp_path: Path) -> None:
    model = tflite_model()
    tensors = {tensor.name: tensor for tensor in model.subgraphs[0].tensors}
    tensors["kernel"].shape, tensors["nibbles"].shape = [-1], [4, -2]
    constants = read(tmp_path / "m.tflite", packed(model)).graph.constants
    assert "words" in constants
    assert not {"kernel", "nibbles"} & set(constants)


def test_contents_that_do_not_fit(tmp_path: Path) -> None:
    model = tflite_model()
    tensors = {tensor.name: tensor for tensor in model.subgraphs[0].tensors}
    tensors["kernel"].shape, tensors["nibbles"].shape, tensors["words"].shape = [5], [5], [3]
    constants = read(tmp_path / "m.tflite", packed(model)).graph.constants
    for name, message in (
        ("kernel", "takes 5 bytes, but 24 are stored"),
        ("nibbles", "takes 3 bytes, but 2 are stored"),
        ("words", "has 3 elements, but 2 are stored"),
    ):
        with pytest.raises(CorruptFileError, match=message):
            constants[name].numpy()
    model = tflite_model()
    model.buffers[3].data = np.frombuffer(struct.pack("<4i", 2, 16, 18, 99) + b"abcde", np.uint8)
    with pytest.raises(CorruptFileError, match="strings reach beyond their buffer"):
        read(tmp_path / "m.tflite", packed(model)).graph.constants["words"].numpy()


def wrong_code(model: Any) -> None:
    model.subgraphs[0].operators[0].opcodeIndex = 9


def wrong_tensor(model: Any) -> None:
    model.subgraphs[0].operators[0].inputs = [6]


def wrong_negative_tensor(model: Any) -> None:
    model.subgraphs[0].inputs = [-2]


def wrong_subgraph(model: Any) -> None:
    model.signatureDefs[0].subgraphIndex = 5


def wrong_argument(model: Any) -> None:
    model.signatureDefs[0].inputs[0].tensorIndex = 77


def no_graph(model: Any) -> None:
    model.subgraphs, model.signatureDefs = [], []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (wrong_code, "operator code 9 of 3"),
        (wrong_tensor, "tensor 6 of 6"),
        (wrong_negative_tensor, "tensor -2 of 6"),
        (wrong_subgraph, "subgraph 5 of 2"),
        (wrong_argument, "tensor 77 of 6"),
        (no_graph, "it has no graph"),
    ],
)
def test_numbers_of_nothing(tmp_path: Path, change: Any, message: str) -> None:
    model = tflite_model()
    change(model)
    with pytest.raises(CorruptFileError, match=message):
        read(tmp_path / "m.tflite", packed(model))


def test_files_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    for content, message in (
        (b"\x20", "the file ends at byte 1"),
        (b"not a model", "it has no TFL3"),
        (b"\xff\xff\xff\xffTFL3", "the file ends at byte 8"),
        (b"\x08\0\0\0TFL3" + struct.pack("<i", 9), "m.tflite"),
        (b"\x08\0\0\0TFL3" + struct.pack("<iHH", -4, 3, 4), "cannot have 3 bytes"),
    ):
        with pytest.raises(CorruptFileError, match=message):
            read(path, content)
    model = tflite_model()
    model.version = 4
    with pytest.raises(UnsupportedError, match="version 4 of the schema; 3 is read"):
        read(path, packed(model))


def test_a_small_file_that_says_very_much(tmp_path: Path) -> None:
    """A thousand graphs, each the same one with a thousand tensors, each the same one."""
    count = 1000
    tensor = struct.pack("<HHi", 4, 4, 4)
    tensors = struct.pack("<I", count)
    graph = struct.pack("<HHHHiI", 6, 8, 4, 0, 8, 4)
    start = 8 + 28
    parts = bytearray(struct.pack("<I4s", 24, b"TFL3"))
    parts += struct.pack("<HHHHHxx", 10, 12, 8, 0, 4)  # version, operator codes, subgraphs
    parts += bytes(24 - len(parts)) + struct.pack("<iII", 24 - 8, 0, 3)
    assert len(parts) == start
    subgraphs = start
    graph_at = subgraphs + 4 + 4 * count + 8
    tensors_at = graph_at + 8
    tensor_at = tensors_at + 4 + 4 * count + 4
    parts[28:32] = struct.pack("<I", subgraphs - 28)
    parts += struct.pack("<I", count)
    parts += b"".join(struct.pack("<I", graph_at - (subgraphs + 4 + 4 * i)) for i in range(count))
    parts += graph
    parts += tensors + b"".join(struct.pack("<I", tensor_at - (tensors_at + 4 + 4 * i)) for i in range(count))
    parts += tensor
    with pytest.raises(CorruptFileError, match="its parts share more bytes than any writer would produce"):
        read(tmp_path / "m.tflite", bytes(parts))
