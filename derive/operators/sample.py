"""Operators that move samples along an axis: each is one read at a shifted or scaled index."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from derive.errors import WrongInput
from derive.expr import Cond, Expr, Integer, eq, lift, ne
from derive.form import Form, Ratio, Value, build, constant, sigma
from derive.operators.registry import Padding, PerAxis, operator, pairs, per_axis, positive_axes, spatial

MODES = ("zero", "circular", "reflect", "replicate")


Row: TypeAlias = Callable[[Integer], Value]


def along(
    x: Form, axis: int, length: Integer, read: Callable[[Row, Expr], Value], *requires: Cond
) -> Form:
    """Change one axis of a form: ``read(row, i)`` is the new value at ``i``, where ``row(j)`` is
    the old value at ``j`` on that axis (all other indices as they are)."""
    shape = (*x.shape[:axis], lift(length), *x.shape[axis + 1 :])

    def body(*index: Expr) -> Value:
        return read(lambda j: x[(*index[:axis], j, *index[axis + 1 :])], index[axis])

    return build(shape, body, requires)


def _dims(x: Form, dims: int | None) -> int:
    return x.rank if dims is None else dims


@operator("sample", r"\operatorname{flip}", samples=[{"x": (5,)}, {"x": (3, 4)}, {"x": (2, 3, 4), "dims": 1}])
def flip(x: Form, dims: int | None = None) -> Form:
    """Reverse the last ``dims`` axes (all by default): ``y[i] = x[n - 1 - i]``; rot180 in 2-D."""
    y = x
    for axis in range(spatial(x, _dims(x, dims), "flip"), x.rank):
        n = x.shape[axis]
        y = along(y, axis, n, lambda row, i, n=n: row(n - 1 - i))
    return y


@operator("sample", r"\operatorname{shift}", samples=[{"x": (5,), "offset": 2}, {"x": (4, 3), "offset": (-1, 2)}])
def shift(x: Form, offset: PerAxis) -> Form:
    """Move by ``offset`` (zeros come in, what leaves is lost): ``y[i] = x[i - offset]``."""
    y = x
    for axis, a in enumerate(per_axis(offset, x.rank, "offset")):
        y = along(y, axis, x.shape[axis], lambda row, i, a=a: row(i - a))
    return y


@operator("sample", r"\operatorname{decimate}", samples=[{"x": (7,), "s": 3}, {"x": (6, 5), "s": (2, 3)}, {"x": (8,), "s": 3, "start": 1}])
def decimate(x: Form, s: PerAxis, start: PerAxis = 0, dims: int | None = None) -> Form:
    """Keep every ``s``-th sample: ``y[i] = x[s·i + start]``; length ``⌊(n - 1 - start)/s⌋ + 1``."""
    count = _dims(x, dims)
    first, y = spatial(x, count, "decimate"), x
    strides, starts = positive_axes(s, count, "stride"), per_axis(start, count, "start")
    for axis, (step, a) in enumerate(zip(strides, starts, strict=True), first):
        n = x.shape[axis]
        y = along(
            y, axis, (n - 1 - a) // step + 1, lambda row, i, step=step, a=a: row(step * i + a), n >= a + 1, a >= 0, step >= 1
        )
    return y


@operator("sample", r"\operatorname{zero\,insert}", samples=[{"x": (4,), "s": 3}, {"x": (3, 2), "s": (2, 3)}, {"x": (4,), "s": 3, "trailing": 2}])
def zero_insert(x: Form, s: PerAxis, trailing: PerAxis = 0, dims: int | None = None) -> Form:
    """Put ``s - 1`` zeros between samples (base dilation): ``y[s·i] = x[i]``, zero elsewhere.

    The length is ``s(n - 1) + 1 + trailing``.
    """
    count = _dims(x, dims)
    first, y = spatial(x, count, "zero_insert"), x
    strides, ends = positive_axes(s, count, "stride"), per_axis(trailing, count, "trailing")
    for axis, (step, r) in enumerate(zip(strides, ends, strict=True), first):
        if step == 1 and r == 0:
            continue
        n = x.shape[axis]
        y = along(
            y,
            axis,
            step * (n - 1) + 1 + r,
            lambda row, u, step=step, n=n: sigma(n, lambda i: row(i).where(eq(u, step * i))),
            step >= 1,
            r >= 0,
        )
    return y


@operator(
    "sample",
    r"\operatorname{pad}",
    samples=[
        {"x": (4,), "padding": (1, 2)},
        {"x": (5,), "padding": (-1, 2)},
        {"x": (3, 4), "padding": ((1, 0), (0, 2))},
        {"x": (5,), "padding": (2, 3), "mode": "circular"},
        {"x": (5,), "padding": (3, 1), "mode": "reflect"},
        {"x": (4, 3), "padding": (1, 2), "mode": "replicate"},
    ],
)
def pad(x: Form, padding: Padding, mode: str = "zero", dims: int | None = None) -> Form:
    """Lengthen (or, where negative, crop) the last ``dims`` axes: ``y[i] = x[i - lo]``.

    ``mode`` says what lies outside: zeros, the other end (circular), the mirror image without the
    border (reflect) or the border itself (replicate).  As in PyTorch, circular needs
    ``lo, hi <= n`` and reflect ``lo, hi <= n - 1``.
    """
    if mode not in MODES:
        raise WrongInput(f"padding mode {mode!r} is unknown; choose one of {', '.join(MODES)}")
    count = _dims(x, dims)
    first, y = spatial(x, count, "pad"), x
    for axis, (lo, hi) in enumerate(pairs(padding, count), first):
        if lo == 0 and hi == 0:
            continue
        n = x.shape[axis]
        reach = {"circular": n, "reflect": n - 1}.get(mode)
        limits = () if reach is None else (lo <= reach, hi <= reach)
        y = along(
            y, axis, n + lo + hi, lambda row, i, n=n, lo=lo: _padded(row, i - lo, n, mode), n + lo + hi >= 1, *limits
        )
    return y


def _padded(row: Row, j: Expr, n: Expr, mode: str) -> Value:
    inside = row(j)
    if mode == "zero":
        return inside
    before, behind = {
        "circular": (j + n, j - n),
        "reflect": (-j, 2 * (n - 1) - j),
        "replicate": (lift(0), n - 1),
    }[mode]
    return row(before).where(j < 0) + inside + row(behind).where(j >= n)


@operator("sample", r"\operatorname{crop}", samples=[{"x": (6,), "amount": (1, 2)}])
def crop(x: Form, amount: Padding, dims: int | None = None) -> Form:
    """Cut ``(lo, hi)`` samples off: padding by the negative amounts."""
    count = _dims(x, dims)
    return pad(x, tuple((-lo, -hi) for lo, hi in pairs(amount, count)), dims=count)


@operator("sample", r"\operatorname{scale}", samples=[{"x": (4,), "numerator": 3, "denominator": 2}])
def scale(x: Form, numerator: Integer = 1, denominator: Integer = 1) -> Form:
    """Multiply by the constant ``numerator / denominator`` (a nonzero denominator)."""
    den = lift(denominator)
    if den == 0:
        raise WrongInput("scaling by a fraction with the denominator 0; give a nonzero one")
    return build(x.shape, lambda *i: x[i] * constant(Ratio(lift(numerator), den)), (ne(den, 0),))


@operator("sample", r"\operatorname{repeat}", samples=[{"x": (3,), "lengths": (4,)}])
def broadcast(x: Form, lengths: PerAxis) -> Form:
    """Repeat each value over new trailing axes: ``y[i, j] = x[i]``."""
    new = tuple(lift(n) for n in (lengths if isinstance(lengths, (tuple, list)) else (lengths,)))
    return build((*x.shape, *new), lambda *i: x[i[: x.rank]])
