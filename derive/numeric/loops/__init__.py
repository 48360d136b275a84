"""Naive-loop oracles in exact arithmetic, each written straight from its definition.

Arrays hold integers or ``fractions.Fraction``; results have dtype object with Python numbers, so
nothing overflows and nothing is rounded.  ``dims`` is always the number of trailing spatial axes.
A scalar parameter holds for every spatial axis, a sequence gives one value per axis; a padding is
one pair ``(lo, hi)`` or one pair per axis, and a negative padding crops.
"""

from derive.numeric.loops.brute import inner, jacobian, vjp
from derive.numeric.loops.conv import (
    conv_transpose,
    convolve,
    correlate,
    correlate_input_grad,
    correlate_weight_grad,
)
from derive.numeric.loops.geometry import Array, exact
from derive.numeric.loops.moves import (
    channel_shuffle,
    col2im,
    decimate,
    depth_to_space,
    extend,
    flip,
    im2col,
    merge,
    pad,
    pixel_shuffle,
    pixel_unshuffle,
    shift,
    space_to_depth,
    split,
    zero_insert,
)
from derive.numeric.loops.pool import (
    avg_pool,
    avg_pool_grad,
    max_pool,
    max_pool_grad,
    max_pool_with_selection,
    max_unpool,
    sum_pool,
    sum_pool_grad,
)
from derive.numeric.loops.resample import (
    adaptive_avg_pool,
    bilinear_upsample,
    global_avg_pool,
    nearest_upsample,
    resize,
)

__all__ = [
    "Array",
    "adaptive_avg_pool",
    "avg_pool",
    "avg_pool_grad",
    "bilinear_upsample",
    "channel_shuffle",
    "col2im",
    "conv_transpose",
    "convolve",
    "correlate",
    "correlate_input_grad",
    "correlate_weight_grad",
    "decimate",
    "depth_to_space",
    "exact",
    "extend",
    "flip",
    "global_avg_pool",
    "im2col",
    "inner",
    "jacobian",
    "max_pool",
    "max_pool_grad",
    "max_pool_with_selection",
    "max_unpool",
    "merge",
    "nearest_upsample",
    "pad",
    "pixel_shuffle",
    "pixel_unshuffle",
    "resize",
    "shift",
    "space_to_depth",
    "split",
    "sum_pool",
    "sum_pool_grad",
    "vjp",
    "zero_insert",
]
