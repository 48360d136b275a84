"""What the steps of a call do along one spatial axis: windows, padding, stretching.

Each :class:`Reach` says which inputs an output reads: ``e·j = s·i + d·t − p_lo`` for a tap
``0 <= t < k``.  Receptive fields, jumps, offsets, lost remainders and the reason of a shape follow
from it.  A step that is none of these (a flip, an adaptive pooling) has none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from derive import shapes
from derive.dialects.layer import CANONICAL, Layer, Step, fitted, planned
from derive.expr import Cond, Expr, lift
from derive.form import Form, tensor
from derive.operators import OPERATORS
from derive.operators.conv import resolve_padding
from derive.operators.registry import pairs, per_axis

WINDOWS = ("sum_pool", "avg_pool", "max_pool", "im2col")
CORRELATIONS = ("correlate", "convolve")


@dataclass(frozen=True)
class Reach:
    """One step along one axis, from ``n`` to ``m`` samples.

    ``kind`` is ``window``, ``scatter`` (a transposed convolution with stride ``e``, padding
    ``(lo, hi)`` and output padding ``r``), ``pad``, ``repeat`` (upsampling by ``e``), or ``blend``
    (linear upsampling by ``e``).
    """

    kind: str
    n: Expr
    m: Expr
    k: Expr = lift(1)
    s: Expr = lift(1)
    d: Expr = lift(1)
    e: Expr = lift(1)
    lo: Expr = lift(0)
    hi: Expr = lift(0)
    r: Expr = lift(0)
    ceil: bool = False

    @property
    def taps(self) -> tuple[Expr, Expr, Expr, Expr, Expr]:
        """The step as a layer of a chain, as :mod:`derive.shapes` takes it."""
        if self.kind == "scatter":
            found = shapes.transposed_taps(self.k, self.e, self.d, self.lo)
            return tuple(map(lift, found))  # type: ignore[return-value]
        return (self.k, self.s, self.d, self.e, self.lo)


@dataclass(frozen=True)
class Stage:
    """A step with the canonical shapes around it, what it requires, and its kernel's lengths."""

    step: Step
    before: tuple[Expr, ...]
    after: tuple[Expr, ...]
    requires: tuple[Cond, ...]
    kernel: tuple[Expr, ...] = ()


def stages(
    layer: Layer, x: tuple[Expr, ...], given: Mapping[str, tuple[Expr, ...]]
) -> tuple[Stage, ...]:
    """The steps of a call with the shapes between them.

    Raises :class:`derive.errors.WrongInput` where the framework refuses the call for that shape.
    """
    plan = planned(layer, x, given)
    layer = fitted(layer, len(x))
    layout = layer.layout if len(x) == len(layer.layout) else layer.layout.replace("N", "")
    shape = tuple(x[layout.index(a)] for a in CANONICAL[layer.dims] if a in layout)
    kernels = {
        o.name: o.canonical(tensor(o.name, *given.get(o.name, o.shape))) for o in plan.operands
    }
    found = []
    for step in plan.steps:
        if any(n.constant is not None and n.constant < 0 for n in shape):
            break  # the step before has no output, which its requirements say
        place = tensor("x", *shape)
        operands: tuple[Form, ...] = (place, kernels[step.weight]) if step.weight else (place,)
        after = OPERATORS[step.operator].build(*operands, **dict(step.parameters))
        kernel = kernels[step.weight].shape if step.weight else ()
        spatial = dict(step.parameters).get("dims", len(kernel))  # without it there are no channels
        kernel = kernel[len(kernel) - int(spatial) :] if kernel else ()
        found.append(Stage(step, shape, after.shape, after.requires, kernel))
        shape = after.shape
    return tuple(found)


def reaches(found: Sequence[Stage], axis: int, dims: int) -> tuple[Reach, ...] | None:
    """What each step does along spatial axis ``axis``; None where a step is of another kind."""
    result = []
    for stage in found:
        if len(stage.before) < dims or len(stage.after) < dims:
            return None
        reach = _reach(stage, axis, dims)
        if reach is None:
            return None
        if reach != _still(stage, axis, dims):
            result.append(reach)
    return tuple(result)


def _still(stage: Stage, axis: int, dims: int) -> Reach:
    n = stage.before[len(stage.before) - dims + axis]
    return Reach("pad", n, n)


def _reach(stage: Stage, axis: int, dims: int) -> Reach | None:
    """The rule of each operator; ``axis`` counts the spatial axes."""
    given = dict(stage.step.parameters)
    n = stage.before[len(stage.before) - dims :][axis]
    m = stage.after[len(stage.after) - dims :][axis]
    count = _count(
        stage
    )  # the axes that the operator itself works on: its last are the spatial ones
    if count < dims:
        return None
    at = axis + count - dims

    def one(name: str, default: Any = 1) -> Expr:
        return per_axis(given.get(name, default), count, name)[at]

    operator = stage.step.operator
    if operator in CORRELATIONS or operator in WINDOWS:
        return _window(stage, at, count)
    if operator == "conv_transpose":
        lo, hi = pairs(given.get("padding", 0), count)[at]
        k, e, d = stage.kernel[at], one("stride"), one("dilation")
        return Reach("scatter", n, m, k, d=d, e=e, lo=lo, hi=hi, r=one("output_padding", 0))
    if operator in ("pad", "crop"):
        lo, hi = pairs(given.get("padding", given.get("amount", 0)), count)[at]
        sign = 1 if operator == "pad" else -1
        return Reach("pad", n, m, lo=sign * lo, hi=sign * hi)
    if operator == "decimate":
        return Reach("window", n, m, s=one("s"), lo=-one("start", 0))
    if operator == "zero_insert":
        return Reach("scatter", n, m, e=one("s"), r=one("trailing", 0))
    if operator in ("nearest_upsample", "pixel_shuffle"):
        f = one("s") if operator == "nearest_upsample" else lift(given["r"])
        return Reach("repeat", n, m, k=f, e=f, lo=f - 1)
    if operator == "pixel_unshuffle":
        f = lift(given["r"])
        return Reach("window", n, m, k=f, s=f)
    if operator == "bilinear_upsample" and not given.get("align_corners"):
        f = one("s")
        return Reach("blend", n, m, k=2 * f - f % 2, e=f, lo=(3 * f - 2 - f % 2) // 2)
    return Reach("pad", n, m) if operator == "scale" else None


def _count(stage: Stage) -> int:
    """How many of the last axes a step works on."""
    said = dict(stage.step.parameters).get("dims")
    if said is None:
        return len(stage.kernel) if stage.step.weight else len(stage.before)
    return int(said)


def _window(stage: Stage, axis: int, dims: int) -> Reach | None:
    given, operator = dict(stage.step.parameters), stage.step.operator
    if operator == "im2col":
        return None
    n = stage.before[len(stage.before) - dims :]
    m = stage.after[len(stage.after) - dims :]
    k = stage.kernel if operator in CORRELATIONS else per_axis(given["k"], dims, "k")
    stride = given.get("stride", 1 if operator in CORRELATIONS else None)
    s = k if stride is None else per_axis(stride, dims, "stride")
    d = per_axis(given.get("dilation", 1), dims, "dilation")
    e = per_axis(given.get("base_dilation", 1), dims, "base_dilation")
    stretched = tuple(b * (a - 1) + 1 for a, b in zip(n, e, strict=True))
    lo, hi = resolve_padding(given.get("padding", 0), stretched, k, s, d)[axis]
    return Reach(
        "window",
        n[axis],
        m[axis],
        k[axis],
        s[axis],
        d[axis],
        e[axis],
        lo,
        hi,
        ceil=bool(given.get("ceil_mode", False)),
    )
