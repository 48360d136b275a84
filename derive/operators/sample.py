"""Operators that move samples along an axis: each is one read at a shifted or scaled index."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from derive.errors import WrongInput
from derive.expr import Cond, Expr, Integer, all_of, between, eq, lift, ne, negate
from derive.form import Form, Ratio, Value, build, constant, sigma
from derive.operators.registry import (
    Padding,
    PerAxis,
    operator,
    pairs,
    per_axis,
    positive_axes,
    spatial,
)

MODES = ("zero", "circular", "reflect", "replicate")


Row: TypeAlias = Callable[[Integer], Value]


@dataclass(frozen=True)
class Change:
    """A new axis: its length, the value ``read(row, i)`` at ``i`` (where ``row(j)`` is the old value
    at ``j`` on that axis), and what it requires.
    """

    length: Expr
    read: Callable[[Row, Expr], Value]
    requires: tuple[Cond, ...] = ()


def along(x: Form, axis: int, change: Change) -> Form:
    """Change one axis of a form, all other indices as they are."""
    shape = (*x.shape[:axis], change.length, *x.shape[axis + 1 :])

    def body(*index: Expr) -> Value:
        return change.read(lambda j: x[(*index[:axis], j, *index[axis + 1 :])], index[axis])

    return build(shape, body, change.requires)


def along_each(
    x: Form, dims: int | None, what: str, change: Callable[[int, Expr], Change | None]
) -> Form:
    """Change each of the last ``dims`` axes (all by default): ``change(a, n)`` says how to change
    the ``a``-th of them, of length ``n``; None leaves it as it is.
    """
    y, first = x, spatial(x, x.rank if dims is None else dims, what)
    for axis in range(first, x.rank):
        new = change(axis - first, x.shape[axis])
        if new is not None:
            y = along(y, axis, new)
    return y


def _count(x: Form, dims: int | None) -> int:
    return x.rank if dims is None else dims


@operator(
    "sample",
    r"\operatorname{flip}",
    samples=[{"x": (5,)}, {"x": (3, 4)}, {"x": (2, 3, 4), "dims": 1}],
)
def flip(x: Form, dims: int | None = None) -> Form:
    """Reverse the last ``dims`` axes (all by default): ``y[i] = x[n - 1 - i]``; rot180 in 2-D.

    Args:
        x: the input ``(…, *n)``.
        dims: the number of axes.

    Returns:
        the form of the same shape.

    Raises:
        WrongInput: for fewer axes than ``dims``.

    Source: ``numpy.flip``.

    >>> from derive.form import tensor
    >>> from derive.table import values
    >>> values(flip(tensor("w", 3)), w=[1, 2, 4])
    [4, 2, 1]
    """
    return along_each(x, dims, "flip", lambda a, n: Change(n, lambda row, i: row(n - 1 - i)))


@operator(
    "sample",
    r"\operatorname{shift}",
    samples=[{"x": (5,), "offset": 2}, {"x": (4, 3), "offset": (-1, 2)}],
)
def shift(x: Form, offset: PerAxis) -> Form:
    """Move by ``offset`` (zeros come in, what leaves is lost): ``y[i] = x[i - offset]``.

    Args:
        x: the input ``(*n)``.
        offset: an integer of any sign, or one for each axis.

    Returns:
        the form of the same shape.

    Raises:
        WrongInput: for another number of offsets than axes.

    Source: ``scipy.ndimage.shift`` with zeros outside.

    >>> from derive.form import tensor
    >>> from derive.table import values
    >>> values(shift(tensor("x", 3), 1), x=[1, 2, 4])
    [0, 1, 2]
    """
    by = per_axis(offset, x.rank, "offset")
    return along_each(x, None, "shift", lambda a, n: Change(n, lambda row, i: row(i - by[a])))


@operator(
    "sample",
    r"\operatorname{decimate}",
    samples=[{"x": (7,), "s": 3}, {"x": (6, 5), "s": (2, 3)}, {"x": (8,), "s": 3, "start": 1}],
)
def decimate(x: Form, s: PerAxis, start: PerAxis = 0, dims: int | None = None) -> Form:
    """Keep every ``s``-th sample: ``y[i] = x[s·i + start]``; length ``⌊(n - 1 - start)/s⌋ + 1``.

    Defined for ``s >= 1`` and ``0 <= start < n``.

    Args:
        x: the input ``(…, *n)``.
        s: the stride, for every axis or one for each.
        start: the first sample that is kept.
        dims: the number of axes, the last ones; all by default.

    Returns:
        the form with the shorter axes.

    Raises:
        WrongInput: for strides that are not positive and for fewer axes than ``dims``.

    Source: the slice ``x[start::s]`` of NumPy.

    >>> from derive.form import tensor
    >>> from derive.table import values
    >>> values(decimate(tensor("x", 6), 2, start=1), x=[1, 2, 4, 8, 16, 32])
    [2, 8, 32]
    """
    count = _count(x, dims)
    step, first = positive_axes(s, count, "stride"), per_axis(start, count, "start")

    def change(a: int, n: Expr) -> Change:
        kept = (n - 1 - first[a]) // step[a] + 1
        requires = (n >= first[a] + 1, first[a] >= 0, step[a] >= 1)
        return Change(kept, lambda row, i: row(step[a] * i + first[a]), requires)

    return along_each(x, count, "decimate", change)


@operator(
    "sample",
    r"\operatorname{zero\,insert}",
    samples=[{"x": (4,), "s": 3}, {"x": (3, 2), "s": (2, 3)}, {"x": (4,), "s": 3, "trailing": 2}],
)
def zero_insert(x: Form, s: PerAxis, trailing: PerAxis = 0, dims: int | None = None) -> Form:
    """Put ``s - 1`` zeros between samples (base dilation): ``y[s·i] = x[i]``, zero elsewhere.

    The length is ``s(n - 1) + 1 + trailing``; defined for ``s >= 1`` and ``trailing >= 0``.

    Args:
        x: the input ``(…, *n)``.
        s: the factor, for every axis or one for each.
        trailing: zeros behind the last sample.
        dims: the number of axes, the last ones; all by default.

    Returns:
        the form with the longer axes.

    Raises:
        WrongInput: for factors that are not positive and for fewer axes than ``dims``.

    Source: ``lhs_dilation`` of JAX ``lax.conv_general_dilated``.

    >>> from derive.form import tensor
    >>> from derive.table import values
    >>> values(zero_insert(tensor("x", 3), 2, trailing=1), x=[1, 2, 4])
    [1, 0, 2, 0, 4, 0]
    """
    count = _count(x, dims)
    step, extra = positive_axes(s, count, "stride"), per_axis(trailing, count, "trailing")

    def change(a: int, n: Expr) -> Change | None:
        if step[a] == 1 and extra[a] == 0:
            return None

        def read(row: Row, u: Expr) -> Value:
            return sigma(n, lambda i: row(i).where(eq(u, step[a] * i)))

        return Change(step[a] * (n - 1) + 1 + extra[a], read, (step[a] >= 1, extra[a] >= 0))

    return along_each(x, count, "zero_insert", change)


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
def pad(
    x: Form,
    padding: Padding,
    mode: str = "zero",
    dims: int | None = None,
    value: Integer | Ratio = 0,
) -> Form:
    """Lengthen (or, where negative, crop) the last ``dims`` axes: ``y[i] = x[i - lo]``.

    ``mode`` says what lies outside: zeros, the other end (circular), the mirror image without the
    border (reflect) or the border itself (replicate).  As in PyTorch, circular needs
    ``lo, hi <= n`` and reflect ``lo, hi <= n - 1``; the result has at least one sample.  A
    ``value`` fills in place of the zeros, which makes the form affine.

    Args:
        x: the input ``(…, *n)``.
        padding: an amount, ``(lo, hi)``, or one such pair for each axis.
        mode: ``zero``, ``circular``, ``reflect`` or ``replicate``.
        dims: the number of axes, the last ones; all by default.
        value: what lies outside in the mode ``zero``.

    Returns:
        the form ``(…, *(n + lo + hi))``.

    Raises:
        WrongInput: for unknown modes, and for a value in another mode than ``zero``.

    Source: ``torch.nn.functional.pad``; the example is that of ``numpy.pad``.

    >>> from derive.form import tensor
    >>> from derive.table import values
    >>> values(pad(tensor("x", 5), (2, 3), mode="reflect"), x=[1, 2, 3, 4, 5])
    [3, 2, 1, 2, 3, 4, 5, 4, 3, 2]
    """
    if mode not in MODES:
        raise WrongInput(f"padding mode {mode!r} is unknown; choose one of {', '.join(MODES)}")
    count = _count(x, dims)
    amounts = pairs(padding, count)

    def change(a: int, n: Expr) -> Change | None:
        lo, hi = amounts[a]
        if lo == 0 and hi == 0:
            return None
        reach = {"circular": n, "reflect": n - 1}.get(mode)
        limits = () if reach is None else (lo <= reach, hi <= reach)
        return Change(
            n + lo + hi, lambda row, i: _padded(row, i - lo, n, mode), (n + lo + hi >= 1, *limits)
        )

    y = along_each(x, count, "pad", change)
    if value == 0:
        return y
    if mode != "zero":
        raise WrongInput(f"pad: mode {mode!r} with a value; a value is for the mode 'zero' only")
    return _filled(y, x, amounts, constant(value))


def _filled(y: Form, x: Form, amounts: tuple[tuple[Expr, Expr], ...], value: Value) -> Form:
    """``y`` and, where it reads outside of ``x``, the value."""
    lead = x.rank - len(amounts)

    def body(*i: Expr) -> Value:
        inside = all_of(
            *(between(0, i[lead + a] - lo, x.shape[lead + a]) for a, (lo, _) in enumerate(amounts))
        )
        return y[i] + value.where(negate(inside))

    return build(y.shape, body, y.requires)


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
    """Cut ``(lo, hi)`` samples off: padding by the negative amounts.

    ``y[i] = x[i + lo]``, defined for ``lo + hi < n``; arguments, shapes and errors are those of
    :func:`pad`.  Source: Keras ``Cropping1D``.

    >>> from derive.form import tensor
    >>> from derive.table import values
    >>> values(crop(tensor("x", 4), (1, 2)), x=[1, 2, 4, 8])
    [2]
    """
    count = _count(x, dims)
    return pad(x, tuple((-lo, -hi) for lo, hi in pairs(amount, count)), dims=count)


@operator(
    "sample", r"\operatorname{scale}", samples=[{"x": (4,), "numerator": 3, "denominator": 2}]
)
def scale(x: Form, numerator: Integer = 1, denominator: Integer = 1) -> Form:
    """Multiply by the constant ``numerator / denominator`` (a nonzero denominator).

    Args:
        x: the input, of any shape.
        numerator: an integer.
        denominator: an integer other than 0.

    Returns:
        the form of the same shape.

    Raises:
        WrongInput: for the denominator 0.

    Source: the definition.

    >>> from derive.form import tensor
    >>> from derive.table import values
    >>> values(scale(tensor("x", 3), 3, 2), x=[1, 2, 4])
    [Fraction(3, 2), 3, 6]
    """
    den = lift(denominator)
    if den == 0:
        raise WrongInput("scaling by a fraction with the denominator 0; give a nonzero one")
    return build(x.shape, lambda *i: x[i] * constant(Ratio(lift(numerator), den)), (ne(den, 0),))


@operator("sample", r"\operatorname{repeat}", samples=[{"x": (3,), "lengths": (4,)}])
def broadcast(x: Form, lengths: PerAxis) -> Form:
    """Repeat each value over new trailing axes: ``y[i, j] = x[i]``.

    Args:
        x: the input ``(*n)``.
        lengths: the lengths of the new axes.

    Returns:
        the form ``(*n, *lengths)``.

    Raises:
        WrongInput: for what is no integer.

    Source: ``numpy.broadcast_to`` of ``x[..., None]``.

    >>> from derive.form import tensor
    >>> from derive.table import values
    >>> values(broadcast(tensor("x", 2), (3,)), x=[1, 2])
    [[1, 1, 1], [2, 2, 2]]
    """
    new = tuple(lift(n) for n in (lengths if isinstance(lengths, (tuple, list)) else (lengths,)))
    return build((*x.shape, *new), lambda *i: x[i[: x.rank]])
