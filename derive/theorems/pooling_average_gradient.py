"""The gradient of average pooling: when it is nearest upsampling, and what it is in general."""

from __future__ import annotations

from collections.abc import Callable

from derive import shapes
from derive.expr import Expr, Integer, all_of, any_of, divides, eq, iff, maximum, minimum
from derive.form import Form, Ratio, Value, build, tensor, vjp
from derive.operators import avg_pool, box, correlate, nearest_upsample, scale, zero_insert
from derive.symbols import sizes, symbol
from derive.theorems.model import Equal, EqualIff, Holds, Part, Theorem, Twin, theorem
from derive.theorems.pooling_average import (
    AVG_DOCS,
    GUIDE,
    OUTPUT_SHAPE,
    paddings,
    plane_witnesses,
    tile_witnesses,
    tiles,
    tiles_in_sizes,
)


def transposed_box(
    g: Form, n: Integer, k: Integer, s: Integer, p_lo: Integer, d: Integer = 1
) -> Form:
    """Zero insertion by ``s`` and correlation with the box kernel, to the length ``n``.

    The padding is ``d(k-1) - p_lo`` in front and ``n - 1 + p_lo - s(m-1)`` behind.

    Args:
        g: a form with one axis, of length ``m``.
        n: the output length.
        k: the length of the box.
        s: the distance of the samples of ``g`` in the output.
        p_lo: the padding in front of the pooling whose transpose this is.
        d: the dilation of the box.

    Returns:
        the form ``y[j] = Σ_t Σ_i [s·i + d·t - p_lo = j] g[i]`` as operators.

    Source: Dumoulin & Visin, relationship 14, for a kernel of ones.

    >>> from derive.form import tensor
    >>> transposed_box(tensor("g", 3), 7, 3, 2, 0).shape == (7,)
    True
    """
    behind = n - 1 + p_lo - s * (g.shape[0] - 1)
    return correlate(zero_insert(g, s), box(k), padding=(d * (k - 1) - p_lo, behind), dilation=d)


def divided(g: Form, count: Callable[[Expr], Expr]) -> Form:
    """Every value divided by its own count; where the count is below 1 the result is 0.

    Args:
        g: a form with one axis.
        count: the divisor at an index.

    Returns:
        the form ``y[i] = g[i] / count(i)``.

    Source: the definition.

    >>> from derive.form import tensor
    >>> divided(tensor("g", 3), lambda i: i + 1).shape == (3,)
    True
    """

    def body(i: Expr) -> Value:
        return (g[i] * Ratio(den=count(i))).where(count(i) >= 1)

    return build(g.shape, body)


def _upsample_by_stride() -> tuple[Part, ...]:
    """Upsampling by the stride in the place of the kernel length."""
    n, k, s = sizes("n k s")
    p_lo, p_hi = paddings()
    fits = n + p_lo + p_hi >= k
    x = tensor("x", n)
    m = shapes.conv_length(n, k, s, 1, 1, p_lo, p_hi)
    g = tensor("g", m)

    gradient = vjp(avg_pool(x, k, s, (p_lo, p_hi)), "x", g)
    tiled = all_of(eq(k, s), eq(p_lo, 0), divides(s, n), s > p_hi)
    single = all_of(eq(n, s), p_lo + p_hi < k, k >= s + p_lo)
    by_stride: tuple[dict[str, Integer], ...] = (
        {"i0": s - 1, "g.0": 0},
        {"i0": s, "g.0": 0},
        {"i0": s, "g.0": 1},
        {"i0": s - 1, "g.0": 1},
    )
    return (
        Part(
            sentence=(
                "Upsampling by the stride $s$ instead, still times $1/k$: exactly when the "
                "windows tile the input, or $n = s$ and one window covers all of it:"
            ),
            statement=EqualIff(
                gradient, scale(nearest_upsample(g, s), 1, k), any_of(tiled, single), by_stride
            ),
            hypotheses=(fits,),
            instance={"n": 3, "k": 5, "s": 3, "p_lo": 1, "p_hi": 1},
            wrt="g",
        ),
        Part(
            sentence="Upsampling by $s$ times $1/s$: exactly when the windows tile the input:",
            statement=EqualIff(gradient, scale(nearest_upsample(g, s), 1, s), tiled, by_stride),
            hypotheses=(fits,),
            instance={"n": 6, "k": 2, "s": 2, "p_lo": 0, "p_hi": 1},
            wrt="g",
        ),
    )


def _upsample_2d() -> tuple[Part, ...]:
    """The same in two dimensions."""
    n0, n1, k0, k1, s0, s1 = sizes("n0 n1 k0 k1 s0 s1")
    plane = avg_pool(tensor("x", n0, n1), (k0, k1), (s0, s1))
    gg = tensor("g", *plane.shape)
    both = all_of(tiles(n0, k0, s0, gg.shape[0]), tiles(n1, k1, s1, gg.shape[1]))
    return (
        Part(
            sentence=(
                "In two dimensions, without padding, with the factor $1/(k_0 k_1)$: exactly "
                "when this is so along both axes:"
            ),
            statement=EqualIff(
                vjp(plane, "x", gg),
                scale(nearest_upsample(gg, (k0, k1)), 1, k0 * k1),
                both,
                plane_witnesses(k0, k1),
            ),
            hypotheses=(n0 >= k0, n1 >= k1),
            instance={"n0": 4, "n1": 3, "k0": 2, "k1": 3, "s0": 2, "s1": 1},
            wrt="g",
        ),
    )


@theorem
def avg_pool_gradient_upsample() -> Theorem:
    """When the gradient of average pooling is nearest upsampling."""
    n, k, s = sizes("n k s")
    p_lo, p_hi = paddings()
    fits = n + p_lo + p_hi >= k
    x = tensor("x", n)
    m = shapes.conv_length(n, k, s, 1, 1, p_lo, p_hi)
    g = tensor("g", m)
    up = shapes.ceil_length(n, k, s, 1, p_lo, p_hi)
    h = tensor("g", up)
    unpadded_front = shapes.conv_length(n, k, s, 1, 1, 0, p_hi)

    gradient = vjp(avg_pool(x, k, s, (p_lo, p_hi)), "x", g)
    uncounted = vjp(avg_pool(x, k, s, (p_lo, p_hi), count_include_pad=False), "x", g)
    ceiled = vjp(avg_pool(x, k, s, (p_lo, p_hi), ceil_mode=True), "x", h)
    exactly = all_of(eq(p_lo, 0), tiles(n, k, s, m))

    return Theorem(
        id="avg-pool-gradient-upsample",
        family="pooling",
        title="When the gradient of average pooling is nearest upsampling",
        sentence=(
            "The gradient of average pooling is $1/k$ (in $N$ dimensions $1/\\prod k$) times "
            "nearest upsampling by $k$ exactly when nothing is padded in front, $n = k m$, and "
            "$s = k$ or $m = 1$. Without padding: exactly when $s = k$ divides $n$, or $n = k$."
        ),
        parts=(
            Part(
                sentence="With any padding, counted:",
                statement=EqualIff(
                    gradient, scale(nearest_upsample(g, k), 1, k), exactly, tile_witnesses(k)
                ),
                hypotheses=(fits,),
                instance={"n": 6, "k": 3, "s": 3, "p_lo": 0, "p_hi": 1},
                wrt="g",
            ),
            Part(
                sentence=(
                    "In the sizes of the input the condition says: $s = k$ divides $n$, or $n = "
                    "k$; and $p_{hi} < s$:"
                ),
                statement=Holds(iff(tiles(n, k, s, unpadded_front), tiles_in_sizes(n, k, s, p_hi))),
            ),
            Part(
                sentence="The same condition when the padding is not counted:",
                statement=EqualIff(
                    uncounted, scale(nearest_upsample(g, k), 1, k), exactly, tile_witnesses(k)
                ),
                hypotheses=(fits,),
                instance={"n": 6, "k": 3, "s": 3, "p_lo": 0, "p_hi": 1},
                wrt="g",
            ),
            Part(
                sentence="With ceil_mode, where $m$ is the output length rounded up:",
                statement=EqualIff(
                    ceiled,
                    scale(nearest_upsample(h, k), 1, k),
                    all_of(eq(p_lo, 0), tiles(n, k, s, up)),
                    tile_witnesses(k),
                ),
                hypotheses=(up >= 1,),
                instance={"n": 4, "k": 2, "s": 2, "p_lo": 0, "p_hi": 1},
                wrt="g",
            ),
            *_upsample_by_stride(),
            *_upsample_2d(),
        ),
        twin=Twin(
            "$1/k$ times nearest upsampling whenever $s = k$, also where a rest of the input is left",
            Equal(
                vjp(avg_pool(x, k), "x"),
                scale(nearest_upsample(tensor("g", (n - k) // k + 1), k), 1, k),
            ),
            (n >= k,),
        ),
        sources=(AVG_DOCS, GUIDE),
    )


def _general_2d() -> tuple[Part, ...]:
    """The same in two dimensions."""
    n0, n1, k0, k1, s0, s1 = sizes("n0 n1 k0 k1 s0 s1")
    a_lo, a_hi, b_lo, b_hi = (symbol(name, 0) for name in ("a_lo", "a_hi", "b_lo", "b_hi"))
    plane = avg_pool(tensor("x", n0, n1), (k0, k1), (s0, s1), ((a_lo, a_hi), (b_lo, b_hi)))
    gg = tensor("g", *plane.shape)
    m0, m1 = gg.shape
    around = (
        (k0 - 1 - a_lo, n0 - 1 + a_lo - s0 * (m0 - 1)),
        (k1 - 1 - b_lo, n1 - 1 + b_lo - s1 * (m1 - 1)),
    )
    return (
        Part(
            sentence="In two dimensions, with the factor $1/(k_0 k_1)$:",
            statement=Equal(
                vjp(plane, "x", gg),
                scale(
                    correlate(zero_insert(gg, (s0, s1)), box((k0, k1)), padding=around),
                    1,
                    k0 * k1,
                ),
            ),
            hypotheses=(n0 + a_lo + a_hi >= k0, n1 + b_lo + b_hi >= k1),
            instance={
                "n0": 3,
                "n1": 4,
                "k0": 2,
                "k1": 3,
                "s0": 1,
                "s1": 2,
                "a_lo": 0,
                "a_hi": 0,
                "b_lo": 1,
                "b_hi": 0,
            },
            wrt="g",
        ),
    )


def _general_rounded_up() -> tuple[Part, ...]:
    """With ceil_mode."""
    n, k, s, divisor = sizes("n k s D")
    p_lo, p_hi = paddings()
    x = tensor("x", n)
    up = shapes.ceil_length(n, k, s, 1, p_lo, p_hi)
    gu = tensor("g", up)

    def in_input(i: Expr) -> Expr:
        return minimum(k, n + p_lo - s * i) - maximum(0, p_lo - s * i)

    def in_padded(i: Expr) -> Expr:
        return minimum(k, n + p_lo + p_hi - s * i)

    instance = {"n": 6, "k": 3, "s": 2, "p_lo": 1, "p_hi": 0}
    return (
        Part(
            sentence=(
                "ceil_mode: $g_i$ is first divided by the part of its window inside the "
                "padded input, $\\min(k, n + p_{lo} + p_{hi} - s i)$:"
            ),
            statement=Equal(
                vjp(avg_pool(x, k, s, (p_lo, p_hi), ceil_mode=True), "x", gu),
                transposed_box(divided(gu, in_padded), n, k, s, p_lo),
            ),
            hypotheses=(up >= 1,),
            instance={**instance, "p_hi": 1},
            wrt="g",
        ),
        Part(
            sentence="ceil_mode with the padding not counted:",
            statement=Equal(
                vjp(
                    avg_pool(x, k, s, (p_lo, p_hi), ceil_mode=True, count_include_pad=False),
                    "x",
                    gu,
                ),
                transposed_box(divided(gu, in_input), n, k, s, p_lo),
            ),
            hypotheses=(up >= 1,),
            instance={**instance, "p_hi": 1},
            wrt="g",
        ),
        Part(
            sentence="divisor_override $= D$, any rounding (here: up): the factor $1/D$:",
            statement=Equal(
                vjp(
                    avg_pool(x, k, s, (p_lo, p_hi), ceil_mode=True, divisor_override=divisor),
                    "x",
                    gu,
                ),
                scale(transposed_box(gu, n, k, s, p_lo), 1, divisor),
            ),
            hypotheses=(up >= 1,),
            instance={**instance, "p_hi": 1, "D": 4},
            wrt="g",
        ),
    )


@theorem
def avg_pool_gradient_general() -> Theorem:
    """The gradient of any average pooling."""
    n, k, s, d = sizes("n k s d")
    p_lo, p_hi = paddings()
    fits = n + p_lo + p_hi >= d * (k - 1) + 1
    plain_fits = n + p_lo + p_hi >= k
    x = tensor("x", n)
    h = tensor("g", shapes.conv_length(n, k, s, d, 1, p_lo, p_hi))
    g = tensor("g", shapes.conv_length(n, k, s, 1, 1, p_lo, p_hi))

    def in_input(i: Expr) -> Expr:
        return minimum(k, n + p_lo - s * i) - maximum(0, p_lo - s * i)

    instance = {"n": 6, "k": 3, "s": 2, "p_lo": 1, "p_hi": 0}

    return Theorem(
        id="avg-pool-gradient-general",
        family="pooling",
        title="The gradient of any average pooling",
        sentence=(
            "The gradient of average pooling with any kernel, stride and padding is zero "
            "insertion by $s$ and correlation with the box kernel, with the padding $d(k-1) - "
            "p_{lo}$ in front and $n - 1 + p_{lo} - s(m-1)$ behind (which is $d(k-1) - p_{hi} + "
            "r$), times $1/k$. Where the divisors differ from window to window (padding not "
            "counted, ceil_mode), every $g_i$ is divided by the divisor of its window first."
        ),
        parts=(
            Part(
                sentence="The padding counted, any stride, padding and dilation:",
                statement=Equal(
                    vjp(avg_pool(x, k, s, (p_lo, p_hi), d), "x", h),
                    scale(transposed_box(h, n, k, s, p_lo, d), 1, k),
                ),
                hypotheses=(fits,),
                instance={**instance, "d": 1},
                wrt="g",
            ),
            *_general_2d(),
            Part(
                sentence=(
                    "The padding not counted: $g_i$ is first divided by the number of inputs in "
                    "its window, $\\min(k, n + p_{lo} - s i) - \\max(0, p_{lo} - s i)$:"
                ),
                statement=Equal(
                    vjp(avg_pool(x, k, s, (p_lo, p_hi), count_include_pad=False), "x", g),
                    transposed_box(divided(g, in_input), n, k, s, p_lo),
                ),
                hypotheses=(plain_fits,),
                instance=instance,
                wrt="g",
            ),
            *_general_rounded_up(),
        ),
        twin=Twin(
            "the factor $1/k$ also when the padding is not counted",
            Equal(
                vjp(avg_pool(x, k, s, (p_lo, p_hi), count_include_pad=False), "x", g),
                scale(transposed_box(g, n, k, s, p_lo), 1, k),
            ),
            (plain_fits,),
        ),
        sources=(AVG_DOCS, OUTPUT_SHAPE, GUIDE),
    )
