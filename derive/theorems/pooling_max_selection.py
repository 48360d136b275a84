"""Max pooling without one fixed operator: fixed selections, and what to do at ties."""

from __future__ import annotations

from derive.expr import Expr, all_of, apply, between, eq, implies, maximum, minimum, ne
from derive.form import Form, Ratio, add, build, constant, sigma, substitute, tensor, vjp
from derive.operators import (
    box,
    conv_transpose,
    correlate,
    max_pool,
    max_unpool,
    one_hot,
    pad,
    scale,
    select,
    zero_insert,
)
from derive.shapes import conv_length, conv_remainder
from derive.symbols import size, sizes, symbol
from derive.theorems.model import Equal, EqualIff, Holds, Part, Theorem, Twin, theorem
from derive.theorems.pooling_average import GUIDE, paddings
from derive.theorems.pooling_max import (
    CLARKE,
    COLUMN,
    MAX_DOCS,
    ROW,
    SWITCHES,
    UNPOOL_DOCS,
    law,
    real,
)


def _unfixed_with_padding() -> tuple[Part, ...]:
    """With padding."""
    n, k, s, d = sizes("n k s d")
    p_lo, p_hi = paddings()
    i, q = symbol("i"), symbol("q", 0)
    m = conv_length(n, k, s, d, 1, p_lo, p_hi)
    x = tensor("x", n)
    g = tensor("g", m)
    single = tensor("g")

    def padded(selection: str) -> Form:
        return max_pool(x, k, s, (p_lo, p_hi), d, selection=selection)

    def first(i: Expr) -> Expr:
        return maximum(0, -((s * i - p_lo) // d))

    def last(i: Expr) -> Expr:
        return minimum(k - 1, (n - 1 + p_lo - s * i) // d)

    first_real, last_real = (
        law("σ", eq(apply("σ", i), first(i))),
        law("τ", eq(apply("τ", i), last(i))),
    )
    return (
        Part(
            sentence=("For $k = 1$ there is one selection and so one gradient, with any padding:"),
            statement=Equal(vjp(padded("σ"), "x", g), vjp(padded("τ"), "x", g)),
            hypotheses=(eq(k, 1),),
            laws=(real("σ", n, k, s, d, p_lo, m), real("τ", n, k, s, d, p_lo, m)),
        ),
        Part(
            sentence=(
                "With padding, window by window: the first and the last tap inside the "
                "input, $\\sigma(q) = \\max(0, \\lceil (p_{lo} - s q)/d \\rceil)$ and "
                "$\\tau(q) = \\min(k - 1, \\lfloor (n - 1 + p_{lo} - s q)/d \\rfloor)$, give "
                "output $q$ the same gradient exactly when $\\tau(q) \\le \\sigma(q)$, that "
                "is, when its window holds at most one input position:"
            ),
            statement=EqualIff(
                vjp(select(padded("σ"), 0, q), "x", single),
                vjp(select(padded("τ"), 0, q), "x", single),
                last(q) <= first(q),
                ({"i0": s * q + d * first(q) - p_lo}, {"i0": s * q + d * last(q) - p_lo}),
            ),
            hypotheses=(q < m,),
            laws=(first_real, last_real),
        ),
    )


@theorem
def max_pool_no_fixed_kernel() -> Theorem:
    """No single kernel gives the gradient of max pooling for all inputs."""
    n, k, s, d = sizes("n k s d")
    p_lo, _p_hi = paddings()
    i, q, t, u = symbol("i"), symbol("q", 0), symbol("t", 0), symbol("u", 0)
    x = tensor("x", n)
    h = tensor("g", conv_length(n, k, s, d))

    def gradient(selection: str, cotangent: Form) -> Form:
        return vjp(max_pool(x, k, s, 0, d, selection=selection), "x", cotangent)

    first_tap, last_tap = law("σ", eq(apply("σ", i), 0)), law("τ", eq(apply("τ", i), k - 1))

    return Theorem(
        id="max-pool-no-fixed-kernel",
        family="pooling",
        title="No single kernel gives the gradient of max pooling for all inputs",
        sentence=(
            "The gradient of max pooling depends on the input: no single linear operator, hence "
            "no fixed kernel however it is strided, dilated or padded, is the VJP for all "
            "inputs, unless $k = 1$ (with padding: unless no window holds more than one input "
            "position)."
        ),
        parts=(
            Part(
                sentence=(
                    "Without padding: the selections of the first and of the last tap, $\\sigma "
                    "= 0$ and $\\tau = k - 1$, have the same gradient exactly when $k = 1$:"
                ),
                statement=EqualIff(
                    gradient("σ", h), gradient("τ", h), eq(k, 1), ({"i0": 0, "g.0": 0},)
                ),
                hypotheses=(n >= d * (k - 1) + 1,),
                laws=(first_tap, last_tap),
            ),
            Part(
                sentence=(
                    "Both occur: positions grow with the tap, so the decreasing input $x_j = -j$ "
                    "has its only maximum in every window at the first tap (with padding: the "
                    "first tap inside the input), the increasing input $x_j = j$ at the last:"
                ),
                statement=Holds(s * q + d * t - p_lo < s * q + d * u - p_lo),
                hypotheses=(t < u,),
            ),
            *_unfixed_with_padding(),
        ),
        twin=Twin(
            "the gradient is the same for all selections",
            Equal(gradient("σ", h), gradient("τ", h)),
            (n >= d * (k - 1) + 1,),
            (
                law("σ", between(0, apply("σ", i), k)),
                law("τ", between(0, apply("τ", i), k)),
            ),
        ),
        sources=(MAX_DOCS, SWITCHES),
        negative=True,
    )


def _fixed_gradient() -> tuple[Part, ...]:
    """The gradient, as each of four operators."""
    n, k, s, d = sizes("n k s d")
    c = symbol("c", 0)
    p_lo, p_hi = paddings()
    fits = n + p_lo + p_hi >= d * (k - 1) + 1
    m = conv_length(n, k, s, d, 1, p_lo, p_hi)
    r = conv_remainder(n, k, s, d, 1, p_lo, p_hi)
    x, g = tensor("x", n), tensor("g", m)
    always = law("σ", eq(apply("σ", symbol("i")), c))
    pooled = max_pool(x, k, s, (p_lo, p_hi), d)
    one_tap = correlate(x, one_hot(k, c), stride=s, padding=(p_lo, p_hi), dilation=d)
    start = d * c - p_lo
    moved = pad(zero_insert(g, s), (start, n - 1 - s * (m - 1) - start))
    instance = {"n": 6, "k": 3, "s": 2, "d": 1, "p_lo": 1, "p_hi": 0, "c": 2}
    return (
        Part(
            sentence=(
                "The gradient of that is zero insertion, with $d c - p_{lo}$ zeros put in "
                "front (or cropped):"
            ),
            statement=Equal(vjp(one_tap, "x", g), moved),
            hypotheses=(fits, c < k),
            instance=instance,
            wrt="g",
        ),
        Part(
            sentence="So the gradient of the pooling is:",
            statement=Equal(vjp(pooled, "x", g), moved),
            hypotheses=(fits, c < k),
            laws=(always,),
        ),
        Part(
            sentence=(
                "It is the transposed convolution with $\\delta_c$, with the output padding $r$:"
            ),
            statement=Equal(
                vjp(pooled, "x", g),
                conv_transpose(g, one_hot(k, c), s, (p_lo, p_hi), d, output_padding=r),
            ),
            hypotheses=(fits,),
            laws=(always,),
        ),
        Part(
            sentence="Max unpooling with these positions is the same operator:",
            statement=Equal(max_unpool(g, k, n, s, (p_lo, p_hi), d), moved),
            hypotheses=(c < k,),
            laws=(always,),
        ),
    )


def _fixed_2d() -> tuple[Part, ...]:
    """The same in two dimensions."""
    n0, n1, k0, k1, s0, s1, d0, d1 = sizes("n0 n1 k0 k1 s0 s1 d0 d1")
    c0, c1 = symbol("c0", 0), symbol("c1", 0)
    a_lo, a_hi, b_lo, b_hi = (symbol(name, 0) for name in ("a_lo", "a_hi", "b_lo", "b_hi"))
    plane = max_pool(
        tensor("x", n0, n1), (k0, k1), (s0, s1), ((a_lo, a_hi), (b_lo, b_hi)), (d0, d1)
    )
    gg = tensor("g", *plane.shape)
    m0, m1 = gg.shape
    to0, to1 = d0 * c0 - a_lo, d1 * c1 - b_lo
    moved_2d = pad(
        zero_insert(gg, (s0, s1)),
        ((to0, n0 - 1 - s0 * (m0 - 1) - to0), (to1, n1 - 1 - s1 * (m1 - 1) - to1)),
    )
    return (
        Part(
            sentence="In two dimensions, with the tap $(c_0, c_1)$:",
            statement=Equal(vjp(plane, "x", gg), moved_2d),
            hypotheses=(
                n0 + a_lo + a_hi >= d0 * (k0 - 1) + 1,
                n1 + b_lo + b_hi >= d1 * (k1 - 1) + 1,
                c0 < k0,
                c1 < k1,
            ),
            laws=(
                law("σ0", eq(apply("σ0", symbol("u"), symbol("v")), c0), ROW, COLUMN),
                law("σ1", eq(apply("σ1", symbol("u"), symbol("v")), c1), ROW, COLUMN),
            ),
        ),
    )


def _fixed_unpooling() -> tuple[Part, ...]:
    """Unpooling into a place that is always the same."""
    n, k, s, d = sizes("n k s d")
    c, q = symbol("c", 0), symbol("q", 0)
    x = tensor("x", n)
    m_free = size("m")
    tile_g = tensor("g", m_free)
    plain = max_pool(x, k, s, 0, d)
    plain_length = conv_length(n, k, s, d)
    return (
        Part(
            sentence=(
                "Unpooling into the first place of every tile ($s = k$, $n = k m$) is zero "
                "insertion by $k$:"
            ),
            statement=Equal(
                max_unpool(tile_g, k, k * m_free), zero_insert(tile_g, k, trailing=k - 1)
            ),
            laws=(law("σ", eq(apply("σ", symbol("i")), 0)),),
        ),
        Part(
            sentence=(
                "Only then: without padding, output $q$ has the gradient of the fixed tap "
                "$c$ exactly when $\\sigma(q) = c$:"
            ),
            statement=EqualIff(
                vjp(select(plain, 0, q), "x", tensor("g")),
                vjp(
                    select(correlate(x, one_hot(k, c), stride=s, dilation=d), 0, q),
                    "x",
                    tensor("g"),
                ),
                eq(apply("σ", q), c),
                ({"i0": s * q + d * apply("σ", q)},),
            ),
            hypotheses=(q < plain_length,),
            laws=(real("σ", n, k, s, d, 0, plain_length),),
        ),
    )


@theorem
def max_pool_fixed_selection() -> Theorem:
    """Max pooling that selects the same tap in every window."""
    n, k, s, d = sizes("n k s d")
    c = symbol("c", 0)
    p_lo, p_hi = paddings()
    fits = n + p_lo + p_hi >= d * (k - 1) + 1
    m = conv_length(n, k, s, d, 1, p_lo, p_hi)
    x, g = tensor("x", n), tensor("g", m)
    always = law("σ", eq(apply("σ", symbol("i")), c))
    pooled = max_pool(x, k, s, (p_lo, p_hi), d)
    one_tap = correlate(x, one_hot(k, c), stride=s, padding=(p_lo, p_hi), dilation=d)

    return Theorem(
        id="max-pool-fixed-selection",
        family="pooling",
        title="Max pooling that selects the same tap in every window",
        sentence=(
            "Where every window selects the same tap $c$, max pooling is correlation with the "
            "one-hot kernel at $c$ (decimation), and its gradient, as well as unpooling with "
            "these positions, is zero insertion by $s$ and a shift by $d c - p_{lo}$."
        ),
        parts=(
            Part(
                sentence="Forward it is correlation with the one-hot kernel $\\delta_c$:",
                statement=Equal(pooled, one_tap),
                hypotheses=(fits,),
                laws=(always,),
            ),
            *_fixed_gradient(),
            *_fixed_2d(),
            *_fixed_unpooling(),
        ),
        twin=Twin(
            "zero insertion without the shift",
            Equal(vjp(one_tap, "x", g), pad(zero_insert(g, s), (0, n - 1 - s * (m - 1)))),
            (fits, c < k),
        ),
        sources=(MAX_DOCS, UNPOOL_DOCS, GUIDE),
    )


def row_sum(weights: Form) -> Form:
    """The sum of the weights of a row.

    Args:
        weights: a form with one axis.

    Returns:
        a form with one axis of length 1.

    Source: the definition.

    >>> row_sum(box(3)).shape == (1,)
    True
    """
    return build((1,), lambda i: sigma(weights.shape[0], lambda t: weights[t]))


@theorem
def max_pool_ties() -> Theorem:
    """Max pooling at ties: which rows are Clarke subgradients."""
    n, k, s, d, c = sizes("n k s d c")
    p_lo, p_hi = paddings()
    losers, a, b = symbol("l", 0), symbol("a", 0), symbol("b", 0)
    fits = n + p_lo + p_hi >= d * (k - 1) + 1
    m = conv_length(n, k, s, d, 1, p_lo, p_hi)
    x = tensor("x", n)
    one, another = (max_pool(x, k, s, (p_lo, p_hi), d, selection=name) for name in ("σ", "τ"))
    valid = tuple(real(name, n, k, s, d, p_lo, m) for name in ("σ", "τ"))
    mixed = scale(add(scale(one, a), scale(another, b)), 1, a + b)

    taps = c + losers  # c tied maxima; the order of the taps is of no matter for a sum
    even = build((taps,), lambda t: constant(Ratio(den=c)).where(t < c))
    marked = build((taps,), lambda t: constant(1).where(t < c))

    scaling, top, other = size("N"), symbol("f", 0), symbol("j", 0)
    best, value = symbol("X"), symbol("Y")
    first_maximum = all_of(implies(other < top, value < best), implies(other > top, value <= best))
    strict = implies(ne(other, top), scaling * value - other < scaling * best - top)

    return Theorem(
        id="max-pool-ties",
        family="pooling",
        title="Max pooling at ties: which rows are Clarke subgradients",
        sentence=(
            "The Clarke subdifferential of a maximum is the convex hull of the unit vectors of "
            "the maximal taps: weights that are not negative, add up to 1 and vanish off the "
            "maxima. The rule of the first maximum gives such a row, the even split over $c$ "
            "ties as well; marking all $c$ maxima with 1 does not, unless $c = 1$. This speaks "
            "of each row of the Jacobian; for a loss over several windows Clarke's chain rule "
            "alone says only that its subdifferential is contained in the sums of such rows."
        ),
        parts=(
            Part(
                sentence=(
                    "Rules that pick one maximum: whichever tap of each window is picked, the "
                    "row has one entry 1 there and its sum is 1:"
                ),
                statement=Equal(substitute(one, "x", box(n)), box(m)),
                hypotheses=(fits,),
                laws=valid[:1],
            ),
            Part(
                sentence=(
                    "The first-maximum rule is moreover a limit of gradients, so a Clarke "
                    "subgradient of any $\\langle g, y \\rangle$ as a whole: for an integer "
                    "input let the first maximum $X$ of a window stand at the position $f$ and "
                    "any other value $Y$ at $j$; subtracting $j/N$ from every $x_j$, for $N \\ge "
                    "n$, makes it the only maximum:"
                ),
                statement=Holds(strict),
                hypotheses=(first_maximum, top < n, scaling >= n),
                method="exact algebra",
            ),
            Part(
                sentence=(
                    "The even split gives each of the $c$ tied taps $1/c$ and the $l$ others 0; "
                    "the weights add up to 1:"
                ),
                statement=Equal(row_sum(even), box(1)),
                method="exact algebra",
            ),
            Part(
                sentence=(
                    "Any mixture with weights $a/(a+b)$ and $b/(a+b)$, $a, b \\ge 0$, of two "
                    "rules that pick one maximum has rows that add up to 1:"
                ),
                statement=Equal(substitute(mixed, "x", box(n)), box(m)),
                hypotheses=(fits, a + b >= 1),
                laws=valid,
            ),
            Part(
                sentence=(
                    "Marking all $c$ maxima with 1 gives the sum $c$, which is 1 exactly when "
                    "there is no tie:"
                ),
                statement=EqualIff(row_sum(marked), box(1), eq(c, 1), ({"i0": 0},)),
                method="exact algebra",
            ),
        ),
        twin=Twin(
            "marking all maxima gives weights that add up to 1",
            Equal(row_sum(marked), box(1)),
        ),
        sources=(CLARKE, MAX_DOCS),
    )
