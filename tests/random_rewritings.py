"""Identities and near misses: what a random claim does to an expression.

Each identity takes a node and gives an equal one (some only under a condition), or None where it does
not fit.  A near miss makes one small mistake.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, TypeAlias

from tests.random_expressions import WORDS, Maker, Node, call, product, total

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
    return call(
        f.op, inner, **{name: (total(ends[0], a, -1), total(ends[1], b, -1)), "mode": f.get("mode")}
    )


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
    if (
        f.op not in ("decimate", "zero_insert", "nearest_upsample", "sum_pool", "max_pool")
        or not f.args
    ):
        return None
    inner, name = f.args[0], "k" if f.op in ("sum_pool", "max_pool") else "s"
    if inner.op != f.op or not (f.only(name) and inner.only(name)):
        return None
    a, b = f.get(name), inner.get(name)
    if isinstance(a, tuple) or isinstance(b, tuple):
        return None
    return call(f.op, inner.args[0], **{name: product(a, b)})


def insert_then_decimate(m: Maker, f: Node) -> Node | None:
    s, op = m.step(), m.rng.choice(["zero_insert", "nearest_upsample"])
    if "max_pool" in str(f) or m.pooling:  # zeros are no move: a maximum over them is another one
        op = "nearest_upsample"
    return call("decimate", call(op, f, s=s), s=s)


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
LINEAR = (
    upsample_as_transposed,
    sum_as_correlation,
)  # what is not a composition of maxima and moves
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


def rewritten(m: Maker, node: Node) -> Node:
    """One identity applied at one place; those that fit anywhere are taken when no other fits."""
    found = []
    for place in places(node):
        for rule in RULES:
            if m.pooling and rule in LINEAR:
                continue
            if rule not in ANYWHERE and (new := rule(m, at(node, place))) is not None:
                found.append(with_at(node, place, new))
    if found and m.chance(0.85):
        return m.rng.choice(found)
    place = m.rng.choice(list(places(node, False)))
    if at(node, place).op.startswith("["):
        place = ()
    rules = ANYWHERE[:3] if m.pooling else ANYWHERE
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
