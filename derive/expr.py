"""Integer expressions and conditions: the arithmetic in which every statement is written.

An :class:`Expr` is a polynomial with integer coefficients in *atoms*: a symbol, a floor quotient,
a maximum, or the value of an unknown integer function.  It is kept in a canonical order, so that
equal polynomials are equal objects and "is this zero?" is a comparison, never a simplification.

A :class:`Cond` is a Boolean combination of ``expr >= 0`` and ``expr == 0``.

Why not SymPy here: a proof makes thousands of small index expressions, and the solver needs floor
quotients with symbolic divisors, which SymPy treats as opaque.  SymPy is used where its matrices,
derivatives and printing are wanted (see :mod:`derive.matrix`).

>>> from derive.symbols import sizes
>>> n, k, s = sizes("n k s")
>>> m = (n - k) // s + 1
>>> print(m)
(n - k)//s + 1
>>> m.at({"n": 7, "k": 3, "s": 2})
3
>>> (s*n + 2) // s == n + 2//s
True
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import gcd
from numbers import Integral
from typing import Any, TypeAlias

from derive.errors import WrongType, shown


@dataclass(frozen=True)
class Sym:
    """A named integer; ``minimum`` is the hypothesis that was attached when it was made."""

    name: str
    minimum: int | None = None

    @cached_property
    def key(self) -> tuple[Any, ...]:
        """The place in the canonical order."""
        return (0, self.name)


@dataclass(frozen=True)
class Div:
    """The floor quotient ``num // den``; meaningful where ``den >= 1``."""

    num: Expr
    den: Expr

    @cached_property
    def key(self) -> tuple[Any, ...]:
        """The place in the canonical order."""
        return (1, "//", self.num.key, self.den.key)


@dataclass(frozen=True)
class Max:
    """The larger of two integers."""

    left: Expr
    right: Expr

    @cached_property
    def key(self) -> tuple[Any, ...]:
        """The place in the canonical order."""
        return (1, "max", self.left.key, self.right.key)


@dataclass(frozen=True)
class Apply:
    """The value of an unknown integer function, such as the selection of a max pooling."""

    name: str
    arguments: tuple[Expr, ...]

    @cached_property
    def key(self) -> tuple[Any, ...]:
        """The place in the canonical order."""
        return (2, self.name, tuple(a.key for a in self.arguments))


@dataclass(frozen=True)
class Indicator:
    """The Iverson bracket: 1 where the condition holds, else 0."""

    cond: Cond

    @cached_property
    def key(self) -> tuple[Any, ...]:
        """The place in the canonical order."""
        return (3, str(self.cond))


Atom: TypeAlias = Sym | Div | Max | Apply | Indicator
Monomial: TypeAlias = tuple[Atom, ...]
Integer: TypeAlias = "Expr | int"
Env: TypeAlias = Mapping[str, Any]


def _key(monomial: Monomial) -> tuple[Any, ...]:
    return (-len(monomial), tuple(a.key for a in monomial))


class Expr:
    """A polynomial with integer coefficients in atoms, in canonical order."""

    __slots__ = ("_hash", "_key", "terms")
    terms: tuple[tuple[Monomial, int], ...]

    def __init__(self, terms: Mapping[Monomial, int]) -> None:
        kept = [(m, c) for m, c in terms.items() if c]
        if len(kept) > 1:
            kept.sort(key=lambda mc: _key(mc[0]))
        self.terms = tuple(kept)
        self._hash = hash(self.terms)
        self._key: tuple[Any, ...] | None = None

    @property
    def key(self) -> tuple[Any, ...]:
        """The place in the canonical order."""
        if self._key is None:
            self._key = tuple((_key(m), c) for m, c in self.terms)
        return self._key

    def __hash__(self) -> int:
        return self._hash

    def __reduce__(self) -> tuple[type[Expr], tuple[dict[Monomial, int]]]:
        # The stored hash is that of one process; another one that reads this must make its own.
        return Expr, (dict(self.terms),)

    def __eq__(self, other: object) -> bool:
        """Equality of the canonical forms (not a condition: for that, use :func:`eq`)."""
        if isinstance(other, int):
            other = lift(other)
        return isinstance(other, Expr) and self.terms == other.terms

    # -- ring ---------------------------------------------------------------------------------
    def __add__(self, other: Integer) -> Expr:
        other = lift(other)
        if not self.terms:
            return other
        if not other.terms:
            return self
        total = dict(self.terms)
        for m, c in other.terms:
            total[m] = total.get(m, 0) + c
        return Expr(total)

    def __neg__(self) -> Expr:
        return Expr({m: -c for m, c in self.terms})

    def __sub__(self, other: Integer) -> Expr:
        return self + (-lift(other))

    def __mul__(self, other: Integer) -> Expr:
        other = lift(other)
        total: dict[Monomial, int] = {}
        for m1, c1 in self.terms:
            for m2, c2 in other.terms:
                m = tuple(sorted(m1 + m2, key=lambda a: a.key)) if m1 and m2 else m1 or m2
                total[m] = total.get(m, 0) + c1 * c2
        return Expr(total)

    def __pow__(self, power: int) -> Expr:
        result = lift(1)
        for _ in range(power):
            result = result * self
        return result

    __radd__ = __add__
    __rmul__ = __mul__

    def __rsub__(self, other: int) -> Expr:
        return lift(other) - self

    # -- quotient ------------------------------------------------------------------------------
    def __floordiv__(self, other: Integer) -> Expr:
        """Floor quotient; exact multiples of the divisor are taken out (valid for divisor >= 1)."""
        den = lift(other)
        if den.constant is not None and den.constant <= 0:
            raise ZeroDivisionError(f"the divisor of a floor quotient must be positive, got {den}")
        whole, rest = _split(self, den)
        if not rest.terms:
            return whole
        if den.constant is not None and rest.constant is not None:
            return whole + rest.constant // den.constant
        return whole + Expr({(Div(rest, den),): 1})

    def __rfloordiv__(self, other: int) -> Expr:
        return lift(other) // self

    def __mod__(self, other: Integer) -> Expr:
        return self - lift(other) * (self // other)

    # -- conditions ----------------------------------------------------------------------------
    def __ge__(self, other: Integer) -> Cond:
        return _ge(self - other)

    def __gt__(self, other: Integer) -> Cond:
        return _ge(self - other - 1)

    def __le__(self, other: Integer) -> Cond:
        return _ge(lift(other) - self)

    def __lt__(self, other: Integer) -> Cond:
        return _ge(lift(other) - self - 1)

    # -- reading --------------------------------------------------------------------------------
    @property
    def constant(self) -> int | None:
        """The integer that this is, or None if it has an atom."""
        if not self.terms:
            return 0
        if len(self.terms) == 1 and not self.terms[0][0]:
            return self.terms[0][1]
        return None

    def __int__(self) -> int:
        if self.constant is None:
            raise TypeError(f"{self} is not a number; give every size a value first")
        return self.constant

    @property
    def symbol(self) -> Sym | None:
        """The symbol that this is, or None."""
        if len(self.terms) == 1 and self.terms[0][1] == 1 and len(self.terms[0][0]) == 1:
            atom = self.terms[0][0][0]
            return atom if isinstance(atom, Sym) else None
        return None

    def atoms(self) -> Iterator[Atom]:
        """Every atom, nested ones included (inner before outer), with repetition."""
        for monomial, _ in self.terms:
            for atom in monomial:
                for part in _parts(atom):
                    yield from part.atoms()
                yield atom

    def symbols(self) -> frozenset[Sym]:
        """Every symbol, also inside of atoms."""
        return frozenset(a for a in self.atoms() if isinstance(a, Sym))

    def coefficient(self, of: Sym) -> tuple[Expr, Expr] | None:
        """``(c, rest)`` with ``self == c*of + rest``, both free of ``of``; None if not linear."""
        inside: dict[Monomial, int] = {}
        rest: dict[Monomial, int] = {}
        for monomial, c in self.terms:
            hits = monomial.count(of)
            others = tuple(a for a in monomial if a != of)
            if hits > 1 or any(of in p.symbols() for a in others for p in _parts(a)):
                return None
            (inside if hits else rest)[others] = c
        return Expr(inside), Expr(rest)

    def subst(self, values: Mapping[Sym, Expr]) -> Expr:
        """Put expressions in the place of symbols."""
        if not values or not any(s in values for s in self.symbols()):
            return self
        return self.map(lambda a: values.get(a) if isinstance(a, Sym) else None)

    def map(self, change: Callable[[Atom], Expr | None]) -> Expr:
        """Replace atoms from the inside out; ``change`` returns None to leave one as it is."""
        total = lift(0)
        for monomial, c in self.terms:
            product = lift(c)
            for atom in monomial:
                rebuilt = _rebuild(atom, change)
                product = product * rebuilt
            total = total + product
        return total

    def at(self, env: Env) -> Any:
        """The value where symbols have the values in ``env`` (ints or integer arrays)."""
        from derive.evaluation import value  # evaluating builds on expressions

        return value(self, env)

    def __str__(self) -> str:
        from derive.show import expr_text  # printing builds on expressions

        return expr_text(self)

    def __repr__(self) -> str:
        return f"Expr({self})"


def _parts(atom: Atom) -> tuple[Expr, ...]:
    match atom:
        case Sym():
            return ()
        case Div(num, den):
            return (num, den)
        case Max(left, right):
            return (left, right)
        case Apply(_, arguments):
            return arguments
        case Indicator(cond):
            return tuple(expressions(cond))


def _rebuild(atom: Atom, change: Callable[[Atom], Expr | None]) -> Expr:
    match atom:
        case Sym():
            new: Expr | None = None
            base = Expr({(atom,): 1})
        case Div(num, den):
            base = num.map(change) // den.map(change)
        case Max(left, right):
            base = maximum(left.map(change), right.map(change))
        case Apply(name, arguments):
            base = Expr({(Apply(name, tuple(a.map(change) for a in arguments)),): 1})
        case Indicator(cond):
            base = indicator(map_cond(cond, lambda e: e.map(change)))
    if len(base.terms) == 1 and base.terms[0][1] == 1 and len(base.terms[0][0]) == 1:
        found = base.terms[0][0][0]
        if type(found) is type(atom):  # (s*i)//s is the symbol i, which was changed already
            new = change(found)
            return base if new is None else new
    return base


def _split(num: Expr, den: Expr) -> tuple[Expr, Expr]:
    """``num == whole*den + rest`` where the multiples of ``den`` that can be seen are taken out."""
    if num == den:
        return lift(1), lift(0)
    if len(den.terms) == 1:
        (dm, dc), whole, rest = den.terms[0], {}, {}
        for m, c in num.terms:
            left = list(m)
            try:
                for atom in dm:
                    left.remove(atom)
            except ValueError:
                rest[m] = c
                continue
            q, r = divmod(c, dc)
            whole[tuple(left)] = q
            if r:
                rest[m] = r
        return Expr(whole), Expr(rest)
    # a polynomial divisor: take out the constant multiple that cancels its first term
    m, c = den.terms[0]
    q = dict(num.terms).get(m, 0) // c
    rest_expr = num - den * q
    return (lift(q), rest_expr) if q and len(rest_expr.terms) < len(num.terms) else (lift(0), num)


def lift(value: Integer) -> Expr:
    """An int as an expression; an expression as it is."""
    if isinstance(value, Expr):
        return value
    if isinstance(value, bool) or not isinstance(value, (int, Integral)):
        raise WrongType(
            f"the value {shown(value)}: an integer or an integer expression was expected; give an int "
            "or an expression in symbols, as size('n') + 1"
        )
    return Expr({(): int(value)})


def apply(name: str, *arguments: Integer) -> Expr:
    """The value of the unknown integer function ``name``."""
    return Expr({(Apply(name, tuple(lift(a) for a in arguments)),): 1})


def maximum(left: Integer, right: Integer) -> Expr:
    """The larger of two integers."""
    left, right = lift(left), lift(right)
    difference = (left - right).constant
    if difference is not None:
        return left if difference >= 0 else right
    if right.key < left.key:
        left, right = right, left
    return Expr({(Max(left, right),): 1})


def indicator(cond: Cond) -> Expr:
    """The Iverson bracket of a condition."""
    if cond in (TRUE, FALSE):
        return lift(int(cond == TRUE))
    return Expr({(Indicator(cond),): 1})


def minimum(left: Integer, right: Integer) -> Expr:
    """The smaller of two integers."""
    return -maximum(-lift(left), -lift(right))


def ceil_div(num: Integer, den: Integer) -> Expr:
    """The quotient rounded up, for ``den >= 1``."""
    return -((-lift(num)) // den)


# -- conditions --------------------------------------------------------------------------------


class Cond:
    """A statement about integers.  Has no truth value of its own: sizes are symbols."""

    __slots__ = ()

    def __bool__(self) -> bool:
        raise TypeError(
            f"the condition {self} has no truth value while its sizes are symbols; "
            "write between(lo, x, hi) for a range and all_of / any_of for and / or"
        )

    def __str__(self) -> str:
        from derive.show import cond_text

        return cond_text(self)

    def __and__(self, other: Cond) -> Cond:
        return all_of(self, other)

    def __or__(self, other: Cond) -> Cond:
        return any_of(self, other)

    def __invert__(self) -> Cond:
        return negate(self)


@dataclass(frozen=True)
class Ge(Cond):
    """``expr >= 0``"""

    expr: Expr


@dataclass(frozen=True)
class Eq(Cond):
    """``expr == 0``"""

    expr: Expr


@dataclass(frozen=True)
class Not(Cond):
    """The negation of an equation (negated inequalities are inequalities again)."""

    cond: Eq


@dataclass(frozen=True)
class All(Cond):
    """A conjunction; ``All(())`` is true."""

    parts: tuple[Cond, ...]


@dataclass(frozen=True)
class Any_(Cond):  # noqa: N801 - the plain name is typing's
    """A disjunction; ``Any_(())`` is false."""

    parts: tuple[Cond, ...]


TRUE = All(())
FALSE = Any_(())


def _content(e: Expr) -> int:
    return gcd(*(c for m, c in e.terms if m)) if e.terms else 1


def _ge(e: Expr) -> Cond:
    if e.constant is not None:
        return TRUE if e.constant >= 0 else FALSE
    g = _content(e)
    if g > 1:  # 2a + 3 >= 0 says a + 1 >= 0 over the integers
        e = Expr({m: c // g for m, c in e.terms})
    return Ge(e)


def eq(left: Integer, right: Integer) -> Cond:
    """The condition that two integers are equal."""
    e = lift(left) - right
    if e.constant is not None:
        return TRUE if e.constant == 0 else FALSE
    g = _content(e)
    constant = dict(e.terms).get((), 0)
    if constant % g:
        return FALSE
    sign = 1 if e.terms[0][1] > 0 else -1
    return Eq(Expr({m: sign * c // g for m, c in e.terms}))


def ne(left: Integer, right: Integer) -> Cond:
    """The condition that two integers differ."""
    return negate(eq(left, right))


def divides(divisor: Integer, value: Integer) -> Cond:
    """The condition that ``value`` is a multiple of ``divisor`` (``divisor >= 1``)."""
    return eq(lift(value) % divisor, 0)


def between(lo: Integer, value: Integer, hi: Integer) -> Cond:
    """``lo <= value < hi``"""
    value = lift(value)
    return all_of(value >= lo, value < hi)


def all_of(*conds: Cond) -> Cond:
    """Conjunction, flattened, without repetition."""
    parts: dict[Cond, None] = {}
    for c in conds:
        for p in c.parts if isinstance(c, All) else (c,):
            if p == FALSE:
                return FALSE
            parts[p] = None
    return next(iter(parts)) if len(parts) == 1 else All(tuple(parts))


def any_of(*conds: Cond) -> Cond:
    """Disjunction, flattened, without repetition."""
    parts: dict[Cond, None] = {}
    for c in conds:
        for p in c.parts if isinstance(c, Any_) else (c,):
            if p == TRUE:
                return TRUE
            parts[p] = None
    return next(iter(parts)) if len(parts) == 1 else Any_(tuple(parts))


def negate(cond: Cond) -> Cond:
    """The negation, pushed inwards."""
    match cond:
        case Ge(e):
            return _ge(-e - 1)
        case Eq():
            return Not(cond)
        case Not(inner):
            return inner
        case All(parts):
            return any_of(*map(negate, parts))
        case Any_(parts):
            return all_of(*map(negate, parts))
    raise TypeError(f"not a condition: {cond!r}")


def implies(premise: Cond, conclusion: Cond) -> Cond:
    """``premise`` only if ``conclusion``."""
    return any_of(negate(premise), conclusion)


def iff(left: Cond, right: Cond) -> Cond:
    """Both or neither."""
    return all_of(implies(left, right), implies(right, left))


def conjuncts(cond: Cond) -> tuple[Cond, ...]:
    """The parts of a conjunction; anything else is its own only part."""
    return cond.parts if isinstance(cond, All) else (cond,)


def expressions(cond: Cond) -> Iterator[Expr]:
    """Every integer expression that a condition speaks of."""
    match cond:
        case Ge(e) | Eq(e):
            yield e
        case Not(inner):
            yield from expressions(inner)
        case All(parts) | Any_(parts):
            for p in parts:
                yield from expressions(p)


def cond_symbols(cond: Cond) -> frozenset[Sym]:
    """Every symbol in a condition."""
    return frozenset(s for e in expressions(cond) for s in e.symbols())


def map_cond(cond: Cond, change: Callable[[Expr], Expr]) -> Cond:
    """Rebuild a condition with every expression changed."""
    match cond:
        case Ge(e):
            return _ge(change(e))
        case Eq(e):
            return eq(change(e), 0)
        case Not(inner):
            return negate(map_cond(inner, change))
        case All(parts):
            return all_of(*(map_cond(p, change) for p in parts))
        case Any_(parts):
            return any_of(*(map_cond(p, change) for p in parts))
    raise TypeError(f"not a condition: {cond!r}")


def subst_cond(cond: Cond, values: Mapping[Sym, Expr]) -> Cond:
    """Put expressions in the place of symbols."""
    return map_cond(cond, lambda e: e.subst(values))
