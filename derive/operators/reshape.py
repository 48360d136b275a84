"""Axes merged into one and split again, in row-major order, and the shuffle of channels."""

from __future__ import annotations

import math

from derive.errors import WrongInput, expect
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

    Args:
        x: the input, of any rank.
        axis: the first of them, counted from the end (``-2`` is the last but one).
        count: how many, at least 1.

    Returns:
        the form whose new axis is as long as their product.

    Raises:
        WrongInput: for axes that there are not.

    Source: PyTorch ``torch.flatten``.

    >>> from derive.form import tensor
    >>> from derive.table import values
    >>> values(merge(tensor("x", 2, 3), -2, 2), x=[[1, 2, 3], [4, 5, 6]])
    [1, 2, 3, 4, 5, 6]
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

    Defined where the lengths multiply to the length of the axis.

    Args:
        x: the input, of any rank.
        axis: the axis, counted from the end.
        lengths: the lengths of the new axes.

    Returns:
        the form with the new axes in its place.

    Raises:
        WrongInput: for an axis that there is not and for lengths that are not positive.

    Source: PyTorch ``torch.unflatten``.

    >>> from derive.form import tensor
    >>> from derive.table import values
    >>> values(split(tensor("x", 6), -1, (2, 3)), x=[1, 2, 3, 4, 5, 6])
    [[1, 2, 3], [4, 5, 6]]
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

    Defined where ``g`` divides the number ``C`` of channels.

    Args:
        x: the input; the channels are the axis before the last ``dims``.
        groups: ``g``, at least 1.
        dims: the number of spatial axes.

    Returns:
        the form of the same shape.

    Raises:
        WrongInput: for an input without channels and for group counts that are not positive.

    Source: PyTorch ``nn.ChannelShuffle``.

    >>> from derive.form import tensor
    >>> from derive.table import values
    >>> values(channel_shuffle(tensor("x", 6), 2, dims=0), x=[1, 2, 3, 4, 5, 6])
    [1, 4, 2, 5, 3, 6]
    """
    g, axis = positive_axes(groups, 1, "group count")[0], _axis("channel_shuffle", x, -dims - 1)
    channels = x.shape[axis]

    def body(*i: Expr) -> Value:
        c = i[axis]
        return x[(*i[:axis], c % g * (channels // g) + c // g, *i[axis + 1 :])]

    return build(x.shape, body, (divides(g, channels), g >= 1))


def _axis(what: str, x: Form, axis: int) -> int:
    expect(
        axis, int, f"{what}: axis", "a number was expected; axes are counted from the end, as -1"
    )
    if not -x.rank <= axis < 0:
        raise WrongInput(
            f"{what}: axis = {axis} of an input with {x.rank} axes; choose one of {-x.rank}…-1"
        )
    return x.rank + axis
