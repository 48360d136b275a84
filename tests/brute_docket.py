"""Operators and statements of the docket from their definitions alone, in plain NumPy.

Nothing of the program takes part.  All data are integers that are multiples of SCALE, so that
averages and interpolations are exact.  Outside its domain an operator raises Undefined.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np

SCALE = 720720  # divisible by 1, …, 16
Array = Any
Axes = int | tuple[Any, ...]


class Undefined(Exception):
    """The operators are not defined, or a hypothesis does not hold, at these sizes."""


# -- the operators ---------------------------------------------------------------------------------


def given(*hypotheses: bool) -> None:
    if not all(hypotheses):
        raise Undefined


def data(seed: int, *shape: int) -> Array:
    drawn = random.Random(1000 * seed + sum(7**i * n for i, n in enumerate(shape)))
    values = [drawn.choice((-1, 1)) * drawn.randint(1, 30) for _ in range(int(np.prod(shape)))]
    return np.array(values, dtype=np.int64).reshape(shape)


def X(*shape: int) -> Array:  # noqa: N802
    return SCALE * data(1, *shape)


def W(*shape: int) -> Array:  # noqa: N802
    return data(2, *shape)


def per_axis(value: Any, rank: int) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,) * rank


def pairs(p: Any, rank: int) -> tuple[tuple[int, int], ...]:
    if isinstance(p, int):
        return ((p, p),) * rank
    return (p,) if isinstance(p[0], int) else p


def pad(x: Array, p: Any) -> Array:
    """Zeros in front and behind; negative amounts crop."""
    for axis, (lo, hi) in enumerate(pairs(p, x.ndim)):
        n, length = x.shape[axis], x.shape[axis] + lo + hi
        given(length >= 1)
        from_ = np.arange(length) - lo
        inside = (from_ >= 0) & (from_ < n)
        y = np.zeros((length, *np.moveaxis(x, axis, 0).shape[1:]), dtype=x.dtype)
        y[inside] = np.moveaxis(x, axis, 0)[from_[inside]]
        x = np.moveaxis(y, 0, axis)
    return x


def crop(x: Array, p: Any) -> Array:
    return pad(x, tuple((-lo, -hi) for lo, hi in pairs(p, x.ndim)))


def wrap(x: Array, p: Any) -> Array:
    """Circular padding of at most the length of the input."""
    for axis, (lo, hi) in enumerate(pairs(p, x.ndim)):
        given(lo <= x.shape[axis], hi <= x.shape[axis])
        x = np.take(x, np.arange(-lo, x.shape[axis] + hi) % x.shape[axis], axis)
    return x


def corr(x: Array, w: Array, s: Axes = 1, p: Any = 0, d: Axes = 1) -> Array:
    s, d, x = per_axis(s, w.ndim), per_axis(d, w.ndim), pad(x, p)
    reach = [b * (k - 1) for b, k in zip(d, w.shape, strict=True)]
    given(*(n > e for n, e in zip(x.shape, reach, strict=True)))
    m = [(n - e - 1) // a + 1 for n, e, a in zip(x.shape, reach, s, strict=True)]
    y = np.zeros(m, dtype=np.int64)
    for t in np.ndindex(*w.shape):
        at = zip(t, d, s, m, strict=True)
        y += w[t] * x[tuple(slice(b * q, b * q + a * (c - 1) + 1, a) for q, b, a, c in at)]
    return y


def conv_t(x: Array, w: Array, s: Axes = 1, p: Any = 0, d: Axes = 1, r: int = 0) -> Array:
    """Every input puts a copy of the kernel, times itself, into the output."""
    s, d = per_axis(s, w.ndim), per_axis(d, w.ndim)
    sizes = zip(x.shape, w.shape, s, d, strict=True)
    y = np.zeros([a * (n - 1) + b * (k - 1) + 1 for n, k, a, b in sizes], dtype=np.int64)
    for t in np.ndindex(*w.shape):
        at = zip(t, d, s, x.shape, strict=True)
        y[tuple(slice(b * q, b * q + a * (n - 1) + 1, a) for q, b, a, n in at)] += w[t] * x
    return pad(y, tuple((-lo, r - hi) for lo, hi in pairs(p, w.ndim)))


def same(n: int, k: int, s: int = 1, d: int = 1) -> tuple[int, int]:
    total = max((-(-n // s) - 1) * s + d * (k - 1) + 1 - n, 0)
    return total // 2, total - total // 2


def sames(x: Array, w: Array, s: int = 1, d: int = 1, lower: bool = False) -> Any:
    found = (same(n, k, s, d) for n, k in zip(x.shape[-w.ndim :], w.shape, strict=True))
    return tuple(p[::-1] if lower else p for p in found)


def corr_same(x: Array, w: Array, s: int = 1, d: int = 1, lower: bool = False) -> Array:
    return corr(x, w, s, sames(x, w, s, d, lower), d)


def conv_t_same(x: Array, w: Array, s: int = 1) -> Array:
    """The input gradient of the SAME convolution from s·n to n samples."""
    return vjp(lambda z: corr_same(z, w, s), tuple(s * n for n in x.shape), x)


def flip(w: Array, dims: int | None = None) -> Array:
    return np.flip(w, tuple(range(w.ndim - (dims or w.ndim), w.ndim)))


def insert(x: Array, s: Axes, trailing: int = 0) -> Array:
    s = per_axis(s, x.ndim)
    y = np.zeros([a * (n - 1) + 1 + trailing for a, n in zip(s, x.shape, strict=True)], np.int64)
    y[tuple(slice(0, a * n, a) for a, n in zip(s, x.shape, strict=True))] = x
    return y


def full(w: Array, d: Axes = 1) -> tuple[tuple[int, int], ...]:
    return tuple((b * (k - 1),) * 2 for k, b in zip(w.shape, per_axis(d, w.ndim), strict=True))


def vjp(f: Callable[[Array], Array], shape: tuple[int, ...], g: Array) -> Array:
    """The Jacobian of a linear f, unit by unit, transposed and applied to g."""
    found = np.zeros(shape, dtype=np.int64)
    for j in np.ndindex(*shape):
        unit = np.zeros(shape, dtype=np.int64)
        unit[j] = SCALE
        found[j] = (f(unit) * g).sum() // SCALE
    return found


def pull(f: Callable[[Array], Array], *shape: int) -> tuple[Array, Array]:
    g = SCALE * data(3, *f(np.zeros(shape, dtype=np.int64)).shape)
    return vjp(f, shape, g), g


def rest(n: int, k: int, s: int, d: int = 1, p: int = 0) -> int:
    """The padded samples that no window reaches; p is the padding of both sides together."""
    return (n + p - d * (k - 1) - 1) % s


def averages(
    lengths: Any, k: Axes, s: Axes, p: Any = 0, count: bool = True, ceil: bool = False
) -> Any:
    """For each axis the windows: (start, end) inside the input and the length divided by."""
    rank = len(lengths)
    for n, a, b, (lo, hi) in zip(
        lengths, per_axis(k, rank), per_axis(s, rank), pairs(p, rank), strict=True
    ):
        span = n + lo + hi - a
        given(ceil or span >= 0)
        m = (-(-span // b) if ceil else span // b) + 1
        m -= ceil and (m - 1) * b >= n + lo
        given(m >= 1)
        starts = [b * i - lo for i in range(m)]
        inside = [(min(max(u, 0), n), min(max(u + a, 0), n)) for u in starts]
        counted = [min(u + a, n + hi) - u for u in starts]
        yield [(u, v, c if count else v - u) for (u, v), c in zip(inside, counted, strict=True)]


def avg_pool(x: Array, k: Axes, s: Axes, divide: bool = True, **how: Any) -> Array:
    axes = list(averages(x.shape, k, s, **how))
    y = np.zeros([len(a) for a in axes], dtype=np.int64)
    for i in np.ndindex(*y.shape):
        windows = [a[j] for a, j in zip(axes, i, strict=True)]
        given(not divide or all(c > 0 for _, _, c in windows))
        total = x[tuple(slice(u, v) for u, v, _ in windows)].sum()
        y[i] = total // int(np.prod([c for _, _, c in windows])) if divide else total
    return y


def adaptive(x: Array, m: int) -> Array:
    n = len(x)
    cuts = [(i * n // m, -(-(i + 1) * n // m)) for i in range(m)]
    return np.array([x[a:b].sum() // (b - a) for a, b in cuts])


def linear_row(x: Array, s: int, corners: bool) -> Array:
    n, found = len(x), []
    for i in range(s * n):
        top, den = (i * (n - 1), max(s * n - 1, 1)) if corners else (max(2 * i + 1 - s, 0), 2 * s)
        j, part = divmod(top, den)
        found.append((x[min(j, n - 1)] * (den - part) + x[min(j + 1, n - 1)] * part) // den)
    return np.array(found)


def linear(x: Array, s: int, corners: bool = False) -> Array:
    for axis in range(x.ndim):
        x = np.apply_along_axis(linear_row, axis, x, s, corners)
    return x


def nearest(x: Array, *s: int) -> Array:
    for axis, a in enumerate(s):
        x = np.repeat(x, a, axis)
    return x


def triangle(s: int) -> Array:
    """2s times the tent."""
    return np.array([2 * s - abs(2 * t + 1 + s % 2 - 2 * s) for t in range(2 * s - s % 2)])


def channels(op: Callable[[Array, Array], Array], x: Array, w: Array) -> Array:
    """w[h, c]: the outputs sum over the input channels."""
    return np.array([sum(op(b, v) for b, v in zip(x, row, strict=True)) for row in w])


def shuffle(y: Array, s: int) -> Array:
    """One channel from s (or s·s) of them, interleaved."""
    out = np.zeros([s * n for n in y.shape[1:]], dtype=np.int64)
    for q, at in enumerate(product(range(s), repeat=y.ndim - 1)):
        out[tuple(slice(a, None, s) for a in at)] = y[q]
    return out


def eq(a: Array, b: Array) -> bool:
    a, b = np.asarray(a), np.asarray(b)
    return a.shape == b.shape and bool((a == b).all())


# -- statements about them --------------------------------------------------------------------------


def dx(ns: Any, ks: Any, right: Callable[[Array, Array], Array], **how: Any) -> bool:
    w = W(*ks)
    found, g = pull(lambda x: corr(x, w, **how), *ns)
    return eq(found, right(g, w))


def dw(ns: Any, ks: Any, right: Callable[[Array, Array], Array], **how: Any) -> bool:
    x = data(1, *ns)
    found, g = pull(lambda w: corr(x, w, **how), *ks)
    return eq(found, right(x, g))


def disjoint(ns: Any, ks: Any, s: Axes = 1, d: Axes = 1) -> bool:
    return bool((conv_t(np.ones(ns, np.int64), np.ones(ks, np.int64), s, 0, d) <= 1).all())


def kernel_exists(want: Callable[[Array], Array], ns: Any, ls: Any, give: Any) -> bool:
    """Is there a kernel v of ls taps with give(x, v) == want(x)?  By the rank of its equations."""
    table = []
    for j in np.ndindex(*ns):
        unit = np.zeros(ns, np.int64)
        unit[j] = SCALE
        taps = np.eye(int(np.prod(ls)), dtype=np.int64).reshape(-1, *ls)
        columns = [give(unit, v) for v in taps] + [want(unit)]
        if columns[0].shape != columns[-1].shape:
            return False
        table.append(np.array([c.ravel() for c in columns]).T)
    whole = np.concatenate(table) / SCALE
    return bool(np.linalg.matrix_rank(whole) == np.linalg.matrix_rank(whole[:, :-1]))


def turned(x: Array, axis: int) -> Array:
    return np.roll(x, 1, axis)


def commutes(f: Callable[[Array], Array], x: Array, axis: int) -> bool:
    return eq(f(turned(x, axis)), turned(f(x), axis))


def iff(value: bool, condition: bool) -> bool:
    return value == condition


def under(*hypotheses: bool) -> bool:
    given(*hypotheses)
    return True


def pair(n: int, k: int, s: int, lo: int, hi: int, d: int) -> dict[str, Any]:
    return {"s": s, "p": (lo, hi), "d": d}


def dx_general(n: int, k: int, s: int, lo: int, hi: int, d: int) -> bool:
    after = d * (k - 1) - hi + rest(n, k, s, d, lo + hi)
    return dx(
        (n,),
        (k,),
        lambda g, w: corr(insert(g, s), flip(w), 1, (d * (k - 1) - lo, after), d),
        **pair(n, k, s, lo, hi, d),
    )


def dw_general(n: int, k: int, s: int, lo: int, hi: int, d: int) -> bool:
    return dw(
        (n,),
        (k,),
        lambda x, g: crop(corr(x, g, d, (lo, hi), s), (0, rest(n, k, s, d, lo + hi) // d)),
        **pair(n, k, s, lo, hi, d),
    )


def dx_plane(n: Any, k: Any, s: Any, p: Any, d: Any) -> bool:
    sides = tuple(
        (b * (j - 1) - lo, b * (j - 1) - hi + rest(a, j, c, b, lo + hi))
        for a, j, c, b, (lo, hi) in zip(n, k, s, d, p, strict=True)
    )
    right = lambda g, w: corr(insert(g, s), flip(w), 1, sides, d)  # noqa: E731
    return dx(n, k, right, s=s, p=p, d=d)


def dw_plane(n: Any, k: Any, s: Any, p: Any, d: Any) -> bool:
    cut = tuple(
        (0, rest(a, j, c, b, lo + hi) // b)
        for a, j, c, b, (lo, hi) in zip(n, k, s, d, p, strict=True)
    )
    return dw(n, k, lambda x, g: crop(corr(x, g, d, p, s), cut), s=s, p=p, d=d)


def dx_channels(c: int, h: int, n: int, k: int, s: int, lo: int, hi: int, d: int) -> bool:
    w = W(h, c, k)
    found, g = pull(lambda x: channels(lambda b, v: corr(b, v, s, (lo, hi), d), x, w), c, n)
    after = d * (k - 1) - hi + rest(n, k, s, d, lo + hi)
    one = lambda b, v: corr(insert(b, s), v, 1, (d * (k - 1) - lo, after), d)  # noqa: E731
    return eq(found, channels(one, g, np.swapaxes(flip(w, 1), 0, 1)))


def dw_channels(c: int, h: int, n: int, k: int, s: int) -> bool:
    x = data(1, c, n)
    found, g = pull(lambda w: channels(lambda b, v: corr(b, v, s), x, w), h, c, k)
    cut = (0, rest(n, k, s))
    right = [[crop(corr(b, a, 1, 0, s), cut) for b in x] for a in g]
    return eq(found, np.array(right))


def rotated(c: int, h: int, ns: Any, ks: Any) -> bool:
    """SAME transposed convolution against SAME convolution, channel axes exchanged, rotated."""
    x, w = X(c, *ns), W(c, h, *ks)
    turned_kernel = flip(np.swapaxes(w, 0, 1), len(ks))
    left = channels(conv_t_same, x, np.swapaxes(w, 0, 1))
    return eq(left, channels(corr_same, x, turned_kernel))


def undone(n: int, k: int, s: int, p: int, w: Array) -> bool:
    x = data(1, n)
    return eq(vjp(lambda z: corr(z, w, s, p), (n,), SCALE * corr(x, w, s, p)), SCALE * x)


def one_hot(k: int, t: int) -> Array:
    given(t < k)
    return (np.arange(k) == t).astype(np.int64)


def box(*k: int) -> Array:
    return np.ones(k, dtype=np.int64)


def mean_same(ns: Any, ks: Any, s: int, count: bool) -> bool:
    x = X(*ns)
    p = tuple(same(n, k, s) for n, k in zip(ns, ks, strict=True))
    left = corr(x, box(*ks), s, p) // int(np.prod(ks))
    return eq(left, avg_pool(x, ks, s, p=p, count=count))


def ceil_gradient(n: int, k: int, s: int, p: int) -> bool:
    found, g = pull(lambda x: avg_pool(x, k, s, p=p, ceil=True), n)
    sums = vjp(lambda x: avg_pool(x, k, s, divide=False, p=p, ceil=True), (n,), g)
    return eq(found, sums // k)


def ceil_length(n: int, k: int, s: int, p: int, d: int = 1) -> int:
    """Windows of the rounded up quotient, the last dropped where it starts behind the input."""
    given(2 * p <= d * (k - 1) + 1)
    m = -(-(n + 2 * p - d * (k - 1) - 1) // s) + 1
    m -= (m - 1) * s >= n + p
    given(m >= 1)
    return m


def stated_length(n: int, k: int, s: int, p: int) -> int:
    return -(-(n + 2 * p - k) // s) + 1


def triangle_up(y: Array, s: int, p: int) -> Array:
    return conv_t(y, triangle(s), s, p) // (2 * s)


def held(x: Array) -> Array:
    return np.concatenate([x[:1], x, x[-1:]])


def copies(y: Array, s: int) -> Array:
    """The shifted copies of the zero-inserted input with the weights of the triangle."""
    z, taps = insert(y, s), triangle(s)
    last = len(taps) - 1
    return sum(c * crop(z, (last - t, t)) for t, c in enumerate(taps)) // (2 * s)


def adjoint(ns: Any, ks: Any, left_lower: bool, right_lower: bool) -> bool:
    """Convolution flips its kernel; so does the one that is said to be its adjoint."""
    w = W(*ks)
    found, g = pull(lambda x: corr_same(x, flip(w), lower=left_lower), *ns)
    return eq(found, corr_same(g, flip(flip(w)), lower=right_lower))


def is_adaptive(n: int, m: int) -> bool:
    given(n >= m)
    return eq(adaptive(X(n), m), avg_pool(X(n), n - (m - 1) * (n // m), n // m))


def transposed(n: int, k: int, s: int, p: int, d: int, r: int, behind: int) -> bool:
    side = d * (k - 1) - p
    right = corr(insert(X(n), s), flip(W(k)), 1, (side, side + behind), d)
    return eq(conv_t(X(n), W(k), s, p, d, r), right)


def appends(n: int, k: int, s: int, p: int, r: int) -> bool:
    return eq(conv_t(X(n), W(k), s, p, 1, r), pad(conv_t(X(n), W(k), s, p), (0, r)))


def spreads(ns: Any, ks: Any, ss: Any, p: int) -> bool:
    found, g = pull(lambda x: avg_pool(x, ks, ss, p=p), *ns)
    behind = tuple((p, p - rest(n, k, s, 1, 2 * p)) for n, k, s in zip(ns, ks, ss, strict=True))
    return eq(found, conv_t(g, box(*ks), ss, behind) // int(np.prod(ks)))


def exchanged(n: int, k: int, s: int, p: int, d: int) -> bool:
    return dw((n,), (k,), lambda x, g: corr(x, g, d, p, s), s=s, p=p, d=d)


def bare(n: int, k: int, s: int, p: int, d: int) -> bool:
    """The input gradient without the remainder."""
    right = lambda g, w: corr(insert(g, s), flip(w), 1, d * (k - 1) - p, d)  # noqa: E731
    return dx((n,), (k,), right, s=s, p=p, d=d)


def clipped(n: int, k: int, s: int) -> bool:
    found, g = pull(lambda x: avg_pool(x, k, s, ceil=True), n)
    over = (0, (k - n) % s)
    return eq(found, vjp(lambda x: avg_pool(x, k, s, p=over, count=False), (n,), g))


def interleaved(ns: Any, ks: Any, s: int, p: Any, flipped: bool) -> bool:
    """Convolution with all the sub-kernels and pixel shuffle; one transposed convolution."""
    x, w = X(*ns), W(s ** len(ns), *ks)
    left = shuffle(np.array([corr(x, v, 1, p) for v in w]), s)
    kernel = shuffle(flip(w, len(ks)) if flipped else w, s)
    sides = zip(ks, pairs(p, len(ks)), strict=True)
    crops = tuple((s * (k - 1 - lo), s * (k - 1 - hi)) for k, (lo, hi) in sides)
    return eq(left, conv_t(x, kernel, s, crops))


def mixed(c: int, n: int, k: int) -> bool:
    """Two outputs from c channels each, interleaved; and the sum of c transposed convolutions."""
    x, w = X(c, n), W(2, c, k)
    left = shuffle(channels(lambda b, v: corr(b, v, 1, k - 1), x, w), 2)
    return eq(left, sum(conv_t(x[j], shuffle(flip(w[:, j], 1), 2), 2) for j in range(c)))


def moved_back(c: int, n: int, s: int) -> bool:
    x = X(c * s, n)
    rows = [shuffle(x[s * j : s * j + s], s) for j in range(c)]
    return eq(np.array([row[q::s] for row in rows for q in range(s)]), x)
