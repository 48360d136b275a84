"""ONNX: padding, resizing, rearrangements between channels and space, ``Col2Im``, ``MaxUnpool``.

Sources: the operator documentation of ONNX (Operators.md): Pad (opset 19 and later, with ``wrap``),
Resize (opset 19), Upsample (opset 9), DepthToSpace, SpaceToDepth, Col2Im, MaxUnpool.  What a node
takes as a constant input (``pads``, ``scales``, ``sizes``, ``image_shape``) is written as an argument.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from derive import shapes
from derive.dialects.calls import Name, show
from derive.dialects.jax_arrays import padded
from derive.dialects.jax_windows import spatial_only, spread
from derive.dialects.layer import (
    CANONICAL,
    SPATIAL,
    Layer,
    Plan,
    Requirement,
    Shape,
    Step,
    at_least,
    integer,
    step,
)
from derive.dialects.onnx_conv import explicit, ints, node_count
from derive.dialects.registry import call
from derive.errors import NotSupported, WrongInput
from derive.expr import Expr, all_of, any_of, divides, eq, lift, maximum, minimum

RANKS = (4, 1, 2, 3, 5)
PAD_MODES = {"constant": "zero", "edge": "replicate", "reflect": "reflect", "wrap": "circular"}
COORDINATES = (
    "half_pixel",
    "half_pixel_symmetric",
    "pytorch_half_pixel",
    "align_corners",
    "asymmetric",
    "tf_crop_and_resize",
)
ROUNDING = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
POLICIES = ("stretch", "not_larger", "not_smaller")
Pairs = tuple[tuple[Expr, Expr], ...]
NONE: Pairs = ()
Position = tuple[Expr, Expr, Expr]  # top, start, den


def constant_input(value: Any, what: str, example: str) -> tuple[Any, ...]:
    """A constant input as numbers; a tensor's name says nothing of them."""
    if not isinstance(value, tuple):
        raise WrongInput(
            f"{what} = {show(value)}: its numbers are needed, as the shape depends on them; "
            f"give them, as {example}"
        )
    return value


def _pad_count(given: Mapping[str, Any]) -> int | None:
    pads = given["pads"]
    if given["axes"] is not None or not isinstance(pads, tuple):
        return None
    return len(pads) // 2


@call("ONNX", "onnx.Pad", dims=RANKS, tensors=("data",), count=_pad_count)
def pad(
    dims: int,
    data: Any = None,
    pads: Any = None,
    constant_value: Any = None,
    axes: Any = None,
    mode: Any = "constant",
) -> Layer:
    """ONNX ``Pad``: amounts for all axes (or for ``axes``), beginnings first; negative ones crop."""
    if mode not in PAD_MODES:
        raise WrongInput(
            f"mode = {show(mode)}: ONNX knows {', '.join(PAD_MODES)}; choose one of them"
        )
    if constant_value not in (None, 0) and not isinstance(constant_value, Name):
        raise NotSupported(
            f"constant_value = {show(constant_value)}: only padding with 0 is understood, as other "
            "values are no linear operation; leave it out"
        )
    amounts = constant_input(pads, "pads", "pads=[0, 0, 1, 1, 0, 0, 1, 1]")
    chosen = tuple(range(dims)) if axes is None else _axes(axes, dims)
    if len(amounts) != 2 * len(chosen):
        raise WrongInput(
            f"pads has {len(amounts)} values for {len(chosen)} axes: ONNX lists the beginnings of all "
            f"axes and then the ends; give {2 * len(chosen)} values"
        )
    pairs = [(lift(0), lift(0))] * dims
    for place, axis in enumerate(chosen):
        lo, hi = amounts[place], amounts[place + len(chosen)]
        pairs[axis] = (integer(lo, "pads"), integer(hi, "pads"))
    whole = axes is not None  # then the rank is the input's, and the layout must not depend on it
    layout = SPATIAL[dims] if whole else spread([lo == 0 and hi == 0 for lo, hi in pairs])
    inner = spatial_only(pairs, layout)
    count = len(inner)

    def plan(x: Shape, given: Mapping[str, Shape]) -> Plan:
        return _padded(inner, x[len(x) - count :], str(mode))

    return Layer(count, layout, plan)


def _padded(pairs: Pairs, n: Shape, mode: str) -> Plan:
    """Crops first, then what is added; an axis that is extended needs something to repeat."""
    if mode == "constant" or not any(_negative(a) for pair in pairs for a in pair):
        low, high, left = NONE, pairs, n
    else:
        low = tuple((minimum(a, 0), minimum(b, 0)) for a, b in pairs)
        high = tuple((maximum(a, 0), maximum(b, 0)) for a, b in pairs)
        left = tuple(a + lo + hi for a, (lo, hi) in zip(n, low, strict=True))
    least = {"constant": 0, "reflect": 2}.get(mode, 1)
    conds = tuple(
        Requirement(
            any_of(m >= least, all_of(*(eq(a, 0) for a in pair))),
            f"mode = {mode!r} on {m} samples: onnxruntime refuses it (Pad {mode} requires axis length "
            f">= {least}); give {least} or more",
        )
        for m, pair in zip(left, high, strict=True)
        if least
    )
    steps = (step("pad", padding=low, dims=len(low)),) if low else ()
    if mode != "reflect":
        return Plan((*steps, padded(high, left, PAD_MODES[mode])), (), conds)
    limits = tuple(
        Requirement(
            a < m,
            f"mode = 'reflect' with {a} on {m} samples: onnxruntime refuses it ({side}-pad ({a}) exceeds "
            f"maximum allowed ({m - 1})); give at most {m - 1}, or pad twice",
        )
        for m, pair in zip(left, high, strict=True)
        for side, a in zip(("pre", "post"), pair, strict=True)
        if a != 0
    )
    last = step("pad", padding=high, mode="reflect", dims=len(high))
    return Plan((*steps, last), (), (*conds, *limits))


def _negative(amount: Expr) -> bool:
    return amount.constant is not None and amount.constant < 0


def _axes(axes: Any, rank: int) -> tuple[int, ...]:
    values = axes if isinstance(axes, tuple) else ()
    whole = [v for v in values if isinstance(v, int) and -rank <= v < rank]
    found = tuple(v % rank for v in whole)
    if not values or len(whole) != len(values) or len(set(found)) != len(found):
        raise WrongInput(
            f"axes = {show(axes)}: different axes between {-rank} and {rank - 1} were expected; "
            "give those of the input"
        )
    return found


def _resize_count(given: Mapping[str, Any]) -> int | None:
    if given.get("axes") is not None:
        return None
    for name in ("scales", "sizes"):
        if isinstance(given.get(name), tuple):
            return len(given[name])
    return None


@call("ONNX", "onnx.Resize", dims=RANKS, tensors=("X",), count=_resize_count)
def resize(
    dims: int,
    X: Any = None,
    roi: Any = None,
    scales: Any = None,
    sizes: Any = None,
    antialias: Any = 0,
    axes: Any = None,
    coordinate_transformation_mode: Any = "half_pixel",
    cubic_coeff_a: Any = None,
    exclude_outside: Any = 0,
    extrapolation_value: Any = 0,
    keep_aspect_ratio_policy: Any = "stretch",
    mode: Any = "nearest",
    nearest_mode: Any = "round_prefer_floor",
) -> Layer:
    """ONNX ``Resize``, nearest and linear: by ``scales`` or to ``sizes``, of all axes or of ``axes``."""
    _resize_modes(mode, coordinate_transformation_mode, nearest_mode, keep_aspect_ratio_policy)
    if antialias != 0 or exclude_outside != 0:
        raise NotSupported(
            f"antialias = {show(antialias)}, exclude_outside = {show(exclude_outside)}: filters that "
            "depend on the scale are not understood; leave them out"
        )
    if (scales is None) == (sizes is None):
        raise WrongInput(
            "Resize takes either scales or sizes: one is needed (Either `sizes` or `scales` must be "
            "provided, but not both of them); give e.g. scales=[1, 1, 2, 2]"
        )
    chosen = tuple(range(dims)) if axes is None else _axes(axes, dims)
    what = "scales" if sizes is None else "sizes"
    values = constant_input(
        scales if sizes is None else sizes, what, f"{what}=[1, 1, {2 if sizes is None else 64}, 32]"
    )
    if len(values) != len(chosen):
        raise WrongInput(
            f"{what} has {len(values)} values for {len(chosen)} axes; give one for each"
        )
    by_axis = dict(zip(chosen, values, strict=True))
    region = _region(roi, chosen) if coordinate_transformation_mode == COORDINATES[-1] else {}
    how = "linear" if mode == "linear" else str(nearest_mode)
    kept = scales is not None and axes is None  # axes with the scale 1 may be batch and channels
    layout = spread([v == 1 for v in values]) if kept else SPATIAL[dims]
    if kept:
        inner = spatial_only(values, layout)
        by_axis = dict(enumerate(inner))
        region = _spatial_region(region, layout)

    def plan(shape: Shape, given: Mapping[str, Shape]) -> Plan:
        x = shape[len(shape) - sum(a not in "NC" for a in layout) :]
        ends = _sizes(by_axis, x, keep_aspect_ratio_policy) if sizes is not None else {}
        rows = []
        for a, n in enumerate(x):
            if a not in by_axis:
                rows.append((n, (n, lift(0), n)))
            elif sizes is None:
                rows.append(_by_scale(coordinate_transformation_mode, n, by_axis[a], region.get(a)))
            else:
                m, scale = ends[a]
                rows.append(_to_size(coordinate_transformation_mode, n, m, scale, region.get(a)))
        return Plan((_resized(rows, how),))

    return Layer(sum(a not in "NC" for a in layout), layout, plan)


def _resize_modes(mode: Any, coordinates: Any, nearest: Any, policy: Any) -> None:
    if mode == "cubic":
        raise NotSupported(
            "mode = 'cubic': only 'nearest' and 'linear' are understood; use one of them"
        )
    for what, value, known in (
        ("mode", mode, ("nearest", "linear", "cubic")),
        ("coordinate_transformation_mode", coordinates, COORDINATES),
        ("nearest_mode", nearest, ROUNDING),
        ("keep_aspect_ratio_policy", policy, POLICIES),
    ):
        if what == "nearest_mode" and mode != "nearest":
            continue  # it is not looked at
        if value not in known:
            raise WrongInput(
                f"{what} = {show(value)}: ONNX knows {', '.join(known)}; choose one of them"
            )


def _region(roi: Any, chosen: tuple[int, ...]) -> dict[int, tuple[Fraction, Fraction]]:
    values = constant_input(roi, "roi", "roi=[0, 0, 0.25, 0.25, 1, 1, 0.75, 0.75]")
    if len(values) != 2 * len(chosen):
        raise WrongInput(
            f"roi has {len(values)} values for {len(chosen)} axes: the starts of all axes and then the "
            f"ends; give {2 * len(chosen)} values"
        )
    ends = [_fraction(v, "roi") for v in values]
    found = {}
    for place, axis in enumerate(chosen):
        lo, hi = ends[place], ends[place + len(chosen)]
        if lo < 0 or hi > 1 or lo > hi:
            raise NotSupported(
                f"roi from {float(lo):g} to {float(hi):g}: outside of the input tf_crop_and_resize gives "
                "extrapolation_value, which is no linear operation; stay between 0 and 1"
            )
        found[axis] = (lo, hi)
    return found


def _spatial_region(
    region: Mapping[int, tuple[Fraction, Fraction]], layout: str
) -> dict[int, tuple[Fraction, Fraction]]:
    spatial = [a for a, letter in enumerate(layout) if letter not in "NC"]
    cut = [region[a] for a in range(len(layout)) if a not in spatial and a in region]
    if any(lo != 0 or hi != 1 for lo, hi in cut):
        raise NotSupported("roi cuts an axis with the scale 1; give 0 and 1 for it")
    return {place: region[a] for place, a in enumerate(spatial) if a in region}


def _fraction(value: Any, what: str) -> Fraction:
    if isinstance(value, bool) or not isinstance(value, (int, Fraction)):
        raise WrongInput(f"{what} = {show(value)}: a number was expected; give one")
    return Fraction(value)


def _sizes(
    by_axis: Mapping[int, Any], x: Shape, policy: Any
) -> dict[int, tuple[Expr, Fraction | None]]:
    """The output length of each axis, and its scale where the policy changes it."""
    wanted = {a: at_least(1, (integer(v, "sizes"),), "sizes")[0] for a, v in by_axis.items()}
    if policy == "stretch":
        return {a: (m, None) for a, m in wanted.items()}
    numbers = {a: (m.constant, x[a].constant) for a, m in wanted.items()}
    if any(m is None or n is None for m, n in numbers.values()):
        raise NotSupported(
            f"keep_aspect_ratio_policy = {policy!r}: it needs the lengths as numbers; give an input "
            "with numbers"
        )
    ratios = [Fraction(int(m or 0), int(n or 1)) for m, n in numbers.values()]
    scale = min(ratios) if policy == "not_larger" else max(ratios)
    half = Fraction(1, 2)
    return {
        a: (lift(math.floor(scale * int(n or 1) + half)), scale) for a, (_, n) in numbers.items()
    }


def _by_scale(
    mode: str, n: Expr, scale: Any, region: tuple[Fraction, Fraction] | None
) -> tuple[Expr, Position]:
    """The output length ``⌊n·scale⌋`` and the positions, which follow the scale that was given."""
    if isinstance(scale, Expr):
        m = scale * n
        return m, _positions(mode, n, m, scale, lift(1), m, lift(1), region)
    q = _fraction(scale, "scales")
    if q <= 0:
        raise WrongInput(
            f"scales = {show(scale)}: onnxruntime refuses it (Scale value should be greater than 0); "
            "give a positive scale"
        )
    a, b = lift(q.numerator), lift(q.denominator)
    m = n * a // b
    return m, _positions(mode, n, m, a, b, n * a, b, region)


def _to_size(
    mode: str, n: Expr, m: Expr, scale: Fraction | None, region: tuple[Fraction, Fraction] | None
) -> tuple[Expr, Position]:
    if scale is None:
        return m, _positions(mode, n, m, m, n, m, lift(1), region)
    a, b = lift(scale.numerator), lift(scale.denominator)
    return m, _positions(mode, n, m, a, b, n * a, b, region)


def _positions(
    mode: str,
    n: Expr,
    m: Expr,
    a: Expr,
    b: Expr,
    wide: Expr,
    part: Expr,
    region: tuple[Fraction, Fraction] | None,
) -> Position:
    """``(top, start, den)`` with the input position ``(top·i + start)/den`` of output ``i``.

    The scale is ``a/b``, the exact (not rounded) output length ``wide/part``, the real one ``m``.
    """
    if mode == "asymmetric":
        return b, lift(0), a
    if mode == "align_corners":
        # i (n - 1)/(wide/part - 1): the length before it is rounded down; a single output sits at 0
        return (n - 1) * part, lift(0), maximum(wide - part, 1)
    if mode == "tf_crop_and_resize":
        lo, hi = region or (Fraction(0), Fraction(1))
        return _cropped(n, m, lo, hi)
    if mode == "pytorch_half_pixel" and m == 1:
        return lift(0), lift(0), lift(1)
    if mode == "half_pixel_symmetric":
        # n/2 (1 - m/(wide/part)) + (i + 1/2) b/a - 1/2, over the denominator 2·a·wide
        start = n * a * (wide - m * part) + b * wide - a * wide
        return 2 * b * wide, start, 2 * a * wide
    return 2 * b, b - a, 2 * a  # (i + 1/2) b/a - 1/2


def _cropped(n: Expr, m: Expr, lo: Fraction, hi: Fraction) -> Position:
    """``lo(n-1) + i (hi-lo)(n-1)/(m-1)``; a single output sits in the middle."""
    both = math.lcm(lo.denominator, hi.denominator)
    first, last = int(lo * both), int(hi * both)
    if m == 1:
        return lift(0), (first + last) * (n - 1), lift(2 * both)
    return (last - first) * (n - 1), first * (n - 1) * (m - 1), both * (m - 1)


def _resized(rows: list[tuple[Expr, Position]], how: str) -> Step:
    return step(
        "resize",
        length=tuple(m for m, _ in rows),
        top=tuple(t for _, (t, _, _) in rows),
        start=tuple(s for _, (_, s, _) in rows),
        den=tuple(d for _, (_, _, d) in rows),
        mode=how,
        dims=len(rows),
    )


@call("ONNX", "onnx.Upsample", dims=RANKS, tensors=("X",), count=_resize_count)
def upsample(dims: int, X: Any = None, scales: Any = None, mode: Any = "nearest") -> Layer:
    """ONNX ``Upsample`` (until opset 9): sample ``i/scale``, rounded down or interpolated."""
    values = constant_input(scales, "scales", "scales=[1, 1, 2, 2]")
    if any(isinstance(v, (int, Fraction)) and v < 1 for v in values):
        raise WrongInput(
            f"scales = {show(values)}: onnxruntime refuses it (Scale value should be greater than or "
            "equal to 1); use Resize to shrink"
        )
    return resize(
        dims,
        scales=values,
        mode=mode,
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )


@call("ONNX", "onnx.DepthToSpace", dims=(2,), tensors=("input",))
def depth_to_space(
    dims: int,
    input: Any = None,  # noqa: A002  ONNX's own name
    blocksize: Any = None,
    mode: Any = "DCR",
) -> Layer:
    """ONNX ``DepthToSpace``: DCR takes the block from the slower part of the channels, CRD not."""
    return _blocks("depth_to_space", blocksize, mode)


@call("ONNX", "onnx.SpaceToDepth", dims=(2,), tensors=("input",))
def space_to_depth(
    dims: int,
    input: Any = None,  # noqa: A002  ONNX's own name
    blocksize: Any = None,
    mode: Any = "DCR",
) -> Layer:
    """ONNX ``SpaceToDepth``, the inverse of ``DepthToSpace`` (``mode`` since opset 28)."""
    return _blocks("space_to_depth", blocksize, mode)


def _blocks(operator: str, blocksize: Any, mode: Any) -> Layer:
    if blocksize is None:
        raise WrongInput(
            "blocksize is required (Required attribute 'blocksize' is missing); give e.g. blocksize=2"
        )
    r = at_least(1, (integer(blocksize, "blocksize"),), "blocksize", "Blocksize must be positive")[
        0
    ]
    if mode not in ("DCR", "CRD"):
        raise WrongInput(f"mode = {show(mode)}: ONNX knows DCR and CRD; choose one of them")

    def plan(x: Shape, given: Mapping[str, Shape]) -> Plan:
        conds = []
        if operator == "depth_to_space":
            message = f"{x[0]} channels are no multiple of blocksize² = {r * r}; give a multiple"
            conds.append(Requirement(divides(r * r, x[0]), message))
        else:
            for n in x[1:]:
                message = f"the length {n} is no multiple of blocksize = {r}; give a multiple"
                conds.append(Requirement(divides(r, n), message))
        return Plan((step(operator, r=r, mode=mode, dims=2),), (), tuple(conds))

    return Layer(2, CANONICAL[2], plan)


def _image_count(given: Mapping[str, Any]) -> int | None:
    return len(given["image_shape"]) if isinstance(given["image_shape"], tuple) else None


@call("ONNX", "onnx.Col2Im", dims=(2, 1, 3), tensors=("input",), count=_image_count)
def col2im(
    dims: int,
    input: Any = None,  # noqa: A002  ONNX's own name
    image_shape: Any = None,
    block_shape: Any = None,
    dilations: Any = None,
    pads: Any = None,
    strides: Any = None,
) -> Layer:
    """ONNX ``Col2Im``: ``(N, C·∏k, L) → (N, C, *image)``, overlaps added."""
    n = ints(
        constant_input(image_shape, "image_shape", "image_shape=[5, 5]"), dims, "image_shape", 1
    )
    k = ints(
        constant_input(block_shape, "block_shape", "block_shape=[3, 3]"), dims, "block_shape", 1
    )
    s, d = ints(strides, dims, "strides", 1), ints(dilations, dims, "dilations", 1)
    p = explicit(pads, dims)
    m = tuple(
        shapes.conv_length(ni, ki, si, di, 1, lo, hi)
        for ni, ki, si, di, (lo, hi) in zip(n, k, s, d, p, strict=True)
    )
    count, taps = math.prod(m, start=lift(1)), math.prod(k, start=lift(1))

    def plan(x: Shape, given: Mapping[str, Shape]) -> Plan:
        fits = [
            Requirement(a >= 1, f"an image of {b} has no room for a block; give a larger one")
            for a, b in zip(m, n, strict=True)
        ]
        wrong = f"{x[0]} channels are no multiple of the block's {taps} samples; give a multiple"
        fits.append(Requirement(divides(taps, x[0]), wrong))
        wrong = f"{x[1]} columns, but the image has {count} blocks; give {count}"
        fits.append(Requirement(eq(x[1], count), wrong))
        steps = (
            step("split", axis=-2, lengths=(x[0] // taps, *k)),
            step("split", axis=-1, lengths=m),
            step("col2im", length=n, stride=s, padding=p, dilation=d, dims=dims),
        )
        return Plan(steps, (), tuple(fits))

    return Layer(1, CANONICAL[1], plan, output=CANONICAL[dims])


@call("ONNX", "onnx.MaxUnpool", dims=(2, 1, 3), tensors=("X", "I"), count=node_count)
def max_unpool(
    dims: int,
    X: Any = None,
    I: Any = None,  # noqa: E741  ONNX's own name
    output_shape: Any = None,
    kernel_shape: Any = None,
    pads: Any = None,
    strides: Any = None,
) -> Layer:
    """ONNX ``MaxUnpool``: its shape, ``s(m-1) + k - p_lo - p_hi`` or the ``output_shape`` given."""
    if kernel_shape is None:
        raise WrongInput(
            "kernel_shape is required (Required attribute 'kernel_shape' is missing); "
            "give e.g. kernel_shape=[2, 2]"
        )
    k, s = ints(kernel_shape, dims, "kernel_shape", 1), ints(strides, dims, "strides", 1)
    p = explicit(pads, dims)

    def plan(x: Shape, given: Mapping[str, Shape]) -> Plan:
        n = tuple(
            shapes.conv_transpose_length(mi, ki, si, 1, lo, hi)
            for mi, ki, si, (lo, hi) in zip(x[1:], k, s, p, strict=True)
        )
        if isinstance(output_shape, tuple):
            n = ints(output_shape[-dims:], dims, "output_shape", 1)
        made = step("max_unpool", k=k, length=n, stride=s, padding=p, dims=dims)
        return Plan((made,), shape_only="its indices speak of the tensor as a whole")

    return Layer(dims, CANONICAL[dims], plan)
