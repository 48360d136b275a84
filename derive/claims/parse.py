"""Reading a claim: Python expression syntax, parsed and never evaluated.

    [exists NAME, …:]  BODY  [iff CONDITION]  [for HYPOTHESIS, …]

``BODY`` is an expression such as ``vjp(correlate(x, w), x, g) == correlate(g, flip(w),
padding="full")``.  Text is untrusted: its length, its depth and its numbers are bounded before
anything is built, and only the node types listed here are let through.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from dataclasses import dataclass

from derive.errors import WrongInput

MAX_LENGTH = 20_000
MAX_DEPTH = 60
MAX_NUMBER = 10**6
MAX_NODES = 4_000
LARGE = f"numbers go up to {MAX_NUMBER}; use a symbol for a large size"

ALLOWED = (
    ast.Expression, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.Call, ast.Name, ast.Constant,
    ast.Tuple, ast.List, ast.Subscript, ast.Attribute, ast.keyword, ast.Load, ast.Add, ast.Sub, ast.Mult,
    ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.MatMult, ast.USub, ast.UAdd, ast.Not, ast.And, ast.Or,
    ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Slice,
)  # fmt: skip


HUGE = re.compile(r"(?<![\w.])[0-9][0-9_]{39,}")  # more digits than any number that is allowed


def too_large(text: str) -> int | None:
    """Where a number begins that has too many digits to be read at all, or None.

    >>> too_large(f"x + {'9' * 5000}"), too_large("x + 10**6")
    (4, None)
    """
    found = HUGE.search(text)
    return None if found is None else found.start()


class ClaimError(WrongInput):
    """A claim that cannot be read; the message shows the text with a caret under the place."""

    def __init__(self, text: str, position: int, expected: str) -> None:
        self.text, self.position, self.expected = text, position, expected
        super().__init__(placed(text, position, expected))


def placed(text: str, position: int, fact: str) -> str:
    """A message with the text and a caret under the place.

    >>> print(placed("flop(x) == x", 0, "what is flop?"))
    reading the claim: what is flop?
      flop(x) == x
      ^
    """
    start = text.rfind("\n", 0, position) + 1
    end = text.find("\n", position)
    line = text[start : end if end >= 0 else len(text)]
    column = position - start
    lo = max(0, column - 60)
    shown = ("…" if lo else "") + line[lo : column + 40]
    caret = " " * (column - lo + bool(lo)) + "^"
    return f"reading the claim: {fact}\n  {shown}\n  {caret}"


@dataclass(frozen=True)
class Parsed:
    """A claim taken apart: expressions are ``ast`` nodes whose columns point into ``text``."""

    text: str
    body: ast.expr
    exists: tuple[ast.expr, ...] = ()
    iff: ast.expr | None = None
    hypotheses: tuple[ast.expr, ...] = ()


def parse(text: str) -> Parsed:
    """Take a claim apart.  Raises :class:`ClaimError` with a caret under the place.

    >>> parse("flip(flip(x)) == x for n >= 2").hypotheses[0].lineno
    1
    """
    if len(text) > MAX_LENGTH:
        raise WrongInput(
            f"reading the claim: it has {len(text)} characters, the limit is {MAX_LENGTH}; shorten it"
        )
    text = text.replace("\r", " ").replace("\t", " ").replace("\n", " ").rstrip()
    if not text.strip():
        raise WrongInput("reading the claim: it is empty; write something like flip(flip(x)) == x")
    words = _keywords(text)
    start = 0
    exists: tuple[ast.expr, ...] = ()
    if words and words[0][0] == "exists":
        colon = next((p for w, p in words if w == ":"), None)
        if colon is None:
            raise ClaimError(text, len(text) - 1, "after `exists NAME` a colon was expected")
        exists = _quantified(text, words[0][1] + len("exists"), colon)
        start = colon + 1
    cuts = [(w, p) for w, p in words if w in ("iff", "for") and p >= start]
    ends = [p for _, p in cuts] + [len(text)]
    body = _expression(text, start, ends[0])
    iff: ast.expr | None = None
    hypotheses: tuple[ast.expr, ...] = ()
    for (word, position), end in zip(cuts, ends[1:], strict=True):
        inner = _expression(text, position + len(word), end)
        if word == "iff" and iff is None:
            iff = inner
        elif word == "for" and not hypotheses:
            hypotheses = tuple(inner.elts) if isinstance(inner, ast.Tuple) else (inner,)
        else:
            raise ClaimError(text, position, f"a second `{word}`; one is enough")
    return Parsed(text, body, exists, iff, hypotheses)


def written(parsed: Parsed) -> str:
    """A claim put together again as text, on one line.

    >>> written(parse("exists v :  flip( x )== correlate(x,v) for n>=2"))
    'exists v: flip(x) == correlate(x, v) for n >= 2'
    """
    front = f"exists {', '.join(map(ast.unparse, parsed.exists))}: " if parsed.exists else ""
    text = front + ast.unparse(parsed.body)
    if parsed.iff is not None:
        text += f" iff {ast.unparse(parsed.iff)}"
    if parsed.hypotheses:
        text += f" for {', '.join(map(ast.unparse, parsed.hypotheses))}"
    return text


def _keywords(text: str) -> list[tuple[str, int]]:
    """``exists``, ``iff``, ``for`` and colons outside of all brackets, with their positions."""
    found: list[tuple[str, int]] = []
    depth = 0
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            position = token.start[1]
            if token.string in "([{" and token.type == tokenize.OP:
                depth += 1
                if depth > MAX_DEPTH:
                    raise ClaimError(
                        text, position, f"brackets nest deeper than {MAX_DEPTH}; simplify"
                    )
            elif token.string in ")]}" and token.type == tokenize.OP:
                depth -= 1
            elif depth == 0 and token.string in ("exists", "iff", "for", ":"):
                found.append((token.string, position))
            elif token.type == tokenize.ERRORTOKEN and token.string[0] in "'\"":
                raise ClaimError(text, position, "this quote is not closed")
            elif token.type == tokenize.ERRORTOKEN and token.string.strip():
                raise ClaimError(
                    text, position, f"the character {token.string!r} has no meaning here"
                )
    except (tokenize.TokenError, IndentationError, SyntaxError):
        # Where it should have been closed is not known before the end.
        raise ClaimError(text, len(text) - 1, "a bracket or a quote is not closed") from None
    return found


def _quantified(text: str, start: int, end: int) -> tuple[ast.expr, ...]:
    tree = _expression(text, start, end)
    parts = tuple(tree.elts) if isinstance(tree, ast.Tuple) else (tree,)
    for part in parts:
        name = part.value if isinstance(part, ast.Subscript) else part
        if not isinstance(name, ast.Name):
            raise ClaimError(
                text, part.col_offset, "between `exists` and the colon names were expected, as v[l]"
            )
    return parts


def _expression(text: str, start: int, end: int) -> ast.expr:
    piece = text[start:end]
    if not piece.strip():
        raise ClaimError(text, min(start, len(text) - 1), "an expression was expected here")
    shift = start + len(piece) - len(piece.lstrip())
    large = too_large(piece)
    if large is not None:
        raise ClaimError(text, start + large, LARGE)
    try:
        tree = ast.parse(piece.strip(), mode="eval")
    except SyntaxError as e:
        at = (e.offset or 0) - 1 if e.lineno == 1 else -1
        place = min(shift + (at if at >= 0 else len(piece.strip()) - 1), len(text) - 1)
        raise ClaimError(text, place, f"{_plain(e.msg)}; an expression was expected") from None
    except (RecursionError, MemoryError, ValueError):
        raise ClaimError(
            text, start, "the expression is too deep or too large; simplify it"
        ) from None
    _check(text, tree, shift)
    return tree.body


def _plain(message: str) -> str:
    return message.replace("invalid syntax. Perhaps you forgot a comma?", "a comma may be missing")


def _check(text: str, tree: ast.Expression, shift: int) -> None:
    """Bound the tree and let only known nodes through; move columns into the whole text."""
    pending: list[tuple[ast.AST, int]] = [(tree, 0)]
    count = 0
    while pending:
        node, depth = pending.pop()
        count += 1
        if isinstance(node, (ast.expr, ast.keyword)):
            node.col_offset = _characters(text[shift:], node.col_offset) + shift
        place = getattr(node, "col_offset", shift)
        if depth > MAX_DEPTH or count > MAX_NODES:
            raise ClaimError(text, place, "the expression is too deep or too large; simplify it")
        if not isinstance(node, ALLOWED):
            raise ClaimError(text, place, f"{_kind(node)} cannot be part of a claim")
        if isinstance(node, ast.Constant):
            _check_constant(text, node, place)
        if isinstance(node, ast.Attribute) and node.attr.startswith("_"):
            raise ClaimError(text, place, "names that begin with an underscore mean nothing here")
        if isinstance(node, ast.Name) and node.id.startswith("__"):
            raise ClaimError(text, place, "names that begin with underscores mean nothing here")
        pending += [(child, depth + 1) for child in ast.iter_child_nodes(node)]


def _characters(text: str, byte_offset: int) -> int:
    """``ast`` counts bytes, people count characters."""
    return len(text.encode()[:byte_offset].decode(errors="ignore"))


def _kind(node: ast.AST) -> str:
    return {
        "Lambda": "a lambda",
        "ListComp": "a comprehension",
        "NamedExpr": "an assignment",
        "Dict": "a dictionary",
    }.get(type(node).__name__, f"a Python {type(node).__name__}")


def _check_constant(text: str, node: ast.Constant, place: int) -> None:
    value = node.value
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return
    if not isinstance(value, (int, float)):
        raise ClaimError(text, place, f"a number was expected, not {type(value).__name__}")
    if abs(value) > MAX_NUMBER:
        raise ClaimError(text, place, LARGE)
