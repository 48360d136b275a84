"""PyTorch: ``nn.Upsample``, ``F.interpolate`` and their old names.

An output ``i`` reads the input at ``i·t`` (nearest), ``(i + 1/2)·t`` (nearest-exact) or
``(i + 1/2)·t - 1/2`` (linear), where ``t`` is ``n/m`` for a ``size`` and one over the scale for a
``scale_factor``, unless ``recompute_scale_factor`` asks for ``n/m``; with ``align_corners`` it reads
at ``i(n - 1)/(m - 1)``.  PyTorch rounds ``t`` to float32 for the two nearest modes; here it is exact.

Sources: the PyTorch documentation (2.x), ``torch/nn/functional.py`` and
``aten/src/ATen/native/UpSample.h``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

from derive.dialects.layer import CANONICAL, Layer, Plan, Requirement, Step, axes, step
from derive.dialects.registry import call
from derive.errors import WrongInput
from derive.expr import Expr, lift, maximum

Axes = tuple[Expr, ...]
Scale: TypeAlias = "Expr | Fraction"

NEAREST = ("nearest", "nearest-exact")
PLAIN = (*NEAREST, "area")
LINEAR = {"linear": 1, "bilinear": 2, "trilinear": 3}
OTHERS = {"bicubic": 2, "lanczos": 2}
RANKS = (2, 1, 3)


@dataclass(frozen=True)
class Resizing:
    """What is asked of an interpolation: a size or a scale, and how values are found."""

    dims: int
    size: Axes | None
    scale: tuple[Scale, ...] | None
    mode: str
    align: bool
    recompute: bool
    antialias: bool


def resizing(
    dims: int,
    size: Any,
    scale_factor: Any,
    mode: Any,
    align_corners: Any,
    recompute_scale_factor: Any,
    antialias: Any = False,
) -> Layer:
    """An interpolation as a layer; raises :class:`derive.errors.WrongInput` as PyTorch does."""
    _check_mode(dims, mode, align_corners, antialias)
    if (size is None) == (scale_factor is None):
        fact = "neither is given" if size is None else "both are given"
        says = "either" if size is None else "only one of"
        raise WrongInput(
            f"size and scale_factor: {fact}, and PyTorch takes exactly one of them ({says} size or "
            "scale_factor should be defined); give one"
        )
    if recompute_scale_factor and size is not None:
        raise WrongInput(
            "recompute_scale_factor with a size: PyTorch refuses it (recompute_scale_factor is not "
            "meaningful with an explicit size); leave it out"
        )
    if isinstance(size, tuple) and len(size) != dims:
        raise WrongInput(
            f"size has {len(size)} values for {dims} spatial axes; give one value or {dims}"
        )
    asked = Resizing(
        dims,
        None if size is None else axes(size, dims, "size"),
        None if scale_factor is None else _scales(dims, scale_factor),
        mode,
        bool(align_corners),
        bool(recompute_scale_factor) or mode == "area",
        bool(antialias),
    )
    return Layer(dims, CANONICAL[dims], lambda x, given: _plan(asked, x[1:]))


def _check_mode(dims: int, mode: Any, align_corners: Any, antialias: Any) -> None:
    known = {**LINEAR, **OTHERS}
    if mode not in PLAIN and mode not in known:
        raise WrongInput(
            f"mode = {mode!r}: PyTorch knows {', '.join((*PLAIN, *known))}; choose one of them"
        )
    if mode in known and known[mode] != dims:
        raise WrongInput(
            f"mode = {mode!r} on {dims} spatial axes: PyTorch refuses it ({mode} mode needs "
            f"{known[mode] + 2}D input); give {_fitting(dims)!r} or an input with "
            f"{known[mode] + 2} axes"
        )
    if mode in PLAIN and align_corners is not None:
        raise WrongInput(
            f"align_corners with mode = {mode!r}: PyTorch refuses it (align_corners option can only be "
            "set with the interpolating modes: linear | bilinear | bicubic | trilinear); leave it out"
        )
    if antialias and mode not in ("bilinear", "bicubic", "lanczos"):
        raise WrongInput(
            f"antialias with mode = {mode!r}: PyTorch refuses it (Anti-alias option is restricted to "
            "bilinear, bicubic, and lanczos modes); leave it out"
        )
    if mode == "lanczos" and not antialias:
        raise WrongInput(
            "mode = 'lanczos' without antialias: PyTorch refuses it (Lanczos mode requires "
            "antialias=True); set antialias"
        )


def _fitting(dims: int) -> str:
    return next(name for name, d in LINEAR.items() if d == dims)


def _scales(dims: int, scale_factor: Any) -> tuple[Scale, ...]:
    values = scale_factor if isinstance(scale_factor, tuple) else (scale_factor,) * dims
    if len(values) != dims:
        raise WrongInput(
            f"scale_factor has {len(values)} values for {dims} spatial axes; give one or {dims}"
        )
    found: list[Scale] = []
    for v in values:
        if isinstance(v, bool) or not isinstance(v, (int, Fraction, Expr)):
            raise WrongInput(f"scale_factor = {v!r}: a number was expected; give one")
        if isinstance(v, Fraction) and v.denominator != 1:
            found.append(v)
        else:
            found.append(lift(int(v)) if isinstance(v, Fraction) else lift(v))
        number = v.constant if isinstance(v, Expr) else v
        if number is not None and number <= 0:
            raise WrongInput(
                f"scale_factor = {number}: PyTorch refuses it (Input and output sizes should be "
                "greater than 0); give a positive factor"
            )
    return tuple(found)


def scaled_length(n: Expr, scale: Scale) -> Expr:
    """The output length ``⌊n·scale⌋``; for numbers the product is PyTorch's, in float64.

    >>> int(scaled_length(lift(100), Fraction(29, 100)))
    28
    """
    if isinstance(scale, Expr):
        return n * scale
    if n.constant is not None:
        return lift(int(n.constant * float(scale)))
    return n * scale.numerator // scale.denominator


def _plan(asked: Resizing, n: Axes) -> Plan:
    if asked.size is not None:
        m = asked.size
    else:
        m = tuple(scaled_length(a, q) for a, q in zip(n, asked.scale or (), strict=True))
    fits = tuple(
        Requirement(
            a >= 1,
            f"an output length of {a}: PyTorch refuses it (Input and output sizes should be greater "
            "than 0); give a larger size or factor",
        )
        for a in m
    )
    if asked.antialias or asked.mode in OTHERS:
        why = f"mode = {asked.mode!r}{' with antialias' if asked.antialias else ''} is not covered"
        return Plan((step("adaptive_avg_pool", m=m, dims=asked.dims),), (), fits, shape_only=why)
    if asked.mode == "area":
        return Plan((step("adaptive_avg_pool", m=m, dims=asked.dims),), requires=fits)
    whole = _by_whole_factors(asked)
    if whole is not None:
        return Plan((whole,), requires=fits)
    fraction = asked.size is None and not asked.recompute
    if fraction and asked.mode in LINEAR and not asked.align and _unsure(asked, n):
        why = "a fractional scale_factor in linear mode copies an axis whose length it leaves as it is"
        return Plan((_positions(asked, n, m),), (), fits, shape_only=why)
    return Plan((_positions(asked, n, m),), requires=fits)


def _unsure(asked: Resizing, n: Axes) -> bool:
    return any(
        isinstance(q, Fraction) and a.constant is None
        for a, q in zip(n, asked.scale or (), strict=True)
    )


def _by_whole_factors(asked: Resizing) -> Step | None:
    """Upsampling by whole numbers, which has operators of its own."""
    if asked.scale is None or asked.mode == "nearest-exact":
        return None
    factors = tuple(q for q in asked.scale if isinstance(q, Expr))
    if len(factors) < asked.dims:
        return None
    if asked.mode == "nearest":
        return step("nearest_upsample", s=factors, dims=asked.dims)
    return step("bilinear_upsample", s=factors, align_corners=asked.align, dims=asked.dims)


def _positions(asked: Resizing, n: Axes, m: Axes) -> Step:
    """The resampling at ``(top·i + start)/den`` on each axis."""
    rows: list[tuple[Expr, Expr, Expr]] = []
    for axis, (a, b) in enumerate(zip(n, m, strict=True)):
        t, d = a, b
        if asked.scale is not None and not asked.recompute:
            q = asked.scale[axis]
            if isinstance(q, Fraction):
                t, d = lift(q.denominator), lift(q.numerator)
            else:
                t, d = lift(1), q
            if asked.mode in LINEAR and a.constant is not None and a == b:
                t, d = lift(1), lift(1)
        if asked.align:
            row = (a - 1, lift(0), maximum(b - 1, 1))
        elif asked.mode == "nearest":
            row = (t, lift(0), d)
        else:
            row = (2 * t, t if asked.mode == "nearest-exact" else t - d, 2 * d)
        rows.append(row)
    top, start, den = zip(*rows, strict=True)
    return step(
        "resize",
        length=m,
        top=top,
        den=den,
        start=start,
        mode="linear" if asked.mode in LINEAR else "floor",
        dims=asked.dims,
    )


def spoken_axes(given: Mapping[str, Any]) -> int | None:
    """The number of spatial axes that the arguments speak of, None where they leave it open.

    >>> spoken_axes({"mode": "bilinear"}), spoken_axes({"size": (4, 5, 6)}), spoken_axes({"size": 4})
    (2, 3, None)
    """
    named = {**LINEAR, **OTHERS}.get(str(given.get("mode")))
    lengths = (given.get("size"), given.get("scale_factor"))
    counts = [len(v) for v in lengths if isinstance(v, tuple)]
    return named or (counts[0] if counts and counts[0] in RANKS else None)


def _truthy(scale_factor: Any) -> Any:
    """The layers, unlike the functions, take a factor of 0 for none."""
    return None if scale_factor == 0 and not isinstance(scale_factor, bool) else scale_factor


@call("PyTorch", "nn.Upsample", dims=RANKS, count=spoken_axes)
def upsample(
    dims: int,
    size: Any = None,
    scale_factor: Any = None,
    mode: Any = "nearest",
    align_corners: Any = None,
    recompute_scale_factor: Any = None,
) -> Layer:
    """``torch.nn.Upsample``."""
    scale = _truthy(scale_factor)
    return resizing(dims, size, scale, mode, align_corners, recompute_scale_factor)


@call("PyTorch", "F.interpolate", dims=RANKS, tensors=("input",), count=spoken_axes)
def interpolate(
    dims: int,
    input: Any,  # noqa: A002  PyTorch's own name
    size: Any = None,
    scale_factor: Any = None,
    mode: Any = "nearest",
    align_corners: Any = None,
    recompute_scale_factor: Any = None,
    antialias: Any = False,
) -> Layer:
    """``torch.nn.functional.interpolate``."""
    return resizing(
        dims, size, scale_factor, mode, align_corners, recompute_scale_factor, antialias
    )


@call("PyTorch", "F.upsample", dims=RANKS, tensors=("input",), count=spoken_axes)
def upsample_functional(
    dims: int,
    input: Any,  # noqa: A002  PyTorch's own name
    size: Any = None,
    scale_factor: Any = None,
    mode: Any = "nearest",
    align_corners: Any = None,
) -> Layer:
    """``torch.nn.functional.upsample``, the old name of ``interpolate``."""
    return resizing(dims, size, scale_factor, mode, align_corners, None)


@call("PyTorch", "nn.UpsamplingNearest{d}d", dims=(2,))
def upsampling_nearest(dims: int, size: Any = None, scale_factor: Any = None) -> Layer:
    """``torch.nn.UpsamplingNearest2d``."""
    return resizing(dims, size, _truthy(scale_factor), "nearest", None, None)


@call("PyTorch", "nn.UpsamplingBilinear{d}d", dims=(2,))
def upsampling_bilinear(dims: int, size: Any = None, scale_factor: Any = None) -> Layer:
    """``torch.nn.UpsamplingBilinear2d``, which aligns the corners."""
    return resizing(dims, size, _truthy(scale_factor), "bilinear", True, None)


@call("PyTorch", "F.upsample_nearest", dims=RANKS, tensors=("input",), count=spoken_axes)
def upsample_nearest(dims: int, input: Any, size: Any = None, scale_factor: Any = None) -> Layer:  # noqa: A002
    """``torch.nn.functional.upsample_nearest``."""
    return resizing(dims, size, scale_factor, "nearest", None, None)


@call("PyTorch", "F.upsample_bilinear", dims=(2,), tensors=("input",))
def upsample_bilinear(dims: int, input: Any, size: Any = None, scale_factor: Any = None) -> Layer:  # noqa: A002
    """``torch.nn.functional.upsample_bilinear``, which aligns the corners."""
    return resizing(dims, size, scale_factor, "bilinear", True, None)
