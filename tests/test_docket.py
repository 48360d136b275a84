"""The docket: every row has claims, every verdict is the one on file, and naive loops agree with it."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import islice, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from sympy import QQ
from sympy.polys.matrices import DomainMatrix

from derive.claims.judge import judge
from derive.claims.meaning import Claim, read
from derive.claims.reduce import COMPARE
from derive.claims.values import About, Both, Everywhere, Exists, Negation, Same, Statement
from derive.decide.equality import function_tables, sizes_with_sum
from derive.decide.verdict import HoldsWhen, Proved, Refuted, Verdict
from derive.evaluation import holds
from derive.expr import Cond, Sym, all_of, cond_symbols, lift
from derive.form import Form
from derive.numeric import loops
from derive.numeric.interpret import naive_sum, random_tensors, run, tensors_of
from derive.table import concrete, shape_at

FOLDER = Path(__file__).parent.parent / "proofs" / "docket"
FILES = ("T1", "T3", "T4", "T5", "elsewhere")
ROWS = (
    *(f"T1-{c}" for c in "abcdefghijkl"),
    *(f"T3-{c}" for c in "abcdefg"),
    *(f"T4-{c}" for c in "abcdefghijklm"),
    *(f"T5-{c}" for c in "abcdef"),
    *(f"P-{i}" for i in range(1, 17)),
)
ENTRIES: list[dict[str, Any]] = [
    e
    for name in FILES
    for e in yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
]
FIELDS = {"id", "row", "statement", "source", "reading", "claim", "expected"}
POINTS = 25  # choices of sizes that a claim is computed at
KERNELS = 8  # the same for the existence of a kernel
LARGEST = 16  # their largest sum
LONGEST = 9  # the longest kernel that is looked for
each = pytest.mark.parametrize("entry", ENTRIES, ids=[e["id"] for e in ENTRIES])


def said(verdict: Verdict) -> str:
    """A verdict as it stands on file."""
    match verdict:
        case Proved():
            return "proved"
        case Refuted():
            return "refuted"
        case HoldsWhen(condition):
            return f"holds when {condition}"
    return "undecided"


def test_every_row_of_the_docket_has_a_claim() -> None:
    assert {e["row"] for e in ENTRIES} == set(ROWS)
    assert len({e["id"] for e in ENTRIES}) == len(ENTRIES)


@each
def test_entry_is_complete(entry: dict[str, Any]) -> None:
    assert set(entry) == FIELDS
    assert entry["id"].rsplit(".", 1)[0] == entry["row"]
    assert entry["source"]["title"]
    assert all(entry[f].strip() for f in ("statement", "reading", "claim", "expected"))


@each
def test_verdict_and_brute_force(entry: dict[str, Any]) -> None:
    judgment = judge(entry["claim"])
    assert said(judgment.verdict) == entry["expected"]
    claim = read(entry["claim"])
    if isinstance(judgment.verdict, Refuted):
        failing = dict(judgment.verdict.counterexample.sizes)
        assert not true_at(claim, failing), f"it is true at {failing}"
        return
    condition = judgment.verdict.condition if isinstance(judgment.verdict, HoldsWhen) else None
    seen = 0
    for at in points(claim):
        wanted = condition is None or bool(holds(condition, at))
        assert true_at(claim, at) == wanted, f"at {at} it is {not wanted}"
        seen += 1
    assert seen >= 1


# -- a claim at given sizes, from the naive loops --------------------------------------------------


def forms_of(statement: Statement) -> Iterator[Form]:
    match statement:
        case Same(left=left, right=right) | Exists(left=left, right=right):
            yield from (left, right)
        case Everywhere(count=count):
            yield count
        case Both(parts):
            for part in parts:
                yield from forms_of(part)
        case Negation(part):
            yield from forms_of(part)


def conditions_of(statement: Statement) -> Iterator[Cond]:
    match statement:
        case About(cond):
            yield cond
        case Both(parts):
            for part in parts:
                yield from conditions_of(part)
        case Negation(part):
            yield from conditions_of(part)
        case Everywhere(bound=bound):
            yield bound >= 0


def points(claim: Claim) -> Iterator[dict[str, int]]:
    """The smallest sizes that the hypotheses allow and at which the operators are defined."""
    forms = list(forms_of(claim.statement))
    symbols = {s for f in forms for s in f.sizes()}
    stated = [*conditions_of(claim.statement), *claim.hypotheses]
    symbols |= {s for c in (*stated, claim.iff) if c is not None for s in cond_symbols(c)}
    if isinstance(claim.statement, Exists):
        symbols -= unknown_lengths(claim.statement)
    conds = [*claim.hypotheses]
    conds += [c for f in forms for c in f.requires if cond_symbols(c) <= symbols]
    order = sorted(symbols, key=lambda s: s.name)

    def every() -> Iterator[dict[str, int]]:
        for total in range(LARGEST + 1):
            for at in islice(sizes_with_sum(order, total), 3000):
                if holds(all_of(*conds), at):
                    yield at

    return islice(every(), KERNELS if isinstance(claim.statement, Exists) else POINTS)


def true_at(claim: Claim, at: dict[str, int]) -> bool:
    value = statement_at(claim.statement, at)
    return value if claim.iff is None else value == bool(holds(claim.iff, at))


def statement_at(statement: Statement, at: dict[str, int]) -> bool:
    match statement:
        case Same():
            return equal_at(statement, at)
        case About(cond):
            return bool(holds(cond, at))
        case Everywhere():
            return everywhere_at(statement, at)
        case Exists():
            return exists_at(statement, at)
        case Both(parts):
            return all(statement_at(p, at) for p in parts)
        case Negation(part):
            return not statement_at(part, at)


def arrays(at: dict[str, int], *forms: Form, seed: int = 5) -> dict[str, Any]:
    shapes = {
        name: tuple(concrete(n, at) for n in shape) for f in forms for name, shape in tensors_of(f)
    }
    return random_tensors(shapes, seed)


def value(form: Form, at: dict[str, Any], tensors: dict[str, Any]) -> Any:
    found = run(form, at, tensors)
    assert found.shape == shape_at(form, at), "the loops give another shape"
    return found


def equal_at(statement: Same, at: dict[str, int]) -> bool:
    left, right = statement.left, statement.right
    if shape_at(left, at) != shape_at(right, at):
        return False
    return all(agree(statement, at, arrays(at, left, right, seed=seed)) for seed in (5, 6))


def agree(statement: Same, at: dict[str, int], tensors: dict[str, Any]) -> bool:
    left, right = statement.left, statement.right
    if statement.reads_only:  # maxima: the same inputs are read
        return bool(np.array_equal(reads_at(left, at, tensors), reads_at(right, at, tensors)))
    for functions, _ in islice(function_tables(left, right, at, statement.laws), 64):
        with_functions = {**at, **functions}
        if functions:
            ours, theirs = (naive_sum(f, with_functions, tensors) for f in (left, right))
        else:
            ours, theirs = value(left, at, tensors), value(right, at, tensors)
        if not np.array_equal(ours, theirs):
            return False
    return True


def reads_at(form: Form, at: dict[str, int], tensors: dict[str, Any]) -> Any:
    """Which output reads which input."""
    return loops.jacobian(lambda x: naive_sum(form, at, {"x": x}), tensors["x"]) != 0


def everywhere_at(statement: Everywhere, at: dict[str, int]) -> bool:
    for functions, _ in islice(
        function_tables(statement.count, statement.count, at, statement.laws), 64
    ):
        counts = naive_sum(statement.count, {**at, **functions}, {})
        bound = concrete(statement.bound, at)
        compare = COMPARE[statement.comparison]
        if not all(holds(compare(lift(int(c)), lift(bound)), {}) for c in counts.flat):
            return False
    return True


def unknown_lengths(statement: Exists) -> set[Sym]:
    """The lengths of the unknown kernel that may be chosen."""
    name = statement.names[0]
    shapes = {t: s for f in (statement.left, statement.right) for t, s in f.tensors}
    own = {n.symbol for n in shapes[name] if n.symbol is not None}
    return own - {s for t, ns in shapes.items() if t != name for n in ns for s in n.symbols()}


def exists_at(statement: Exists, at: dict[str, int]) -> bool:
    lengths = sorted(unknown_lengths(statement), key=lambda s: s.name)
    for choice in product(range(1, LONGEST + 1), repeat=len(lengths)):
        sizes = {**at, **{s.name: v for s, v in zip(lengths, choice, strict=True)}}
        fits = all_of(*statement.left.requires, *statement.right.requires)
        if holds(fits, sizes) and solvable(statement, sizes):
            return True
    return False


def solvable(statement: Exists, at: dict[str, int]) -> bool:
    """Rank of the equations for the kernel, for random known kernels and every unit of the data."""
    left, right, name = statement.left, statement.right, statement.names[0]
    if shape_at(left, at) != shape_at(right, at):
        return False
    tensors = arrays(at, left, right)
    data = [t for t in tensors if t in ("x", "g")]
    kernel = np.zeros(tensors[name].shape, dtype=object)
    rows: list[list[Fraction]] = []
    for functions, _ in islice(function_tables(left, right, at, statement.laws), 64):
        for unit in units(tensors, data):

            def gap(v: Any, unit: dict[str, Any] = unit, functions: Any = functions) -> Any:
                sides = ({**unit, name: v}, {**at, **functions})
                f = naive_sum if functions else run
                return f(left, sides[1], sides[0]) - f(right, sides[1], sides[0])

            known = gap(kernel)
            columns = []
            for place in np.ndindex(*kernel.shape):
                one = kernel.copy()
                one[place] = 1
                columns.append((gap(one) - known).ravel())
            rows += [[*row, k] for *row, k in zip(*columns, known.ravel(), strict=True)]
    table = [[QQ(Fraction(c).numerator, Fraction(c).denominator) for c in r] for r in rows]
    whole = DomainMatrix(table, (len(table), kernel.size + 1), QQ)
    return bool(whole.rank() == whole[:, : kernel.size].rank())


def units(tensors: dict[str, Any], data: list[str]) -> Iterator[dict[str, Any]]:
    if not data:
        yield tensors
        return
    for place in np.ndindex(*tensors[data[0]].shape):
        one = np.zeros(tensors[data[0]].shape, dtype=object)
        one[place] = 1
        yield from units({**tensors, data[0]: one}, data[1:])


# -- a few rows once more, with nothing of ours but the loops --------------------------------------


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("m", [1, 2, 3])
def test_max_pool_gradient_is_a_mask_times_upsampling(k: int, m: int) -> None:
    x = np.array([(37 * i * i + 11 * i) % 101 for i in range(k * m)], dtype=object)
    g = np.array([3 * i + 2 for i in range(m)], dtype=object)
    gradient = loops.max_pool_grad(g, loops.max_pool(x, k)[1], x.shape, k)
    mask = np.array([x[j] == max(x[j // k * k : j // k * k + k]) for j in range(k * m)])
    upsampled = loops.nearest_upsample(g, k)
    assert np.array_equal(gradient, mask * upsampled)
    assert np.array_equal(gradient, upsampled) == (k == 1)


def test_how_many_inputs_give_an_output_length() -> None:
    for k, s, m in product(range(1, 6), range(1, 5), range(1, 6)):
        fitting = [
            n
            for n in range(k, 60)
            if loops.sum_pool(np.ones(n, dtype=object), k, stride=s).size == m
        ]
        assert fitting == list(range(s * (m - 1) + k, s * m + k))
        assert sum((n - k) % s == 0 for n in fitting) == 1
