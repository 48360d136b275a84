"""PyTorch: ``nn.Unfold`` and ``nn.Fold`` (im2col and col2im), and pixel and channel shuffles.

Sources: the PyTorch documentation (2.x), ``aten/src/ATen/native/im2col_shape_check.h``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from derive import shapes
from derive.dialects.layer import (
    CANONICAL,
    Layer,
    Plan,
    Requirement,
    Shape,
    at_least,
    axes,
    integer,
    step,
)
from derive.dialects.pytorch import EMPTY_KERNEL
from derive.dialects.registry import call
from derive.errors import WrongInput
from derive.expr import Expr, divides, eq, lift

Axes = tuple[Expr, ...]
PLANE = 2  # all of these know two spatial axes only


@call("PyTorch", "nn.Unfold", dims=(2,))
def unfold(
    dims: int, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Layer:
    """``torch.nn.Unfold``: ``(N, C, H, W) → (N, C·k·k, L)``."""
    k, s, p, d = _windows(kernel_size, stride, padding, dilation)
    columns = step(
        "im2col", k=k, stride=s, padding=tuple((a, a) for a in p), dilation=d, dims=PLANE
    )
    steps = (columns, step("merge", axis=-5, count=3), step("merge", axis=-2, count=2))

    def plan(x: Shape, given: Mapping[str, Shape]) -> Plan:
        spans = [shapes.effective_length(ki, di) for ki, di in zip(k, d, strict=True)]
        fits = tuple(
            Requirement(
                n + 2 * pi >= span,
                f"the padded input ({n + 2 * pi}) is shorter than the kernel ({span}): PyTorch refuses "
                f"it (its components must be at least one); give at least {span - 2 * pi}, more "
                "padding, or a smaller kernel",
            )
            for n, pi, span in zip(x[1:], p, spans, strict=True)
        )
        return Plan(steps, requires=fits)

    return Layer(dims, CANONICAL[2], plan, output="NCW", unbatched=True)


@call("PyTorch", "F.unfold", dims=(2,), tensors=("input",))
def unfold_functional(
    dims: int,
    input: Any,  # noqa: A002  PyTorch's own name
    kernel_size: Any,
    dilation: Any = 1,
    padding: Any = 0,
    stride: Any = 1,
) -> Layer:
    """``torch.nn.functional.unfold``."""
    return unfold(dims, kernel_size, dilation, padding, stride)


@call("PyTorch", "nn.Fold", dims=(1,))
def fold(
    dims: int,
    output_size: Any,
    kernel_size: Any,
    dilation: Any = 1,
    padding: Any = 0,
    stride: Any = 1,
) -> Layer:
    """``torch.nn.Fold``: ``(N, C·k·k, L) → (N, C, H, W)``, overlaps added."""
    k, s, p, d = _windows(kernel_size, stride, padding, dilation)
    n = at_least(1, _two(output_size, "output_size"), "output_size")
    m = tuple(
        shapes.conv_length(ni, ki, si, di, 1, pi, pi)
        for ni, ki, si, di, pi in zip(n, k, s, d, p, strict=True)
    )
    count, taps = math.prod(m, start=lift(1)), math.prod(k, start=lift(1))

    def plan(x: Shape, given: Mapping[str, Shape]) -> Plan:
        fits = [
            Requirement(a >= 1, f"the output of {b} has no room for a window; give a larger one")
            for a, b in zip(m, n, strict=True)
        ]
        fits += [
            Requirement(
                divides(taps, x[0]),
                f"{x[0]} channels: PyTorch refuses them (Expected size of input's dimension 1 to be "
                f"divisible by the product of kernel_size); give a multiple of {taps}",
            ),
            Requirement(
                eq(x[1], count),
                f"{x[1]} columns for an output of {n[0]} × {n[1]}: PyTorch refuses them (expected size "
                "of input's dimension 2 to match the calculated number of sliding blocks); "
                f"give {count}",
            ),
        ]
        steps = (
            step("split", axis=-2, lengths=(x[0] // taps, *k)),
            step("split", axis=-1, lengths=m),
            step(
                "col2im",
                length=n,
                stride=s,
                padding=tuple((a, a) for a in p),
                dilation=d,
                dims=PLANE,
            ),
        )
        return Plan(steps, requires=tuple(fits))

    return Layer(dims, CANONICAL[1], plan, output="NCHW", unbatched=True)


@call("PyTorch", "F.fold", dims=(1,), tensors=("input",))
def fold_functional(
    dims: int,
    input: Any,  # noqa: A002  PyTorch's own name
    output_size: Any,
    kernel_size: Any,
    dilation: Any = 1,
    padding: Any = 0,
    stride: Any = 1,
) -> Layer:
    """``torch.nn.functional.fold``."""
    return fold(dims, output_size, kernel_size, dilation, padding, stride)


def _windows(
    kernel_size: Any, stride: Any, padding: Any, dilation: Any
) -> tuple[Axes, Axes, Axes, Axes]:
    k = at_least(1, _two(kernel_size, "kernel_size"), "kernel_size", EMPTY_KERNEL)
    says = "stride should be greater than zero"
    s = at_least(1, _two(stride, "stride"), "stride", says)
    p = at_least(0, _two(padding, "padding"), "padding", "padding should be non-negative")
    says = "dilation should be greater than zero"
    return k, s, p, at_least(1, _two(dilation, "dilation"), "dilation", says)


def _two(value: Any, what: str) -> Axes:
    """Two values; unlike elsewhere a tuple of one is refused."""
    if isinstance(value, tuple) and len(value) != PLANE:
        raise WrongInput(
            f"{what} has {len(value)} values: PyTorch refuses it (It is expected {what} "
            f"equals to 2, but got size {len(value)}); give one number or two"
        )
    return axes(value, PLANE, what)


def _factor(value: Any, what: str) -> Expr:
    said = f"expects a positive {what}"
    if what == "groups":
        said = "Number of groups to divide channels in must be positive"
    return at_least(1, (integer(value, what),), what, said)[0]


@call("PyTorch", "nn.PixelShuffle", dims=(2,))
def pixel_shuffle(dims: int, upscale_factor: Any) -> Layer:
    """``torch.nn.PixelShuffle``: ``(N, C·r², H, W) → (N, C, r·H, r·W)``."""
    r = _factor(upscale_factor, "upscale_factor")

    def plan(x: Shape, given: Mapping[str, Shape]) -> Plan:
        message = (
            f"{x[0]} channels: PyTorch refuses them (expects its input's 'channel' dimension to be "
            f"divisible by the square of upscale_factor); give a multiple of {r * r}"
        )
        fits = Requirement(divides(r * r, x[0]), message)
        return Plan((step("depth_to_space", r=r, mode="CRD", dims=PLANE),), requires=(fits,))

    return Layer(dims, CANONICAL[2], plan, unbatched=True)


@call("PyTorch", "F.pixel_shuffle", dims=(2,), tensors=("input",))
def pixel_shuffle_functional(dims: int, input: Any, upscale_factor: Any) -> Layer:  # noqa: A002
    """``torch.nn.functional.pixel_shuffle``."""
    return pixel_shuffle(dims, upscale_factor)


@call("PyTorch", "nn.PixelUnshuffle", dims=(2,))
def pixel_unshuffle(dims: int, downscale_factor: Any) -> Layer:
    """``torch.nn.PixelUnshuffle``: ``(N, C, r·H, r·W) → (N, C·r², H, W)``."""
    r = _factor(downscale_factor, "downscale_factor")

    def plan(x: Shape, given: Mapping[str, Shape]) -> Plan:
        fits = tuple(
            Requirement(
                divides(r, n),
                f"a {side} of {n}: PyTorch refuses it (expects {side} to be divisible by "
                f"downscale_factor); give a multiple of {r}",
            )
            for side, n in zip(("height", "width"), x[1:], strict=True)
        )
        return Plan((step("space_to_depth", r=r, mode="CRD", dims=PLANE),), requires=fits)

    return Layer(dims, CANONICAL[2], plan, unbatched=True)


@call("PyTorch", "F.pixel_unshuffle", dims=(2,), tensors=("input",))
def pixel_unshuffle_functional(
    dims: int,
    input: Any,  # noqa: A002  PyTorch's own name
    downscale_factor: Any,
) -> Layer:
    """``torch.nn.functional.pixel_unshuffle``."""
    return pixel_unshuffle(dims, downscale_factor)


@call("PyTorch", "nn.ChannelShuffle", dims=(2, 1, 3))
def channel_shuffle(dims: int, groups: Any) -> Layer:
    """``torch.nn.ChannelShuffle``: the channels of each group dealt out in turn."""
    g = _factor(groups, "groups")

    def plan(x: Shape, given: Mapping[str, Shape]) -> Plan:
        message = (
            f"{x[0]} channels, groups = {g}: PyTorch refuses it (Number of channels must be divisible "
            f"by groups); choose groups that divide {x[0]}"
        )
        fits = Requirement(divides(g, x[0]), message)
        return Plan((step("channel_shuffle", groups=g, dims=dims),), requires=(fits,))

    return Layer(dims, CANONICAL[dims], plan)


@call("PyTorch", "F.channel_shuffle", dims=(2, 1, 3), tensors=("input",))
def channel_shuffle_functional(dims: int, input: Any, groups: Any) -> Layer:  # noqa: A002
    """``torch.nn.functional.channel_shuffle``."""
    return channel_shuffle(dims, groups)
