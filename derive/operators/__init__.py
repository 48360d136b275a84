"""The operators of the field, each defined once as a form."""

from derive.operators.conv import conv_transpose, convolve, correlate
from derive.operators.pool import (
    adaptive_avg_pool,
    avg_pool,
    global_avg_pool,
    max_pool,
    max_unpool,
    sum_pool,
)
from derive.operators.rearrange import (
    col2im,
    im2col,
    permute,
    pixel_shuffle,
    pixel_unshuffle,
    select,
)
from derive.operators.registry import OPERATORS, Operator
from derive.operators.resample import depth_to_space, extend, resize, space_to_depth
from derive.operators.reshape import channel_shuffle, merge, split
from derive.operators.sample import broadcast, crop, decimate, flip, pad, scale, shift, zero_insert
from derive.operators.upsample import bilinear_upsample, box, nearest_upsample, one_hot, triangle

__all__ = [
    "OPERATORS",
    "Operator",
    "adaptive_avg_pool",
    "avg_pool",
    "bilinear_upsample",
    "box",
    "broadcast",
    "channel_shuffle",
    "col2im",
    "conv_transpose",
    "convolve",
    "correlate",
    "crop",
    "decimate",
    "depth_to_space",
    "extend",
    "flip",
    "global_avg_pool",
    "im2col",
    "max_pool",
    "max_unpool",
    "merge",
    "nearest_upsample",
    "one_hot",
    "pad",
    "permute",
    "pixel_shuffle",
    "pixel_unshuffle",
    "resize",
    "scale",
    "select",
    "shift",
    "space_to_depth",
    "split",
    "sum_pool",
    "triangle",
    "zero_insert",
]
