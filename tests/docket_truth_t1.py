"""What is true of the docket rows T1 at given sizes, from the definitions in plain NumPy loops.

Each claim has a function of its sizes; ``None``: not defined, or its hypotheses fail.
"""

# ruff: noqa: E741 (l is the length of the second kernel, here as in the claims)

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from tests.plain_operators import (
    K,
    L,
    UndefinedError,
    W,
    X,
    adjoint,
    back_by_channels,
    box,
    by_channels,
    conv,
    corr,
    cut,
    grad,
    halves,
    hot,
    lengths,
    masked,
    mean,
    outputs,
    pad,
    pools,
    pools_2d,
    rest,
    same,
    scatter,
    selections,
    sums,
    there_is,
    up,
    zeros_between,
)

TRUTH: dict[str, Callable[..., bool | None]] = {}


def pairs(p1: int, p2: int) -> list[tuple[int, int]]:
    return [(p1, p1), (p2, p2)]


# -- T1-a: two names of one operator ---------------------------------------------------------------


def keras(n: int, k: int, s: int, r: int) -> bool:
    """The adjoint of the convolution of Keras' length with "valid" against the plain scatter."""
    whole = s * n + max(k - s, 0)
    return same(adjoint(lambda y: corr(y, W(k), s), whole, X(n)), scatter(X(n), W(k), s, r=r))


def tensorflow(n: int, m: int, k: int, s: int) -> bool:
    """TensorFlow's operator with output length n against the "same" scatter."""
    back = adjoint(lambda y: corr(y, W(k), s, "same"), n, X(m))
    return same(back, scatter(X(m), W(k), s, "same"))


def tensorflow_2d(n1: int, n2: int, k1: int, k2: int, s1: int, s2: int) -> bool:
    back = adjoint(lambda y: corr(y, W(k1, k2), (s1, s2), "same"), (s1 * n1, s2 * n2), X(n1, n2))
    return same(back, scatter(X(n1, n2), W(k1, k2), (s1, s2), "same"))


TRUTH |= {
    "T1-a.1": lambda n, k, s: tensorflow(s * n, n, k, s),
    "T1-a.2": lambda n, k, s: keras(n, k, s, 0),
    "T1-a.3": lambda n, k, s: keras(n, k, s, max(s - k, 0)),
    "T1-a.4": tensorflow_2d,
    "T1-a.5": lambda m, k, s, r: tensorflow(s * m - r, m, k, s) if r < s else None,
}


# -- T1-b: as upsampling and a convolution ---------------------------------------------------------


def by_nearest(n: int, w: Any, s: int) -> bool:
    return there_is(
        lambda x: scatter(x, w, s), lambda x, v: conv(up(x, s), v, p="full"), n, lengths()
    )


def by_nearest_2d(n1: int, n2: int, k1: int, k2: int, s1: int, s2: int) -> bool | None:
    if k1 < s1 or k2 < s2:
        return None
    return there_is(
        lambda x: scatter(x, W(k1, k2), (s1, s2)),
        lambda x, v: conv(up(x, (s1, s2)), v, p="full"),
        (n1, n2),
        [(k1 - s1 + 1, k2 - s2 + 1)],
    )


def quotient(n: Any, u: Any, s: Any) -> bool:
    ones = box(*(s if isinstance(s, tuple) else (s,)))
    x = X(*(n if isinstance(n, tuple) else (n,)))
    return same(scatter(x, conv(ones, u, p="full"), s), conv(up(x, s), u, p="full"))


def alternating(n: int) -> bool:
    long = conv(up(X(n), 2), np.array([1, -1] * n), p="full")
    return same(cut(long, 0, 2 * n - 1), zeros_between(X(n), 2, 1))


TRUTH |= {
    "T1-b.1": lambda n, k, s: by_nearest(n, W(k), s) if k >= s else None,
    "T1-b.2": lambda n, k: by_nearest(n, W(k), 1),
    "T1-b.3": lambda n, c, s: by_nearest(n, conv(box(s), K(c), p="full"), s),
    "T1-b.4": lambda n, c, s: quotient(n, K(c), s),
    "T1-b.5": lambda n, k, s: there_is(
        lambda x: scatter(x, W(k), s),
        lambda x, v: conv(zeros_between(x, s), v, p="full"),
        n,
        lengths(),
    ),
    "T1-b.6": by_nearest_2d,
    "T1-b.7": lambda n1, n2, k1, k2, s1, s2: same(
        scatter(X(n1, n2), W(k1, k2), (s1, s2)),
        conv(zeros_between(X(n1, n2), (s1, s2)), W(k1, k2), p="full"),
    ),
    "T1-b.8": alternating,
    "T1-b.9": lambda k, l, s: (
        same(scatter(box(1), W(k), s), W(k))
        and same(conv(up(box(1), s), K(l), p="full"), conv(box(s), K(l), p="full"))
    ),
    "T1-b.10": lambda n: there_is(
        lambda x: scatter(x, W(2), 2, "same"),
        lambda x, v: conv(up(x, 2), v, p="same"),
        n,
        lengths(3),
    ),
    "T1-b.11": lambda n1, n2, c1, c2, s1, s2: quotient((n1, n2), K(c1, c2), (s1, s2)),
}


# -- T1-c, T1-d: the gradient of a convolution -----------------------------------------------------


def transposed(n: int, k: int, s: int, p: int, d: int, r: int) -> bool:
    g, back = grad(lambda x: corr(x, W(k), s, p, d), n)
    try:
        return same(back, scatter(g, W(k), s, p, d, r))
    except UndefinedError:
        return False


def transposed_2d(n1: int, n2: int, k1: int, k2: int, s1: int, s2: int, d1: int, p2: int) -> bool:
    given: dict[str, Any] = {"s": (s1, s2), "p": pairs(1, p2), "d": (d1, 2)}
    g, back = grad(lambda x: corr(x, W(k1, k2), **given), (n1, n2))
    r = (rest(n1, k1, s1, d1, 1), rest(n2, k2, s2, 2, p2))
    return same(back, scatter(g, W(k1, k2), **given, r=r))


def grouped(h: int, c: int, e: int, n: int, k: int, s: int, p: int, d: int) -> bool:
    given: dict[str, Any] = {"s": s, "p": p, "d": d}
    g, back = grad(lambda x: by_channels(x, W(h * e, c, k), h, **given), (h * c, n))
    return same(back, back_by_channels(g, W(h * e, c, k), h, **given, r=rest(n, k, s, d, p)))


def grouped_2d(h: int, c: int, e: int, n1: int, n2: int, k1: int, k2: int, s1: int) -> bool:
    given: dict[str, Any] = {"s": (s1, 2), "p": pairs(0, 1), "d": (1, 2)}
    w, r = W(h * e, c, k1, k2), (rest(n1, k1, s1), rest(n2, k2, 2, 2, 1))
    g, back = grad(lambda x: by_channels(x, w, h, **given), (h * c, n1, n2))
    return same(back, back_by_channels(g, w, h, **given, r=r))


def gradient_is(n: Any, w: Any, p: Any, w2: Any, q: Any) -> bool:
    """The gradient of a stride-1 correlation with w is the correlation of g with w2."""
    g, back = grad(lambda x: corr(x, w, p=p), n)
    try:
        return same(back, corr(g, w2, p=q))
    except UndefinedError:
        return False


def strided_gradient(n: int, k: int, s: int, p: int, d: int) -> bool:
    g, back = grad(lambda x: corr(x, W(k), s, p, d), n)
    side = d * (k - 1) - p
    around = (side, side + rest(n, k, s, d, p))
    return same(back, corr(zeros_between(g, s), np.flip(W(k)), p=around, d=d))


def independent(n: int, k: int, s: int, p: int, d: int) -> bool:
    """The change from x to x + e_j is the same at two inputs x."""
    at = [corr(x + box(n), W(k), s, p, d) - corr(x, W(k), s, p, d) for x in (X(n), K(n))]
    return same(*at)


TRUTH |= {
    "T1-c.1": lambda n, k, s, p, d: transposed(n, k, s, p, d, 0),
    "T1-c.2": lambda n, k, s, p, d: transposed(n, k, s, p, d, rest(n, k, s, d, p)),
    "T1-c.3": grouped,
    "T1-c.4": transposed_2d,
    "T1-c.5": grouped_2d,
    "T1-d.1": lambda n, k: gradient_is(n, W(k), "same", W(k), "same"),
    "T1-d.2": lambda n, k: gradient_is(n, W(k), 0, np.flip(W(k)), "full"),
    "T1-d.3": lambda n, k, p: gradient_is(n, W(k), p, np.flip(W(k)), k - 1 - p),
    "T1-d.4": independent,
    "T1-d.5": lambda n1, n2, k1, k2: gradient_is(
        (n1, n2), W(k1, k2), 0, np.flip(W(k1, k2)), "full"
    ),
    "T1-d.6": lambda n, k: gradient_is(n, W(k), 0, W(k), 0),
    "T1-d.7": lambda n, k: gradient_is(
        n, W(k) + np.flip(W(k)), "same", W(k) + np.flip(W(k)), "same"
    ),
    "T1-d.8": lambda m, k, s: (
        there_is(
            lambda g: adjoint(lambda x: corr(x, W(k), s), s * (m - 1) + k, g),
            lambda g, v: conv(g, v, p="full"),
            m,
            [(a,) for a in range(1, 16)],
        )
        if s >= 2
        else None
    ),
    "T1-d.9": strided_gradient,
    "T1-d.10": lambda n1, n2, k1, k2: gradient_is((n1, n2), W(k1, k2), "same", W(k1, k2), "same"),
    "T1-d.11": lambda n1, n2, k1, k2, p1, p2: gradient_is(
        (n1, n2), W(k1, k2), pairs(p1, p2), np.flip(W(k1, k2)), pairs(k1 - 1 - p1, k2 - 1 - p2)
    ),
}


# -- T1-e, T1-f: average pooling -------------------------------------------------------------------


def chained(n: int, k: int, l: int, s: int, p: Any, in_order: bool) -> bool:
    """The VJP of pooling after convolving against the two VJPs, applied in either order."""
    m = len(corr(X(n), W(k), p=p))
    g, whole = grad(lambda x: mean(corr(x, W(k), p=p), l, s), n)
    if in_order:
        inner = adjoint(lambda y: corr(y, W(k), p=p), len(mean(X(n), l, s)), g)
        return same(whole, adjoint(lambda x: mean(x, l, s), n, inner))
    inner = adjoint(lambda y: mean(y, l, s), m, g)
    return same(whole, adjoint(lambda x: corr(x, W(k), p=p), n, inner))


def chained_2d(n1: int, n2: int, k1: int, k2: int) -> bool:
    g, whole = grad(lambda x: mean(corr(x, W(k1, k2)), 2), (n1, n2))
    inner = adjoint(lambda y: mean(y, 2), (n1 - k1 + 1, n2 - k2 + 1), g)
    return same(whole, adjoint(lambda x: corr(x, W(k1, k2)), (n1, n2), inner))


def spreads(n: Any, k: Any, factor: Any, **given: Any) -> bool | None:
    """The VJP of average pooling is nearest upsampling by the factor, over the number of taps."""
    if 2 * given.get("p", 0) > np.min(k):
        return None
    g, back = grad(lambda x: mean(x, k, **given), n)
    taps = np.prod(k) if isinstance(k, tuple) else k
    return same(back, L * up(g, factor) // taps)


def some_constant(n: int, k: int, s: int, factor: int) -> bool:
    g, back = grad(lambda x: mean(x, k, s), n)
    spread = up(g, factor)
    if len(spread) > n:
        return False
    spread = pad(spread, [(0, n - len(spread))])
    at = int(np.flatnonzero(spread)[0])
    return same(back * spread[at], back[at] * spread)


def ends_cut(n: int, k: int, p: int) -> bool | None:
    if 2 * p > k:
        return None
    g, back = grad(lambda x: mean(x, k, p=p), n)
    return same(back, cut(L * up(g, k) // k, p, k * len(g) - n - p))


TRUTH |= {
    "T1-e.1": lambda n, k, l, s: chained(n, k, l, s, 0, False),
    "T1-e.2": lambda m, k: chained(2 * m, k, 2, 2, "same", True),
    "T1-e.3": lambda m, k: chained(2 * m, k, 2, 2, "same", False),
    "T1-e.4": chained_2d,
    "T1-e.5": lambda l, m, k: chained(l * m, k, l, l, "same", True),
    "T1-e.6": lambda n, k, l, s: chained(n, k, l, s, 0, True),
    "T1-f.1": lambda n, k, s: spreads(n, k, k, s=s),
    "T1-f.2": lambda n, k, p: spreads(n, k, k, p=p),
    "T1-f.3": lambda n, k: n % k == 0 and some_constant(n, k, k, k) if n >= k else None,
    "T1-f.4": lambda n, k: some_constant(n, k, k, k) if n % k == 0 else None,
    "T1-f.5": lambda n1, n2, k1, k2: spreads((n1, n2), (k1, k2), (k1, k2)),
    "T1-f.6": lambda n, k: spreads(n, k, k, ceil=True),
    "T1-f.7": lambda n, k, p: spreads(n, k, k, p=p, include=False),
    "T1-f.8": lambda n, k, s: spreads(n, k, s, s=s),
    "T1-f.9": lambda n, k, s, p: spreads(n, k, k, s=s, p=p),
    "T1-f.10": lambda n, k, s: spreads(n, k, k, s=s, ceil=True),
    "T1-f.11": lambda n, k, p: spreads(n, k, k, p=p, ceil=True, include=False),
    "T1-f.12": lambda n, k, s: some_constant(n, k, s, s) if k > s else None,
    "T1-f.13": ends_cut,
    "T1-f.14": lambda n1, n2, k1, k2, s1, s2: spreads((n1, n2), (k1, k2), (k1, k2), s=(s1, s2)),
}


# -- T1-g, T1-h, T1-i: max pooling -----------------------------------------------------------------


def every(claims: Iterator[bool]) -> bool:
    found = list(claims)
    if not found:
        raise UndefinedError
    return all(found)


def one_kernel(chosen: list[tuple[Any, Any]], shape: Any, kernels: Any, k: Any) -> bool:
    """One kernel v with mask * upsampled = upsampled "same"-convolved with v, for all the masks."""
    return there_is(
        lambda g: np.concatenate([mask * up(g, k) for _, mask in chosen]),
        lambda g, v: np.concatenate([conv(up(g, k), v, p="same") for _ in chosen]),
        shape,
        kernels,
    )


def one_kernel_1d(n: int, k: int) -> bool | None:
    if n % k:
        return None
    masks = [(g, masked(box(len(g)), taps, k)) for g, _, taps in pools(n, k)]
    return one_kernel(masks, n // k, lengths(), k)


def one_kernel_2d(n1: int, n2: int, k1: int, k2: int) -> bool | None:
    if n1 % k1 or n2 % k2:
        return None
    masks = [(g, mask) for g, _, mask in pools_2d((n1, n2), (k1, k2))]
    kernels = [(a, b) for a in range(1, 5) for b in range(1, 5)]
    return one_kernel(masks, (n1 // k1, n2 // k2), kernels, (k1, k2))


def adds_up_2d(m: int, c: int, k1: int, k2: int) -> bool:
    every_one = pools_2d((k1 * m, k2 * c), (k1, k2))
    return every(same(sums(back, (k1, k2)), g) for g, back, _ in every_one)


def unpadded_2d(m: int, c: int, k1: int, k2: int) -> bool:
    """Each position is selected or not: the VJP divides by g to a 0-1 mask, one 1 a window."""
    every_one = pools_2d((k1 * m, k2 * c), (k1, k2))
    return every(
        same(back, mask * up(g, (k1, k2))) and bool((sums(mask, (k1, k2)) == 1).all())
        for g, back, mask in every_one
    )


def shifted(n: int, k: int, s: int, t: int) -> bool | None:
    if t >= k:
        return None
    g, back = grad(lambda x: corr(x, hot(k, t), s), n)
    return same(back, pad(zeros_between(g, s), [(t, n - 1 - s * ((n - k) // s) - t)]))


def rows(n1: int, n2: int, k1: int, k2: int, s1: int, s2: int) -> bool:
    first, second = (list(selections(*a))[-1] for a in ((n1, k1, s1), (n2, k2, s2)))
    return bool(((np.kron(first, second) != 0).sum(1) == 1).all())


def diagonal(n: int, k: int, s: int) -> bool:
    return every(same(m, np.eye(len(m), n, dtype=np.int64)) for m in selections(n, k, s))


TRUTH |= {
    "T1-g.1": lambda n, k: every(same(back, up(g, k)) for g, back, _ in pools(n, k)),
    "T1-g.2": lambda n: every(same(back, up(g, 1)) for g, back, _ in pools(n, 1)),
    "T1-g.3": lambda m, k: every(same(sums(back, k), g) for g, back, _ in pools(k * m, k)),
    "T1-g.4": lambda n1, n2, k: every(
        same(back, up(g, k)) for g, back, _ in pools_2d((n1, n2), (k, k))
    ),
    "T1-g.5": lambda m, k: same(sums(up(X(m), k), k), k * X(m)),
    "T1-g.6": adds_up_2d,
    "T1-h.1": one_kernel_1d,
    "T1-h.2": lambda m, k: every(same(b, masked(g, t, k)) for g, b, t in pools(k * m, k)),
    "T1-h.3": unpadded_2d,
    "T1-h.4": lambda n, k, s: every(same(b, masked(g, t, k)) for g, b, t in pools(n, k, s)),
    "T1-h.5": shifted,
    "T1-h.6": lambda m, k: there_is(
        lambda g: zeros_between(g, k, k - 1), lambda g, v: conv(up(g, k), v, p="full"), m, lengths()
    ),
    "T1-h.7": lambda m, k: every(same(b, masked(g, t, k)) for g, b, t in pools(k * m, k)),
    "T1-h.8": lambda k, s: every(same(b, masked(g, t, k)) for g, b, t in pools(k, k, s)),
    "T1-h.9": lambda m: there_is(
        lambda g: zeros_between(g, 2, 1), lambda g, v: conv(up(g, 2), v, p="same"), m, lengths(3)
    ),
    "T1-h.10": one_kernel_2d,
    "T1-i.1": lambda n, k, s, p: (
        every(bool(((m != 0).sum(1) == 1).all()) for m in selections(n, k, s, p)) if p < k else None
    ),
    "T1-i.2": lambda n, k, s, p: (
        every(bool((m @ box(n) == 1).all()) for m in selections(n, k, s, p)) if p < k else None
    ),
    "T1-i.3": diagonal,
    "T1-i.4": rows,
    "T1-i.5": lambda n, k, s, t: (
        same(corr(X(n), hot(k, t), s), X(n)[: outputs(n, k, s)]) if t < k else None
    ),
}


# -- T1-j, T1-k, T1-l: compositions ----------------------------------------------------------------


def twice(
    n: Any, w: Any, v: Any, first: dict[str, Any], second: dict[str, Any], both: dict[str, Any]
) -> bool:
    """Two correlations against one with the product kernel."""
    one = corr(X(*n), w, **first)
    kernel = conv(
        zeros_between(w, first.get("d", 1)),
        zeros_between(v, np_product(first.get("s", 1), second.get("d", 1))),
        p="full",
    )
    left = corr(one, v, **second)
    try:
        return same(left, corr(X(*n), kernel, **both))
    except UndefinedError:
        return False


def np_product(a: Any, b: Any) -> Any:
    found = np.multiply(a, b)
    return int(found) if found.ndim == 0 else tuple(int(f) for f in found)


def two_same(n: Any, w: Any, v: Any) -> bool:
    return twice(n, w, v, {"p": "same"}, {"p": "same"}, {"p": "same"})


def away(n: int) -> bool:
    left = corr(corr(X(n), W(3), p="same"), K(3), p="same")
    return same(cut(left, 1, 1), cut(corr(X(n), conv(W(3), K(3), p="full"), p="same"), 1, 1))


def after_nearest(n: Any, s: Any, v: Any, p: Any, q: Any, flipped: bool = True) -> bool:
    """Nearest upsampling and a correlation (or convolution) against the transposed convolution."""
    kernel = np.flip(v) if flipped else v
    ones = box(*(s if isinstance(s, tuple) else (s,)))
    right = scatter(X(*n), conv(ones, kernel, p="full"), s, q)
    return same((corr if flipped else conv)(up(X(*n), s), v, p=p), right)


def levels(n: int) -> bool:
    down = halves(n)
    return all(2 * b == a for a, b in pairwise(down))


def crops(*lengths_of_v: int) -> list[tuple[int, int]]:
    return [(a // 2, (a - 1) // 2) for a in lengths_of_v]


TRUTH |= {
    "T1-j.1": lambda n, k, l: twice((n,), W(k), K(l), {}, {}, {}),
    "T1-j.2": lambda n: two_same((n,), W(3), K(3)),
    "T1-j.3": lambda n, k, l, s, d, s2, d2: twice(
        (n + 5,), W(k), K(l), {"s": s, "d": d}, {"s": s2, "d": d2}, {"s": s * s2}
    ),
    "T1-j.4": lambda n, k, l, p: twice((n,), W(k), K(l), {"p": p}, {}, {"p": p}),
    "T1-j.5": lambda n1, n2, k1, k2, l1, l2: twice(
        (n1 + 2, n2 + 1), W(k1, k2), K(l1, l2), {}, {}, {}
    ),
    "T1-j.6": lambda n, k, l: two_same((n,), W(k), K(l)),
    "T1-j.7": away,
    "T1-j.8": lambda n: there_is(
        lambda x: corr(corr(x, W(3), p="same"), K(3), p="same"),
        lambda x, u: corr(x, u, p="same"),
        n,
        [(a,) for a in range(1, 10)],
    ),
    "T1-j.9": lambda n, k, l, s, d, p, s2, d2: twice(
        (n + 4,), W(k), K(l), {"s": s, "d": d, "p": p}, {"s": s2, "d": d2}, {"s": s * s2, "p": p}
    ),
    "T1-j.10": lambda n, k, l, p, r: twice((n,), W(k), K(l), {"p": p}, {"p": r}, {"p": p + r}),
    "T1-j.11": lambda n1, n2, k1, k2, l1, l2, s1, d2: twice(
        (n1 + 3, n2 + 3), W(k1, k2), K(l1, l2), {"s": (s1, 2), "d": (1, d2)}, {}, {"s": (s1, 2)}
    ),
    "T1-j.12": lambda n1, n2: two_same((n1, n2), W(3, 3), K(3, 3)),
    "T1-k.1": lambda n, s, l: after_nearest((n,), s, K(l), 0, l - 1, flipped=False),
    "T1-k.2": lambda n, s, l: after_nearest((n,), s, K(l), "same", crops(l), flipped=False),
    "T1-k.3": lambda n1, n2, s, l1, l2: after_nearest(
        (n1, n2), (s, s), K(l1, l2), 0, pairs(l1 - 1, l2 - 1), flipped=False
    ),
    "T1-k.4": lambda n, s, l, p: after_nearest((n,), s, K(l), p, l - 1 - p),
    "T1-k.5": lambda n, s, l: after_nearest((n,), s, K(l), "same", crops(l)),
    "T1-k.6": lambda n, s, l: after_nearest((n,), s, K(l), "same", "same"),
    "T1-k.7": lambda n1, n2, s1, s2, l1, l2: after_nearest(
        (n1, n2), (s1, s2), K(l1, l2), "same", crops(l1, l2)
    ),
    "T1-l.1": lambda n: len(up(X(outputs(n, 2, 2)), 2)) == n,
    "T1-l.2": lambda n: levels(7 * n) == ((7 * n) % 16 == 0),
    "T1-l.3": lambda n1, n2: (
        (levels(8 * n1) and levels(8 * n2)) == ((8 * n1) % 16 == 0 and (8 * n2) % 16 == 0)
    ),
    "T1-l.4": lambda n: levels(4 * n) == ((4 * n) % 16 == 0),
}
