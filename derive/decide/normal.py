"""Normal form: every term becomes a coefficient and conditions at one index tuple.

A form ``y`` is read as the multilinear functional ``⟨y̅, y⟩``: output indices and the index of every
read become *canonical variables* (``i0``, ``x.0``, ``w.0`` …), tied to the index expressions by
equations.  Bound indices are then eliminated, each by the first rule that applies:

1. ``b`` stands alone in an equation, ``b = e``: substitute.
2. ``c·b = e`` with ``c >= 1``: ``b = e // c`` where ``c`` divides ``e``.
3. ``b`` stands inside a floor quotient: name the quotient ``q`` and say ``c·q <= e < c·q + c``.
4. ``b`` is left between bounds and the coefficient does not depend on it: the term is counted,
   ``max(0, ⌊hi⌋ − ⌈lo⌉ + 1)``.  This is what keeps a *count* from passing for a set.
5. ``b`` has a fixed length: the sum is written out.

Two forms are equal for all sizes iff at every index tuple the coefficients of their cells add up to
the same number; that question (:mod:`derive.decide.equality`) has no quantifiers left.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import count, permutations

from derive.decide.solver import time_left
from derive.errors import NotSupported
from derive.expr import (
    FALSE,
    TRUE,
    Atom,
    Cond,
    Div,
    Eq,
    Expr,
    Ge,
    Sym,
    all_of,
    between,
    ceil_div,
    cond_symbols,
    conjuncts,
    eq,
    expressions,
    indicator,
    lift,
    map_cond,
    maximum,
    minimum,
)
from derive.form import Form, Ratio, Read, Term

UNROLL_LIMIT = 64
MOST_STEPS = 40  # of eliminations, one after the other; a chain of ten operators takes about twenty
Positive = Callable[[Expr], bool]


@dataclass(frozen=True)
class Cell:
    """A coefficient wherever the conditions hold, over canonical variables and sizes only."""

    coefficient: Ratio
    where: tuple[Cond, ...]
    reads: tuple[str, ...]  # the tensors read, sorted, with repetition


def canonical(tensor: str, copy: int, axis: int) -> Sym:
    """The canonical variable for an axis of the ``copy``-th read of a tensor."""
    return Sym(f"{tensor}{'′' * copy}.{axis}")


def evidently_positive(e: Expr) -> bool:
    """Is ``e >= 1`` for every value of its symbols that their attached minima allow?

    Decided term by term: every monomial is a product of symbols that are at least 1, none is
    subtracted, except for a constant that the others outweigh.
    """
    total = 0
    for monomial, c in e.terms:
        least = c
        for atom in monomial:
            if not isinstance(atom, Sym) or atom.minimum is None or atom.minimum < 0:
                return False
            least *= atom.minimum
        if c < 0 and monomial:
            return False
        total += least
    return total >= 1


def cells(form: Form, positive: Positive = evidently_positive) -> tuple[Cell, ...]:
    """The cells of a form.

    Raises :class:`derive.errors.NotSupported` when a bound index can be neither eliminated nor
    counted.
    """
    found: list[Cell] = []
    for term in form.terms:
        for tied in _tie(form, term):
            try:
                found += _eliminate(tied, positive)
            except NotSupported:
                written_out = _written_out(tied)
                if written_out == [tied] or time_left() <= 0:
                    raise
                for t in written_out:
                    found += _eliminate(t, positive)
    return tuple(found)


def _written_out(term: Term) -> list[Term]:
    """The sums of fixed small lengths written out, before anything else is done with them."""
    terms = [term]
    for b, n in term.bound:
        length = n.constant
        if length is not None and 0 < length * len(terms) <= UNROLL_LIMIT:
            terms = [_replace_bound(t, b, lift(v)) for t in terms for v in range(length)]
    return terms


def _tie(form: Form, term: Term) -> list[Term]:
    """Equate each read index with its canonical variable.

    A tensor that is read twice in a term has no first and second read (``w[a]·w[b] = w[b]·w[a]``):
    the cell is entered once in each order, so both sides of an equation are symmetric.
    """
    reads = sorted(term.reads, key=lambda r: r.tensor)
    groups: dict[str, list[Read]] = {}
    for r in reads:
        groups.setdefault(r.tensor, []).append(r)
    orders: list[list[Read]] = [[]]
    for group in groups.values():
        orders = [o + list(p) for o in orders for p in _orders(group)]
    tied = []
    for order in orders:
        seen: Counter[str] = Counter()
        ties: list[Cond] = []
        for r in order:
            copy = seen[r.tensor]
            seen[r.tensor] += 1
            for axis, (e, n) in enumerate(zip(r.at, form.tensor_shape(r.tensor), strict=True)):
                variable = _expr(canonical(r.tensor, copy, axis))
                ties += [eq(variable, e), between(0, variable, n)]
        outputs = [between(0, _expr(i), n) for i, n in zip(form.index, form.shape, strict=True)]
        ranges = [between(0, _expr(b), n) for b, n in term.bound]
        where = all_of(*ties, *outputs, *ranges, *term.where)
        if where != FALSE:
            names = tuple(Read(r.tensor, ()) for r in order)
            tied.append(replace(term, where=conjuncts(where), reads=names))
    return tied


def _orders(group: list[Read]) -> list[tuple[Read, ...]]:
    return list(permutations(group))


def _expr(s: Sym) -> Expr:
    return Expr({(s,): 1})


def _eliminate(term: Term, positive: Positive) -> list[Cell]:
    names = count()
    pending = [(term, 0)]
    done: list[Cell] = []
    while pending:
        t, steps = pending.pop()
        if steps > MOST_STEPS or time_left() <= 0:
            fact = "the time is over" if time_left() <= 0 else "it goes on and on"
            raise NotSupported(
                f"deciding for all sizes: eliminating the sums, {fact}; give a stride or a dilation "
                "a number"
            )
        where = all_of(*t.where)
        if where == FALSE or t.coefficient.num == 0:
            continue
        t = replace(t, where=() if where == TRUE else conjuncts(where))
        if not t.bound:
            done.append(Cell(t.coefficient, t.where, tuple(r.tensor for r in t.reads)))
            continue
        made = _step(t, positive, lambda: Sym(f"~q{next(names)}"))
        pending += [(u, steps + 1) for u in made]
    return done


def _step(t: Term, positive: Positive, fresh: Callable[[], Sym]) -> Sequence[Term]:
    bound = {b for b, _ in t.bound}
    for rule in (_unit_equation, _multiple):
        changed = rule(t, bound, positive)
        if changed is not None:
            return [changed]
    named = _name_quotient(t, bound, positive, fresh)
    if named is not None:
        return [named]
    counted = _count(t, bound, positive)
    if counted is not None:
        return [counted]
    return _unroll(t)


def _replace_bound(t: Term, b: Sym, value: Expr, *extra: Cond) -> Term:
    rest = replace(t, bound=tuple((c, n) for c, n in t.bound if c != b))
    u = rest.subst({b: value})
    return replace(u, where=conjuncts(all_of(*u.where, *extra)))


def _unit_equation(t: Term, bound: set[Sym], positive: Positive) -> Term | None:
    for cond in t.where:
        if isinstance(cond, Eq):
            for b in sorted(bound & cond.expr.symbols(), key=lambda s: s.name):
                split = cond.expr.coefficient(b)
                if split and split[0] in (1, -1):
                    return _replace_bound(t, b, -split[1] if split[0] == 1 else split[1])
    return None


def _multiple(t: Term, bound: set[Sym], positive: Positive) -> Term | None:
    for cond in t.where:
        if isinstance(cond, Eq):
            hits = bound & cond.expr.symbols()
            for b in sorted(hits, key=lambda s: s.name):
                split = cond.expr.coefficient(b)
                if split is None or split[0].symbols() & bound:
                    continue
                c, rest = split
                if positive(-c):
                    c, rest = -c, -rest
                if positive(c):
                    return _replace_bound(t, b, -rest // c, eq(-rest % c, 0))
    return None


def _name_quotient(
    t: Term, bound: set[Sym], positive: Positive, fresh: Callable[[], Sym]
) -> Term | None:
    for e in _spoken(t):
        for atom in e.atoms():
            if (
                isinstance(atom, Div)
                and atom.num.symbols() & bound
                and not any(
                    isinstance(a, Div) and a.num.symbols() & bound for a in atom.num.atoms()
                )
                and not atom.den.symbols() & bound
                and positive(atom.den)
            ):
                return _with_quotient(t, atom, fresh())
    return None


def _with_quotient(t: Term, quotient: Div, q: Sym) -> Term:
    def change(a: Atom) -> Expr | None:
        return _expr(q) if a == quotient else None

    def put(e: Expr) -> Expr:
        return e.map(change)

    where = [map_cond(c, put) for c in t.where]
    definition = between(quotient.den * _expr(q), quotient.num, quotient.den * (_expr(q) + 1))
    ratio = Ratio(put(t.coefficient.num), put(t.coefficient.den))
    # q takes each value at most once for each value of the other bound indices, so adding it as
    # a bound index (its range is implied by the definition) does not change the sum.
    return replace(
        t,
        coefficient=ratio,
        bound=(*t.bound, (q, lift(0))),
        where=conjuncts(all_of(*where, definition)),
    )


def _spoken(t: Term) -> list[Expr]:
    spoken = [e for c in t.where for e in expressions(c)]
    return [*spoken, t.coefficient.num, t.coefficient.den]


def _count(t: Term, bound: set[Sym], positive: Positive) -> Term | None:
    for b in sorted(bound, key=lambda s: s.name):
        if b in (t.coefficient.num.symbols() | t.coefficient.den.symbols()):
            continue
        limits = _limits(t, b, bound, positive)
        if limits is None:
            continue
        lows, highs, rest = limits
        number = reduce(minimum, highs) - reduce(maximum, lows) + 1
        ratio = t.coefficient * Ratio(maximum(0, number))
        left = tuple((c, n) for c, n in t.bound if c != b)
        return replace(t, coefficient=ratio, bound=left, where=tuple(rest))
    return None


def _limits(
    t: Term, b: Sym, bound: set[Sym], positive: Positive
) -> tuple[list[Expr], list[Expr], list[Cond]] | None:
    lows: list[Expr] = []
    highs: list[Expr] = []
    rest: list[Cond] = []
    for cond in t.where:
        if b not in cond_symbols(cond):
            rest.append(cond)
            continue
        if not isinstance(cond, Ge):
            return None
        split = cond.expr.coefficient(b)
        if split is None or split[0].symbols() & bound:
            return None
        c, e = split
        if c.constant == 0:
            return None
        if positive(c):
            lows.append(ceil_div(-e, c))
        elif positive(-c):
            highs.append(e // -c)
        else:
            return None
    return (lows, highs, rest) if lows and highs else None


def _unroll(t: Term) -> Sequence[Term]:
    for b, n in t.bound:
        length = n.constant
        if length is not None and 0 < length <= UNROLL_LIMIT and not b.name.startswith("~q"):
            return [_replace_bound(t, b, lift(v)) for v in range(length)]
    # indices and quotients that were named here mean nothing to a reader
    lengths = ", ".join(str(n) for b, n in t.bound if not b.name.startswith("~"))
    left = f"{len(t.bound)} indices" + (f" of the lengths {lengths}" if lengths else "")
    raise NotSupported(
        f"deciding for all sizes: a sum over {left} can be neither eliminated nor counted; "
        "give its length a number and the sum is written out"
    )


def summed(form: Form, positive: Positive = evidently_positive) -> Form:
    """The form of the same operator whose bound indices are the positions that are read."""
    terms: list[Term] = []
    for cell in cells(form, positive):
        seen: Counter[str] = Counter()
        bound: list[tuple[Sym, Expr]] = []
        reads: list[Read] = []
        for name in cell.reads:
            variables = [
                canonical(name, seen[name], a) for a in range(len(form.tensor_shape(name)))
            ]
            seen[name] += 1
            bound += zip(variables, form.tensor_shape(name), strict=True)
            reads.append(Read(name, tuple(map(_expr, variables))))
        copies = 1
        for number in seen.values():
            copies *= len(list(permutations(range(number))))
        ratio = cell.coefficient * Ratio(lift(1), lift(copies))
        names = {s: _expr(Sym(f"b{j}")) for j, (s, _) in enumerate(bound)}
        t = Term(ratio, tuple(bound), cell.where, tuple(reads)).subst(names)
        renamed = tuple((Sym(f"b{j}"), n) for j, (_, n) in enumerate(t.bound))
        terms.append(replace(t, bound=renamed, where=_without_ranges(t.where, form, renamed)))
    return replace(form, terms=tuple(terms), call=None)


def _without_ranges(
    where: Sequence[Cond], form: Form, bound: Sequence[tuple[Sym, Expr]]
) -> tuple[Cond, ...]:
    """Leave out what the ranges of the indices say already."""
    known: set[Cond] = set()
    for s, n in (*zip(form.index, form.shape, strict=True), *bound):
        known.update(conjuncts(between(0, _expr(s), n)))
    return tuple(c for c in where if c not in known)


def count_of(variable: Sym, conds: Sequence[Cond], positive: Positive = evidently_positive) -> Expr:
    """How many integers ``variable`` meet the conditions, as a closed formula in the other symbols.

    Raises :class:`derive.errors.NotSupported` when the conditions do not bound it from both sides.
    """
    term = Term(bound=((variable, lift(0)),), where=conjuncts(all_of(*conds)))
    total = lift(0)
    for cell in _eliminate(term, positive):
        if cell.coefficient.den != 1:
            raise NotSupported("counting: the coefficients are not integers; count them one by one")
        total = total + cell.coefficient.num * indicator(all_of(*cell.where))
    return total
