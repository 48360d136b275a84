"""The docket argued by brute force: rows T4 and P against plain NumPy, size by size.

For every claim a predicate written from the definitions alone says whether it is true at given sizes;
nothing of the program takes part in it (the operators are those of ``brute_docket.py``).  A predicate
raises Undefined where the claim says nothing.
"""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable, Iterator
from itertools import product
from math import gcd
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from derive.claims.judge import judge
from derive.decide.verdict import Refuted
from tests.brute_docket import (
    SCALE,
    Undefined,
    W,
    X,
    adjoint,
    appends,
    avg_pool,
    bare,
    box,
    ceil_gradient,
    ceil_length,
    channels,
    clipped,
    commutes,
    conv_t,
    conv_t_same,
    copies,
    corr,
    corr_same,
    crop,
    data,
    disjoint,
    dw,
    dw_channels,
    dw_general,
    dw_plane,
    dx,
    dx_channels,
    dx_general,
    dx_plane,
    eq,
    exchanged,
    flip,
    full,
    held,
    iff,
    insert,
    interleaved,
    is_adaptive,
    kernel_exists,
    linear,
    mean_same,
    mixed,
    moved_back,
    nearest,
    one_hot,
    pad,
    rest,
    rotated,
    same,
    shuffle,
    spreads,
    stated_length,
    transposed,
    triangle,
    triangle_up,
    under,
    undone,
    vjp,
    wrap,
)

FOLDER = Path(__file__).parent.parent / "proofs" / "docket"
ENTRIES: dict[str, dict[str, Any]] = {
    e["id"]: e
    for name in ("T4", "elsewhere")
    for e in yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
}
POINTS = 1200  # of a larger box so many sizes are drawn
ONE_AXIS = {
    "n": range(1, 8),
    "k": range(1, 5),
    "s": range(1, 4),
    "p": range(3),
    "d": range(1, 3),
    "r": range(4),
    "c": range(1, 3),
    "h": range(1, 3),
    "m": range(1, 6),
    "t": range(4),
    "a": range(-3, 4),
    "b": range(-3, 4),
}
TWO_AXES = {**ONE_AXIS, "n": range(1, 5), "k": range(1, 4), "s": range(1, 3), "p": range(2)}


# -- the claims ------------------------------------------------------------------------------------

LIMITS: dict[str, dict[str, range]] = {  # where the usual boxes are too small or too large
    "T4-k.6": {"k": range(1, 7)},
    "T4-k.9": {"k": range(1, 7)},
    "T4-h.2": {"n": range(1, 3)},
    "P-4.1": {"n": range(1, 14)},
    "P-4.2": {"n": range(1, 14)},
    **{f"P-13.{i}": {"n": range(1, 11), "k": range(1, 6), "s": range(1, 7)} for i in range(1, 6)},
    **{f"P-14.{i}": {"n": range(1, 11), "k": range(1, 6), "s": range(1, 7)} for i in range(1, 6)},
}


PLANE = triangle(2)[:, None] * triangle(2)[None, :]
PRINTED = np.arange(15).reshape(3, 5)

CASES: dict[str, Callable[..., bool]] = {
    # -- T4 --
    "T4-a.1": lambda n, k, s: eq(
        conv_t(X(n), W(k), s), corr(insert(X(n), s), flip(W(k)), 1, k - 1)
    ),
    "T4-a.2": lambda n1, n2, k1, k2, s1, s2: eq(
        conv_t(X(n1, n2), W(k1, k2), (s1, s2)),
        corr(insert(X(n1, n2), (s1, s2)), flip(W(k1, k2)), 1, full(W(k1, k2))),
    ),
    "T4-a.3": lambda n, k, s: eq(conv_t(X(n), W(k), s), corr(insert(X(n), s), W(k), 1, k - 1)),
    "T4-b.1": lambda n: eq(linear(X(n), 2), triangle_up(X(n), 2, 1)),
    "T4-b.2": lambda n: eq(crop(linear(X(n), 2), 1), crop(triangle_up(X(n), 2, 1), 1)),
    "T4-b.3": lambda n: eq(linear(X(n), 2), copies(held(X(n)), 2)),
    "T4-b.4": lambda n: eq(triangle_up(X(n + 2), 2, 3), copies(X(n + 2), 2)),
    "T4-b.5": lambda n: kernel_exists(
        lambda x: linear(x, 2), (n,), (4,), lambda x, v: conv_t(x, v, 2, 1)
    ),
    "T4-b.6": lambda n1, n2, s1, s2: eq(
        nearest(X(n1, n2), s1, s2), conv_t(X(n1, n2), box(s1, s2), (s1, s2))
    ),
    "T4-b.7": lambda n: eq(linear(X(n), 3), copies(held(X(n)), 3)),
    "T4-b.8": lambda n: eq(triangle_up(X(n + 2), 3, 4), copies(X(n + 2), 3)),
    "T4-b.9": lambda n1, n2: eq(
        crop(linear(X(n1, n2), 2), 1), crop(conv_t(X(n1, n2), PLANE, 2, 1), 1) // 16
    ),
    "T4-b.10": lambda n: eq(crop(linear(X(n), 3), 1), crop(triangle_up(X(n), 3, 1), 1)),
    "T4-b.11": lambda n, s: (
        under(s >= 2)
        and kernel_exists(lambda x: linear(x, s), (n,), (3 * s,), lambda x, v: conv_t(x, v, s, s))
    ),
    "T4-b.12": lambda n1, n2: kernel_exists(
        lambda x: linear(x, 2), (n1, n2), (4, 4), lambda x, v: conv_t(x, v, 2, 1)
    ),
    "T4-b.13": lambda n: kernel_exists(
        lambda x: crop(linear(x, 2, True), 1), (n,), (6,), lambda x, v: crop(conv_t(x, v, 2, 2), 1)
    ),
    "T4-c.1": lambda n1, n2, k1, k2: (
        under(k1 % 2 == 1, k2 % 2 == 1)
        and dx((n1, n2), (k1, k2), lambda g, w: corr(g, flip(w), 1, full(w)))
    ),
    "T4-c.2": lambda n1, n2, k1, k2: iff(
        dx((n1, n2), (k1, k2), lambda g, w: corr(g, flip(w), 1, full(w))),
        k1 % 2 == 1 and k2 % 2 == 1,
    ),
    "T4-c.3": lambda n1, n2, k1, k2: dx(
        (n1, n2), (k1, k2), lambda g, w: corr(g, flip(w), 1, full(w))
    ),
    "T4-d.1": lambda n1, n2, k1, k2: dw((n1, n2), (k1, k2), corr),
    "T4-d.2": lambda n, k: dw((n,), (k,), corr),
    "T4-e.1": lambda n, k, s: dx((n,), (k,), lambda g, w: corr(g, flip(w), 1, k - 1), s=s),
    "T4-e.2": lambda n, k, p: dx((n,), (k,), lambda g, w: corr(g, flip(w), 1, k - 1), p=p),
    "T4-e.3": lambda c, h, n, k: dx_channels(c, h, n, k, 1, 0, 0, 1),
    "T4-e.4": lambda n, k, s: dw((n,), (k,), corr, s=s),
    "T4-e.5": lambda n, k, p: dw((n,), (k,), corr, p=p),
    "T4-e.6": lambda n, k, s, p: dx((n,), (k,), lambda g, w: corr(g, flip(w), 1, k - 1), s=s, p=p),
    "T4-e.7": lambda n, k, s, p: dw((n,), (k,), corr, s=s, p=p),
    "T4-e.8": lambda n, k: dx((n,), (k,), lambda g, w: corr(g, flip(w), 1, k - 1), p=same(n, k)),
    "T4-e.9": lambda n, k: dw((n,), (k,), corr, p=same(n, k)),
    "T4-e.10": lambda c, h, n, k: dw_channels(c, h, n, k, 1),
    "T4-e.11": lambda n, k, d: dx((n,), (k,), lambda g, w: corr(g, flip(w), 1, k - 1), d=d),
    "T4-f.1": lambda n, k, s: dx((n,), (k,), lambda g, w: corr(g, flip(w), s, k - 1), s=s),
    "T4-f.2": lambda n, k, s: dw((n,), (k,), lambda x, g: corr(x, g, s), s=s),
    "T4-f.3": lambda n, k, s: dw_general(n, k, s, 0, 0, 1),
    "T4-f.4": lambda n, k, s: dx_general(n, k, s, 0, 0, 1),
    "T4-f.5": lambda n1, n2, k1, k2, s1, s2: dx_plane(
        (n1, n2), (k1, k2), (s1, s2), ((0, 0), (0, 0)), (1, 1)
    ),
    "T4-f.6": lambda n1, n2, k1, k2, s: dx(
        (n1, n2), (k1, k2), lambda g, w: corr(g, flip(w), s, full(w)), s=s
    ),
    "T4-f.7": lambda n1, n2, k1, k2, s: dw((n1, n2), (k1, k2), lambda x, g: corr(x, g, s), s=s),
    "T4-f.8": lambda n1, n2, k1, k2, s1, s2: dw_plane(
        (n1, n2), (k1, k2), (s1, s2), ((0, 0), (0, 0)), (1, 1)
    ),
    "T4-g.1": lambda n1, n2, k1, k2, s1, s2, d1, d2: eq(
        conv_t(X(n1, n2), W(k1, k2), (s1, s2), 0, (d1, d2)),
        corr(
            insert(X(n1, n2), (s1, s2)),
            flip(W(k1, k2)),
            1,
            full(W(k1, k2), (d1, d2)),
            (d1, d2),
        ),
    ),
    "T4-g.2": lambda n, k, s, p1, p2, d: dx_general(n, k, s, p1, p2, d),
    "T4-g.3": lambda n, k, s, p1, p2, d: dw_general(n, k, s, p1, p2, d),
    "T4-g.4": lambda m, k: dx(
        (2 * m,),
        (k,),
        lambda g, w: corr(
            insert(g, 2),
            flip(w),
            1,
            (k - 1 - same(2 * m, k, 2)[0], k - 1 - same(2 * m, k, 2)[1] + max(2 - k, 0)),
        ),
        s=2,
        p=same(2 * m, k, 2),
    ),
    "T4-g.5": lambda n, k, s: eq(
        conv_t_same(X(n), W(k), s),
        corr(
            insert(X(n), s),
            flip(W(k)),
            1,
            (k - 1 - same(s * n, k, s)[0], k - 1 - same(s * n, k, s)[1] + max(s - k, 0)),
        ),
    ),
    "T4-g.6": lambda n, k, s, d: dx_general(n, k, s, *same(n, k, s, d), d),
    "T4-g.7": lambda n, k, s, d: dw_general(n, k, s, *same(n, k, s, d), d),
    "T4-g.8": lambda n1, n2, k1, k2, s1, s2, d1, d2, p1, p2, p3, p4: dx_plane(
        (n1, n2), (k1, k2), (s1, s2), ((p1, p2), (p3, p4)), (d1, d2)
    ),
    "T4-g.9": lambda n1, n2, k1, k2, s1, s2, d1, d2, p1, p2, p3, p4: dw_plane(
        (n1, n2), (k1, k2), (s1, s2), ((p1, p2), (p3, p4)), (d1, d2)
    ),
    "T4-g.10": dx_channels,
    "T4-g.11": dw_channels,
    "T4-h.1": lambda c, h, n, k: rotated(c, h, (n,), (k,)),
    "T4-h.2": lambda c, h, n1, n2: rotated(c, h, (n1, n2), (7, 7)),
    "T4-h.3": lambda n, k, s: eq(conv_t_same(X(n), W(k), s), corr_same(X(n), flip(W(k)), s)),
    "T4-h.4": lambda n1, n2, k1, k2: eq(
        conv_t_same(X(n1, n2), W(k1, k2)), corr_same(X(n1, n2), flip(W(k1, k2)), lower=True)
    ),
    "T4-h.5": lambda c, h, n, k: under(k % 2 == 1) and rotated(c, h, (n,), (k,)),
    "T4-h.6": lambda n, k: eq(conv_t_same(X(n), W(k)), corr_same(X(n), flip(W(k)))),
    "T4-h.7": lambda c, h, n1, n2, k1, k2: (
        under(k1 % 2 == 1, k2 % 2 == 1) and rotated(c, h, (n1, n2), (k1, k2))
    ),
    "T4-h.8": lambda n, k, s: eq(
        conv_t_same(X(n), W(k), s), corr_same(insert(X(n), s, s - 1), flip(W(k)))
    ),
    "T4-h.9": lambda n, k, s: eq(
        conv_t_same(X(n), W(k), s),
        corr(
            insert(X(n), s, s - 1),
            flip(W(k)),
            1,
            (k - 1 - max(k - s, 0) // 2, max(k - s, 0) // 2),
        ),
    ),
    "T4-i.1": lambda: channels(corr_same, X(1, 28, 28), W(32, 1, 7, 7)).shape == (32, 28, 28),
    "T4-i.2": lambda: (
        sum(conv_t(x, w, 1, 3) for x, w in zip(X(32, 28, 28), W(32, 7, 7), strict=True)).shape
        == (28, 28)
    ),
    "T4-i.3": lambda: W(7, 7, 1, 32).transpose(0, 1, 3, 2).shape == (7, 7, 32, 1),
    "T4-i.4": lambda c, k1, k2: eq(flip(W(c, 1, k1, k2)[:, 0], 2), flip(W(c, 1, k1, k2), 2)[:, 0]),
    "T4-i.5": lambda c, h, k: (
        under(h >= 2)
        and eq(
            np.concatenate([flip(W(c, h, k)[:, :1], 1), W(c, h, k)[:, 1:]], 1), flip(W(c, h, k), 1)
        )
    ),
    "T4-j.1": lambda: eq(
        conv_t_same(
            SCALE * np.array([[0, 0, 3], [0, 2, 0], [0, 0, 0]]), np.array([[1, 2], [3, 4]]), 2
        ),
        SCALE
        * np.array(
            [
                [0, 0, 0, 0, 3, 6],
                [0, 0, 0, 0, 9, 12],
                [0, 0, 2, 4, 0, 0],
                [0, 0, 6, 8, 0, 0],
                [0, 0, 0, 0, 0, 0],
                [0, 0, 0, 0, 0, 0],
            ]
        ),
    ),
    "T4-j.2": lambda n: eq(conv_t_same(X(n), W(2), 2), conv_t(X(n), W(2), 2)),
    "T4-k.1": lambda m, n: conv_t(X(m, n), W(2, 2), 2).shape == (2 * m, 2 * n),
    "T4-k.2": lambda m, n: disjoint((m, n), (2, 2), 2),
    "T4-k.3": lambda n, k, s: iff(disjoint((n,), (k,), s), k <= s),
    "T4-k.4": lambda n, k, s: disjoint((n,), (k,), s),
    "T4-k.5": lambda n, k: under(k <= 3) and disjoint((n,), (k,), 3, 2),
    "T4-k.6": lambda n, k: under(k >= 4) and disjoint((n,), (k,), 3, 2),
    "T4-k.7": lambda n, k, s: disjoint((n,), (k,), s, s),
    "T4-k.8": lambda n1, n2, k1, k2, s1, s2: disjoint((n1, n2), (k1, k2), (s1, s2)),
    "T4-k.9": lambda n, k: under(n <= 2) and disjoint((n,), (k,), 3, 2),
    "T4-k.10": lambda n, k: disjoint((n,), (k,), 4, 2),
    "T4-k.11": lambda n, k, d: disjoint((n,), (k,), 1, d),
    "T4-l.1": lambda: eq(conv_t(PRINTED, box(2, 2), 2), nearest(PRINTED, 2, 2)),
    "T4-l.2": lambda: kernel_exists(
        lambda x: nearest(PRINTED * x[0], 2, 2),
        (1,),
        (2, 2),
        lambda x, v: conv_t(PRINTED * x[0], v, 2),
    ),
    "T4-l.3": lambda m, n: eq(conv_t(X(m, n), box(2, 2), 2), nearest(X(m, n), 2, 2)),
    "T4-m.1": lambda n, k: undone(n, k, 1, 0, W(k)),
    "T4-m.2": lambda n, k, s, t: undone(n, k, s, 0, one_hot(k, t)),
    "T4-m.3": lambda n, k, s, t: eq(corr(conv_t(X(n), one_hot(k, t), s), one_hot(k, t), s), X(n)),
    "T4-m.4": lambda n, k, s: (
        under(k <= s) and eq(corr(conv_t(X(n), W(k), s), W(k), s), X(n) * (W(k) ** 2).sum())
    ),
    "T4-m.5": lambda n, k, s: len(corr(X(n), W(k), s)) >= n,
    "T4-m.6": lambda n: eq(
        vjp(lambda z: corr(z, W(1)), (n,), corr(X(n), W(1))), X(n) * W(1)[0] ** 2
    ),
    "T4-m.7": lambda n, k, p, t: undone(n, k, 1, p, one_hot(k, t)),
    "T4-m.8": lambda n, k: eq(
        vjp(lambda z: corr(z, W(k), 1, k - 1), (n,), SCALE * corr(data(1, n), W(k), 1, k - 1)),
        corr(X(n), corr(W(k), W(k), 1, k - 1), 1, k - 1),
    ),
    "T4-m.9": lambda n, k, s: eq(corr(conv_t(X(n), W(k), s), W(k), s), X(n) * (W(k) ** 2).sum()),
    "T4-m.10": lambda n: eq(
        corr(conv_t(X(n), np.array([1, 1, 1, -1]), 2), np.array([1, 1, 1, -1]), 2), 4 * X(n)
    ),
    # -- from elsewhere --
    "P-1.1": lambda n, k, s: eq(corr(X(n), box(k), s) // k, avg_pool(X(n), k, s)),
    "P-1.2": lambda n, k: mean_same((n,), (k,), 1, True),
    "P-1.3": lambda n, k: mean_same((n,), (k,), 1, False),
    "P-1.4": lambda n1, n2, k, s: eq(
        corr(X(n1, n2), box(k, k), s) // (k * k), avg_pool(X(n1, n2), k, s)
    ),
    "P-1.5": lambda n1, n2, k1, k2: mean_same((n1, n2), (k1, k2), 1, True),
    "P-1.6": lambda n, k, s: mean_same((n,), (k,), s, True),
    "P-1.7": lambda n, k: iff(mean_same((n,), (k,), 2, False), k <= 2 - n % 2),
    "P-1.8": lambda n1, n2, k: mean_same((n1, n2), (k, k), 1, False),
    "P-2.1": lambda n, k: eq(corr_same(X(n), W(k)), corr_same(X(n), W(k), lower=True)),
    "P-2.2": lambda n: eq(corr_same(X(n), W(3), 2), corr_same(X(n), W(3), 2, lower=True)),
    "P-2.3": lambda n1, n2, k1, k2: (
        under(k1 % 2 == 1, k2 % 2 == 1)
        and eq(corr_same(X(n1, n2), W(k1, k2)), corr_same(X(n1, n2), W(k1, k2), lower=True))
    ),
    "P-2.4": lambda n, k, s: eq(corr_same(X(n), W(k), s), corr_same(X(n), W(k), s, lower=True)),
    "P-3.1": lambda n, k: adjoint((n,), (k,), False, False),
    "P-3.2": lambda n, k: adjoint((n,), (k,), False, True),
    "P-3.3": lambda n1, n2, k1, k2: (
        under(k1 % 2 == 1, k2 % 2 == 1) and adjoint((n1, n2), (k1, k2), False, False)
    ),
    "P-3.4": lambda n, k: adjoint((n,), (k,), True, True),
    "P-3.5": lambda n1, n2, k1, k2: adjoint((n1, n2), (k1, k2), False, True),
    "P-4.1": lambda n, m: iff(is_adaptive(n, m), n % m == 0),
    "P-4.2": lambda n, m: is_adaptive(n, m),
    "P-5.1": lambda n, a, b: eq(pad(pad(X(n), (a, 0)), (b, 0)), pad(X(n), (a + b, 0))),
    "P-5.2": lambda n, a, b: eq(pad(pad(X(n), (0, a)), (0, b)), pad(X(n), (0, a + b))),
    "P-5.3": lambda n1, n2, p1, p2, p3, p4, r1, r2, r3, r4: eq(
        pad(pad(X(n1, n2), ((p1, p2), (p3, p4))), ((r1, r2), (r3, r4))),
        pad(X(n1, n2), ((p1 + r1, p2 + r2), (p3 + r3, p4 + r4))),
    ),
    "P-5.4": lambda n, a, b: eq(pad(pad(X(n), a), b), pad(X(n), a + b)),
    "P-6.1": lambda n1, n2: commutes(lambda x: corr(x, W(3, 3), 1, 1), X(n1, n2), 0),
    "P-6.11": lambda n1, n2: commutes(lambda x: corr(x, W(3, 3), 1, 1), X(n1, n2), 1),
    "P-6.2": lambda n1, n2: commutes(lambda x: corr(wrap(x, 1), W(3, 3)), X(n1, n2), 0),
    "P-6.3": lambda n1, n2: commutes(lambda x: corr(wrap(x, 1), W(3, 3)), X(n1, n2), 1),
    "P-6.4": lambda n: commutes(lambda x: corr(x, W(3), 1, 1), X(n), 0),
    "P-6.5": lambda n1, n2, k1, k2: corr(X(n1, n2), W(k1, k2)).shape == (n1, n2),
    "P-6.6": lambda n, k: commutes(lambda x: corr(wrap(x, (0, k - 1)), W(k)), X(n), 0),
    "P-6.7": lambda n1, n2, k1, k2: eq(
        corr(
            wrap(pad(X(n1, n2), ((k1 - 1, 0), (k2 - 1, 0))), ((0, k1 - 1), (0, k2 - 1))), W(k1, k2)
        ),
        corr(X(n1, n2), W(k1, k2), 1, full(W(k1, k2))),
    ),
    "P-6.8": lambda n1, n2, k1, k2: all(
        eq(crop(corr(pad(X(n1, n2), by), W(k1, k2)), by), corr(X(n1, n2), W(k1, k2)))
        for by in (((1, 0), (0, 0)), ((0, 0), (1, 0)))
    ),
    "P-6.9": lambda n, k: commutes(lambda x: corr_same(x, W(k)), X(n), 0),
    "P-6.10": lambda n1, n2, k1, k2: eq(
        crop(
            corr(wrap(X(n1, n2), ((0, k1 - 1), (0, k2 - 1))), W(k1, k2)),
            ((0, k1 - 1), (0, k2 - 1)),
        ),
        corr(X(n1, n2), W(k1, k2)),
    ),
    "P-7.1": lambda n, k, s, p, d: transposed(n, k, s, p, d, 0, 0),
    "P-7.2": lambda n, k, s, p, d, r: transposed(n, k, s, p, d, r, 0),
    "P-7.3": lambda n, k, s, p, d, r: transposed(n, k, s, p, d, r, r),
    "P-7.4": lambda n1, n2, k1, k2, s, p, d: eq(
        conv_t(X(n1, n2), W(k1, k2), s, p, d),
        corr(
            insert(X(n1, n2), s),
            flip(W(k1, k2)),
            1,
            tuple((d * (k - 1) - p,) * 2 for k in (k1, k2)),
            d,
        ),
    ),
    "P-8.1": lambda n, k, s, p, r: appends(n, k, s, p, r),
    "P-8.2": lambda n, k, s, p, r: eq(
        conv_t(X(n), W(k), s, p, 1, r), conv_t(X(n), W(k), s, (p, p - r))
    ),
    "P-8.3": lambda n, k, s, r: appends(n, k, s, 0, r),
    "P-8.4": lambda n, k, p, r: appends(n, k, 1, p, r),
    "P-9.1": lambda n, k: eq(corr_same(X(n), W(k)), corr(X(n), W(k), 1, k // 2)),
    "P-9.2": lambda n: eq(corr_same(X(n), W(3), 2), corr(X(n), W(3), 2, 1)),
    "P-9.3": lambda n, h, s: len(corr(X(n), W(2 * h + 1), s, h)) == -(-n // s),
    "P-9.4": lambda n, k, s: eq(corr_same(X(n), W(k), s), corr(X(n), W(k), s, k // 2)),
    "P-9.7": lambda n, h: eq(corr_same(X(n), W(2 * h + 1), 2), corr(X(n), W(2 * h + 1), 2, h)),
    "P-9.5": lambda n, h, s: not eq(corr_same(X(n), W(2 * h), s), corr(X(n), W(2 * h), s, h)),
    "P-9.6": lambda n1, n2, k1, k2: eq(
        corr_same(X(n1, n2), W(k1, k2)),
        corr(X(n1, n2), W(k1, k2), 1, ((k1 // 2,) * 2, (k2 // 2,) * 2)),
    ),
    "P-10.1": lambda n, k, s: spreads((n,), (k,), (s,), 0),
    "P-10.2": lambda n1, n2, k1, k2, s1, s2: spreads((n1, n2), (k1, k2), (s1, s2), 0),
    "P-10.3": lambda n, k, s, p: spreads((n,), (k,), (s,), p),
    "P-11.1": lambda n, k, s, p, d: exchanged(n, k, s, p, d),
    "P-11.2": lambda n, k, s, p, d: dw_general(n, k, s, p, p, d),
    "P-11.3": lambda n, k, s, d: exchanged(n, k, s, 0, d),
    "P-11.4": lambda n, k, s, p, d: under(rest(n, k, s, d, 2 * p) < d) and exchanged(n, k, s, p, d),
    "P-11.5": lambda n1, n2, k1, k2, s1, s2: dw_plane(
        (n1, n2), (k1, k2), (s1, s2), ((0, 0), (0, 0)), (1, 1)
    ),
    "P-11.6": lambda n, k, s, p, d: (
        under(rest(n, k, s, d, 2 * p) >= d) and not exchanged(n, k, s, p, d)
    ),
    "P-11.7": lambda n, k, s, p: exchanged(n, k, s, p, 1),
    "P-12.1": lambda n, k, s, p: bare(n, k, s, p, 1),
    "P-12.2": lambda n, k, s, p: under((n + 2 * p - k) % s == 0) and bare(n, k, s, p, 1),
    "P-12.3": lambda n1, n2, k1, k2, s: dx(
        (n1, n2), (k1, k2), lambda g, w: corr(insert(g, s), flip(w), 1, full(w)), s=s
    ),
    "P-12.4": bare,
    "P-13.1": lambda n, k, s: ceil_gradient(n, k, s, 0),
    "P-13.2": lambda n, k, s: under(n >= k, (n - k) % s == 0) and ceil_gradient(n, k, s, 0),
    "P-13.3": lambda n, k, s, p: under(2 * p <= k) and ceil_gradient(n, k, s, p),
    "P-13.4": lambda n, k, s: under(s <= k) and ceil_gradient(n, k, s, 0),
    "P-13.5": lambda n, k, s: under(s <= k) and clipped(n, k, s),
    "P-14.1": lambda n, k, s, p: ceil_length(n, k, s, p) == stated_length(n, k, s, p),
    "P-14.2": lambda n, k, s: (
        under(s <= k) and ceil_length(n, k, s, 0) == stated_length(n, k, s, 0)
    ),
    "P-14.3": lambda n: ceil_length(n, 2, 2, 1) == stated_length(n, 2, 2, 1),
    "P-14.4": lambda n, k, s, p, d: (
        ceil_length(n, k, s, p, d)
        == min(-(-(n + 2 * p - d * (k - 1) - 1) // s) + 1, -(-(n + p) // s))
    ),
    "P-14.5": lambda n, k, s, p: (
        under(s + p <= k) and ceil_length(n, k, s, p) == stated_length(n, k, s, p)
    ),
    "P-15.1": lambda n, k: interleaved((n,), (k,), 2, k - 1, True),
    "P-15.2": lambda n, k: interleaved((n,), (k,), 2, k - 1, False),
    "P-15.3": lambda c, n, s: moved_back(c, n, s),
    "P-15.4": lambda n, k, s, p: interleaved((n,), (k,), s, p, True),
    "P-15.5": lambda n1, n2, k1, k2, s: interleaved(
        (n1, n2), (k1, k2), s, ((k1 - 1,) * 2, (k2 - 1,) * 2), True
    ),
    "P-15.6": lambda c, n, k: mixed(c, n, k),
    "P-15.7": lambda n, k: eq(
        conv_t(X(n), W(2 * k), 2),
        shuffle(np.array([corr(X(n), flip(W(2 * k)[q::2]), 1, k - 1) for q in (0, 1)]), 2),
    ),
    "P-16.1": lambda n, k: len(corr(X(n), W(k))) == n - k + 1,
    "P-16.2": lambda n, k, p: len(corr(X(n), W(k), 1, p)) == n - k + 2 * p + 1,
    "P-16.3": lambda n, k: under(k % 2 == 1) and len(corr(X(n), W(k), 1, k // 2)) == n,
    "P-16.4": lambda n, k: len(corr(X(n), W(k), 1, k - 1)) == n + k - 1,
    "P-16.5": lambda n, k, s: len(corr(X(n), W(k), s)) == (n - k) // s + 1,
    "P-16.6": lambda n, k, s, p: len(corr(X(n), W(k), s, p)) == (n + 2 * p - k) // s + 1,
    "P-16.7": lambda n, k, s: len(avg_pool(X(n), k, s)) == (n - k) // s + 1,
    "P-16.8": lambda n, k: bare(n, k, 1, 0, 1),
    "P-16.9": lambda n, k, p: bare(n, k, 1, p, 1),
    "P-16.10": lambda n, k: (
        under(k % 2 == 1) and dx((n,), (k,), lambda g, w: corr(g, flip(w), 1, k // 2), p=k // 2)
    ),
    "P-16.11": lambda n, k: dx((n,), (k,), lambda g, w: corr(g, flip(w)), p=k - 1),
    "P-16.12": lambda n, k, s: (
        under(n >= k, (n - k) % s == 0)
        and bare(n, k, s, 0, 1)
        and s * (len(corr(X(n), W(k), s)) - 1) + k == n
    ),
    "P-16.13": lambda n, k, s, p: (
        under(n + 2 * p >= k, (n + 2 * p - k) % s == 0)
        and bare(n, k, s, p, 1)
        and s * (len(corr(X(n), W(k), s, p)) - 1) + k - 2 * p == n
    ),
    "P-16.14": lambda n, k, s, p: (
        dx_general(n, k, s, p, p, 1)
        and s * (len(corr(X(n), W(k), s, p)) - 1) + (n + 2 * p - k) % s + k - 2 * p == n
    ),
    "P-16.15": lambda n, k, s, p, d: (
        len(corr(X(n), W(k), s, p, d)) == (n + 2 * p - k - (k - 1) * (d - 1)) // s + 1
    ),
    "P-16.16": lambda n, k, s, p: bare(n, k, s, p, 1),
}


# -- the verdicts ----------------------------------------------------------------------------------


def box_of(name: str) -> Iterator[dict[str, int]]:
    names = list(inspect.signature(CASES[name]).parameters)
    usual = {**(TWO_AXES if "n1" in names else ONE_AXIS), **LIMITS.get(name, {})}
    ranges = [usual[{"lo": "p", "hi": "p"}.get(a, a[0])] for a in names]
    every = list(product(*ranges)) if np.prod([len(r) for r in ranges]) <= 100_000 else None
    drawn = random.Random(name)
    if every is None:
        chosen: list[tuple[int, ...]] = [
            tuple(drawn.choice(r) for r in ranges) for _ in range(POINTS)
        ]
    else:
        chosen = every if len(every) <= POINTS else drawn.sample(every, POINTS)
    for values in chosen:
        yield dict(zip(names, values, strict=True))


def truth(name: str) -> list[tuple[dict[str, int], bool]]:
    found = []
    for at in box_of(name):
        try:
            found.append((at, bool(CASES[name](**at))))
        except Undefined:
            continue
    return found


def test_every_claim_is_argued() -> None:
    assert set(CASES) == set(ENTRIES)


@pytest.mark.parametrize("name", CASES)
def test_verdict_agrees_with_brute_force(name: str) -> None:
    found, expected = truth(name), ENTRIES[name]["expected"]
    assert found
    assert len({value for _, value in found}) == 2 or not expected.startswith("holds when")
    if expected == "refuted":
        smallest = min(sum(at.values()) for at, value in found if not value)
        verdict = judge(ENTRIES[name]["claim"]).verdict
        assert isinstance(verdict, Refuted)
        assert sum(v for _, v in verdict.counterexample.sizes) == smallest
        return
    condition = "True" if expected == "proved" else expected.removeprefix("holds when ")
    code = compile(condition, name, "eval")
    for at, value in found:
        assert value == bool(eval(code, {"max": max}, at)), f"at {at} it is {value}"


# -- what the claims leave in words: the exact conditions --------------------------------------------


def test_output_padding_appends_zeros_exactly_where_the_outputs_in_question_are_holes() -> None:
    for n, k, s, p, r in product(range(1, 5), range(1, 5), range(1, 7), range(4), range(5)):
        holes = (k - p) % s >= k and (k - p) % s + r <= s
        try:
            value = appends(n, k, s, p, r)
        except Undefined:
            continue
        assert value == (p == 0 or r == 0 or holes), (n, k, s, p, r)


def test_products_never_meet_exactly_where_kernel_or_input_is_short() -> None:
    for n, k, s, d in product(range(1, 7), repeat=4):
        common = gcd(s, d)
        assert disjoint((n,), (k,), s, d) == (k <= s // common or n <= d // common), (n, k, s, d)
