r"""Integer expressions and conditions as LaTeX, arranged as people write them.

What is printed is the same polynomial in another arrangement: ``d*k - d`` is written ``d(k-1)``,
``a - b*(a//b)`` is written ``a \bmod b``, ``-((-a)//b)`` a ceiling, and a *short name* may stand for
a floor quotient (``m`` for an output length).  The tests read the LaTeX back, evaluate it and
compare it with the expression.

>>> from derive.symbols import offset, sizes
>>> n, k, s, d = sizes("n k s d")
>>> print(expression((n + offset("p_lo") - d*(k - 1) - 1)//s + 1))
\lfloor (n + p_{\mathrm{lo}} - d(k - 1) - 1)/s \rfloor + 1
>>> print(condition(n + offset("p_lo") >= d*(k - 1) + 1))
n + p_{\mathrm{lo}} \ge d(k - 1) + 1
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from derive.document.text import GREEK
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
    Max,
    Monomial,
    Not,
    Sym,
    conjuncts,
    lift,
)
from derive.plain import plain
from derive.show import factored

GREEK_NAMES = {v[1:]: v for v in GREEK.values()} | {"sigma": r"\sigma", "phi": r"\varphi"}
# The order in which people write sizes in a sum and in a product.
ORDER = ("e", "n", "m", "s", "d", "k", "c", "b", "p", "r")


@dataclass(frozen=True)
class Short:
    """A name for a floor quotient: ``symbol`` stands for ``atom + offset``.

    With ``remainder`` it stands for ``atom.num mod atom.den`` instead.
    """

    symbol: Sym
    atom: Div
    offset: int = 0
    remainder: bool = False

    @property
    def value(self) -> Expr:
        """What the name stands for."""
        quotient = Expr({(self.atom,): 1})
        if self.remainder:
            return self.atom.num - self.atom.den * quotient
        return quotient + self.offset


@dataclass(frozen=True)
class Names:
    """How symbols are written: ``letters`` replaces names, ``indices`` are the symbols that run."""

    letters: Mapping[str, str] = field(default_factory=dict)
    indices: frozenset[str] = frozenset()
    shorts: tuple[Short, ...] = ()


PLAIN = Names()


def name_latex(name: str) -> str:
    r"""A symbol's name as LaTeX: ``p_lo`` is :math:`p_{\mathrm{lo}}`, ``n0`` is :math:`n_{0}`.

    >>> print(name_latex("p_lo"), name_latex("n0"), name_latex("σ1"), name_latex("tap"))
    p_{\mathrm{lo}} n_{0} \sigma_{1} \mathit{tap}
    >>> print(name_latex("p_lo0"))
    p_{\mathrm{lo},0}
    """
    stem, _, sub = name.partition("_")
    digits = re.fullmatch(r"([^\W\d]+)(\d+)", stem)
    if digits:
        stem, number = digits.groups()
        sub = f"{number}_{sub}" if sub else number
    primes = len(stem) - len(stem.rstrip("'′"))
    stem = stem.rstrip("'′")
    head = (
        GREEK.get(stem)
        or GREEK_NAMES.get(stem)
        or (stem if len(stem) == 1 else rf"\mathit{{{stem}}}")
    )
    head += "'" * primes
    if not sub:
        return head
    pieces = re.findall(r"\d+|[^\W\d_]+", sub)
    parts = [p if p.isdigit() or len(p) == 1 else rf"\mathrm{{{p}}}" for p in pieces]
    return f"{head}_{{{','.join(parts)}}}"


# -- expressions -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Summand:
    """``coefficient · Π factors``; ``sort`` orders summands of one sum, ``alone`` is the text when
    the summand stands alone with the coefficient 1 (without the brackets that a sum needs).
    """

    coefficient: int
    factors: tuple[str, ...]
    sort: tuple[object, ...]
    alone: str = ""

    def text(self) -> str:
        """The summand without its sign."""
        number = abs(self.coefficient)
        body = _product(self.factors)
        if not body:
            return str(number)
        return body if number == 1 else f"{number}{_joint(body)}{body}"


def _joint(body: str) -> str:
    return "" if body.startswith(("(", r"\lfloor", r"\lceil", r"\left")) else r"\,"


def _product(factors: Sequence[str]) -> str:
    text = ""
    for f in factors:
        text += (_joint(f) if text else "") + f
    return text


def expression(e: Expr, names: Names = PLAIN) -> str:
    r"""An integer expression as LaTeX.

    >>> from derive.symbols import sizes
    >>> n, s = sizes("n s")
    >>> print(expression(n % s), expression(2*n*s - s))
    n \bmod s s(2\,n - 1)
    """
    return _sum(summands(e, names))


def _sum(parts: Sequence[Summand]) -> str:
    if not parts:
        return "0"
    if len(parts) == 1 and parts[0].coefficient == 1 and parts[0].alone:
        return parts[0].alone
    text = ""
    for p in parts:
        if text:
            text += f" {'-' if p.coefficient < 0 else '+'} {p.text()}"
        else:
            text = f"-{p.text()}" if p.coefficient < 0 else p.text()
    return text


def summands(e: Expr, names: Names = PLAIN) -> list[Summand]:
    """The summands of an expression in the order in which they are written."""
    shortest, shown = _shortened(e, names)
    return _arranged(shortest, names, shown)


def _shortened(e: Expr, names: Names) -> tuple[Expr, dict[Atom, str]]:
    """The expression with remainders and short names put in where that is not longer."""
    shown: dict[Atom, str] = {}
    candidates = [e]
    for short in names.shorts:
        shown[short.symbol] = _letter(short.symbol.name, names)
        found: list[Expr] = []
        for c in candidates:
            found += [x for x in (_with_short(c, short),) if x is not None]
        candidates += found
    best = min(candidates, key=lambda c: (_weight(c, names), -candidates.index(c)))
    # floor quotients that are left and belong to a remainder
    for atom in [a for m, _ in best.terms for a in m if isinstance(a, Div)]:
        times = _multiple_of(best, atom)
        if not times:
            continue
        place = Sym(f"~mod{len(shown)}")
        quotient = atom.den * Expr({(atom,): 1})
        new = best - times * quotient + times * (atom.num - Expr({(place,): 1}))
        if len(new.terms) <= len(best.terms):
            shown[place] = rf"{_dividend(atom.num, names)} \bmod {_tight(atom.den, names)}"
            best = new
    return best, shown


def _weight(e: Expr, names: Names) -> tuple[int, int]:
    quotients = sum(isinstance(a, Div) for m, _ in e.terms for a in m)
    pairs, rest = _pairs(e, names)
    return quotients, len(pairs) + len(rest)


def _with_short(e: Expr, short: Short) -> Expr | None:
    name = Expr({(short.symbol,): 1})
    if short.remainder:
        c = _multiple_of(e, short.atom)
        quotient = short.atom.den * Expr({(short.atom,): 1})
        return e - c * quotient + c * (short.atom.num - name) if c else None
    if not any(short.atom in m for m, _ in e.terms):
        return None
    total = lift(0)
    for m, c in e.terms:
        product = lift(c)
        for a in m:
            product = product * (name - short.offset if a == short.atom else Expr({(a,): 1}))
        total = total + product
    return total


def _multiple_of(e: Expr, atom: Div) -> int:
    """``c`` where ``c·den·⌊num/den⌋`` is a part of ``e`` (0 if there is none)."""
    quotient = dict((atom.den * Expr({(atom,): 1})).terms)
    mine = dict(e.terms)
    ratios = set()
    for m, c in quotient.items():
        q, r = divmod(mine.get(m, 0), c)
        if r or not q:
            return 0
        ratios.add(q)
    return ratios.pop() if len(ratios) == 1 else 0


Pair = tuple[int, Monomial, Atom, int]  # c · rest · (q·atom - 1), or (atom + 1) where q is 0


def _pairs(e: Expr, names: Names) -> tuple[list[Pair], list[tuple[Monomial, int]]]:
    """Take out ``c·a·v - c·a = c·a(v - 1)`` for a nonempty ``a`` and a size ``v``."""
    left = dict(e.terms)
    pairs: list[Pair] = []
    for a, c in sorted(left.items(), key=lambda mc: (-len(mc[0]), _rank(mc[0], names))):
        if not a or a not in left or any(isinstance(x, Div) for x in a):
            continue
        options = []
        for m, c2 in left.items():
            extra = _without(m, a) if len(m) == len(a) + 1 and c2 % c == 0 else None
            if isinstance(extra, Sym):
                runs = extra.name in names.indices
                if (c2 // c < 0 and not runs) or (c2 == c and runs):
                    options.append((runs, abs(c2), _rank((extra,), names), m, extra, c2))
        if options:
            *_, m, extra, c2 = min(options, key=lambda o: o[:3])
            pairs.append((c, a, extra, 0) if c2 == c else (-c, a, extra, -(c2 // c)))
            del left[a], left[m]
    return pairs, list(left.items())


def _without(m: Monomial, a: Monomial) -> Atom | None:
    rest = list(m)
    for atom in a:
        if atom not in rest:
            return None
        rest.remove(atom)
    return rest[0] if len(rest) == 1 else None


def _rank(m: Monomial, names: Names) -> tuple[object, ...]:
    """Running indices first, then the sizes in their usual order."""
    running = sorted(
        _letter(a.name, names) for a in m if isinstance(a, Sym) and a.name in names.indices
    )
    spots = sorted(_spot(a) for a in m)
    return (not running, running, spots)


def _spot(a: Atom) -> tuple[int, str]:
    if not isinstance(a, Sym):
        return (len(ORDER), str(a.key))
    stem = a.name.lstrip("~")[:1]
    return (ORDER.index(stem) if stem in ORDER else len(ORDER), a.name.replace("_lo", "_a"))


def _arranged(e: Expr, names: Names, shown: Mapping[Atom, str]) -> list[Summand]:
    pairs, rest = _pairs(e, names)
    found: list[Summand] = []
    for c, a, v, q in pairs:
        sign, text = _factors(a, c, names, shown)
        number = rf"{q}\," if q > 1 else ""
        inner = f"({number}{_atom(v, names, shown)} {'-' if q else '+'} 1)"
        found.append(Summand(sign, (*text, inner), _rank((*a, v), names)))
    for m, c in rest:
        sign, text = _factors(m, c, names, shown)
        alone = shown.get(m[0], "") if len(m) == 1 else ""
        found.append(Summand(sign, text, _rank(m, names), alone))
    return sorted(found, key=lambda p: (not p.factors, p.coefficient < 0, p.sort))


def _factors(
    m: Monomial, c: int, names: Names, shown: Mapping[Atom, str]
) -> tuple[int, tuple[str, ...]]:
    """The factors of a monomial; floors and maxima may take the sign (``-⌊-a⌋ = ⌈a⌉``)."""
    ordered = sorted(m, key=lambda a: (isinstance(a, Sym) and a.name in names.indices, _spot(a)))
    texts: list[str] = []
    for a in ordered:
        if c < 0 and a not in shown and isinstance(a, (Div, Max)) and _mostly_negative(a):
            c, text = -c, _mirrored(a, names)
        else:
            text = _atom(a, names, shown)
            if a in shown and r"\bmod" in text:
                text = f"({text})"
        texts.append(text)
    powers: list[str] = []
    for t in dict.fromkeys(texts):
        count = texts.count(t)
        powers.append(
            t
            if count == 1
            else f"{t}^{{{count}}}"
            if not t.startswith(r"\lf")
            else f"({t})^{{{count}}}"
        )
    return c, tuple(powers)


def _mostly_negative(a: Div | Max) -> bool:
    parts = (a.num,) if isinstance(a, Div) else (a.left, a.right)
    return all(_negative(p) for p in parts) and any(p != 0 for p in parts)


def _negative(e: Expr) -> bool:
    """Do the negative terms outweigh?  At a tie the first size in the usual order decides."""
    if not e.terms:
        return True
    balance = sum(_sign(m, c) for m, c in e.terms)
    if balance:
        return balance < 0
    first = min(e.terms, key=lambda mc: (not mc[0], sorted(_spot(a) for a in mc[0])))
    return _sign(*first) < 0


def _sign(m: Monomial, c: int) -> int:
    flips = sum(isinstance(a, Div) and _negative(a.num) for a in m)
    return -1 if (c < 0) != (flips % 2 == 1) else 1


def _mirrored(a: Div | Max, names: Names) -> str:
    if isinstance(a, Div):
        return rf"\lceil {_top(-a.num, names)}/{_tight(a.den, names)} \rceil"
    return _call(r"\min", [-a.left, -a.right], names)


def _atom(a: Atom, names: Names, shown: Mapping[Atom, str]) -> str:
    if a in shown:
        return shown[a]
    match a:
        case Sym(name):
            return _letter(name, names)
        case Div(num, den):
            return rf"\lfloor {_top(num, names)}/{_tight(den, names)} \rfloor"
        case Max(left, right):
            if left == -right:
                positive = right if _negative(left) else left
                return rf"\lvert {expression(positive, names)} \rvert"
            return _call(r"\max", _flat(a), names)
        case Apply(name, arguments):
            return _call(_letter(name, names), arguments, names)
    raise TypeError(f"not an atom: {a!r}")


def _flat(a: Max) -> list[Expr]:
    found: list[Expr] = []
    for e in (a.left, a.right):
        inner = e.terms[0] if len(e.terms) == 1 else None
        if inner and inner[1] == 1 and len(inner[0]) == 1 and isinstance(inner[0][0], Max):
            found += _flat(inner[0][0])
        else:
            found.append(e)
    return found


def _call(name: str, arguments: Iterable[Expr], names: Names) -> str:
    return f"{name}({', '.join(expression(a, names) for a in arguments)})"


def _letter(name: str, names: Names) -> str:
    return names.letters.get(name) or name_latex(name)


def _top(e: Expr, names: Names) -> str:
    """A numerator before a slash: in brackets unless it is one product."""
    parts = summands(e, names)
    one = len(parts) == 1 and parts[0].coefficient > 0 and not parts[0].alone
    return expression(e, names) if one or not parts else f"({expression(e, names)})"


def _tight(e: Expr, names: Names) -> str:
    """In brackets unless it is one symbol or one number."""
    text = expression(e, names)
    if e.symbol is not None or (e.constant is not None and e.constant >= 0):
        return text
    return f"({text})"


def _as_product(e: Expr, names: Names) -> str:
    r"""A sum whose terms share a factor as a product: ``d*k + d`` as ``d(k + 1)``."""
    common, rest = factored(e)
    if common == 1 or len(rest.terms) < 2 or any(isinstance(a, Div) for a in e.atoms()):
        return expression(e, names)
    return f"{expression(common, names)}({expression(rest, names)})"


def _dividend(e: Expr, names: Names) -> str:
    product = _as_product(e, names)
    return _tight(e, names) if product == expression(e, names) else product


# -- conditions --------------------------------------------------------------------------------


def condition(cond: Cond, names: Names = PLAIN) -> str:
    r"""A condition as LaTeX; a conjunction of bounds on one thing becomes a chain.

    >>> from derive.expr import between, divides
    >>> from derive.symbols import sizes
    >>> i, n, s = sizes("i n s")
    >>> print(condition(between(0, i, n), Names(indices=frozenset("i"))))
    0 \le i < n
    >>> print(condition(divides(s, n)))
    s \mid n
    """
    match cond:
        case Any_(parts):
            if not parts:
                return r"\text{false}"
            return r" \;\text{ or }\; ".join(_grouped(p, names) for p in parts)
        case _:
            texts = conditions(conjuncts(cond), names)
            return r" \;\text{ and }\; ".join(texts) if texts else r"\text{true}"


def _grouped(c: Cond, names: Names) -> str:
    texts = conditions(conjuncts(c), names)
    return texts[0] if len(texts) == 1 else rf"({condition(c, names)})"


def conditions(conds: Iterable[Cond], names: Names = PLAIN) -> list[str]:
    """The texts of conditions that hold together, bounds on one thing merged to a chain."""
    left = [c for given in conds for c in conjuncts(given)]
    texts: list[str] = []
    while left:
        c = left.pop(0)
        partner = (
            next((o for o in left if _chain(c, o, names)), None) if isinstance(c, Ge) else None
        )
        if partner is not None:
            left.remove(partner)
            chain = _chain(c, partner, names)
            assert chain is not None
            texts.append(chain)
        elif isinstance(c, Any_):
            texts.append(f"({condition(c, names)})" if c.parts else r"\text{false}")
        else:
            texts.append(_single(c, names))
    return texts


def _single(c: Cond, names: Names) -> str:
    c = plain(c)
    match c:
        case Ge(e):
            return _inequality(e, names)
        case Eq(e):
            return _equation(e, "=", r"\mid", names)
        case Not(Eq(e)):
            return _equation(e, r"\ne", r"\nmid", names)
        case All(parts) if not parts:
            return r"\text{true}"
        case Any_(parts) if not parts:
            return r"\text{false}"
    raise TypeError(f"not a single condition: {c!r}")


def _sides(e: Expr, names: Names) -> tuple[list[Summand], list[Summand]]:
    parts = summands(e, names)
    plus = [p for p in parts if p.coefficient > 0]
    minus = [replace(p, coefficient=-p.coefficient) for p in parts if p.coefficient < 0]
    return plus, minus


def _inequality(e: Expr, names: Names) -> str:
    plus, minus = _sides(e, names)
    # a running index alone on one side reads best as `index < bound`
    if minus and minus[-1].factors == () and minus[-1].coefficient == 1 and len(minus) > 1:
        lone = minus[:-1]
        if len(lone) == 1 and (_runs(e, names) or r"\bmod" in lone[0].alone):
            return f"{_sum(lone)} < {_sum(plus)}"
    only_constant = all(not p.factors for p in plus)
    if only_constant:
        return rf"{_sum(minus)} \le {_sum(plus)}"
    return rf"{_sum(plus)} \ge {_sum(minus)}"


def _runs(e: Expr, names: Names) -> bool:
    return any(s.name in names.indices for s in e.symbols())


def _equation(e: Expr, sign: str, divides: str, names: Names) -> str:
    whole = _divisibility(e)
    if whole is not None:
        num, den = whole
        return f"{expression(den, names)} {divides} {_as_product(num, names)}"
    plus, minus = _sides(e, names)
    swap = (len(plus) > len(minus) == 1 and minus[0].factors) or not plus
    if swap or (all(not p.factors for p in plus) and minus):
        plus, minus = minus, plus
    return f"{_sum(plus)} {sign} {_sum(minus)}"


def _divisibility(e: Expr) -> tuple[Expr, Expr] | None:
    for m, _ in e.terms:
        for atom in m:
            if isinstance(atom, Div):
                for sign in (1, -1):
                    if e * sign == atom.num - atom.den * Expr({(atom,): 1}):
                        return (-atom.num if _negative(atom.num) else atom.num), atom.den
    return None


def _chain(a: Cond, b: Cond, names: Names) -> str | None:
    """``lo <= X`` and ``X < hi`` as one chain, where X is what runs (or the only symbol)."""
    if not (isinstance(a, Ge) and isinstance(b, Ge)):
        return None
    (x, lo), (y, hi) = _running(a.expr, names), _running(b.expr, names)
    if not x.terms or x + y != lift(0):
        return None
    if _leading(x, names) < 0:
        (x, lo), (y, hi) = (y, hi), (x, lo)
    # now lo + X >= 0 and hi - X >= 0, so -lo <= X <= hi
    low, high = -lo, hi
    options = [(x, low, high), (x - low, lift(0), high - low)]
    x, low, high = min(options, key=lambda o: (_cost(o, names), options.index(o)))
    below, text = expression(low, names), expression(x, names)
    strict = len(summands(high + 1, names)) <= len(summands(high, names))
    if strict:
        return rf"{below} \le {text} < {expression(high + 1, names)}"
    return rf"{below} \le {text} \le {expression(high, names)}"


def _cost(option: tuple[Expr, Expr, Expr], names: Names) -> int:
    x, low, high = option
    top = min(len(summands(high + 1, names)), len(summands(high, names)))
    return len(summands(x, names)) + len(summands(low, names)) + top


def _running(e: Expr, names: Names) -> tuple[Expr, Expr]:
    """The part of an expression in which indices run, and the rest."""
    moving: dict[Monomial, int] = {}
    still: dict[Monomial, int] = {}
    for m, c in e.terms:
        symbols = {s for a in m for s in Expr({(a,): 1}).symbols()}
        unknown = any(isinstance(x, Apply) for a in m for x in Expr({(a,): 1}).atoms())
        runs = unknown or any(s.name in names.indices for s in symbols)
        (moving if runs else still)[m] = c
    return Expr(moving), Expr(still)


def _leading(e: Expr, names: Names) -> int:
    ordered = sorted(e.terms, key=lambda mc: (_rank(mc[0], names), -mc[1]))
    return ordered[0][1] if ordered else 1
