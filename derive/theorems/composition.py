"""Compositions of convolutions, decimation, zero insertion and padding."""

from __future__ import annotations

from derive.expr import Expr, Integer, eq
from derive.form import Form, build, sigmas, tensor
from derive.operators import conv_transpose, convolve, correlate, decimate, pad, zero_insert
from derive.shapes import conv_length
from derive.symbols import offset, sizes, symbol
from derive.theorems.model import Equal, Part, Source, Step, Theorem, Twin, theorem

VAIDYANATHAN = Source(
    "Vaidyanathan: Multirate digital filters, filter banks, polyphase networks, and applications: "
    "a tutorial (Proceedings of the IEEE 78, 1990)",
    "https://doi.org/10.1109/5.52200",
)
RECEPTIVE = Source(
    "Araujo, Norris & Sim: Computing Receptive Fields of Convolutional Neural Networks (Distill, 2019)",
    "https://distill.pub/2019/computing-receptive-fields/",
)
XLA_PAD = Source("XLA: operation semantics, Pad", "https://openxla.org/xla/operation_semantics#pad")
TORCH_PAD = Source(
    "PyTorch documentation: torch.nn.functional.pad",
    "https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.pad.html",
)


def product_kernel(w1: Form, w2: Form, s1: Integer, d1: Integer, d2: Integer) -> Form:
    """The kernel of two correlations in a row: ``u[τ] = Σ_{a,b} w1[a]·w2[b]·[τ = d1·a + s1·d2·b]``.

    Args:
        w1: the kernel of the first correlation (one axis).
        w2: the kernel of the second.
        s1: the stride of the first.
        d1: the dilation of the first.
        d2: the dilation of the second.

    Returns:
        the kernel, with ``d1(k1 - 1) + s1·d2(k2 - 1) + 1`` taps.

    Source: put the first correlation into the second and collect the taps.

    >>> k1, k2 = sizes("k1 k2")
    >>> print(product_kernel(tensor("w1", k1), tensor("w2", k2), 1, 1, 1).shape[0])
    k1 + k2 - 1
    """
    (k1,), (k2,) = w1.shape, w2.shape
    return build(
        (d1 * (k1 - 1) + s1 * d2 * (k2 - 1) + 1,),
        lambda tau: sigmas(
            (k1, k2), lambda v: (w1[v[0]] * w2[v[1]]).where(eq(tau, d1 * v[0] + s1 * d2 * v[1]))
        ),
    )


def _composed_in_one() -> tuple[Part, ...]:
    """The composition as one correlation."""
    n, k1, k2, s1, s2, d1, d2 = sizes("n k1 k2 s1 s2 d1 d2")
    p_lo, p_hi, q_lo, q_hi = map(offset, ("p_lo", "p_hi", "q_lo", "q_hi"))
    x, w1, w2 = tensor("x", n), tensor("w1", k1), tensor("w2", k2)
    u = product_kernel(w1, w2, s1, d1, d2)
    reach = d1 * (k1 - 1) + s1 * d2 * (k2 - 1)

    both = correlate(correlate(x, w1, stride=s1, dilation=d1), w2, stride=s2, dilation=d2)
    padded = correlate(x, w1, stride=s1, padding=(p_lo, p_hi), dilation=d1)
    total = (p_lo + s1 * q_lo, p_hi + s1 * q_hi)
    reads = build(
        (conv_length(n, reach + 1, s1 * s2),),
        lambda i: sigmas(
            (k2, k1), lambda v: w2[v[0]] * w1[v[1]] * x[s1 * (s2 * i + d2 * v[0]) + d1 * v[1]]
        ),
    )
    shown = {"n": 9, "k1": 3, "k2": 2, "s1": 2, "s2": 1, "d1": 1, "d2": 2}
    return (
        Part(
            sentence=(
                "Without padding, as trilinear forms in $w_1$, $w_2$ and $x$, that is for every "
                "pair of kernels and every input:"
            ),
            statement=Equal(both, correlate(x, u, stride=s1 * s2)),
            hypotheses=(n >= reach + 1,),
            via=(Step("put the first sum into the second: no read falls outside", reads),),
            instance=shown,
            wrt="x",
        ),
        Part(
            sentence=(
                "Padding $(p_{lo}, p_{hi})$ of any sign before the first is padding of the whole:"
            ),
            statement=Equal(
                correlate(padded, w2, stride=s2, dilation=d2),
                correlate(x, u, stride=s1 * s2, padding=(p_lo, p_hi)),
            ),
            hypotheses=(n + p_lo + p_hi >= reach + 1,),
            instance={**shown, "n": 8, "p_lo": 2, "p_hi": -1},
            wrt="x",
        ),
        Part(
            sentence=(
                "A crop in between, $q_{lo}, q_{hi} \\le 0$, is a crop of $s_1$ times as much before "
                "the first, so the whole has padding "
                "$(p_{lo}+s_1 q_{lo}, p_{hi}+s_1 q_{hi})$:"
            ),
            statement=Equal(
                pad(padded, (q_lo, q_hi)),
                correlate(x, w1, stride=s1, padding=total, dilation=d1),
            ),
            hypotheses=(sum(total, n) >= d1 * (k1 - 1) + 1, q_lo <= 0, q_hi <= 0),
            instance={
                "n": 9,
                "k1": 3,
                "s1": 2,
                "d1": 1,
                "p_lo": 2,
                "p_hi": 1,
                "q_lo": -1,
                "q_hi": 0,
            },
            wrt="x",
        ),
    )


def _composed_kernel() -> tuple[Part, ...]:
    """The kernel of the composition."""
    n, k1, k2, s1, d1, d2 = sizes("n k1 k2 s1 d1 d2")
    x, w1, w2 = tensor("x", n), tensor("w1", k1), tensor("w2", k2)
    u = product_kernel(w1, w2, s1, d1, d2)
    one_way = correlate(correlate(x, w1, dilation=d1), w2, dilation=d2)
    other_way = correlate(correlate(x, w2, dilation=d2), w1, dilation=d1)
    return (
        Part(
            sentence=(
                "The kernel of the product is the transposed convolution of $w_2$ with $w_1$, "
                "stride $s_1 d_2$ and dilation $d_1$:"
            ),
            statement=Equal(u, conv_transpose(w2, w1, stride=s1 * d2, dilation=d1)),
            instance={"k1": 3, "k2": 2, "s1": 2, "d1": 1, "d2": 2},
            wrt="w1",
        ),
        Part(
            sentence="For strides and dilations 1 that is the convolution $w_1 * w_2$:",
            statement=Equal(product_kernel(w1, w2, 1, 1, 1), convolve(w1, w2, padding="full")),
            instance={"k1": 3, "k2": 2},
            wrt="w1",
        ),
        Part(
            sentence="With stride 1 the order of the two does not matter, whatever the dilations:",
            statement=Equal(one_way, other_way),
            hypotheses=(n >= d1 * (k1 - 1) + d2 * (k2 - 1) + 1,),
            instance={"n": 8, "k1": 3, "k2": 2, "d1": 1, "d2": 3},
            wrt="x",
        ),
    )


@theorem
def conv_conv() -> Theorem:
    """Two correlations in a row are one."""
    n, k1, k2, s1, s2, d1, d2 = sizes("n k1 k2 s1 s2 d1 d2")
    x, w1, w2 = tensor("x", n), tensor("w1", k1), tensor("w2", k2)
    reach = d1 * (k1 - 1) + s1 * d2 * (k2 - 1)

    both = correlate(correlate(x, w1, stride=s1, dilation=d1), w2, stride=s2, dilation=d2)
    unspread = build(
        (reach + 1,),
        lambda tau: sigmas(
            (k1, k2), lambda v: (w1[v[0]] * w2[v[1]]).where(eq(tau, d1 * v[0] + d2 * v[1]))
        ),
    )

    return Theorem(
        id="conv-conv",
        family="composition",
        title="Two convolutions are one",
        sentence=(
            "A correlation with stride $s_1$ and dilation $d_1$ followed by one with stride $s_2$ and "
            "dilation $d_2$ is the correlation with stride $s_1 s_2$ and the kernel "
            "$u[\\tau] = \\sum_{a,b} w_1[a]\\,w_2[b]\\,[\\,\\tau = d_1 a + s_1 d_2 b\\,]$, which has "
            "$d_1(k_1-1) + s_1 d_2(k_2-1) + 1$ taps. Padding of the first is padding of the whole; a crop "
            "in between counts $s_1$ times. (Zero padding in between: see conv-conv-same.)"
        ),
        parts=(
            *_composed_in_one(),
            *_composed_kernel(),
            _conv_conv_channels(),
            _conv_conv_2d(),
        ),
        twin=Twin(
            "the second kernel not spread by the stride of the first",
            Equal(both, correlate(x, unspread, stride=s1 * s2)),
            (n >= reach + 1,),
        ),
        sources=(VAIDYANATHAN, RECEPTIVE),
    )


def _conv_conv_channels() -> Part:
    n, k1, k2, s1, s2, d1, d2 = sizes("n k1 k2 s1 s2 d1 d2")
    c0, c1, c2 = sizes("c0 c1 c2")
    x, w1, w2 = tensor("x", c0, n), tensor("w1", c1, c0, k1), tensor("w2", c2, c1, k2)
    reach = d1 * (k1 - 1) + s1 * d2 * (k2 - 1)
    u = build(
        (c2, c0, reach + 1),
        lambda o, c, tau: sigmas(
            (c1, k1, k2),
            lambda v: (w1[v[0], c, v[1]] * w2[o, v[0], v[2]]).where(
                eq(tau, d1 * v[1] + s1 * d2 * v[2])
            ),
        ),
    )
    first = correlate(x, w1, stride=s1, dilation=d1, dims=1)
    return Part(
        sentence=(
            "With channels the kernels multiply as matrices, "
            "$u[o,c,\\tau] = \\sum_{h,a,b} w_2[o,h,b]\\,w_1[h,c,a]\\,[\\,\\tau = d_1 a + s_1 d_2 b\\,]$:"
        ),
        statement=Equal(
            correlate(first, w2, stride=s2, dilation=d2, dims=1),
            correlate(x, u, stride=s1 * s2, dims=1),
        ),
        hypotheses=(n >= reach + 1,),
        instance={
            "n": 5, "k1": 2, "k2": 2, "s1": 2, "s2": 1, "d1": 1, "d2": 1, "c0": 2, "c1": 1, "c2": 3,
        },
        wrt="x",
    )  # fmt: skip


def _conv_conv_2d() -> Part:
    axes = ("h", "w")
    n, k1, k2, s1, s2, d1, d2 = (
        sizes(" ".join(f"{name}_{a}" for a in axes))
        for name in ("n", "k1", "k2", "s1", "s2", "d1", "d2")
    )
    x, w1, w2 = tensor("x", *n), tensor("w1", *k1), tensor("w2", *k2)
    reach = tuple(d1[a] * (k1[a] - 1) + s1[a] * d2[a] * (k2[a] - 1) for a in range(2))
    u = build(
        tuple(r + 1 for r in reach),
        lambda *tau: sigmas(
            (*k1, *k2),
            lambda v: (w1[v[:2]] * w2[v[2:]]).where(
                *(eq(tau[a], d1[a] * v[a] + s1[a] * d2[a] * v[2 + a]) for a in range(2))
            ),
        ),
    )
    both = correlate(correlate(x, w1, stride=s1, dilation=d1), w2, stride=s2, dilation=d2)
    return Part(
        sentence="In two dimensions likewise on each axis:",
        statement=Equal(both, correlate(x, u, stride=tuple(a * b for a, b in zip(s1, s2, strict=True)))),
        hypotheses=tuple(n[a] >= reach[a] + 1 for a in range(2)),
        instance={
            "n_h": 3, "k1_h": 2, "k2_h": 2, "s1_h": 1, "s2_h": 1, "d1_h": 1, "d2_h": 1,
            "n_w": 5, "k1_w": 3, "k2_w": 2, "s1_w": 2, "s2_w": 1, "d1_w": 1, "d2_w": 1,
        },
        wrt="x",
    )  # fmt: skip


@theorem
def noble_identities() -> Theorem:
    """Decimation and zero insertion change places with a correlation."""
    n, k, s, d, up, down = sizes("n k s d L M")
    p_lo, p_hi = offset("p_lo"), offset("p_hi")
    r = symbol("r", 0)
    x, w = tensor("x", n), tensor("w", k)
    span = d * (k - 1)
    fits_down = n + down * (p_lo + p_hi) >= down * span + 1
    fits_up = n + p_lo + p_hi >= span + 1

    first = decimate(correlate(x, w, dilation=down * d), down)
    first_swapped = correlate(decimate(x, down), w, dilation=d)
    strided = correlate(
        x, w, stride=s * down, padding=(down * p_lo, down * p_hi), dilation=down * d
    )
    strided_swapped = correlate(decimate(x, down), w, stride=s, padding=(p_lo, p_hi), dilation=d)
    second = zero_insert(correlate(x, w, padding=(p_lo, p_hi), dilation=d), up, trailing=r)
    second_swapped = correlate(
        zero_insert(x, up, trailing=r), w, padding=(up * p_lo, up * p_hi), dilation=up * d
    )
    spread = correlate(zero_insert(x, up), pad(w, (0, (up - 1) * (k - 1))))

    return Theorem(
        id="noble-identities",
        family="composition",
        title="The noble identities",
        sentence=(
            "Decimation by $M$ passes to the left of a correlation whose dilation is a multiple of $M$, "
            "which is divided by $M$; zero insertion by $L$ passes to the left of any correlation, whose "
            "dilation is multiplied by $L$. Padding is divided or multiplied with them."
        ),
        parts=(
            Part(
                sentence=(
                    "First identity: correlating with dilation $M d$ and keeping every $M$-th value is "
                    "keeping every $M$-th value and correlating with dilation $d$:"
                ),
                statement=Equal(first, first_swapped),
                hypotheses=(n >= down * span + 1,),
                instance={"n": 8, "k": 3, "d": 1, "M": 2},
                wrt="x",
            ),
            Part(
                sentence="With stride $s M$ and padding $M p$ of any sign likewise:",
                statement=Equal(strided, strided_swapped),
                hypotheses=(fits_down,),
                instance={"n": 8, "k": 2, "s": 1, "d": 2, "M": 3, "p_lo": 1, "p_hi": 0},
                wrt="x",
            ),
            Part(
                sentence=(
                    "Second identity: correlating and then inserting $L-1$ zeros ($r < L$ more at the "
                    "end) is inserting them first and correlating with dilation $L d$ and padding $L p$:"
                ),
                statement=Equal(second, second_swapped),
                hypotheses=(fits_up, r < up),
                instance={"n": 4, "k": 3, "d": 1, "L": 2, "p_lo": 1, "p_hi": 0, "r": 1},
                wrt="x",
            ),
            *_noble_2d(),
        ),
        twin=Twin(
            "the second identity without dilating the kernel (zeros behind it instead)",
            Equal(zero_insert(correlate(x, w), up), spread),
            (n >= k,),
        ),
        sources=(VAIDYANATHAN,),
    )


def _noble_2d() -> tuple[Part, ...]:
    axes = ("h", "w")
    n, k, d, up, down = (sizes(" ".join(f"{v}_{a}" for a in axes)) for v in "nkdLM")
    lo, hi = (tuple(offset(f"{v}_{a}") for a in axes) for v in ("p_lo", "p_hi"))
    x, w = tensor("x", *n), tensor("w", *k)
    both = range(2)
    padding = tuple(zip(lo, hi, strict=True))

    def times(a: tuple[Expr, ...], b: tuple[Expr, ...]) -> tuple[Expr, ...]:
        return tuple(u * v for u, v in zip(a, b, strict=True))

    shown = {
        "n_h": 3, "k_h": 2, "d_h": 1, "L_h": 1, "M_h": 2, "p_lo_h": 0, "p_hi_h": 0,
        "n_w": 4, "k_w": 2, "d_w": 1, "L_w": 2, "M_w": 1, "p_lo_w": 1, "p_hi_w": 0,
    }  # fmt: skip
    return (
        Part(
            sentence="The first identity in two dimensions, with factors of their own on each axis:",
            statement=Equal(
                decimate(correlate(x, w, dilation=times(down, d)), down),
                correlate(decimate(x, down), w, dilation=d),
            ),
            hypotheses=tuple(n[a] >= down[a] * d[a] * (k[a] - 1) + 1 for a in both),
            instance=shown,
            wrt="x",
        ),
        Part(
            sentence="and the second:",
            statement=Equal(
                zero_insert(correlate(x, w, padding=padding, dilation=d), up),
                correlate(
                    zero_insert(x, up),
                    w,
                    padding=tuple(zip(times(up, lo), times(up, hi), strict=True)),
                    dilation=times(up, d),
                ),
            ),
            hypotheses=tuple(n[a] + lo[a] + hi[a] >= d[a] * (k[a] - 1) + 1 for a in both),
            instance=shown,
            wrt="x",
        ),
    )
