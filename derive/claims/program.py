r"""Programs as people paste them, taken apart: assignments, results printed beneath, and claims.

Nothing is evaluated.  Comments, imports and prompts are left out, and so are lines of prose that
begin with ``=>``.  What a line prints (``tf.Tensor([[…]], shape=…)``, ``array([…])``, rows of numbers)
belongs to the line above it.

>>> [s.target for s in statements("In [1]: out = conv2d(x, w)\nd_w = conv2d(x, d_out)  # a comment")]
['out', 'd_w']
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from textwrap import dedent

from derive.claims.parse import LARGE, MAX_LENGTH, MAX_NUMBER, ClaimError, parse, placed, too_large
from derive.errors import WrongInput, clipped

MAX_LINES = 400
MAX_NUMBERS = 4_096
MAX_DIGITS = 100
EXPONENT = re.compile(r"[eE][+-]?0*[1-9][0-9]{2,}")  # beyond 99
PROMPT = re.compile(r"^\s*(In \[\d+\]:|>>>|\.\.\.(?=\s|$)) ?")
SHOWN = re.compile(r"^\s*Out\[\d+\]:\s*")
RESULT = re.compile(
    r"^\s*((<?tf\.Tensor|tensor|np\.array|array|Array|DeviceArray)\s*\(|\[\[|\[ *-?[\d.])"
)
PROSE = re.compile(r"^\s*(=>|->|\$ )")
NUMBER = re.compile(r"-?\d+\.?\d*(?:[eE][-+]?\d+)?|[\[\]]")
EQUALITIES = frozenset(
    (
        *("allclose", "assert_allclose", "array_equal", "assert_array_equal", "assert_equal"),
        *("assert_array_almost_equal", "assert_almost_equal", "equal", "assertAllClose"),
    )
)
LINE = re.compile(
    r"^\s*(In \[\d+\]: |>>> )?([A-Za-z_]\w* = |print\(.*\n|for \w+ in range)", re.MULTILINE
)
PROPERTIES = ("covered", "disjoint")


@dataclass(frozen=True)
class Printed:
    """A printed result: its numbers row by row, as a text that a claim can hold, and its shape."""

    text: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Slot:
    """A part of an array that a loop fills: its indices, the loop's index, and how often it runs."""

    indices: tuple[str, ...]  # "" for all of an axis
    index: str
    times: str


@dataclass(frozen=True)
class Statement:
    """A line of a program: an assignment, an expression that is shown, or a claim."""

    text: str
    target: str = ""
    claim: bool = False
    printed: Printed | None = None
    slot: Slot | None = None


def is_program(text: str) -> bool:
    """Is the text a program rather than a claim: does a line assign something or show a result?

    >>> is_program("out = conv2d(x, w)"), is_program("flip(flip(x)) == x")
    (True, False)
    """
    if len(text) > MAX_LENGTH or not re.search(r"(?<![=<>!])=(?!=)|\bprint\b|\bIn \[", text):
        return False
    try:
        found = statements(text)
    except WrongInput:
        return bool(LINE.search(text)) and not _is_claim(text)
    return any(s.target or s.printed for s in found)


def _is_claim(text: str) -> bool:
    try:
        parse(text)
    except WrongInput:
        return False
    return True


def statements(text: str) -> tuple[Statement, ...]:
    """The lines of a program.

    Raises:
        WrongInput: for a program that is too long, and for a line that cannot be read, with the
            place.
    """
    if len(text) > MAX_LENGTH:
        raise WrongInput(
            f"reading the program: it has {len(text)} characters, the limit is {MAX_LENGTH}; shorten it"
        )
    found: list[Statement] = []
    for chunk in _chunks(text):
        if RESULT.match(chunk) or (SHOWN.match(chunk) and not SHOWN.sub("", chunk, 1).strip()):
            body = SHOWN.sub("", chunk, 1)
            if body.strip() and found:
                found[-1] = replace(found[-1], printed=printed(body))
            continue
        found += _read(chunk)
    return tuple(found)


def _chunks(text: str) -> Iterator[str]:
    """Lines that belong together: until all brackets are closed, and blocks with what is inside."""
    lines = dedent(text.replace("\t", "    ").replace("\r", "")).split("\n")
    if len(lines) > MAX_LINES:
        raise WrongInput(f"reading the program: it has over {MAX_LINES} lines; shorten it")
    kept: list[str] = []
    depth = 0
    for raw in lines:
        line = PROMPT.sub("", raw, 1)
        if depth == 0 and (not line.strip() or line.lstrip().startswith("#") or PROSE.match(line)):
            continue
        if kept and depth == 0:
            if len(kept) == 1 and re.match(r"for\b.*:\s*$", kept[0]) and not line[0].isspace():
                line = f"    {line}"  # the indentation was lost in pasting
            inside = (
                line[0].isspace() and kept[0].rstrip().endswith(":") and not SHOWN.match(kept[0])
            )
            if not inside:
                yield "\n".join(kept)
                kept = []
        if SHOWN.match(line) and SHOWN.sub("", line, 1).strip():
            line = SHOWN.sub("", line, 1)
        kept.append(line)
        depth = max(0, depth + _depth(line))
    if kept:
        yield "\n".join(kept)


def _depth(line: str) -> int:
    """How many brackets a line opens beyond those it closes; comments and quotes do not count."""
    bare = re.sub(r"'[^']*'|\"[^\"]*\"", "", line).split("#", 1)[0]
    return sum(bare.count(c) for c in "([{") - sum(bare.count(c) for c in ")]}")


def printed(text: str) -> Printed:
    """A printed array.

    >>> printed("tf.Tensor([[0. 1.5]], shape=(1, 2), dtype=float64)").text
    '[[0, 3/2]]'
    """
    start, end = text.find("["), text.rfind("]")
    tokens = NUMBER.findall(text[start : end + 1])
    if "..." in text[start : end + 1]:
        raise WrongInput(
            "reading the program: a printed result is cut short with …; give all of it"
        )
    if len(tokens) > 2 * MAX_NUMBERS:
        raise WrongInput(
            f"reading the program: a result has over {MAX_NUMBERS} numbers; shorten it"
        )
    shape: list[int] = []
    counts: list[int] = [0]
    out: list[str] = []
    for t in tokens:
        if t == "]":
            depth = len(counts) - 1
            n = counts.pop()
            while len(shape) < depth:
                shape.append(0)
            if depth < 1 or shape[depth - 1] not in (0, n):
                raise WrongInput(
                    "reading the program: a printed result has rows of unequal length; mend it"
                )
            shape[depth - 1] = n
            out.append("]")
            continue
        if counts[-1]:
            out.append(", ")
        counts[-1] += 1
        if t == "[":
            counts.append(0)
            out.append("[")
        else:
            out.append(_number(t))
    if len(counts) != 1 or not shape:
        raise WrongInput("reading the program: a printed result is not closed; give all of it")
    said = re.search(r"shape=\(([\d, ]*)\)", text)
    if said is not None:
        wanted = [int(v) for v in said[1].replace(" ", "").split(",") if v]
        if wanted != shape:
            raise WrongInput(
                f"reading the program: a printed result says shape=({said[1]}) but its rows have the "
                f"shape {tuple(shape)}; mend one of them"
            )
    return Printed("".join(out), tuple(shape))


def _number(token: str) -> str:
    too_long = len(token) > MAX_DIGITS or EXPONENT.search(token) is not None
    value = Fraction(MAX_NUMBER + 1) if too_long else Fraction(token)
    if abs(value.numerator) > MAX_NUMBER or value.denominator > MAX_NUMBER:
        raise WrongInput(
            f"reading the program: the number {clipped(token)} is too large or too exact"
        )
    return str(value)


def _read(chunk: str) -> Iterator[Statement]:
    large = too_large(chunk)
    if large is not None:
        said = placed(chunk, large, LARGE)
        raise WrongInput(said.replace("reading the claim", "reading the program", 1))
    try:
        tree = ast.parse(chunk)
    except SyntaxError as error:
        if _is_claim(chunk):
            yield Statement(" ".join(chunk.split()), claim=True)
            return
        line = min(max((error.lineno or 1) - 1, 0), chunk.count("\n"))
        place = sum(len(at) + 1 for at in chunk.split("\n")[:line]) + max(
            (error.offset or 1) - 1, 0
        )
        said = "an assignment, a call, a printed result or a claim was expected"
        raise ClaimError(chunk, min(place, len(chunk) - 1), f"{error.msg}; {said}") from None
    except (RecursionError, MemoryError, ValueError):
        raise WrongInput("reading the program: a line is too deep or too large") from None
    for node in tree.body:
        yield from _statement(_Dropped().visit(node), chunk)


class _Dropped(ast.NodeTransformer):
    """Leaves out what says nothing about values: what a session is fed with, and element types."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Leave out such arguments."""
        self.generic_visit(node)
        node.keywords = [k for k in node.keywords if k.arg not in ("feed_dict", "dtype")]
        return node


def _statement(node: ast.stmt, chunk: str) -> Iterator[Statement]:
    if _silent(node):
        return
    match node:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            yield Statement(ast.unparse(value), name)
        case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)) if len(
            names
        ) == len(values) and all(isinstance(n, ast.Name) for n in names):
            for each, inner in zip(names, values, strict=True):
                yield Statement(ast.unparse(inner), ast.unparse(each))
        case ast.With(body=body):
            for line in body:
                yield from _statement(line, chunk)
        case ast.Assert(test=test):
            yield _claimed(test)
        case ast.For(target=ast.Name(id=index), iter=ast.Call(func=ast.Name(id="range"), args=[n])):
            for line in node.body:
                yield _filled(line, index, ast.unparse(n), chunk)
        case ast.Expr(value=value):
            yield _shown(value)
        case _:
            raise ClaimError(
                chunk,
                0,
                "an assignment `name = …`, a call, a printed result or a claim was expected; write "
                "what a function does as lines",
            )


def _silent(node: ast.stmt) -> bool:
    """Does the line say nothing about values: an import, a text, a call that only prepares?"""
    match node:
        case ast.Import() | ast.ImportFrom() | ast.Pass():
            return True
        case ast.Expr(value=ast.Constant(value=str())):
            return True
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr="watch" | "requires_grad_" | "seed"))):
            return True
    return False


def _claimed(test: ast.expr) -> Statement:
    if isinstance(test, ast.Call) and _last(test) in EQUALITIES and len(test.args) >= 2:
        test = ast.Compare(test.args[0], [ast.Eq()], [test.args[1]])
    return Statement(ast.unparse(test), claim=True)


def _shown(value: ast.expr) -> Statement:
    if isinstance(value, ast.Call):
        last = _last(value)
        if last in EQUALITIES or last in PROPERTIES:
            return _claimed(value)
        if last == "print":
            return _shown(value.args[-1]) if value.args else Statement("0")
    if isinstance(value, (ast.Compare, ast.BoolOp)) or (
        isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.Not)
    ):
        return Statement(ast.unparse(value), claim=True)
    return Statement(ast.unparse(value))


def _last(node: ast.Call) -> str:
    return ast.unparse(node.func).rsplit(".", 1)[-1]


def _filled(node: ast.stmt, index: str, times: str, chunk: str) -> Statement:
    """``a[:, :, i] = …`` in a loop over ``i``."""
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
        at = node.targets[0]
        parts = at.slice.elts if isinstance(at.slice, ast.Tuple) else [at.slice]
        plain = [
            "" if isinstance(p, ast.Slice) and ast.unparse(p) == ":" else ast.unparse(p)
            for p in parts
        ]
        known = all(p == "" or p == index or p.isdecimal() for p in plain)
        if isinstance(at.value, ast.Name) and known:
            return Statement(
                ast.unparse(node.value), at.value.id, slot=Slot(tuple(plain), index, times)
            )
    raise ClaimError(
        chunk,
        0,
        f"in a loop, an assignment to a part of an array was expected, as a[:, {index}] = …",
    )


def last_claim(text: str) -> str:
    r"""The claim that a program ends with; empty where it ends with another line.

    >>> last_claim("y = flip(x)\nflip(y) == x")
    'flip(y) == x'
    """
    try:
        found = statements(text)
    except WrongInput:
        return ""
    return found[-1].text if found and found[-1].claim else ""
