"""The random expressions of :mod:`tests.random_claims`: operators with random parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import Any


@dataclass(frozen=True)
class Node:
    """An operator applied to operands, or (without operands) a tensor, an array or a number."""

    op: str
    args: tuple[Node, ...] = ()
    given: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        if self.op in ("+", "-"):
            return f"({self.args[0]} {self.op} {self.args[1]})"
        if not self.args:
            return self.op
        inside = [*map(str, self.args), *(f"{k}={shown(v)}" for k, v in self.given)]
        return f"{self.op}({', '.join(inside)})"

    def get(self, name: str, default: Any = None) -> Any:
        return dict(self.given).get(name, default)

    def put(self, **changes: Any) -> Node:
        given = {**dict(self.given), **changes}
        return replace(self, given=tuple((k, v) for k, v in given.items() if v is not None))

    def only(self, *names: str) -> bool:
        """Are these the only parameters that are given?"""
        return all(k in names for k, _ in self.given)


def call(op: str, *args: Node, **given: Any) -> Node:
    return Node(op, args).put(**given)


def shown(value: Any) -> str:
    if isinstance(value, str) and value in WORDS:
        return repr(value)
    if isinstance(value, tuple):
        return f"({', '.join(map(shown, value))})"
    return str(value)


WORDS = (
    "full",
    "same",
    "valid",
    "same_lower",
    "causal",
    "zero",
    "circular",
    "reflect",
    "replicate",
)
MODES = ("circular", "reflect", "replicate")


@dataclass(frozen=True)
class Kind:
    """What a claim is made of: its number of axes, and which of its parameters are symbols."""

    dims: int = 1
    symbolic: bool = False  # strides and paddings may be symbols
    sizes: bool = False  # the input length is a symbol
    kernel: str = ""  # the kernel as it is written, "" for any

    def input(self, rng: Random) -> Node:
        if self.dims == 2:
            return Node(
                "x[n1, n2]" if self.sizes else f"x[{rng.randint(2, 4)}, {rng.randint(2, 5)}]"
            )
        return Node("x" if self.sizes else f"x[{rng.randint(1, 9)}]")


def total(a: Any, b: Any, sign: int = 1) -> Any:
    """The sum (or difference) of two amounts as it is written."""
    if isinstance(a, int) and isinstance(b, int):
        return a + sign * b
    if b == 0:
        return a
    return (
        f"{a} {'+' if sign > 0 else '-'} {b}" if isinstance(b, int) or sign > 0 else f"{a} - ({b})"
    )


def product(a: Any, b: Any) -> Any:
    if isinstance(a, int) and isinstance(b, int):
        return a * b
    return f"{a}*{b}"


class Maker:
    """Random parameters, expressions and rewritings of one kind, from one source of randomness."""

    def __init__(self, rng: Random, kind: Kind) -> None:
        self.rng, self.kind = rng, kind
        self.pooling = False  # is this a claim on compositions of max pools?
        self.x = kind.input(rng)
        self.w = self.kernel("w")

    def kernel(self, name: str) -> Node:
        rng = self.rng
        if self.kind.dims == 2:
            if rng.random() < 0.3:
                return Node("[[1, -2], [3, 5]]")
            return Node(f"{name}[{rng.randint(1, 2)}, {rng.randint(1, 3)}]")
        if self.kind.symbolic and rng.random() < 0.6:
            return Node(name)
        if rng.random() < 0.3:
            return Node(rng.choice(["[1, -2]", "[1, 3, -2]", "[2, 0, 5]", "[3]"]))
        return Node(f"{name}[{rng.randint(1, 4)}]")

    # -- parameters --------------------------------------------------------------------------------
    def amount(self, most: int = 3) -> Any:
        if self.kind.symbolic and self.rng.random() < 0.45:
            return self.rng.choice(["p", "p", "p", "p1"])
        return self.rng.randint(0, most)

    def pair(self, most: int = 3) -> Any:
        if self.kind.dims == 2 and self.rng.random() < 0.4:
            return tuple((self.amount(2), self.amount(2)) for _ in range(2))
        if self.rng.random() < 0.35:
            return self.amount(most)
        return (self.amount(most), self.amount(most))

    def flat(self, most: int = 3) -> tuple[Any, Any]:
        return (self.amount(most), self.amount(most))

    def step(self, least: int = 1) -> Any:
        if self.kind.symbolic and self.rng.random() < 0.35:
            return "s"
        if self.kind.dims == 2 and self.rng.random() < 0.3:
            return (self.rng.randint(least, 2), self.rng.randint(least, 3))
        return self.rng.randint(least, 3)

    def window(self) -> Any:
        if self.kind.symbolic and self.rng.random() < 0.3:
            return "k"
        if self.kind.dims == 2 and self.rng.random() < 0.3:
            return (self.rng.randint(1, 2), self.rng.randint(1, 3))
        return self.rng.randint(1, 4)

    def chance(self, p: float) -> bool:
        return self.rng.random() < p

    # -- expressions -------------------------------------------------------------------------------
    def chain(self, depth: int, of: Node | None = None) -> Node:
        node = self.x if of is None else of
        for _ in range(depth):
            node = self.rng.choice(OPERATIONS)(self, node)
        return node


def _correlation(m: Maker, f: Node) -> Node:
    op = m.rng.choice(["correlate", "correlate", "convolve"])
    node = call(op, f, m.w)
    if m.chance(0.5):
        node = node.put(stride=m.step())
    if m.chance(0.6):
        node = node.put(padding=m.rng.choice(WORDS[:5]) if m.chance(0.2) else m.pair(2))
    if m.chance(0.25):
        node = node.put(dilation=m.rng.randint(1, 2))
    if m.chance(0.12):
        node = node.put(base_dilation=m.rng.randint(1, 3))
    return node


def _transposed(m: Maker, f: Node) -> Node:
    node = call("conv_transpose", f, m.w)
    if m.chance(0.7):
        node = node.put(stride=m.step())
    if m.chance(0.4):
        node = node.put(padding=m.pair(1))
    if m.chance(0.2):
        node = node.put(dilation=m.rng.randint(1, 2))
    if m.chance(0.3):
        node = node.put(output_padding=m.rng.randint(0, 2))
    return node


def _pad(m: Maker, f: Node) -> Node:
    if m.chance(0.25):
        return call("pad", f, padding=m.pair(2), mode=m.rng.choice(MODES))
    return call("pad", f, padding=m.pair())


def _pool(m: Maker, f: Node) -> Node:
    node = call(m.rng.choice(["sum_pool", "avg_pool"]), f, k=m.window())
    if m.chance(0.6):
        node = node.put(stride=m.step())
    if m.chance(0.35):
        node = node.put(padding=m.rng.randint(0, 1))
    if m.chance(0.15):
        node = node.put(dilation=m.rng.randint(1, 2))
    if m.chance(0.15) and node.get("padding", 0) == 0:
        node = node.put(ceil_mode=True)
    if node.op == "avg_pool" and m.chance(0.3) and node.get("dilation", 1) == 1:
        extra = (
            {"count_include_pad": False}
            if m.chance(0.5)
            else {"divisor_override": m.rng.randint(1, 5)}
        )
        node = node.put(**extra)
    return node


OPERATIONS: tuple[Callable[[Maker, Node], Node], ...] = (
    _correlation,
    _correlation,
    _transposed,
    _pad,
    _pool,
    lambda m, f: call("flip", f),
    lambda m, f: call("crop", f, amount=m.pair(2)),
    lambda m, f: call("shift", f, offset=m.rng.choice([-2, -1, 1, 2])),
    lambda m, f: call("decimate", f, s=m.step(), start=m.rng.choice([None, None, 1])),
    lambda m, f: call("zero_insert", f, s=m.step(), trailing=m.rng.choice([None, None, 1])),
    lambda m, f: call("nearest_upsample", f, s=m.step()),
    lambda m, f: call(
        "scale", f, numerator=m.rng.choice([-2, 2, 3]), denominator=m.rng.choice([1, 3])
    ),
)

MOVES: tuple[Callable[[Maker, Node], Node], ...] = (
    lambda m, f: call("max_pool", f, k=m.window(), stride=m.rng.choice([None, 1, 2, 3])),
    lambda m, f: call("max_pool", f, k=m.window(), stride=1, padding=m.rng.randint(0, 1)),
    lambda m, f: call("max_pool", f, k=m.rng.randint(1, 3), stride=m.step()),
    lambda m, f: call("flip", f),
    lambda m, f: call("crop", f, amount=m.pair(1)),
    lambda m, f: call("decimate", f, s=m.step()),
    lambda m, f: call("nearest_upsample", f, s=m.rng.randint(1, 3)),
    lambda m, f: call("shift", f, offset=m.rng.choice([-1, 1])),
)
