"""Resizing to any length, extension beyond the ends without a limit, and depth to space."""

from __future__ import annotations

from typing import Any

from derive.errors import WrongInput
from derive.expr import Expr, Integer, Sym, divides, lift, maximum, minimum
from derive.form import Form, Value, build
from derive.operators.registry import Padding, PerAxis, operator, pairs, per_axis, positive_axes
from derive.operators.sample import Change, Row, along_each
from derive.operators.upsample import between_samples

NEAREST = ("floor", "ceil", "round_prefer_floor", "round_prefer_ceil")
EXTENSIONS = ("circular", "reflect", "symmetric")
ORDERS = ("DCR", "CRD")

RESIZE_SAMPLES: list[dict[str, Any]] = [
    {"x": (5,), "length": 7, "top": 5, "den": 7},
    {"x": (4,), "length": 3, "top": 8, "start": 1, "den": 6, "mode": "ceil"},
    {"x": (5,), "length": 4, "top": 10, "start": 1, "den": 8, "mode": "round_prefer_floor"},
    {"x": (3,), "length": 6, "top": 6, "start": -3, "den": 12, "mode": "round_prefer_ceil"},
    {"x": (5,), "length": 3, "top": 10, "start": 2, "den": 6, "mode": "linear"},
    {
        "x": (2, 3, 4),
        "length": (5, 3),
        "top": (6, 8),
        "start": (-2, 1),
        "den": (10, 6),
        "mode": "linear",
        "dims": 2,
    },
]


@operator("upsample", r"\operatorname{resize}", samples=RESIZE_SAMPLES)
def resize(
    x: Form,
    length: PerAxis,
    top: PerAxis,
    den: PerAxis,
    start: PerAxis = 0,
    mode: str = "floor",
    dims: int | None = None,
) -> Form:
    """Resample at given positions: output ``i`` sits at ``(top·i + start)/den`` of the input.

    Positions beyond the ends read the end.  Defined for ``length, den >= 1``.

    Args:
        x: the input ``(…, *n)``.
        length: the length of the output, for every axis or one for each.
        top: how far a step goes, as the numerator over ``den``.
        den: the denominator of the positions.
        start: where output 0 sits, over ``den``.
        mode: ``linear``, or how the position is rounded to a sample: ``floor``, ``ceil``,
            ``round_prefer_floor``, ``round_prefer_ceil`` (halves down, up).
        dims: the number of spatial axes, the last ones; all by default.

    Returns:
        the form ``(…, *length)``.

    Raises:
        WrongInput: for unknown modes and for lengths that are not positive.

    Source: the coordinate transformations of ONNX ``Resize``.

    >>> from derive.form import tensor
    >>> from derive.table import values
    >>> values(resize(tensor("x", 3), 6, 1, 2, mode="linear"), x=[1, 2, 4])
    [1, Fraction(3, 2), 2, 3, 4, 4]
    """
    if mode != "linear" and mode not in NEAREST:
        raise WrongInput(
            f"resize: mode = {mode!r} is unknown; give linear or one of {', '.join(NEAREST)}"
        )
    count = x.rank if dims is None else dims
    m, q = positive_axes(length, count, "length"), positive_axes(den, count, "denominator")
    a, b = per_axis(top, count, "top"), per_axis(start, count, "start")

    def change(axis: int, n: Expr) -> Change | None:
        if m[axis] == n and a[axis] == q[axis] and b[axis] == 0:
            return None

        step, first, den = _lowest(a[axis], b[axis], q[axis])

        def read(row: Row, i: Expr) -> Value:
            num = step * i + first
            if mode == "linear":
                return between_samples(row, num, den, n)
            return row(minimum(maximum(rounded(num, den, mode), 0), n - 1))

        return Change(m[axis], read, (m[axis] >= 1, q[axis] >= 1))

    return along_each(x, count, "resize", change)


def _lowest(step: Expr, first: Expr, den: Expr) -> tuple[Expr, Expr, Expr]:
    """The three without the sizes, at least 1, that divide them all: ``(2n, n, 4n)`` is ``(2, 1, 4)``."""
    for s in den.symbols():
        while (s.minimum or 0) >= 1 and all(s in m for v in (step, first, den) for m, _ in v.terms):
            step, first, den = _without(step, s), _without(first, s), _without(den, s)
    return step, first, den


def _without(value: Expr, s: Sym) -> Expr:
    terms = {}
    for monomial, c in value.terms:
        at = monomial.index(s)
        terms[monomial[:at] + monomial[at + 1 :]] = c
    return Expr(terms)


def rounded(num: Expr, den: Expr, mode: str) -> Expr:
    """The integer that ``num/den`` is rounded to.

    >>> [int(rounded(lift(5), lift(2), mode)) for mode in NEAREST]
    [2, 3, 2, 3]
    """
    return {
        "floor": num // den,
        "ceil": -((-num) // den),
        "round_prefer_floor": -((den - 2 * num) // (2 * den)),
        "round_prefer_ceil": (2 * num + den) // (2 * den),
    }[mode]


@operator(
    "sample",
    r"\operatorname{extend}",
    samples=[
        {"x": (3,), "padding": (4, 8), "mode": "circular"},
        {"x": (4,), "padding": (7, 2), "mode": "reflect"},
        {"x": (1,), "padding": (1, 2), "mode": "reflect"},
        {"x": (3,), "padding": (2, 7), "mode": "symmetric"},
        {"x": (2, 3), "padding": ((1, 5), (-1, 4)), "mode": "symmetric"},
    ],
)
def extend(x: Form, padding: Padding, mode: str, dims: int | None = None) -> Form:
    """Lengthen the last ``dims`` axes by any amounts, repeating what is there.

    ``circular`` has period ``n``, ``reflect`` mirrors about the end samples (period ``2(n-1)``),
    ``symmetric`` about the ends themselves (period ``2n``).  Where :func:`derive.operators.pad` stops at
    one period, this has no limit.  Defined for ``n >= 1`` and a result of at least one sample.

    Args:
        x: the input ``(…, *n)``.
        padding: an amount, ``(lo, hi)``, or one such pair for each axis; negative amounts crop.
        mode: ``circular``, ``reflect`` or ``symmetric``.
        dims: the number of axes; all by default.

    Returns:
        the form ``(…, *(n + lo + hi))``.

    Raises:
        WrongInput: for unknown modes.

    Source: ``numpy.pad`` for any width.

    >>> from derive.form import tensor
    >>> from derive.table import values
    >>> values(extend(tensor("x", 3), (3, 0), "reflect"), x=[1, 2, 3])
    [2, 3, 2, 1, 2, 3]
    """
    if mode not in EXTENSIONS:
        raise WrongInput(
            f"extend: mode = {mode!r} is unknown; choose one of {', '.join(EXTENSIONS)}"
        )
    count = x.rank if dims is None else dims
    amounts = pairs(padding, count)

    def change(axis: int, n: Expr) -> Change | None:
        lo, hi = amounts[axis]
        if lo == 0 and hi == 0:
            return None
        length = n + lo + hi
        return Change(length, lambda row, i: row(_folded(i - lo, n, mode)), (length >= 1, n >= 1))

    return along_each(x, count, "extend", change)


def _folded(j: Expr, n: Expr, mode: str) -> Expr:
    if mode == "circular":
        return j % n
    last = 2 * n - 1 if mode == "symmetric" else 2 * (n - 1)
    period = 2 * n if mode == "symmetric" else maximum(2 * (n - 1), 1)
    place = j % period
    return minimum(place, last - place)


@operator(
    "rearrange",
    r"\operatorname{d2s}",
    samples=[
        {"x": (8, 2, 3), "r": 2},
        {"x": (8, 2, 3), "r": 2, "mode": "CRD"},
        {"x": (2, 9, 1, 2), "r": 3},
        {"x": (6, 4), "r": 3, "dims": 1},
    ],
)
def depth_to_space(x: Form, r: Integer, mode: str = "DCR", dims: int = 2) -> Form:
    """``(…, c·r^D, *n) → (…, c, *(r·n))``: channels become blocks of ``r`` samples.

    ``DCR`` takes the block's place as the slower part of the channel, ``CRD`` as the faster one
    (:func:`derive.operators.pixel_shuffle`).  Defined where ``r^D`` divides the channels.

    Args:
        x: the input, channels in front of ``D = dims`` spatial axes.
        r: the factor, at least 1.
        mode: ``DCR`` or ``CRD``.
        dims: the number of spatial axes.

    Returns:
        the form ``(…, c, *(r·n))``.

    Raises:
        WrongInput: for unknown modes, factors that are not positive, and an input without channels.

    Source: ONNX ``DepthToSpace``.

    >>> from derive.form import tensor
    >>> from derive.table import values
    >>> values(depth_to_space(tensor("x", 4, 1), 2, dims=1), x=[[1], [2], [3], [4]])
    [[1, 3], [2, 4]]
    """
    factor, lead = _blocks("depth_to_space", x, r, mode, dims)
    block, n = factor**dims, x.shape[x.rank - dims :]
    channels = x.shape[lead] // block

    def body(*index: Expr) -> Value:
        batch, c, u = index[:lead], index[lead], index[lead + 1 :]
        inner = lift(0)
        for a in u:
            inner = inner * factor + a % factor
        depth = inner * channels + c if mode == "DCR" else c * block + inner
        return x[(*batch, depth, *(a // factor for a in u))]

    shape = (*x.shape[:lead], channels, *(factor * a for a in n))
    return build(shape, body, (divides(block, x.shape[lead]), x.shape[lead] >= block))


@operator(
    "rearrange",
    r"\operatorname{s2d}",
    samples=[
        {"x": (2, 4, 6), "r": 2},
        {"x": (2, 4, 6), "r": 2, "mode": "CRD"},
        {"x": (2, 1, 3, 6), "r": 3},
        {"x": (2, 6), "r": 3, "dims": 1},
    ],
)
def space_to_depth(x: Form, r: Integer, mode: str = "DCR", dims: int = 2) -> Form:
    """The inverse of :func:`depth_to_space`: ``(…, c, *(r·n)) → (…, c·r^D, *n)``.

    Defined where ``r`` divides every length; arguments and errors are those of
    :func:`depth_to_space`.  Source: ONNX ``SpaceToDepth``.

    >>> from derive.form import tensor
    >>> from derive.table import values
    >>> values(space_to_depth(tensor("x", 2, 2), 2, dims=1), x=[[1, 3], [2, 4]])
    [[1], [2], [3], [4]]
    """
    factor, lead = _blocks("space_to_depth", x, r, mode, dims)
    block, n, channels = factor**dims, x.shape[x.rank - dims :], x.shape[lead]

    def body(*index: Expr) -> Value:
        batch, c, i = index[:lead], index[lead], index[lead + 1 :]
        inner = c // channels if mode == "DCR" else c % block
        depth = c % channels if mode == "DCR" else c // block
        at = [
            factor * a + inner // factor ** (dims - 1 - axis) % factor for axis, a in enumerate(i)
        ]
        return x[(*batch, depth, *at)]

    whole = tuple(c for a in n for c in (divides(factor, a), a >= factor))
    return build((*x.shape[:lead], channels * block, *(a // factor for a in n)), body, whole)


def _blocks(what: str, x: Form, r: Integer, mode: str, dims: int) -> tuple[Expr, int]:
    if mode not in ORDERS:
        raise WrongInput(f"{what}: mode = {mode!r} is unknown; choose one of {', '.join(ORDERS)}")
    if x.rank < dims + 1:
        raise WrongInput(
            f"{what}: the input has {x.rank} axes; give channels and {dims} spatial axes"
        )
    return positive_axes(r, 1, "block size")[0], x.rank - dims - 1
