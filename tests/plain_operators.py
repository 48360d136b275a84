"""The operators of the docket from their definitions, in plain NumPy loops; nothing of the package."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from itertools import product
from typing import Any

import numpy as np

L = 5040  # averages are taken of multiples of L, so that they stay integers
MANY = 64  # selections of a max pooling
LONGEST = 9  # the longest kernel that is looked for


class UndefinedError(Exception):
    """The operator is not defined at these sizes."""


def axes(value: Any, dims: int) -> tuple[int, ...]:
    return tuple(value) if isinstance(value, tuple) else (value,) * dims


def amounts(p: Any, n: Any, k: Any, s: Any, d: Any) -> list[tuple[int, int]]:
    found = []
    for a, (ni, ki, si, di) in enumerate(zip(n, k, s, d, strict=True)):
        reach = di * (ki - 1)
        total = max((-(-ni // si) - 1) * si + reach + 1 - ni, 0)
        named = {
            "same": (total // 2, total - total // 2),
            "same_lower": (total - total // 2, total // 2),
            "full": (reach, reach),
        }
        given = named[p] if isinstance(p, str) else p
        if not isinstance(given, (tuple, list)):
            given = (given, given)
        found.append(given[a] if isinstance(given, list) else given)
    return found


def pad(x: Any, amount: list[tuple[int, int]]) -> Any:
    shape = tuple(n + lo + hi for n, (lo, hi) in zip(x.shape, amount, strict=True))
    if min(shape) < 1:
        raise UndefinedError
    y = np.zeros(shape, dtype=np.int64)
    for j in np.ndindex(*x.shape):
        at = tuple(a + lo for a, (lo, _) in zip(j, amount, strict=True))
        if all(0 <= a < n for a, n in zip(at, shape, strict=True)):
            y[at] = x[j]
    return y


def corr(x: Any, w: Any, s: Any = 1, p: Any = 0, d: Any = 1) -> Any:
    s, d = axes(s, x.ndim), axes(d, x.ndim)
    xp = pad(x, amounts(p, x.shape, w.shape, s, d))
    room = [n - di * (k - 1) - 1 for n, k, di in zip(xp.shape, w.shape, d, strict=True)]
    if min(room) < 0:
        raise UndefinedError
    y = np.zeros([r // si + 1 for r, si in zip(room, s, strict=True)], dtype=np.int64)
    for i in np.ndindex(*y.shape):
        for t in np.ndindex(*w.shape):
            y[i] += w[t] * xp[tuple(np.multiply(s, i) + np.multiply(d, t))]
    return y


def conv(x: Any, v: Any, s: Any = 1, p: Any = 0, d: Any = 1) -> Any:
    return corr(x, np.flip(v), s, p, d)


def scatter(x: Any, w: Any, s: Any = 1, p: Any = 0, d: Any = 1, r: Any = 0) -> Any:
    """The transposed convolution; "same" has s·n outputs and crops the half of k - s in front."""
    s, d, r = axes(s, x.ndim), axes(d, x.ndim), axes(r, x.ndim)
    whole = [a * (n - 1) + b * (k - 1) + 1 for n, k, a, b in zip(x.shape, w.shape, s, d)]  # noqa: B905
    if p == "same":
        lo = [max(k - a, 0) // 2 for k, a in zip(w.shape, s, strict=True)]
        out = [a * n for n, a in zip(x.shape, s, strict=True)]
    else:
        both = amounts(p, x.shape, w.shape, s, d)
        lo = [a for a, _ in both]
        out = [n - a - b + c for n, (a, b), c in zip(whole, both, r, strict=True)]
    if min(out) < 1:
        raise UndefinedError
    y = np.zeros(out, dtype=np.int64)
    for i in np.ndindex(*x.shape):
        for t in np.ndindex(*w.shape):
            u = tuple(int(a) for a in np.multiply(s, i) + np.multiply(d, t) - np.array(lo))
            if all(0 <= a < n for a, n in zip(u, out, strict=True)):
                y[u] += x[i] * w[t]
    return y


def up(x: Any, s: Any) -> Any:
    for axis, factor in enumerate(axes(s, x.ndim)):
        x = np.repeat(x, factor, axis=axis)
    return x


def zeros_between(x: Any, s: Any, trailing: Any = 0) -> Any:
    s, trailing = axes(s, x.ndim), axes(trailing, x.ndim)
    y = np.zeros([a * (n - 1) + 1 + t for n, a, t in zip(x.shape, s, trailing)], dtype=np.int64)  # noqa: B905
    for i in np.ndindex(*x.shape):
        y[tuple(np.multiply(s, i))] = x[i]
    return y


def box(*shape: int) -> Any:
    return np.ones(shape, dtype=np.int64)


def hot(k: int, t: int) -> Any:
    return (np.arange(k) == t).astype(np.int64)


def cut(x: Any, lo: int, hi: int) -> Any:
    return pad(x, [(-lo, -hi)] * x.ndim)


def sums(x: Any, k: Any, s: Any = None) -> Any:
    k = axes(k, x.ndim)
    return corr(x, box(*k), k if s is None else s)


def mean(
    x: Any, k: Any, s: Any = None, p: int = 0, ceil: bool = False, include: bool = True
) -> Any:
    """L times the average pooling, for x in one axis by PyTorch's rules, in more without padding."""
    if x.ndim > 1:
        k = axes(k, x.ndim)
        return L * sums(x, k, s) // np.prod(k)
    n, s = len(x), k if s is None else s
    m = -(-(n + 2 * p - k) // s) + 1 if ceil else (n + 2 * p - k) // s + 1
    if ceil and (m - 1) * s >= n + p:
        m -= 1
    if m < 1 or (not ceil and n + 2 * p < k):
        raise UndefinedError
    y = []
    for i in range(m):
        start, stop = s * i - p, min(s * i - p + k, n + p)
        inside = range(max(start, 0), min(stop, n))
        y.append(L * sum(x[j] for j in inside) // (stop - start if include else len(inside)))
    return np.array(y)


def adjoint(f: Callable[[Any], Any], shape: Any, g: Any = None) -> Any:
    """The VJP of a linear f at g; without g at a gradient with the shape of the output."""
    shape = shape if isinstance(shape, tuple) else (shape,)
    result = np.zeros(shape, dtype=np.int64)
    for j in np.ndindex(*shape):
        one = np.zeros(shape, dtype=np.int64)
        one[j] = 1
        y = f(one)
        if g is None:
            g = data(*y.shape, seed=9)
        if y.shape != g.shape:
            raise UndefinedError
        result[j] = (y * g).sum()
    return result


@cache
def data(*shape: int, seed: int) -> Any:
    return np.random.default_rng([seed, *shape]).integers(-97, 98, shape)


def X(*shape: int) -> Any:  # noqa: N802
    return data(*shape, seed=1)


def W(*shape: int) -> Any:  # noqa: N802
    return data(*shape, seed=2)


def K(*shape: int) -> Any:  # noqa: N802
    return data(*shape, seed=3)


def same(a: Any, b: Any) -> bool:
    return a.shape == b.shape and bool((a == b).all())


def grad(f: Callable[[Any], Any], shape: Any) -> tuple[Any, Any]:
    """The gradient that comes in, and the VJP."""
    y = f(np.zeros(shape, dtype=np.int64))
    g = data(*y.shape, seed=9)
    return g, adjoint(f, shape, g)


def there_is(
    left: Callable[[Any], Any], right: Callable[[Any, Any], Any], shape: Any, kernels: Any
) -> bool:
    """Is there a kernel v of one of the shapes with left(x) = right(x, v) for every x?"""
    units = [
        np.eye(int(np.prod(shape)), dtype=np.int64)[a].reshape(shape) for a in range(np.prod(shape))
    ]
    wanted = [left(x) for x in units]
    for form in kernels:
        size = int(np.prod(form))
        try:
            if right(units[0], np.zeros(form, dtype=np.int64)).shape != wanted[0].shape:
                continue
        except UndefinedError:
            continue
        columns = [[right(x, v.reshape(form)) for x in units] for v in np.eye(size, dtype=np.int64)]
        table = np.array([np.concatenate([y.ravel() for y in c]) for c in columns]).T.astype(float)
        target = np.concatenate([y.ravel() for y in wanted]).astype(float)
        found = np.linalg.lstsq(table, target, rcond=None)[0]
        if np.allclose(table @ found, target):
            return True
    return False


def lengths(*fixed: int) -> Any:
    return [fixed] if fixed else [(a,) for a in range(1, LONGEST + 1)]


def some(choices: list[list[Any]]) -> Iterator[tuple[Any, ...]]:
    """All ways to choose one of each, or where these are many a fixed sample of them."""
    if np.prod([float(len(c)) for c in choices]) <= MANY:
        yield from product(*choices)
        return
    rng = np.random.default_rng(len(choices))
    for _ in range(MANY // 2):
        yield tuple(c[rng.integers(len(c))] for c in choices)


def selections(n: int, k: int, s: int, p: int = 0) -> Iterator[Any]:
    """Max poolings of n samples as 0-1 matrices, one for every choice of a sample in each window."""
    if n + 2 * p < k:
        raise UndefinedError
    starts = range(-p, n + p - k + 1, s)
    for chosen in some([[j for j in range(a, a + k) if 0 <= j < n] for a in starts]):
        yield np.eye(n, dtype=np.int64)[list(chosen)]


def pools(n: int, k: int, s: int | None = None) -> Iterator[tuple[Any, Any, Any]]:
    """(g, VJP, selected taps) of every selection."""
    s = k if s is None else s
    for matrix in selections(n, k, s):
        g = data(len(matrix), seed=9)
        yield g, g @ matrix, matrix.argmax(1) - s * np.arange(len(matrix))


def masked(g: Any, taps: Any, k: int) -> Any:
    mask = np.zeros(k * len(taps), dtype=np.int64)
    mask[k * np.arange(len(taps)) + taps] = 1
    return mask * up(g, k)


def pools_2d(n: Any, k: Any) -> Iterator[tuple[Any, Any, Any]]:
    """(g, VJP, mask) of the selections with windows side by side."""
    m = tuple(a // b for a, b in zip(n, k, strict=True))
    if min(m) < 1:
        raise UndefinedError
    g = data(*m, seed=9)
    taps = list(product(range(k[0]), range(k[1])))
    for chosen in some([taps] * int(np.prod(m))):
        mask, back = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
        for i, t in zip(np.ndindex(*m), chosen, strict=True):
            at = tuple(np.multiply(k, i) + t)
            mask[at] = 1
            back[at] += g[i]
        yield g, back, mask


def rest(n: int, k: int, s: int, d: int = 1, p: int = 0) -> int:
    if n + 2 * p < d * (k - 1) + 1:
        raise UndefinedError
    return (n + 2 * p - d * (k - 1) - 1) % s


def outputs(n: int, k: int, s: int) -> int:
    if n < k:
        raise UndefinedError
    return sum(1 for a in range(0, n - k + 1, s))


def fitting(k: int, s: int, m: int) -> list[int]:
    """The input lengths with m outputs."""
    return [n for n in range(k, s * m + k + 1) if outputs(n, k, s) == m]


def reached(f: Callable[[Any], Any], shape: Any) -> bool:
    return bool((adjoint(f, shape, np.ones_like(f(box(*shape)))) > 0).all())


def halves(n: int) -> list[int]:
    return [n, n // 2, n // 2 // 2, n // 2 // 2 // 2, n // 2 // 2 // 2 // 2]


def by_channels(x: Any, w: Any, h: int, **given: Any) -> Any:
    per, out = w.shape[1], w.shape[0] // h
    return np.array(
        [
            sum(corr(x[o // out * per + c], w[o, c], **given) for c in range(per))
            for o in range(len(w))
        ]
    )


def back_by_channels(g: Any, w: Any, h: int, **given: Any) -> Any:
    per, out = w.shape[1], w.shape[0] // h
    return np.array(
        [
            sum(scatter(g[a * out + o], w[a * out + o, c], **given) for o in range(out))
            for a in range(h)
            for c in range(per)
        ]
    )
