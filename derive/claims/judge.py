"""Judging a claim: proved, refuted, true exactly when a condition holds, or undecided.

The claim is judged for all sizes that its hypotheses allow and at which its operators are defined
(what that adds to the hypotheses is reported).  Where it is false for some sizes, the weakest
condition under which it is true is searched for and proved in both directions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from derive.claims.meaning import Claim, read
from derive.claims.reduce import everywhere, support
from derive.claims.values import About, Both, Everywhere, Exists, Negation, Same, Statement
from derive.decide.equality import check_tensors, counterexample_at, decide_equal, decide_holds
from derive.decide.solver import Answer, Law, satisfiable, smallest, time_limit
from derive.decide.verdict import Counterexample, HoldsWhen, Proved, Refuted, Undecided, Verdict
from derive.decide.weakest import Weakest, find_condition, find_equivalent, simplify
from derive.errors import CannotBe, NotSupported
from derive.expr import FALSE, TRUE, Cond, Sym, all_of, cond_symbols, conjuncts, iff, negate
from derive.form import Form

SECONDS = 20.0


@dataclass(frozen=True)
class Judgment:
    """What was found about a claim.

    ``assumed`` are the conditions, beyond the stated hypotheses, under which its operators are
    defined.  ``degenerate`` are cases of a found condition in which some length is 1.  ``note``
    says what was found beside the verdict.  ``counterexample`` is the smallest one, of a conditional
    claim too; ``kernel`` the kernel that exists, in words; ``exact`` the condition that was found
    beside the one that a claim with ``iff`` states.
    """

    claim: Claim
    verdict: Verdict
    assumed: tuple[Cond, ...] = ()
    degenerate: tuple[Cond, ...] = ()
    note: str = ""
    counterexample: Counterexample | None = None
    kernel: str = ""
    exact: Cond | None = None


@dataclass(frozen=True)
class _Found:
    verdict: Verdict
    assumed: tuple[Cond, ...] = ()
    degenerate: tuple[Cond, ...] = ()
    note: str = ""
    counterexample: Counterexample | None = None
    kernel: str = ""
    exact: Cond | None = None
    never: bool = False  # refuted at all sizes, not only at some


def judge(text: str | Claim, seconds: float = SECONDS) -> Judgment:
    """Judge a claim within a time limit.

    Raises :class:`derive.errors.WrongInput` for a claim that cannot be read and
    :class:`derive.errors.CannotBe` for one whose parts can never fit together.

    >>> judge("flip(flip(x)) == x").verdict
    Proved(method='solver')
    >>> print(judge("vjp(correlate(x, w), x, g) == correlate(g, w, padding='full')").verdict.condition)
    k == 1
    """
    claim = read(text) if isinstance(text, str) else text
    with time_limit(seconds):
        try:
            defined = _assumed(claim.requires, claim.hypotheses)
            found = _judge(claim.statement, (*claim.hypotheses, *claim.requires), claim.iff)
            found = replace(found, assumed=tuple(dict.fromkeys((*defined, *found.assumed))))
        except NotSupported as e:
            found = _Found(Undecided(str(e)))
    shown = found.counterexample
    if isinstance(found.verdict, Refuted):
        shown = found.verdict.counterexample
    return Judgment(
        claim,
        found.verdict,
        found.assumed,
        found.degenerate,
        found.note,
        shown,
        found.kernel,
        found.exact,
    )


def _judge(statement: Statement, hypotheses: tuple[Cond, ...], condition: Cond | None) -> _Found:
    match statement:
        case About(cond):
            return _judge_sizes(cond if condition is None else iff(cond, condition), hypotheses)
        case Exists():
            if condition is not None:
                raise NotSupported(
                    "judging: `iff` after `exists`; state the condition as a hypothesis"
                )
            return _judge_existence(statement, hypotheses)
        case Both(parts):
            return _judge_all(parts, hypotheses, condition)
        case Negation(part):
            return _judge_never(part, hypotheses, condition)
        case Same(free_taps=True):
            return _judge_free(statement, hypotheses, condition)
        case Same() | Everywhere():
            return _judge_equality(*_forms(statement), hypotheses, condition, statement.laws)


def _forms(statement: Same | Everywhere) -> tuple[Form, Form]:
    if isinstance(statement, Everywhere):
        return everywhere(statement)
    if statement.reads_only:
        return support(statement.left), support(statement.right)
    return statement.left, statement.right


def _judge_sizes(cond: Cond, hypotheses: tuple[Cond, ...]) -> _Found:
    _check_hypotheses(hypotheses)
    verdict = decide_holds(hypotheses, cond)
    if not isinstance(verdict, Refuted):
        return _Found(verdict)
    weakest = find_equivalent(cond, hypotheses)
    return _conditional(weakest, verdict, hypotheses)


def _check_hypotheses(hypotheses: Sequence[Cond]) -> None:
    if satisfiable(hypotheses) is Answer.NO:
        raise CannotBe(
            f"judging: no sizes meet the hypotheses {all_of(*hypotheses)}, so anything would follow; "
            "mend or drop one of them"
        )


def _judge_equality(
    left: Form,
    right: Form,
    hypotheses: tuple[Cond, ...],
    condition: Cond | None,
    laws: tuple[Law, ...],
) -> _Found:
    check_tensors(left, right)
    requires = (*left.requires, *right.requires)
    _check_hypotheses(hypotheses)
    if satisfiable((*hypotheses, *requires)) is Answer.NO:
        needed = all_of(*requires)
        raise CannotBe(
            "judging: there are no sizes at which both sides are defined: they need "
            f"{needed}; change the sizes"
            if needed != FALSE
            else "judging: with these sizes an operator is not defined, such as a kernel that is "
            "longer than its padded input; change the sizes"
        )
    assumed = _assumed(requires, hypotheses)
    facts = (*hypotheses, *requires)
    if not {*left.sizes(), *right.sizes()} and not laws:
        return replace(_compare_numbers(left, right, facts, condition), assumed=assumed)
    verdict = decide_equal(left, right, facts, laws=laws)
    if condition is not None:
        return replace(_judge_iff(left, right, facts, condition, verdict, laws), assumed=assumed)
    if not isinstance(verdict, Refuted):
        return _Found(verdict, assumed)
    weakest = find_condition(left, right, hypotheses, laws=laws)
    return replace(_conditional(weakest, verdict, facts), assumed=assumed)


def _assumed(requires: Sequence[Cond], hypotheses: Sequence[Cond]) -> tuple[Cond, ...]:
    """What the operators need beyond the hypotheses, said as simply as possible."""
    if not requires:
        return ()
    return tuple(c for c in conjuncts(simplify(all_of(*requires), hypotheses)) if c != TRUE)


def _judge_free(statement: Same, hypotheses: tuple[Cond, ...], condition: Cond | None) -> _Found:
    """Values of max pools among other operators: equal for every selection suffices; unequal for
    some selections says nothing, since an input selects in all poolings together.
    """
    found = _judge_equality(statement.left, statement.right, hypotheses, condition, statement.laws)
    if isinstance(found.verdict, Proved) and condition is None:
        return found
    reason = (
        "a maximum among other operators: it is not equal for every choice of taps, and which "
        "choices belong to one input is not decided"
    )
    return _Found(Undecided(reason), found.assumed)


def _compare_numbers(
    left: Form, right: Form, facts: tuple[Cond, ...], condition: Cond | None
) -> _Found:
    """Nothing is left open: both sides are computed exactly, which is a proof.

    A condition after ``iff`` may still speak of sizes: it must hold for all of them, or for none.
    """
    found = counterexample_at(left, right, {})
    if condition is not None:
        wanted = condition if found is None else negate(condition)
        note = f"the two sides are {'equal' if found is None else 'unequal'} for all sizes"
        return _Found(decide_holds(facts, wanted), note=note)
    return _Found(Proved("computed exactly") if found is None else found, never=found is not None)


def _judge_iff(
    left: Form,
    right: Form,
    facts: tuple[Cond, ...],
    condition: Cond,
    plain: Verdict,
    laws: tuple[Law, ...],
) -> _Found:
    """``left == right iff condition``: the weakest condition is found and compared with it."""
    if isinstance(plain, Proved):
        return _Found(
            decide_holds(facts, condition), note="what stands before `iff` holds for all sizes"
        )
    weakest = find_condition(left, right, facts, laws=laws)
    if weakest is None:
        under = decide_equal(left, right, (*facts, condition), laws=laws)
        if isinstance(under, Refuted):
            return _Found(under, note="the condition does not suffice")
        return _Found(Undecided("no exact condition was found to compare the stated one with"))
    verdict = decide_holds(facts, iff(weakest.verdict.condition, condition))
    note = f"what stands before `iff` holds exactly when {weakest.verdict.condition}"
    return _Found(
        verdict, degenerate=weakest.degenerate, note=note, exact=weakest.verdict.condition
    )


def _conditional(weakest: Weakest | None, refuted: Refuted, facts: Sequence[Cond]) -> _Found:
    if weakest is None or weakest.verdict.condition == FALSE:
        never = weakest is not None
        return _Found(refuted, note="it fails for all sizes" if never else "", never=never)
    condition = weakest.verdict.condition
    if satisfiable((*facts, condition)) is Answer.NO:
        return _Found(refuted, note="it fails for all sizes", never=True)
    example = refuted.counterexample
    return _Found(
        HoldsWhen(condition), (), weakest.degenerate, str(example), counterexample=example
    )


def _judge_all(
    parts: Sequence[Statement], hypotheses: tuple[Cond, ...], condition: Cond | None
) -> _Found:
    found = [_judge(p, hypotheses, None) for p in parts]
    assumed = tuple(dict.fromkeys(c for f in found for c in f.assumed))
    if condition is not None and any(f.never for f in found):
        return _Found(decide_holds((*hypotheses, *assumed), negate(condition)), assumed)
    for kind in (Refuted, Undecided):
        for f in found:
            if isinstance(f.verdict, kind) and (kind is Undecided or condition is None):
                return replace(f, assumed=assumed)
    if any(isinstance(f.verdict, Refuted) for f in found):
        return _Found(Undecided("it fails for some sizes; for which is open"), assumed)
    conditions = [f.verdict.condition for f in found if isinstance(f.verdict, HoldsWhen)]
    if condition is not None:
        return _Found(
            decide_holds((*hypotheses, *assumed), iff(all_of(*conditions), condition)), assumed
        )
    if not conditions:
        return _Found(Proved(), assumed)
    together = simplify(all_of(*conditions), (*hypotheses, *assumed))
    first = next(f for f in found if isinstance(f.verdict, HoldsWhen))
    return _Found(
        HoldsWhen(together), assumed, note=first.note, counterexample=first.counterexample
    )


def _judge_never(part: Statement, hypotheses: tuple[Cond, ...], condition: Cond | None) -> _Found:
    """The statement fails for all sizes: its weakest condition is never met."""
    found = _judge(part, hypotheses, None)
    facts = (*hypotheses, *found.assumed)
    true_when: Cond
    match found.verdict:
        case Proved():
            true_when = TRUE
        case HoldsWhen(c):
            true_when = c
        case Refuted() if found.never:
            true_when = FALSE
        case _:
            return replace(
                found, verdict=Undecided("it fails for some sizes; whether for all is open")
            )
    wanted = negate(true_when) if condition is None else iff(negate(true_when), condition)
    inner = _judge_sizes(wanted, facts)
    if isinstance(inner.verdict, Refuted):
        parameters = sorted(_sizes(part), key=lambda s: s.name)
        least = smallest((*facts, negate(wanted)), parameters)
        if least is not None:
            inner = replace(inner, verdict=Refuted(Counterexample("sizes", tuple(least.items()))))
    return replace(inner, assumed=found.assumed)


def _sizes(statement: Statement) -> set[Sym]:
    """The sizes that a statement speaks of."""
    match statement:
        case About(cond):
            return set(cond_symbols(cond))
        case Both(parts):
            return {s for p in parts for s in _sizes(p)}
        case Negation(part):
            return _sizes(part)
        case Everywhere(count=count):
            return set(count.sizes())
        case Same(left=left, right=right) | Exists(left=left, right=right):
            return {*left.sizes(), *right.sizes()}


def _judge_existence(statement: Exists, hypotheses: tuple[Cond, ...]) -> _Found:
    if len(statement.names) != 1:
        raise NotSupported("judging: `exists` of several tensors at once; ask for one at a time")
    from derive.decide.existence import decide_exists  # brings SymPy along, which takes a while

    verdict, kernel = decide_exists(
        statement.left, statement.right, statement.names[0], hypotheses, laws=statement.laws
    )
    note = "" if kernel is None else f"{statement.names[0]} = {kernel.name}"
    if isinstance(verdict, Refuted):
        note = f"no {statement.names[0]} of any length will do there"
    return _Found(verdict, note=note, kernel="" if kernel is None else kernel.name)
