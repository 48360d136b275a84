"""Random claims in the claim language: an operator expression against a rewriting of it.

The left side is a random chain of operators.  The right side is the left one after one or two known
identities (some of which hold only under a condition), or after such an identity and a near miss: a
padding that is off by one, a missing flip, swapped amounts, another stride.  What is true of a claim
is not decided here: brute force decides it (:mod:`tests.brute_claims`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

from tests.brute_claims import Written
from tests.random_expressions import MOVES, OPERATIONS, WORDS, Kind, Maker, Node, call, total
from tests.random_rewritings import near_miss, ones, rewritten

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


def condition(m: Maker, left: Node, right: Node) -> str | None:
    """A condition on the sizes that a claim speaks of."""
    used = set(Written(str(left), str(right)).parameters)
    fitting = [c for c in CONDITIONS if set(Written(c, None).parameters) <= used]
    return m.rng.choice(fitting) if fitting else None


def equation(m: Maker, left: Node, right: Node) -> Written:
    hypothesis = condition(m, left, right) if m.chance(0.12) else None
    iff = condition(m, left, right) if m.chance(0.06) else None
    return Written(str(left), str(right), hypothesis, iff)


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
    node, m.pooling = m.x, True
    for _ in range(m.rng.choice([1, 2, 2, 3])):
        node = m.rng.choice(MOVES)(m, node)
    if "max_pool" not in str(node):
        node = call("max_pool", node, k=m.rng.randint(1, 3), stride=m.rng.choice([None, 1, 2]))
    right = rewritten(m, node)
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
        return call(
            "conv_transpose", g, ones(m, k), stride=s or k, padding=p, dilation=f.get("dilation")
        )
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
    (
        "conv_transpose_length(conv_length(n, {k}, {s}), {k}, {s}) + conv_remainder(n, {k}, {s})",
        "n",
    ),
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
    values = {
        "k": k,
        "s": s,
        "d": m.rng.choice([1, 2]),
        "p": m.rng.choice([0, 1, 2, "p"]),
        "a": m.rng.randint(0, 2),
    }
    left, right = (t.format(**values) for t in m.rng.choice(LENGTHS))
    sign = m.rng.choice(["==", "==", "==", "<=", ">="])
    if m.chance(0.2):
        text = m.rng.choice(["divides({s}, n)", "n % {s} == 0", "divides({s}, n - {k})"])
        return Written(
            f"{left} {sign} {right}", None, LONG_ENOUGH.format(k=k), text.format(**values)
        )
    return Written(f"{left} {sign} {right}", None, LONG_ENOUGH.format(k=k), None)


MIX: tuple[tuple[Callable[[Maker], Written], str, int], ...] = (
    (linear_claim, "concrete", 46),
    (linear_claim, "mixed", 22),
    (linear_claim, "symbolic", 5),
    (linear_claim, "plane", 8),
    (linear_claim, "plane-sizes", 1),
    (gradient_claim, "concrete", 7),
    (gradient_claim, "mixed", 5),
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
