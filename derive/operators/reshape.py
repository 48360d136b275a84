"""Axes merged into one and split again, in row-major order, and the shuffle of channels."""

from __future__ import annotations

import math

from derive.errors import WrongInput
from derive.expr import Expr, Integer, divides, eq, lift
from derive.form import Form, Value, build
from derive.operators.registry import PerAxis, operator, positive_axes


@operator(
    "rearrange",
    r"\operatorname{merge}",
    samples=[
        {"x": (2, 3, 4), "axis": -2, "count": 2},
        {"x": (3, 2, 5), "axis": -3, "count": 3},
        {"x": (2, 3, 2), "axis": -3, "count": 2},
    ],
)
def merge(x: Form, axis: int, count: int) -> Form:
    """Make one axis of ``count`` neighbouring ones, the last of them the fastest.

    ``axis`` is the first of them, counted from the end (``-2`` is the last but one).

    >>> from derive.form import tensor
    >>> merge(tensor("x", 2, 3, 4), -2, 2).shape == (2, 12)
    True
    """
    first = _axis("merge", x, axis)
    if count < 1 or first + count > x.rank:
        raise WrongInput(
            f"merge: {count} axes from axis {axis} of an input with {x.rank} axes; "
            "name neighbouring axes that exist"
        )
    lengths = x.shape[first : first + count]

    def body(*i: Expr) -> Value:
        parts: list[Expr] = []
        rest = i[first]
        for n in reversed(lengths[1:]):
            parts.insert(0, rest % n)
            rest = rest // n
        return x[(*i[:first], rest, *parts, *i[first + 1 :])]

    total = math.prod(lengths, start=lift(1))
    return build((*x.shape[:first], total, *x.shape[first + count :]), body)


@operator(
    "rearrange",
    r"\operatorname{split}",
    samples=[
        {"x": (2, 12), "axis": -1, "lengths": (3, 4)},
        {"x": (12, 5), "axis": -2, "lengths": (2, 3, 2)},
    ],
)
def split(x: Form, axis: int, lengths: PerAxis) -> Form:
    """Make several axes of one, the last of them the fastest: the inverse of :func:`merge`.

    ``axis`` is counted from the end; defined where the lengths multiply to its length.

    >>> from derive.form import tensor
    >>> split(tensor("x", 2, 12), -1, (3, 4)).shape == (2, 3, 4)
    True
    """
    first = _axis("split", x, axis)
    count = len(lengths) if isinstance(lengths, (tuple, list)) else 1
    new = positive_axes(lengths, count, "length")
    total = math.prod(new, start=lift(1))

    def body(*i: Expr) -> Value:
        place = lift(0)
        for a, n in zip(i[first : first + count], new, strict=True):
            place = place * n + a
        return x[(*i[:first], place, *i[first + count :])]

    fits = (eq(total, x.shape[first]), *(n >= 1 for n in new))
    return build((*x.shape[:first], *new, *x.shape[first + 1 :]), body, fits)


@operator(
    "rearrange",
    r"\operatorname{cshuffle}",
    samples=[{"x": (6, 2), "groups": 3}, {"x": (2, 6, 3, 2), "groups": 2, "dims": 2}],
)
def channel_shuffle(x: Form, groups: Integer, dims: int = 1) -> Form:
    """Deal the channels of ``g`` groups out in turn: ``y[c] = x[(c mod g)·(C/g) + ⌊c/g⌋]``.

    The channels are the axis before the last ``dims``.  Source: PyTorch ``nn.ChannelShuffle``.

    >>> from derive.form import tensor
    >>> channel_shuffle(tensor("x", 6, 5), 3).shape == (6, 5)
    True
    """
    g, axis = positive_axes(groups, 1, "group count")[0], _axis("channel_shuffle", x, -dims - 1)
    channels = x.shape[axis]

    def body(*i: Expr) -> Value:
        c = i[axis]
        return x[(*i[:axis], c % g * (channels // g) + c // g, *i[axis + 1 :])]

    return build(x.shape, body, (divides(g, channels), g >= 1))


def _axis(what: str, x: Form, axis: int) -> int:
    if not -x.rank <= axis < 0:
        raise WrongInput(
            f"{what}: axis = {axis} of an input with {x.rank} axes; choose one of {-x.rank}…-1"
        )
    return x.rank + axis
