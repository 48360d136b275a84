"""Shape formulas as people write them: ``⌊(H_in + 2·padding − dilation·(kernel_size − 1) − 1)/stride⌋ + 1``.

An expression is a polynomial in canonical order; here it becomes a small tree in the order in which
such formulas are usually written (input length, padding, kernel, output padding, constant), with
``a·b − a`` taken together as ``a·(b − 1)``.  :func:`value` computes a tree, so that what is printed
can be compared with the expression.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from derive.errors import NotSupported
from derive.expr import (
    All,
    Any_,
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
)


@dataclass(frozen=True)
class Name:
    """A size by its name."""

    name: str


@dataclass(frozen=True)
class Total:
    """A sum; each part has its sign."""

    parts: tuple[tuple[int, Node], ...]


@dataclass(frozen=True)
class Product:
    """A product of factors."""

    factors: tuple[Node, ...]


@dataclass(frozen=True)
class Power:
    """A factor that stands several times in a product."""

    base: Node
    exponent: int


@dataclass(frozen=True)
class Quotient:
    """``num / den``, rounded down, or up."""

    num: Node
    den: Node
    up: bool = False


@dataclass(frozen=True)
class Extreme:
    """The largest of some values, or the smallest."""

    values: tuple[Node, ...]
    least: bool = False


Node: TypeAlias = "int | Name | Total | Product | Power | Quotient | Extreme"
Sizes: TypeAlias = Mapping[str, int]
LENGTHS = ("n", "m", "D", "H", "L", "W")  # names that are written first, like those in _in
RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


# -- from expressions -----------------------------------------------------------------------------


def tree(e: Expr) -> Node:
    """The tree of an expression.

    >>> from derive.symbols import sizes
    >>> n, k, s, d = sizes("n k s d")
    >>> print(plain(tree((n - d * (k - 1) - 1) // s + 1)))
    ⌊(n − d·(k − 1) − 1)/s⌋ + 1
    """
    both = _two_sums(e)
    if both is not None:
        return Product((tree(both[0]), tree(both[1])))
    parts = sorted(_parts(e), key=lambda p: p[0])
    if not parts:
        return 0
    if len(parts) == 1 and parts[0][1] > 0:
        return parts[0][2]
    return Total(tuple((sign, node) for _, sign, node in parts))


Part: TypeAlias = "tuple[tuple[int, int, str], int, Node]"


def _parts(e: Expr) -> list[Part]:
    left = dict(e.terms)
    found: list[Part] = [part for m in list(left) for part in _rounded_up(m, left)]
    for big in sorted(left, key=lambda m: (-len(m), _rank(m))):
        if big not in left or len(big) < 2:
            continue
        for v in sorted(big, key=lambda a: not _is_length(a)):
            small = _without(big, v)
            if isinstance(v, Sym) and left.get(small) == -left[big]:
                c = left.pop(big)
                del left[small]
                inner = Total(((1, Name(v.name)), (-1, 1)))
                sign, factors = _factors(c, small)
                together = (inner, *factors) if _is_length(v) else (*factors, inner)
                found.append((_rank(big), sign, _product(together)))
                break
    for m, c in left.items():
        sign, factors = _factors(c, m)
        found.append((_rank(m), sign, _product(factors)))
    return found


def _rounded_up(m: Monomial, left: dict[Monomial, int]) -> Iterator[Part]:
    """``v − ⌊u/d⌋`` as ``⌈(d·v − u)/d⌉``, where that leaves less: ``n − ⌊2n/3⌋`` is ``⌈n/3⌉``."""
    c, a = left.get(m, 0), m[0] if len(m) == 1 else None
    if c >= 0 or not isinstance(a, Div) or a.den.constant is None:
        return
    d = a.den.constant
    whole = {t: -(-q // d) for t, q in a.num.terms if t and 2 * q > d}
    if whole and all(left.get(t, 0) >= -c * q for t, q in whole.items()):
        del left[m]
        for t, q in whole.items():
            left[t] += c * q
            if not left[t]:
                del left[t]
        node = Quotient(tree(Expr(whole) * d - a.num), d, up=True)
        yield _rank(m), 1, _product((-c, node))


def _two_sums(e: Expr) -> tuple[Expr, Expr] | None:
    """``a·b + c·a + d·b + c·d`` as ``(a + d)(b + c)``: the number of windows of two axes."""
    pairs = [m for m, c in e.terms if len(m) == 2 and c == 1 and m[0] != m[1]]
    if len(pairs) != 1 or not 2 <= len(e.terms) <= 4:
        return None
    a, b = (Expr({(x,): 1}) for x in pairs[0])
    left, right = dict(e.terms).get((pairs[0][1],), 0), dict(e.terms).get((pairs[0][0],), 0)
    if not (left and right):
        return None
    first, second = a + left, b + right
    return (first, second) if first * second == e else None


def _without(m: Monomial, a: Atom) -> Monomial:
    rest = list(m)
    rest.remove(a)
    return tuple(rest)


def _product(factors: tuple[Node, ...]) -> Node:
    kept = tuple(f for f in factors if f != 1)
    if not kept:
        return 1
    return kept[0] if len(kept) == 1 else Product(kept)


def _factors(c: int, m: Monomial) -> tuple[int, tuple[Node, ...]]:
    nodes: list[Node] = []
    for a in sorted(m, key=lambda a: (not _is_length(a), str(a.key))):
        if c < 0 and isinstance(a, Div) and _falls(a.num):
            c = -c
            nodes.append(Quotient(tree(-a.num), tree(a.den), up=True))
        elif c < 0 and isinstance(a, Max) and _falls(a.left) and _falls(a.right):
            c = -c
            nodes.append(Extreme(tuple(tree(-v) for v in _flat(a)), least=True))
        else:
            nodes.append(_atom(a))
    powers = {node: nodes.count(node) for node in nodes}
    nodes = [node if times == 1 else Power(node, times) for node, times in powers.items()]
    sign = -1 if c < 0 else 1
    return sign, (abs(c), *nodes) if abs(c) != 1 or not nodes else tuple(nodes)


def _atom(a: Atom) -> Node:
    match a:
        case Sym(name):
            return Name(name)
        case Div(num, den):
            return Quotient(tree(num), tree(den))
        case Max():
            return Extreme(tuple(tree(v) for v in _flat(a)))
    raise NotSupported(f"the formula of {a}: it is no length; ask for numbers instead")


def _flat(a: Max) -> list[Expr]:
    values: list[Expr] = []
    for side in (a.left, a.right):
        atom = side.terms[0][0][0] if len(side.terms) == 1 and len(side.terms[0][0]) == 1 else None
        alone = isinstance(atom, Max) and side.terms[0][1] == 1
        values += _flat(atom) if alone and isinstance(atom, Max) else [side]
    return values


def _falls(e: Expr) -> bool:
    """Is the expression read better with the opposite sign?"""
    weights = [c * _way(m) for m, c in e.terms if any(_is_length(a) or _inner(a) for a in m)]
    if weights:
        return sum(weights) < 0
    return sum(c for _, c in e.terms) < 0


def _inner(a: Atom) -> bool:
    return not isinstance(a, Sym)


def _way(m: Monomial) -> int:
    """-1 for a quotient that falls with the length, else 1."""
    return -1 if any(isinstance(a, Div) and _falls(a.num) for a in m) else 1


def _is_length(a: Atom) -> bool:
    return isinstance(a, Sym) and (a.name.endswith("_in") or a.name in LENGTHS)


def _rank(m: Monomial) -> tuple[int, int, str]:
    names = [s.name for a in m for s in Expr({(a,): 1}).symbols()]
    text = "·".join(names)
    if not m:
        return (5, 0, "")
    if any(_is_length(Sym(n)) for n in names):
        return (0, -len(m), text)
    if any("output_padding" in n for n in names):
        return (3, 0, text)
    if any("pad" in n for n in names) or text in ("p", "p_lo", "p_hi"):
        return (1, 0, text)
    return (2, 0, text)


def flattened(e: Expr) -> Expr:
    """Quotients of quotients as one: ``⌊(⌊a/b⌋ + c)/d⌋ = ⌊(a + b·c)/(b·d)⌋`` for ``b, d >= 1``.

    >>> from derive.symbols import size
    >>> print(flattened(((size("n") + 1) // 2 + 1) // 2))
    (n + 3)//4
    """

    def change(a: Atom) -> Expr | None:
        if not isinstance(a, Div):
            return None
        inner = [m[0] for m, c in a.num.terms if len(m) == 1 and c == 1 and isinstance(m[0], Div)]
        if len(inner) != 1 or not isinstance(inner[0], Div):
            return None
        rest = a.num - Expr({(inner[0],): 1})
        return (inner[0].num + inner[0].den * rest) // (inner[0].den * a.den)

    return e.map(change)


# -- reading trees ---------------------------------------------------------------------------------


def value(node: Node, sizes: Sizes) -> int:
    """The number that a tree stands for.

    >>> from derive.symbols import sizes
    >>> n, s = sizes("n s")
    >>> value(tree(-(-n // s)), {"n": 7, "s": 2})
    4
    """
    match node:
        case int():
            return node
        case Name(name):
            return sizes[name]
        case Total(parts):
            return sum(sign * value(p, sizes) for sign, p in parts)
        case Product(factors):
            result = 1
            for f in factors:
                result *= value(f, sizes)
            return result
        case Power(base, exponent):
            return int(value(base, sizes) ** exponent)
        case Quotient(num, den, up):
            a, b = value(num, sizes), value(den, sizes)
            return -(-a // b) if up else a // b
        case Extreme(values, least):
            found = [value(v, sizes) for v in values]
            return min(found) if least else max(found)


def plain(node: Node, sizes: Sizes | None = None) -> str:
    """A tree as text; with ``sizes`` the numbers stand in the place of the names.

    >>> from derive.symbols import sizes
    >>> n, s = sizes("n s")
    >>> plain(tree((n - 1) * s + 1)), plain(tree((n - 1) * s + 1), {"n": 4, "s": 2})
    ('(n − 1)·s + 1', '(4 − 1)·2 + 1')
    """
    match node:
        case int():
            return str(node)
        case Name(name):
            if sizes is None or name not in sizes:
                return name
            return str(sizes[name]) if sizes[name] >= 0 else f"({sizes[name]})".replace("-", "−")
        case Total(parts):
            text = "".join(f"{' − ' if sign < 0 else ' + '}{plain(p, sizes)}" for sign, p in parts)
            return text[3:] if text.startswith(" + ") else f"−{text[3:]}"
        case Product(factors):
            return "·".join(_tight(f, sizes) for f in factors)
        case Power(base, exponent):
            return f"{_tight(base, sizes)}{str(exponent).translate(RAISED)}"
        case Quotient(num, den, up):
            inner = f"{_tight(num, sizes)}/{_tight(den, sizes, Product)}"
            return f"⌈{inner}⌉" if up else f"⌊{inner}⌋"
        case Extreme(values, least):
            inner = ", ".join(plain(v, sizes) for v in values)
            return f"{'min' if least else 'max'}({inner})"


def _tight(node: Node, sizes: Sizes | None, *more: type) -> str:
    text = plain(node, sizes)
    return f"({text})" if isinstance(node, (Total, *more)) else text


def latex(node: Node) -> str:
    r"""A tree as LaTeX.

    >>> from derive.symbols import size
    >>> print(latex(tree(size("H_in") // size("kernel_size"))))
    \left\lfloor \frac{H_{\mathrm{in}}}{\mathrm{kernel\_size}} \right\rfloor
    """
    match node:
        case int():
            return str(node)
        case Name(name):
            return name_latex(name)
        case Total(parts):
            text = "".join(f" {'-' if sign < 0 else '+'} {latex(p)}" for sign, p in parts)
            return text[3:] if text.startswith(" + ") else f"-{text[3:]}"
        case Product(factors):
            return r" \cdot ".join(
                rf"\left({latex(f)}\right)" if isinstance(f, Total) else latex(f) for f in factors
            )
        case Power(base, exponent):
            inner = latex(base)
            return (
                rf"\left({inner}\right)^{{{exponent}}}"
                if isinstance(base, Total) or "_" in inner
                else (f"{inner}^{{{exponent}}}")
            )
        case Quotient(num, den, up):
            side = "ceil" if up else "floor"
            return rf"\left\l{side} \frac{{{latex(num)}}}{{{latex(den)}}} \right\r{side}"
        case Extreme(values, least):
            inner = ", ".join(map(latex, values))
            return rf"\{'min' if least else 'max'}\left({inner}\right)"


def name_latex(name: str) -> str:
    r"""A name as LaTeX: one letter in italics, with its subscript; words upright.

    >>> name_latex("H_in"), name_latex("padding[0]"), name_latex("σ")
    ('H_{\\mathrm{in}}', '\\mathrm{padding}_{0}', '\\sigma')
    """
    word, *at = re.split(r"[\[\]]+", name.rstrip("]"))
    head, _, sub = word.partition("_")
    below = [_upright(sub)] if len(head) == 1 and sub else []
    body = _letter(head) if len(head) == 1 else _upright(word)
    below += at
    return f"{body}_{{{','.join(below)}}}" if below else body


def _upright(word: str) -> str:
    return rf"\mathrm{{{''.join(map(_letter, word))}}}"


def _letter(letter: str) -> str:
    if letter.isascii():
        return r"\_" if letter == "_" else letter if letter.isalnum() else ""
    called = unicodedata.name(letter, "").lower().split()
    if called[:3] == ["greek", "small", "letter"] and len(called) == 4:
        return rf"\{called[3].replace('lamda', 'lambda')}"
    return rf"\mathrm{{U{ord(letter):X}}}"


def condition(cond: Cond) -> str:
    """A condition as text: all negative terms stand on the other side.

    >>> from derive.symbols import sizes
    >>> n, k, d = sizes("n k d")
    >>> condition(n >= d * (k - 1) + 1)
    'n ≥ d·(k − 1) + 1'
    """
    match cond:
        case Ge(e):
            return _relation(e, "≥")
        case Eq(e):
            return _divisibility(e, "divides") or _relation(e, "=")
        case Not(Eq(e)):
            return _divisibility(e, "does not divide") or _relation(e, "≠")
        case All(parts):
            return " and ".join(_chained([_bracketed(p, Any_) for p in parts])) or "always"
        case Any_(parts):
            return " or ".join(_bracketed(p, All) for p in parts) or "never"
    raise TypeError(f"not a condition: {cond!r}")


def _bracketed(cond: Cond, kind: type[Cond]) -> str:
    return f"({condition(cond)})" if isinstance(cond, kind) else condition(cond)


def _chained(texts: list[str]) -> list[str]:
    """``a ≥ b`` and ``b ≥ c`` as ``c ≤ b ≤ a``, as well as ``b ≤ a`` and ``b ≥ c``."""
    for first in texts:
        for second in texts:
            left, right = first.split(" ≤ "), second.split(" ≥ ")
            if len(left) == len(right) == 2 and left[0] == right[0]:
                rest = [t for t in texts if t not in (first, second)]
                return _chained([f"{right[1]} ≤ {left[0]} ≤ {left[1]}", *rest])
    for first in texts:
        for second in texts:
            left, right = first.split(" ≥ "), second.split(" ≥ ")
            if len(left) == len(right) == 2 and left[1] == right[0] and " " not in left[1]:
                rest = [t for t in texts if t not in (first, second)]
                return _chained([f"{right[1]} ≤ {left[1]} ≤ {left[0]}", *rest])
    return texts


def _relation(e: Expr, sign: str) -> str:
    """``e`` compared with 0: what is subtracted stands on the right, the constant where it adds."""
    constant = dict(e.terms).get((), 0)
    parts = sorted(_parts(e - constant), key=lambda p: p[0])
    left = [(1, node) for _, way, node in parts if way > 0]
    right = [(1, node) for _, way, node in parts if way < 0]
    if not left:  # 31 - n >= 0 is n <= 31
        left, right, constant = right, [], -constant
        sign = {"≥": "≤"}.get(sign, sign)
    if constant > 0 and right:
        left.append((1, constant))
    elif constant:
        right.append((1 if constant < 0 else -1, abs(constant)))
    return f"{_side(left)} {sign} {_side(right)}"


def _side(parts: list[tuple[int, Node]]) -> str:
    if len(parts) == 1 and parts[0][0] > 0:
        return plain(parts[0][1])
    return plain(Total(tuple(parts))) if parts else "0"


def _divisibility(e: Expr, verb: str) -> str:
    for m, _ in e.terms:
        for a in m:
            if isinstance(a, Div):
                remainder = a.num - a.den * Expr({(a,): 1})
                if e in (remainder, -remainder):
                    num = a.num if not _falls(a.num) else -a.num
                    return f"{plain(tree(a.den))} {verb} {plain(tree(num))}"
    return ""
