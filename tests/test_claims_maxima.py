"""Max pools mixed with other operators: every verdict against the maxima of real inputs.

A claim's text is walked by the reader of :mod:`tests.brute_claims`, with naive loops and true maxima,
so that nothing of the claim language's own evaluation takes part.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from derive.claims.judge import Judgment, judge
from derive.claims.maxima import at_sizes, compare, difference, solved
from derive.claims.meaning import read
from derive.claims.values import Same
from derive.decide.verdict import HoldsWhen, Proved, Refuted, Undecided, name
from derive.errors import CannotBe
from derive.evaluation import holds
from derive.numeric import loops
from tests import brute_claims
from tests.brute_claims import Array, Reader, Sides, Undefined, Written, sizes_up_to, unit

INPUTS = 40


@pytest.fixture(autouse=True)
def _true_maxima(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(brute_claims.FUNCTIONS, "max_pool", _max_pool)


def _max_pool(x: Array, k: int, stride: int | None = None, padding: Any = 0) -> Array:
    pair = (padding, padding) if isinstance(padding, int) else padding
    return np.array(loops.max_pool(x, k, stride, pair)[0], dtype=object)


def claimed(text: str) -> tuple[Written, Sides]:
    left, _, right = text.partition(" == ")
    right, _, hypothesis = right.partition(" for ")
    claim = Written(left, right, hypothesis or None)
    return claim, Sides(claim)


def values(sides: Sides, sizes: Mapping[str, int], tensors: dict[str, Array]) -> Any:
    assert sides.right is not None
    reader = Reader(dict(sizes), tensors)
    return reader.array(sides.left), reader.array(sides.right)


def differ(sides: Sides, sizes: dict[str, int], seed: int = 1) -> bool | None:
    """Is there a random input on which the sides differ?  None where they are not defined."""
    rng = np.random.default_rng(seed)
    shapes = sides.shapes(sizes)
    for number in range(INPUTS):
        bound = (2, 5, 1000)[number % 3]
        tensors = {
            t: np.array(rng.integers(-bound, bound + 1, size=shape), dtype=object).reshape(shape)
            for t, shape in shapes.items()
        }
        try:
            a, b = values(sides, sizes, tensors)
        except (Undefined, ValueError):
            return None
        if a.shape != b.shape or not bool(np.all(a == b)):
            return True
    return False


def check(text: str, judgment: Judgment) -> None:
    """The verdict against random inputs at all small sizes."""
    claim, sides = claimed(text)
    verdict, example = judgment.verdict, judgment.counterexample
    table = {}
    for sizes in sizes_up_to(claim.parameters, 8 if len(claim.parameters) < 3 else 7):
        if sides.meets(sizes):
            found = differ(sides, sizes)
            if found is not None:
                table[tuple(sizes.items())] = found
    failing = [dict(k) for k, v in table.items() if v]
    if isinstance(verdict, Proved):
        assert not failing
    if isinstance(verdict, HoldsWhen):
        for key, fails in table.items():
            assert bool(holds(verdict.condition, dict(key))) != fails, key
    if isinstance(verdict, (Refuted, HoldsWhen)):
        assert example is not None
        if failing:
            assert dict(example.sizes) == failing[0]
        reproduce(sides, example)


def reproduce(sides: Sides, example: Any) -> None:
    sizes = dict(example.sizes)
    if example.kind == "shape":
        zeros = {t: np.zeros(s, dtype=object) for t, s in sides.shapes(sizes).items()}
        a, b = values(sides, sizes, zeros)
        assert (a.shape, b.shape) == (example.left_shape, example.right_shape)
        assert a.shape != b.shape
        return
    if example.kind == "value":  # only maxima and moves: what one side reads and the other does not
        ((tensor, at),) = example.reads
        a, b = values(sides, sizes, {tensor: unit(sides.shapes(sizes)[tensor], at)})
        assert a[example.output] != b[example.output]
        return
    assert example.kind == "input"
    tensors = {t: np.array(rows, dtype=object) for t, rows in example.inputs}
    a, b = values(sides, sizes, tensors)
    assert (Fraction(a[example.output]), Fraction(b[example.output])) == (
        example.left,
        example.right,
    )
    assert example.left != example.right


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("max_pool(pad(x, 1), 2) == pad(max_pool(x, 2), 1)", "refuted"),
        ("max_pool(pad(x, (2, 0)), 2) == pad(max_pool(x, 2), (1, 0)) for n >= 2", "undecided"),
        ("max_pool(shift(x, 1), 2) == shift(max_pool(x, 2), 1)", "refuted"),
        ("max_pool(pad(x, 1), 3, stride=1) == max_pool(x, 3, stride=1, padding=1)", "refuted"),
        ("max_pool(scale(x, 2), 2) == scale(max_pool(x, 2), 2)", "proved"),
        (
            "max_pool(scale(x, 1, 3), 2, stride=1) == scale(max_pool(x, 2, stride=1), 1, 3)",
            "proved",
        ),
        ("max_pool(scale(x, -1), 2) == scale(max_pool(x, 2), -1)", "refuted"),
        ("max_pool(x, 2) + max_pool(x, 2) == scale(max_pool(x, 2), 2)", "proved"),
        ("max_pool(correlate(x, w), 2) == correlate(max_pool(x, 2), w) for k == 1", "refuted"),
        ("max_pool(x, k) + x == scale(x, 2)", "proved"),
        ("avg_pool(max_pool(x, 2), 2) == max_pool(avg_pool(x, 2), 2)", "refuted"),
        ("max_pool(x, 2, stride=1) == avg_pool(x, 2, stride=1)", "refuted"),
        ("pad(max_pool(x, 2), (0, n % 2)) == pad(max_pool(x, 2), (0, 1))", "holds exactly when"),
        ("max_pool(avg_pool(x[9], 2), 2) == avg_pool(max_pool(x[9], 2), 2)", "refuted"),
        ("max_pool(x[5] + x[5], 2) == scale(max_pool(x[5], 2), 2)", "proved"),
        ("scale(max_pool(max_pool(x[9], 2), 2), 2) == scale(max_pool(x[9], 4), 2)", "proved"),
        (
            "max_pool(pad(x[4], (0, 1)), 2, stride=1) == max_pool(x[4], 2, stride=1, padding=(0, 1))",
            "refuted",
        ),
        ("max_pool(correlate(x[4], w[2]), 1) == correlate(x[4], w[2])", "proved"),
    ],
)
def test_values_of_maxima(text: str, verdict: str) -> None:
    judgment = judge(text)
    assert name(judgment.verdict) == verdict
    check(text, judgment)


MAKERS = (
    "max_pool({0}, 2, stride=1)", "max_pool({0}, 3, stride=2)", "max_pool({0}, 2)",
    "avg_pool({0}, 2, stride=1)", "flip({0})",
    "pad({0}, 1)", "shift({0}, 1)", "scale({0}, -2)", "scale({0}, 2)", "crop({0}, (1, 0))",
)  # fmt: skip


def concrete_claims(seed: int) -> list[str]:
    """Chains at given sizes against the chain with two neighbouring steps exchanged."""
    rng = random.Random(seed)
    found: list[str] = []
    while len(found) < 12:
        steps = [rng.choice(MAKERS) for _ in range(rng.choice((2, 3)))]
        at = rng.randrange(len(steps) - 1)
        if not any("max" in m for m in steps) or steps[at] == steps[at + 1]:
            continue
        other = [*steps[:at], steps[at + 1], steps[at], *steps[at + 2 :]]
        sides = []
        for chain in (steps, other):
            text = f"x[{10 + seed % 4}]"
            for m in chain:
                text = m.format(text)
            sides.append(text)
        try:
            read(" == ".join(sides))
        except CannotBe:  # nothing is left of so short an input
            continue
        found.append(" == ".join(sides))
    return found


@pytest.mark.parametrize("seed", range(6))
def test_claims_at_given_sizes_are_always_decided(seed: int) -> None:
    tally = []
    for text in concrete_claims(seed):
        judgment = judge(text, 10.0)
        assert not isinstance(judgment.verdict, Undecided), text
        check(text, judgment)
        tally.append(name(judgment.verdict))
    assert "refuted" in tally


def test_the_chains_are_of_both_kinds() -> None:
    found = [name(judge(t, 10.0).verdict) for seed in range(6) for t in concrete_claims(seed)]
    assert found.count("proved") >= 5
    assert found.count("refuted") >= 5


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("max_pool(pad(x[4], 1), 3, 1) == max_pool(x[4], 3, 1, padding=1) iff n == 3", "refuted"),
        ("not max_pool(x + x, 2) == 2*max_pool(x, 2)", "refuted"),
        ("max_pool(x[5], 2) != avg_pool(x[5], 2)", "proved"),
        ("max_pool(x[4] + x[4], 2) != 2*max_pool(x[4], 2)", "refuted"),
        ("max_pool(x, 3, 1, padding=1) - max_pool(pad(x, 1), 3, 1) == 0", "refuted"),
        ("concat(max_pool(x, 2), -1*x) == concat(-1*x, max_pool(x, 2))", "refuted"),
        ("vjp(max_pool(x, 2), x, g) + max_pool(x, 2, 1, padding=(0, 1)) == x", "undecided"),
    ],
)
def test_other_statements_about_maxima(text: str, verdict: str) -> None:
    assert name(judge(text).verdict) == verdict


def test_what_is_open_says_what_was_checked() -> None:
    verdict = judge("max_pool(x + x, 2) == 2*max_pool(x, 2)").verdict
    assert isinstance(verdict, Undecided)
    assert verdict.checked == "it holds at all 13 choices of n with a sum up to 14"
    assert "~" not in verdict.reason


def test_a_difference_that_small_inputs_do_not_show_is_found_by_the_solver() -> None:
    """Both sides are 0 unless ``x[0]`` is over 200 times ``x[1]``, and that by a factor."""
    text = "max_pool(concat(x[2], [0]), 3) == max_pool(concat(x[2], [100]), 3)"
    statement = read(text).statement
    assert isinstance(statement, Same)
    sized = at_sizes(statement, {})
    assert sized is not None
    assert difference(sized) is not None
    near = read("max_pool(concat(x[1] - x[1], [1000]), 2) == max_pool(concat(x[1], [1000]), 2)")
    assert isinstance(near.statement, Same)
    sized = at_sizes(near.statement, {})
    assert sized is not None
    assert difference(sized) is None
    found = solved(sized)
    assert not isinstance(found, bool)
    assert found.left != found.right
    (tensor,) = found.inputs
    assert compare(sized, tensor[1]) is not None
