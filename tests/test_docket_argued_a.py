"""The docket rows T1, T3 and T5, recomputed size by size with plain NumPy loops.

The verdict on file must agree at every small size with what the definitions alone say there, and
the counterexample of a refuted claim must be a smallest one.
"""

from __future__ import annotations

import ast
import inspect
import operator
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml

from derive.claims.judge import judge
from derive.decide.verdict import Refuted
from tests import docket_truth_t1, docket_truth_t3_t5
from tests.plain_operators import UndefinedError

FOLDER = Path(__file__).parent.parent / "proofs" / "docket"
ENTRIES: dict[str, dict[str, Any]] = {
    e["id"]: e
    for name in ("T1", "T3", "T5")
    for e in yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
}
TRUTH = {**docket_truth_t1.TRUTH, **docket_truth_t3_t5.TRUTH}
POINTS = 250  # choices of sizes for each claim
SMALLEST = 40  # the same for a refuted one
LARGEST = {"n": 8, "m": 4, "k": 4, "l": 4, "s": 3, "d": 2, "c": 3, "e": 2, "h": 2}
OPERATORS: dict[type[ast.AST], Any] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Mod: operator.mod,
    ast.FloorDiv: operator.floordiv,
    ast.Eq: operator.eq,
    ast.GtE: operator.ge,
    ast.LtE: operator.le,
}


def sizes_of(claim: str) -> list[dict[str, int]]:
    """Choices of the sizes that the truth of a claim is a function of, the smallest first."""
    names = list(inspect.signature(TRUTH[claim]).parameters)
    refuted = ENTRIES[claim]["expected"] == "refuted"
    many = 2 if len(names) > 3 else 0
    ranges = []
    for name in names:
        if name[0] in "prt":
            ranges.append(range(4 if name[0] == "t" else 3))
        else:
            top = LARGEST[name[0]] if len(name) == 1 else min(LARGEST[name[0]], 4 - many // 2)
            top = min(top, 3) if name[0] == "k" and len(name) > 1 else top
            if names == ["n"]:
                top = 10 if refuted else 20
            ranges.append(range(1, top + 1))
    every = sorted(product(*ranges), key=sum)
    if refuted:
        return [dict(zip(names, at, strict=True)) for at in every[:SMALLEST]]
    small, others = every[: POINTS // 2], every[POINTS // 2 :]
    step = max(1, len(others) // (POINTS // 2))
    step += step % 2 == 0  # no size stays the same along the walk
    return [dict(zip(names, at, strict=True)) for at in (*small, *others[::step])]


def truths(claim: str) -> Iterator[tuple[dict[str, int], bool]]:
    for at in sizes_of(claim):
        try:
            found = TRUTH[claim](**at)
        except UndefinedError:
            continue
        if found is not None:
            yield at, bool(found)


def value(node: ast.AST, at: dict[str, int]) -> Any:
    """A condition on file at given sizes."""
    match node:
        case ast.Expression(body=body):
            return value(body, at)
        case ast.Constant(value=number):
            return number
        case ast.Name(id=name):
            return at[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -value(operand, at)
        case ast.BinOp(left=left, op=op, right=right):
            return OPERATORS[type(op)](value(left, at), value(right, at))
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            return OPERATORS[type(op)](value(left, at), value(right, at))
        case ast.BoolOp(op=op, values=values):
            return (all if isinstance(op, ast.And) else any)(value(v, at) for v in values)
    raise AssertionError(f"{ast.dump(node)} is not part of a condition")


def test_every_claim_is_recomputed() -> None:
    assert set(TRUTH) == set(ENTRIES)


@pytest.mark.parametrize("claim", list(ENTRIES))
def test_verdict_agrees_at_every_small_size(claim: str) -> None:
    expected: str = ENTRIES[claim]["expected"]
    found = list(truths(claim))
    assert found, "no size was checked"
    if expected == "refuted":
        assert not all(true for _, true in found)
        return
    _, _, text = expected.partition("holds when ")
    condition = ast.parse(text or "1 == 1", mode="eval")
    for at, true in found:
        assert true == value(condition, at), f"at {at} it is {true}"
    if text:
        assert {true for _, true in found} == {True, False}, "one side of the condition is empty"


REFUTED = [i for i, e in ENTRIES.items() if e["expected"] == "refuted"]


@pytest.mark.parametrize("claim", REFUTED)
def test_counterexample_is_a_smallest_one(claim: str) -> None:
    verdict = judge(ENTRIES[claim]["claim"]).verdict
    assert isinstance(verdict, Refuted)
    sizes = dict(verdict.counterexample.sizes)
    failing = [at for at, true in truths(claim) if not true]
    shared = [name for name in sizes if name in failing[0]]
    totals = [sum(at[name] for name in shared) for at in failing]
    assert min(totals) == sum(sizes[name] for name in shared)
    assert any(all(at[name] == sizes[name] for name in shared) for at in failing)
    assert shared or not sizes
