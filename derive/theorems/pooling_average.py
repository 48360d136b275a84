"""Sum, average, adaptive and global pooling: each is a linear operator with fixed windows.

Paddings of pooling operators are not negative; their symbols carry that hypothesis.
"""

from __future__ import annotations

from derive import shapes
from derive.expr import Cond, Expr, Integer, all_of, any_of, divides, eq, iff, implies
from derive.form import tensor, vjp
from derive.operators import (
    avg_pool,
    box,
    correlate,
    nearest_upsample,
    scale,
    select,
    sum_pool,
    zero_insert,
)
from derive.symbols import sizes, symbol
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

    >>> len(tile_witnesses(*sizes("k")))
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


def _average_2d() -> tuple[Part, ...]:
    """The same in two dimensions."""
    n0, n1, k0, k1, s0, s1, d0, d1 = sizes("n0 n1 k0 k1 s0 s1 d0 d1")
    a_lo, a_hi, b_lo, b_hi = (symbol(name, 0) for name in ("a_lo", "a_hi", "b_lo", "b_hi"))
    plane = tensor("x", n0, n1)
    strides, dilations = (s0, s1), (d0, d1)
    ends = ((a_lo, a_hi), (b_lo, b_hi))
    plane_fits = (n0 + a_lo + a_hi >= d0 * (k0 - 1) + 1, n1 + b_lo + b_hi >= d1 * (k1 - 1) + 1)
    return (
        Part(
            sentence="In two dimensions the constant is $1/(k_0 k_1)$:",
            statement=Equal(
                avg_pool(plane, (k0, k1), strides, ends, dilations),
                correlate(plane, scale(box((k0, k1)), 1, k0 * k1), strides, ends, dilations),
            ),
            hypotheses=plane_fits,
            instance={
                "n0": 3,
                "n1": 4,
                "k0": 2,
                "k1": 3,
                "s0": 1,
                "s1": 2,
                "d0": 1,
                "d1": 1,
                "a_lo": 0,
                "a_hi": 0,
                "b_lo": 1,
                "b_hi": 0,
            },
            wrt="x",
        ),
    )


def _average_uncounted() -> tuple[Part, ...]:
    """Where padding is not counted."""
    n, k, s = sizes("n k s")
    p_lo, p_hi = paddings()
    x = tensor("x", n)
    constant_kernel = scale(box(k), 1, k)

    m = shapes.conv_length(n, k, s, 1, 1, p_lo, p_hi)
    convolution = correlate(x, constant_kernel, stride=s, padding=(p_lo, p_hi))
    q = symbol("q", 0)

    def clean(i: Integer) -> Cond:
        front = any_of(s * i >= p_lo, s * i + k <= p_lo)
        return all_of(front, any_of(s * i + k <= n + p_lo, s * i >= n + p_lo))

    inside = all_of(eq(p_lo, 0), s * (m - 1) + k <= n)
    every = all_of(implies(inside, clean(q)), implies(all_of(clean(0), clean(m - 1)), inside))
    return (
        Part(
            sentence=(
                "The padding is not counted (count_include_pad = False): output $q$ is the "
                "same exactly when its window does not meet both the input and the padding, "
                "neither in front nor behind:"
            ),
            statement=EqualIff(
                select(avg_pool(x, k, s, (p_lo, p_hi), count_include_pad=False), 0, q),
                select(convolution, 0, q),
                clean(q),
                ({"x.0": 0}, {"x.0": n - 1}),
            ),
            hypotheses=(q < m,),
            instance={"n": 6, "k": 3, "s": 2, "p_lo": 1, "p_hi": 0, "q": 1},
            wrt="x",
        ),
        Part(
            sentence=(
                "With paddings shorter than the kernel (frameworks allow at most half of it) "
                "no window does so, and the two operators are the same, exactly when there "
                "is no padding in front and the last window ends inside the input; the first "
                "and the last window decide:"
            ),
            statement=Holds(every),
            hypotheses=(p_lo < k, p_hi < k, q < m),
        ),
    )


def _average_rounded_up() -> tuple[Part, ...]:
    """With ceil_mode."""
    n, k, s = sizes("n k s")
    p_lo, p_hi = paddings()
    plain_fits = n + p_lo + p_hi >= k
    x = tensor("x", n)
    constant_kernel = scale(box(k), 1, k)

    m = shapes.conv_length(n, k, s, 1, 1, p_lo, p_hi)
    convolution = correlate(x, constant_kernel, stride=s, padding=(p_lo, p_hi))

    up = shapes.ceil_length(n, k, s, 1, p_lo, p_hi)
    ceiled = avg_pool(x, k, s, (p_lo, p_hi), ceil_mode=True)
    reaching = correlate(x, constant_kernel, stride=s, padding=(p_lo, s * (up - 1) + k - n - p_lo))
    whole_windows = divides(s, n + p_lo + p_hi - k)
    return (
        Part(
            sentence=(
                "With ceil_mode, against the convolution with the same padding: equal "
                "exactly when the stride divides $n + p_{lo} + p_{hi} - k$ or the additional "
                "window would start in the padding behind the input and is left out, and "
                "none of the $m$ windows starts there (which smaller paddings exclude):"
            ),
            statement=EqualIff(
                ceiled,
                convolution,
                all_of(s * (m - 1) < n + p_lo, any_of(whole_windows, s * m >= n + p_lo)),
            ),
            hypotheses=(plain_fits,),
            instance={"n": 7, "k": 3, "s": 2, "p_lo": 0, "p_hi": 0},
            wrt="x",
        ),
        Part(
            sentence=(
                "With ceil_mode, against the convolution padded behind to the end of the "
                "last window: equal exactly when that window stays in the padded input, "
                "since otherwise its divisor is smaller than $k$:"
            ),
            statement=EqualIff(
                ceiled,
                reaching,
                s * (up - 1) + k <= n + p_lo + p_hi,
                ({"i0": up - 1, "x.0": n - 1},),
            ),
            hypotheses=(up >= 1,),
            instance={"n": 7, "k": 3, "s": 2, "p_lo": 0, "p_hi": 0},
            wrt="x",
        ),
    )


@theorem
def avg_pool_is_conv() -> Theorem:
    """Average pooling is a convolution with a constant kernel."""
    n, k, s, d, divisor = sizes("n k s d D")
    p_lo, p_hi = paddings()
    fits = n + p_lo + p_hi >= d * (k - 1) + 1
    plain_fits = n + p_lo + p_hi >= k
    x = tensor("x", n)
    constant_kernel = scale(box(k), 1, k)
    convolution = correlate(x, constant_kernel, stride=s, padding=(p_lo, p_hi))

    return Theorem(
        id="avg-pool-is-conv",
        family="pooling",
        title="Average pooling is a convolution with a constant kernel",
        sentence=(
            "Average pooling that counts the padding is correlation with the constant kernel "
            "$1/k$ (in $N$ dimensions $1/\\prod k$), with the same stride, padding and dilation. "
            "Not counting the padding, it is so exactly when no window meets both the input and "
            "the padding; with ceil_mode exactly when rounding up adds no window."
        ),
        parts=(
            Part(
                sentence=(
                    "The padding is counted (count_include_pad), any stride, padding and dilation:"
                ),
                statement=Equal(
                    avg_pool(x, k, s, (p_lo, p_hi), d),
                    correlate(x, constant_kernel, stride=s, padding=(p_lo, p_hi), dilation=d),
                ),
                hypotheses=(fits,),
                instance={"n": 6, "k": 3, "s": 2, "d": 1, "p_lo": 1, "p_hi": 0},
                wrt="x",
            ),
            *_average_2d(),
            *_average_uncounted(),
            *_average_rounded_up(),
            Part(
                sentence="divisor_override $= D$ gives the constant kernel $1/D$:",
                statement=Equal(
                    avg_pool(x, k, s, (p_lo, p_hi), d, divisor_override=divisor),
                    correlate(
                        x, scale(box(k), 1, divisor), stride=s, padding=(p_lo, p_hi), dilation=d
                    ),
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


def _adjoint_is_nearest() -> tuple[Part, ...]:
    """When the adjoint is nearest upsampling."""
    n, k, s = sizes("n k s")
    p_lo, p_hi = paddings()
    plain_fits = n + p_lo + p_hi >= k
    x = tensor("x", n)
    m = shapes.conv_length(n, k, s, 1, 1, p_lo, p_hi)
    unpadded_front = shapes.conv_length(n, k, s, 1, 1, 0, p_hi)
    padded = sum_pool(x, k, s, (p_lo, p_hi))
    g = tensor("g", *padded.shape)

    tiled = all_of(eq(k, s), eq(p_lo, 0), divides(s, n), s > p_hi)
    single = all_of(eq(n, s), p_lo + p_hi < k, k >= s + p_lo)
    return (
        Part(
            sentence=(
                "It is nearest upsampling by $k$ exactly when $p_{lo} = 0$, $n = k m$, and "
                "$s = k$ or there is one window ($m = 1$):"
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
                "In the sizes of the input this condition says: $s = k$ divides $n$, or $n = "
                "k$; and $p_{hi} < s$:"
            ),
            statement=Holds(iff(tiles(n, k, s, unpadded_front), tiles_in_sizes(n, k, s, p_hi))),
        ),
        Part(
            sentence=(
                "It is nearest upsampling by $s$ exactly when the same windows tile the "
                "input, or $n = s$ and there is one window and it covers the input:"
            ),
            statement=EqualIff(
                vjp(padded, "x", g),
                nearest_upsample(g, s),
                any_of(tiled, single),
                (
                    {"i0": s - 1, "g.0": 0},
                    {"i0": s, "g.0": 0},
                    {"i0": s, "g.0": 1},
                    {"i0": s - 1, "g.0": 1},
                ),
            ),
            hypotheses=(plain_fits,),
            instance={"n": 3, "k": 5, "s": 3, "p_lo": 1, "p_hi": 1},
            wrt="g",
        ),
    )


def _adjoint_2d() -> tuple[Part, ...]:
    """The same in two dimensions."""
    n0, n1, k0, k1, s0, s1 = sizes("n0 n1 k0 k1 s0 s1")
    plane = sum_pool(tensor("x", n0, n1), (k0, k1), (s0, s1))
    gg = tensor("g", *plane.shape)
    both = all_of(tiles(n0, k0, s0, gg.shape[0]), tiles(n1, k1, s1, gg.shape[1]))
    return (
        Part(
            sentence=(
                "In two dimensions, without padding, exactly when this is so along both axes:"
            ),
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
    )


@theorem
def sum_pool_adjoint() -> Theorem:
    """The adjoint of sum pooling."""
    n, k, s, d = sizes("n k s d")
    p_lo, p_hi = paddings()
    fits = n + p_lo + p_hi >= d * (k - 1) + 1
    x = tensor("x", n)
    r = shapes.conv_remainder(n, k, s, d, 1, p_lo, p_hi)
    reach = d * (k - 1)

    dilated = sum_pool(x, k, s, (p_lo, p_hi), d)
    h = tensor("g", *dilated.shape)

    return Theorem(
        id="sum-pool-adjoint",
        family="pooling",
        title="The adjoint of sum pooling",
        sentence=(
            "The adjoint of sum pooling is zero insertion by $s$ and correlation with the box "
            "kernel. It is nearest upsampling exactly when $k = s$ and the windows tile the "
            "input, or when there is one window that covers the whole input."
        ),
        parts=(
            Part(
                sentence=(
                    "For all strides, paddings and dilations, with the remainder $r = (n + "
                    "p_{lo} + p_{hi} - d(k-1) - 1) \\bmod s$:"
                ),
                statement=Equal(
                    vjp(dilated, "x", h),
                    correlate(
                        zero_insert(h, s),
                        box(k),
                        padding=(reach - p_lo, reach - p_hi + r),
                        dilation=d,
                    ),
                ),
                hypotheses=(fits,),
                instance={"n": 6, "k": 3, "s": 2, "d": 1, "p_lo": 1, "p_hi": 0},
                wrt="g",
            ),
            *_adjoint_is_nearest(),
            *_adjoint_2d(),
        ),
        twin=Twin(
            "nearest upsampling whenever $k = s$, also where a rest of the input is left",
            Equal(vjp(sum_pool(x, k), "x"), nearest_upsample(tensor("g", (n - k) // k + 1), k)),
            (n >= k,),
        ),
        sources=(GUIDE, AVG_DOCS),
    )
