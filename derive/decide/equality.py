"""Are two forms equal for all sizes?

1. The shapes must agree for all sizes: unequal shapes refute, and are reported as such.
2. Both sides become cells (:mod:`derive.decide.normal`).  At every index tuple the coefficients of
   the cells on each side must add up to the same number.  Where each side is one cell with the same
   coefficient, that says that the two sets of index tuples are equal, and each condition of one is
   proved from the other; otherwise the sums of the coefficients are compared.
3. "No" is never taken from the solver on trust: the smallest sizes are searched for and both sides
   are evaluated there from the definition (:mod:`derive.table`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import islice, product
from typing import Any

import numpy as np

from derive.decide.normal import Cell, cells, evidently_positive
from derive.decide.solver import (
    DEFAULT_SECONDS,
    Answer,
    Law,
    ask,
    satisfiable,
    smallest,
    time_left,
)
from derive.decide.verdict import Counterexample, Proved, Refuted, Undecided, Verdict
from derive.errors import CannotBe, NotSupported, expect
from derive.evaluation import holds
from derive.expr import (
    Apply,
    Cond,
    Expr,
    Sym,
    all_of,
    any_of,
    cond_symbols,
    eq,
    expressions,
    indicator,
    ne,
    negate,
)
from derive.form import Form
from derive.table import coefficients, shape_at

FUNCTION_TABLES = 4096
SEARCH_LIMIT = 20_000


def decide_equal(
    left: Form,
    right: Form,
    hypotheses: Sequence[Cond] = (),
    *,
    laws: Sequence[Law] = (),
    seconds: float = DEFAULT_SECONDS,
) -> Verdict:
    """Decide ``left == right`` for all sizes that the hypotheses allow.

    Both operators must be defined wherever the hypotheses hold; where one is not, that is a
    refutation of kind ``"undefined"``.

    Raises :class:`derive.errors.CannotBe` when the hypotheses contradict each other (a vacuous
    proof is no proof) or when the sides do not read the same tensors, and
    :class:`derive.errors.WrongInput` for what is no form or no condition.

    >>> from derive.symbols import size
    >>> from derive.form import tensor
    >>> x = tensor("x", size("n"))
    >>> decide_equal(x, x)
    Proved(method='solver')
    """
    for side, form in (("left", left), ("right", right)):
        expect(form, Form, side, "no operator; give a form, as tensor('x', n)")
    expect(
        hypotheses, (tuple, list), "hypotheses", "a list of conditions was expected; give [n >= k]"
    )
    for h in hypotheses:
        expect(h, Cond, "a hypothesis", "no condition; give one, as n >= k or eq(n, k)")
    base = all_of(*hypotheses)
    check_satisfiable((base,), laws=laws, seconds=seconds)
    check_tensors(left, right)
    defined = decide_holds(
        (base,), all_of(*left.requires, *right.requires), laws=laws, seconds=seconds
    )
    if isinstance(defined, Refuted):
        return _name_requirement(defined, left, right)
    if isinstance(defined, Undecided):
        return defined
    if left.rank != right.rank:
        return _refute((base,), left, right, laws, seconds)
    same_shape = all_of(*(eq(a, b) for a, b in zip(left.shape, right.shape, strict=True)))
    answer = ask((base,), same_shape, laws=laws, seconds=seconds)
    if answer is Answer.NO:
        by_shape = _refute((base, negate(same_shape)), left, right, laws, seconds)
        facts = (base, *left.requires, *right.requires, same_shape)
        return _smaller_by_value(by_shape, facts, left, right, laws, seconds)
    if answer is Answer.UNKNOWN:
        return Undecided("the solver could not compare the output shapes")
    # requirements are proved, so they may be used as facts; so may the equality of the shapes
    facts = (base, *left.requires, *right.requires, same_shape)
    return _decide_values(facts, left, right, laws, seconds)


def _smaller_by_value(
    found: Verdict,
    facts: Sequence[Cond],
    left: Form,
    right: Form,
    laws: Sequence[Law],
    seconds: float,
) -> Verdict:
    """Where the shapes differ for some sizes, the values may differ at smaller ones already."""
    if not isinstance(found, Refuted):
        return found
    total = sum(abs(v) for _, v in found.counterexample.sizes)
    try:
        groups = list(grouped(cells(left), cells(right)))
    except NotSupported:
        return found
    goal = any_of(*(difference(*g) for g in groups))
    by_value = _refute((*facts, goal), left, right, laws, seconds, limit=total - 1)
    return by_value if isinstance(by_value, Refuted) else found


def check_tensors(left: Form, right: Form) -> None:
    """The two sides must speak of the same tensors with the same shapes."""
    ours, theirs = dict(left.tensors), dict(right.tensors)
    for name in ours.keys() & theirs.keys():
        if ours[name] != theirs[name]:
            raise CannotBe(
                f"comparing two operators: the tensor {name!r} has the shape "
                f"({', '.join(map(str, ours[name]))}) on the left and "
                f"({', '.join(map(str, theirs[name]))}) on the right; give it one shape"
            )


def check_satisfiable(
    hypotheses: Sequence[Cond], *, laws: Sequence[Law] = (), seconds: float = DEFAULT_SECONDS
) -> None:
    """Hypotheses that nothing can meet make every statement vacuously true: an error."""
    if satisfiable(hypotheses, laws=laws, seconds=seconds) is Answer.NO:
        raise CannotBe(
            f"assuming {all_of(*hypotheses)}: no sizes meet these hypotheses, so anything would "
            "follow; drop or mend one of them"
        )


def decide_holds(
    hypotheses: Sequence[Cond],
    statement: Cond,
    *,
    laws: Sequence[Law] = (),
    seconds: float = DEFAULT_SECONDS,
) -> Verdict:
    """Decide a statement about sizes alone, for all sizes that the hypotheses allow.

    >>> from derive.symbols import sizes
    >>> n, s = sizes("n s")
    >>> decide_holds((), n % s < s)
    Proved(method='solver')
    >>> print(decide_holds((), n >= s).counterexample)
    at n = 1, s = 2: the statement is false
    """
    answer = ask(hypotheses, statement, laws=laws, seconds=seconds)
    if answer is Answer.YES:
        return Proved()
    if answer is Answer.UNKNOWN:
        return Undecided(f"the solver could not decide {statement}")
    conds = (*hypotheses, negate(statement))
    symbols = _parameters(conds)
    found = smallest(conds, symbols, laws=laws, seconds=seconds)
    if found is None:
        return Undecided(f"{statement} is false for some sizes but no small ones were found")
    plain = not any(isinstance(a, Apply) for c in conds for e in expressions(c) for a in e.atoms())
    if plain and not holds(all_of(*conds), found):
        return Undecided(f"the solver's values {found} do not show that {statement} is false")
    return Refuted(Counterexample("sizes", tuple(found.items())))


def _name_requirement(refuted: Refuted, left: Form, right: Form) -> Refuted:
    found = refuted.counterexample
    for c in (*left.requires, *right.requires):
        if not _meets([c], dict(found.sizes)):
            return Refuted(Counterexample("undefined", found.sizes, requirement=c))
    return refuted


def _decide_values(
    facts: Sequence[Cond], left: Form, right: Form, laws: Sequence[Law], seconds: float
) -> Verdict:
    def positive(e: Expr) -> bool:
        return evidently_positive(e) or ask(facts, e >= 1, laws=laws, seconds=seconds) is Answer.YES

    try:
        groups = grouped(cells(left, positive), cells(right, positive))
    except NotSupported as e:
        return _bounded(facts, left, right, laws, str(e))
    unknown = False
    for ours, theirs in groups:
        answer = equal_cells(facts, ours, theirs, laws, seconds)
        if answer is Answer.NO:
            goal = difference(ours, theirs)
            return _refute((*facts, goal), left, right, laws, seconds)
        unknown |= answer is Answer.UNKNOWN
    if unknown:
        return _bounded(facts, left, right, laws, "the solver gave up within its time limit")
    return Proved()


def grouped(left: Sequence[Cell], right: Sequence[Cell]) -> Iterator[tuple[list[Cell], list[Cell]]]:
    """Cells that read the same tensors belong together; what both sides share cancels."""
    groups: dict[tuple[str, ...], tuple[list[Cell], list[Cell]]] = defaultdict(lambda: ([], []))
    for c in left:
        groups[c.reads][0].append(c)
    for c in right:
        groups[c.reads][1].append(c)
    for ours, theirs in groups.values():
        for c in list(ours):
            if c in theirs:
                ours.remove(c)
                theirs.remove(c)
        if ours or theirs:
            yield ours, theirs


def equal_cells(
    facts: Sequence[Cond],
    ours: Sequence[Cell],
    theirs: Sequence[Cell],
    laws: Sequence[Law] = (),
    seconds: float = DEFAULT_SECONDS,
) -> Answer:
    """Do two groups of cells add up to the same at every index tuple?"""
    undefined = _denominators(facts, (*ours, *theirs), laws, seconds)
    if undefined is not Answer.YES:
        return Answer.UNKNOWN
    if len(ours) == len(theirs) == 1 and ours[0].coefficient == theirs[0].coefficient:
        a, b = ours[0], theirs[0]
        worst = Answer.YES
        for premise, conclusion in ((a, b), (b, a)):
            nonzero = ne(a.coefficient.num, 0)
            answer = ask(
                (*facts, *premise.where, nonzero),
                all_of(*conclusion.where),
                laws=laws,
                seconds=seconds,
            )
            if answer is Answer.NO:
                return answer
            worst = answer if answer is Answer.UNKNOWN else worst
        if worst is Answer.YES:
            return worst
    elif len(ours) == len(theirs) == 1 and _same_cells(facts, ours[0], theirs[0], laws, seconds):
        return Answer.YES
    paired = _pair(facts, list(ours), list(theirs), laws, seconds)
    if paired is not None:
        return paired
    return ask(facts, negate(difference(ours, theirs)), laws=laws, seconds=seconds)


def _same_cells(
    facts: Sequence[Cond], a: Cell, b: Cell, laws: Sequence[Law], seconds: float
) -> bool:
    """Are two cells equal where both are, and is neither where the other is not?

    Three small questions in place of the large one of :func:`difference`; that one of them has
    another answer than yes settles nothing (the coefficient may be zero there).
    """
    same_value = eq(a.coefficient.num * b.coefficient.den, b.coefficient.num * a.coefficient.den)
    questions = ((a, all_of(*b.where)), (b, all_of(*a.where)), (a, same_value))
    return all(
        ask((*facts, *premise.where), conclusion, laws=laws, seconds=seconds) is Answer.YES
        for premise, conclusion in questions
    )


def _denominators(
    facts: Sequence[Cond], all_cells: Sequence[Cell], laws: Sequence[Law], seconds: float
) -> Answer:
    worst = Answer.YES
    for c in all_cells:
        if c.coefficient.den.constant is None:
            answer = ask((*facts, *c.where), ne(c.coefficient.den, 0), laws=laws, seconds=seconds)
            if answer is not Answer.YES:
                worst = answer
    return worst


def _pair(
    facts: Sequence[Cond],
    ours: list[Cell],
    theirs: list[Cell],
    laws: Sequence[Law],
    seconds: float,
) -> Answer | None:
    """Match cells one to one where each equals a partner; None if that does not settle it."""
    if len(ours) != len(theirs) or len(ours) == 1:
        return None
    left = list(theirs)
    for a in ours:
        for b in left:
            if equal_cells(facts, [a], [b], laws, min(seconds, 2.0)) is Answer.YES:
                left.remove(b)
                break
        else:
            return None
    return Answer.YES


def difference(ours: Sequence[Cell], theirs: Sequence[Cell]) -> Cond:
    """The condition that the two sums of coefficients differ at an index tuple.

    Written without fractions: everything is multiplied by the denominators (each read as 1 where
    its cell is absent, so that no factor can be zero and hide a difference).
    """
    if len(ours) == len(theirs) == 1 and ours[0].coefficient == theirs[0].coefficient:
        a, b = all_of(*ours[0].where), all_of(*theirs[0].where)
        only = any_of(all_of(a, negate(b)), all_of(b, negate(a)))
        return all_of(ne(ours[0].coefficient.num, 0), only)
    sums: dict[Expr, Expr] = {}  # denominator -> numerator
    for cell, sign in [(c, 1) for c in ours] + [(c, -1) for c in theirs]:
        present = indicator(all_of(*cell.where))
        den = cell.coefficient.den
        if den.constant is None:
            den = den * present + 1 - present
        sums[den] = sums.get(den, Expr({})) + cell.coefficient.num * present * sign
    total = Expr({})
    for den, num in sums.items():
        for other in sums:
            if other != den:
                num = num * other
        total = total + num
    return ne(total, 0)


def _parameters(conds: Sequence[Cond]) -> list[Sym]:
    symbols = {s for c in conds for s in cond_symbols(c) if not _is_index(s)}
    return sorted(symbols, key=lambda s: s.name)


def _all_parameters(conds: Sequence[Cond], *forms: Form) -> list[Sym]:
    symbols = {s for f in forms for s in f.sizes()}
    return sorted(symbols | set(_parameters(conds)), key=lambda s: s.name)


def _is_index(s: Sym) -> bool:
    return "." in s.name or (s.name[0] == "i" and s.name[1:].isdigit())


def _refute(
    conds: Sequence[Cond],
    left: Form,
    right: Form,
    laws: Sequence[Law],
    seconds: float,
    limit: int = 40,
) -> Verdict:
    parameters = _all_parameters(conds, left, right)

    def search(total: int) -> dict[str, int] | None:
        for sizes in islice(sizes_with_sum(parameters, total), SEARCH_LIMIT):
            if time_left() <= 0:
                return None
            if _meets(conds, sizes) and counterexample_at(left, right, sizes, laws):
                return sizes
        return None

    found = smallest(conds, parameters, laws=laws, seconds=seconds, limit=limit, search=search)
    if found is None:
        return Undecided("the sides differ for some sizes, but no small ones were found in time")
    return counterexample_at(left, right, found, laws) or Undecided(
        f"the solver reports a difference at {found} that evaluation does not show"
    )


def _meets(conds: Sequence[Cond], sizes: Mapping[str, int]) -> bool:
    """Do the conditions on sizes alone hold (those that speak of indices are left to evaluation)?"""
    known = [c for c in conds if all(s.name in sizes for s in cond_symbols(c))]
    plain = [
        c for c in known if not any(isinstance(a, Apply) for e in expressions(c) for a in e.atoms())
    ]
    try:
        return bool(holds(all_of(*plain), sizes))
    except ZeroDivisionError:  # the conditions say that divisors are positive
        return False


def counterexample_at(
    left: Form, right: Form, sizes: dict[str, int], laws: Sequence[Law] = ()
) -> Refuted | None:
    """Evaluate both sides at given sizes; the first difference, or None if there is none."""
    shapes = shape_at(left, sizes), shape_at(right, sizes)
    where = tuple(sizes.items())
    numeric = not left.tensors and not right.tensors
    if shapes[0] != shapes[1]:
        return Refuted(Counterexample("shape", where, (), *shapes))
    for functions, shown in function_tables(left, right, sizes, laws):
        ours = coefficients(left, {**sizes, **functions})
        theirs = coefficients(right, {**sizes, **functions})
        for key in sorted(ours.keys() | theirs.keys()):
            a, b = ours.get(key, Fraction(0)), theirs.get(key, Fraction(0))
            if a != b:
                found = Counterexample("value", where, shown, *shapes, *key, a, b, numeric=numeric)
                return Refuted(found)
    return None


def functions_of(*forms: Form) -> dict[str, int]:
    """The unknown functions of forms and their number of arguments."""
    found: dict[str, int] = {}
    for f in forms:
        for t in f.terms:
            spoken = [e for c in t.where for e in expressions(c)]
            spoken += [e for r in t.reads for e in r.at]
            for e in spoken:
                for a in e.atoms():
                    if isinstance(a, Apply):
                        found[a.name] = len(a.arguments)
    return dict(sorted(found.items()))


def function_tables(
    left: Form, right: Form, sizes: dict[str, int], laws: Sequence[Law]
) -> Iterator[
    tuple[dict[str, Any], tuple[tuple[str, tuple[tuple[tuple[int, ...], int], ...]], ...]]
]:
    """Every choice of the unknown functions at these sizes (up to a limit), in order."""
    arities = functions_of(left, right)
    if not arities:
        yield {}, ()
        return
    extent = max([*shape_at(left, sizes), *sizes.values(), 1])
    points = [
        (name, a) for name, arity in arities.items() for a in product(range(extent), repeat=arity)
    ]
    allowed = [_allowed(name, a, sizes, laws, extent) for name, a in points]
    for tried, choice in enumerate(product(*allowed)):
        if tried >= FUNCTION_TABLES or time_left() <= 0:
            return
        tables: dict[str, dict[tuple[int, ...], int]] = {name: {} for name in arities}
        for (name, a), v in zip(points, choice, strict=True):
            tables[name][a] = v
        functions = {name: _lookup(table) for name, table in tables.items()}
        shown = tuple((name, tuple(table.items())) for name, table in tables.items())
        yield functions, shown


def _allowed(
    name: str, at: tuple[int, ...], sizes: dict[str, int], laws: Sequence[Law], extent: int
) -> list[int]:
    values = []
    ours = [law for law in laws if law.function == name]
    for v in (-1, *range(extent + 1)):
        env: dict[str, Any] = {**sizes, name: lambda *_, v=v: v}
        ok = True
        for law in ours:
            env.update({p.name: i for p, i in zip(law.parameters, at, strict=True)})
            ok = ok and bool(holds(law.cond, env))
        if ok and v == -1 and ours:
            return [0]  # the laws say nothing of this argument: it is none of the function
        if ok and v >= 0:
            values.append(v)
    return values


def _lookup(table: dict[tuple[int, ...], int]) -> Any:
    def value(*at: Any) -> Any:
        return np.vectorize(lambda *a: table.get(tuple(int(v) for v in a), 0), otypes=[np.int64])(
            *at
        )

    return value


def _bounded(
    facts: Sequence[Cond], left: Form, right: Form, laws: Sequence[Law], reason: str
) -> Verdict:
    """What can still be said when the general question has no answer: try all small sizes."""
    parameters = _all_parameters(facts, left, right)
    checked = 0
    bound = _bound_for(len(parameters))
    for sizes in small_sizes(parameters, bound):
        if time_left() <= 0:
            break
        if not _meets(facts, sizes):
            continue
        found = counterexample_at(left, right, sizes, laws)
        if found is not None:
            return found
        checked += 1
    if not checked:
        return Undecided(reason)
    names = ", ".join(p.name for p in parameters)
    return Undecided(
        reason, f"{checked} choices of {names} with a sum of sizes up to {bound} agree"
    )


def _bound_for(number: int) -> int:
    return {0: 0, 1: 24, 2: 20, 3: 14, 4: 12, 5: 11}.get(number, 10)


def small_sizes(parameters: Sequence[Sym], bound: int) -> Iterator[dict[str, int]]:
    """Every choice of the parameters with a sum of absolute values up to ``bound``, smallest first."""
    for total in range(bound + 1):
        yield from sizes_with_sum(parameters, total)


def sizes_with_sum(parameters: Sequence[Sym], total: int) -> Iterator[dict[str, int]]:
    """Every choice of the parameters (their minima respected) whose absolute values add to ``total``."""
    if not parameters:
        if total == 0:
            yield {}
        return
    p, rest = parameters[0], parameters[1:]
    for v in sorted(range(-total, total + 1), key=lambda c: (abs(c), -c)):
        if (p.minimum is None or v >= p.minimum) and (rest or abs(v) == total):
            for others in sizes_with_sum(rest, total - abs(v)):
                yield {p.name: v, **others}
