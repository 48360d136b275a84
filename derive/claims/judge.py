"""Judging a claim: proved, refuted, true exactly when a condition holds, or undecided.

The claim is judged for all sizes that its hypotheses allow and at which its operators are defined
(what that adds to the hypotheses is reported).  Where it is false for some sizes, the weakest
condition under which it is true is searched for and proved in both directions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace

from derive.claims.look import Look, look
from derive.claims.maxima import pools_tensors
from derive.claims.meaning import Claim, read
from derive.claims.reduce import everywhere, support
from derive.claims.values import About, Both, Everywhere, Exists, Negation, Same, Statement
from derive.decide.equality import check_tensors, counterexample_at, decide_equal, decide_holds
from derive.decide.simplify import simplify
from derive.decide.solver import Answer, Law, satisfiable, smallest, time_left, time_limit
from derive.decide.verdict import Counterexample, HoldsWhen, Proved, Refuted, Undecided, Verdict
from derive.decide.weakest import (
    Weakest,
    find_condition,
    find_equivalent,
    true_somewhere,
)
from derive.errors import CannotBe, NotSupported
from derive.evaluation import holds
from derive.expr import (
    FALSE,
    TRUE,
    Cond,
    Div,
    Eq,
    Ge,
    Sym,
    all_of,
    cond_symbols,
    conjuncts,
    eq,
    expressions,
    iff,
    negate,
)
from derive.form import Form

SECONDS = 20.0
FIRST_LOOK = 0.2  # seconds at most
LARGEST_NUMBERS = 40_000  # entries of outputs times inputs, where all sizes are numbers
QUICK_PROOF = 4.0  # seconds for a proof that a quick look at inputs says is worth trying

Told = Callable[["Judgment"], None]
_tell: ContextVar[Callable[[Verdict, str], None]] = ContextVar("tell", default=lambda v, note: None)
TRUE_SOMEWHERE = (
    "true at some sizes"  # how a note begins on a refuted claim that is not always false
)


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

    def __str__(self) -> str:
        from derive.claims.files import Entry
        from derive.claims.report import lines, make_row

        told = lines(make_row(Entry(self.claim.text), self, 0.0))
        return "\n".join(line for _, line in told[:-1])  # without the time


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


def judge(
    text: str | Claim, seconds: float = SECONDS, told: Told = lambda judgment: None
) -> Judgment:
    """Judge a claim within a time limit.

    Args:
        text: the claim.
        seconds: the time limit; what is not decided by then is undecided.
        told: called with what is known on the way: what was checked at small sizes, and a
            refutation before its exact condition is looked for.

    Returns:
        the judgment.

    Raises:
        WrongInput: for a claim that cannot be read.
        CannotBe: for one whose parts can never fit together.

    >>> judge("flip(flip(x)) == x").verdict
    Proved(method='solver')
    >>> print(judge("vjp(correlate(x, w), x, g) == correlate(g, w, padding='full')").verdict.condition)
    k == 1
    """
    claim = read(text) if isinstance(text, str) else text

    def tell(verdict: Verdict, note: str) -> None:
        example = verdict.counterexample if isinstance(verdict, Refuted) else None
        told(Judgment(claim, verdict, note=note, counterexample=example))

    token = _tell.set(tell)
    try:
        with time_limit(seconds):
            seen = _first_look(claim)
            found = _found(claim)
    finally:
        _tell.reset(token)
    verdict, shown, note = found.verdict, found.counterexample, found.note
    if seen.counterexample is not None and _contradicted(verdict, seen.counterexample):
        note = "a proof was found as well; that is a fault of this program, please report it"
        verdict = Refuted(seen.counterexample)
    if isinstance(verdict, Undecided) and seen.counterexample is not None:
        verdict = Refuted(seen.counterexample)
    elif isinstance(verdict, Undecided) and verdict.checked == "nothing":
        verdict = Undecided(verdict.reason, str(seen))
    if isinstance(verdict, Refuted):
        shown = verdict.counterexample
    return Judgment(
        claim,
        verdict,
        found.assumed,
        found.degenerate,
        note,
        shown,
        found.kernel,
        found.exact,
    )


def _contradicted(verdict: Verdict, example: Counterexample) -> bool:
    """Was something proved of sizes at which it was computed to be false?"""
    if not isinstance(verdict, HoldsWhen):
        return isinstance(verdict, Proved)
    env = dict(example.sizes)
    spoken = {s.name for s in cond_symbols(verdict.condition)}
    return spoken <= env.keys() and bool(holds(verdict.condition, env))


def _first_look(claim: Claim) -> Look:
    """The smallest sizes, so that something is known of a claim that takes too long."""
    facts = (*claim.hypotheses, *claim.requires)
    seen = look(claim.statement, facts, claim.iff, seconds=FIRST_LOOK)
    if seen.counterexample is not None:
        _tell.get()(Refuted(seen.counterexample), "")
    else:
        _tell.get()(Undecided("the time limit was reached", str(seen)), "")
    return seen


def _found(claim: Claim) -> _Found:
    try:
        defined = _assumed(claim.requires, claim.hypotheses)
        found = _judge(claim.statement, (*claim.hypotheses, *claim.requires), claim.iff)
    except NotSupported as e:
        return _Found(Undecided(str(e)))
    return replace(found, assumed=tuple(dict.fromkeys((*defined, *found.assumed))))


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
    assumed, facts = _defined(left, right, hypotheses)
    if not {*left.sizes(), *right.sizes()} and not laws:
        return replace(_compare_numbers(left, right, facts, condition), assumed=assumed)
    verdict = decide_equal(left, right, facts, laws=laws)
    if condition is not None:
        return replace(_judge_iff(left, right, facts, condition, verdict, laws), assumed=assumed)
    if not isinstance(verdict, Refuted):
        return _Found(verdict, assumed)
    note = _partly_true(true_somewhere(left, right, facts, laws=laws))
    _tell.get()(verdict, note)
    weakest = find_condition(left, right, hypotheses, laws=laws)
    found = replace(_conditional(weakest, verdict, facts), assumed=assumed)
    if weakest is None and note:
        return replace(found, note=f"{note}; the exact condition was not found within the limit")
    return found


def _partly_true(at: Mapping[str, int] | None) -> str:
    """What is said of a refuted claim that is true at some sizes, while it is open at which."""
    if not at:
        return ""
    where = ", ".join(f"{name} = {v}" for name, v in at.items())
    return f"{TRUE_SOMEWHERE}, such as {where}"


def _defined(
    left: Form, right: Form, hypotheses: tuple[Cond, ...]
) -> tuple[tuple[Cond, ...], tuple[Cond, ...]]:
    """What both sides need beyond the hypotheses, said simply; and everything that may be assumed."""
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
    return _assumed(requires, hypotheses), (*hypotheses, *requires)


def _assumed(requires: Sequence[Cond], hypotheses: Sequence[Cond]) -> tuple[Cond, ...]:
    """What the operators need beyond the hypotheses, said as simply as possible."""
    if not requires:
        return ()
    needed = simplify(all_of(*requires), hypotheses)
    if any(isinstance(c, Eq) and _has_quotient(c) for c in conjuncts(needed)):
        needed = find_equivalent(needed, hypotheses).condition  # n == n//k is k == 1
    parts = [c for c in conjuncts(needed) if c != TRUE]
    found: list[Cond] = []
    for c in parts:  # n >= k and k >= n is n == k
        if isinstance(c, Ge) and Ge(-c.expr) in found:
            found[found.index(Ge(-c.expr))] = eq(c.expr, 0)
        else:
            found.append(c)
    return tuple(found)


def _has_quotient(cond: Cond) -> bool:
    return any(isinstance(a, Div) for e in expressions(cond) for a in e.atoms())


# -- maxima among other operators ------------------------------------------------------------------


def _judge_free(statement: Same, hypotheses: tuple[Cond, ...], condition: Cond | None) -> _Found:
    """Values of max pools among other operators.

    Equal for every selection is a proof for every input; unequal for some selections says nothing,
    since an input selects in all poolings together.  So a refutation is an actual input.
    """
    left, right, laws = statement.left, statement.right, statement.laws
    check_tensors(left, right)
    assumed, facts = _defined(left, right, hypotheses)
    if statement.values is not None and not _parameters(statement, facts):
        return _judge_numbers(statement, facts, condition)
    quick = look(statement, facts, condition, seconds=time_left() / 8)
    if quick.counterexample is None:
        with time_limit(max(QUICK_PROOF, time_left() / 3)):
            verdict = decide_equal(left, right, facts, laws=laws)
        if isinstance(verdict, Proved):
            if condition is None:
                return _Found(verdict, assumed)
            note = "what stands before `iff` holds for all sizes"
            return _Found(decide_holds(facts, condition), assumed, note=note)
    # A size before that of the example may fail too, on an input that was not tried.
    example = quick.counterexample
    below = None if example is None else dict(example.sizes)
    more = look(
        statement, facts, condition, seconds=time_left() / 2, most=120, below=below, solver=True
    )
    example = more.counterexample or example
    shaped = _where_shapes_agree(statement, facts, condition)
    if shaped is not None:
        return replace(shaped, assumed=assumed, counterexample=example)
    refuted = None if example is None else Refuted(example)
    if refuted is not None or condition is not None:
        found = _from_monotone_inputs(statement, hypotheses, facts, condition, refuted)
        if found is not None:
            return replace(found, assumed=assumed)
    reason = (
        "a maximum among other operators: the sides are not equal for every choice of taps, and "
        "whether they are for the choices that belong to one input is not decided for all sizes"
    )
    return _Found(Undecided(reason, str(more)), assumed)


def _from_monotone_inputs(
    statement: Same,
    hypotheses: tuple[Cond, ...],
    facts: tuple[Cond, ...],
    condition: Cond | None,
    refuted: Refuted | None,
) -> _Found | None:
    """The exact condition, where it is the one for inputs that fall, or rise, along every axis: of
    these all poolings, those of poolings too, select the first taps, or the last.
    """
    plain = None if refuted is None else _Found(refuted)
    if not pools_tensors(statement):
        return plain
    left, right, laws = statement.left, statement.right, statement.laws
    weakest = find_condition(left, right, hypotheses, laws=laws, first=condition)
    if weakest is None:
        return plain
    if condition is None:
        return plain if refuted is None else _conditional(weakest, refuted, facts)
    exact = weakest.verdict.condition
    note = f"what stands before `iff` holds exactly when {exact}"
    return _Found(decide_holds(facts, iff(exact, condition)), note=note, exact=exact)


def _parameters(statement: Same, facts: Sequence[Cond]) -> set[Sym]:
    sizes = {*statement.left.sizes(), *statement.right.sizes()}
    return sizes | {s for c in facts for s in cond_symbols(c)}


def _judge_numbers(statement: Same, facts: tuple[Cond, ...], condition: Cond | None) -> _Found:
    """All sizes are numbers: an input on which the sides differ, or a proof that there is none."""
    seen = look(
        statement, facts, None, seconds=time_left() / 2, solver=True, largest=LARGEST_NUMBERS
    )
    if not seen.agreed and seen.counterexample is None:
        verdict = decide_equal(statement.left, statement.right, facts, laws=statement.laws)
        if isinstance(verdict, Proved):
            seen = replace(seen, agreed=1)
    if seen.agreed:
        if condition is None:
            return _Found(Proved("solver over the reals"))
        return _Found(decide_holds(facts, condition), note="the two sides are equal for all sizes")
    if seen.counterexample is not None:
        if condition is None:
            return _Found(Refuted(seen.counterexample), never=True)
        note = "the two sides are unequal for all sizes"
        return _Found(decide_holds(facts, negate(condition)), note=note)
    reason = "maxima at these sizes: the solver could not decide over all real inputs"
    return _Found(Undecided(reason, str(seen)))


def _where_shapes_agree(
    statement: Same, facts: tuple[Cond, ...], condition: Cond | None
) -> _Found | None:
    """Where the shapes differ for some sizes and the values never: the condition is that of the
    shapes, and it is exact.
    """
    left, right = statement.left, statement.right
    same = all_of(*(eq(a, b) for a, b in zip(left.shape, right.shape, strict=True)))
    if same == TRUE or satisfiable((*facts, same)) is Answer.NO:
        return None
    with time_limit(max(QUICK_PROOF, time_left() / 2)):
        under = decide_equal(left, right, (*facts, same), laws=statement.laws)
    if not isinstance(under, Proved):
        return None
    if condition is not None:
        return _Found(decide_holds(facts, iff(same, condition)))
    exact = find_equivalent(same, facts).condition
    return None if exact == TRUE else _Found(HoldsWhen(exact))


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
    weakest = find_condition(left, right, facts, laws=laws, first=condition)
    if weakest is None:
        if satisfiable((*facts, condition), laws=laws) is not Answer.NO:
            under = decide_equal(left, right, (*facts, condition), laws=laws)
            if isinstance(under, Refuted):
                return _Found(under, note="the condition does not suffice")
        beside = true_somewhere(left, right, (*facts, negate(condition)), laws=laws)
        if beside is not None:
            example = Counterexample("sizes", tuple(beside.items()))
            note = "the condition is not necessary: both sides are equal there"
            return _Found(Refuted(example), note=note)
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
        case Refuted() | Undecided() if condition is None:
            seen = look(Negation(part), hypotheses, seconds=time_left() / 2, solver=True)
            if seen.counterexample is not None:
                return _Found(Refuted(seen.counterexample), found.assumed)
            reason = "it fails for some sizes; whether for all is open"
            return replace(found, verdict=Undecided(reason), counterexample=None)
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
