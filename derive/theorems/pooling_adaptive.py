"""Adaptive and global average pooling."""

from __future__ import annotations

from derive import shapes
from derive.expr import (
    FALSE,
    Cond,
    Expr,
    Integer,
    all_of,
    any_of,
    between,
    divides,
    eq,
    implies,
    lift,
    maximum,
    minimum,
)
from derive.form import Ratio, Value, build, sigma, tensor, vjp
from derive.operators import adaptive_avg_pool as adaptive_average
from derive.operators import avg_pool, broadcast, nearest_upsample, scale, select, sum_pool
from derive.operators import global_avg_pool as global_average
from derive.symbols import size, sizes, symbol
from derive.theorems.model import Equal, EqualIff, Holds, Part, Source, Theorem, Twin, theorem
from derive.theorems.pooling_average import ADAPTIVE_DOCS, paddings

ADAPTIVE_ANSWERS = Source(
    "Stack Overflow: How does adaptive pooling in pytorch work?",
    "https://stackoverflow.com/questions/53841509/how-does-adaptive-pooling-in-pytorch-work",
)
NETWORK = Source("Lin, Chen & Yan: Network In Network", "https://arxiv.org/abs/1312.4400")


def _adaptive_as_pooling() -> tuple[Part, ...]:
    """Which ordinary pooling, padding counted, is the same."""
    n, m, k, s = sizes("n m k s")
    p_lo, p_hi = paddings()
    x = tensor("x", n)

    # n = q·m + r with 0 <= r < m
    whole, rest = size("q"), symbol("r", 0)
    division = tensor("x", whole * m + rest)
    one_window = all_of(eq(m, 1), eq(k, whole))
    many_windows = all_of(m >= 2, rest <= 1, eq(s, whole), eq(k, whole + rest))
    same_as_pool = all_of(eq(p_lo, 0), p_hi < s, any_of(one_window, many_windows))
    extra = size("a")
    more = n + extra
    return (
        Part(
            sentence=(
                "Write $n = q m + r$ with $0 \\le r < m$, $q \\ge 1$. With stride $q = "
                "\\lfloor n/m \\rfloor$ and kernel length $q + r = n - (m-1) q$, as often "
                "recommended, exactly when $r$ is 0 or 1:"
            ),
            statement=EqualIff(
                adaptive_average(division, m),
                avg_pool(division, whole + rest, whole),
                rest <= 1,
                ({"i0": m - 1, "x.0": whole * (m - 1)},),
            ),
            hypotheses=(rest < m,),
            instance={"q": 2, "r": 1, "m": 3},
            wrt="x",
        ),
        Part(
            sentence=(
                "No other pooling would do. With any kernel, stride and counted padding, the "
                "two are the same exactly when $p_{lo} = 0$, $p_{hi} < s$, and $m = 1$ with "
                "$k = n$, or $r \\le 1$ with $s = q$ and $k = q + r$:"
            ),
            statement=EqualIff(
                adaptive_average(division, m),
                avg_pool(division, k, s, (p_lo, p_hi)),
                same_as_pool,
                (
                    {"i0": 0, "x.0": 0},
                    {"i0": 0, "x.0": whole - (-rest) // m - 1},
                    {"i0": 1, "x.0": whole},
                    {"i0": 1, "x.0": whole - 1},
                    {"i0": m - 1, "x.0": (m - 1) * whole},
                ),
            ),
            hypotheses=(rest < m, whole * m + rest + p_lo + p_hi >= k),
            instance={"q": 2, "r": 1, "m": 3, "k": 3, "s": 2, "p_lo": 0, "p_hi": 1},
            wrt="x",
        ),
        Part(
            sentence=(
                "With more outputs than inputs, $m = n + a$, never, whatever the kernel, "
                "stride and counted padding:"
            ),
            statement=EqualIff(
                adaptive_average(x, more),
                avg_pool(x, k, s, (p_lo, p_hi)),
                FALSE,
                (
                    {"i0": 0, "x.0": 0},
                    {"i0": 1, "x.0": 0},
                    {"i0": more - 1, "x.0": n - 1},
                ),
            ),
            hypotheses=(n + p_lo + p_hi >= k,),
        ),
    )


def _adaptive_uncounted() -> tuple[Part, ...]:
    """Which one is the same where padding is not counted."""
    n, m, k, s = sizes("n m k s")
    p_lo, _p_hi = paddings()
    r = n % m

    # n = q·m + r with 0 <= r < m
    whole = size("q")
    extra = size("a")
    more = n + extra
    several = symbol("m", 2)
    short = tensor("x", whole * several - 1)
    single = tensor("x", 1)

    def starts(i: Integer, m: Expr = m) -> Cond:
        return eq(maximum(0, s * i - p_lo), shapes.adaptive_window(i, n, m)[0])

    def ends(i: Integer, m: Expr = m) -> Cond:
        return eq(minimum(n, s * i - p_lo + k), shapes.adaptive_window(i, n, m)[1])

    more_windows = all_of(
        ends(0, more), ends(n - 1, more), starts(more - 2, more), starts(more - 1, more)
    )
    allowed = any_of(eq(r, 0), eq(r, 1), eq(r, m - 1))
    return (
        Part(
            sentence=(
                "When $n = q m - 1$ with $m \\ge 2$ (so $n \\bmod m = m - 1$, or $m = n + "
                "1$) it is the pooling with stride $q$, kernel length $q + 1$ and padding 1 "
                "that is not counted:"
            ),
            statement=Equal(
                adaptive_average(short, several),
                avg_pool(short, whole + 1, whole, (1, 1), count_include_pad=False),
            ),
            instance={"q": 2, "m": 3},
            wrt="x",
        ),
        Part(
            sentence=(
                "For one input, with the kernel length $m$, stride 1 and padding $m - 1$, "
                "not counted:"
            ),
            statement=Equal(
                adaptive_average(single, m),
                avg_pool(single, m, 1, (m - 1, m - 1), count_include_pad=False),
            ),
            instance={"m": 3},
            wrt="x",
        ),
        Part(
            sentence=(
                "No other case, for $n \\ge m$: windows of any length at any stride and "
                "padding, cut at the ends of the input, that start where windows $1$ and "
                "$m-1$ start need $n \\bmod m \\in \\{0, 1, m-1\\}$:"
            ),
            statement=Holds(implies(all_of(starts(1), starts(m - 1)), allowed)),
            hypotheses=(n >= m,),
        ),
        Part(
            sentence=(
                "Nor with more outputs than inputs, $m = n + a$, unless $n = 1$ or $a = 1$: what windows "
                "$0$ and $n-1$ end with and windows $m-2$ and $m-1$ start with excludes it:"
            ),
            statement=Holds(implies(more_windows, any_of(eq(n, 1), eq(extra, 1)))),
        ),
    )


def _adaptive_gradient() -> tuple[Part, ...]:
    """The gradient, and when it is a known operator."""
    n, m = sizes("n m")
    x, g = tensor("x", n), tensor("g", m)
    q = n // m
    adaptive = adaptive_average(x, m)
    gradient = vjp(adaptive, "x", g)

    def start(i: Integer) -> Expr:
        return lift(shapes.adaptive_window(i, n, m)[0])

    def end(i: Integer) -> Expr:
        return lift(shapes.adaptive_window(i, n, m)[1])

    def exchanged(j: Expr) -> Value:
        first, behind = shapes.adaptive_window(j, m, n)
        return sigma(
            m, lambda i: (g[i] * Ratio(den=end(i) - start(i))).where(between(first, i, behind))
        )

    return (
        Part(
            sentence="The gradient: output $j$ sums the $g_i$, each divided by the length of its window, over "
            "the windows of adaptive pooling from $m$ to $n$:",
            statement=Equal(gradient, build((n,), exchanged)),
            instance={"n": 5, "m": 3},
            wrt="g",
        ),
        Part(
            sentence="It is nearest upsampling divided by $n/m$ exactly when $m$ divides $n$:",
            statement=EqualIff(gradient, scale(nearest_upsample(g, q), 1, q), divides(m, n)),
            hypotheses=(n >= m,),
            instance={"n": 6, "m": 2},
            wrt="g",
        ),
        Part(
            sentence=(
                "For $m \\ge n$ it is sum pooling with kernel length $\\lfloor m/n \\rfloor$ "
                "exactly when $n$ divides $m$ (where the pooling repeats its inputs):"
            ),
            statement=EqualIff(
                gradient, sum_pool(g, m // n), divides(n, m), ({"i0": 0, "g.0": m // n},)
            ),
            hypotheses=(m >= n,),
            instance={"n": 2, "m": 6},
            wrt="g",
        ),
    )


@theorem
def adaptive_avg_pool() -> Theorem:
    """Adaptive average pooling, when it is ordinary pooling, and its gradient."""
    n, m = sizes("n m")
    x = tensor("x", n)
    q = n // m
    adaptive = adaptive_average(x, m)

    return Theorem(
        id="adaptive-avg-pool",
        family="pooling",
        title="Adaptive average pooling, when it is ordinary pooling, and its gradient",
        sentence=(
            "Adaptive average pooling from $n$ to $m$ outputs, whose output $i$ averages the "
            "inputs from $\\lfloor i n/m \\rfloor$ up to $\\lceil (i+1)n/m \\rceil$, is an "
            "ordinary average pooling exactly when $n \\bmod m \\in \\{0, 1\\}$ and $m \\le n$; "
            "if padding may be left out of the count, exactly when $n \\bmod m \\in \\{0, 1, "
            "m-1\\}$. Its gradient sums over the windows of the exchanged lengths."
        ),
        parts=(
            *_adaptive_as_pooling(),
            *_adaptive_uncounted(),
            *_adaptive_gradient(),
        ),
        twin=Twin(
            "stride $\\lfloor n/m \\rfloor$ and kernel length $n - (m-1)\\lfloor n/m \\rfloor$ for all $n \\ge m$",
            Equal(adaptive, avg_pool(x, n - (m - 1) * q, q)),
            (n >= m,),
        ),
        sources=(ADAPTIVE_DOCS, ADAPTIVE_ANSWERS),
    )


@theorem
def global_avg_pool() -> Theorem:
    """The gradient of global average pooling."""
    n, n0, n1, c = sizes("n n0 n1 c")
    x, plane, batch = tensor("x", n), tensor("x", n0, n1), tensor("x", c, n0, n1)
    g, gg, gc = tensor("g", 1), tensor("g", 1, 1), tensor("g", c)
    kept = global_average(batch, dims=2)
    squeezed = select(select(kept, 2, 0), 1, 0)
    instance = {"n0": 2, "n1": 3}

    return Theorem(
        id="global-avg-pool",
        family="pooling",
        title="The gradient of global average pooling",
        sentence=(
            "The gradient of global average pooling repeats the incoming gradient over all "
            "positions and divides it by their number, channel by channel."
        ),
        parts=(
            Part(
                sentence="Along one axis:",
                statement=Equal(
                    vjp(global_average(x), "x", g), scale(nearest_upsample(g, n), 1, n)
                ),
                instance={"n": 4},
                wrt="g",
            ),
            Part(
                sentence="In two dimensions the divisor is $n_0 n_1$:",
                statement=Equal(
                    vjp(global_average(plane), "x", gg),
                    scale(nearest_upsample(gg, (n0, n1)), 1, n0 * n1),
                ),
                instance=instance,
                wrt="g",
            ),
            Part(
                sentence=(
                    "With channels and the pooled axes left out of the output: broadcast, "
                    "divided by the size:"
                ),
                statement=Equal(vjp(squeezed, "x", gc), scale(broadcast(gc, (n0, n1)), 1, n0 * n1)),
                instance={**instance, "c": 2},
                wrt="g",
            ),
            Part(
                sentence="Global average pooling is adaptive average pooling to one output:",
                statement=Equal(global_average(plane), adaptive_average(plane, 1)),
                instance=instance,
                wrt="x",
            ),
        ),
        twin=Twin(
            "the incoming gradient repeated without dividing by the size",
            Equal(vjp(global_average(x), "x", g), nearest_upsample(g, n)),
        ),
        sources=(NETWORK, ADAPTIVE_DOCS),
    )
