"""Inverse questions: the answers are compared with trying every choice."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from itertools import product
from typing import Any

import pytest

import derive
from derive.dialects.answers import as_dict, latex, text
from derive.dialects.calls import read_calls
from derive.dialects.chain import run
from derive.dialects.solve import Solutions, put
from derive.errors import NotSupported, WrongInput
from derive.evaluation import holds
from derive.expr import all_of, cond_symbols

CONV = "nn.Conv1d(2, 4, k, stride=s, padding=p, dilation=d)"
BACK = "nn.ConvTranspose1d(2, 4, k, stride=s, padding=p, output_padding=r, dilation=d)"
POOL = "nn.MaxPool1d(k, s, p, d)"


def lengths(call: str, values: dict[str, int], inputs: Iterable[int]) -> dict[int, int]:
    """The output lengths of the call with numbers, where the framework takes it."""
    numbers = [replace(s, value=put(s.value, values)) for s in read_calls(call)]
    try:
        state = run(numbers)
    except WrongInput:
        return {}
    m, needs = state.rows[-1].value.shape[-1], all_of(*state.requires)
    names = {s.name for s in m.symbols() | cond_symbols(needs)} - {"L_in"}
    assert not names
    return {n: m.at({"L_in": n}) for n in inputs if holds(needs, {"L_in": n})}


def tried(call: str, ranges: dict[str, tuple[int, int]], ok: Any) -> set[tuple[int, ...]]:
    spans = (range(lo, hi + 1) for lo, hi in ranges.values())
    return {v for v in product(*spans) if ok(dict(zip(ranges, v, strict=True)))}


@pytest.mark.parametrize("call", [CONV, BACK, POOL])
@pytest.mark.parametrize(("n", "m"), [(9, 5), (5, 10)])
def test_all_parameters_that_reach_a_target(call: str, n: int, m: int) -> None:
    ranges = {"k": (1, 4), "s": (1, 2), "p": (0, 2), "d": (1, 2)}
    if call == BACK:
        ranges = {"k": (2, 4), "s": (1, 2), "p": (0, 1), "r": (0, 2), "d": (1, 2)}
    found = derive.solve_shape(call, n, m, ranges=ranges)
    assert set(found.names) == set(ranges)
    order = [list(ranges).index(x) for x in found.names]
    wanted = tried(call, ranges, lambda v: lengths(call, v, [n]) == {n: m})
    assert set(found.solutions) == {tuple(v[i] for i in order) for v in wanted}
    assert found.more == 0


@pytest.mark.parametrize(
    ("call", "scale"),
    [
        ("nn.ConvTranspose1d(2, 4, k, stride=s, padding=p, output_padding=r)", "2"),
        ("nn.Conv1d(2, 4, k, stride=s, padding=p)", "1/2"),
        ("nn.Conv1d(2, 4, k, stride=s, padding=p, dilation=2)", "1"),
        ("nn.AvgPool1d(k, s, p, ceil_mode=True)", "1/3"),
    ],
)
def test_all_parameters_that_scale_every_length(call: str, scale: str) -> None:
    """Every solution scales the first 40 lengths, and every other choice fails at one of them."""
    factor = Fraction(scale)
    ranges = {"k": (1, 4), "s": (1, 3), "p": (0, 2)}
    if "r)" in call:
        ranges["r"] = (0, 1)
    found = derive.solve_shape(call, scale=scale, ranges=ranges)

    def ok(values: dict[str, int]) -> bool:
        seen = lengths(call, values, range(factor.denominator, 41, factor.denominator))
        return bool(seen) and all(m == factor * n for n, m in seen.items())

    assert set(found.solutions) == tried(call, {x: ranges[x] for x in found.names}, ok)
    assert found.solutions


def test_families_have_no_upper_end() -> None:
    found = derive.solve_shape("nn.Conv1d(1, 1, k, stride=2, padding=p)", scale="1/2")
    assert [f.condition for f in found.families] == ["2·p + 1 ≤ k ≤ 2·p + 2"]
    rng = random.Random(3)
    for _ in range(20):
        p = rng.randint(9, 60)
        k = 2 * p + rng.choice([-1, 0, 1, 2, 3, 4])
        values = {"k": k, "p": p}
        seen = lengths("nn.Conv1d(1, 1, k, stride=2, padding=p)", values, (2, 98, 140))
        right = all(2 * m == n for n, m in seen.items())
        assert right == (2 * p + 1 <= k <= 2 * p + 2)


def test_the_output_padding_that_returns() -> None:
    call = "nn.ConvTranspose2d(8, 4, 3, stride=2, padding=1, output_padding=r)"
    assert derive.solve_shape(call, 14, 28).solutions == ((1,),)
    assert derive.solve_shape(call, 14, 27).solutions == ((0,),)
    assert derive.solve_shape(call, 14, 30).solutions == ()


def test_chains_have_unknowns_too() -> None:
    call = "nn.Sequential(nn.Conv1d(1, 1, 4, stride=2, padding=1), nn.ConvTranspose1d(1, 1, k, stride=2, padding=1))"
    found = derive.solve_shape(call, 28, 28)
    assert found.solutions == ((4,),)


def test_several_axes_are_asked_together() -> None:
    found = derive.solve_shape("nn.Conv2d(1, 1, (a, b), padding=p)", "10x9", "8x9")
    assert found.names == ("a", "b", "p")
    assert (3, 2, 0) not in found.solutions
    assert {(a, b, p) for a, b, p in found.solutions} == {
        (a, b, p) for a in range(1, 9) for b in range(1, 9) for p in range(9)
        if 10 + 2 * p - a + 1 == 8 and 9 + 2 * p - b + 1 == 9
    }  # fmt: skip


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"call": CONV}, "nothing is asked; give either --output or --scale"),
        ({"call": CONV, "output": 3, "scale": 2}, "these are two questions; give one of them"),
        ({"call": CONV, "input": 3, "scale": 2}, "every input length; leave --input out"),
        ({"call": CONV, "output": 3}, "there is no input; give --input too"),
        ({"call": "nn.Conv1d(1, 1, 3)", "scale": 2}, "no name in the call has an effect"),
        ({"call": CONV, "scale": 2, "ranges": {"q": (1, 2)}}, "q is not among the unknowns"),
        ({"call": CONV, "scale": "0"}, "it is no factor; give a positive number"),
        ({"call": CONV, "scale": "1/0"}, "it is no factor; give a positive number"),
        ({"call": CONV, "scale": "-1"}, "it is no factor; give a positive number"),
        ({"call": CONV, "scale": "nan"}, "it is no factor; give a positive number"),
        ({"call": CONV, "scale": "inf"}, "it is no factor; give a positive number"),
        ({"call": CONV, "scale": float("inf")}, "it is no factor; give a positive number"),
        *(
            ({"call": CONV, "scale": scale}, "numerator and denominator go up to 1000000; give a")
            for scale in ("1e19", "1e400", "1e999999999", f"1/{'9' * 5000}", 2**63, "1e-7")
        ),
        ({"call": CONV, "input": 9, "output": "1,2,3,4"}, "4 lengths for an output with the axes"),
    ],
)
def test_questions_without_sense(given: dict[str, Any], message: str) -> None:
    with pytest.raises(WrongInput, match=message):
        derive.solve_shape(**given)


def test_too_many_choices() -> None:
    with pytest.raises(NotSupported, match=r"choices of .*; at most 4096 are tried; give narrower"):
        derive.solve_shape(CONV, 9, 3, ranges={"s": (1, 900), "d": (1, 900), "k": (1, 900)})


def test_what_is_written() -> None:
    call = "nn.ConvTranspose1d(1, 1, k, stride=s, padding=p, output_padding=r)"
    found = derive.solve_shape(call, scale=2, ranges={"k": (3, 4)})
    assert text(found).splitlines() == [
        "from every L_in to 2·L_in, for k = 3..4, s = 1..8, p = 0..8, r = 0..8",
        "2 solutions",
        "  k = 3, s = 2, p = 1, r = 1",
        "  k = 4, s = 2, p = 1, r = 0",
        "all solutions, k, p, r without an upper end:",
        *(f"  s = 2: {f.condition}" for f in found.families),
    ]
    assert as_dict(found)["solutions"] == [
        {"k": 3, "s": 2, "p": 1, "r": 1},
        {"k": 4, "s": 2, "p": 1, "r": 0},
    ]
    assert "4 & 2 & 1 & 0" in latex(found)
    assert isinstance(found, Solutions)
    none = derive.solve_shape("nn.Conv1d(1, 1, k)", 5, 9)
    assert text(none).splitlines()[-1] == "no solution"


@pytest.mark.parametrize(
    ("call", "scale"),
    [
        ("nn.Conv2d(3, 16, 4, padding=p)", 1),
        ("nn.Conv2d(3, 16, 1, stride=s, padding=1)", 1),
        ("nn.ConvTranspose1d(1, 1, 4, stride=s, padding=2, output_padding=0, dilation=2)", "1/2"),
    ],
)
def test_no_scale_at_all(call: str, scale: Any) -> None:
    found = derive.solve_shape(call, scale=scale)
    assert (found.solutions, found.families) == ((), ())
    assert text(found).endswith("no solution")


@pytest.mark.parametrize(
    ("call", "given", "output", "wanted"),
    [
        ("nn.Conv2d(3, 16, k)", "1,3,28,28", "1,16,26,26", {(3,)}),
        ("nn.Conv2d(3, 16, k)", "1,3,28,28", "1,17,26,26", set()),
        ("nn.Conv2d(3, 16, k)", "1,3,28,28", "2,16,26,26", set()),
        ("nn.Conv2d(3, 16, k)", "28", "5,16,26,26", {(3,)}),  # any batch
        ("nn.Conv2d(3, c, k)", "1,3,28,28", "1,16,26,26", {(16, 3)}),
        ("nn.Conv2d(c, 16, k)", "1,3,28,28", "1,16,26,26", {(3, 3)}),
        ("nn.MaxPool2d(k)", "1,3,28,28", "1,4,14,14", set()),
        ("nn.MaxPool2d(k)", "28", "1,4,14,14", {(2,)}),
    ],
)
def test_batch_and_channels_are_reached_too(
    call: str, given: str, output: str, wanted: set[tuple[int, ...]]
) -> None:
    assert set(derive.solve_shape(call, given, output).solutions) == wanted


@pytest.mark.parametrize(
    ("call", "given", "output", "amounts", "count"),
    [
        ("nn.Conv2d(3, 16, (k, l), padding=(p, q))", "28x30", "28x30", "pq", 16),
        ("nn.ZeroPad2d((a, b, c, d))", "3x4", "4x5", "abcd", 4),
        (
            "nn.ConvTranspose2d(3, 16, 3, stride=2, padding=1, output_padding=(r, t))",
            "14",
            "28",
            "rt",
            1,
        ),
    ],
)
def test_every_padding_starts_at_0(
    call: str, given: str, output: str, amounts: str, count: int
) -> None:
    found = derive.solve_shape(call, given, output)
    assert {n: lo for n, lo, _ in found.ranges} == {n: int(n not in amounts) for n in found.names}
    assert len(found.solutions) == count


def test_a_name_between_two_numbers() -> None:
    found = derive.solve_shape("nn.Conv1d(3, 16, k, stride=2)", 28, 12)
    assert [f.condition for f in found.families] == ["5 ≤ k ≤ 6"]


@pytest.mark.parametrize("ranges", [{"k": (3, 1)}, {"k": 3}, {"k": (True, 3)}, [1]])
def test_ranges_that_are_none(ranges: Any) -> None:
    with pytest.raises(WrongInput, match="ranges"):
        derive.solve_shape("nn.Conv1d(1, 1, k)", 9, 7, ranges=ranges)
