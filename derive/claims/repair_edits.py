"""Small changes to the syntax tree of a claim: each gives another claim and says what was changed.

An edit knows nothing of whether its result is true; :mod:`derive.claims.repair` finds that out.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from derive.expr import Div, Expr, Max
from derive.operators import OPERATORS

NAMED = ("same", "same_lower", "full", "valid")
SPREADS = ("stride", "dilation", "base_dilation")
LEFT = 0.3  # a change of the left side, the operator that a claim is about, comes later


@dataclass(frozen=True)
class Edit:
    """A changed body; the smaller the cost, the nearer to what was written."""

    cost: float
    words: str
    body: ast.expr


def put(tree: ast.expr, target: ast.AST, new: ast.expr) -> ast.expr:
    """The tree with the node ``target`` (by identity) replaced.

    >>> tree = ast.parse("flip(x) == x", mode="eval").body
    >>> ast.unparse(put(tree, tree.comparators[0], ast.Name("y")))
    'flip(x) == y'
    """
    if tree is target:
        return new
    changed = copy.copy(tree)
    for name, value in ast.iter_fields(tree):
        if isinstance(value, list):
            setattr(changed, name, [_inside(v, target, new) for v in value])
        else:
            setattr(changed, name, _inside(value, target, new))
    return changed


def _inside(value: object, target: ast.AST, new: ast.expr) -> object:
    if isinstance(value, ast.keyword):
        return ast.keyword(value.arg, put(value.value, target, new))
    return put(value, target, new) if isinstance(value, ast.expr) else value


def expression(text: str) -> ast.expr:
    """Text as a node."""
    return ast.parse(text, mode="eval").body


def edits(body: ast.Compare, gap: Sequence[Expr] = (), left_too: bool = True) -> list[Edit]:
    """Every change of one place, nearest first.

    ``gap`` is how much longer the left output is than the right one, along each axis.
    """
    found: list[Edit] = []
    for number, side in enumerate((body.left, body.comparators[0])):
        if number == 0 and not left_too:
            continue
        here: list[Edit] = []
        for call in calls_in(side):
            here += [*_kernel(body, call), *_padding(body, call), *_spread(body, call)]
            here += [*_order(body, call), *_numbers(body, call)]
        here += _lengthen(body, side, gap if number else [-d for d in gap])
        here.append(_turned(body, side))
        later = 0.0 if number else LEFT
        found += [Edit(e.cost + later, e.words, e.body) for e in here]
    return sorted(found, key=lambda e: e.cost)


def _turned(body: ast.expr, side: ast.expr) -> Edit:
    if isinstance(side, ast.Call) and _name(side) == "flip" and not side.keywords:
        return Edit(1.7, "the result is not flipped", put(body, side, side.args[0]))
    turned = ast.Call(ast.Name("flip"), [side], [])
    return Edit(1.7, "the result is flipped", put(body, side, turned))


def says_nothing(body: ast.expr) -> bool:
    """Is it no comparison, or one of something with itself?

    >>> says_nothing(expression("correlate(x[n], w) == correlate(x, flip(flip(w)))"))
    True
    """
    if not isinstance(body, ast.Compare):
        return True
    return plainest(body.left) == plainest(body.comparators[0])


def plainest(e: ast.expr) -> str:
    """An expression without what makes no difference: shapes beside the names of tensors, two flips
    in a row, the order of keywords, the way a number is written.

    >>> plainest(expression("correlate(flip(flip(x[n])), w, stride=s, padding=1 + k)"))
    'correlate(x, w, padding=k + 1, stride=s)'
    """
    return ast.unparse(_Plain().visit(copy.deepcopy(e)))


class _Plain(ast.NodeTransformer):
    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        return node.value if isinstance(node.value, ast.Name) else self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id == "flip" and not node.keywords:
            inner = node.args[0] if len(node.args) == 1 else None
            twice = isinstance(inner, ast.Call) and ast.unparse(inner.func) == "flip"
            if (
                isinstance(inner, ast.Call)
                and twice
                and len(inner.args) == 1
                and not inner.keywords
            ):
                return inner.args[0]
        node.keywords.sort(key=lambda k: k.arg or "")
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        if not isinstance(node.op, (ast.Add, ast.Sub)):
            return node
        numbers_last = sorted(_summands(node, 1), key=lambda p: (p[1].isdigit(), p[1], -p[0]))
        (sign, first), *rest = numbers_last
        text = first if sign > 0 else f"-({first})"
        return expression(" ".join([text, *(f"{'+' if g > 0 else '-'} {t}" for g, t in rest)]))


def _summands(e: ast.expr, sign: int) -> Iterator[tuple[int, str]]:
    """The parts of a sum with their signs."""
    if isinstance(e, ast.BinOp) and isinstance(e.op, (ast.Add, ast.Sub)):
        yield from _summands(e.left, sign)
        yield from _summands(e.right, sign if isinstance(e.op, ast.Add) else -sign)
    else:
        yield sign, ast.unparse(e)


def lengthened(body: ast.Compare, gap: Sequence[Expr]) -> list[Edit]:
    """What the right side is too short is added; nearest first."""
    return sorted(_lengthen(body, body.comparators[0], gap), key=lambda e: e.cost)


def calls_in(side: ast.expr) -> list[ast.Call]:
    """The operators that are called in an expression."""
    return [
        n
        for n in ast.walk(side)
        if isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id in OPERATORS
    ]


def _name(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _operand(call: ast.Call, position: int) -> ast.expr | None:
    """The operand at a position among the tensors of an operator."""
    tensors = OPERATORS[_name(call)].tensors
    if position >= len(tensors):
        return None
    for k in call.keywords:
        if k.arg == tensors[position]:
            return k.value
    return call.args[position] if position < len(call.args) else None


def _with(call: ast.Call, **changes: ast.expr | None) -> ast.Call:
    """The call with keywords set (or, with None, left out)."""
    kept = [k for k in call.keywords if k.arg not in changes]
    added = [ast.keyword(n, v) for n, v in changes.items() if v is not None]
    return ast.Call(call.func, call.args, kept + added)


def _keyword(call: ast.Call, name: str) -> ast.expr | None:
    return next((k.value for k in call.keywords if k.arg == name), None)


def _kernel(body: ast.expr, call: ast.Call) -> Iterator[Edit]:
    kernel = _operand(call, 1)
    if kernel is None:
        return
    shown = ast.unparse(kernel)
    if isinstance(kernel, ast.Call) and _name(kernel) == "flip" and not kernel.keywords:
        yield Edit(
            1.0, f"{ast.unparse(kernel.args[0])} is not flipped", put(body, kernel, kernel.args[0])
        )
    else:
        turned = ast.Call(ast.Name("flip"), [kernel], [])
        yield Edit(1.0, f"{shown} is flipped", put(body, kernel, turned))
    first = _operand(call, 0)
    if first is not None and len(call.args) > 1 and not isinstance(first, ast.List):
        swapped = ast.Call(call.func, [kernel, first, *call.args[2:]], call.keywords)
        yield Edit(1.6, f"the operands of {_name(call)} are exchanged", put(body, call, swapped))


def _padding(body: ast.expr, call: ast.Call) -> Iterator[Edit]:
    if _name(call) not in ("correlate", "convolve", "conv_transpose"):
        return
    given = _keyword(call, "padding")
    names = NAMED if _name(call) != "conv_transpose" else ()
    old = ast.unparse(given) if given is not None else "'valid'"
    for name in names:
        if repr(name) != old:
            named = None if name == "valid" else ast.Constant(name)
            words = f"{name} padding instead of {old.strip(chr(39))}"
            yield Edit(1.2, words, put(body, call, _with(call, padding=named)))
    for shown, value in _elsewhere(body, ("padding",)).items():
        if shown != old:
            words = f"with padding {shown.strip(chr(39))}"
            yield Edit(1.3, words, put(body, call, _with(call, padding=value)))
    if given is None or (isinstance(given, ast.Constant) and isinstance(given.value, str)):
        return
    options: list[tuple[float, str]] = []
    if isinstance(given, ast.Tuple) and len(given.elts) == 2:
        lo, hi = map(ast.unparse, given.elts)
        options = [(1.1, f"({hi}, {lo})"), (1.5, f"({lo}, {hi} + 1)"), (1.5, f"({lo} + 1, {hi})")]
        options += [(1.5, f"({lo}, {hi} - 1)"), (1.5, f"({lo} - 1, {hi})")]
    elif not isinstance(given, ast.Tuple):
        options = [(1.5, f"{old} + 1"), (1.5, f"{old} - 1"), (1.5, f"({old}, {old} - 1)")]
        options += [(1.5, f"({old} - 1, {old})")]
        k = _taps(call)
        if k is not None:
            options += [(1.4, f"({k} - 1)//2"), (1.3, f"(({k} - 1)//2, {k}//2)")]
            options += [(1.3, f"({k}//2, ({k} - 1)//2)"), (1.4, f"{k} - 1 - {old}")]
            d = _keyword(call, "dilation")
            if d is not None:
                options.append((1.4, f"({ast.unparse(d)})*({k} - 1) - {old}"))
    for cost, text in options:
        new = expression(text)
        words = f"the padding {ast.unparse(new)} instead of {old}"
        yield Edit(cost, words, put(body, call, _with(call, padding=new)))


def _spread(body: ast.expr, call: ast.Call) -> Iterator[Edit]:
    """Stride, dilation and base dilation: exchanged, moved, dropped, or taken from elsewhere."""
    known = OPERATORS[_name(call)]
    takes = [n for n in SPREADS if n in _parameters(known.name)]
    given = {n: _keyword(call, n) for n in takes}
    yield from _exchanged(body, call, given)
    for old, value in given.items():
        if value is None:
            continue
        for new in takes:
            if new != old and given[new] is None and {new, old} != {"stride", "dilation"}:
                moved = _with(call, **{old: None, new: value})
                words = f"{old.replace('_', ' ')} becomes {new.replace('_', ' ')}"
                yield Edit(1.3, words, put(body, call, moved))
    for k in call.keywords:
        if k.arg and k.arg != "padding":
            dropped = _with(call, **{k.arg: None})
            yield Edit(1.5, f"without {k.arg}={ast.unparse(k.value)}", put(body, call, dropped))
    for shown, value in _elsewhere(body, SPREADS).items():
        for new in takes:
            if given[new] is None:
                words = f"with {new.replace('_', ' ')} {shown}"
                yield Edit(1.6, words, put(body, call, _with(call, **{new: value})))


def _elsewhere(body: ast.expr, names: Sequence[str]) -> dict[str, ast.expr]:
    """The values that some keywords have anywhere in the claim, by how they are written."""
    return {
        ast.unparse(k.value): k.value
        for n in ast.walk(body)
        if isinstance(n, ast.Call)
        for k in n.keywords
        if k.arg in names
    }


def _exchanged(body: ast.expr, call: ast.Call, given: dict[str, ast.expr | None]) -> Iterator[Edit]:
    both = [n for n in ("stride", "dilation") if given.get(n) is not None]
    if not both or "dilation" not in given:
        return
    words = "stride and dilation are exchanged"
    if len(both) == 1:
        words = f"{both[0]} becomes {'dilation' if both == ['stride'] else 'stride'}"
    swapped = _with(call, stride=given["dilation"], dilation=given.get("stride"))
    yield Edit(1.3, words, put(body, call, swapped))


def _parameters(name: str) -> tuple[str, ...]:
    import inspect

    return tuple(inspect.signature(OPERATORS[name].build).parameters)


def _order(body: ast.expr, call: ast.Call) -> Iterator[Edit]:
    """f(g(x)) becomes g(f(x))."""
    inner = call.args[0] if call.args else None
    if not isinstance(inner, ast.Call) or inner not in calls_in(call) or not inner.args:
        return
    deep = ast.Call(call.func, [inner.args[0], *call.args[1:]], call.keywords)
    turned = ast.Call(inner.func, [deep, *inner.args[1:]], inner.keywords)
    both = f"{_name(call)} and {_name(inner)}" if _name(call) != _name(inner) else "the two"
    words = f"the order of {both} is exchanged"
    yield Edit(1.2, words, put(body, call, turned))


def _numbers(body: ast.expr, call: ast.Call) -> Iterator[Edit]:
    """Another constant: one more or one less."""
    tensors = len(OPERATORS[_name(call)].tensors)
    plain = [a for a in call.args[tensors:] if not isinstance(a, (ast.Tuple, ast.List))]
    plain += [k.value for k in call.keywords if k.arg not in ("padding", "dims")]
    for a in plain:
        value = a.value if isinstance(a, ast.Constant) else None
        if isinstance(a, ast.Constant) and (isinstance(value, bool) or not isinstance(value, int)):
            continue
        for sign, change in (("+", 1), ("-", -1)):
            text = f"{ast.unparse(a)} {sign} 1"
            if isinstance(value, int):
                text = str(value + change)
            words = f"{text} instead of {ast.unparse(a)} in {_name(call)}"
            yield Edit(1.5, words, put(body, a, expression(text)))


def _lengthen(body: ast.expr, side: ast.expr, gap: Sequence[Expr]) -> Iterator[Edit]:
    """What a side is too short is added behind: as output padding, as padding, or as zeros."""
    if not any(d != 0 for d in gap):
        return
    texts = [length_text(d) for d in gap]
    if any("//" in t for t in texts):
        return  # nobody would write that
    total = texts[0] if len(texts) == 1 else f"({', '.join(texts)})"
    behind = ", ".join(f"(0, {t})" for t in texts)
    padding = behind if len(texts) == 1 else f"({behind})"
    shown = " and ".join(t for t in texts if t != "0")
    for call in calls_in(side):
        name = _name(call)
        if name == "conv_transpose" and _keyword(call, "output_padding") is None:
            new = _with(call, output_padding=expression(total))
            yield Edit(1.1, f"with the remainder {shown} as output padding", put(body, call, new))
        if name in ("correlate", "convolve") and len(texts) == 1:
            yield from _behind(body, call, texts[0])
        padded = ast.Call(ast.Name("pad"), [call, expression(padding)], [])
        yield Edit(1.4, f"with {shown} zeros behind {name}", put(body, call, padded))


def _behind(body: ast.expr, call: ast.Call, more: str) -> Iterator[Edit]:
    given = _keyword(call, "padding")
    k = _taps(call)
    d = _keyword(call, "dilation")
    lo = hi = "0"
    if isinstance(given, ast.Constant) and given.value == "full":
        if k is None:
            return
        reach = f"{k} - 1" if d is None else f"({ast.unparse(d)})*({k} - 1)"
        lo = hi = reach
    elif isinstance(given, ast.Tuple) and len(given.elts) == 2:
        lo, hi = map(ast.unparse, given.elts)
    elif isinstance(given, ast.Constant) and isinstance(given.value, str):
        return
    elif given is not None:
        lo = hi = ast.unparse(given)
    new = expression(f"({lo}, {hi} + {more})" if hi != "0" else f"({lo}, {more})")
    words = f"with the remainder {more} as padding behind"
    if more.startswith("-(") and more.endswith(")"):
        words = f"without the remainder {more[2:-1]} behind"
    yield Edit(1.2, words, put(body, call, _with(call, padding=new)))


def _taps(call: ast.Call) -> str | None:
    """The kernel length of a call whose kernel is a standard tensor, flipped or not."""
    bare = _operand(call, 1)
    while isinstance(bare, ast.Call) and _name(bare) == "flip" and bare.args:
        bare = bare.args[0]
    return {"w": "k", "v": "l"}.get(ast.unparse(bare)) if bare is not None else None


def length_text(e: Expr) -> str:
    """An integer expression as a person would write it: remainders, quotients that are rounded up
    and minima by name.

    >>> from derive.expr import maximum
    >>> from derive.symbols import sizes
    >>> n, k, s = sizes("n k s")
    >>> length_text((n - k) - s * ((n - k) // s))
    '(n - k) % s'
    >>> length_text(1 - (k - n) // s), length_text(-maximum(-n, -k))
    ('ceil_div(n - k, s) + 1', 'min(k, n)')
    """
    for a in e.atoms():
        if isinstance(a, Div) and -e == a.num - a.den * Expr({(a,): 1}):
            return f"-({length_text(-e)})"
        if isinstance(a, Div) and e == a.num - a.den * Expr({(a,): 1}):
            num = str(a.num) if a.num.symbol else f"({a.num})"
            den = str(a.den) if a.den.symbol or a.den.constant else f"({a.den})"
            return f"{num} % {den}"
    for a in e.atoms():
        rest = e + Expr({(a,): 1})
        if a in rest.atoms() or not isinstance(a, (Div, Max)):
            continue
        if isinstance(a, Div):
            text = f"ceil_div({length_text(-a.num)}, {length_text(a.den)})"
        else:
            text = f"min({length_text(-a.left)}, {length_text(-a.right)})"
        if rest == 0:
            return text
        more = length_text(rest)
        return f"{text} - {more[1:]}" if more[0] == "-" and "(" not in more else f"{text} + {more}"
    return str(e)
