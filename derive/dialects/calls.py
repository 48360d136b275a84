"""Calls as people write them, read as data: parsed with :mod:`ast`, never evaluated.

A text is an expression or a short program of assignments; imports are skipped.  Names that nothing
assigns are tensors where a call takes a tensor, and sizes where it takes a number.

>>> call = read_calls("nn.Conv2d(3, 16, kernel_size=3, stride=2)")[-1].value
>>> call.name, call.arguments, call.keywords
('nn.Conv2d', (3, 16), (('kernel_size', 3), ('stride', 2)))
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NoReturn, TypeAlias

from derive.claims.parse import (
    MAX_DEPTH,
    MAX_LENGTH,
    MAX_NODES,
    MAX_NUMBER,
    ClaimError,
    too_large,
)
from derive.errors import WrongInput, expect

SKIPPED = (ast.Import, ast.ImportFrom, ast.Pass)


@dataclass(frozen=True)
class Name:
    """A name that the text uses: a tensor or a size, whichever the call takes in that place."""

    name: str
    shape: tuple[Value, ...] | None = None  # as in x[1, 3, n, n]
    amount: bool = False  # may it be 0, because it stands for a padding?

    def __str__(self) -> str:
        return self.name

    __repr__ = __str__


@dataclass(frozen=True)
class Sum:
    """Arithmetic with names, kept as it is written: ``2 * h``."""

    sign: str
    left: Value
    right: Value

    def __str__(self) -> str:
        left = "" if self.left == 0 and self.sign == "-" else _inner(self.left)
        return f"{left}{self.sign}{_inner(self.right)}"

    __repr__ = __str__


@dataclass(frozen=True)
class Call:
    """A call: the dotted name of what is called, its arguments, and the text it was read from.

    ``on`` holds the arguments of a second call, as in ``Conv2D(16, 3)(x)``: what the layer is
    applied to; ``on_keywords`` its keywords.
    """

    name: str
    arguments: tuple[Value, ...]
    keywords: tuple[tuple[str, Value], ...]
    text: str = ""
    on: tuple[Value, ...] = ()
    on_keywords: tuple[tuple[str, Value], ...] = ()

    def __str__(self) -> str:
        shown = [show(a) for a in self.arguments]
        shown += [f"{k}={show(v)}" for k, v in self.keywords]
        applied = [*map(show, self.on), *(f"{k}={show(v)}" for k, v in self.on_keywords)]
        on = f"({', '.join(applied)})" if applied else ""
        return f"{self.name}({', '.join(shown)}){on}"

    __repr__ = __str__


@dataclass(frozen=True)
class Assigned:
    """A statement: ``target = value``; the target is empty for a bare expression."""

    target: str
    value: Value


Value: TypeAlias = "int | Fraction | str | bool | Name | Sum | Call | tuple[Value, ...] | None"


def show(value: Any) -> str:
    """A value as it is written in Python.

    >>> show((1, "same", None))
    "(1, 'same', None)"
    """
    if isinstance(value, tuple):
        return f"({', '.join(map(show, value))}{',' if len(value) == 1 else ''})"
    if isinstance(value, str):
        return repr(value)
    if isinstance(value, Fraction):
        return repr(float(value))
    return str(value)


def _inner(value: Any) -> str:
    return f"({value})" if isinstance(value, Sum) else show(value)


def read_calls(text: str) -> tuple[Assigned, ...]:
    r"""The statements of a text in their order.

    Raises:
        WrongInput: for text that is too long or too deep, that is not Python, or that holds more
            than calls and their arguments; the message shows the place.

    >>> [s.target for s in read_calls("x = Conv2D(8, 3)(x)\nMaxPooling2D()(x)")]
    ['x', '']
    """
    expect(text, str, "call", "a text was expected; write the call, as 'nn.Conv2d(3, 16, 3)'")
    if len(text) > MAX_LENGTH:
        raise WrongInput(
            f"reading the call: it has {len(text)} characters, the limit is {MAX_LENGTH}; shorten it"
        )
    plain = "\n".join(line.strip() if _whole(text) else line for line in text.strip().splitlines())
    if not plain:
        raise WrongInput("reading the call: it is empty; write something like nn.Conv2d(3, 16, 3)")
    large = too_large(plain)
    if large is not None:
        raise ClaimError(plain, large, LARGE)
    try:
        tree = ast.parse(plain)
    except SyntaxError as e:
        lines = plain.splitlines()
        line = min(max((e.lineno or 1) - 1, 0), len(lines) - 1)
        start = sum(len(at) + 1 for at in lines[:line])
        place = min(start + max((e.offset or 1) - 1, 0), len(plain) - 1)
        raise ClaimError(plain, place, f"{e.msg}; a call was expected") from None
    except (RecursionError, MemoryError, ValueError):
        raise WrongInput("reading the call: it is too deep or too large; simplify it") from None
    _bound(plain, tree)
    reader = _Reader(plain)
    found = tuple(s for node in tree.body for s in reader.statement(node))
    if not found:
        raise WrongInput("reading the call: there is no call; write one, as nn.Conv2d(3, 16, 3)")
    return found


def _whole(text: str) -> bool:
    """Is every line a statement of its own, so that indentation from pasting can be dropped?"""
    return text.count("(") == text.count(")") and all(
        line.count("(") == line.count(")") and line.count("[") == line.count("]")
        for line in text.splitlines()
    )


def _bound(text: str, tree: ast.Module) -> None:
    pending: list[tuple[ast.AST, int]] = [(tree, 0)]
    count = 0
    while pending:
        node, depth = pending.pop()
        count += 1
        if depth > MAX_DEPTH or count > MAX_NODES:
            raise WrongInput("reading the call: it is too deep or too large; simplify it")
        pending += [(child, depth + 1) for child in ast.iter_child_nodes(node)]


@dataclass(frozen=True)
class _Reader:
    text: str

    def fail(self, node: ast.AST, expected: str) -> NoReturn:
        lines = self.text.splitlines(keepends=True)
        line = getattr(node, "lineno", 1) - 1
        place = sum(map(len, lines[:line])) + getattr(node, "col_offset", 0)
        raise ClaimError(self.text, min(place, len(self.text) - 1), expected)

    def statement(self, node: ast.stmt) -> tuple[Assigned, ...]:
        if isinstance(node, SKIPPED):
            return ()
        if isinstance(node, ast.Expr):
            return (Assigned("", self.tensor(node.value)),)
        match node:
            case ast.AugAssign(target=ast.Name() | ast.Attribute(), op=ast.Add()):
                name = ast.unparse(node.target)
                return (Assigned(name, Sum("+", Name(name), self.tensor(node.value))),)
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target = node.targets[0]
            if isinstance(target, (ast.Name, ast.Attribute)):
                return (Assigned(ast.unparse(target), self.tensor(node.value)),)
        self.fail(node, "a call or an assignment `name = call` was expected")

    def tensor(self, node: ast.expr) -> Value:
        """A value that may be a sum of calls, as ``x + conv(x)``."""
        summed = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add)
        if summed and any(isinstance(n, ast.Call) for n in ast.walk(node)):
            assert isinstance(node, ast.BinOp)
            return Sum("+", self.tensor(node.left), self.tensor(node.right))
        return self.value(node)

    def value(self, node: ast.expr) -> Value:
        match node:
            case ast.Constant():
                return self.constant(node)
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                return tuple(self.value(p) for p in parts)
            case ast.Name(id=name):
                return Name(name)
            case ast.Attribute():
                return Name(self.dotted(node))
            case ast.Subscript(value=ast.Name(id=name), slice=at):
                parts = at.elts if isinstance(at, ast.Tuple) else [at]
                return Name(name, tuple(self.value(p) for p in parts))
            case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=inner):
                value = self.value(inner)
                if isinstance(node.op, ast.UAdd):
                    return value
                return _arithmetic(self, node, "-", 0, value)
            case ast.BinOp(left=a, right=b):
                return _arithmetic(self, node, _sign(self, node), self.value(a), self.value(b))
            case ast.Call():
                return self.call(node)
        self.fail(node, "a number, a name, a tuple, a text or a call was expected")

    def constant(self, node: ast.Constant) -> Value:
        value: Any = node.value
        if isinstance(value, float):
            value = Fraction(repr(value)) if abs(value) < MAX_NUMBER else self.fail(node, LARGE)
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) > MAX_NUMBER:
            self.fail(node, LARGE)
        if value is None or isinstance(value, (bool, int, str, Fraction)):
            return value
        self.fail(node, "a number, a text, True, False or None was expected")

    def dotted(self, node: ast.expr) -> str:
        if isinstance(node, ast.Name):
            return node.id
        if isinstance(node, ast.Attribute):
            return f"{self.dotted(node.value)}.{node.attr}"
        self.fail(node, "a name was expected")

    def call(self, node: ast.Call) -> Call:
        text = ast.get_source_segment(self.text, node) or ast.unparse(node)
        if isinstance(node.func, ast.Call):
            inner = self.call(node.func)
            if inner.on:
                self.fail(node, "a layer is applied to its input once: layer(…)(x)")
            on = tuple(self.value(a) for a in node.args)
            named = self.keywords(node)
            return Call(inner.name, inner.arguments, inner.keywords, text, on, named)
        arguments = tuple(self.value(a) for a in node.args)
        return Call(self.dotted(node.func), arguments, self.keywords(node), text)

    def keywords(self, node: ast.Call) -> tuple[tuple[str, Value], ...]:
        keywords: list[tuple[str, Value]] = []
        for keyword in node.keywords:
            if keyword.arg is None:
                self.fail(keyword.value, "arguments are written out; ** cannot be read here")
            if keyword.arg in dict(keywords):
                self.fail(keyword, f"keyword argument repeated: {keyword.arg}; write it once")
            keywords.append((keyword.arg, self.value(keyword.value)))
        return tuple(keywords)


EXTREMES = ("max", "min")
LARGE = f"numbers go up to {MAX_NUMBER}; use a name for a large size"
SIGNS: dict[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
}
NUMBERS: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: Fraction(a) / b,
    "//": lambda a, b: a // b,
    "%": lambda a, b: a % b,
}


def _sign(reader: _Reader, node: ast.BinOp) -> str:
    if type(node.op) not in SIGNS:
        reader.fail(node, "one of + - * / // % was expected")
    return SIGNS[type(node.op)]


def _arithmetic(reader: _Reader, node: ast.AST, sign: str, a: Value, b: Value) -> Value:
    numbers = [isinstance(v, (int, Fraction)) and not isinstance(v, bool) for v in (a, b)]
    if all(numbers):
        if sign in ("/", "//", "%") and b == 0:
            reader.fail(node, "a division by zero")
        value = NUMBERS[sign](a, b)
        return int(value) if isinstance(value, int) else value
    sizes = [isinstance(v, (Name, Sum)) or _is_extreme(v) for v in (a, b)]
    if not all(n or size for n, size in zip(numbers, sizes, strict=True)):
        called = next((v for v in (a, b) if isinstance(v, Call)), None)
        if called is not None:
            first = f"give the call a name on a line of its own first: h = {called}"
            reader.fail(node, f"arithmetic is between numbers and names; {first}")
        reader.fail(node, "arithmetic is between numbers and sizes")
    return Sum(sign, a, b)


def _is_extreme(value: Value) -> bool:
    return isinstance(value, Call) and value.name in EXTREMES
