"""Compositions of convolutions, decimation, zero insertion and padding."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from derive.expr import (
    Cond,
    Expr,
    Integer,
    all_of,
    any_of,
    between,
    ceil_div,
    eq,
    implies,
    lift,
    maximum,
    minimum,
    offset,
    sizes,
    symbol,
)
from derive.form import Form, build, constant, sigma, sigmas, tensor
from derive.operators import conv_transpose, convolve, correlate, decimate, pad, zero_insert
from derive.shapes import conv_length
from derive.theorems.model import Equal, EqualIff, Holds, Part, Source, Step, Theorem, Twin, theorem
from derive.theorems.toeplitz import GUIDE, XLA_CONV, entry, from_entries

VAIDYANATHAN = Source(
    "Vaidyanathan: Multirate digital filters, filter banks, polyphase networks, and applications: "
    "a tutorial (Proceedings of the IEEE 78, 1990)",
    "https://doi.org/10.1109/5.52200",
)
RECEPTIVE = Source(
    "Araujo, Norris & Sim: Computing Receptive Fields of Convolutional Neural Networks (Distill, 2019)",
    "https://distill.pub/2019/computing-receptive-fields/",
)
XLA_PAD = Source(
    "XLA: operation semantics, Pad", "https://openxla.org/xla/operation_semantics#pad"
)
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


@theorem
def conv_conv() -> Theorem:
    """Two correlations in a row are one."""
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
    unspread = build(
        (reach + 1,),
        lambda tau: sigmas((k1, k2), lambda v: (w1[v[0]] * w2[v[1]]).where(eq(tau, d1 * v[0] + d2 * v[1]))),
    )
    one_way = correlate(correlate(x, w1, dilation=d1), w2, dilation=d2)
    other_way = correlate(correlate(x, w2, dilation=d2), w1, dilation=d1)
    shown = {"n": 9, "k1": 3, "k2": 2, "s1": 2, "s2": 1, "d1": 1, "d2": 2}

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
            Part(
                sentence=(
                    "Without padding, as trilinear forms in $w_1$, $w_2$ and $x$, that is for every "
                    "pair of kernels and every input:"
                ),
                statement=Equal(both, correlate(x, u, stride=s1 * s2)),
                hypotheses=(n >= reach + 1,),
                via=(
                    Step("put the first sum into the second: no read falls outside", reads),
                ),
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
                    "n": 9, "k1": 3, "s1": 2, "d1": 1, "p_lo": 2, "p_hi": 1, "q_lo": -1, "q_hi": 0,
                },
                wrt="x",
            ),
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
                statement=Equal(
                    product_kernel(w1, w2, 1, 1, 1), convolve(w1, w2, padding="full")
                ),
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
        sizes(" ".join(f"{name}_{a}" for a in axes)) for name in ("n", "k1", "k2", "s1", "s2", "d1", "d2")
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


def one_row(y: Form, row: Integer) -> Form:
    """One row of a form with one axis: the value at ``row``, zero where there is no such row.

    Args:
        y: a form with one axis.
        row: the index.

    Returns:
        a form of length 1.

    Source: none; a row is a position.

    >>> one_row(tensor("x", sizes("n")[0]), 0).shape == (1,)
    True
    """
    return build((1,), lambda _: y[row])


@theorem
def conv_conv_same() -> Theorem:
    """Zero padding between two correlations changes the border, and exactly where."""
    n, k1, k2, s, d1, d2 = sizes("n k1 k2 s d1 d2")
    p_lo, p_hi, q_lo, q_hi, h, i = map(offset, ("p_lo", "p_hi", "q_lo", "q_hi", "h", "i"))
    start = offset("o")
    x, w1, w2 = tensor("x", n), tensor("w1", k1), tensor("w2", k2)
    first = correlate(x, w1, stride=s, padding=(p_lo, p_hi), dilation=d1)
    m1 = first.shape[0]
    fits_both = m1 + q_lo + q_hi >= d2 * (k2 - 1) + 1

    def window(start: Expr) -> Form:
        return build((1,), lambda _: sigma(k1, lambda a: w1[a] * x[start + d1 * a]))

    tap = maximum(0, ceil_div(-start, d1))
    both = correlate(first, w2, padding=(q_lo, q_hi), dilation=d2)
    one = correlate(
        x,
        product_kernel(w1, w2, s, d1, d2),
        stride=s,
        padding=(p_lo + s * q_lo, p_hi + s * q_hi),
    )
    inner = (i >= q_lo, i + d2 * (k2 - 1) - q_lo < m1)

    return Theorem(
        id="conv-conv-same",
        family="composition",
        title="Zero padding between two convolutions changes the border",
        sentence=(
            "With zero padding $(q_{lo}, q_{hi})$ between two correlations, their composition is not the "
            "correlation with the product kernel $u$ and padding $p + s q$ ($s$ the stride of the first): in between, the padding "
            "holds zeros where the single correlation would go on computing from the input. Row $i$ "
            "agrees exactly when every tap $b$ of the second kernel that reads padding, "
            "$h = i + d_2 b - q_{lo} \\notin [0, m_1)$, stands for a window "
            "$s h + d_1 a - p_{lo}$ without any input. For stride 1 the whole agrees exactly when on "
            "each side $q = 0$ or the first padding is at least $d_1(k_1-1)$ (full)."
        ),
        parts=(
            Part(
                sentence=(
                    "At its own outputs $0 \\le h < m_1$ the first correlation is a window of the "
                    "input that starts at $s h - p_{lo}$; at any other $h$ the padding in between "
                    "puts a zero in its place:"
                ),
                statement=Equal(one_row(first, h), window(s * h - p_lo)),
                hypotheses=(h >= 0, h < m1),
                instance={"n": 5, "k1": 3, "s": 1, "d1": 2, "p_lo": 1, "p_hi": 2, "h": 1},
                wrt="x",
            ),
            Part(
                sentence=(
                    "A zero there makes no difference exactly when that window, $x[o + d_1 a]$ with "
                    "$o = s h - p_{lo}$, holds no input: with the first tap that is not in front of "
                    "the input, $a = \\max(0, \\lceil -o/d_1 \\rceil)$, exactly when $a \\ge k_1$ or "
                    "$o + d_1 a \\ge n$:"
                ),
                statement=EqualIff(
                    window(start),
                    build((1,), lambda _: constant(0)),
                    any_of(tap >= k1, start + d1 * tap >= n),
                    ({"i0": 0, "w1.0": tap, "x.0": start + d1 * tap},),
                    ({"d1": 1}, {"d1": 3}),
                ),
                instance={"n": 5, "k1": 3, "d1": 2, "o": -3},
                wrt="x",
            ),
            Part(
                sentence=(
                    "The interior agrees: row $i$ of the composition is row $i$ of the single correlation "
                    "wherever the second kernel reads no padding, $q_{lo} \\le i$ and "
                    "$i + d_2(k_2-1) - q_{lo} < m_1$ (a stride of the second keeps some of the rows):"
                ),
                statement=Equal(one_row(both, i), one_row(one, i)),
                hypotheses=(fits_both, *inner),
                instance={
                    "n": 6, "k1": 3, "k2": 2, "s": 1, "d1": 1, "d2": 2,
                    "p_lo": 1, "p_hi": 0, "q_lo": 1, "q_hi": 2, "i": 1,
                },
                wrt="x",
            ),
            _rows_that_agree(),
            *_same_whole(),
            _same_2d(),
        ),
        twin=Twin(
            "zero padding in between for the usual lengths, as if it did no harm",
            _same(1, 1),
            (),
        ),
        negative=True,
        sources=(GUIDE, RECEPTIVE),
    )  # fmt: skip


def _stride_1(d1: Integer, d2: Integer) -> tuple[Form, Form, Expr, tuple[Cond, ...]]:
    """Composition, single correlation, intermediate length, and when both are defined."""
    n, k1, k2 = sizes("n k1 k2")
    p_lo, p_hi, q_lo, q_hi = map(offset, ("p_lo", "p_hi", "q_lo", "q_hi"))
    x, w1, w2 = tensor("x", n), tensor("w1", k1), tensor("w2", k2)
    first = correlate(x, w1, padding=(p_lo, p_hi), dilation=d1)
    both = correlate(first, w2, padding=(q_lo, q_hi), dilation=d2)
    u = product_kernel(w1, w2, 1, d1, d2)
    one = correlate(x, u, padding=(p_lo + q_lo, p_hi + q_hi))
    m1 = first.shape[0]
    return both, one, m1, (m1 >= 1, m1 + q_lo + q_hi >= d2 * (k2 - 1) + 1)


def _rows_that_agree() -> Part:
    n, k1, k2 = sizes("n k1 k2")
    p_lo, p_hi, i = symbol("p_lo"), symbol("p_hi"), symbol("i", 0)
    q_lo = offset("q_lo")
    both, one, m1, fits = _stride_1(1, 1)
    last = minimum(k2 - 1, q_lo - i - 1)
    next_ = maximum(0, m1 + q_lo - i)
    low, high = i + last - q_lo, i + next_ - q_lo
    a_low, a_high = maximum(0, p_lo - low), maximum(0, p_lo - high)
    return Part(
        sentence=(
            "For strides and dilations 1 and $p_{lo}, p_{hi} \\ge 0$, row $i$ agrees exactly when "
            "neither the last tap in the padding in front, $h = \\min(i+k_2-1-q_{lo}, -1)$, nor the "
            "first one in the padding behind, $h = \\max(i-q_{lo}, m_1)$, has a window with input: "
            "($i \\ge q_{lo}$ or $h + k_1 - 1 < p_{lo}$) and ($h > i+k_2-1-q_{lo}$ or $h \\ge n + p_{lo}$):"
        ),
        statement=EqualIff(
            one_row(both, i),
            one_row(one, i),
            all_of(
                any_of(i >= q_lo, low + k1 - 1 < p_lo), any_of(next_ > k2 - 1, high >= n + p_lo)
            ),
            (
                {"i0": 0, "w1.0": a_low, "w2.0": last, "x.0": low + a_low - p_lo},
                {"i0": 0, "w1.0": a_high, "w2.0": next_, "x.0": high + a_high - p_lo},
            ),
        ),
        hypotheses=(fits[0], p_lo >= 0, p_hi >= 0, i < both.shape[0]),
        instance={
            "n": 5, "k1": 3, "k2": 2, "p_lo": 1, "p_hi": 0, "q_lo": 1, "q_hi": 2, "i": 0,
        },
        wrt="x",
    )  # fmt: skip


def _same_whole() -> tuple[Part, ...]:
    """The whole output, with dilations; and the usual SAME lengths."""
    n, k1, k2, d1, d2 = sizes("n k1 k2 d1 d2")
    p_lo, p_hi, q_lo, q_hi = map(offset, ("p_lo", "p_hi", "q_lo", "q_hi"))
    both, one, m1, fits = _stride_1(d1, d2)
    m, reach = both.shape[0], d1 * (k1 - 1)
    b, a = minimum(k2 - 1, (q_lo - 1) // d2), ceil_div(p_lo + 1, d1)
    b2, a2 = minimum(k2 - 1, (q_hi - 1) // d2), k1 - 1 - ceil_div(p_hi + 1, d1)
    whole = EqualIff(
        both,
        one,
        all_of(any_of(q_lo <= 0, reach <= p_lo), any_of(q_hi <= 0, reach <= p_hi)),
        (
            {"i0": q_lo - 1 - d2 * b, "w1.0": a, "w2.0": b, "x.0": d1 * a - 1 - p_lo},
            {
                "i0": m - q_hi + d2 * b2,
                "w1.0": a2,
                "w2.0": k2 - 1 - b2,
                "x.0": m1 + d1 * a2 - p_lo,
            },
        ),
        ({"k1": 3, "k2": 2, "d1": 1, "d2": 1}, {"k1": 2, "k2": 3, "d1": 2, "d2": 1}),
    )
    r1, r2 = symbol("r1", 0), symbol("r2", 0)
    same = _same(r1, r2)
    return (
        Part(
            sentence=(
                "Stride 1, any dilations, paddings $\\ge 0$, $n \\ge d_1$ and $m \\ge d_2$: the two "
                "are equal exactly when ($q_{lo} = 0$ or $p_{lo} \\ge d_1(k_1-1)$) and "
                "($q_{hi} = 0$ or $p_{hi} \\ge d_1(k_1-1)$):"
            ),
            statement=whole,
            hypotheses=(
                fits[0], p_lo >= 0, p_hi >= 0, q_lo >= 0, q_hi >= 0, n >= d1, m >= d2,
            ),
            instance={
                "n": 5, "k1": 3, "k2": 2, "d1": 1, "d2": 2, "p_lo": 1, "p_hi": 0, "q_lo": 1, "q_hi": 2,
            },
            wrt="x",
        ),
        Part(
            sentence=(
                "The usual lengths, odd kernels $2r_1+1$ and $2r_2+1$ with padding $r_1$ and $r_2$: "
                "the single correlation with $2(r_1+r_2)+1$ taps and padding $r_1+r_2$ is equal "
                "exactly when $r_1 = 0$ or $r_2 = 0$:"
            ),
            statement=EqualIff(
                same.left,
                same.right,
                any_of(eq(r1, 0), eq(r2, 0)),
                (
                    {"i0": 0, "w1.0": r1 + 1, "w2.0": r2 - 1, "x.0": 0},
                ),
            ),
            instance={"n": 5, "r1": 1, "r2": 2},
            wrt="x",
        ),
    )  # fmt: skip


def _same(r1: Integer, r2: Integer) -> Equal:
    """Odd kernels with the padding that keeps the length."""
    n = sizes("n")[0]
    x, w1, w2 = tensor("x", n), tensor("w1", 2 * r1 + 1), tensor("w2", 2 * r2 + 1)
    both = correlate(correlate(x, w1, padding=r1), w2, padding=r2)
    return Equal(both, correlate(x, product_kernel(w1, w2, 1, 1, 1), padding=r1 + r2))


def _same_2d() -> Part:
    axes = ("h", "w")
    n, k1, k2 = (sizes(" ".join(f"{name}_{a}" for a in axes)) for name in ("n", "k1", "k2"))
    p_lo, p_hi, q_lo, q_hi = (
        tuple(offset(f"{name}_{a}") for a in axes) for name in ("p_lo", "p_hi", "q_lo", "q_hi")
    )
    x, w1, w2 = tensor("x", *n), tensor("w1", *k1), tensor("w2", *k2)
    u = build(
        tuple(a + b - 1 for a, b in zip(k1, k2, strict=True)),
        lambda *tau: sigmas(
            (*k1, *k2),
            lambda v: (w1[v[:2]] * w2[v[2:]]).where(*(eq(tau[a], v[a] + v[2 + a]) for a in range(2))),
        ),
    )
    first = correlate(x, w1, padding=tuple(zip(p_lo, p_hi, strict=True)))
    both = correlate(first, w2, padding=tuple(zip(q_lo, q_hi, strict=True)))
    one = correlate(
        x, u, padding=tuple((p_lo[a] + q_lo[a], p_hi[a] + q_hi[a]) for a in range(2))
    )
    m1, m = first.shape, both.shape

    def place(a: int, side: str) -> tuple[Expr, Expr, Expr, Expr]:
        """``(i, tap of w1, tap of w2, position in x)`` on one axis."""
        if side == "lo":
            b = minimum(k2[a] - 1, q_lo[a] - 1)
            return q_lo[a] - 1 - b, p_lo[a] + 1, b, _zero()
        if side == "hi":
            b = minimum(k2[a] - 1, q_hi[a] - 1)
            return m[a] - q_hi[a] + b, k1[a] - 2 - p_hi[a], k2[a] - 1 - b, n[a] - 1
        row = minimum(p_lo[a] + q_lo[a], m[a] - 1)
        rest = p_lo[a] + q_lo[a] - row
        tap = minimum(k1[a] - 1, rest)
        return row, tap, rest - tap, _zero()

    def witness(one: tuple[Expr, ...], two: tuple[Expr, ...]) -> Mapping[str, Integer]:
        names = ("i", "w1.", "w2.", "x.")
        return {f"{name}{a}": v for a, at in enumerate((one, two)) for name, v in zip(names, at, strict=True)}

    return Part(
        sentence=(
            "In two dimensions (strides and dilations 1, paddings $\\ge 0$) the two are equal exactly "
            "when the condition holds on both axes:"
        ),
        statement=EqualIff(
            both,
            one,
            all_of(
                *(any_of(q_lo[a] <= 0, k1[a] - 1 <= p_lo[a]) for a in range(2)),
                *(any_of(q_hi[a] <= 0, k1[a] - 1 <= p_hi[a]) for a in range(2)),
            ),
            tuple(
                witness(place(0, one_), place(1, two_))
                for one_, two_ in (("lo", ""), ("hi", ""), ("", "lo"), ("", "hi"))
            ),
        ),
        hypotheses=(
            *(m1[a] >= 1 for a in range(2)),
            *(m1[a] + q_lo[a] + q_hi[a] >= k2[a] for a in range(2)),
            *(e >= 0 for pads in (p_lo, p_hi, q_lo, q_hi) for e in pads),
        ),
        instance={
            "n_h": 2, "k1_h": 2, "k2_h": 2, "p_lo_h": 0, "p_hi_h": 1, "q_lo_h": 1, "q_hi_h": 0,
            "n_w": 3, "k1_w": 3, "k2_w": 2, "p_lo_w": 1, "p_hi_w": 1, "q_lo_w": 0, "q_hi_w": 1,
        },
        wrt="x",
    )  # fmt: skip


def _zero() -> Expr:
    return lift(0)


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
    strided_swapped = correlate(
        decimate(x, down), w, stride=s, padding=(p_lo, p_hi), dilation=d
    )
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
                    "Second identity: correlating and then inserting $L-1$ zeros ($r$ more at the end) is "
                    "inserting them first and correlating with dilation $L d$ and padding $L p$:"
                ),
                statement=Equal(second, second_swapped),
                hypotheses=(fits_up,),
                instance={"n": 4, "k": 3, "d": 1, "L": 2, "p_lo": 1, "p_hi": 0, "r": 1},
                wrt="x",
            ),
            *_noble_2d(),
            *_resample_parts(),
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
    n, k, s, d, up, down = (sizes(" ".join(f"{v}_{a}" for a in axes)) for v in "nksdLM")
    lo, hi = (tuple(offset(f"{v}_{a}") for a in axes) for v in ("p_lo", "p_hi"))
    x, w = tensor("x", *n), tensor("w", *k)
    both = range(2)
    padding = tuple(zip(lo, hi, strict=True))

    def times(a: tuple[Expr, ...], b: tuple[Expr, ...]) -> tuple[Expr, ...]:
        return tuple(u * v for u, v in zip(a, b, strict=True))

    shown = {
        "n_h": 3, "k_h": 2, "s_h": 1, "d_h": 1, "L_h": 1, "M_h": 2, "p_lo_h": 0, "p_hi_h": 0,
        "n_w": 4, "k_w": 2, "s_w": 2, "d_w": 1, "L_w": 2, "M_w": 1, "p_lo_w": 1, "p_hi_w": 0,
    }  # fmt: skip
    return (
        Part(
            sentence="The first identity in two dimensions, with factors of their own on each axis:",
            statement=Equal(
                correlate(
                    x,
                    w,
                    stride=times(s, down),
                    padding=tuple(zip(times(down, lo), times(down, hi), strict=True)),
                    dilation=times(down, d),
                ),
                correlate(decimate(x, down), w, stride=s, padding=padding, dilation=d),
            ),
            hypotheses=tuple(
                n[a] + down[a] * (lo[a] + hi[a]) >= down[a] * d[a] * (k[a] - 1) + 1 for a in both
            ),
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


def _resample_parts() -> tuple[Part, ...]:
    """Decimation and zero insertion with each other: when the order does not matter."""
    n, q, up, down, c = sizes("n q L M c")
    a, b = offset("a"), offset("b")
    x = tensor("x", down * q + 1)
    one = decimate(zero_insert(x, up), down)
    other = zero_insert(decimate(x, down), up)
    z = tensor("x", c * down * q + 1)
    first = decimate(zero_insert(z, c * up), c * down)
    last = zero_insert(decimate(z, c * down), c * up)
    return (
        Part(
            sentence=(
                "Zero insertion by $L$ and decimation by $M$ change places where $L$ and $M$ have no "
                "common divisor (written $a M + b L = 1$), for inputs of length $M q + 1$:"
            ),
            statement=Equal(one, other),
            hypotheses=(eq(a * down + b * up, 1),),
            instance={"q": 2, "L": 3, "M": 2, "a": -1, "b": 1},
            wrt="x",
        ),
        Part(
            sentence=(
                "and only then: with a common factor $c$ (factors $c L$ and $c M$, length $c M q + 1$ with "
                "$q \\ge L$) they are equal exactly when $c = 1$ or $L = M = 1$ fails to separate them:"
            ),
            statement=EqualIff(
                first, last, eq(c, 1), ({"i0": up, "x.0": down},)
            ),
            hypotheses=(eq(a * down + b * up, 1), q >= up),
            instance={"q": 2, "L": 1, "M": 2, "c": 2, "a": 0, "b": 1},
            wrt="x",
        ),
    )
