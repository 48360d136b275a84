"""The weakest condition: for which sizes is a statement true, exactly, in words a person would use?

1. At many small sizes it is computed whether the statement holds (:mod:`derive.decide.samples`).
2. The simplest formula in candidate parts that agrees with all samples is searched
   (:mod:`derive.decide.candidates`, :mod:`derive.decide.formula`).
3. Both directions are proved for all sizes: that the condition suffices as an equality under one
   more hypothesis, that it is necessary by witnesses (:mod:`derive.decide.witness`), case by case.
   Where a proof fails at certain sizes, these become samples and the search goes on.

The work is counted in steps, so that what is found does not depend on how busy the machine is; the
time limit is a guard.
Samples only guess; what is returned is proved in both directions, or nothing is returned.

>>> from derive.symbols import sizes
>>> from derive.form import tensor
>>> from derive.operators import decimate, nearest_upsample
>>> n, s = sizes("n s")
>>> x = tensor("x", n)
>>> print(find_condition(nearest_upsample(decimate(x, s), s), x).condition)
s == 1
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from derive.decide.assume import Assumed, assume, cases
from derive.decide.candidates import independent, literals, spoken, spoken_in, symbols_of, weight
from derive.decide.chosen import choices, write_out
from derive.decide.equality import (
    check_satisfiable,
    check_tensors,
    counterexample_at,
    decide_equal,
    difference,
    functions_of,
    small_sizes,
)
from derive.decide.formula import simplest
from derive.decide.normal import evidently_positive
from derive.decide.samples import (
    Bools,
    Comparison,
    Grid,
    count,
    has_functions,
    row,
    sample,
    take,
    truth,
)
from derive.decide.simplify import asked, disjuncts, failures, ordered, reduced, simplify
from derive.decide.solver import (
    DEFAULT_SECONDS,
    Answer,
    Law,
    counted_steps,
    satisfiable,
    smallest,
    time_left,
    time_limit,
)
from derive.decide.verdict import HoldsWhen, Proved, Refuted, Verdict
from derive.decide.witness import Corners, Witness, choose, corners
from derive.evaluation import holds
from derive.expr import (
    FALSE,
    TRUE,
    Cond,
    Expr,
    Sym,
    all_of,
    any_of,
    eq,
    iff,
    lift,
    negate,
    subst_cond,
)
from derive.form import Call, Form

ROUNDS = 8
POOR = 2  # rounds with the candidates that a statement suggests; then more are tried
LEARNT = 1000  # samples that are added where a condition was wrong
SOMEWHERE = 60  # sizes that are tried to see whether a statement is ever true
SOMEWHERE_SUM = 14
SOMEWHERE_LOOKED = 6_000  # sizes among which they are found
POINT = 60  # the largest sum of sizes that is looked for
WITNESSES = 9  # how often a case may ask for a further witness


@dataclass(frozen=True)
class Weakest:
    """The sizes at which a statement is true, proved in both directions.

    ``verdict.condition`` is the whole condition; it says the same as ``condition or degenerate[0] or
    degenerate[1] …``, where ``condition`` is the main case and in each degenerate one the length of the
    same position in ``reasons`` is 1 (a single output, a single tap, a single sample).  The
    condition is relative to the hypotheses, and to both sides being defined.
    """

    condition: Cond
    degenerate: tuple[Cond, ...]
    verdict: HoldsWhen
    reasons: tuple[str, ...] = ()


def true_somewhere(
    left: Form, right: Form, facts: Sequence[Cond], *, laws: Sequence[Law] = ()
) -> dict[str, int] | None:
    """Small sizes at which two forms are equal, computed from the definitions; None if none of the
    first ones is.

    >>> from derive.symbols import sizes
    >>> from derive.form import tensor
    >>> from derive.operators import decimate
    >>> n, s = sizes("n s")
    >>> x = tensor("x", n)
    >>> true_somewhere(decimate(x, s), x, ())
    {'n': 1, 's': 1}
    """
    found = {*left.sizes(), *right.sizes(), *symbols_of(facts)}
    order = sorted(found, key=lambda p: p.name)
    plain = all_of(*(c for c in facts if not has_functions([c])))
    tried = 0
    for sizes in islice(small_sizes(order, SOMEWHERE_SUM), SOMEWHERE_LOOKED):
        if time_left() <= 0 or tried >= SOMEWHERE:
            break
        if bool(holds(plain, sizes)):
            tried += 1
            if counterexample_at(left, right, sizes, laws) is None:
                return sizes
    return None


@dataclass(frozen=True)
class _Claim:
    """Two forms under comparison, with everything that the search needs of them."""

    both: Comparison
    parameters: tuple[Sym, ...]
    facts: tuple[Cond, ...]
    seen: tuple[Expr, ...]
    laws: tuple[Law, ...]
    corners: tuple[Corners, ...]


def find_condition(
    left: Form,
    right: Form,
    hypotheses: Sequence[Cond] = (),
    *,
    laws: Sequence[Law] = (),
    seconds: float = DEFAULT_SECONDS,
    first: Cond | None = None,
) -> Weakest | None:
    """The weakest condition on the sizes under which two forms are equal, in shape and value.

    It is exact among the sizes that the hypotheses (and the minima of the symbols) allow and at which
    both sides are defined.  ``TRUE`` means always, ``FALSE`` never.  None if no condition was found,
    or none that could be proved within the time limit.  ``first`` is tried before all others.

    Raises :class:`derive.errors.CannotBe` when no sizes meet the hypotheses, or when the two sides
    do not read the same tensors.

    >>> from derive.symbols import sizes
    >>> from derive.form import tensor, vjp
    >>> from derive.operators import avg_pool, nearest_upsample, scale
    >>> n, k, s = sizes("n k s")
    >>> gradient = vjp(avg_pool(tensor("x", n), k, stride=s), "x")
    >>> upsampled = scale(nearest_upsample(tensor("g", (n - k) // s + 1), k), 1, k)
    >>> found = find_condition(gradient, upsampled)
    >>> print(found.condition, "| degenerate:", *found.degenerate)
    k == s and n % s == 0 | degenerate: k == n
    """
    with time_limit(seconds), counted_steps():
        facts = (*hypotheses, *left.requires, *right.requires)
        check_satisfiable(facts, laws=laws)
        check_tensors(left, right)
        if left.rank != right.rank:
            return Weakest(FALSE, (), HoldsWhen(FALSE))
        parameters = {*left.sizes(), *right.sizes(), *symbols_of(facts)}

        def positive(e: Expr) -> bool:
            return evidently_positive(e) or asked(facts, e >= 1, laws) is Answer.YES

        both = Comparison(left, right, positive, laws)
        order = tuple(sorted(parameters, key=lambda p: p.name))
        forms = (left, right, *_inner(left, right))
        seen = tuple(dict.fromkeys(e for f in forms for e in spoken(f)))
        claim = _Claim(both, order, facts, seen, tuple(laws), corners(both, order, seen))
        return _search(claim, first)


def find_equivalent(
    statement: Cond,
    hypotheses: Sequence[Cond] = (),
    *,
    laws: Sequence[Law] = (),
    seconds: float = DEFAULT_SECONDS,
) -> Weakest:
    """A statement about sizes alone, said as simply as it can be.

    Where no simpler condition is found and proved to be equivalent, it is the statement itself
    without the parts that the hypotheses imply.

    >>> from derive.expr import divides
    >>> from derive.symbols import sizes
    >>> n, s = sizes("n s")
    >>> print(find_equivalent(eq(s * ((n - 1) // s + 1), n)).condition)
    n % s == 0
    """
    with time_limit(seconds), counted_steps():
        check_satisfiable(hypotheses, laws=laws)
        parameters = symbols_of((*hypotheses, statement))
        fallback = simplify(statement, hypotheses, laws=laws)
        best = fallback
        plain = not has_functions((statement, *hypotheses))
        grid = sample(parameters, hypotheses) if parameters and plain else {}
        for _ in range(ROUNDS if count(grid) else 0):
            guess = _guess(parameters, spoken_in(statement), grid, truth(statement, grid))
            if guess is None or time_left() <= 0:
                break
            same = iff(guess, statement)
            answer = asked(hypotheses, same, laws)
            if answer is Answer.YES:
                if weight(guess) <= weight(fallback) or fallback == statement:
                    best = ordered(guess)
                break
            point = _point((*hypotheses, negate(same)), parameters) if answer is Answer.NO else None
            if point is None:
                break
            grid = _with(grid, point)
        return Weakest(best, (), HoldsWhen(best))


def _inner(*forms: Form) -> Iterator[Form]:
    """The operands of forms, as far as they remember them."""
    for form in forms:
        if form.call is not None:
            yield from form.call.operands
            yield from _inner(*form.call.operands)


# -- guess, prove, learn ---------------------------------------------------------------------------


def _search(claim: _Claim, first: Cond | None = None) -> Weakest | None:
    both = claim.both
    if both.functions:
        return _with_functions(claim)
    if not claim.parameters:
        return _always_or_never(claim)
    grid = sample(claim.parameters, [c for c in claim.facts if not has_functions([c])])
    if not count(grid):
        return None
    grid = take(grid, both.measured(grid))
    agree = both.agree(grid)
    if first is not None and bool((truth(first, grid) == agree).all()):
        shown = _sufficient(claim, first)
        if (_necessary(claim, first, take(grid, ~agree)) if shown is None else shown) is _PROVED:
            return _named(claim, first, take(grid, agree))
    for number in range(ROUNDS):
        guess = _next(claim, grid, agree, rich=number >= POOR)
        if guess is None or time_left() <= 0:
            return None
        point = _sufficient(claim, guess)
        if point is None:
            point = _necessary(claim, guess, take(grid, ~agree))
        if point is _PROVED:
            return _named(claim, guess, take(grid, agree))
        if not point:
            return None
        if bool(holds(guess, point)) == _agrees(claim, point):
            return None  # the proof failed for another reason than this point
        more = _around(claim, guess if holds(guess, point) else negate(guess), point)
        agree = np.concatenate([agree, both.agree(more)])
        grid = {name: np.concatenate([values, more[name]]) for name, values in grid.items()}
    return None


def _next(claim: _Claim, grid: Grid, agree: Bools, *, rich: bool) -> Cond | None:
    """A condition that agrees with the samples: the simplest, or one on each axis by itself."""
    if not rich:
        guess = _guess(claim.parameters, claim.seen, grid, agree)
        if guess is None:
            guess = _along_axes(claim, grid, agree)
        if guess is not None:
            return guess
    return _guess(claim.parameters, claim.seen, grid, agree, rich=True)


def _around(claim: _Claim, region: Cond, point: dict[str, int]) -> Grid:
    """A point that taught something, and more samples from where it was."""
    found = sample(claim.parameters, [*claim.facts, region], small=100, large=LEARNT)
    if count(found):
        found = take(found, claim.both.measured(found))
    return {p.name: np.append(found[p.name], point[p.name]) for p in claim.parameters}


_PROVED: dict[str, int] = {"proved": 1}
_UNKNOWN: dict[str, int] = {}


def _with_functions(claim: _Claim) -> Weakest | None:
    """What holds for every function holds for the first and the last one that the laws allow; the
    condition under which it does is necessary, and whether it suffices is a question of its own.
    """
    always = _always_or_never(claim)
    if always is not None or not claim.parameters:
        return always
    needed: list[Cond] = []
    plain = [c for c in claim.facts if not has_functions([c])]
    for choice in choices(claim.laws, claim.facts):
        one = write_out(claim.both.left, choice, claim.laws)
        other = write_out(claim.both.right, choice, claim.laws)
        found = None if functions_of(one, other) else find_condition(one, other, plain)
        if found is None:
            return None
        needed.append(found.verdict.condition)
    if not needed:
        return None
    whole = simplify(all_of(*needed), plain)
    if satisfiable((*plain, whole)) is not Answer.NO and _sufficient(claim, whole) is not None:
        return None
    return _named(claim, whole, sample(claim.parameters, [*plain, whole]))


def _always_or_never(claim: _Claim) -> Weakest | None:
    """Without parameters there is nothing to find; with unknown functions only "always" is tried."""
    verdict = decide_equal(claim.both.left, claim.both.right, claim.facts, laws=claim.laws)
    if isinstance(verdict, Proved):
        return Weakest(TRUE, (), HoldsWhen(TRUE))
    if isinstance(verdict, Refuted) and not claim.parameters:
        return Weakest(FALSE, (), HoldsWhen(FALSE))
    return None


def _along_axes(claim: _Claim, grid: Grid, agree: Bools) -> Cond | None:
    """A condition on each axis by itself, found with the sizes of the other axes fixed where the
    statement is true; None where these together do not agree with the samples.
    """
    axes = independent(claim.parameters, claim.seen)
    if len(axes) < 2 or not agree.any():
        return None
    fixed = row(grid, int(np.argmax(agree)))
    found: list[Cond] = []
    for axis in axes:
        put = {p: lift(fixed[p.name]) for p in claim.parameters if p not in axis}
        own = sample(axis, [subst_cond(c, put) for c in claim.facts])
        if not count(own):
            return None
        full = {p.name: np.full(count(own), fixed[p.name]) for p in put} | own
        full = take(full, claim.both.measured(full))
        seen = [e for e in claim.seen if e.symbols() <= set(axis)]
        guess = _guess(axis, seen, full, claim.both.agree(full))
        if guess is None:
            return None
        found.append(guess)
    whole = ordered(all_of(*found))
    return whole if bool((truth(whole, grid) == agree).all()) else None


def _guess(
    parameters: Sequence[Sym],
    seen: Sequence[Expr],
    grid: Grid,
    target: Bools,
    *,
    rich: bool = False,
) -> Cond | None:
    if target.all() or not target.any():
        return TRUE if target.all() else FALSE
    formula = simplest(literals(parameters, seen, grid, rich=rich), target)
    return None if formula is None else ordered(formula.cond())


def _agrees(claim: _Claim, point: dict[str, int]) -> bool:
    return counterexample_at(claim.both.left, claim.both.right, point, claim.laws) is None


def _with(grid: Grid, point: dict[str, int]) -> Grid:
    return {name: np.append(values, point[name]) for name, values in grid.items()}


def _point(conds: Sequence[Cond], parameters: Sequence[Sym]) -> dict[str, int] | None:
    found = smallest(conds, parameters, limit=POINT)
    return found if found is not None and bool(holds(all_of(*conds), found)) else None


def _sufficient(claim: _Claim, guess: Cond) -> dict[str, int] | None:
    """None when it is proved that the condition suffices; else sizes at which it does not, or
    nothing (``{}``) when neither was shown.
    """
    for term in (c for d in disjuncts(guess) for c in cases(d, claim.facts)):
        assumed = assume(claim.facts, term)
        verdict = _equal_under(claim, assumed)
        if isinstance(verdict, Refuted):
            return assumed.sizes(dict(verdict.counterexample.sizes))
        if not isinstance(verdict, Proved):
            return _UNKNOWN
    return None


def _equal_under(claim: _Claim, assumed: Assumed) -> Verdict:
    left, right = assumed.form(claim.both.left), assumed.form(claim.both.right)
    laws = assumed.laws(claim.laws)
    if asked(assumed.facts, FALSE, laws) is Answer.YES:
        return Proved()  # there are no such sizes
    return decide_equal(left, right, assumed.facts, laws=laws)


def _necessary(claim: _Claim, guess: Cond, failing: Grid) -> dict[str, int]:
    """``_PROVED`` when wherever the condition fails the sides differ; else sizes at which that is
    not so, or nothing.
    """
    if guess == TRUE:
        return _PROVED
    for case in dict.fromkeys(c for f in failures(guess) for c in disjuncts(f)):
        inside = take(failing, truth(case, failing))
        if not count(inside) and asked((*claim.facts, case), FALSE, claim.laws) is Answer.YES:
            continue
        point = _differ_throughout(claim, case, inside)
        if point is not _PROVED:
            return point or _agreeing(claim, case)
    return _PROVED


def _agreeing(claim: _Claim, case: Cond) -> dict[str, int]:
    """Sizes in a case at which the sides are equal, among more samples of that case; or nothing."""
    grid = sample(claim.parameters, [*claim.facts, case])
    if not count(grid):
        return _UNKNOWN
    grid = take(grid, claim.both.measured(grid))
    found = np.flatnonzero(claim.both.agree(grid))
    point = row(grid, int(found[0])) if len(found) else _UNKNOWN
    return point if point and _agrees(claim, point) else _UNKNOWN


def _differ_throughout(claim: _Claim, case: Cond, inside: Grid) -> dict[str, int]:
    """As :func:`_necessary`, for one case; every point without a witness asks for one more."""
    chosen: list[Witness] = []
    around = missing = take(inside, truth(claim.both.same_shape, inside))
    for _ in range(WITNESSES):
        if count(missing):
            more = choose(claim.corners, missing, around)
            if more is None:
                return _UNKNOWN
            chosen += more
        hidden = _hidden(chosen)
        answer = _contradiction(claim, all_of(case, claim.both.same_shape), hidden)
        if answer is not Answer.NO:
            return _PROVED if answer is Answer.YES else _UNKNOWN
        conds = (*claim.facts, case, claim.both.same_shape, *hidden)
        point = _point(conds, claim.parameters)
        if point is None:
            return _UNKNOWN
        if _agrees(claim, point):
            return point
        missing = {name: np.array([value]) for name, value in point.items()}
    return _UNKNOWN


def _contradiction(claim: _Claim, case: Cond, hidden: Sequence[Cond]) -> Answer:
    """Can the facts, a case and further conditions not hold together?  First with the equations of
    the case solved, then as they stand.
    """
    assumed = assume(claim.facts, case)
    put = [subst_cond(h, assumed.values) for h in hidden]
    if assumed.values:
        answer = asked((*assumed.facts, *put), FALSE, assumed.laws(claim.laws))
        if answer is Answer.YES:
            return answer
    return asked((*claim.facts, case, *hidden), FALSE, claim.laws)


def _hidden(witnesses: Sequence[Witness]) -> list[Cond]:
    """That no witness shows a difference."""
    return [negate(subst_cond(difference(*w.group), dict(w.at))) for w in witnesses]


# -- how a condition reads -------------------------------------------------------------------------


def _named(claim: _Claim, whole: Cond, agreeing: Grid) -> Weakest:
    """Set the degenerate cases apart: those in which some length is 1 throughout."""
    cases = [c for c in disjuncts(whole) if c != FALSE]
    if len(cases) > 1:
        cases = [c for c in dict.fromkeys(_shorter(claim, c) for c in cases) if c != FALSE]
    reasons = {c: e for c in cases if len(cases) > 1 for e in _ones(claim, c, agreeing)[:1]}
    main = [c for c in cases if c not in reasons]
    if not main:  # a single tap or output is less degenerate than an input of one sample
        main = [c for c in cases if reasons[c] not in _inputs(claim)] or cases
    if len(main) == len(cases):
        return Weakest(whole, (), HoldsWhen(whole))
    special = tuple(c for c in cases if c not in main)
    return Weakest(
        any_of(*main), special, HoldsWhen(whole), tuple(str(reasons[c]) for c in special)
    )


def _ones(claim: _Claim, case: Cond, agreeing: Grid) -> list[Expr]:
    """The lengths that are 1 throughout a case, those of the inputs first."""
    inside = take(agreeing, truth(case, agreeing))
    lengths = sorted(_lengths(claim), key=lambda e: e not in _inputs(claim))
    return [
        e
        for e in lengths
        if count(inside)
        and truth(eq(e, 1), inside).all()
        and asked((*claim.facts, case), eq(e, 1), claim.laws) is Answer.YES
    ]


def _inputs(claim: _Claim) -> set[Expr]:
    """The lengths of the tensors that are read."""
    forms = (claim.both.left, claim.both.right)
    return {n for form in forms for _, shape in form.tensors for n in shape}


def _shorter(claim: _Claim, case: Cond) -> Cond:
    """A case without the parts that follow from its other parts."""
    if time_left() <= 0:
        return case
    return ordered(reduced(case, claim.facts, claim.laws))


def _lengths(claim: _Claim) -> list[Expr]:
    """The lengths of all operands and results, and of pooling windows."""
    forms = (claim.both.left, claim.both.right)
    found: dict[Expr, None] = {}
    for form in (*forms, *_inner(*forms)):
        for e in (*form.shape, *(n for _, shape in form.tensors for n in shape)):
            found[e] = None
        call: Call | None = form.call
        for name, value in call.parameters if call is not None else ():
            if name == "k":
                given = value if isinstance(value, tuple | list) else (value,)
                found |= {lift(v): None for v in given if isinstance(v, int | Expr)}
    return sorted((e for e in found if e.constant is None), key=lambda e: (len(str(e)), str(e)))
