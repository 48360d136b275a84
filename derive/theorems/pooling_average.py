"""Sum, average, adaptive and global pooling: each is a linear operator with fixed windows.

Paddings of pooling operators are not negative; their symbols carry that hypothesis.
"""

from __future__ import annotations

from collections.abc import Callable

from derive import shapes
from derive.expr import (
    Cond,
    Expr,
    Integer,
    all_of,
    any_of,
    between,
    divides,
    eq,
    iff,
    implies,
    maximum,
    minimum,
    size,
    sizes,
    symbol,
)
from derive.form import Form, Ratio, Value, build, constant, sigma, tensor, vjp
from derive.operators import (
    adaptive_avg_pool,
    avg_pool,
    box,
    broadcast,
    correlate,
    global_avg_pool,
    nearest_upsample,
    scale,
    select,
    sum_pool,
    zero_insert,
)
from derive.theorems.model import Equal, EqualIff, Holds, Part, Source, Theorem, Twin, theorem

GUIDE = Source(
    "Dumoulin & Visin: A guide to convolution arithmetic for deep learning",
    "https://arxiv.org/abs/1603.07285",
)
AVG_DOCS = Source(
    "PyTorch documentation: torch.nn.AvgPool2d",
    "https://docs.pytorch.org/docs/stable/generated/torch.nn.AvgPool2d.html",
)
ADAPTIVE_DOCS = Source(
    "PyTorch documentation: torch.nn.AdaptiveAvgPool2d",
    "https://docs.pytorch.org/docs/stable/generated/torch.nn.AdaptiveAvgPool2d.html",
)
OUTPUT_SHAPE = Source(
    "PyTorch source: pooling_output_shape in aten/src/ATen/native/Pool.h",
    "https://github.com/pytorch/pytorch/blob/main/aten/src/ATen/native/Pool.h",
)
ADAPTIVE_ANSWERS = Source(
    "Stack Overflow: How does adaptive pooling in pytorch work?",
    "https://stackoverflow.com/questions/53841509/how-does-adaptive-pooling-in-pytorch-work",
)
NETWORK = Source("Lin, Chen & Yan: Network In Network", "https://arxiv.org/abs/1312.4400")


def paddings() -> tuple[Expr, Expr]:
    """The padding symbols of a pooling operator.

    Returns:
        ``(p_lo, p_hi)``, both with the hypothesis that they are at least 0.

    Source: the requirement of every framework that a pooling does not crop.

    >>> [p.symbol.minimum for p in paddings()]
    [0, 0]
    """
    return symbol("p_lo", 0), symbol("p_hi", 0)


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
    return correlate(
        zero_insert(g, s), box(k), padding=(d * (k - 1) - p_lo, behind), dilation=d
    )


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


def tiles(n: Expr, k: Expr, s: Expr, m: Expr) -> Cond:
    """The windows tile the input, or the one window is the input (without padding in front).

    Args:
        n: input length.
        k: kernel length.
        s: stride.
        m: output length.

    Returns:
        ``n = k·m`` and ``s = k`` or ``m = 1``.

    Source: theorem ``sum-pool-adjoint``.

    >>> print(tiles(*sizes("n k s m")))
    k*m == n and (k == s or m == 1)
    """
    return all_of(eq(k * m, n), any_of(eq(s, k), eq(m, 1)))


def tiles_in_sizes(n: Expr, k: Expr, s: Expr, p_hi: Expr) -> Cond:
    """The condition of :func:`tiles` for the output length of a pooling padded behind only.

    Args:
        n: input length.
        k: kernel length.
        s: stride.
        p_hi: padding behind.

    Returns:
        ``(s = k, k divides n, p_hi < k) or (n = k, p_hi < s)``.

    Source: theorem ``sum-pool-adjoint``.

    >>> print(tiles_in_sizes(*sizes("n k s"), symbol("p_hi", 0)))
    ((k == s and n % s == 0) or k == n) and s >= p_hi + 1
    """
    return all_of(any_of(all_of(eq(k, s), divides(s, n)), eq(k, n)), s > p_hi)


def tile_witnesses(k: Expr) -> tuple[dict[str, Integer], ...]:
    """Places of which one shows that an adjoint is not nearest upsampling by ``k``.

    Args:
        k: kernel length.

    Returns:
        the last position of the first window against the first two outputs, and the position
        behind it against the second.

    Source: theorem ``sum-pool-adjoint``.

    >>> len(tile_witnesses(size("k")))
    3
    """
    return {"i0": k - 1, "g.0": 0}, {"i0": k - 1, "g.0": 1}, {"i0": k, "g.0": 1}


def plane_witnesses(k0: Expr, k1: Expr) -> tuple[dict[str, Integer], ...]:
    """As :func:`tile_witnesses`, along each of two axes, at index 0 of the other.

    Args:
        k0: kernel length along the first axis.
        k1: kernel length along the second axis.

    Returns:
        the places.

    Source: theorem ``sum-pool-adjoint``.

    >>> len(plane_witnesses(*sizes("k0 k1")))
    4
    """
    return (
        {"i0": k0 - 1, "i1": 0, "g.0": 1, "g.1": 0},
        {"i0": k0, "i1": 0, "g.0": 1, "g.1": 0},
        {"i0": 0, "i1": k1 - 1, "g.0": 0, "g.1": 1},
        {"i0": 0, "i1": k1, "g.0": 0, "g.1": 1},
    )


@theorem
def avg_pool_is_conv() -> Theorem:
    n, k, s, d, divisor = sizes("n k s d D")
    p_lo, p_hi = paddings()
    fits = n + p_lo + p_hi >= d * (k - 1) + 1
    plain_fits = n + p_lo + p_hi >= k
    x = tensor("x", n)
    constant_kernel = scale(box(k), 1, k)

    n0, n1, k0, k1, s0, s1, d0, d1 = sizes("n0 n1 k0 k1 s0 s1 d0 d1")
    a_lo, a_hi, b_lo, b_hi = (symbol(name, 0) for name in ("a_lo", "a_hi", "b_lo", "b_hi"))
    plane = tensor("x", n0, n1)
    axes = {"stride": (s0, s1), "padding": ((a_lo, a_hi), (b_lo, b_hi)), "dilation": (d0, d1)}
    plane_fits = (n0 + a_lo + a_hi >= d0 * (k0 - 1) + 1, n1 + b_lo + b_hi >= d1 * (k1 - 1) + 1)

    m = shapes.conv_length(n, k, s, 1, 1, p_lo, p_hi)
    convolution = correlate(x, constant_kernel, stride=s, padding=(p_lo, p_hi))
    last_before = minimum(m - 1, (p_lo - 1) // s)  # the last window that starts in front of the input
    first_behind = maximum(0, (n + p_lo - k) // s + 1)  # the first that ends behind the input
    clean_front = any_of(eq(p_lo, 0), k - 1 <= (p_lo - 1) % s, s * (m - 1) + k <= p_lo)
    clean_back = any_of(s * (m - 1) + k <= n + p_lo, k - 1 <= (k - 1 - n - p_lo) % s)
    clean = all_of(clean_front, clean_back)

    up = shapes.ceil_length(n, k, s, 1, p_lo, p_hi)
    ceiled = avg_pool(x, k, s, (p_lo, p_hi), ceil_mode=True)
    reaching = correlate(x, constant_kernel, stride=s, padding=(p_lo, s * (up - 1) + k - n - p_lo))
    whole_windows = divides(s, n + p_lo + p_hi - k)

    return Theorem(
        id="avg-pool-is-conv",
        family="pooling",
        title="Average pooling is a convolution with a constant kernel",
        sentence=(
            "Average pooling that counts the padding is correlation with the constant kernel $1/k$ (in $N$ "
            "dimensions $1/\\prod k$), with the same stride, padding and dilation. Not counting the padding, it is "
            "so exactly when no window meets both the input and the padding; with ceil_mode exactly when rounding "
            "up adds no window."
        ),
        parts=(
            Part(
                sentence="The padding is counted (count_include_pad), any stride, padding and dilation:",
                statement=Equal(
                    avg_pool(x, k, s, (p_lo, p_hi), d),
                    correlate(x, constant_kernel, stride=s, padding=(p_lo, p_hi), dilation=d),
                ),
                hypotheses=(fits,),
                instance={"n": 6, "k": 3, "s": 2, "d": 1, "p_lo": 1, "p_hi": 0},
                wrt="x",
            ),
            Part(
                sentence="In two dimensions the constant is $1/(k_0 k_1)$:",
                statement=Equal(
                    avg_pool(plane, (k0, k1), **axes), correlate(plane, scale(box((k0, k1)), 1, k0 * k1), **axes)
                ),
                hypotheses=plane_fits,
                instance={
                    "n0": 3, "n1": 4, "k0": 2, "k1": 3, "s0": 1, "s1": 2, "d0": 1, "d1": 1,
                    "a_lo": 0, "a_hi": 0, "b_lo": 1, "b_hi": 0,
                },
                wrt="x",
            ),
            Part(
                sentence=(
                    "The padding is not counted (count_include_pad = False): the same operator exactly when the last "
                    "window that starts in front of the input ends in front of it, and the first window that ends "
                    "behind the input starts behind it (or there is no such window), that is, when no window meets "
                    "both:"
                ),
                statement=EqualIff(
                    avg_pool(x, k, s, (p_lo, p_hi), count_include_pad=False),
                    convolution,
                    clean,
                    ({"i0": last_before, "x.0": 0}, {"i0": first_behind, "x.0": n - 1}),
                ),
                hypotheses=(plain_fits,),
                instance={"n": 6, "k": 3, "s": 2, "p_lo": 0, "p_hi": 0},
                wrt="x",
            ),
            Part(
                sentence=(
                    "With paddings shorter than the kernel (frameworks allow at most half of it) this condition says "
                    "that there is no padding in front and that the last window ends inside the input:"
                ),
                statement=Holds(iff(clean, all_of(eq(p_lo, 0), s * (m - 1) + k <= n))),
                hypotheses=(plain_fits, p_lo < k, p_hi < k),
            ),
            Part(
                sentence=(
                    "With ceil_mode, against the convolution with the same padding: equal exactly when the stride "
                    "divides $n + p_{lo} + p_{hi} - k$ or the additional window would start in the padding behind "
                    "the input and is left out, and none of the $m$ windows starts there (which smaller paddings "
                    "exclude):"
                ),
                statement=EqualIff(ceiled, convolution, all_of(s * (m - 1) < n + p_lo, any_of(whole_windows, s * m >= n + p_lo))),
                hypotheses=(plain_fits,),
                instance={"n": 7, "k": 3, "s": 2, "p_lo": 0, "p_hi": 0},
                wrt="x",
            ),
            Part(
                sentence=(
                    "With ceil_mode, against the convolution padded behind to the end of the last window: equal "
                    "exactly when that window stays in the padded input, since otherwise its divisor is smaller "
                    "than $k$:"
                ),
                statement=EqualIff(
                    ceiled, reaching, s * (up - 1) + k <= n + p_lo + p_hi, ({"i0": up - 1, "x.0": n - 1},)
                ),
                hypotheses=(up >= 1,),
                instance={"n": 7, "k": 3, "s": 2, "p_lo": 0, "p_hi": 0},
                wrt="x",
            ),
            Part(
                sentence="divisor_override $= D$ gives the constant kernel $1/D$:",
                statement=Equal(
                    avg_pool(x, k, s, (p_lo, p_hi), d, divisor_override=divisor),
                    correlate(x, scale(box(k), 1, divisor), stride=s, padding=(p_lo, p_hi), dilation=d),
                ),
                hypotheses=(fits,),
                instance={"n": 5, "k": 3, "s": 2, "d": 1, "p_lo": 1, "p_hi": 0, "D": 4},
                wrt="x",
            ),
        ),
        twin=Twin(
            "the same when the padding is not counted",
            Equal(avg_pool(x, k, s, (p_lo, p_hi), count_include_pad=False), convolution),
            (plain_fits,),
        ),
        sources=(AVG_DOCS, OUTPUT_SHAPE, GUIDE),
    )


@theorem
def sum_pool_adjoint() -> Theorem:
    n, k, s, d = sizes("n k s d")
    p_lo, p_hi = paddings()
    fits = n + p_lo + p_hi >= d * (k - 1) + 1
    plain_fits = n + p_lo + p_hi >= k
    x = tensor("x", n)
    m = shapes.conv_length(n, k, s, 1, 1, p_lo, p_hi)
    unpadded_front = shapes.conv_length(n, k, s, 1, 1, 0, p_hi)
    r = shapes.conv_remainder(n, k, s, d, 1, p_lo, p_hi)
    reach = d * (k - 1)

    dilated = sum_pool(x, k, s, (p_lo, p_hi), d)
    h = tensor("g", *dilated.shape)
    padded = sum_pool(x, k, s, (p_lo, p_hi))
    g = tensor("g", *padded.shape)

    n0, n1, k0, k1, s0, s1 = sizes("n0 n1 k0 k1 s0 s1")
    plane = sum_pool(tensor("x", n0, n1), (k0, k1), (s0, s1))
    gg = tensor("g", *plane.shape)
    both = all_of(tiles(n0, k0, s0, gg.shape[0]), tiles(n1, k1, s1, gg.shape[1]))

    tiled = all_of(eq(k, s), eq(p_lo, 0), divides(s, n), s > p_hi)
    single = all_of(eq(n, s), p_lo + p_hi < k, k >= s + p_lo)

    return Theorem(
        id="sum-pool-adjoint",
        family="pooling",
        title="The adjoint of sum pooling",
        sentence=(
            "The adjoint of sum pooling is zero insertion by $s$ and correlation with the box kernel. It is nearest "
            "upsampling exactly when $k = s$ and the windows tile the input, or when there is one window that "
            "covers the whole input."
        ),
        parts=(
            Part(
                sentence=(
                    "For all strides, paddings and dilations, with the remainder "
                    "$r = (n + p_{lo} + p_{hi} - d(k-1) - 1) \\bmod s$:"
                ),
                statement=Equal(
                    vjp(dilated, "x", h),
                    correlate(
                        zero_insert(h, s), box(k), padding=(reach - p_lo, reach - p_hi + r), dilation=d
                    ),
                ),
                hypotheses=(fits,),
                instance={"n": 6, "k": 3, "s": 2, "d": 1, "p_lo": 1, "p_hi": 0},
                wrt="g",
            ),
            Part(
                sentence=(
                    "It is nearest upsampling by $k$ exactly when $p_{lo} = 0$, $n = k m$, and $s = k$ or there is "
                    "one window ($m = 1$):"
                ),
                statement=EqualIff(
                    vjp(padded, "x", g),
                    nearest_upsample(g, k),
                    all_of(eq(p_lo, 0), tiles(n, k, s, m)),
                    tile_witnesses(k),
                ),
                hypotheses=(plain_fits,),
                instance={"n": 6, "k": 3, "s": 3, "p_lo": 0, "p_hi": 1},
                wrt="g",
            ),
            Part(
                sentence=(
                    "In the sizes of the input this condition says: $s = k$ divides $n$, or $n = k$; and $p_{hi} < s$:"
                ),
                statement=Holds(iff(tiles(n, k, s, unpadded_front), tiles_in_sizes(n, k, s, p_hi))),
                hypotheses=(n + p_hi >= k,),
            ),
            Part(
                sentence=(
                    "It is nearest upsampling by $s$ exactly when the same windows tile the input, or $n = s$ and "
                    "there is one window and it covers the input:"
                ),
                statement=EqualIff(
                    vjp(padded, "x", g),
                    nearest_upsample(g, s),
                    any_of(tiled, single),
                    ({"i0": s - 1, "g.0": 0}, {"i0": s, "g.0": 0}, {"i0": s, "g.0": 1}, {"i0": s - 1, "g.0": 1}),
                ),
                hypotheses=(plain_fits,),
                instance={"n": 3, "k": 5, "s": 3, "p_lo": 1, "p_hi": 1},
                wrt="g",
            ),
            Part(
                sentence="In two dimensions, without padding, exactly when this is so along both axes:",
                statement=EqualIff(
                    vjp(plane, "x", gg),
                    nearest_upsample(gg, (k0, k1)),
                    both,
                    plane_witnesses(k0, k1),
                ),
                hypotheses=(n0 >= k0, n1 >= k1),
                instance={"n0": 4, "n1": 3, "k0": 2, "k1": 3, "s0": 2, "s1": 1},
                wrt="g",
            ),
        ),
        twin=Twin(
            "nearest upsampling whenever $k = s$, also where a rest of the input is left",
            Equal(vjp(sum_pool(x, k), "x"), nearest_upsample(tensor("g", (n - k) // k + 1), k)),
            (n >= k,),
        ),
        sources=(GUIDE, AVG_DOCS),
    )


@theorem
def avg_pool_gradient_upsample() -> Theorem:
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
    tiled = all_of(eq(k, s), eq(p_lo, 0), divides(s, n), s > p_hi)
    single = all_of(eq(n, s), p_lo + p_hi < k, k >= s + p_lo)
    by_stride: tuple[dict[str, Integer], ...] = (
        {"i0": s - 1, "g.0": 0}, {"i0": s, "g.0": 0}, {"i0": s, "g.0": 1}, {"i0": s - 1, "g.0": 1},
    )

    n0, n1, k0, k1, s0, s1 = sizes("n0 n1 k0 k1 s0 s1")
    plane = avg_pool(tensor("x", n0, n1), (k0, k1), (s0, s1))
    gg = tensor("g", *plane.shape)
    both = all_of(tiles(n0, k0, s0, gg.shape[0]), tiles(n1, k1, s1, gg.shape[1]))

    return Theorem(
        id="avg-pool-gradient-upsample",
        family="pooling",
        title="When the gradient of average pooling is nearest upsampling",
        sentence=(
            "The gradient of average pooling is $1/k$ (in $N$ dimensions $1/\\prod k$) times nearest upsampling by $k$ "
            "exactly when nothing is padded in front, $n = k m$, and $s = k$ or $m = 1$. Without padding: exactly when "
            "$s = k$ divides $n$, or $n = k$."
        ),
        parts=(
            Part(
                sentence="With any padding, counted:",
                statement=EqualIff(gradient, scale(nearest_upsample(g, k), 1, k), exactly, tile_witnesses(k)),
                hypotheses=(fits,),
                instance={"n": 6, "k": 3, "s": 3, "p_lo": 0, "p_hi": 1},
                wrt="g",
            ),
            Part(
                sentence=(
                    "In the sizes of the input the condition says: $s = k$ divides $n$, or $n = k$; and $p_{hi} < s$:"
                ),
                statement=Holds(iff(tiles(n, k, s, unpadded_front), tiles_in_sizes(n, k, s, p_hi))),
                hypotheses=(n + p_hi >= k,),
            ),
            Part(
                sentence="The same condition when the padding is not counted:",
                statement=EqualIff(uncounted, scale(nearest_upsample(g, k), 1, k), exactly, tile_witnesses(k)),
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
            Part(
                sentence=(
                    "Upsampling by the stride $s$ instead, still times $1/k$: exactly when the windows tile the input, "
                    "or $n = s$ and one window covers all of it:"
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
            Part(
                sentence=(
                    "In two dimensions, without padding, with the factor $1/(k_0 k_1)$: exactly when this is so along "
                    "both axes:"
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
        ),
        twin=Twin(
            "$1/k$ times nearest upsampling whenever $s = k$, also where a rest of the input is left",
            Equal(
                vjp(avg_pool(x, k), "x"), scale(nearest_upsample(tensor("g", (n - k) // k + 1), k), 1, k)
            ),
            (n >= k,),
        ),
        sources=(AVG_DOCS, GUIDE),
    )


@theorem
def avg_pool_gradient_general() -> Theorem:
    n, k, s, d, divisor = sizes("n k s d D")
    p_lo, p_hi = paddings()
    fits = n + p_lo + p_hi >= d * (k - 1) + 1
    plain_fits = n + p_lo + p_hi >= k
    x = tensor("x", n)
    h = tensor("g", shapes.conv_length(n, k, s, d, 1, p_lo, p_hi))
    g = tensor("g", shapes.conv_length(n, k, s, 1, 1, p_lo, p_hi))
    up = shapes.ceil_length(n, k, s, 1, p_lo, p_hi)
    gu = tensor("g", up)

    def in_input(i: Expr) -> Expr:
        return minimum(k, n + p_lo - s * i) - maximum(0, p_lo - s * i)

    def in_padded(i: Expr) -> Expr:
        return minimum(k, n + p_lo + p_hi - s * i)

    n0, n1, k0, k1, s0, s1 = sizes("n0 n1 k0 k1 s0 s1")
    a_lo, a_hi, b_lo, b_hi = (symbol(name, 0) for name in ("a_lo", "a_hi", "b_lo", "b_hi"))
    plane = avg_pool(tensor("x", n0, n1), (k0, k1), (s0, s1), ((a_lo, a_hi), (b_lo, b_hi)))
    gg = tensor("g", *plane.shape)
    m0, m1 = gg.shape
    around = (
        (k0 - 1 - a_lo, n0 - 1 + a_lo - s0 * (m0 - 1)), (k1 - 1 - b_lo, n1 - 1 + b_lo - s1 * (m1 - 1)),
    )
    instance = {"n": 6, "k": 3, "s": 2, "p_lo": 1, "p_hi": 0}

    return Theorem(
        id="avg-pool-gradient-general",
        family="pooling",
        title="The gradient of any average pooling",
        sentence=(
            "The gradient of average pooling with any kernel, stride and padding is zero insertion by $s$ and correlation "
            "with the box kernel, with the padding $d(k-1) - p_{lo}$ in front and $n - 1 + p_{lo} - s(m-1)$ behind "
            "(which is $d(k-1) - p_{hi} + r$), times $1/k$. Where the divisors differ from window to window "
            "(padding not counted, ceil_mode), every $g_i$ is divided by the divisor of its window first."
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
            Part(
                sentence="In two dimensions, with the factor $1/(k_0 k_1)$:",
                statement=Equal(
                    vjp(plane, "x", gg),
                    scale(
                        correlate(zero_insert(gg, (s0, s1)), box((k0, k1)), padding=around), 1, k0 * k1
                    ),
                ),
                hypotheses=(n0 + a_lo + a_hi >= k0, n1 + b_lo + b_hi >= k1),
                instance={
                    "n0": 3, "n1": 4, "k0": 2, "k1": 3, "s0": 1, "s1": 2, "a_lo": 0, "a_hi": 0, "b_lo": 1, "b_hi": 0,
                },
                wrt="g",
            ),
            Part(
                sentence=(
                    "The padding not counted: $g_i$ is first divided by the number of inputs in its window, "
                    "$\\min(k, n + p_{lo} - s i) - \\max(0, p_{lo} - s i)$:"
                ),
                statement=Equal(
                    vjp(avg_pool(x, k, s, (p_lo, p_hi), count_include_pad=False), "x", g),
                    transposed_box(divided(g, in_input), n, k, s, p_lo),
                ),
                hypotheses=(plain_fits,),
                instance=instance,
                wrt="g",
            ),
            Part(
                sentence=(
                    "ceil_mode: $g_i$ is first divided by the part of its window inside the padded input, "
                    "$\\min(k, n + p_{lo} + p_{hi} - s i)$:"
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
                        avg_pool(x, k, s, (p_lo, p_hi), ceil_mode=True, count_include_pad=False), "x", gu
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
                    vjp(avg_pool(x, k, s, (p_lo, p_hi), ceil_mode=True, divisor_override=divisor), "x", gu),
                    scale(transposed_box(gu, n, k, s, p_lo), 1, divisor),
                ),
                hypotheses=(up >= 1,),
                instance={**instance, "p_hi": 1, "D": 4},
                wrt="g",
            ),
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
