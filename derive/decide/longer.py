"""Do longer kernels add anything?  Up to which length a search must go to say "no kernel will do".

Two reasons end a search.  Either the operators are defined, and their shapes fit, only up to some
length; or, from some length on, each kernel of ``l + step`` taps acts as the one of ``l`` taps that
is left when ``step`` taps at the ends, which read nothing, are cut off.  Then by induction a kernel
of any length does what one of the first lengths does.  Both are proved by the solver for all
lengths; where neither is proved, nothing is said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from derive.decide.equality import counterexample_at, decide_equal
from derive.decide.solver import Answer, Law, ask
from derive.decide.verdict import Proved
from derive.errors import DeriveError
from derive.evaluation import holds
from derive.expr import Cond, Expr, Sym, all_of, cond_symbols, eq, subst_cond
from derive.form import Form, substitute, tensor
from derive.operators import crop

STARTS = (4, 8, 16, 24, 32, 48, 64)
STEPS = (1, 2)
LOOKED = 4  # lengths at which a step is computed before it is proved
SECONDS = 2.0


def last_length(
    left: Form,
    right: Form,
    unknown: str,
    length: Sym,
    conds: Sequence[Cond],
    laws: Sequence[Law] = (),
) -> int | None:
    """The length up to which all kernels must be tried; longer ones do nothing that these do not.

    The other sizes that are left in the forms are any that ``conds`` allow.  None where no such
    length was proved.

    >>> from derive.symbols import size
    >>> from derive.operators import correlate, flip
    >>> k = size("k")
    >>> x, v = tensor("x", 4), tensor("v", k)
    >>> valid = correlate(x, v)
    >>> last_length(valid, flip(x), "v", k.symbol, valid.requires)
    4
    >>> same = correlate(x, v, padding="same")
    >>> last_length(same, flip(x), "v", k.symbol, same.requires)
    9
    """
    fits = [eq(a, b) for a, b in zip(left.shape, right.shape, strict=True)]
    this = Expr({(length,): 1})
    for start in STARTS:
        if ask((*conds, *fits), this <= start, laws=laws, seconds=SECONDS) is Answer.YES:
            return start
        for step in STEPS:
            if _repeats((left, right), unknown, length, start, step, conds, laws):
                return start + step - 1
    return None


def _repeats(
    forms: Sequence[Form],
    unknown: str,
    length: Sym,
    start: int,
    step: int,
    conds: Sequence[Cond],
    laws: Sequence[Law],
) -> bool:
    """From ``start`` taps on, does each kernel of ``step`` taps more act as a shorter one?

    Where the longer kernel may be used, the shorter one must be allowed as well.
    """
    this = Expr({(length,): 1})
    more = {length: this + step}
    facts = (this >= start, *(subst_cond(c, more) for c in conds))
    if ask(facts, all_of(*conds), laws=laws, seconds=SECONDS) is not Answer.YES:
        return False
    return any(
        all(_same_when_cut(f, unknown, length, (lo, step - lo), facts, laws) for f in forms)
        for lo in range(step + 1)
    )


def _same_when_cut(
    form: Form,
    unknown: str,
    length: Sym,
    cut: tuple[int, int],
    facts: Sequence[Cond],
    laws: Sequence[Law],
) -> bool:
    """Does the kernel with ``sum(cut)`` taps more act as the one with these taps cut off?"""
    more = {length: Expr({(length,): 1}) + sum(cut)}
    longer = with_sizes(form, more)
    if all(t != unknown for t, _ in form.tensors):
        shorter = form
    else:
        shape = form.tensor_shape(unknown)
        amounts = tuple(cut if n.symbol == length else (0, 0) for n in shape)
        kernel = crop(tensor(unknown, *(n.subst(more) for n in shape)), amounts, dims=len(shape))
        try:
            shorter = substitute(form, unknown, kernel)
        except DeriveError:
            return False
    known = (*facts, *longer.requires, *shorter.requires)
    if _differ_early(longer, shorter, length, known, laws):
        return False
    try:
        return isinstance(decide_equal(longer, shorter, known, laws=laws, seconds=SECONDS), Proved)
    except DeriveError:
        return False


def _differ_early(
    one: Form, other: Form, length: Sym, facts: Sequence[Cond], laws: Sequence[Law]
) -> bool:
    """Where the length is the only size: are the two unequal at one of the first lengths?"""
    of_laws = {s for law in laws for s in cond_symbols(law.cond) - set(law.parameters)}
    if {*one.sizes(), *other.sizes(), *cond_symbols(all_of(*facts)), *of_laws} - {length}:
        return False
    points = ({length.name: v} for v in range(1, 2 * STARTS[-1]))
    allowed = [at for at in points if holds(all_of(*facts), at)][:LOOKED]
    return any(counterexample_at(one, other, at, laws) for at in allowed)


def with_sizes(form: Form, values: Mapping[Sym, Expr]) -> Form:
    """The form with size symbols replaced by expressions."""
    return replace(
        form,
        shape=tuple(n.subst(values) for n in form.shape),
        terms=tuple(t.subst(values) for t in form.terms),
        tensors=tuple((t, tuple(n.subst(values) for n in s)) for t, s in form.tensors),
        requires=tuple(subst_cond(c, values) for c in form.requires),
        call=None,
    )
