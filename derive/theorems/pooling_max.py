"""Max pooling: the gradient for every selection.

Once it is known which tap of each window wins, a max pooling is linear.  That choice is the
selection σ, an unknown function: ``0 <= σ(i) < k``, and the position that it picks,
``s·i + d·σ(i) - p_lo``, lies in the input (padding never wins; a window wholly in the padding has
no such tap, so for sizes with such a window there is no selection to speak of).  What is proved
for an unknown selection is proved for every input.
"""

from __future__ import annotations

from derive.decide.solver import Law
from derive.expr import Cond, Expr, Integer, Sym, all_of, any_of, apply, between, eq, iff, implies
from derive.form import Form, Value, build, constant, sigma, sigmas, substitute, tensor, vjp
from derive.operators import (
    box,
    conv_transpose,
    correlate,
    max_pool,
    max_unpool,
    nearest_upsample,
    select,
    zero_insert,
)
from derive.shapes import conv_length, conv_remainder
from derive.symbols import sizes, symbol
from derive.theorems.model import Equal, EqualIff, Holds, Part, Source, Theorem, Twin, theorem
from derive.theorems.pooling_average import GUIDE, paddings, tiles

MAX_DOCS = Source(
    "PyTorch documentation: torch.nn.MaxPool2d",
    "https://docs.pytorch.org/docs/stable/generated/torch.nn.MaxPool2d.html",
)
UNPOOL_DOCS = Source(
    "PyTorch documentation: torch.nn.MaxUnpool2d",
    "https://docs.pytorch.org/docs/stable/generated/torch.nn.MaxUnpool2d.html",
)
SWITCHES = Source(
    "Zeiler & Fergus: Visualizing and Understanding Convolutional Networks",
    "https://arxiv.org/abs/1311.2901",
)
CLARKE = Source(
    "Clarke: Optimization and Nonsmooth Analysis (SIAM Classics in Applied Mathematics 5, 1990)",
    "https://doi.org/10.1137/1.9781611971309",
)

INDEX = Sym("i")
ROW, COLUMN = Sym("u"), Sym("v")


def law(function: str, cond: Cond, *parameters: Sym) -> Law:
    """A hypothesis on a selection, for all its arguments (by default one, named ``i``).

    Args:
        function: the name of the selection.
        cond: what is assumed of its value at the parameters.
        parameters: the symbols that stand for its arguments.

    Returns:
        the law.

    Source: the definition of max pooling.

    >>> law("σ", apply("σ", symbol("i")) >= 0).function
    'σ'
    """
    return Law(function, parameters or (INDEX,), cond)


def real(
    name: str, n: Integer, k: Integer, s: Integer, d: Integer, p_lo: Integer, m: Integer
) -> Law:
    """The selection picks a tap of its window, at a position of the input, in every window.

    Args:
        name: the name of the selection.
        n: input length.
        k: kernel length.
        s: stride.
        d: dilation.
        p_lo: padding in front.
        m: output length; nothing is assumed of other arguments than ``0 <= i < m``.

    Returns:
        the law.

    Source: PyTorch ``max_pool2d``, which pads with minus infinity.

    >>> real("σ", 4, 2, 2, 1, 0, 2).function
    'σ'
    """
    i = symbol("i")
    tap = apply(name, i)
    place = s * i + d * tap - p_lo
    return law(name, implies(between(0, i, m), all_of(between(0, tap, k), between(0, place, n))))


def masked(g: Form, k: Integer) -> Form:
    """The ``k`` masked channels of a gradient: channel ``t`` keeps ``g[i]`` where ``σ(i) = t``.

    Args:
        g: a form with one axis.
        k: the number of taps.

    Returns:
        the form ``y[t, i] = [σ(i) = t]·g[i]``.

    Source: theorem ``max-pool-gradient-general``.

    >>> masked(tensor("g", 3), 2).shape == (2, 3)
    True
    """
    return build((k, *g.shape), lambda t, i: g[i].where(eq(apply("σ", i), t)))


def _selection_2d() -> tuple[Part, ...]:
    """The same in two dimensions."""
    n0, n1, k0, k1, s0, s1, d0, d1 = sizes("n0 n1 k0 k1 s0 s1 d0 d1")
    a_lo, a_hi, b_lo, b_hi = (symbol(name, 0) for name in ("a_lo", "a_hi", "b_lo", "b_hi"))
    ends = ((a_lo, a_hi), (b_lo, b_hi))
    plane = max_pool(tensor("x", n0, n1), (k0, k1), (s0, s1), ends, (d0, d1))
    gg = tensor("g", *plane.shape)
    return (
        Part(
            sentence="The same in two dimensions, where the selection has two components:",
            statement=Equal(
                vjp(plane, "x", gg),
                max_unpool(gg, (k0, k1), (n0, n1), (s0, s1), ends, (d0, d1)),
            ),
            hypotheses=(
                n0 + a_lo + a_hi >= d0 * (k0 - 1) + 1,
                n1 + b_lo + b_hi >= d1 * (k1 - 1) + 1,
            ),
        ),
    )


def _which_selections() -> tuple[Part, ...]:
    """Where the ones stand without padding, and which selections there are."""
    k, s, d = sizes("k s d")
    i, t, other = symbol("i", 0), symbol("t", 0), symbol("u", 0)
    return (
        Part(
            sentence=(
                "Without padding the 1 of row $i$ stands on the diagonal exactly when the "
                "first tap is selected and $i = 0$ or $s = 1$:"
            ),
            statement=Holds(
                iff(eq(s * i + d * t, i), all_of(eq(t, 0), any_of(eq(i, 0), eq(s, 1))))
            ),
        ),
        Part(
            sentence=(
                "Which selections occur: where windows are disjoint, $s \\ge d(k-1)+1$, all "
                "of them: the position selected by window $i$ lies in no other window $u$, "
                "so the input that is 1 at the selected positions and 0 elsewhere has this "
                "selection, without ties:"
            ),
            statement=Holds(
                implies(eq(s * i + d * t, s * other + d * symbol("v", 0)), eq(i, other))
            ),
            hypotheses=(t < k, symbol("v", 0) < k, s >= d * (k - 1) + 1),
        ),
    )


@theorem
def max_pool_gradient_selection() -> Theorem:
    """The gradient of max pooling for every selection."""
    n, k, s, d = sizes("n k s d")
    p_lo, p_hi = paddings()
    fits = n + p_lo + p_hi >= d * (k - 1) + 1
    m = conv_length(n, k, s, d, 1, p_lo, p_hi)
    x, g = tensor("x", n), tensor("g", m)
    pooled = max_pool(x, k, s, (p_lo, p_hi), d)
    valid = real("σ", n, k, s, d, p_lo, m)

    def indicator(i: Expr) -> Value:
        place = s * i + d * apply("σ", i) - p_lo
        return sigma(n, lambda j: x[j].where(eq(j, place)))

    return Theorem(
        id="max-pool-gradient-selection",
        family="pooling",
        title="The gradient of max pooling for every selection",
        sentence=(
            "For every selection the Jacobian of max pooling has exactly one 1 in each row, in "
            "the column $s i + d\\,\\sigma(i) - p_{lo}$, and zeros elsewhere; the VJP is its "
            "transpose: max unpooling, which adds where windows chose the same input. The 1 "
            "stands on the diagonal only where $d\\,\\sigma(i) = p_{lo} - (s-1) i$."
        ),
        parts=(
            Part(
                sentence=(
                    "Entry $(i, j)$ of the Jacobian is 1 where $j = s i + d\\,\\sigma(i) - "
                    "p_{lo}$ and 0 elsewhere:"
                ),
                statement=Equal(pooled, build((m,), indicator)),
                hypotheses=(fits,),
                laws=(valid,),
            ),
            Part(
                sentence=(
                    "The sum of each row is 1 (applied to ones it gives ones), since the "
                    "selected position lies in the input; so each row has exactly one 1:"
                ),
                statement=Equal(substitute(pooled, "x", box(n)), box(m)),
                hypotheses=(fits,),
                laws=(valid,),
            ),
            Part(
                sentence="The VJP is max unpooling with the same selection:",
                statement=Equal(vjp(pooled, "x", g), max_unpool(g, k, n, s, (p_lo, p_hi), d)),
                hypotheses=(fits,),
            ),
            *_selection_2d(),
            *_which_selections(),
        ),
        twin=Twin(
            "max pooling without padding as a diagonal Jacobian: output $i$ is input $i$",
            Equal(max_pool(x, k, s), build(((n - k) // s + 1,), lambda i: x[i])),
            (n >= k,),
            (real("σ", n, k, s, 1, 0, (n - k) // s + 1),),
        ),
        sources=(MAX_DOCS, UNPOOL_DOCS, SWITCHES),
    )


@theorem
def max_pool_gradient_mask() -> Theorem:
    """The gradient of max pooling over tiles: a mask times nearest upsampling."""
    n, k, s, m = sizes("n k s m")
    p_lo, p_hi = paddings()
    tap = apply("σ", symbol("i"))
    in_window = law("σ", between(0, tap, k))
    x = tensor("x", n)
    length = conv_length(n, k, s, 1, 1, p_lo, p_hi)
    g = tensor("g", length)
    gradient = vjp(max_pool(x, k, s, (p_lo, p_hi)), "x", g)

    def mask(repeated: Form) -> Form:
        return build(repeated.shape, lambda j: repeated[j].where(eq(apply("σ", j // k), j % k)))

    m0, m1, k0, k1 = sizes("m0 m1 k0 k1")
    gg = tensor("g", m0, m1)
    plane = max_pool(tensor("x", k0 * m0, k1 * m1), (k0, k1))
    repeated = nearest_upsample(gg, (k0, k1))

    def mask_2d(a: Expr, b: Expr) -> Value:
        window = (a // k0, b // k1)
        chosen = (eq(apply("σ0", *window), a % k0), eq(apply("σ1", *window), b % k1))
        return repeated[a, b].where(*chosen)

    tile_g = tensor("g", m)
    return Theorem(
        id="max-pool-gradient-mask",
        family="pooling",
        title="The gradient of max pooling over tiles: a mask times nearest upsampling",
        sentence=(
            "Where the windows tile the input ($s = k$, $n = k m$) the gradient of max pooling "
            "is nearest upsampling by $k$, masked to the selected positions: $\\bar x_j = "
            "[\\sigma(\\lfloor j/k \\rfloor) = j \\bmod k]\\, g_{\\lfloor j/k \\rfloor}$."
        ),
        parts=(
            Part(
                sentence="For every kernel length and selection:",
                statement=Equal(
                    vjp(max_pool(tensor("x", k * m), k), "x", tile_g),
                    mask(nearest_upsample(tile_g, k)),
                ),
            ),
            Part(
                sentence="In two dimensions:",
                statement=Equal(vjp(plane, "x", gg), build(repeated.shape, mask_2d)),
            ),
            Part(
                sentence=(
                    "With any stride and padding, for each selection, exactly when $p_{lo} = 0$, "
                    "$n = k m$, and $s = k$ or there is one window:"
                ),
                statement=EqualIff(
                    gradient,
                    mask(nearest_upsample(g, k)),
                    all_of(eq(p_lo, 0), tiles(n, k, s, length)),
                    (
                        {"i0": apply("σ", 0), "g.0": 0},
                        {"i0": k + apply("σ", 1), "g.0": 1},
                    ),
                ),
                hypotheses=(n + p_lo + p_hi >= k,),
                laws=(in_window,),
            ),
        ),
        twin=Twin(
            "the same without the mask",
            Equal(vjp(max_pool(tensor("x", k * m), k), "x", tile_g), nearest_upsample(tile_g, k)),
            (),
            (in_window,),
        ),
        sources=(MAX_DOCS, UNPOOL_DOCS),
    )


def _masked_channels() -> tuple[Part, ...]:
    """One operator of the masked channels."""
    n, k, s, d = sizes("n k s d")
    p_lo, p_hi = paddings()
    fits = n + p_lo + p_hi >= d * (k - 1) + 1
    m = conv_length(n, k, s, d, 1, p_lo, p_hi)
    r = conv_remainder(n, k, s, d, 1, p_lo, p_hi)
    reach = d * (k - 1)
    x, g = tensor("x", n), tensor("g", m)
    gradient = vjp(max_pool(x, k, s, (p_lo, p_hi), d), "x", g)
    channels = masked(g, k)
    inserted = zero_insert(channels, s, dims=1)
    flipped = build((1, k, k), lambda o, t, u: constant(1).where(eq(u, k - 1 - t)))
    scattered = build((k, 1, k), lambda t, o, u: constant(1).where(eq(u, t)))
    return (
        Part(
            sentence=(
                "As zero insertion and one correlation of the $k$ masked channels with the "
                "kernel whose channel $t$ is one-hot at $k-1-t$, with padding $d(k-1) - "
                "p_{lo}$ in front and $d(k-1) - p_{hi} + r$ behind:"
            ),
            statement=Equal(
                gradient,
                select(
                    correlate(
                        inserted,
                        flipped,
                        padding=(reach - p_lo, reach - p_hi + r),
                        dilation=d,
                        dims=1,
                    ),
                    0,
                    0,
                ),
            ),
            hypotheses=(fits,),
        ),
        Part(
            sentence=(
                "As one transposed convolution of the masked channels, with one-hot kernels:"
            ),
            statement=Equal(
                gradient,
                select(
                    conv_transpose(
                        channels, scattered, s, (p_lo, p_hi), d, output_padding=r, dims=1
                    ),
                    0,
                    0,
                ),
            ),
            hypotheses=(fits,),
        ),
    )


def _general_2d() -> tuple[Part, ...]:
    """The same in two dimensions."""
    n0, n1, k0, k1, s0, s1, d0, d1 = sizes("n0 n1 k0 k1 s0 s1 d0 d1")
    a_lo, a_hi, b_lo, b_hi = (symbol(name, 0) for name in ("a_lo", "a_hi", "b_lo", "b_hi"))
    ends = ((a_lo, a_hi), (b_lo, b_hi))
    plane = max_pool(tensor("x", n0, n1), (k0, k1), (s0, s1), ends, (d0, d1))
    gg = tensor("g", *plane.shape)

    def keep(t0: Expr, t1: Expr, a: Expr, b: Expr) -> Value:
        return gg[a, b].where(eq(apply("σ0", a, b), t0), eq(apply("σ1", a, b), t1))

    inserted_2d = zero_insert(build((k0, k1, *gg.shape), keep), (s0, s1), dims=2)

    def shifted_2d(a: Expr, b: Expr) -> Value:
        return sigmas(
            (k0, k1),
            lambda t: inserted_2d[t[0], t[1], a + a_lo - d0 * t[0], b + b_lo - d1 * t[1]],
        )

    return (
        Part(
            sentence="In two dimensions, over the $k_0 k_1$ taps:",
            statement=Equal(vjp(plane, "x", gg), build((n0, n1), shifted_2d)),
            hypotheses=(
                n0 + a_lo + a_hi >= d0 * (k0 - 1) + 1,
                n1 + b_lo + b_hi >= d1 * (k1 - 1) + 1,
            ),
        ),
    )


@theorem
def max_pool_gradient_general() -> Theorem:
    """The gradient of any max pooling: upsampling and a convolution over masked channels."""
    n, k, s, d = sizes("n k s d")
    p_lo, p_hi = paddings()
    fits = n + p_lo + p_hi >= d * (k - 1) + 1
    m = conv_length(n, k, s, d, 1, p_lo, p_hi)
    r = conv_remainder(n, k, s, d, 1, p_lo, p_hi)
    reach = d * (k - 1)
    x, g = tensor("x", n), tensor("g", m)
    gradient = vjp(max_pool(x, k, s, (p_lo, p_hi), d), "x", g)
    channels = masked(g, k)
    inserted = zero_insert(channels, s, dims=1)

    return Theorem(
        id="max-pool-gradient-general",
        family="pooling",
        title="The gradient of any max pooling: upsampling and a convolution over masked channels",
        sentence=(
            "With any kernel, stride, padding and dilation the gradient of max pooling is the "
            "sum over the taps $t$ of the gradient masked to the windows that selected $t$, "
            "zero-inserted by $s$ and shifted by $d t - p_{lo}$. These are $k$ masked channels, "
            "upsampled by zero insertion and correlated with one-hot kernels."
        ),
        parts=(
            Part(
                sentence="As a sum of shifts of the zero-inserted masked gradients:",
                statement=Equal(
                    gradient,
                    build((n,), lambda j: sigma(k, lambda t: inserted[t, j + p_lo - d * t])),
                ),
                hypotheses=(fits,),
            ),
            *_masked_channels(),
            *_general_2d(),
        ),
        twin=Twin(
            "the same with kernels that are one-hot at $t$ instead of $k-1-t$",
            Equal(
                gradient,
                select(
                    correlate(
                        inserted,
                        build((1, k, k), lambda o, t, u: constant(1).where(eq(u, t))),
                        padding=(reach - p_lo, reach - p_hi + r),
                        dilation=d,
                        dims=1,
                    ),
                    0,
                    0,
                ),
            ),
            (fits,),
            (real("σ", n, k, s, d, p_lo, m),),
        ),
        sources=(MAX_DOCS, GUIDE, SWITCHES),
    )
