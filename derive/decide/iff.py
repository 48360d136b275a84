"""Equality exactly where a condition holds: both directions, for all sizes.

That the condition suffices is an equality under one more hypothesis.  That it is necessary says
"wherever it fails there is a difference"; the quantifier over the place of the difference is
removed by *witnesses*, index tuples in the sizes of which one always shows a difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from derive.decide.equality import (
    _all_parameters,
    check_tensors,
    counterexample_at,
    decide_equal,
    decide_holds,
    difference,
    functions_of,
    grouped,
)
from derive.decide.normal import cells, evidently_positive
from derive.decide.solver import DEFAULT_SECONDS, Answer, Law, ask, satisfiable, smallest
from derive.decide.verdict import (
    Counterexample,
    HoldsWhen,
    Proved,
    Refuted,
    Undecided,
    Verdict,
)
from derive.errors import NotSupported
from derive.evaluation import holds
from derive.expr import (
    FALSE,
    Cond,
    Expr,
    Integer,
    Sym,
    all_of,
    any_of,
    conjuncts,
    eq,
    lift,
    negate,
    subst_cond,
)
from derive.form import Form

Witness = Mapping[str, Integer]


def decide_iff(
    left: Form,
    right: Form,
    condition: Cond,
    witnesses: Sequence[Witness],
    hypotheses: Sequence[Cond] = (),
    *,
    laws: Sequence[Law] = (),
    seconds: float = DEFAULT_SECONDS,
) -> Verdict:
    """Decide ``left == right  ⟺  condition`` for all sizes that the hypotheses allow.

    Returns :class:`HoldsWhen` when both directions are proved, a refutation when the condition does
    not suffice or where both sides are equal although it fails, and ``Undecided`` when no witness
    shows that it is necessary.  A condition that no
    sizes meet (``FALSE``) states that the two are different for all sizes.
    """
    base = tuple(hypotheses)
    defined = decide_holds(
        base, all_of(*left.requires, *right.requires), laws=laws, seconds=seconds
    )
    if not isinstance(defined, Proved):
        return decide_equal(left, right, base, laws=laws, seconds=seconds)
    if satisfiable((*base, condition), laws=laws, seconds=seconds) is not Answer.NO:
        verdict = decide_equal(left, right, (*base, condition), laws=laws, seconds=seconds)
        if not isinstance(verdict, Proved):
            return verdict
    check_tensors(left, right)
    known = (*base, *left.requires, *right.requires)
    # "not (A and B)" is "not A" or "not B": one question for each part is easier than one for all
    for part in conjuncts(condition):
        facts = (*known, negate(part))
        same = no_difference_at(left, right, witnesses, facts, laws, seconds)
        if ask((*facts, same), FALSE, laws=laws, seconds=seconds) is not Answer.YES:
            return _not_necessary(left, right, (*known, negate(condition), same), laws, seconds)
    return HoldsWhen(condition)


def _not_necessary(
    left: Form, right: Form, conds: Sequence[Cond], laws: Sequence[Law], seconds: float
) -> Verdict:
    """Sizes where the condition fails and yet both sides are equal refute the "only if"."""
    if not functions_of(left, right):
        found = smallest(conds, _all_parameters(conds, left, right), laws=laws, seconds=seconds)
        if (
            found is not None
            and holds(all_of(*conds), found)
            and counterexample_at(left, right, found, laws) is None
        ):
            return Refuted(Counterexample("sizes", tuple(found.items())))
    return Undecided("the condition suffices, but no witness shows a difference wherever it fails")


def no_difference_at(
    left: Form,
    right: Form,
    witnesses: Iterable[Witness],
    facts: Sequence[Cond],
    laws: Sequence[Law] = (),
    seconds: float = DEFAULT_SECONDS,
) -> Cond:
    """The condition that the shapes agree and that no witness shows a difference."""
    same = [eq(a, b) for a, b in zip(left.shape, right.shape, strict=True)]

    def positive(e: Expr) -> bool:
        return evidently_positive(e) or ask(facts, e >= 1, laws=laws, seconds=seconds) is Answer.YES

    try:
        groups = list(grouped(cells(left, positive), cells(right, positive)))
    except NotSupported:
        groups = []
    for witness in witnesses:
        values = {Sym(k): lift(v) for k, v in witness.items()}
        differ = any_of(*(subst_cond(difference(a, b), values) for a, b in groups))
        same.append(negate(differ))
    return all_of(*same)
