"""Upsampling by an integer factor, and the fixed kernels that go with it."""

from __future__ import annotations

from typing import Any

from derive.expr import Expr, Integer, eq, lift, maximum, minimum
from derive.form import Form, Ratio, Value, build, constant
from derive.operators.registry import PerAxis, operator, positive_axes
from derive.operators.sample import Change, Row, along_each

SAMPLES: list[dict[str, Any]] = [
    {"x": (4,), "s": 3},
    {"x": (3, 4), "s": (2, 3)},
    {"x": (2, 3), "s": 2, "dims": 1},
]


@operator("upsample", r"\operatorname{nearest}", samples=SAMPLES)
def nearest_upsample(x: Form, s: PerAxis, dims: int | None = None) -> Form:
    """Repeat each sample ``s`` times: ``y[i] = x[⌊i/s⌋]``; length ``s·n``.

    Args:
        x: the input ``(…, *n)``.
        s: the factor, at least 1, for every axis or one for each.
        dims: the number of axes, the last ones; all by default.

    Returns:
        the form ``(…, *(s·n))``.

    Raises:
        WrongInput: for factors that are not positive and for fewer axes than ``dims``.

    Source: PyTorch ``nn.Upsample(mode="nearest")``.

    >>> from derive.form import tensor
    >>> from derive.table import values
    >>> values(nearest_upsample(tensor("x", 2), 3), x=[1, 2])
    [1, 1, 1, 2, 2, 2]
    """
    factor = positive_axes(s, x.rank if dims is None else dims, "factor")
    return along_each(
        x,
        dims,
        "nearest_upsample",
        lambda a, n: Change(factor[a] * n, lambda row, i: row(i // factor[a]), (factor[a] >= 1,)),
    )


@operator(
    "upsample",
    r"\operatorname{bilinear}",
    samples=[
        *SAMPLES,
        {"x": (4,), "s": 3, "align_corners": True},
        {"x": (2, 3), "s": (2, 3), "align_corners": True},
    ],
)
def bilinear_upsample(
    x: Form, s: PerAxis, align_corners: bool = False, dims: int | None = None
) -> Form:
    """Linear interpolation along each of the last ``dims`` axes by the factor ``s``; length ``s·n``.

    Output ``i`` sits at ``(i + 1/2)/s - 1/2`` between the samples, clamped to the first and the
    last; with ``align_corners`` at ``i(n-1)/(s·n-1)``.

    Args:
        x: the input ``(…, *n)``.
        s: the factor, at least 1, for every axis or one for each.
        align_corners: let the first and the last samples keep their places.
        dims: the number of axes; all by default.

    Returns:
        the form ``(…, *(s·n))``.

    Raises:
        WrongInput: for factors that are not positive and for fewer axes than ``dims``.

    Source: PyTorch ``nn.Upsample``, whose documentation has this table.

    >>> from derive.form import tensor
    >>> from derive.table import values
    >>> values(bilinear_upsample(tensor("x", 2), 2), x=[1, 2])
    [1, Fraction(5, 4), Fraction(7, 4), 2]
    >>> values(bilinear_upsample(tensor("x", 2), 2, align_corners=True), x=[1, 2])
    [1, Fraction(4, 3), Fraction(5, 3), 2]
    """
    factor = positive_axes(s, x.rank if dims is None else dims, "factor")

    def change(a: int, n: Expr) -> Change:
        length = factor[a] * n
        top, den = (n - 1, maximum(length - 1, 1)) if align_corners else (lift(2), 2 * factor[a])
        start = lift(0) if align_corners else 1 - factor[a]
        return Change(
            length, lambda row, i: between_samples(row, top * i + start, den, n), (factor[a] >= 1,)
        )

    return along_each(x, dims, "bilinear_upsample", change)


def between_samples(row: Row, num: Expr, den: Expr, n: Expr) -> Value:
    """Linear interpolation at the position ``num/den``."""
    whole = num // den
    part = num - den * whole

    def clamped(j: Expr) -> Value:
        return row(minimum(maximum(j, 0), n - 1))

    return clamped(whole) * Ratio(den - part, den) + clamped(whole + 1) * Ratio(part, den)


@operator("kernel", r"\operatorname{box}", samples=[{"k": 3}, {"k": (2, 4)}])
def box(k: PerAxis) -> Form:
    """The kernel of ``k`` ones (in each axis).

    Args:
        k: the length, at least 1, or one for each axis.

    Returns:
        the form ``(*k)``, which reads no tensor.

    Raises:
        WrongInput: for what is no integer.

    Source: the definition.

    >>> from derive.table import values
    >>> values(box((2, 3)))
    [[1, 1, 1], [1, 1, 1]]
    """
    lengths = tuple(lift(n) for n in (k if isinstance(k, (tuple, list)) else (k,)))
    return build(lengths, lambda *t: constant(1))


@operator("kernel", r"\delta", samples=[{"k": 4, "at": 1}])
def one_hot(k: Integer, at: Integer) -> Form:
    """The kernel of ``k`` taps that is 1 at tap ``at`` and 0 elsewhere.

    ``K[t] = 1`` where ``t = at``; it is zero where ``at`` is none of ``0 … k-1``.

    Args:
        k: the length, at least 1.
        at: the tap, counted from 0.

    Returns:
        the form ``(k)``, which reads no tensor.

    Raises:
        WrongInput: for what is no integer.

    Source: the definition.

    >>> from derive.table import values
    >>> values(one_hot(4, 1))
    [0, 1, 0, 0]
    """
    return build((lift(k),), lambda t: constant(1).where(eq(t, at)))


@operator("kernel", r"\operatorname{tri}", samples=[{"s": 3}, {"s": 4}])
def triangle(s: Integer) -> Form:
    """The triangular kernel of linear interpolation by the factor ``s``: the tent of width ``2s``.

    Its ``2s - ε`` taps are ``K[t] = (2s - |2t + 1 + ε - 2s|) / (2s)`` with ``ε = s mod 2``: for even
    ``s`` the tent at half-integer positions, for odd ``s`` at integers, where ``2s - 1`` taps are
    not zero.  Symmetric; the kernel of :func:`bilinear_upsample` without ``align_corners``.

    Args:
        s: the factor, at least 1.

    Returns:
        the form ``(2s - ε)``, which reads no tensor.

    Raises:
        WrongInput: for what is no integer.

    Source: the definition of linear interpolation.

    >>> from derive.table import values
    >>> values(triangle(2))
    [Fraction(1, 4), Fraction(3, 4), Fraction(3, 4), Fraction(1, 4)]
    """
    factor = lift(s)
    odd = factor % 2

    def body(t: Expr) -> Value:
        distance = 2 * t + 1 + odd - 2 * factor
        return constant(Ratio(2 * factor - maximum(distance, -distance), 2 * factor))

    return build((2 * factor - odd,), body, (factor >= 1,))
