"""Operators that only move entries: padding, flips, shifts, resampling grids, im2col, shuffles."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy.typing as npt

from derive.numeric.loops.geometry import (
    Array,
    Index,
    Padding,
    PerAxis,
    Window,
    check_shape,
    exact,
    indices,
    pairs,
    per_axis,
    sliding,
    spatial,
    zeros,
)


def pad(x: npt.ArrayLike, padding: Padding, mode: str = "zero", dims: int | None = None) -> Array:
    """y[i] = X[i - lo], 0 <= i < n + lo + hi, where X extends x to all integers.

    X is zero outside ('zero'), n-periodic ('circular'), mirrored about the end entries without
    repeating them, period 2(n-1) ('reflect'), or constant beyond the ends ('replicate'), for pads
    of any width.  A negative lo or hi crops what the extension gave.  Sources: ``numpy.pad``
    (wrap, reflect, edge) and ``torch.nn.functional.pad``, which limits the width, and which in
    circular mode with one negative end crops first and then wraps the rest.
    """
    if mode not in _EXTENSIONS:
        raise ValueError(f"unknown padding mode {mode!r}, choose from {', '.join(_EXTENSIONS)}")
    x = exact(x)
    n = spatial(x.shape, dims)
    ends = pairs(padding, len(n))
    if mode == "reflect" and any(v == 1 and max(e) > 0 for v, e in zip(n, ends, strict=True)):
        raise ValueError("reflect padding needs at least two entries per padded axis")
    length = tuple(v + lo + hi for v, (lo, hi) in zip(n, ends, strict=True))
    extend = _EXTENSIONS[mode]
    return _read(
        x,
        length,
        lambda i: tuple(extend(p - lo, v) for p, v, (lo, _) in zip(i, n, ends, strict=True)),
    )


def _reflected(j: int, n: int) -> int:
    period = max(1, 2 * (n - 1))
    return n - 1 - abs(n - 1 - j % period)


_EXTENSIONS: dict[str, Callable[[int, int], int]] = {
    "zero": lambda j, n: j,
    "circular": lambda j, n: j % n,
    "reflect": _reflected,
    "replicate": lambda j, n: min(max(j, 0), n - 1),
}


def flip(x: npt.ArrayLike, dims: int | None = None) -> Array:
    """y[i] = x[n-1-i] in each of the trailing ``dims`` axes (all for None)."""
    x = exact(x)
    n = spatial(x.shape, dims)
    return _read(x, n, lambda i: tuple(v - 1 - p for p, v in zip(i, n, strict=True)))


def shift(x: npt.ArrayLike, offset: PerAxis, dims: int | None = None) -> Array:
    """y[i] = x[i - offset], zero where that falls outside; same length."""
    x = exact(x)
    n = spatial(x.shape, dims)
    by = per_axis(offset, len(n), "offset")
    return _read(x, n, lambda i: tuple(p - v for p, v in zip(i, by, strict=True)))


def decimate(x: npt.ArrayLike, s: PerAxis, offset: PerAxis = 0, dims: int | None = None) -> Array:
    """y[i] = x[s i + offset] for as long as that lies inside x: ceil((n - offset) / s) entries."""
    x = exact(x)
    n = spatial(x.shape, dims)
    step = per_axis(s, len(n), "s", 1)
    start = per_axis(offset, len(n), "offset", 0)
    length = tuple(-(-(v - o) // q) for v, o, q in zip(n, start, step, strict=True))
    return _read(
        x, length, lambda i: tuple(q * p + o for p, q, o in zip(i, step, start, strict=True))
    )


def zero_insert(
    x: npt.ArrayLike, s: PerAxis, trailing: PerAxis = 0, dims: int | None = None
) -> Array:
    """y[s i] = x[i], zero elsewhere; length s(n-1) + 1 + trailing."""
    x = exact(x)
    n = spatial(x.shape, dims)
    step = per_axis(s, len(n), "s", 1)
    tail = per_axis(trailing, len(n), "trailing", 0)
    length = tuple(q * (v - 1) + 1 + e for v, q, e in zip(n, step, tail, strict=True))
    lead = x.shape[: x.ndim - len(n)]
    y = zeros(lead + length)
    for b in indices(lead):
        for i in indices(n):
            y[b + tuple(q * p for p, q in zip(i, step, strict=True))] = x[b + i]
    return y


def pixel_shuffle(x: npt.ArrayLike, r: PerAxis, dims: int | None = None) -> Array:
    """y[c, r i + o] = x[c R + rank(o), i] for 0 <= o < r, R = prod r, rank row-major.

    Shapes (*batch, C R, *n) -> (*batch, C, *(r n)).  ``dims`` defaults to ``x.ndim - 1``.
    Source: ``torch.nn.PixelShuffle`` (two axes there, any number here).
    """
    x = exact(x)
    n, r = _block(x, r, dims)
    lead, many = x.shape[: x.ndim - len(n) - 1], math.prod(r)
    if x.shape[len(lead)] % many:
        raise ValueError(f"{x.shape[len(lead)]} channels are not a multiple of {many}")
    y = zeros((*lead, x.shape[len(lead)] // many, *(v * q for v, q in zip(n, r, strict=True))))
    for index in indices(y.shape[: len(lead) + 1]):
        for i in indices(n):
            for rank, o in enumerate(indices(r)):
                j = tuple(q * p + e for p, q, e in zip(i, r, o, strict=True))
                y[index + j] = x[(*index[:-1], index[-1] * many + rank, *i)]
    return y


def pixel_unshuffle(x: npt.ArrayLike, r: PerAxis, dims: int | None = None) -> Array:
    """y[c R + rank(o), i] = x[c, r i + o]: the inverse of :func:`pixel_shuffle`.

    Shapes (*batch, C, *n) -> (*batch, C R, *(n / r)).  Source: ``torch.nn.PixelUnshuffle``.
    """
    x = exact(x)
    n, r = _block(x, r, dims)
    if any(v % q for v, q in zip(n, r, strict=True)):
        raise ValueError(f"the spatial shape {n} is not a multiple of {r}")
    lead, many = x.shape[: x.ndim - len(n) - 1], math.prod(r)
    small = tuple(v // q for v, q in zip(n, r, strict=True))
    y = zeros((*lead, x.shape[len(lead)] * many, *small))
    for index in indices(x.shape[: len(lead) + 1]):
        for i in indices(small):
            for rank, o in enumerate(indices(r)):
                j = tuple(q * p + e for p, q, e in zip(i, r, o, strict=True))
                y[(*index[:-1], index[-1] * many + rank, *i)] = x[index + j]
    return y


def im2col(
    x: npt.ArrayLike,
    k: PerAxis,
    *,
    stride: PerAxis = 1,
    padding: Padding = (0, 0),
    dilation: PerAxis = 1,
    channels: bool = False,
    dims: int | None = None,
) -> Array:
    """cols[rank(t), rank(i)] = x[s i + d t - lo], zero off the data; ranks are row-major.

    Shapes (*batch, *n) -> (*batch, prod k, prod m); with ``channels`` (*batch, C, *n) ->
    (*batch, C prod k, prod m), channel before tap.  Source: ``torch.nn.Unfold``.
    """
    x = exact(x)
    n = spatial(x.shape, x.ndim - channels if dims is None else dims)
    window = sliding(n, k, stride, padding, dilation)
    lead = x.shape[: x.ndim - len(n)]
    cols = zeros((*lead, math.prod(window.k), math.prod(window.m)))
    for b in indices(lead):
        for row, column, j in _entries(window):
            cols[(*b, row, column)] = x[b + j]
    return _merged(cols) if channels else cols


def col2im(
    cols: npt.ArrayLike,
    n: Sequence[int],
    k: PerAxis,
    *,
    stride: PerAxis = 1,
    padding: Padding = (0, 0),
    dilation: PerAxis = 1,
    channels: bool = False,
) -> Array:
    """x[s i + d t - lo] += cols[rank(t), rank(i)]: the adjoint of :func:`im2col`.

    ``n`` holds the spatial lengths of the result.  Source: ``torch.nn.Fold``.
    """
    cols = exact(cols)
    n = spatial(tuple(n), None)
    window = sliding(n, k, stride, padding, dilation)
    taps, many = math.prod(window.k), math.prod(window.m)
    if cols.ndim < 2 or (channels and cols.shape[-2] % taps):
        raise ValueError(f"columns of shape {cols.shape} do not hold {taps} taps")
    if channels:
        cols = cols.reshape(*cols.shape[:-2], cols.shape[-2] // taps, taps, cols.shape[-1])
    lead = cols.shape[:-2]
    check_shape("cols", cols.shape, (*lead, taps, many))
    x = zeros(lead + n)
    for b in indices(lead):
        for row, column, j in _entries(window):
            x[b + j] += cols[(*b, row, column)]
    return x


def merge(x: npt.ArrayLike, axis: int, count: int) -> Array:
    """``count`` axes from ``axis`` (counted from the end) as one, in row-major order."""
    x = exact(x)
    first = x.ndim + axis
    y = zeros(
        (*x.shape[:first], math.prod(x.shape[first : first + count]), *x.shape[first + count :])
    )
    many = x.shape[first : first + count]
    for i in indices(x.shape):
        rank = sum(p * math.prod(many[a + 1 :]) for a, p in enumerate(i[first : first + count]))
        y[(*i[:first], rank, *i[first + count :])] = x[i]
    return y


def split(x: npt.ArrayLike, axis: int, lengths: Sequence[int]) -> Array:
    """One axis as several, in row-major order: the inverse of :func:`merge`."""
    x = exact(x)
    first, many = x.ndim + axis, tuple(lengths)
    if math.prod(many) != x.shape[first]:
        raise ValueError(f"{x.shape[first]} entries are not {many}")
    y = zeros((*x.shape[:first], *many, *x.shape[first + 1 :]))
    for i in indices(y.shape):
        part = i[first : first + len(many)]
        rank = sum(p * math.prod(many[a + 1 :]) for a, p in enumerate(part))
        y[i] = x[(*i[:first], rank, *i[first + len(many) :])]
    return y


def channel_shuffle(x: npt.ArrayLike, groups: int, dims: int = 1) -> Array:
    """The channels of each group dealt out in turn.  Source: ``torch.nn.ChannelShuffle``."""
    x = exact(x)
    axis = x.ndim - dims - 1
    if x.shape[axis] % groups:
        raise ValueError(f"{x.shape[axis]} channels are not a multiple of {groups}")
    y, many = zeros(x.shape), x.shape[axis] // groups
    for i in indices(x.shape):
        group, member = divmod(i[axis], many)
        y[(*i[:axis], member * groups + group, *i[axis + 1 :])] = x[i]
    return y


def _read(x: Array, length: Index, source: Callable[[Index], Index]) -> Array:
    """y[i] = x[source(i)] over the trailing axes, zero where source(i) is outside x."""
    if min(length) < 1:
        raise ValueError(f"no output: its shape would be {length}")
    cut = x.ndim - len(length)
    lead, n = x.shape[:cut], x.shape[cut:]
    y = zeros(lead + length)
    for b in indices(lead):
        for i in indices(length):
            j = source(i)
            if all(0 <= p < v for p, v in zip(j, n, strict=True)):
                y[b + i] = x[b + j]
    return y


def _block(x: Array, r: PerAxis, dims: int | None) -> tuple[Index, Index]:
    """Spatial lengths and checked factors of a pixel shuffle."""
    dims = x.ndim - 1 if dims is None else dims
    if not 1 <= dims < x.ndim:
        raise ValueError("a pixel shuffle needs a channel axis before the spatial ones")
    return spatial(x.shape, dims), per_axis(r, dims, "r", 1)


def _entries(window: Window) -> list[tuple[int, int, Index]]:
    """(rank of tap, rank of window, input index) of every entry on the data."""
    return [
        (row, column, j)
        for row, t in enumerate(indices(window.k))
        for column, i in enumerate(indices(window.m))
        if (j := window.read(i, t)) is not None
    ]


def _merged(cols: Array) -> Array:
    """Merge the channel axis into the tap axis."""
    if cols.ndim < 3:
        raise ValueError("channels=True needs a channel axis before the spatial ones")
    return cols.reshape(*cols.shape[:-3], cols.shape[-3] * cols.shape[-2], cols.shape[-1])


def extend(x: npt.ArrayLike, padding: Padding, mode: str, dims: int | None = None) -> Array:
    """``numpy.pad`` with wrap, reflect or symmetric for any width, one axis after the other."""
    x = exact(x)
    n = spatial(x.shape, dims)
    ends = pairs(padding, len(n))
    table = [[_walk(v, lo, hi, mode)] for v, (lo, hi) in zip(n, ends, strict=True)]
    length = tuple(v + lo + hi for v, (lo, hi) in zip(n, ends, strict=True))
    return _read(x, length, lambda i: tuple(table[a][0][p] for a, p in enumerate(i)))


def _walk(n: int, lo: int, hi: int, mode: str) -> list[int]:
    """The places that are read, by walking to and fro over the axis."""
    if mode == "circular":
        cycle = list(range(n))
    elif mode == "symmetric":
        cycle = [*range(n), *reversed(range(n))]
    else:
        cycle = [*range(n), *reversed(range(1, n - 1))]
    return [cycle[j % len(cycle)] for j in range(-lo, n + hi)]


def depth_to_space(x: npt.ArrayLike, r: int, mode: str = "DCR", dims: int = 2) -> Array:
    """The reshape and transposition of ONNX ``DepthToSpace``, on ``dims`` spatial axes."""
    x = exact(x)
    lead, n = x.shape[: x.ndim - dims - 1], x.shape[x.ndim - dims :]
    c = x.shape[len(lead)] // r**dims
    blocks = (*(r for _ in n), c) if mode == "DCR" else (c, *(r for _ in n))
    split = x.reshape(*lead, *blocks, *n)
    b = len(lead)
    first = b if mode == "DCR" else b + 1  # the axis of the first block
    channel = b + dims if mode == "DCR" else b
    order = [*range(b), channel]
    for a in range(dims):
        order += [b + 1 + dims + a, first + a]
    y: Array = split.transpose(order).reshape(*lead, c, *(r * v for v in n))
    return y


def space_to_depth(x: npt.ArrayLike, r: int, mode: str = "DCR", dims: int = 2) -> Array:
    """The reshape and transposition of ONNX ``SpaceToDepth``, on ``dims`` spatial axes."""
    x = exact(x)
    lead, n = x.shape[: x.ndim - dims - 1], x.shape[x.ndim - dims :]
    b, c = len(lead), x.shape[len(lead)]
    split = x.reshape(*lead, c, *(v for a in n for v in (a // r, r)))
    blocks = [b + 2 + 2 * a for a in range(dims)]
    middle = [*blocks, b] if mode == "DCR" else [b, *blocks]
    order = [*range(b), *middle, *(b + 1 + 2 * a for a in range(dims))]
    y: Array = split.transpose(order).reshape(*lead, c * r**dims, *(a // r for a in n))
    return y
