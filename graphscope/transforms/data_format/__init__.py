"""From channels first to channels last, and back."""

from graphscope.transforms.data_format.convert import Converted, convert_data_format
from graphscope.transforms.data_format.layouts import FORMATS, Layouts
from graphscope.transforms.data_format.wrap import wrap_layout_ops

__all__ = ["FORMATS", "Converted", "Layouts", "convert_data_format", "wrap_layout_ops"]
