"""Cross-correlation, convolution, transposed convolution, and the two correlation gradients.

Layout, decided by the kernel: with ``w.ndim == dims`` there are no channels and the leading axes
of ``x`` are batch; with ``w.ndim == dims + 2`` the axis before the spatial ones is the channel.

Sources: Dumoulin & Visin, *A guide to convolution arithmetic for deep learning*
(arXiv:1603.07285); the ``torch.nn.ConvNd`` and ``torch.nn.ConvTransposeNd`` reference pages.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

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
from derive.numeric.loops.moves import flip


def correlate(
    x: npt.ArrayLike,
    w: npt.ArrayLike,
    *,
    stride: PerAxis = 1,
    padding: Padding = (0, 0),
    dilation: PerAxis = 1,
    base_dilation: PerAxis = 1,
    groups: int = 1,
    dims: int | None = None,
) -> Array:
    """Cross-correlation y[i] = sum_t w[t] x[s i + d t - p_lo], x zero outside its range.

    With ``base_dilation`` b, x first gets b-1 zeros between neighbours (not at the ends).  With
    channels, y[o, i] = sum_c sum_t w[o, c, t] x[first(o) + c, ...], where first(o) is the first
    input channel of o's group.

    Shapes: no channels x (*batch, *n), w (*k), y (*batch, *m); channels x (*batch, C_in, *n),
    w (C_out, C_in/groups, *k), y (*batch, C_out, *m);
    m = floor((b(n-1) + 1 + lo + hi - d(k-1) - 1) / s) + 1.  ``dims`` defaults to ``w.ndim``.
    """
    x, w = exact(x), exact(w)
    dims = w.ndim if dims is None else dims
    channels = _has_channels(w.shape, dims)
    kernel, n = spatial(w.shape, dims), spatial(x.shape, dims)
    window = sliding(n, kernel, stride, padding, dilation, base_dilation)
    xs, ws = _lift(x, dims, channels), _lift(w, dims, channels)
    _check_groups(groups, xs.shape[1], ws.shape[0], ws.shape[1] * groups, "input")
    y = zeros((xs.shape[0], ws.shape[0], *window.m))
    for b, o, c in indices((xs.shape[0], *ws.shape[:2])):
        y[b, o] += _slide(xs[b, _first(o, ws.shape, groups) + c], ws[o, c], window)
    return _lower(y, x.shape, dims, channels)


def convolve(
    x: npt.ArrayLike,
    w: npt.ArrayLike,
    *,
    stride: PerAxis = 1,
    padding: Padding = (0, 0),
    dilation: PerAxis = 1,
    base_dilation: PerAxis = 1,
    groups: int = 1,
    dims: int | None = None,
) -> Array:
    """Convolution: y[i] = sum_t w[k-1-t] x[s i + d t - p_lo].

    That is :func:`correlate` with the kernel flipped in its spatial axes; same shapes.
    """
    w = exact(w)
    dims = w.ndim if dims is None else dims
    return correlate(
        x,
        flip(w, dims),
        stride=stride,
        padding=padding,
        dilation=dilation,
        base_dilation=base_dilation,
        groups=groups,
        dims=dims,
    )


def conv_transpose(
    x: npt.ArrayLike,
    w: npt.ArrayLike,
    *,
    stride: PerAxis = 1,
    padding: Padding = (0, 0),
    dilation: PerAxis = 1,
    output_padding: PerAxis = 0,
    groups: int = 1,
    dims: int | None = None,
) -> Array:
    """Transposed convolution, as a scatter: y[s i + d t - p_lo] += x[i] w[t].

    What falls outside y is dropped; a negative padding makes room for zeros.

    Shapes: no channels x (*batch, *m), w (*k); channels x (*batch, C_in, *m),
    w (C_in, C_out/groups, *k) as in PyTorch; output length
    s(m-1) + d(k-1) + 1 - lo - hi + output_padding.  ``dims`` defaults to ``w.ndim``.
    """
    x, w = exact(x), exact(w)
    dims = w.ndim if dims is None else dims
    channels = _has_channels(w.shape, dims)
    m, k = spatial(x.shape, dims), spatial(w.shape, dims)
    s, d = per_axis(stride, dims, "stride", 1), per_axis(dilation, dims, "dilation", 1)
    extra, ends = per_axis(output_padding, dims, "output_padding", 0), pairs(padding, dims)
    length = tuple(
        s[a] * (m[a] - 1) + d[a] * (k[a] - 1) + 1 - sum(ends[a]) + extra[a] for a in range(dims)
    )
    if min(length) < 1:
        raise ValueError(f"no output: the padding {padding!r} crops all of it")
    xs, ws = _lift(x, dims, channels), _lift(w, dims, channels)
    c_out = ws.shape[1] * groups
    _check_groups(groups, ws.shape[0], c_out, xs.shape[1], "kernel's input")
    y = zeros((xs.shape[0], c_out, *length))
    for b, c, o in indices((xs.shape[0], *ws.shape[:2])):
        first = c // (ws.shape[0] // groups) * ws.shape[1]
        for i, t in itertools.product(indices(m), indices(k)):
            j = tuple(s[a] * i[a] + d[a] * t[a] - ends[a][0] for a in range(dims))
            if all(0 <= j[a] < length[a] for a in range(dims)):
                y[(b, first + o, *j)] += xs[(b, c, *i)] * ws[(c, o, *t)]
    return _lower(y, x.shape, dims, channels)


def correlate_input_grad(
    g: npt.ArrayLike,
    w: npt.ArrayLike,
    input_shape: Sequence[int],
    *,
    stride: PerAxis = 1,
    padding: Padding = (0, 0),
    dilation: PerAxis = 1,
    base_dilation: PerAxis = 1,
    groups: int = 1,
    dims: int | None = None,
) -> Array:
    """Gradient of <g, correlate(x, w)> in x: gx[j] = sum of w[t] g[i] over s i + d t - lo = b j.

    ``input_shape`` is the whole shape of x; the result has it.
    """
    g, w = exact(g), exact(w)
    dims = w.ndim if dims is None else dims
    channels = _has_channels(w.shape, dims)
    kernel, n = spatial(w.shape, dims), spatial(input_shape, dims)
    window = sliding(n, kernel, stride, padding, dilation, base_dilation)
    blank, ws = zeros(input_shape), _lift(w, dims, channels)
    gx = _lift(blank, dims, channels)
    _check_groups(groups, gx.shape[1], ws.shape[0], ws.shape[1] * groups, "input")
    _check_cotangent(g, blank.shape, ws.shape[0], window, channels)
    gs = _lift(g, dims, channels)
    for b, o, c in indices((gx.shape[0], *ws.shape[:2])):
        gx[b, _first(o, ws.shape, groups) + c] += _pull(gs[b, o], ws[o, c], window)
    return gx.reshape(blank.shape)


def correlate_weight_grad(
    g: npt.ArrayLike,
    x: npt.ArrayLike,
    kernel_shape: Sequence[int],
    *,
    stride: PerAxis = 1,
    padding: Padding = (0, 0),
    dilation: PerAxis = 1,
    base_dilation: PerAxis = 1,
    groups: int = 1,
    dims: int | None = None,
) -> Array:
    """Gradient of <g, correlate(x, w)> in w: gw[t] = sum_i g[i] x[s i + d t - lo], over the batch.

    ``kernel_shape`` is the whole shape of w; ``dims`` defaults to its length.
    """
    g, x, blank = exact(g), exact(x), zeros(kernel_shape)
    dims = blank.ndim if dims is None else dims
    channels = _has_channels(blank.shape, dims)
    kernel, n = spatial(blank.shape, dims), spatial(x.shape, dims)
    window = sliding(n, kernel, stride, padding, dilation, base_dilation)
    xs, gw = _lift(x, dims, channels), _lift(blank, dims, channels)
    _check_groups(groups, xs.shape[1], gw.shape[0], gw.shape[1] * groups, "input")
    _check_cotangent(g, x.shape, gw.shape[0], window, channels)
    gs = _lift(g, dims, channels)
    for b, o, c in indices((xs.shape[0], *gw.shape[:2])):
        gw[o, c] += _match(gs[b, o], xs[b, _first(o, gw.shape, groups) + c], window)
    return gw.reshape(blank.shape)


def _slide(x: Array, w: Array, window: Window) -> Array:
    y = zeros(window.m)
    for i in indices(window.m):
        for t in indices(window.k):
            j = window.read(i, t)
            if j is not None:
                y[i] += w[t] * x[j]
    return y


def _pull(g: Array, w: Array, window: Window) -> Array:
    gx = zeros(window.n)
    for j in indices(window.n):
        for t in indices(window.k):
            i = window.reach(j, t)
            if i is not None:
                gx[j] += w[t] * g[i]
    return gx


def _match(g: Array, x: Array, window: Window) -> Array:
    gw = zeros(window.k)
    for t in indices(window.k):
        for i in indices(window.m):
            j = window.read(i, t)
            if j is not None:
                gw[t] += g[i] * x[j]
    return gw


def _has_channels(kernel_shape: Index, dims: int) -> bool:
    if len(kernel_shape) not in (dims, dims + 2):
        raise ValueError(f"a kernel of {len(kernel_shape)} axes does not fit dims={dims}")
    return len(kernel_shape) == dims + 2


def _lift(x: Array, dims: int, channels: bool) -> Array:
    """``x`` with exactly two leading axes: batch (or output channel) and channel."""
    if x.ndim < dims + channels:
        raise ValueError(f"an array of {x.ndim} axes lacks the channel axis or spatial axes")
    lead, channel = x.shape[: x.ndim - dims - channels], x.shape[-dims - 1] if channels else 1
    return x.reshape(math.prod(lead), channel, *x.shape[x.ndim - dims :])


def _lower(y: Array, input_shape: Index, dims: int, channels: bool) -> Array:
    """Undo the lift of the input on the output."""
    batch = input_shape[: len(input_shape) - dims - channels]
    return y.reshape(batch + y.shape[1 if channels else 2 :])


def _first(o: int, w_shape: Index, groups: int) -> int:
    """The first input channel that output channel ``o`` sees."""
    return o // (w_shape[0] // groups) * w_shape[1]


def _check_groups(groups: int, c_in: int, c_out: int, expected: int, what: str) -> None:
    if groups < 1 or c_in % groups or c_out % groups:
        raise ValueError(f"groups={groups} does not divide the channels {c_in} and {c_out}")
    if c_in != expected:
        raise ValueError(f"the {what} has {c_in} channels, expected {expected}")


def _check_cotangent(
    g: Array, input_shape: Index, c_out: int, window: Window, channels: bool
) -> None:
    batch = input_shape[: len(input_shape) - len(window.axes) - channels]
    check_shape("g", g.shape, batch + ((c_out,) if channels else ()) + window.m)
