"""Conditions in plain words mean the same: at all small sizes, and as printed text read back."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from derive.document.math import condition as latex
from derive.evaluation import holds
from derive.expr import Cond, Expr, divides, eq, lift, maximum, minimum, ne
from derive.plain import plain
from derive.symbols import sizes, symbol

n, k, s, d = sizes("n k s d")
p, r = symbol("p", 0), symbol("r", 0)
SYMBOLS = (n, k, s, d, p, r)
GRID: dict[str, Any] = {
    v.name: np.random.default_rng(7).integers(v.minimum or 0, 9, 4000)
    for v in (e.symbol for e in SYMBOLS)
    if v is not None
}


def random_linear(draw: random.Random) -> Expr:
    total = lift(draw.randint(-3, 3))
    for e in draw.sample(SYMBOLS, draw.randint(1, 4)):
        total = total + draw.choice((1, 1, -1, -1, 2, -2)) * e
    if draw.random() < 0.4:
        total = total + draw.choice((1, -1)) * (d * k - d)
    return total


def random_condition(draw: random.Random) -> Cond:
    den = draw.choice((n, k, s, d, lift(2), lift(3), lift(5)))
    num = random_linear(draw)
    one = draw.choice(
        (
            num % den,
            num // den,
            maximum(0, num),
            minimum(2, num),
            maximum(num, k),
            num,
            -(num // den),
        )
    )
    e = draw.choice((1, -1)) * one + draw.choice((lift(0), lift(draw.randint(-3, 3)), k, -r, s - d))
    return draw.choice((e >= 0, eq(e, 0), ne(e, 0), divides(den, num), ne(num % den, 0)))


def truth(cond: Cond) -> Any:
    return np.broadcast_to(np.asarray(holds(cond, GRID), dtype=bool), (4000,))


@pytest.mark.parametrize("seed", range(20))
def test_the_meaning_stays(seed: int) -> None:
    draw = random.Random(seed)
    for _ in range(60):
        cond = random_condition(draw)
        assert (truth(cond) == truth(plain(cond))).all(), repr(cond)


@pytest.mark.parametrize("seed", range(20))
def test_the_text_says_the_same(seed: int) -> None:
    """The text is Python: evaluated with NumPy's arrays it is true at the same sizes."""
    draw = random.Random(100 + seed)
    for _ in range(60):
        cond = random_condition(draw)
        code = compile(str(cond), "the text", "eval")
        value = eval(code, {"max": np.maximum}, GRID)
        assert (truth(cond) == np.broadcast_to(value, (4000,))).all(), str(cond)


@pytest.mark.parametrize(
    ("cond", "text", "tex"),
    [
        (divides(k, -n), "n % k == 0", r"k \mid n"),
        (divides(3, n + 2), "n % 3 == 1", r"n \bmod 3 = 1"),
        (ne((n + k) % 2, 1), "(k + n) % 2 == 0", r"2 \mid n + k"),
        (divides(s, k - n), "(n - k) % s == 0", r"s \mid n - k"),
        (
            divides(s, d + n + 2 * p - d * k - 1),
            "(n + 2*p - d*(k - 1) - 1) % s == 0",
            r"s \mid n + 2\,p - d(k - 1) - 1",
        ),
        (
            d >= (d + n - d * k - 1) % s + 1,
            "(n - d*(k - 1) - 1) % s < d",
            r"(n - d(k - 1) - 1) \bmod s < d",
        ),
        (maximum(0, n - k) + 1 <= 0, "False", r"\text{false}"),
        (eq(maximum(0, n - k), 0), "k >= n", r"k \ge n"),
        ((-n) % s + k <= s, "(n - 1) % s >= k - 1", r"((n - 1) \bmod s) + 1 \ge k"),
        (d + n >= d * k + 1, "n >= d*(k - 1) + 1", r"n \ge d(k - 1) + 1"),
    ],
)
def test_what_a_person_would_write(cond: Cond, text: str, tex: str) -> None:
    assert str(cond) == text
    assert latex(cond) == tex
