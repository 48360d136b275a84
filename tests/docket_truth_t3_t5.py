"""What is true of the docket rows T3 and T5 at given sizes, from the definitions in plain loops.

Each claim has a function of its sizes; ``None``: not defined, or its hypotheses fail.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.plain_operators import (
    K,
    W,
    X,
    adjoint,
    box,
    conv,
    corr,
    cut,
    fitting,
    grad,
    hot,
    lengths,
    masked,
    outputs,
    pools,
    reached,
    rest,
    same,
    scatter,
    sums,
    there_is,
    up,
    zeros_between,
)

PRINTED = np.array([[1, 2], [3, 4]])
SPREAD = np.array([[1, 0, 2, 0], [0, 0, 0, 0], [3, 0, 4, 0], [0, 0, 0, 0]])
NEAREST = np.array([[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]])


# -- T3: two ways to upsample ----------------------------------------------------------------------


def both_ways(n: Any, w: Any, v: Any, s: Any) -> bool:
    """Upsampling and a stride-1 "same" transposed convolution against one with stride s."""
    x = X(*n)
    return same(scatter(up(x, s), w, p="same"), scatter(x, v, s, "same"))


def other_way(n: int, k: int) -> bool:
    return there_is(lambda x: scatter(up(x, 2), W(k)), lambda x, v: scatter(x, v, 2), n, lengths())


def turned(n: Any, w: Any, p: str) -> bool:
    return same(scatter(X(*n), w, p="same"), corr(X(*n), np.flip(w), p=p))


def by_zeros(n: Any, k: Any, s: Any) -> bool:
    right = corr(zeros_between(X(*n), s), np.flip(W(*k)), p="full")
    return same(scatter(X(*n), W(*k), s), right)


def padded_zeros(n: int, k: int, s: int, p: int, d: int, r: int) -> bool:
    side = d * (k - 1) - p
    right = corr(zeros_between(X(n), s), np.flip(W(k)), p=[(side, side + r)], d=d)
    return same(scatter(X(n), W(k), s, p, d, r), right)


def same_by_zeros(n: int, k: int, s: int, p: Any) -> bool:
    right = corr(zeros_between(X(n), s, s - 1), np.flip(W(k)), p=p)
    return same(scatter(X(n), W(k), s, "same"), right)


def exact_by_zeros(n: int, k: int, s: int) -> bool:
    half = max(k - s, 0) // 2
    return same_by_zeros(n, k, s, [(k - 1 - half, half)])


def sum_gradient(n: Any, k: Any, s: Any) -> bool:
    g, back = grad(lambda x: sums(x, k, s), n)
    return same(back, up(g, k))


def spread_gradient(m: int, k: int) -> bool:
    found = [same(back, zeros_between(g, k, k - 1)) for g, back, _ in pools(k * m, k)]
    return all(found)


def first_samples(m: int, k: int) -> bool:
    """The gradient is zero insertion exactly for the selections of the first samples."""
    return all(
        same(back, masked(g, taps, k))
        and same(back, zeros_between(g, k, k - 1)) == (not taps.any())
        for g, back, taps in pools(k * m, k)
    )


def constant_tap(n: int, k: int, s: int, t: int) -> bool | None:
    if t >= k:
        return None
    g, back = grad(lambda x: corr(x, hot(k, t), s), n)
    return same(back, zeros_between(g, s, n - 1 - s * (len(g) - 1)))


def gradient_at(m: int, k: int, s: int, extra: int, r: int) -> bool | None:
    if extra >= s:
        return None
    g, back = grad(lambda x: corr(x, W(k), s), s * (m - 1) + k + extra)
    return same(back, scatter(g, W(k), s, r=r))


def gradient_2d(m1: int, m2: int, k1: int, k2: int, s1: int, s2: int) -> bool:
    n = (s1 * (m1 - 1) + k1, s2 * (m2 - 1) + k2)
    g, back = grad(lambda x: corr(x, W(k1, k2), (s1, s2)), n)
    return same(back, scatter(g, W(k1, k2), (s1, s2)))


def vanishes(s: int, l: int) -> bool:  # noqa: E741
    """The taps of box(s) * v at each residue modulo s add up to the sum of v."""
    kernel = conv(box(s), K(l), p="full")
    return all(kernel[t::s].sum() == K(l).sum() for t in range(s))


def level(n: int, k: int, s: int) -> bool:
    y = scatter(box(n), W(k), s)
    return same(cut(y, k - 1, k), cut(y, k, k - 1))


def flat(n: int, s: int, l: int) -> bool:  # noqa: E741
    return bool((corr(up(box(n), s), K(l)) == K(l).sum()).all())


TRUTH: dict[str, Callable[..., bool | None]] = {
    "T3-a.1": lambda n, k: both_ways((n,), W(k), W(k), 2),
    "T3-a.2": lambda n, k: (
        there_is(lambda x: scatter(x, W(k), 2), lambda x, v: scatter(up(x, 2), v), n, lengths())
        if k >= 2
        else None
    ),
    "T3-a.3": other_way,
    "T3-a.4": lambda n1, n2: both_ways((n1, n2), W(3, 3), W(3, 3), (2, 2)),
    "T3-a.5": lambda n, k, s: both_ways((n,), W(k), W(k), s),
    "T3-a.6": lambda n, k, s: both_ways((n,), W(k), conv(box(s), W(k), p="full"), s),
    "T3-a.7": lambda n1, n2, k1, k2, s1, s2: both_ways(
        (n1, n2), W(k1, k2), conv(box(s1, s2), W(k1, k2), p="full"), (s1, s2)
    ),
    "T3-a.8": lambda n: there_is(
        lambda x: scatter(x, W(3), 2, "same"),
        lambda x, v: scatter(up(x, 2), v, p="same"),
        n,
        lengths(3),
    ),
    "T3-b.1": lambda: same(up(PRINTED, 2), NEAREST),
    "T3-b.2": lambda: same(zeros_between(PRINTED, 2), SPREAD),
    "T3-b.3": lambda: same(zeros_between(PRINTED, 2, 1), SPREAD),
    "T3-b.4": lambda: same(scatter(PRINTED, np.array([[1, 0], [0, 0]]), 2), SPREAD),
    "T3-b.5": lambda: same(scatter(PRINTED, box(1, 1), 2, r=1), SPREAD),
    "T3-b.6": lambda n, s: same(scatter(X(n), box(1), s, "same"), zeros_between(X(n), s, s - 1)),
    "T3-c.1": lambda n, k: same(scatter(X(n), W(k), p="same"), corr(X(n), W(k), p="same")),
    "T3-c.2": lambda n, k: turned((n,), W(k), "same"),
    "T3-c.3": lambda n, k: turned((n,), W(k), "same_lower"),
    "T3-c.4": lambda n1, n2, k1, k2: turned((n1, n2), W(k1, k2), "same"),
    "T3-c.5": lambda n1, n2, k1, k2: (
        turned((n1, n2), W(k1, k2), "same") if k1 % 2 and k2 % 2 else None
    ),
    "T3-c.6": lambda n1, n2, k1, k2: same(
        scatter(X(n1, n2), W(k1, k2), p="same"), corr(X(n1, n2), W(k1, k2), p="same")
    ),
    "T3-c.7": lambda n1, n2, k1, k2: turned((n1, n2), W(k1, k2), "same_lower"),
    "T3-d.1": padded_zeros,
    "T3-d.2": lambda n, k, s: same(
        scatter(X(n), W(k), s), corr(zeros_between(X(n), s), W(k), p="full")
    ),
    "T3-d.3": lambda n1, n2, k1, k2, s1, s2: by_zeros((n1, n2), (k1, k2), (s1, s2)),
    "T3-d.4": lambda n, k, s: same_by_zeros(n, k, s, "same"),
    "T3-d.5": exact_by_zeros,
    "T3-e.1": sum_gradient,
    "T3-e.2": lambda n1, n2, k1, k2: sum_gradient((n1, n2), (k1, k2), (k1, k2)),
    "T3-e.3": spread_gradient,
    "T3-e.4": lambda m: spread_gradient(m, 1),
    "T3-e.5": lambda m, k, t: constant_tap(k * m, k, k, t),
    "T3-e.6": first_samples,
    "T3-e.7": constant_tap,
    "T3-f.1": lambda m, k, s: not gradient_at(m, k, s, 0, 0),
    "T3-f.2": lambda m, k, s: gradient_at(m, k, s, 0, 0),
    "T3-f.3": lambda m, k, s, r: gradient_at(m, k, s, r, 0),
    "T3-f.4": lambda m, k, s, r: gradient_at(m, k, s, r, r),
    "T3-f.5": gradient_2d,
    "T3-g.1": lambda n, s: same(up(X(n), s), scatter(X(n), box(s), s)),
    "T3-g.2": vanishes,
    "T3-g.3": lambda k, s: (
        there_is(lambda x: W(k), lambda x, v: conv(box(s), v, p="full"), 1, [(k - s + 1,)])
        if k >= s
        else None
    ),
    "T3-g.4": flat,
    "T3-g.5": level,
    "T3-g.6": lambda n1, n2, s1, s2: same(
        up(X(n1, n2), (s1, s2)), scatter(X(n1, n2), box(s1, s2), (s1, s2))
    ),
}


# -- T5: lengths and holes -------------------------------------------------------------------------


def whole_layer(n: int, first: Any, second: Any, s: int) -> int:
    """The length after a convolution with 7 taps and a transposed one with stride s."""
    return len(scatter(corr(X(n), W(7), p=first), W(7), s, second))


def sizes_2d(n1: int, n2: int, padding: Any, k: int) -> tuple[int, ...]:
    found: tuple[int, ...] = scatter(X(n1, n2), W(k, k), 2, padding).shape
    return found


def tail_cut(n: int, k: int, s: int) -> bool | None:
    if k < s:
        return None
    count = adjoint(lambda x: corr(x, box(k), s), n, box(outputs(n, k, s)))
    return bool((count[: n - rest(n, k, s)] > 0).all())


def counts(n: int, k: int, s: int, t: int, wanted: int) -> bool | None:
    if k > s or t >= s or (t < k) != bool(wanted):
        return None
    return bool((scatter(box(n), box(k), s, r=s - k)[t::s] == wanted).all())


def holes_2d(n1: int, n2: int, k1: int, k2: int, s1: int, s2: int) -> bool:
    return bool((scatter(box(n1, n2), box(k1, k2), (s1, s2)) > 0).all())


TRUTH |= {
    "T5-a.1": lambda n, k, s: len(corr(X(n), W(k), s)) == (n - k) // s + 1,
    "T5-a.2": lambda n1, n2, k1, k2, s1, s2: (
        corr(X(n1, n2), W(k1, k2), (s1, s2)).shape == ((n1 - k1) // s1 + 1, (n2 - k2) // s2 + 1)
    ),
    "T5-a.3": lambda n, k, s: outputs(n, k, s) == (n - k) // s + 1,
    "T5-b.1": lambda k, s, m: len(fitting(k, s, m)) == s,
    "T5-b.2": lambda k, s, m: len(fitting(k, s, m)) == 1,
    "T5-b.3": lambda k, s, m: min(fitting(k, s, m)) == s * (m - 1) + k,
    "T5-b.4": lambda k, s, m: max(fitting(k, s, m)) == s * m + k - 1,
    "T5-c.1": lambda k, s, m: sum((n - k) % s == 0 for n in fitting(k, s, m)) == 1,
    "T5-c.2": lambda n, k, s: s * (outputs(n, k, s) - 1) + k == n,
    "T5-d.1": lambda n1, n2: (
        scatter(corr(X(n1 + 6, n2 + 6), W(7, 7)), K(7, 7)).shape == (n1 + 6, n2 + 6)
    ),
    "T5-d.2": lambda n, k: len(scatter(corr(X(n), W(k)), K(k))) == n,
    "T5-e.1": lambda n: len(scatter(X(n), W(7), 2)) == 2 * n,
    "T5-e.2": lambda n: whole_layer(n, 0, 0, 2) == 2 * n,
    "T5-e.3": lambda n, k: len(scatter(X(n), W(k), 2, "same")) == 2 * n,
    "T5-e.4": lambda n: whole_layer(n, 0, "same", 2) == 2 * n,
    "T5-e.5": lambda n: whole_layer(n, "same", "same", 2) == 2 * n,
    "T5-e.6": lambda n, k, s: len(scatter(X(n), W(k), s)) == s * n,
    "T5-e.7": lambda m, k, s: s * m in fitting(k, s, m),
    "T5-e.8": lambda n: outputs(2 * n, 7, 2) == outputs(n, 7, 1),
    "T5-e.9": lambda m, k: 2 * (m - 1) + k - 2 * (k // 2) == 2 * m,
    "T5-e.10": lambda n1, n2: (
        scatter(corr(X(n1, n2), W(7, 7), p="same"), K(7, 7), 2, "same").shape == (2 * n1, 2 * n2)
    ),
    "T5-e.11": lambda n1, n2: sizes_2d(n1, n2, 0, 7) == (2 * n1, 2 * n2),
    "T5-f.1": lambda n, k, s: bool((scatter(box(n), box(k), s) > 0).all()),
    "T5-f.2": lambda n, k, s: reached(lambda x: corr(x, box(k), s), (n,)),
    "T5-f.3": tail_cut,
    "T5-f.4": holes_2d,
    "T5-f.5": lambda n, k, s, t: counts(n, k, s, t, 1),
    "T5-f.6": lambda n, k, s, t: counts(n, k, s, t, 0),
    "T5-f.7": lambda n, k, s: bool((scatter(box(n), box(k), s, "same") > 0).all()),
    "T5-f.8": lambda n1, n2, k1, k2, s1, s2: reached(
        lambda x: corr(x, box(k1, k2), (s1, s2)), (n1, n2)
    ),
}
