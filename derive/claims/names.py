"""The names of a claim: which are sizes, which are tensors, and how each was declared.

Standard symbols need no declaration: sizes ``n m k l s d e c h N C D H W L`` (with digits or
suffixes: ``n1``, ``c_in``) are at least 1, paddings ``p…`` and output paddings ``r…`` at least 0; the tensors ``x``,
``w``, ``v`` are 1-D of lengths ``n``, ``k``, ``l`` unless written with their shape, ``x[n1, n2]``.
A hypothesis that bounds any other name (``for q >= 0``) or ``for integer(q)`` declares it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from derive.claims.parse import ClaimError, Parsed
from derive.claims.values import Pool
from derive.decide.solver import Law
from derive.expr import Cond, Expr
from derive.form import Form, tensor
from derive.operators.conv import SPECIALS
from derive.symbols import RESERVED, symbol

SIZE = re.compile(
    r"[nmklsdechNCDHWL](\d|_\w+)*|groups|((in|out)_)?channels|height|width|batch(_size)?"
    r"|kernel_size|stride|dilation"
)
AMOUNT = re.compile(r"[pr](\d|_\w+)*|(output_)?padding")
WORDS = frozenset(("zero", "reflect", "replicate", "circular", *SPECIALS))  # they need quotes
CONSTANTS = {"true": "True", "false": "False", "none": "None"}
TENSORS = {"x": "n", "w": "k", "v": "l"}


@dataclass
class Layers:
    """The layer objects of a claim: which side each is on, and the weights that it has.

    ``sides`` has the side for each node of the syntax, ``numbers`` the place of a layer with weights
    among those of its side, and ``weights`` the tensors of a layer with that place, by role.
    """

    sides: dict[int, int] = field(default_factory=dict)
    numbers: dict[int, int] = field(default_factory=dict)
    weights: dict[tuple[int, str], str] = field(default_factory=dict)
    calls: dict[str, str] = field(default_factory=dict)  # the call that a weight was first met in


@dataclass
class Names:
    """The names met so far in a claim, in the text ``text``."""

    text: str
    integers: dict[str, Expr] = field(default_factory=dict)
    tensors: dict[str, Form] = field(default_factory=dict)
    bounded: frozenset[str] = frozenset()
    selections: dict[Form, str] = field(default_factory=dict)
    laws: list[Law] = field(default_factory=list)  # what is known of the selections
    pools: list[Pool] = field(default_factory=list)  # the max pools met, inner ones first
    requires: list[Cond] = field(
        default_factory=list
    )  # where operators asked for sizes are defined
    axes: dict[str, str] = field(
        default_factory=dict
    )  # of the tensors that calls of frameworks take
    readings: list[str] = field(default_factory=list)  # what was understood without being said
    lengths: dict[str, str] = field(default_factory=dict)  # natural lengths, and whose they are
    look: Callable[[str], Any] = lambda name: None  # the variables of a program
    free: bool = False  # any further name is a size, as in a program
    layers: Layers = field(default_factory=lambda: Layers())

    def integer(self, node: ast.Name) -> Expr:
        """The integer that a name stands for; an error says how to declare it."""
        name = node.id
        if name not in self.integers:
            if RESERVED.fullmatch(name):
                raise ClaimError(
                    self.text,
                    node.col_offset,
                    f"{name!r} is reserved for an index; use another name",
                )
            if name in self.bounded:
                self.integers[name] = symbol(name)
            elif SIZE.fullmatch(name):
                self.integers[name] = symbol(name, 1)
            elif AMOUNT.fullmatch(name):
                self.integers[name] = symbol(name, 0)
            elif name in WORDS or name.lower() in CONSTANTS:
                written = CONSTANTS.get(name.lower(), f"'{name}'")
                raise ClaimError(
                    self.text, node.col_offset, f"{name} is not a symbol; write {written}"
                )
            elif self.free:
                self.integers[name] = symbol(name, 0 if "pad" in name else 1)
            else:
                raise ClaimError(
                    self.text,
                    node.col_offset,
                    f"the symbol {name!r} is free; declare it with `for {name} >= 1`, with "
                    f"`for integer({name})`, or as a tensor with its shape, `{name}[n]`",
                )
        return self.integers[name]

    def size(self, name: str) -> Expr:
        """A standard size by its name."""
        return self.integer(ast.Name(name, col_offset=0))

    def read(self, said: str) -> None:
        """Remember what was understood without being said; it is part of the report."""
        if said not in self.readings:
            self.readings.append(said)

    def holds(self, name: str) -> bool:
        """Is the name a variable of a program, or a number that a hypothesis declares?"""
        return name in self.bounded or self.look(name) is not None

    def is_tensor(self, name: str) -> bool:
        """Is this the name of a tensor, declared or standard?"""
        standard = name in TENSORS and not self.free
        return name in self.tensors or (standard and name not in self.bounded)

    def tensor(self, name: str) -> Form:
        """A tensor by its name; the standard ones have standard lengths."""
        if name not in self.tensors:
            self.tensors[name] = tensor(name, self.integer(ast.Name(TENSORS[name], col_offset=0)))
        return self.tensors[name]

    def selection(self, pooled: Form) -> str:
        """The selection of a max pooling; the same pooling of the same input has the same one."""
        number = len(self.selections)
        return self.selections.setdefault(pooled, "σ" if number == 0 else f"σ_{number}")

    def known(self) -> tuple[Law, ...]:
        """What is known of the selections of the max pools met so far."""
        return tuple(dict.fromkeys(self.laws))

    def declare(self, name: str, shape: tuple[Expr, ...]) -> Form:
        """Give a tensor its shape."""
        self.tensors[name] = tensor(name, *shape)
        return self.tensors[name]


def bounded_names(parsed: Parsed) -> frozenset[str]:
    """Names that the hypotheses declare: compared with something from below, or ``integer(name)``.

    A standard size keeps its own minimum unless the hypothesis bounds it by a number.
    """
    found: set[str] = set()
    for h in parsed.hypotheses:
        for node in ast.walk(h):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id == "integer"
            ):
                found |= {a.id for a in node.args if isinstance(a, ast.Name)}
            if isinstance(node, ast.Compare):
                found |= _bounded(node)
    return frozenset(found)


def _bounded(node: ast.Compare) -> set[str]:
    found: set[str] = set()
    sides = [node.left, *node.comparators]
    for left, op, right in zip(sides, node.ops, sides[1:], strict=False):
        if isinstance(op, (ast.Lt, ast.LtE)):
            left, right = right, left
        elif not isinstance(op, (ast.Gt, ast.GtE, ast.Eq)):
            continue
        if isinstance(left, ast.Name) and _free(left.id, right):
            found.add(left.id)
    return found


def _free(name: str, bound: ast.expr) -> bool:
    standard = SIZE.fullmatch(name) is not None
    number = isinstance(bound, (ast.Constant, ast.UnaryOp))
    return not standard and (number or AMOUNT.fullmatch(name) is None)
