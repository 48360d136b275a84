"""Which draw goes with which of PyTorch's calls, and where PyTorch is known to differ."""

from __future__ import annotations

from derive.dialects.pytorch_plain import ACTIVATIONS, FUNCTIONS
from derive.numeric.frameworks import Draw, Drawn, Known
from derive.numeric.frameworks.pytorch_draws_moves import (
    constant_pad,
    group_norm,
    instance_norm,
    interpolate,
    linear,
    normalisation,
    pad,
    pad_layer,
    plain,
    upsample,
    upsampling,
)
from derive.numeric.frameworks.pytorch_draws_windows import (
    adaptive,
    avg_pool,
    channel_shuffle,
    conv,
    conv_functional,
    conv_transpose,
    conv_transpose_functional,
    fold,
    fractional,
    lp_pool,
    max_pool,
    max_unpool,
    pixel_shuffle,
    pixel_unshuffle,
    unfold,
    values,
)


def _named() -> dict[str, Draw]:
    found: dict[str, Draw] = {}
    for d in (1, 2, 3):
        found |= {
            f"nn.Conv{d}d": conv,
            f"F.conv{d}d": conv_functional,
            f"nn.ConvTranspose{d}d": conv_transpose,
            f"F.conv_transpose{d}d": conv_transpose_functional,
            f"nn.MaxPool{d}d": max_pool,
            f"F.max_pool{d}d": max_pool,
            f"nn.AvgPool{d}d": avg_pool,
            f"F.avg_pool{d}d": avg_pool,
            f"nn.AdaptiveAvgPool{d}d": adaptive,
            f"F.adaptive_avg_pool{d}d": adaptive,
            f"nn.AdaptiveMaxPool{d}d": adaptive,
            f"F.adaptive_max_pool{d}d": adaptive,
            f"nn.LPPool{d}d": lp_pool,
            f"F.lp_pool{d}d": lp_pool,
            f"nn.FractionalMaxPool{d}d": fractional,
            f"F.fractional_max_pool{d}d": fractional,
            f"nn.MaxUnpool{d}d": max_unpool,
            f"F.max_unpool{d}d": max_unpool,
            f"nn.ZeroPad{d}d": pad_layer,
            f"nn.ConstantPad{d}d": constant_pad,
            f"nn.ReflectionPad{d}d": pad_layer,
            f"nn.ReplicationPad{d}d": pad_layer,
            f"nn.CircularPad{d}d": pad_layer,
            f"nn.BatchNorm{d}d": normalisation,
            f"nn.InstanceNorm{d}d": instance_norm,
        }
    for name in (
        "Dropout",
        "Dropout1d",
        "Dropout2d",
        "Dropout3d",
        "Identity",
        "Flatten",
        *ACTIVATIONS,
    ):
        found[f"nn.{name}"] = plain
    return found | {f"F.{name}": plain for name in FUNCTIONS}


DRAWS: dict[str, Draw] = {
    **_named(),
    "nn.Unfold": unfold,
    "F.unfold": unfold,
    "nn.Fold": fold,
    "F.fold": fold,
    "nn.PixelShuffle": pixel_shuffle,
    "F.pixel_shuffle": pixel_shuffle,
    "nn.PixelUnshuffle": pixel_unshuffle,
    "F.pixel_unshuffle": pixel_unshuffle,
    "nn.ChannelShuffle": channel_shuffle,
    "F.channel_shuffle": channel_shuffle,
    "nn.Upsample": interpolate,
    "F.interpolate": interpolate,
    "F.upsample": upsample,
    "nn.UpsamplingNearest2d": upsampling,
    "nn.UpsamplingBilinear2d": upsampling,
    "F.upsample_nearest": upsampling,
    "F.upsample_bilinear": upsampling,
    "F.pad": pad,
    "nn.GroupNorm": group_norm,
    "nn.Linear": linear,
}


def _rescales(drawn: Drawn) -> bool:
    """Does a fractional factor leave the length of an axis as it is, or double it?"""
    scale = drawn.arguments.get("scale_factor")
    if scale is None or drawn.arguments.get("recompute_scale_factor"):
        return False
    n = drawn.x[2:]
    lengths_ = [(v, int(v * float(q)), q) for v, q in zip(n, values(scale, len(n)), strict=False)]
    return any(m in (v, 2 * v) and m != v * q for v, m, q in lengths_)


def _wraps_beyond(drawn: Drawn) -> bool:
    """Does a circular padding crop, and then wrap more than is left?"""
    given = drawn.arguments.get("padding", drawn.arguments.get("pad"))
    if not isinstance(given, tuple):
        return False
    ends = zip(reversed(drawn.x), given[::2], given[1::2], strict=False)
    return any(min(lo, hi) < 0 and max(lo, hi) > n + min(lo, 0) + min(hi, 0) for n, lo, hi in ends)


NEAREST_CALLS = (
    "nn.Upsample",
    "F.interpolate",
    "F.upsample",
    "nn.UpsamplingNearest2d",
    "F.upsample_nearest",
)
SCALE_REASON = (
    "nearest with a fractional scale_factor: PyTorch's kernels disagree among themselves on an axis "
    "whose length the factor leaves as it is, or doubles. The gradient (in every rank) and the 2-D "
    "kernel for small outputs copy (or repeat) it, the other kernels read at ⌊i/scale⌋ as documented, "
    "so that the gradient is not that of the output (pytorch/pytorch#70559 asks about the copying)"
)
SCALE_EXAMPLE = (
    "x = arange(3.).reshape(1, 1, 3); F.interpolate(x, scale_factor=1.3) is [0, 0, 1], but its "
    "gradient for g is [g0, g1, g2] and not [g0 + g1, g2, 0]"
)
WRAP_REASON = (
    "circular padding with a negative amount on one side and, on the other, more than what is left: "
    "PyTorch compares with the length before cropping, and then copies a part of its output onto a "
    "part that overlaps it, which it refuses for one row and computes for two"
)
WRAP_EXAMPLE = (
    "F.pad(torch.arange(4.).reshape(1, 2, 2), (-1, 2), mode='circular') gives a result, "
    "F.pad(torch.arange(2.).reshape(1, 1, 2), (-1, 2), mode='circular') is refused"
)
PADS = ("nn.CircularPad1d", "nn.CircularPad2d", "nn.CircularPad3d", "F.pad")

EMPTY_REASON = (
    "max pooling with a dilation so long that a window meets nothing but padding: the value is -inf, "
    "but the index that PyTorch gives for it is that of a tap in the padding, so that the gradient is "
    "written to another row or outside of the tensor; it is not asked for here (the value is "
    "pytorch/pytorch#114216)"
)
EMPTY_EXAMPLE = (
    "F.max_pool1d(torch.zeros(1, 1, 4), 2, padding=1, dilation=5, return_indices=True) gives the "
    "index 4 in an input of four"
)
MAX_CALLS = tuple(f"{name}{d}d" for name in ("nn.MaxPool", "F.max_pool") for d in (1, 2, 3))

KNOWN: tuple[Known, ...] = (
    Known(MAX_CALLS, "gradient", lambda drawn: False, EMPTY_REASON, EMPTY_EXAMPLE),
    Known(NEAREST_CALLS, "value", _rescales, SCALE_REASON, SCALE_EXAMPLE),
    Known(NEAREST_CALLS, "gradient", _rescales, SCALE_REASON, SCALE_EXAMPLE),
    Known(PADS, "refused by us", _wraps_beyond, WRAP_REASON, WRAP_EXAMPLE),
)
