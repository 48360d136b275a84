"""Random claims in the claim language: an operator expression against a rewriting of it.

The left side is a random chain of operators.  The right side is the left one after one or two known
identities (some of which hold only under a condition), or after such an identity and a near miss: a
padding that is off by one, a missing flip, swapped amounts, another stride.  What is true of a claim
is not decided here: brute force decides it (:mod:`tests.brute_claims`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Any, TypeAlias

from tests.brute_claims import Written

Amount: TypeAlias = "int | str | tuple[Amount, ...]"


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


WORDS = ("full", "same", "valid", "same_lower", "causal", "zero", "circular", "reflect", "replicate")
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
            return Node("x[n1, n2]" if self.sizes else f"x[{rng.randint(2, 4)}, {rng.randint(2, 5)}]")
        return Node("x" if self.sizes else f"x[{rng.randint(1, 9)}]")


def total(a: Any, b: Any, sign: int = 1) -> Any:
    """The sum (or difference) of two amounts as it is written."""
    if isinstance(a, int) and isinstance(b, int):
        return a + sign * b
    if b == 0:
        return a
    return f"{a} {'+' if sign > 0 else '-'} {b}" if isinstance(b, int) or sign > 0 else f"{a} - ({b})"


def product(a: Any, b: Any) -> Any:
    if isinstance(a, int) and isinstance(b, int):
        return a * b
    return f"{a}*{b}"


class Maker:
    """Random parameters, expressions and rewritings of one kind, from one source of randomness."""

    def __init__(self, rng: Random, kind: Kind) -> None:
        self.rng, self.kind = rng, kind
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
        extra = {"count_include_pad": False} if m.chance(0.5) else {"divisor_override": m.rng.randint(1, 5)}
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
    lambda m, f: call("scale", f, numerator=m.rng.choice([-2, 2, 3]), denominator=m.rng.choice([1, 3])),
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


# -- identities: each takes a node and gives an equal one (some under a condition), or None -----------
Rule: TypeAlias = Callable[[Maker, Node], "Node | None"]


def _ends(padding: Any) -> tuple[Any, Any] | None:
    """A padding as ``(lo, hi)`` of every axis; None where it is named or given axis by axis."""
    if isinstance(padding, tuple):
        return None if any(isinstance(p, tuple) for p in padding) else (padding[0], padding[1])
    return None if padding in WORDS else (padding, padding)


def flip_twice(m: Maker, f: Node) -> Node | None:
    return call("flip", call("flip", f))


def padding_before(m: Maker, f: Node) -> Node | None:
    p = f.get("padding")
    if f.op not in ("correlate", "convolve") or p is None or p in WORDS or f.get("base_dilation"):
        return None
    return replace(f.put(padding=None), args=(call("pad", f.args[0], padding=p), f.args[1]))


def stride_behind(m: Maker, f: Node) -> Node | None:
    s = f.get("stride")
    if f.op not in ("correlate", "convolve", "sum_pool", "max_pool") or s is None:
        return None
    if f.get("ceil_mode") or f.get("padding") in WORDS:
        return None
    return call("decimate", f.put(stride=1), s=s)


def kernel_flipped(m: Maker, f: Node) -> Node | None:
    other = {"convolve": "correlate", "correlate": "convolve"}
    if f.op not in other:
        return None
    return replace(f, op=other[f.op], args=(f.args[0], call("flip", f.args[1])))


def as_full_convolution(m: Maker, f: Node) -> Node | None:
    if f.op != "conv_transpose":
        return None
    s, p, r = f.get("stride", 1), f.get("padding"), f.get("output_padding")
    inner = f.args[0] if s == 1 and not r else call("zero_insert", f.args[0], s=s, trailing=r)
    node = call("convolve", inner, f.args[1], padding="full", dilation=f.get("dilation"))
    return node if p is None else call("crop", node, amount=p)


def as_scatter_of_insert(m: Maker, f: Node) -> Node | None:
    if f.op != "conv_transpose" or f.get("stride") is None:
        return None
    inner = call("zero_insert", f.args[0], s=f.get("stride"))
    return replace(f.put(stride=None), args=(inner, f.args[1]))


def pad_split(m: Maker, f: Node) -> Node | None:
    if f.op not in ("pad", "crop"):
        return None
    name = "padding" if f.op == "pad" else "amount"
    ends = _ends(f.get(name))
    if ends is None:
        return None
    a, b = m.rng.randint(0, 1), m.rng.randint(0, 1)
    inner = call(f.op, f.args[0], **{name: (a, b), "mode": f.get("mode")})
    return call(f.op, inner, **{name: (total(ends[0], a, -1), total(ends[1], b, -1)), "mode": f.get("mode")})


def crop_as_pad(m: Maker, f: Node) -> Node | None:
    ends = _ends(f.get("amount")) if f.op == "crop" else None
    if ends is None:
        return None
    return call("pad", f.args[0], padding=tuple(total(0, e, -1) for e in ends))


def pad_then_crop(m: Maker, f: Node) -> Node | None:
    p = m.pair(2)
    return call("crop", call("pad", f, padding=p), amount=p)


def shift_split(m: Maker, f: Node) -> Node | None:
    if f.op != "shift":
        return None
    a = f.get("offset")
    if isinstance(a, int) and m.chance(0.5) and m.kind.dims == 1:
        p = (a, 0) if a > 0 else (0, -a)
        return call("crop", call("pad", f.args[0], padding=p), amount=(p[1], p[0]))
    b = m.rng.choice([1, -1])
    return call("shift", call("shift", f.args[0], offset=b), offset=total(a, b, -1))


def step_split(m: Maker, f: Node) -> Node | None:
    if f.op not in ("decimate", "zero_insert", "nearest_upsample") or not f.only("s"):
        return None
    t = m.rng.randint(1, 3)
    return call(f.op, call(f.op, f.args[0], s=t), s=f.get("s")) if m.chance(0.3) else None


def steps_joined(m: Maker, f: Node) -> Node | None:
    if f.op not in ("decimate", "zero_insert", "nearest_upsample", "sum_pool", "max_pool") or not f.args:
        return None
    inner, name = f.args[0], "k" if f.op in ("sum_pool", "max_pool") else "s"
    if inner.op != f.op or not (f.only(name) and inner.only(name)):
        return None
    a, b = f.get(name), inner.get(name)
    if isinstance(a, tuple) or isinstance(b, tuple):
        return None
    return call(f.op, inner.args[0], **{name: product(a, b)})


def insert_then_decimate(m: Maker, f: Node) -> Node | None:
    s = m.step()
    return call("decimate", call(m.rng.choice(["zero_insert", "nearest_upsample"]), f, s=s), s=s)


def ones(m: Maker, k: int) -> Node:
    row = f"[{', '.join(['1'] * k)}]"
    return Node(row if m.kind.dims == 1 else f"[{', '.join([row] * k)}]")


def sum_as_correlation(m: Maker, f: Node) -> Node | None:
    k = f.get("k")
    if f.op != "sum_pool" or f.get("ceil_mode") or not isinstance(k, int):
        return None
    node = call("correlate", f.args[0], ones(m, k)).put(**dict(f.given))
    return node.put(k=None, stride=f.get("stride", k))


def average_as_sum(m: Maker, f: Node) -> Node | None:
    k = f.get("k")
    if f.op != "avg_pool" or isinstance(k, tuple):
        return None
    total_taps = k if m.kind.dims == 1 else product(k, k)
    by = f.get("divisor_override", total_taps)
    inner = replace(f, op="sum_pool").put(divisor_override=None, count_include_pad=None)
    return call("scale", inner, numerator=1, denominator=by)


def upsample_as_transposed(m: Maker, f: Node) -> Node | None:
    s = f.get("s")
    if f.op != "nearest_upsample" or not isinstance(s, int):
        return None
    return call("conv_transpose", f.args[0], ones(m, s), stride=s)


def scale_inside(m: Maker, f: Node) -> Node | None:
    if f.op != "scale" or not f.args[0].args or f.args[0].op in ("+", "-", "max_pool"):
        return None
    inner = f.args[0]
    return replace(inner, args=(call("scale", inner.args[0], **dict(f.given)), *inner.args[1:]))


def scale_split(m: Maker, f: Node) -> Node | None:
    return call("scale", call("scale", f, numerator=2, denominator=3), numerator=3, denominator=2)


def twice_less_once(m: Maker, f: Node) -> Node | None:
    return Node("-", (call("scale", f, numerator=2), f))


def flip_through(m: Maker, f: Node) -> Node | None:
    if f.op != "flip" or not f.args[0].args:
        return None
    inner, changes = f.args[0], {}
    if inner.op in ("+", "-", "scale", "decimate", "zero_insert") and inner.op in "+-":
        return None
    for name in ("padding", "amount"):
        if inner.get(name) in WORDS:
            return None
        if isinstance(inner.get(name), tuple):
            p = inner.get(name)
            mirrored = tuple(q[::-1] for q in p) if isinstance(p[0], tuple) else p[::-1]
            changes[name] = mirrored
    if inner.op == "shift":
        changes["offset"] = total(0, inner.get("offset"), -1)
    kernel = tuple(call("flip", w) for w in inner.args[1:])
    return replace(inner.put(**changes), args=(call("flip", inner.args[0]), *kernel))


def dilated_kernel(m: Maker, f: Node) -> Node | None:
    d = f.get("dilation")
    if f.op not in ("correlate", "convolve", "conv_transpose") or d is None:
        return None
    return replace(f.put(dilation=None), args=(f.args[0], call("zero_insert", f.args[1], s=d)))


def dilated_base(m: Maker, f: Node) -> Node | None:
    e = f.get("base_dilation")
    if e is None:
        return None
    return replace(f.put(base_dilation=None), args=(call("zero_insert", f.args[0], s=e), f.args[1]))


def kernels_composed(m: Maker, f: Node) -> Node | None:
    if f.op != "correlate" or f.args[0].op != "correlate" or m.kind.dims != 1:
        return None
    inner = f.args[0]
    if not (f.only() and inner.only()):
        return None
    composed = call("convolve", f.args[1], inner.args[1], padding="full")
    return call("correlate", inner.args[0], composed)


def pools_composed(m: Maker, f: Node) -> Node | None:
    if f.op != "max_pool" or f.args[0].op != "max_pool":
        return None
    inner = f.args[0]
    if inner.get("stride") != 1 or f.get("padding") or inner.get("padding"):
        return None
    if isinstance(f.get("k"), tuple) or isinstance(inner.get("k"), tuple):
        return None
    k = total(total(f.get("k"), inner.get("k")), 1, -1)
    return call("max_pool", inner.args[0], k=k, stride=f.get("stride", f.get("k")))


RULES: tuple[Rule, ...] = (
    flip_twice, padding_before, stride_behind, kernel_flipped, as_full_convolution, as_scatter_of_insert,
    pad_split, crop_as_pad, pad_then_crop, shift_split, step_split, steps_joined, insert_then_decimate,
    sum_as_correlation, average_as_sum, upsample_as_transposed, scale_inside, scale_split,
    twice_less_once, flip_through, dilated_kernel, dilated_base, kernels_composed, pools_composed,
)  # fmt: skip
ANYWHERE = (flip_twice, pad_then_crop, insert_then_decimate, scale_split, twice_less_once)


def places(node: Node, operators_only: bool = True) -> Iterator[tuple[int, ...]]:
    if node.args or not operators_only:
        yield ()
    for a, child in enumerate(node.args):
        for rest in places(child, operators_only):
            yield (a, *rest)


def at(node: Node, place: tuple[int, ...]) -> Node:
    return node if not place else at(node.args[place[0]], place[1:])


def with_at(node: Node, place: tuple[int, ...], new: Node) -> Node:
    if not place:
        return new
    a, rest = place[0], place[1:]
    args = (*node.args[:a], with_at(node.args[a], rest, new), *node.args[a + 1 :])
    return replace(node, args=args)


def rewritten(m: Maker, node: Node, linear: bool = True) -> Node:
    """One identity applied at one place; those that fit anywhere are taken when no other fits."""
    found = []
    for place in places(node):
        for rule in RULES:
            if rule not in ANYWHERE and (new := rule(m, at(node, place))) is not None:
                found.append(with_at(node, place, new))
    if found and m.chance(0.85):
        return m.rng.choice(found)
    place = m.rng.choice(list(places(node, False)))
    if at(node, place).op.startswith("["):
        place = ()
    rules = ANYWHERE if linear else ANYWHERE[:3]
    new = m.rng.choice(rules)(m, at(node, place))
    return node if new is None else with_at(node, place, new)


# -- near misses -----------------------------------------------------------------------------------
def bumped(m: Maker, name: str, value: Any) -> Any:
    """Another value of a parameter, close to the one it has."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        least = 1 if name in ("stride", "s", "k", "dilation", "base_dilation", "denominator") else 0
        least = -5 if name in ("offset", "numerator") else least
        return value + 1 if value - 1 < least or m.chance(0.6) else value - 1
    if isinstance(value, tuple):
        if m.chance(0.5) and value[::-1] != value:
            return value[::-1]
        a = m.rng.randrange(len(value))
        return tuple(bumped(m, name, v) if j == a else v for j, v in enumerate(value))
    if value in WORDS[:5]:
        return m.rng.choice([v for v in WORDS[:5] if v != value])
    if value in WORDS:
        return m.rng.choice([v for v in WORDS[5:] if v != value])
    return total(value, 1)


def near_miss(m: Maker, node: Node) -> Node:
    """A small mistake at a random place."""
    place = m.rng.choice(list(places(node, True)) or [()])
    old = at(node, place)
    if old.given and m.chance(0.7):
        name, value = m.rng.choice(old.given)
        new = old.put(**{name: bumped(m, name, value)})
    elif old.op in ("correlate", "convolve") and m.chance(0.6):
        new = replace(old, op="convolve" if old.op == "correlate" else "correlate")
    elif old.op == "flip" or (old.args and m.chance(0.3)):
        new = old.args[0]
    else:
        new = call("flip", old)
    return with_at(node, place, new)


# -- claims ----------------------------------------------------------------------------------------
KINDS = {
    "concrete": Kind(),
    "mixed": Kind(sizes=True),
    "symbolic": Kind(sizes=True, symbolic=True),
    "plane": Kind(dims=2),
    "plane-sizes": Kind(dims=2, sizes=True),
}
CONDITIONS = (
    "n % 2 == 0", "n >= 2", "n >= 3", "n <= 4", "n % 3 == 1", "n == 1", "n >= 2*k", "k % 2 == 1",
    "k == s", "n % s == 0", "p <= 1", "p == p1", "s >= 2", "k <= 2*p + 1", "n >= k",
)  # fmt: skip


def names_in(text: str) -> set[str]:
    words = "".join(c if c.isalnum() or c == "_" else " " for c in text).split()
    return set(words)


def condition(m: Maker, sides: str) -> str | None:
    """A condition on the sizes that a claim speaks of."""
    used = names_in(sides)
    sizes = {v for v in ("p", "p1", "s", "k", "n1", "n2") if v in used}
    sizes |= {"n"} if "x" in used and not m.x.op.startswith("x[") else set()
    sizes |= {"k"} if "w" in used and m.w.op == "w" else set()
    fitting = [c for c in CONDITIONS if names_in(c) - {c for c in names_in(c) if c.isdigit()} <= sizes]
    return m.rng.choice(fitting) if fitting else None


def equation(m: Maker, left: Node, right: Node) -> Written:
    text = f"{left} {right}"
    hypotheses = iff = None
    if m.chance(0.12):
        hypotheses = condition(m, text)
    if m.chance(0.06):
        iff = condition(m, text)
    return Written(str(left), str(right), hypotheses, iff)


def linear_claim(m: Maker) -> Written:
    depth = m.rng.choice([1, 1, 2, 2, 3] if not m.kind.symbolic else [1, 1, 2])
    left = m.chain(depth)
    right = rewritten(m, left)
    if m.chance(0.35):
        right = rewritten(m, right)
    if m.chance(0.45):
        right = near_miss(m, right)
    return equation(m, left, right)


def pooled_claim(m: Maker) -> Written:
    node = m.x
    for _ in range(m.rng.choice([1, 2, 2, 3])):
        node = m.rng.choice(MOVES)(m, node)
    if "max_pool" not in str(node):
        node = call("max_pool", node, k=m.rng.randint(1, 3), stride=m.rng.choice([None, 1, 2]))
    right = rewritten(m, node, linear=False)
    if m.chance(0.45):
        right = near_miss(m, right)
    return equation(m, node, right)


def gradient_claim(m: Maker) -> Written:
    """A gradient against the formula for it, which a near miss may spoil."""
    f = m.rng.choice(OPERATIONS)(m, m.x)
    left = Node("vjp", (f, m.x, Node("g")))
    right = gradient(m, f)
    if right is None or m.chance(0.2):
        right = Node("vjp", (rewritten(m, f), m.x, Node("g")))
    if m.chance(0.3):
        right = rewritten(m, right) if right.op != "vjp" else right
    if m.chance(0.4):
        right = near_miss(m, right) if right.op != "vjp" else right
    return equation(m, left, right)


def gradient(m: Maker, f: Node) -> Node | None:
    """What the gradient of one operator is by the usual formula (often only under a condition)."""
    g, p, s = Node("g"), f.get("padding"), f.get("stride")
    if f.op in ("correlate", "convolve") and p not in WORDS and not f.get("base_dilation"):
        kernel = f.args[1] if f.op == "correlate" else call("flip", f.args[1])
        return call("conv_transpose", g, kernel, stride=s, padding=p, dilation=f.get("dilation"))
    if f.op == "conv_transpose":
        return call("correlate", g, f.args[1], stride=s, padding=p, dilation=f.get("dilation"))
    if f.op == "sum_pool" and isinstance(f.get("k"), int) and not f.get("ceil_mode"):
        k = f.get("k")
        return call("conv_transpose", g, ones(m, k), stride=s or k, padding=p, dilation=f.get("dilation"))
    if f.op == "pad" and not f.get("mode"):
        return call("crop", g, amount=p)
    simple: dict[str, Callable[[], Node]] = {
        "flip": lambda: call("flip", g),
        "crop": lambda: call("pad", g, padding=f.get("amount")),
        "shift": lambda: call("shift", g, offset=total(0, f.get("offset"), -1)),
        "decimate": lambda: call("zero_insert", g, s=f.get("s")),
        "zero_insert": lambda: call("decimate", g, s=f.get("s")),
        "nearest_upsample": lambda: call("sum_pool", g, k=f.get("s")),
        "scale": lambda: call("scale", g, **dict(f.given)),
    }
    return simple[f.op]() if f.op in simple else None


LENGTHS = (
    ("conv_length(n, {k}, {s}, {d}, 1, {p}, {p})", "(n + 2*{p} - {d}*({k} - 1) - 1)//{s} + 1"),
    ("conv_length(n, {k}, {s}, 1, 1, {p}, {p})", "(n + 2*{p} - {k})//{s} + {a}"),
    ("conv_length(n, {k}, {s}, 1, 1, {p}, {p})", "ceil_div(n, {s})"),
    ("conv_length(n, {k}, {s})", "n//{s}"),
    ("conv_transpose_length(n, {k}, {s}, {d}, {p}, {p})", "{s}*n + {a}"),
    ("conv_transpose_length(conv_length(n, {k}, {s}), {k}, {s})", "n"),
    ("conv_transpose_length(conv_length(n, {k}, {s}), {k}, {s}) + conv_remainder(n, {k}, {s})", "n"),
    ("conv_length(conv_transpose_length(n, {k}, {s}), {k}, {s})", "n"),
    ("same_length(n, {s})", "(n + {s} - 1)//{s}"),
    ("same_length(n, {s})", "n//{s} + {a}"),
    ("conv_length(conv_length(n, {k}), {k})", "n - 2*{k} + {a}"),
    ("(n//{s})*{s} + n % {s}", "n"),
    ("(n//{s})*{s}", "n"),
    ("(n // {s}) // {k}", "n // ({s}*{k})"),
    ("max(n - {k}, 0) + min(n, {k})", "n"),
    ("ceil_div(n, {s})", "-(-n // {s})"),
    ("conv_remainder(n, {k}, {s})", "n % {s}"),
)
LONG_ENOUGH = "n >= {k}"


def size_claim(m: Maker) -> Written:
    """A claim on lengths or on divisibility."""
    k = m.rng.choice(["k", 1, 2, 3, 4])
    s = m.rng.choice(["s", 1, 2, 3] if k != "k" else [1, 2, 3])
    values = {"k": k, "s": s, "d": m.rng.choice([1, 2]), "p": m.rng.choice([0, 1, 2, "p"]), "a": m.rng.randint(0, 2)}
    left, right = (t.format(**values) for t in m.rng.choice(LENGTHS))
    sign = m.rng.choice(["==", "==", "==", "<=", ">="])
    if m.chance(0.2):
        text = m.rng.choice(["divides({s}, n)", "n % {s} == 0", "divides({s}, n - {k})"])
        return Written(f"{left} {sign} {right}", None, LONG_ENOUGH.format(k=k), text.format(**values))
    return Written(f"{left} {sign} {right}", None, LONG_ENOUGH.format(k=k), None)


MIX: tuple[tuple[Callable[[Maker], Written], str, int], ...] = (
    (linear_claim, "concrete", 28),
    (linear_claim, "mixed", 30),
    (linear_claim, "symbolic", 9),
    (linear_claim, "plane", 9),
    (linear_claim, "plane-sizes", 3),
    (gradient_claim, "concrete", 5),
    (gradient_claim, "mixed", 7),
    (gradient_claim, "symbolic", 2),
    (gradient_claim, "plane", 2),
    (pooled_claim, "concrete", 3),
    (pooled_claim, "mixed", 4),
    (size_claim, "mixed", 5),
)


def claims(seed: int) -> Iterator[Written]:
    """Random claims without end, the same for the same seed."""
    rng = Random(seed)
    weights = [w for _, _, w in MIX]
    while True:
        make, kind, _ = rng.choices(MIX, weights)[0]
        yield make(Maker(rng, KINDS[kind]))
