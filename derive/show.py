"""Expressions and conditions as plain text, the way a person would type them."""

from __future__ import annotations

from derive.expr import (
    All,
    Any_,
    Apply,
    Atom,
    Cond,
    Div,
    Eq,
    Expr,
    Ge,
    Indicator,
    Max,
    Not,
    Sym,
    lift,
)
from derive.plain import plain


def expr_text(e: Expr) -> str:
    """An expression in Python's syntax; ``d*k - d`` as ``d*(k - 1)``.

    >>> from derive.symbols import sizes
    >>> n, k, s = sizes("n k s")
    >>> expr_text(2 * ((n - k) // s) + 1)
    '2*((n - k)//s) + 1'
    """
    if not e.terms:
        return "0"
    # positive terms first, as people write n - k rather than -k + n
    ordered = sorted(_paired(e).terms, key=lambda mc: (not mc[0], mc[1] < 0))
    text = ""
    for monomial, c in ordered:
        # Python reads -n//s as (-n)//s
        alone = len(monomial) == 1 and (c == 1 or (c == -1 and text != ""))
        body = "*".join(
            f"({_atom(a)})" if isinstance(a, Div) and not alone else _atom(a) for a in monomial
        )
        number = str(abs(c)) if abs(c) != 1 or not monomial else ""
        part = "*".join(p for p in (number, body) if p)
        if text:
            text += f" {'-' if c < 0 else '+'} {part}"
        else:
            text = f"-{part}" if c < 0 else part
    return text


def cond_text(cond: Cond) -> str:
    """A condition in Python's syntax; divisibility as ``n % s == 0``.

    >>> from derive.expr import divides
    >>> from derive.symbols import sizes
    >>> n, s = sizes("n s")
    >>> cond_text(divides(s, n))
    'n % s == 0'
    """
    match plain(cond):
        case Ge(e):
            return _inequality(e)
        case Eq(e):
            return _equation(e, "==")
        case Not(Eq(e)):
            return _equation(e, "!=")
        case All(parts):
            shown = (f"({p})" if isinstance(p, Any_) else str(p) for p in parts)
            return " and ".join(shown) or "True"
        case Any_(parts):
            shown = (f"({p})" if isinstance(p, All) else str(p) for p in parts)
            return " or ".join(shown) or "False"
    raise TypeError(f"not a condition: {cond!r}")


def _atom(atom: Atom) -> str:
    match atom:
        case Sym(name):
            return name
        case Div(num, den):
            return f"{_top(num)}//{_tight(den)}"
        case Max(left, right):
            return f"max({left}, {right})"
        case Apply(name, arguments):
            return f"{name}({', '.join(map(str, arguments))})"
        case Indicator(cond):
            return f"[{cond}]"


def _tight(e: Expr) -> str:
    text = str(e)
    return text if e.symbol or (e.constant is not None and e.constant >= 0) else f"({text})"


def _top(e: Expr) -> str:
    """What stands in front of ``//`` or ``%``: common factors are taken out."""
    common, rest = factored(e)
    return f"{common}*({rest})" if common != 1 and len(rest.terms) > 1 else _tight(e)


def factored(e: Expr) -> tuple[Expr, Expr]:
    """The symbols that all terms share, and the rest: ``common * rest == e``.

    >>> from derive.symbols import sizes
    >>> k, d = sizes("k d")
    >>> print(*factored(d*k + d), sep=" times ")
    d times k + 1
    """
    if not e.terms:
        return lift(1), e
    shared = [a for a in e.terms[0][0] if isinstance(a, Sym)]
    for monomial, _ in e.terms[1:]:
        left = list(monomial)
        kept = []
        for a in shared:
            if a in left:
                left.remove(a)
                kept.append(a)
        shared = kept
    rest = {}
    for monomial, c in e.terms:
        left = list(monomial)
        for a in shared:
            left.remove(a)
        rest[tuple(left)] = c
    return Expr({tuple(shared): 1}), Expr(rest)


def _inequality(e: Expr) -> str:
    """A remainder stands alone on its side where it can: ``n % s < d``."""
    shown = _with_remainder(e)
    left, right = _sides(_paired(shown))
    if shown == e:
        if left.constant is not None and right.constant is None:
            return f"{right} <= {left}"
        return f"{left} >= {right}"
    one, other = dict(left.terms).get((), 0), dict(right.terms).get((), 0)
    if any(_is_remainder(m) for m, _ in right.terms):
        return f"{right - 1} < {left}" if other == 1 else f"{right} <= {left}"
    return f"{left - one} >= {right - one}"


def _is_remainder(monomial: tuple[Atom, ...]) -> bool:
    return any(isinstance(a, Sym) and " % " in a.name for a in monomial)


def _relation(e: Expr, sign: str) -> str:
    left, right = _sides(_paired(_with_remainder(e)))
    if left.constant is not None and right.constant is None:
        return f"{right} {sign} {left}"
    return f"{left} {sign} {right}"


def _paired(e: Expr) -> Expr:
    """``c*a*v - c*a``, for a product ``a`` and a symbol ``v``, as ``c`` times the name ``a*(v - 1)``."""
    left = dict(e.terms)
    found = lift(0)
    for monomial, c in e.terms:
        if len(monomial) < 2 or monomial not in left or not _all_symbols(monomial):
            continue
        for v in reversed(monomial):
            rest = list(monomial)
            rest.remove(v)
            if left.get(tuple(rest)) == -c:
                del left[monomial], left[tuple(rest)]
                name = f"{'*'.join(map(_atom, rest))}*({_atom(v)} - 1)"
                found = found + c * Expr({(Sym(name),): 1})
                break
    return Expr(left) + found


def _all_symbols(monomial: tuple[Atom, ...]) -> bool:
    return all(isinstance(a, Sym) and a.name.isidentifier() for a in monomial)


def _sides(e: Expr) -> tuple[Expr, Expr]:
    plus = {m: c for m, c in e.terms if c > 0}
    minus = {m: -c for m, c in e.terms if c < 0}
    return Expr(plus), Expr(minus)


def _equation(e: Expr, sign: str) -> str:
    return _divisibility(e, sign) or _relation(e, sign)


def _divisibility(e: Expr, relation: str) -> str | None:
    """``a - b*(a//b) == 0`` is written ``a % b == 0``."""
    for monomial, _ in e.terms:
        for atom in monomial:
            if isinstance(atom, Div):
                for sign in (1, -1):
                    if e * sign == atom.num - atom.den * Expr({(atom,): 1}):
                        return f"{_top(atom.num)} % {_tight(atom.den)} {relation} 0"
    return None


def _with_remainder(e: Expr) -> Expr:
    """``a - b*(a//b)`` inside a sum is shown as the remainder ``a % b``."""
    for monomial, _ in e.terms:
        for atom in monomial:
            if isinstance(atom, Div):
                remainder = atom.num - atom.den * Expr({(atom,): 1})
                shown = Expr({(Sym(f"{_top(atom.num)} % {_tight(atom.den)}"),): 1})
                for sign in (1, -1):
                    rest = e - remainder * sign
                    if len(rest.terms) < len(e.terms) and atom not in rest.atoms():
                        return rest + shown * sign
    return e
