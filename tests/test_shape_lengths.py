"""Sets of lengths: every description is compared with the numbers themselves."""

from __future__ import annotations

import random

import pytest

from derive.dialects.lengths import Lengths, condition, lengths_where, preimages
from derive.errors import NotSupported
from derive.evaluation import holds
from derive.expr import TRUE, Cond, Expr, all_of, any_of, divides, lift, maximum
from derive.symbols import size

N = size("n")
TOP = 400


def naive(cond: Cond, top: int = TOP) -> list[int]:
    return [n for n in range(1, top) if holds(cond, {"n": n})]


@pytest.mark.parametrize("seed", range(40))
def test_preimages_are_all_lengths_that_give_the_target(seed: int) -> None:
    """One rounded quotient, solved directly; with a maximum, by integer sets."""
    rng = random.Random(seed)
    a, b, c = rng.randint(1, 4), rng.randint(-9, 9), rng.choice([1, 2, 3, -1])
    d, e = rng.randint(1, 5), rng.randint(-4, 9)
    sign = rng.choice([1, -1])
    shape = c * ((sign * a * N + b) // d) + e
    if seed % 3 == 2:
        shape = shape + maximum(0, 3 - N)
    bound = all_of(N * rng.randint(1, 3) >= rng.randint(1, 20), N <= 300)
    target = shape.at({"n": rng.randint(1, 100)}) + rng.choice([0, 0, 1])
    found = preimages(shape, bound, N, target)
    wanted = [n for n in naive(bound) if shape.at({"n": n}) == target]
    assert [n for n in range(1, TOP) if n in found] == wanted
    assert found.empty == (not wanted)


@pytest.mark.parametrize(
    ("cond", "text"),
    [
        (divides(32, N), "all n divisible by 32"),
        (all_of(divides(2, N), N >= 5), "all n divisible by 2 from 6 on"),
        (divides(3, N - 1), "all n with n mod 3 = 1"),
        (divides(2, N - 1), "all odd n"),
        (any_of(divides(6, N), divides(6, N - 2)), "all n with n mod 6 = 0 or 2"),
        (any_of(N <= 3, N >= 9), "1 to 3, and all n ≥ 9"),
        (all_of(N >= 4, N <= 5), "4 and 5"),
        (all_of(N >= 4, N <= 4), "4"),
        (N <= 0, "none"),
        (N >= 1, "all n ≥ 1"),
        (TRUE, "all n ≥ 1"),
    ],
)
def test_sets_in_words(cond: Cond, text: str) -> None:
    found = lengths_where(cond, N)
    assert str(found) == text
    assert [n for n in range(1, TOP) if n in found] == naive(cond)
    if not found.empty:
        assert naive(condition(found, N)) == naive(cond)


@pytest.mark.parametrize("seed", range(20))
def test_random_sets_are_described_exactly(seed: int) -> None:
    rng = random.Random(seed)
    least, low, high = (lift(rng.randint(*ends)) for ends in ((1, 30), (1, 40), (20, 60)))
    parts = [
        all_of(divides(rng.choice([2, 3, 4, 6]), N - rng.randint(0, 3)), least <= N),
        all_of(low <= N, high >= N),
    ]
    cond = any_of(*parts) if seed % 2 else all_of(*parts)
    found = lengths_where(cond, N)
    assert found.also == ""
    assert [n for n in range(1, TOP) if n in found] == naive(cond)


def test_a_far_away_interval_is_found_without_counting_up_to_it() -> None:
    found = preimages(N // 10**6 + maximum(0, 2 - N), TRUE, N, 10**6)
    assert found.intervals == ((10**12, 10**12 + 10**6 - 1),)


def test_what_has_no_short_form_is_said_as_a_condition() -> None:
    cond = any_of(*(divides(5003, N - r) for r in (1, 7)))
    found = lengths_where(cond, N)
    assert "5003" in str(found)
    with pytest.raises(NotSupported, match="it has no short form; use its text"):
        condition(found, N)


def test_data() -> None:
    found: Lengths = lengths_where(divides(4, N), N)
    assert found.as_dict() == {
        "text": "all n divisible by 4",
        "intervals": [],
        "start": found.start,
        "period": 4,
        "residues": [0],
    }


def test_a_product_of_sizes_is_not_supported() -> None:
    k: Expr = size("k")
    with pytest.raises(NotSupported, match="it is not linear"):
        lengths_where(k * k >= 4, k)
