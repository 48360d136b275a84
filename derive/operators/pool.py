"""Pooling: sums, averages and selections over windows, global and adaptive pooling, unpooling.

A max pooling is linear once it is known which tap of each window wins.  That choice is the
*selection* σ, an unknown function: ``y[i] = x[s·i + d·σ(i) - p]``.  What is proved for an unknown
σ is proved for every input; ties only decide which σ an input gives.
"""

from __future__ import annotations

from typing import Any

from derive import shapes
from derive.errors import WrongInput
from derive.expr import Cond, Expr, Integer, apply, between, eq, lift, maximum, minimum, ne
from derive.form import Form, Ratio, Value, build, constant, sigmas
from derive.operators.registry import (
    Padding,
    PerAxis,
    operator,
    pairs,
    positive_axes,
    spatial,
)

Windows = tuple[
    tuple[Expr, ...],
    tuple[Expr, ...],
    tuple[Expr, ...],
    tuple[tuple[Expr, Expr], ...],
    tuple[Expr, ...],
    tuple[Cond, ...],
]

POOL_SAMPLES: list[dict[str, Any]] = [
    {"x": (7,), "k": 3, "stride": 2, "padding": (1, 0)},
    {"x": (8,), "k": 3, "stride": 2, "ceil_mode": True},
    {"x": (4,), "k": 2, "stride": 3, "padding": (1, 1), "ceil_mode": True},
    {"x": (5, 6), "k": (2, 3), "stride": (2, 1)},
    {"x": (2, 6), "k": 2, "dims": 1},
]


def windows(
    x: Form,
    k: PerAxis,
    stride: PerAxis | None,
    padding: Padding,
    dilation: PerAxis,
    ceil_mode: bool,
    dims: int,
) -> Windows:
    """``(k, s, d, padding, output lengths, requirements)`` for windows over the last axes."""
    spatial(x, dims, "pooling")
    kk = positive_axes(k, dims, "kernel length")
    s = kk if stride is None else positive_axes(stride, dims, "stride")
    d, p = positive_axes(dilation, dims, "dilation"), pairs(padding, dims)
    n = x.shape[x.rank - dims :]
    rule = shapes.ceil_length if ceil_mode else _floor_length
    m = tuple(
        rule(ni, ki, si, di, lo, hi)
        for ni, ki, si, di, (lo, hi) in zip(n, kk, s, d, p, strict=True)
    )
    if ceil_mode:
        fits = tuple(mi >= 1 for mi in m)
    else:
        fits = tuple(
            ni + lo + hi >= shapes.effective_length(ki, di)
            for ni, ki, di, (lo, hi) in zip(n, kk, d, p, strict=True)
        )
    positive = tuple(a >= 1 for a in (*kk, *s, *d)) + tuple(a >= 0 for pair in p for a in pair)
    return kk, s, d, p, m, (*fits, *positive)


def _floor_length(n: Expr, k: Expr, s: Expr, d: Expr, p_lo: Expr, p_hi: Expr) -> Expr:
    length: Expr = shapes.conv_length(n, k, s, d, 1, p_lo, p_hi)
    return length


def _dims(x: Form, dims: int | None) -> int:
    return x.rank if dims is None else dims


@operator("pool", r"\operatorname{sumpool}", samples=POOL_SAMPLES)
def sum_pool(
    x: Form,
    k: PerAxis,
    stride: PerAxis | None = None,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    ceil_mode: bool = False,
    dims: int | None = None,
) -> Form:
    """The sum over each window: ``y[i] = Σ_{t<k} x[s·i + d·t - p_lo]``; the stride is ``k`` by default.

    Defined for ``k, s, d >= 1``, ``p_lo, p_hi >= 0`` and a padded input at least as long as the dilated
    window.

    Args:
        x: the input ``(…, *n)``.
        k: the length of the windows, for every axis or one for each.
        stride: ``s``, by default ``k``.
        padding: ``(p_lo, p_hi)``, not negative; zeros lie outside.
        dilation: ``d``, the distance of the taps.
        ceil_mode: round the output length up; a last window must start in the input or in front of it.
        dims: the number of spatial axes, the last ones; all by default.

    Returns:
        the form ``(…, *m)`` with ``m = ⌊(n + p_lo + p_hi - d(k-1) - 1)/s⌋ + 1`` (or rounded up).

    Raises:
        WrongInput: for values that no such parameter has, and for fewer axes than ``dims``.

    Source: PyTorch ``nn.LPPool1d`` with the norm 1, for inputs that are not negative.

    >>> from derive.form import tensor
    >>> from derive.table import values
    >>> values(sum_pool(tensor("x", 5), 2, stride=1), x=[1, 2, 4, 8, 16])
    [3, 6, 12, 24]
    """
    count = _dims(x, dims)
    kk, s, d, p, m, requires = windows(x, k, stride, padding, dilation, ceil_mode, count)
    batch = x.shape[: x.rank - count]

    def body(*i: Expr) -> Value:
        at, out = i[: len(batch)], i[len(batch) :]
        return sigmas(kk, lambda t: x[(*at, *_tap(out, t, s, d, p))])

    return build((*batch, *m), body, requires)


def _tap(
    i: tuple[Expr, ...],
    t: tuple[Expr, ...],
    s: tuple[Expr, ...],
    d: tuple[Expr, ...],
    p: tuple[tuple[Expr, Expr], ...],
) -> tuple[Expr, ...]:
    return tuple(
        si * ii + di * ti - lo for ii, ti, si, di, (lo, _) in zip(i, t, s, d, p, strict=True)
    )


@operator(
    "pool",
    r"\operatorname{avgpool}",
    samples=[
        *POOL_SAMPLES,
        {"x": (7,), "k": 3, "stride": 2, "padding": (1, 1), "count_include_pad": False},
        {"x": (8,), "k": 4, "stride": 3, "padding": (2, 1), "ceil_mode": True},
        {"x": (6,), "k": 4, "stride": 3, "divisor_override": 5},
    ],
)
def avg_pool(
    x: Form,
    k: PerAxis,
    stride: PerAxis | None = None,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: Integer | None = None,
    dims: int | None = None,
) -> Form:
    """The average over each window, with PyTorch's rules for the divisor.

    With ``count_include_pad`` the divisor is the part of the window inside the *padded* input
    (which is ``k`` except for a last window under ceil_mode), without it the part inside the input
    itself; ``divisor_override`` replaces either and is any nonzero integer.  A window that meets
    nothing of the input gives 0, whatever the divisor, as in PyTorch's loops; such windows need
    more padding than PyTorch allows (half the dilated kernel) or a dilation longer than the input.

    Hypotheses, shapes and errors are those of :func:`sum_pool`; a divisor 0 is
    :class:`derive.errors.WrongInput` too.

    Args:
        x: the input ``(…, *n)``.
        k: the length of the windows.
        stride: ``s``, by default ``k``.
        padding: ``(p_lo, p_hi)``, not negative.
        dilation: ``d``, the distance of the taps.
        ceil_mode: round the output length up.
        count_include_pad: count the padding in the divisor.
        divisor_override: the divisor of every window.
        dims: the number of spatial axes, the last ones; all by default.

    Returns:
        the form ``(…, *m)``.

    Source: PyTorch ``nn.AvgPool2d``.

    >>> from derive.form import tensor
    >>> from derive.table import values
    >>> values(avg_pool(tensor("x", 4), 2, padding=1), x=[1, 2, 4, 8])
    [Fraction(1, 2), 3, 4]
    >>> values(avg_pool(tensor("x", 4), 2, padding=1, count_include_pad=False), x=[1, 2, 4, 8])
    [1, 3, 8]
    """
    count = _dims(x, dims)
    kk, s, d, p, _, requires = windows(x, k, stride, padding, dilation, ceil_mode, count)
    batch, n = x.shape[: x.rank - count], x.shape[x.rank - count :]
    sums = sum_pool(x, kk, s, p, d, ceil_mode, count)
    if divisor_override is not None:
        den = lift(divisor_override)
        if den == 0:
            raise WrongInput("avg_pool: divisor_override = 0; give a nonzero divisor")
        return build(
            sums.shape, lambda *i: sums[i] * constant(Ratio(lift(1), den)), (*requires, ne(den, 0))
        )

    def body(*i: Expr) -> Value:
        divisor = lift(1)
        for ii, ki, si, di, (lo, hi), ni in zip(i[len(batch) :], kk, s, d, p, n, strict=True):
            start = si * ii - lo
            limit = ni + hi if count_include_pad else ni
            if count_include_pad and not ceil_mode:
                divisor = divisor * ki
            else:
                first = -(start // di) if not count_include_pad else lift(0)
                last = minimum(ki - 1, (limit - 1 - start) // di)
                divisor = divisor * (last - maximum(0, first) + 1)
        return sums[i] * constant(Ratio(lift(1), divisor))

    return build(sums.shape, body, requires)


@operator("pool", r"\operatorname{maxpool}_{\sigma}", samples=[])
def max_pool(
    x: Form,
    k: PerAxis,
    stride: PerAxis | None = None,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    ceil_mode: bool = False,
    dims: int | None = None,
    selection: str = "σ",
) -> Form:
    """Max pooling with a fixed selection: ``y[i] = x[s·i + d·σ(i) - p_lo]``, ``0 <= σ(i) < k``.

    In N-D the selection has one component an axis (``σ0``, ``σ1``, …); batch and channel indices
    are arguments of σ too.  Hypotheses, arguments, shapes and errors are those of :func:`sum_pool`;
    ``selection`` is the name of σ.  Source: PyTorch ``nn.MaxPool2d`` with ``return_indices=True``.

    >>> from derive.request import matrix_of
    >>> print(matrix_of("max_pool", 4, 2, taps=[1, 0]))
    · 1 · ·
    · · 1 ·
    """
    count = _dims(x, dims)
    kk, s, d, p, m, requires = windows(x, k, stride, padding, dilation, ceil_mode, count)
    batch = x.shape[: x.rank - count]

    def body(*i: Expr) -> Value:
        at, out = i[: len(batch)], i[len(batch) :]
        t = selected(selection, count, i)
        inside = tuple(between(0, ti, ki) for ti, ki in zip(t, kk, strict=True))
        return x[(*at, *_tap(out, t, s, d, p))].where(*inside)

    return build((*batch, *m), body, requires)


def selected(selection: str, dims: int, i: tuple[Integer, ...]) -> tuple[Expr, ...]:
    """The tap that the selection picks at output index ``i``: one component an axis."""
    if dims == 1:
        return (apply(selection, *i),)
    return tuple(apply(f"{selection}{axis}", *i) for axis in range(dims))


@operator("pool", r"\operatorname{unpool}_{\sigma}", samples=[])
def max_unpool(
    y: Form,
    k: PerAxis,
    length: PerAxis,
    stride: PerAxis | None = None,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    dims: int | None = None,
    selection: str = "σ",
) -> Form:
    """Put each value back where the selection took it from, adding where windows meet:
    ``x[s·i + d·σ(i) - p_lo] += y[i]``, zero elsewhere; output ``length`` per spatial axis.

    Defined for every ``length >= 1``; what lies beyond it is lost.

    Args:
        y: the pooled values ``(…, *m)``.
        k: the length of the windows.
        length: the length of the output, for every axis or one for each.
        stride: ``s``, by default ``k``.
        padding: ``(p_lo, p_hi)`` of the pooling.
        dilation: ``d``, the distance of the taps.
        dims: the number of spatial axes, the last ones; all by default.
        selection: the name of σ.

    Returns:
        the form ``(…, *length)``.

    Raises:
        WrongInput: for values that no such parameter has.

    Source: PyTorch ``nn.MaxUnpool2d``, which overwrites where windows meet.

    >>> from derive.request import matrix_of
    >>> print(matrix_of("max_unpool", 2, 2, length=4, taps=[1, 0]))
    · ·
    1 ·
    · 1
    · ·
    """
    count = _dims(y, dims)
    n = positive_axes(length, count, "length")
    kk = positive_axes(k, count, "kernel length")
    s = kk if stride is None else positive_axes(stride, count, "stride")
    d, p = positive_axes(dilation, count, "dilation"), pairs(padding, count)
    batch, m = y.shape[: y.rank - count], y.shape[y.rank - count :]

    def body(*u: Expr) -> Value:
        at, out = u[: len(batch)], u[len(batch) :]

        def put(i: tuple[Expr, ...]) -> Value:
            t = selected(selection, count, (*at, *i))
            inside = tuple(between(0, ti, ki) for ti, ki in zip(t, kk, strict=True))
            same = tuple(eq(a, b) for a, b in zip(out, _tap(i, t, s, d, p), strict=True))
            return y[(*at, *i)].where(*inside, *same)

        return sigmas(m, put)

    return build((*batch, *n), body, tuple(a >= 1 for a in n))


@operator("pool", r"\operatorname{gap}", samples=[{"x": (6,)}, {"x": (2, 3, 4), "dims": 2}])
def global_avg_pool(x: Form, dims: int | None = None) -> Form:
    """The average over the last ``dims`` axes, each of which keeps the length 1.

    Args:
        x: the input ``(…, *n)``.
        dims: the number of axes; all by default.

    Returns:
        the form ``(…, 1, …, 1)``.

    Raises:
        WrongInput: for fewer axes than ``dims``.

    Source: Keras ``GlobalAveragePooling1D(keepdims=True)``.

    >>> from derive.form import tensor
    >>> from derive.table import values
    >>> values(global_avg_pool(tensor("x", 4)), x=[1, 2, 4, 9])
    [4]
    """
    count = _dims(x, dims)
    return avg_pool(x, x.shape[x.rank - count :], dims=count)


@operator(
    "pool",
    r"\operatorname{adaptive}",
    samples=[{"x": (7,), "m": 3}, {"x": (5,), "m": 7}, {"x": (2, 5, 4), "m": (3, 2), "dims": 2}],
)
def adaptive_avg_pool(x: Form, m: PerAxis, dims: int | None = None) -> Form:
    """Average pooling to exactly ``m`` outputs: output ``i`` averages ``[⌊i n/m⌋, ⌈(i+1) n/m⌉)``.

    Args:
        x: the input ``(…, *n)``.
        m: the output length, at least 1, for every axis or one for each; it may exceed ``n``.
        dims: the number of spatial axes, the last ones; all by default.

    Returns:
        the form ``(…, *m)``.

    Raises:
        WrongInput: for lengths that are not positive.

    Source: PyTorch ``nn.AdaptiveAvgPool1d``.

    >>> from derive.form import tensor
    >>> from derive.table import values
    >>> values(adaptive_avg_pool(tensor("x", 5), 3), x=[1, 2, 4, 8, 16])
    [Fraction(3, 2), Fraction(14, 3), 12]
    """
    count = _dims(x, dims)
    lengths = positive_axes(m, count, "output length")
    batch, n = x.shape[: x.rank - count], x.shape[x.rank - count :]

    def body(*i: Expr) -> Value:
        at, out = i[: len(batch)], i[len(batch) :]
        ends = [shapes.adaptive_window(*a) for a in zip(out, n, lengths, strict=True)]
        divisor = lift(1)
        for lo, hi in ends:
            divisor = divisor * (hi - lo)

        def cell(j: tuple[Expr, ...]) -> Value:
            inside = tuple(between(lo, a, hi) for a, (lo, hi) in zip(j, ends, strict=True))
            return x[(*at, *j)].where(*inside)

        return sigmas(n, cell) * constant(Ratio(lift(1), divisor))

    return build((*batch, *lengths), body)
