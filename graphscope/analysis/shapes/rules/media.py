"""Pictures and sound: decoding, resizing, cropping."""

from __future__ import annotations

from graphscope.analysis.shapes.call import Call
from graphscope.analysis.shapes.facts import Element, Facts, outputs
from graphscope.analysis.shapes.sizes import Dim, ShapeError, Size, merge, merge_sizes, unknown, with_size
from graphscope.analysis.shapes.table import rule


@rule("DecodeJpeg DecodePng DecodeBmp DecodeJxl DecodeAndCropJpeg")
def decode_picture(call: Call) -> Facts:
    """Height, width and channels: of the crop window, and of the attribute, where they are stated."""
    call.ranked(0, 0)
    spatial: tuple[Size, Size] = (Dim(), Dim())
    if call.node.op == "DecodeAndCropJpeg":
        merge(call.ranked(1, 1), (4,))
        window = call.value(1)
        if window is not None:
            spatial = tuple(v if isinstance(v, int) else Dim() for v in window[2:])  # type: ignore[assignment]
    return outputs((*spatial, _channels(call)))


def _channels(call: Call) -> Size:
    channels = call.number("channels")
    if channels < 0:
        raise ShapeError(f"channels must not be negative but is {channels}")
    return channels or Dim()


@rule("DecodeGif")
def decode_gif(call: Call) -> Facts:
    """Frames of three channels."""
    call.ranked(0, 0)
    return outputs((Dim(), Dim(), Dim(), 3))


@rule("DecodeWebP")
def decode_webp(call: Call) -> Facts:
    """Frames."""
    call.ranked(0, 0)
    return outputs((Dim(), Dim(), Dim(), _channels(call)))


@rule("DecodeImage")
def decode_image(call: Call) -> Facts:
    """A picture; frames where animations are expanded, so the rank is open then."""
    call.ranked(0, 0)
    value = call.attr("expand_animations")
    if value is None or value.b:
        return outputs(None)
    return outputs((Dim(), Dim(), _channels(call)))


@rule(
    "ResizeBilinear ResizeBicubic ResizeNearestNeighbor ResizeArea ScaleAndTranslate ResizeNearestNeighborGrad"
    " ImageProjectiveTransformV2 ImageProjectiveTransformV3 QuantizedResizeBilinear"
)
def resize(call: Call) -> Facts:
    """The stated height and width."""
    place = 2 if call.node.op.startswith("ImageProjective") else 1
    shape, size = call.ranked(0, 4), _two(call, place)
    result = (shape[0], *size, shape[3])
    if not call.node.op.startswith("Quantized"):
        return outputs(result)
    call.check_scalars((2, 3))
    return outputs(result, (), ())


def _two(call: Call, index: int) -> tuple[Size, Size]:
    """Height and width, stated in an input."""
    merge(call.ranked(index, 1), (2,))
    value = call.value(index) or (None, None)
    height, width = map(_stated, value[:2])
    return height, width


def _stated(element: Element) -> Size:
    if isinstance(element, int) and element < -1:
        raise ShapeError(f"a size must not be negative but is {element}")
    return element if isinstance(element, Dim) or (isinstance(element, int) and element >= 0) else Dim()


@rule("CropAndResize")
def crop_and_resize(call: Call) -> Facts:
    """One crop for each box."""
    image, boxes, index = call.ranked(0, 4), call.ranked(1, 2), call.ranked(2, 1)
    merge_sizes(boxes[1], 4)
    return outputs((merge_sizes(boxes[0], index[0]), *_two(call, 3), image[3]))


@rule("CropAndResizeGradImage")
def crop_gradient(call: Call) -> Facts:
    """The stated shape."""
    merge(call.ranked(3, 1), (4,))
    shape = call.sizes(3)
    return outputs(shape if shape is not None else unknown(4))


@rule("ExtractGlimpse ExtractGlimpseV2")
def extract_glimpse(call: Call) -> Facts:
    """Parts of the stated height and width."""
    image, offsets = call.ranked(0, 4), call.ranked(2, 2)
    merge_sizes(offsets[1], 2)
    return outputs((merge_sizes(image[0], offsets[0]), *_two(call, 1), image[3]))


@rule("NonMaxSuppression NonMaxSuppressionV2 NonMaxSuppressionV3")
def non_max_suppression(call: Call) -> Facts:
    """As many boxes as are left."""
    _check_boxes(call)
    return outputs((Dim(),))


def _check_boxes(call: Call) -> None:
    boxes, scores = call.ranked(0, 2), call.ranked(1, 1)
    call.ranked(2, 0)
    merge_sizes(boxes[0], scores[0])
    merge_sizes(boxes[1], 4)


@rule("NonMaxSuppressionV4")
def non_max_suppression_v4(call: Call) -> Facts:
    """As many boxes as are left, or as stated where the result is padded; and how many are valid."""
    _check_boxes(call)
    size = call.size(2) if call.flag("pad_to_max_output_size") else Dim()
    return outputs((size,), ())


@rule("NonMaxSuppressionV5")
def non_max_suppression_v5(call: Call) -> Facts:
    """As V4, with the scores."""
    _check_boxes(call)
    size = call.size(2) if call.flag("pad_to_max_output_size") else Dim()
    return outputs((size,), (size,), ())


@rule("NonMaxSuppressionWithOverlaps")
def non_max_suppression_with_overlaps(call: Call) -> Facts:
    """As many boxes as are left."""
    overlaps, scores = call.ranked(0, 2), call.ranked(1, 1)
    merge_sizes(merge_sizes(overlaps[0], overlaps[1]), scores[0])
    return outputs((Dim(),))


@rule("CombinedNonMaxSuppression")
def combined_non_max_suppression(call: Call) -> Facts:
    """The best boxes of each picture."""
    boxes, scores = call.ranked(0, 4), call.ranked(1, 3)
    merge_sizes(boxes[3], 4)
    batch = merge_sizes(boxes[0], scores[0])
    total, per_class = call.integer(3), call.integer(2)
    size: Size = Dim()
    if total is not None and not call.flag("pad_per_class"):
        size = total
    elif total is not None and per_class is not None and isinstance(scores[2], int):
        size = min(total, per_class * scores[2])
    return outputs((batch, size, 4), (batch, size), (batch, size), (batch,))


@rule("DecodeWav")
def decode_wav(call: Call) -> Facts:
    """Samples and channels as stated, and the rate."""
    call.ranked(0, 0)
    samples, channels = call.number("desired_samples"), call.number("desired_channels")
    return outputs((samples if samples >= 0 else Dim(), channels if channels >= 0 else Dim()), ())


@rule("AudioSpectrogram")
def audio_spectrogram(call: Call) -> Facts:
    """Channels, windows and frequencies (``audio_ops.cc``)."""
    samples, channels = call.ranked(0, 2)
    window, stride = call.number("window_size"), call.number("stride")
    if stride <= 0 or window <= 1:
        raise ShapeError(f"window_size {window} or stride {stride} is too small")
    frequencies = 1 + _power_of_two(window) // 2
    if not isinstance(samples, int):
        return outputs((channels, Dim(), frequencies))
    return outputs((channels, max(0, 1 + (samples - window) // stride), frequencies))


def _power_of_two(number: int) -> int:
    return 1 << (number - 1).bit_length()


@rule("Mfcc")
def mfcc(call: Call) -> Facts:
    """Coefficients in the place of frequencies."""
    shape = call.ranked(0, 3)
    call.ranked(1, 0)
    return outputs(with_size(shape, -1, call.number("dct_coefficient_count")))


@rule("FractionalMaxPool FractionalAvgPool")
def fractional_pool(call: Call) -> Facts:
    """Sizes divided by the ratios, rounded down."""
    shape, value = call.ranked(0, 4), call.attr("pooling_ratio")
    ratios = list(value.list.f) if value is not None else []
    if len(ratios) != 4 or any(ratio < 1 for ratio in ratios):
        raise ShapeError(f"pooling_ratio must be 4 numbers of 1 or more but is {ratios}")
    result = tuple(int(size / ratio) if isinstance(size, int) else Dim() for size, ratio in zip(shape, ratios))
    return outputs(result, (Dim(),), (Dim(),))


@rule("FractionalAvgPoolGrad")
def fractional_gradient(call: Call) -> Facts:
    """The stated shape."""
    shape = call.sizes(0)
    return outputs(shape if shape is not None else unknown(4))
