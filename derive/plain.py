"""Conditions in a person's words: the same condition, with remainders and without maxima.

``(-n) % k == 0`` is ``n % k == 0``, ``(n + 2) % 3 == 0`` is ``n % 3 == 1``, and ``max(0, a) == 0`` is
``a <= 0``.  Every rule keeps the meaning for all integers, where divisors are at least 1.
"""

from __future__ import annotations

from collections.abc import Iterator

from derive.expr import (
    FALSE,
    TRUE,
    Cond,
    Div,
    Eq,
    Expr,
    Ge,
    Max,
    Not,
    Sym,
    eq,
    ne,
)

ORDER = "nmkshdepra"


def plain(cond: Cond) -> Cond:
    """A single condition (an inequality, an equation, or that an equation fails) said plainly.

    >>> from derive.expr import divides, maximum
    >>> from derive.symbols import sizes
    >>> n, k, s = sizes("n k s")
    >>> print(plain(divides(k, -n)))
    n % k == 0
    >>> print(plain(divides(3, n + 2)))
    n % 3 == 1
    >>> print(plain(eq(maximum(0, k - s), 0)))
    s >= k
    >>> print(plain((-n) % s + k <= s))
    (n - 1) % s >= k - 1
    """
    match cond:
        case Ge(e):
            e = _rounded_down(e)
            found = _maximum(Ge(e))
            return Ge(e) if found is None else plain(found)
        case Eq(e):
            shifted = _remainder(e)
            if shifted is not None:
                return eq(*shifted)
            found = _maximum(Eq(_rounded_down(e)))
            return Eq(_rounded_down(e)) if found is None else plain(found)
        case Not(Eq(e)):
            shifted = _remainder(e)
            if shifted is None:
                return ne(_rounded_down(e), 0)
            rest, value = shifted
            two = any(a.den == 2 for a in _quotients(rest)) and len(list(_quotients(rest))) == 1
            return eq(rest, 1 - value) if two else ne(rest, value)
    return cond


def _quotients(e: Expr) -> Iterator[Div]:
    return (a for m, _ in e.terms for a in m if isinstance(a, Div))


def _positive(den: Expr) -> bool:
    least = den.constant if den.symbol is None else den.symbol.minimum
    return least is not None and least >= 1


def _rounded_down(e: Expr) -> Expr:
    """Quotients that round up, ``⌈a/c⌉``, as ones that round down, where that is shorter."""
    for a in list(_quotients(e)):
        signs = [c < 0 for m, c in a.num.terms if m]
        if _positive(a.den) and signs and all(signs):
            down = -1 - (-a.num - 1) // a.den
            other = e.map(lambda b, a=a, down=down: down if b == a else None)  # type: ignore[misc]
            if len(other.terms) < len(e.terms):
                e = other
    return e


def _remainder(e: Expr) -> tuple[Expr, int] | None:
    """``(b % c, value)`` where ``e == 0`` says that a remainder has a value, as short as it goes."""
    for a in _quotients(e):
        for sign in (1, -1):
            value = (a.num - a.den * Expr({(a,): 1}) - e * sign).constant
            if value is not None and _positive(a.den):
                return _shortest(a.num, a.den, value)
    return None


def _shortest(num: Expr, den: Expr, value: int) -> tuple[Expr, int] | None:
    number = den.constant
    if number is not None:
        if not 0 <= value < number:
            return None
        offset = dict(num.terms).get((), 0)
        num, value = num - offset, (value - offset) % number
    elif value != 0:
        return None
    if _negative(num):
        num, value = -num, (-value % number if number is not None else 0)
    return num % den, value


def _negative(num: Expr) -> bool:
    """Is more taken away than added?  At a tie the first size in the usual order decides."""
    sizes = [(m, c) for m, c in num.terms if m]
    balance = sum(1 if c > 0 else -1 for _, c in sizes)
    if balance or not sizes:
        return balance < 0
    return min(sizes, key=lambda mc: min(_spot(a) for a in mc[0]))[1] < 0


def _spot(a: object) -> tuple[int, str]:
    if not isinstance(a, Sym):
        return len(ORDER), ""
    stem = a.name[:1]
    return (ORDER.index(stem) if stem in ORDER else len(ORDER)), a.name


def _maximum(cond: Ge | Eq) -> Cond | None:
    """``max(c, b)`` with a number ``c`` against a number: a statement about ``b`` alone."""
    for m, c in cond.expr.terms:
        if len(m) != 1 or not isinstance(m[0], Max) or c not in (1, -1):
            continue
        rest = (cond.expr - Expr({m: c})).constant
        sides = sorted((m[0].left, m[0].right), key=lambda e: e.constant is None)
        number, other = sides[0].constant, sides[1]
        if rest is None or number is None:
            continue
        bound = -rest * c  # max(number, other) is compared with this
        if isinstance(cond, Eq):
            if number > bound:
                return FALSE
            return other <= bound if number == bound else eq(other, bound)
        if c == 1:
            return TRUE if number >= bound else other >= bound
        return other <= bound if number <= bound else FALSE
    return None
