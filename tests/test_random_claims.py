"""Thousands of random claims: each verdict against brute force over all small sizes.

``CLAIMS`` claims come from each seed, and each batch judges those of ``SEEDS`` seeds.
At every choice of sizes up to a bound both sides
are computed with the naive loops.  A proof that brute force breaks, a counterexample that does not
reproduce or is not the smallest, and a condition that disagrees at a single size fail the test.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import islice

import pytest

from derive.claims.judge import Judgment, judge
from derive.decide.verdict import Counterexample, HoldsWhen, Proved, Refuted, Verdict, name
from derive.evaluation import holds
from derive.expr import eq
from derive.symbols import size
from tests.brute_claims import BOUNDS, FUNCTIONS, Fact, Sides, Written, sizes_up_to
from tests.random_claims import claims

BATCHES = 6
SEEDS = 5
CLAIMS = 100
SECONDS = 3.0
MOST_UNDECIDED = 0.03
N = size("n")

Key = tuple[tuple[str, int], ...]
Table = dict[Key, Fact]


def table_of(claim: Written) -> Table:
    """What the claim is at all sizes up to the bound at which it says something."""
    sides = Sides(claim)
    found: Table = {}
    for sizes in sizes_up_to(claim.parameters, BOUNDS[len(claim.parameters)]):
        fact = sides.fact(sizes)
        if fact is not None:
            found[tuple(sizes.items())] = fact
    return found


def check(claim: Written, judgment: Judgment, table: Table) -> str:
    """What is wrong with a verdict, in words; nothing where it stands."""
    verdict = judgment.verdict
    false = [key for key, fact in table.items() if not fact.true]
    match verdict:
        case Proved():
            return f"proved, but false at {false[0]}" if false else ""
        case Refuted(counterexample=found):
            if judgment.note == "it fails for all sizes" and len(false) < len(table):
                return "said to fail for all sizes"
            return check_counterexample(claim, found, false)
        case HoldsWhen(condition=condition):
            for key, fact in table.items():
                if bool(holds(condition, dict(key))) != fact.true:
                    return f"the condition {condition} is wrong at {key}: the claim is {fact.true}"
            example = judgment.counterexample
            if example is None:
                return "no counterexample"
            return check_counterexample(claim, example, false)
    return ""


def check_counterexample(claim: Written, found: Counterexample, false: list[Key]) -> str:
    """Is a counterexample one, and is there no smaller one?"""
    sizes = dict(found.sizes)
    if set(sizes) - set(claim.parameters):
        return f"the counterexample speaks of {sizes}"
    missing = [p for p in claim.parameters if p not in sizes]
    sizes |= {p: next((dict(k)[p] for k in false if k), 1) for p in missing}
    sides = Sides(claim)
    fact = sides.fact(sizes)
    if fact is None or fact.true:
        return f"the counterexample {found} does not reproduce"
    key = tuple(sorted(sizes.items()))
    if false and not missing and measure(false[0]) < measure(key):
        return f"a smaller counterexample than {found}: {false[0]}"
    if not false and measure(key)[0] <= BOUNDS[len(claim.parameters)]:
        return f"brute force has no counterexample, found was {found}"
    if found.kind == "shape" and fact.shapes != (found.left_shape, found.right_shape):
        return f"the shapes are {fact.shapes}, not those of {found}"
    once = len({t for t, _ in found.reads}) == len(found.reads)
    if found.kind == "value" and found.output is not None and once and not claim.pools:
        values = sides.coefficients(sizes, found.output, dict(found.reads))
        if values != (found.left, found.right):
            return f"the coefficients are {values}, not those of {found}"
    return ""


def measure(key: Key) -> tuple[int, list[int]]:
    return sum(v for _, v in key), [v for _, v in key]


def run(seed: int, count: int) -> tuple[Counter[str], list[str]]:
    """Judge claims and compare; how often each verdict came, and what was wrong."""
    tally: Counter[str] = Counter()
    wrong: list[str] = []
    seen: set[str] = set()
    for claim in claims(seed):
        if sum(tally.values()) >= count:
            break
        if claim.text in seen or (table := table_of(claim)) == {}:
            continue
        seen.add(claim.text)
        judgment = judge(claim.text, SECONDS)
        tally[verdict_name(claim, judgment)] += 1
        fault = check(claim, judgment, table)
        if fault:
            wrong.append(f"{claim.text}\n    {fault}")
    return tally, wrong


def verdict_name(claim: Written, judgment: Judgment) -> str:
    """The verdict, and whether a condition was looked for in vain."""
    never = judgment.note == "it fails for all sizes"
    open_ended = bool(claim.parameters) and claim.iff is None and not never
    if isinstance(judgment.verdict, Refuted) and open_ended:
        return "refuted without a condition"
    return name(judgment.verdict)


@pytest.mark.parametrize("batch", range(BATCHES))
def test_verdicts_of_random_claims(
    batch: int, record_property: Callable[[str, object], None]
) -> None:
    tally: Counter[str] = Counter()
    wrong: list[str] = []
    for seed in range(batch * SEEDS, (batch + 1) * SEEDS):
        counts, faults = run(seed, CLAIMS)
        tally += counts
        wrong += faults
    number = sum(tally.values())
    for verdict, count in tally.items():
        record_property(verdict, count)
    print(f"{number} claims: " + ", ".join(f"{c} {v}" for v, c in tally.most_common()))  # noqa: T201
    assert not wrong, "\n".join(wrong)
    assert number == SEEDS * CLAIMS
    assert tally["undecided"] <= MOST_UNDECIDED * number
    assert tally["refuted without a condition"] <= MOST_UNDECIDED * number


def test_the_claims_are_of_all_kinds() -> None:
    """Enough proofs, refutations and conditions, and every operator: nothing is tested by its absence."""
    texts = [c.text for c in islice(claims(0), 1000)]
    for op in FUNCTIONS:
        assert any(f"{op}(" in t for t in texts), op
    tally, _ = run(0, 60)
    assert min(tally[v] for v in ("proved", "refuted", "holds exactly when")) >= 3


@pytest.mark.parametrize(
    ("text", "verdict", "fault"),
    [
        ("flip(x) == x", Proved(), "proved, but false at (('n', 2),)"),
        ("flip(x) == x", HoldsWhen(eq(N, 2)), "the condition n == 2 is wrong at (('n', 1),)"),
        ("flip(x) == x", Refuted(Counterexample("value", (("n", 1),))), "does not reproduce"),
        ("flip(x) == x", Refuted(Counterexample("value", (("n", 3),))), "a smaller counterexample"),
        ("flip(flip(x)) == x", Refuted(Counterexample("value", (("n", 3),))), "does not reproduce"),
        ("pad(x, 1) == x", Refuted(Counterexample("shape", (("n", 1),), (), (2,), (1,))), "shapes"),
    ],
)
def test_a_wrong_verdict_is_seen(text: str, verdict: Verdict, fault: str) -> None:
    claim = Written(*text.split(" == "))
    found = check(claim, replace(judge(text), verdict=verdict), table_of(claim))
    assert fault in found


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("flip(flip(x[3])) == x[3] iff s >= 2", "refuted"),
        ("flip(flip(x[3])) == x[3] iff s >= 1", "proved"),
        ("flip(x[3]) == x[3] iff s < 1", "proved"),
        ("not flip(x[3]) == x[3]", "proved"),
        ("flip(x) == x and shift(x, 1) == x iff n < 1", "proved"),
    ],
)
def test_an_iff_beside_sides_that_speak_of_no_sizes(text: str, verdict: str) -> None:
    assert name(judge(text, SECONDS).verdict) == verdict
