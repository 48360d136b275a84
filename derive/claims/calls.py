"""Reading a framework's call in the text of a claim: which arguments are tensors, and what they are."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

from derive.claims import framework, functions
from derive.claims.arrays import Row, array_of
from derive.claims.framework import Unknown
from derive.claims.names import Names
from derive.claims.values import Op
from derive.dialects.calls import Call, Name
from derive.dialects.registry import known
from derive.errors import DeriveError, WrongInput
from derive.expr import Expr
from derive.form import Ratio
from derive.operators import OPERATORS

Evaluate = Callable[[ast.expr], Any]


def dotted(node: ast.expr) -> str:
    """The dotted name of what is called; empty for anything else.

    >>> dotted(ast.parse("tf.nn.conv2d", mode="eval").body)
    'tf.nn.conv2d'
    """
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def called(node: ast.Call) -> str:
    """The name of a framework's function or layer that is called; empty where it is none."""
    name = dotted(node.func.func if isinstance(node.func, ast.Call) else node.func)
    if not name or name in OPERATORS or name in functions.FUNCTIONS:
        return ""
    return name if "." in name or known(name) else ""


def number_sides(reader: Any, tree: ast.expr) -> None:
    """Before a claim is read: which layer is on which side of a comparison."""
    sides = [s for n in ast.walk(tree) if isinstance(n, ast.Compare) for s in _sides(n)]
    for number, side in enumerate(sides):
        for node in ast.walk(side):
            reader.names.layers.sides[id(node)] = number


def prepare(reader: Any, tree: ast.expr) -> None:
    """Before a claim is read: the shapes that calls tell.

    A shape is in the order of the call that it is written in, so such calls come first; layers come
    before functions, since their weights have shapes that are known.
    """
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and called(n)]
    if not calls:
        return
    ordered = [n for n in _inner_first(tree) if isinstance(n, ast.Call) and called(n)]
    for node in sorted(ordered, key=_turn):
        _try(reader.value, node)


def _turn(node: ast.Call) -> tuple[bool, bool]:
    given = (*node.args, *(k.value for k in node.keywords))
    written = any(isinstance(a, ast.Subscript) for a in given)
    return not written, not isinstance(node.func, ast.Call)


def _sides(node: ast.Compare) -> tuple[ast.expr, ...]:
    return (node.left, *node.comparators)


def _inner_first(tree: ast.AST) -> Iterator[ast.AST]:
    """The nodes in the order in which they are evaluated."""
    for child in ast.iter_child_nodes(tree):
        yield from _inner_first(child)
    yield tree


def _try(value: Evaluate, node: ast.expr) -> None:
    try:
        value(node)
    except DeriveError:
        return  # reading the claim itself says what is wrong


def framework_call(value: Evaluate, names: Names, node: ast.Call, dialect: str = "") -> Op:
    """The operator that a call of a framework is.

    Args:
        value: what an expression of the claim stands for.
        names: the names of the claim.
        node: the call, ``F.conv2d(x, w)`` or ``nn.Conv2d(3, 16, 3)(x)``.
        dialect: the framework that is meant where a name is of several.

    Raises:
        WrongInput: for an unknown call, for arguments that do not fit, and for what the framework
            refuses.
    """
    inner = node.func if isinstance(node.func, ast.Call) else None
    layer = inner or node
    name = dotted(layer.func)
    if inner is not None:
        plain, keywords = _plain(value, inner)
        spec = framework.meant(name, plain, keywords, dialect)
        if not framework.is_object(spec):
            raise WrongInput(f"{name}: it is a function, applied once; write {name}(x, …)")
        if not node.args:
            raise WrongInput(f"{name}: the layer has no input; write {name}(…)(x)")
        more = tuple(argument(value, a) for a in node.args[1:])
        later = tuple((k.arg or "", argument(value, k.value)) for k in node.keywords)
        source = operand(value, names, node.args[0])
        text = ast.unparse(inner)
        written = Call(name, plain, tuple(keywords.items()), text, (Name("x"), *more), later)
        return framework.on_layer(spec, written, source, names, id(inner))
    words = {k.arg: k.value for k in node.keywords if k.arg is not None}
    stand_in: dict[str, Any] = dict.fromkeys(words, 1)
    spec = framework.meant(name, [1] * len(node.args), stand_in, dialect)
    if framework.is_object(spec):
        raise WrongInput(f"{name}: it is a layer; apply it to its input, as {name}(…)(x)")
    tensors = framework.call_tensors(spec, len(node.args), list(words))
    operands: dict[str, Op | Unknown] = {}
    arguments: list[Any] = []
    given: dict[str, Any] = {}
    shapes: dict[int | str, str] = {}
    places: list[tuple[int | str, ast.expr]] = [*enumerate(node.args), *words.items()]
    for place, inside in places:
        entry: Any
        if isinstance(inside, ast.Attribute) and inside.attr == "shape":
            shapes[place] = names.axes.get(dotted(inside.value), "")
        if place in tensors and not (isinstance(inside, ast.Constant) and inside.value is None):
            operands[tensors[place]] = operand(value, names, inside)
            entry = Name(tensors[place])
        else:
            entry = argument(value, inside)
        if isinstance(place, int):
            arguments.append(entry)
        else:
            given[place] = entry
    return framework.functional(spec, arguments, given, operands, names, shapes)


def _plain(value: Evaluate, node: ast.Call) -> tuple[tuple[Any, ...], dict[str, Any]]:
    for k in node.keywords:
        if k.arg is None:
            raise WrongInput(f"{dotted(node.func)}: `**` cannot be read; write the arguments out")
    plain = tuple(argument(value, a) for a in node.args)
    return plain, {str(k.arg): argument(value, k.value) for k in node.keywords}


def operand(value: Evaluate, names: Names, node: ast.expr) -> Op | Unknown:
    """A tensor argument; a name that nothing declares is one."""
    if isinstance(node, ast.Name):
        met = (*names.tensors, *names.integers)
        if node.id not in met and not names.holds(node.id):
            return Unknown(node.id)
    found = value(node)
    if isinstance(found, Row | Op):
        return found if isinstance(found, Op) else Op(array_of(found))
    raise WrongInput(
        f"{ast.unparse(node)} is {functions.describe(found)}; a tensor was expected in its place"
    )


def argument(value: Evaluate, node: ast.expr) -> Any:
    """An argument that is no tensor, as the dialects take it."""
    if isinstance(node, ast.Tuple | ast.List):
        return tuple(argument(value, e) for e in node.elts)
    if isinstance(node, ast.Attribute) and node.attr != "shape" and dotted(node):
        return Name(dotted(node))
    return _given(value(node), node)


def _given(found: Any, node: ast.expr) -> Any:
    if isinstance(found, tuple):
        return tuple(_given(v, node) for v in found)
    if isinstance(found, Expr):
        return found if found.constant is None else found.constant
    if isinstance(found, Ratio):
        if found.num.constant is None or found.den.constant is None:
            raise WrongInput(f"{ast.unparse(node)}: a number was expected, not a fraction of sizes")
        return Fraction(found.num.constant, found.den.constant)
    if found is None or isinstance(found, bool | str):
        return found
    raise WrongInput(
        f"{ast.unparse(node)} is {functions.describe(found)}; a number was expected in its place"
    )
