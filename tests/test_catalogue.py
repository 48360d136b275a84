"""Every theorem of the catalogue: proved, each hypothesis needed, the twin refuted, the numbers right.

The expensive proof of a theorem is made once; the tests of one theorem run one after another.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
import pytest

from derive.decide.equality import counterexample_at, small_sizes
from derive.decide.presburger import is_exact_condition
from derive.decide.solver import Law
from derive.decide.verdict import Counterexample, HoldsWhen, Proved, Refuted
from derive.derivation import instance_evidence
from derive.document.evidence import instance_blocks, selections
from derive.document.model import Paragraph
from derive.evaluation import holds
from derive.expr import Apply, Cond, Sym, all_of, cond_symbols, expressions
from derive.form import Form
from derive.numeric.crosscheck import CONFIGURATIONS, cross_check
from derive.numeric.interpret import loop_oracle, random_tensors, run, tensors_of
from derive.prove import Proof, prove
from derive.table import concrete, shape_at, undefined_at
from derive.theorems import load
from derive.theorems.model import Equal, EqualIff, Holds, Part, Statement, Theorem

CATALOGUE = load()
LOOKED_AT, EVALUATED = 20_000, 150
"""How many smaller sizes are listed, and at how many of them both sides are evaluated."""


@pytest.fixture(scope="module", params=list(CATALOGUE))
def theorem(request: pytest.FixtureRequest) -> Theorem:
    return CATALOGUE[request.param]()


@pytest.fixture(scope="module")
def proof(theorem: Theorem) -> Proof:
    return prove(theorem)


def sides(statement: Statement) -> tuple[Form, ...]:
    return () if isinstance(statement, Holds) else (statement.left, statement.right)


def own_condition(statement: Statement) -> tuple[Cond, ...]:
    match statement:
        case Holds(cond):
            return (cond,)
        case EqualIff():
            return (statement.condition,)
    return ()


def has_function(cond: Cond) -> bool:
    return any(isinstance(a, Apply) for e in expressions(cond) for a in e.atoms())


def parameters(statement: Statement, hypotheses: Sequence[Cond]) -> list[Sym]:
    """Every symbol that a statement and its hypotheses speak of, in the order of their names."""
    found = {s for f in sides(statement) for s in f.sizes()}
    found |= {s for c in (*hypotheses, *own_condition(statement)) for s in cond_symbols(c)}
    return sorted(found, key=lambda s: s.name)


# -- proofs ----------------------------------------------------------------------------------------


def test_every_part_and_every_step_is_proved(proof: Proof) -> None:
    for part in proof.parts:
        exact = isinstance(part.part.statement, EqualIff)
        assert isinstance(part.verdict, HoldsWhen if exact else Proved), part.part.sentence
        if isinstance(part.part.statement, Equal):
            assert len(part.chain) >= 2
        for link in part.chain[1:]:
            assert isinstance(link.verdict, Proved), f"{part.part.sentence} {link.reason}"
    assert isinstance(proof.twin, Refuted)
    assert proof.proved


def test_every_hypothesis_is_needed(proof: Proof) -> None:
    superfluous = [
        f"{part.part.sentence} without {dropped.hypothesis}: {dropped.verdict}"
        for part in proof.parts
        for dropped in part.dropped
        if not isinstance(dropped.verdict, Refuted)
    ]
    assert not superfluous, "\n".join(superfluous)
    for part in proof.parts:
        assert tuple(d.hypothesis for d in part.dropped) == part.part.hypotheses


# -- counterexamples -------------------------------------------------------------------------------


def table(values: Sequence[tuple[tuple[int, ...], int]]) -> Any:
    """The selection of a counterexample as a function on integers and on arrays of them."""
    known = dict(values)
    return np.vectorize(lambda *at: known.get(tuple(int(v) for v in at), 0), otypes=[np.int64])


def environment(found: Counterexample) -> dict[str, Any]:
    return {**dict(found.sizes), **{name: table(values) for name, values in found.functions}}


def differ_by_the_loops(left: Form, right: Form, sizes: dict[str, Any]) -> bool:
    """Do the naive loops give different shapes or different numbers?"""
    both = (left, right)
    shapes = {t: tuple(concrete(n, sizes) for n in s) for f in both for t, s in tensors_of(f)}
    for seed in range(3):
        tensors = random_tensors(shapes, seed)
        values = [run(f, sizes, tensors, loop_oracle) for f in both]
        if not np.array_equal(values[0], values[1]):
            return True
    return False


def confirm(statement: Statement, hypotheses: Sequence[Cond], found: Counterexample) -> None:
    """The counterexample meets the hypotheses, and the naive loops see what it says."""
    sizes = environment(found)
    assert holds(all_of(*(h for h in hypotheses if not has_function(h))), sizes)
    if found.kind == "undefined":
        assert found.requirement is not None
        assert not holds(found.requirement, sizes)
        assert any(undefined_at(f, sizes) is not None for f in sides(statement))
        return
    if isinstance(statement, Holds):
        assert found.kind == "sizes"
        assert not holds(statement.cond, sizes)
        return
    assert all(undefined_at(f, sizes) is None for f in sides(statement))
    if isinstance(statement, EqualIff) and not holds(statement.condition, sizes):
        assert not differ_by_the_loops(statement.left, statement.right, sizes)
        return
    assert differ_by_the_loops(statement.left, statement.right, sizes)
    shapes = shape_at(statement.left, sizes), shape_at(statement.right, sizes)
    assert (found.left_shape, found.right_shape) == shapes
    assert (found.kind == "shape") == (shapes[0] != shapes[1])


def smaller(
    statement: Statement, hypotheses: Sequence[Cond], found: Counterexample
) -> Iterator[dict[str, int]]:
    """All sizes that the hypotheses allow and that are smaller than those of the counterexample."""
    total = sum(abs(v) for _, v in found.sizes)
    conds = all_of(*(h for h in hypotheses if not has_function(h)))
    listed = small_sizes(parameters(statement, hypotheses), total - 1)
    return (s for s in islice(listed, LOOKED_AT) if holds(conds, s))


def fails_at(statement: Statement, sizes: dict[str, int], kind: str, laws: Sequence[Law]) -> bool:
    """Does the statement fail at these sizes?  For an operator that is not defined: is it not here?"""
    if isinstance(statement, Holds):
        return not holds(statement.cond, sizes)
    undefined = any(undefined_at(f, sizes) is not None for f in sides(statement))
    if undefined or kind == "undefined":
        return undefined
    left, right = sides(statement)
    return counterexample_at(left, right, sizes, laws) is not None


def test_the_loops_confirm_the_counterexample_of_the_twin(proof: Proof) -> None:
    twin = proof.theorem.twin
    assert isinstance(proof.twin, Refuted)
    confirm(twin.statement, twin.hypotheses, proof.twin.counterexample)


def test_no_smaller_sizes_refute_the_twin(proof: Proof) -> None:
    twin = proof.theorem.twin
    assert isinstance(proof.twin, Refuted)
    found = proof.twin.counterexample
    if isinstance(twin.statement, Holds) and has_function(twin.statement.cond):
        return
    for sizes in islice(smaller(twin.statement, twin.hypotheses, found), EVALUATED):
        fails = fails_at(twin.statement, sizes, found.kind, twin.laws)
        assert not fails, f"{sizes} is smaller than {found}"


def test_the_loops_confirm_why_each_hypothesis_is_needed(proof: Proof) -> None:
    for part in proof.parts:
        for dropped in part.dropped:
            assert isinstance(dropped.verdict, Refuted)
            found = dropped.verdict.counterexample
            rest = [h for h in part.part.hypotheses if h != dropped.hypothesis]
            confirm(part.part.statement, rest, found)
            if not has_function(dropped.hypothesis):
                assert not holds(dropped.hypothesis, environment(found))


# -- numbers ---------------------------------------------------------------------------------------


def test_the_numbers_agree(theorem: Theorem) -> None:
    checks = cross_check(theorem)
    assert tuple(c.part for c in checks) == theorem.parts
    for check in checks:
        assert check.rows, check.part.sentence
        wrong = [dict(r.sizes) for r in check.rows if not r.ok]
        assert not wrong, f"{check.part.sentence} {wrong}"
    rows = [r for c in checks for r in c.rows]
    assert len(rows) >= CONFIGURATIONS >= 20
    for kernel in ("k", "k1", "k2"):
        lengths = {dict(r.sizes).get(kernel) for r in rows} - {None}
        assert not lengths or {n % 2 for n in lengths if n is not None} == {0, 1}


def test_no_exact_condition_is_always_true(theorem: Theorem) -> None:
    """Otherwise the part is a plain equality and should say so."""
    for part in theorem.parts:
        if not isinstance(part.statement, EqualIff) or has_function(part.statement.condition):
            continue
        known = [*part.hypotheses, *(c for f in sides(part.statement) for c in f.requires)]
        conds = all_of(*(c for c in known if not has_function(c)))
        listed = islice(small_sizes(parameters(part.statement, known), 14), LOOKED_AT)
        truths = {bool(holds(part.statement.condition, s)) for s in listed if holds(conds, s)}
        assert False in truths, f"{part.sentence}: the condition is always true"


# -- exact conditions at fixed sizes, a second decision procedure ------------------------------------


def fixed_conditions() -> list[Any]:
    return [
        pytest.param(part, fixed, id=f"{name}-{i}-{'-'.join(f'{k}={v}' for k, v in fixed.items())}")
        for name, make in CATALOGUE.items()
        for i, part in enumerate(make().parts)
        if isinstance(part.statement, EqualIff)
        for fixed in part.statement.fixed
    ]


@pytest.mark.parametrize(("part", "fixed"), fixed_conditions())
def test_conditions_agree_with_the_presburger_sets(part: Part, fixed: dict[str, int]) -> None:
    s = part.statement
    assert isinstance(s, EqualIff)
    assert is_exact_condition(s.left, s.right, s.condition, part.hypotheses, fixed)


# -- instances -------------------------------------------------------------------------------------


def test_instances_are_lawful_and_give_every_size(theorem: Theorem) -> None:
    for part in theorem.parts:
        if not part.instance or part.wrt is None:
            continue
        spoken = {s.name for s in parameters(part.statement, part.hypotheses)}
        assert spoken <= set(part.instance), part.sentence
        plain = [h for h in part.hypotheses if not has_function(h)]
        assert holds(all_of(*plain), dict(part.instance)), part.sentence
        for f in sides(part.statement):
            assert undefined_at(f, dict(part.instance)) is None, part.sentence


def test_instances_agree_and_the_document_says_what_was_found(theorem: Theorem) -> None:
    for part in theorem.parts:
        s = part.statement
        if not part.instance or part.wrt is None:
            continue
        assert not isinstance(s, Holds), part.sentence
        sizes: dict[str, Any] = dict(part.instance)
        chosen = selections((s.left, s.right), sizes, part.laws)
        assert chosen is not None, part.sentence
        sizes.update(chosen)
        expected = bool(holds(s.condition, sizes)) if isinstance(s, EqualIff) else True
        found = instance_evidence(s.left, s.right, part.wrt, sizes)
        assert found.agrees == expected, part.sentence
        text = " ".join(b.text for b in instance_blocks(part) if isinstance(b, Paragraph))
        same = "has the same matrix" in text or "has the same entries" in text
        other = "has another matrix" in text or "right side differs" in text
        assert (same, other) == (expected, not expected), part.sentence


# -- the two general gradients ---------------------------------------------------------------------


@pytest.mark.parametrize("name", ["input-gradient-general", "weight-gradient-general"])
def test_general_means_every_parameter(name: str) -> None:
    part = CATALOGUE[name]().parts[0]
    assert isinstance(part.statement, Equal)
    for f in sides(part.statement):
        assert {"n", "k", "s", "d", "e", "p_lo", "p_hi"} <= {s.name for s in f.sizes()}
