"""Sum, average and max pooling with PyTorch's rules, and their gradients.

All take arrays of shape (*lead, *n), pool the trailing ``dims`` axes (all for None) and default
the stride to the kernel.  Sources: the ``torch.nn.AvgPoolNd``, ``MaxPoolNd`` and ``MaxUnpoolNd``
reference pages, and ``aten/src/ATen/native/Pool.h`` (output size) and ``AvgPoolKernel.cpp``
(divisor) for what they leave open.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from derive.numeric.loops.geometry import (
    Array,
    Axis,
    Index,
    Padding,
    PerAxis,
    Window,
    check_shape,
    exact,
    indices,
    sliding,
    spatial,
    zeros,
)


def sum_pool(
    x: npt.ArrayLike,
    k: PerAxis,
    stride: PerAxis | None = None,
    padding: Padding = (0, 0),
    dilation: PerAxis = 1,
    ceil_mode: bool = False,
    dims: int | None = None,
) -> Array:
    """y[i] = sum_t x[s i + d t - lo], padding read as zero.

    Number of windows: floor (or ceil) of (n + lo + hi - d(k-1) - 1) / s, plus 1; in ceil mode a
    last window that starts in the right padding is dropped.
    """
    x = exact(x)
    window = _pooling(x.shape, k, stride, padding, dilation, ceil_mode, dims)
    lead = x.shape[: x.ndim - len(window.axes)]
    y = zeros(lead + window.m)
    for b in indices(lead):
        for i in indices(window.m):
            for t in indices(window.k):
                j = window.read(i, t)
                if j is not None:
                    y[b + i] += x[b + j]
    return y


def avg_pool(
    x: npt.ArrayLike,
    k: PerAxis,
    stride: PerAxis | None = None,
    padding: Padding = (0, 0),
    dilation: PerAxis = 1,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    dims: int | None = None,
) -> Array:
    """y[i] = (sum_t x[s i + d t - lo]) / D[i], as Fractions.

    D[i] is ``divisor_override`` if given; else the number of taps before position n + hi (the
    window clipped at the end of the right padding) with ``count_include_pad``; else the number of
    taps on the data, and a window with none gives 0.
    """
    x = exact(x)
    window = _pooling(x.shape, k, stride, padding, dilation, ceil_mode, dims)
    y = sum_pool(x, k, stride, padding, dilation, ceil_mode, dims)
    lead = x.shape[: x.ndim - len(window.axes)]
    for i, by in _weights(window, count_include_pad, divisor_override).items():
        for b in indices(lead):
            y[b + i] *= by
    return y


def max_pool(
    x: npt.ArrayLike,
    k: PerAxis,
    stride: PerAxis | None = None,
    padding: Padding = (0, 0),
    dilation: PerAxis = 1,
    ceil_mode: bool = False,
    dims: int | None = None,
) -> tuple[Array, Array]:
    """(values, selection): the maximum of each window, and the tap where it is first met.

    ``selection[i]`` is the row-major rank of the tap inside the window.  Padding never wins; a
    window of nothing but padding is a ValueError.
    """
    x = exact(x)
    window = _pooling(x.shape, k, stride, padding, dilation, ceil_mode, dims)
    lead = x.shape[: x.ndim - len(window.axes)]
    values = zeros(lead + window.m)
    selection = np.zeros(lead + window.m, dtype=np.int64)
    for b in indices(lead):
        for i in indices(window.m):
            best: tuple[object, int] | None = None
            for rank, t in enumerate(indices(window.k)):
                j = window.read(i, t)
                if j is not None and (best is None or x[b + j] > best[0]):
                    best = x[b + j], rank
            if best is None:
                raise ValueError(f"max pooling: window {i} holds nothing but padding")
            values[b + i], selection[b + i] = best
    return values, selection


def max_pool_with_selection(
    x: npt.ArrayLike,
    selection: npt.ArrayLike,
    k: PerAxis,
    stride: PerAxis | None = None,
    padding: Padding = (0, 0),
    dilation: PerAxis = 1,
    ceil_mode: bool = False,
    dims: int | None = None,
) -> Array:
    """The linear read y[i] = x[s i + d t(i) - lo], t(i) the tap of rank ``selection[i]``.

    A selected tap on the padding reads 0.
    """
    x = exact(x)
    window = _pooling(x.shape, k, stride, padding, dilation, ceil_mode, dims)
    chosen, y = _selection(selection, x.shape, window), zeros(np.shape(selection))
    for place, tap in chosen.items():
        cut = len(place) - len(window.axes)
        j = window.read(place[cut:], tap)
        if j is not None:
            y[place] = x[place[:cut] + j]
    return y


def max_unpool(
    y: npt.ArrayLike,
    selection: npt.ArrayLike,
    n: Sequence[int],
    k: PerAxis,
    stride: PerAxis | None = None,
    padding: Padding = (0, 0),
    dilation: PerAxis = 1,
    ceil_mode: bool = False,
) -> Array:
    """The scatter x[s i + d t(i) - lo] += y[i] into spatial lengths ``n``.

    Additive, so it is the adjoint of :func:`max_pool_with_selection`.  ``torch.nn.MaxUnpoolNd``
    assigns instead: the two agree where no entry is selected twice.
    """
    y = exact(y)
    shape = (*y.shape[: y.ndim - len(n)], *n)
    window = _pooling(shape, k, stride, padding, dilation, ceil_mode, len(n))
    chosen, x = _selection(selection, shape, window), zeros(shape)
    check_shape("y", y.shape, np.shape(selection))
    for place, tap in chosen.items():
        cut = len(place) - len(n)
        j = window.read(place[cut:], tap)
        if j is not None:
            x[place[:cut] + j] += y[place]
    return x


def sum_pool_grad(
    g: npt.ArrayLike,
    input_shape: Sequence[int],
    k: PerAxis,
    stride: PerAxis | None = None,
    padding: Padding = (0, 0),
    dilation: PerAxis = 1,
    ceil_mode: bool = False,
    dims: int | None = None,
) -> Array:
    """Gradient of <g, sum_pool(x)>: gx[j] = sum of g[i] over the windows i that read j."""
    window = _pooling(input_shape, k, stride, padding, dilation, ceil_mode, dims)
    return _spread(exact(g), tuple(input_shape), window)


def avg_pool_grad(
    g: npt.ArrayLike,
    input_shape: Sequence[int],
    k: PerAxis,
    stride: PerAxis | None = None,
    padding: Padding = (0, 0),
    dilation: PerAxis = 1,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    dims: int | None = None,
) -> Array:
    """Gradient of <g, avg_pool(x)>: gx[j] = sum of g[i] / D[i] over the windows i that read j."""
    window = _pooling(input_shape, k, stride, padding, dilation, ceil_mode, dims)
    g = exact(g)
    _check_cotangent(g, tuple(input_shape), window)
    for i, by in _weights(window, count_include_pad, divisor_override).items():
        for b in indices(g.shape[: g.ndim - len(i)]):
            g[b + i] *= by
    return _spread(g, tuple(input_shape), window)


def max_pool_grad(
    g: npt.ArrayLike,
    selection: npt.ArrayLike,
    input_shape: Sequence[int],
    k: PerAxis,
    stride: PerAxis | None = None,
    padding: Padding = (0, 0),
    dilation: PerAxis = 1,
    ceil_mode: bool = False,
    dims: int | None = None,
) -> Array:
    """Gradient of <g, max_pool(x)>: gx[j] = sum of g[i] over the windows i that selected j."""
    g = exact(g)
    window = _pooling(input_shape, k, stride, padding, dilation, ceil_mode, dims)
    chosen = _selection(selection, tuple(input_shape), window)
    check_shape("g", g.shape, np.shape(selection))
    gx = zeros(input_shape)
    cut = gx.ndim - len(window.axes)
    for place in indices(gx.shape):
        for t in indices(window.k):
            i = window.reach(place[cut:], t)
            if i is not None and chosen[place[:cut] + i] == t:
                gx[place] += g[place[:cut] + i]
    return gx


def _pooling(
    shape: Sequence[int],
    k: PerAxis,
    stride: PerAxis | None,
    padding: Padding,
    dilation: PerAxis,
    ceil_mode: bool,
    dims: int | None,
) -> Window:
    n = spatial(shape, dims)
    return sliding(n, k, k if stride is None else stride, padding, dilation, 1, ceil_mode)


def _weights(window: Window, include: bool, override: int | None) -> dict[Index, Fraction]:
    """1 / D[i] for every window i, 0 for an empty one."""
    if override is not None and override < 1:
        raise ValueError(f"divisor_override must be at least 1, got {override}")
    weights = {}
    for i in indices(window.m):
        counts = [_taps(a, p, include) for a, p in zip(window.axes, i, strict=True)]
        divisor = math.prod(counts) if override is None else override
        weights[i] = Fraction(1, divisor) if divisor else Fraction(0)
    return weights


def _taps(axis: Axis, i: int, include: bool) -> int:
    """How many taps of window i count on this axis."""
    if include:
        return sum(axis.position(i, t) < axis.n + axis.hi for t in range(axis.k))
    return sum(axis.read(i, t) is not None for t in range(axis.k))


def _spread(g: Array, input_shape: Index, window: Window) -> Array:
    _check_cotangent(g, input_shape, window)
    gx = zeros(input_shape)
    cut = gx.ndim - len(window.axes)
    for place in indices(gx.shape):
        for t in indices(window.k):
            i = window.reach(place[cut:], t)
            if i is not None:
                gx[place] += g[place[:cut] + i]
    return gx


def _check_cotangent(g: Array, input_shape: Index, window: Window) -> None:
    check_shape("g", g.shape, input_shape[: len(input_shape) - len(window.axes)] + window.m)


def _selection(selection: npt.ArrayLike, input_shape: Index, window: Window) -> dict[Index, Index]:
    """The selected tap (as an index) of every output entry."""
    ranks = exact(selection)
    wanted = input_shape[: len(input_shape) - len(window.axes)] + window.m
    check_shape("selection", ranks.shape, wanted)
    taps = list(indices(window.k))
    if any(not 0 <= rank < len(taps) for rank in ranks.flat):
        raise ValueError(f"a selection must lie between 0 and {len(taps) - 1}")
    return {place: taps[ranks[place]] for place in indices(ranks.shape)}
