"""Rearrangements of the entries of a tensor: pixel shuffle, im2col, permutation of axes."""

from __future__ import annotations

from collections.abc import Sequence

from derive.errors import WrongInput, expect
from derive.expr import Expr, Integer, divides, lift
from derive.form import Form, Value, build, tensor, vjp
from derive.form import substitute as compose
from derive.operators.pool import windows
from derive.operators.registry import Padding, PerAxis, operator, positive_axes


@operator(
    "rearrange",
    r"\operatorname{shuffle}",
    samples=[{"x": (6, 4), "r": 3}, {"x": (8, 2, 3), "r": 2}],
)
def pixel_shuffle(x: Form, r: Integer) -> Form:
    """``(c·r^D, *n) → (c, *(r·n))``: ``y[c, r·i + a] = x[c·r^D + a, i]`` (PyTorch's order).

    Defined where ``r^D`` divides the number of channels.

    Args:
        x: the input, channels first, then ``D >= 1`` spatial axes.
        r: the factor, at least 1.

    Returns:
        the form ``(c, *(r·n))``.

    Raises:
        WrongInput: for an input without spatial axes and for factors that are not positive.

    Source: PyTorch ``nn.PixelShuffle``.

    >>> from derive.form import tensor
    >>> from derive.table import values
    >>> values(pixel_shuffle(tensor("x", 2, 2), 2), x=[[1, 2], [3, 4]])
    [[1, 3, 2, 4]]
    """
    dims, factor = x.rank - 1, positive_axes(r, 1, "factor")[0]
    if dims < 1:
        raise WrongInput("pixel_shuffle: the input has no spatial axis; give (channels, *n)")
    block = factor**dims
    channels, n = x.shape[0], x.shape[1:]

    def body(c: Expr, *u: Expr) -> Value:
        inner = lift(0)
        for a in u:
            inner = inner * factor + a % factor
        return x[(c * block + inner, *(a // factor for a in u))]

    return build(
        (channels // block, *(factor * a for a in n)),
        body,
        (divides(block, channels), channels >= block),
    )


@operator(
    "rearrange",
    r"\operatorname{unshuffle}",
    samples=[{"x": (2, 6), "r": 3}, {"x": (1, 4, 6), "r": 2}],
)
def pixel_unshuffle(x: Form, r: Integer) -> Form:
    """The inverse of :func:`pixel_shuffle`: ``(c, *(r·n)) → (c·r^D, *n)``.

    ``y[c·r^D + a, i] = x[c, r·i + a]``, defined where ``r`` divides every length; arguments and errors
    are those of :func:`pixel_shuffle`.  Source: PyTorch ``nn.PixelUnshuffle``.

    >>> from derive.form import tensor
    >>> from derive.table import values
    >>> values(pixel_unshuffle(tensor("x", 1, 4), 2), x=[[1, 3, 2, 4]])
    [[1, 2], [3, 4]]
    """
    dims, factor = x.rank - 1, positive_axes(r, 1, "factor")[0]
    if dims < 1:
        raise WrongInput("pixel_unshuffle: the input has no spatial axis; give (channels, *n)")
    block = factor**dims
    channels, n = x.shape[0], x.shape[1:]

    def body(c: Expr, *i: Expr) -> Value:
        inner, at = c % block, []
        for axis, a in enumerate(i):
            step = factor ** (dims - 1 - axis)
            at.append(factor * a + inner // step % factor)
        return x[(c // block, *at)]

    whole = tuple(divides(factor, a) for a in n)
    return build(
        (channels * block, *(a // factor for a in n)), body, (*whole, *(a >= factor for a in n))
    )


@operator(
    "rearrange",
    r"\operatorname{im2col}",
    samples=[
        {"x": (7,), "k": 3, "stride": 2, "padding": (1, 0)},
        {"x": (4, 5), "k": (2, 3), "dilation": (2, 1)},
        {"x": (2, 6), "k": 3, "dims": 1},
    ],
)
def im2col(
    x: Form,
    k: PerAxis,
    stride: PerAxis = 1,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    dims: int | None = None,
) -> Form:
    """All windows side by side: ``C[…, t, i] = x[…, s·i + d·t - p_lo]``, taps before positions.

    The axes are kept apart, ``(…, *k, *m)``; PyTorch's ``Unfold`` merges the leading axes with the
    taps, and the positions, each in row-major order.  Defined for ``k, s, d >= 1``,
    ``p_lo, p_hi >= 0`` and a padded input at least as long as the dilated window.

    Args:
        x: the input ``(…, *n)``.
        k: the length of the windows, for every axis or one for each.
        stride: ``s``.
        padding: ``(p_lo, p_hi)`` zeros.
        dilation: ``d``, the distance of the taps.
        dims: the number of spatial axes, the last ones; all by default.

    Returns:
        the form ``(…, *k, *m)`` with ``m = ⌊(n + p_lo + p_hi - d(k-1) - 1)/s⌋ + 1``.

    Raises:
        WrongInput: for values that no such parameter has, and for fewer axes than ``dims``.

    Source: PyTorch ``nn.Unfold``.

    >>> from derive.form import tensor
    >>> from derive.table import values
    >>> values(im2col(tensor("x", 4), 2), x=[1, 2, 4, 8])
    [[1, 2, 4], [2, 4, 8]]
    """
    count = x.rank if dims is None else dims
    kk, s, d, p, m, requires = windows(x, k, stride, padding, dilation, False, count)
    lead = x.rank - count

    def body(*index: Expr) -> Value:
        at, t, i = index[:lead], index[lead : lead + count], index[lead + count :]
        place = (
            si * ii + di * ti - lo for ii, ti, si, di, (lo, _) in zip(i, t, s, d, p, strict=True)
        )
        return x[(*at, *place)]

    return build((*x.shape[:lead], *kk, *m), body, requires)


@operator("rearrange", r"\operatorname{col2im}", samples=[])
def col2im(
    c: Form,
    length: PerAxis,
    stride: PerAxis = 1,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    dims: int = 1,
) -> Form:
    """Add every window back in its place: the adjoint of :func:`im2col` for inputs of ``length``.

    ``x[s·i + d·t - p_lo] += C[t, i]``, defined where :func:`im2col` of that length is.

    Args:
        c: the columns ``(…, *k, *m)``.
        length: the length of the output, for every axis or one for each.
        stride: ``s``.
        padding: ``(p_lo, p_hi)`` of the windows.
        dilation: ``d``, the distance of the taps.
        dims: the number of spatial axes.

    Returns:
        the form ``(…, *length)``.

    Raises:
        WrongInput: for columns that no input of this length has.

    Source: PyTorch ``nn.Fold``.

    >>> from derive.form import tensor
    >>> from derive.table import values
    >>> values(col2im(tensor("c", 2, 3), 4), c=[[1, 2, 4], [2, 4, 8]])
    [1, 4, 8, 8]
    """
    lead = c.rank - 2 * dims
    if lead < 0:
        raise WrongInput(
            f"col2im: the columns have {c.rank} axes, {2 * dims} are needed for {dims} spatial ones; "
            "give (…, *k, *m)"
        )
    n = positive_axes(length, dims, "length")
    x = tensor("~x", *c.shape[:lead], *n)
    columns = im2col(x, c.shape[lead : lead + dims], stride, padding, dilation, dims)
    if columns.shape != c.shape:
        raise WrongInput(
            f"col2im: columns of shape ({', '.join(map(str, c.shape))}) do not come from an input of "
            f"length {', '.join(map(str, n))}, which gives ({', '.join(map(str, columns.shape))}); "
            "give the matching length"
        )
    return compose(vjp(columns, "~x", tensor("~c", *c.shape)), "~c", c)


@operator("rearrange", r"\operatorname{permute}", samples=[{"x": (2, 3, 4), "order": (2, 0, 1)}])
def permute(x: Form, order: Sequence[int]) -> Form:
    """Reorder the axes: axis ``a`` of the output is axis ``order[a]`` of the input.

    Args:
        x: the input, of any rank.
        order: every axis once.

    Returns:
        the form of the permuted shape.

    Raises:
        WrongInput: for what is no order of the axes.

    Source: PyTorch ``torch.permute``.

    >>> from derive.form import tensor
    >>> from derive.table import values
    >>> values(permute(tensor("x", 2, 3), (1, 0)), x=[[1, 2, 3], [4, 5, 6]])
    [[1, 4], [2, 5], [3, 6]]
    """
    expect(order, (tuple, list), "permute: order", "a list was expected; name every axis once")
    if sorted(order, key=str) != sorted(range(x.rank), key=str):
        raise WrongInput(
            f"permute: {tuple(order)} is no order of {x.rank} axes; name each of 0…{x.rank - 1} once"
        )
    back = [list(order).index(a) for a in range(x.rank)]
    return build(tuple(x.shape[a] for a in order), lambda *i: x[tuple(i[a] for a in back)])


@operator("rearrange", r"\operatorname{select}", samples=[{"x": (3, 4), "axis": 0, "at": 2}])
def select(x: Form, axis: int, at: Integer) -> Form:
    """One slice along an axis, which disappears.

    ``y[…] = x[…, at, …]``, defined for ``0 <= at < n`` of that axis.

    Args:
        x: the input, of any rank.
        axis: the axis, counted from 0.
        at: the index on it.

    Returns:
        the form without the axis.

    Raises:
        WrongInput: for an axis that there is not.

    Source: PyTorch ``torch.select``.

    >>> from derive.form import tensor
    >>> from derive.table import values
    >>> values(select(tensor("x", 2, 3), axis=1, at=2), x=[[1, 2, 3], [4, 5, 6]])
    [3, 6]
    """
    expect(axis, int, "select: axis", "a number was expected; axes are counted from 0")
    if not 0 <= axis < x.rank:
        raise WrongInput(
            f"select: axis = {axis} of an input with {x.rank} axes; choose one of 0…{x.rank - 1}"
        )
    shape = (*x.shape[:axis], *x.shape[axis + 1 :])
    position = lift(at)
    inside = (position >= 0, position < x.shape[axis])
    return build(shape, lambda *i: x[(*i[:axis], position, *i[axis:])], inside)
