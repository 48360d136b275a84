"""Blocks of Toeplitz matrices for channels, groups and batches; convolution and correlation."""

from __future__ import annotations

from typing import Any

from derive.expr import eq
from derive.form import build, sigma, sigmas, tensor
from derive.operators import convolve, correlate, flip
from derive.shapes import conv_length
from derive.symbols import offset, sizes
from derive.theorems.model import Equal, EqualIff, Part, Source, Step, Theorem, Twin, theorem
from derive.theorems.toeplitz import GRAY, GUIDE, TORCH_CONV, entry, from_entries


def _batch_parts() -> tuple[Part, ...]:
    """With a batch."""
    n, k, s, d, c_in, c_out = sizes("n k s d c_in c_out")
    p_lo, p_hi = offset("p_lo"), offset("p_hi")
    batch = sizes("b")[0]
    fits = n + p_lo + p_hi >= d * (k - 1) + 1
    options: dict[str, Any] = {"stride": s, "padding": (p_lo, p_hi), "dilation": d, "dims": 1}
    m = conv_length(n, k, s, d, 1, p_lo, p_hi)

    w = tensor("w", c_out, c_in, k)
    samples = tensor("x", batch, n)
    kernel = tensor("w", k)
    one = correlate(tensor("x_one", n), kernel, **options)
    many = from_entries(
        (batch, m),
        samples,
        lambda i, j: entry(one, "x_one", (i[1],), (j[1],)).where(eq(i[0], j[0])),
    )
    stack = tensor("x", batch, c_in, n)
    one_stack = correlate(tensor("x_one", c_in, n), w, **options)
    many_stacks = from_entries(
        (batch, c_out, m),
        stack,
        lambda i, j: entry(one_stack, "x_one", i[1:], j[1:]).where(eq(i[0], j[0])),
    )
    shown = {"n": 4, "k": 2, "s": 2, "d": 1, "p_lo": 1, "p_hi": 0, "c_in": 2, "c_out": 3, "b": 2}
    return (
        Part(
            sentence=(
                "Batch: $I_b \\otimes A$, the same matrix for every sample and nothing "
                "between samples:"
            ),
            statement=Equal(correlate(samples, kernel, **options), many),
            hypotheses=(fits,),
            instance=shown,
            wrt="x",
        ),
        Part(
            sentence="Batch and channels together:",
            statement=Equal(correlate(stack, w, **options), many_stacks),
            hypotheses=(fits,),
            instance=shown,
            wrt="x",
        ),
    )


@theorem
def toeplitz_channels_groups() -> Theorem:
    """Channels, groups, depthwise kernels and batches as block matrices."""
    n, k, s, d, c_in, c_out = sizes("n k s d c_in c_out")
    p_lo, p_hi = offset("p_lo"), offset("p_hi")
    fits = n + p_lo + p_hi >= d * (k - 1) + 1
    options: dict[str, Any] = {"stride": s, "padding": (p_lo, p_hi), "dilation": d, "dims": 1}
    m = conv_length(n, k, s, d, 1, p_lo, p_hi)

    x, w = tensor("x", c_in, n), tensor("w", c_out, c_in, k)
    blocks = from_entries(
        (c_out, m),
        x,
        lambda i, j: sigma(k, lambda t: w[i[0], j[0], t].where(eq(j[1], s * i[1] + d * t - p_lo))),
    )
    exchanged = from_entries(
        (c_in, m),
        x,
        lambda i, j: sigma(
            k,
            lambda t: tensor("w", c_in, c_in, k)[j[0], i[0], t].where(
                eq(j[1], s * i[1] + d * t - p_lo)
            ),
        ),
    )
    shown = {"n": 4, "k": 2, "s": 2, "d": 1, "p_lo": 1, "p_hi": 0, "c_in": 2, "c_out": 3, "b": 2}

    return Theorem(
        id="toeplitz-channels-groups",
        family="toeplitz",
        title="Channels, groups and batches are blocks",
        sentence=(
            "With channels the matrix consists of blocks: the block for output channel $o$ and input "
            "channel $c$ is the (strided) Toeplitz matrix of $w[o,c,\\cdot]$. With $G$ groups it is "
            "block diagonal, for a depthwise kernel every channel has a matrix of its own, and a "
            "batch of $b$ samples is multiplied by $I_b \\otimes A$."
        ),
        parts=(
            Part(
                sentence=(
                    "Channels: $A[(o,i),(c,j)] = \\sum_t w[o,c,t]\\,[\\,j = s i + d t - p_{lo}\\,]$, "
                    "a Toeplitz block for each pair of channels:"
                ),
                statement=Equal(correlate(x, w, **options), blocks),
                hypotheses=(fits,),
                instance=shown,
                wrt="x",
            ),
            *_group_parts(),
            *_batch_parts(),
            _groups_2d(),
        ),
        twin=Twin(
            "input and output channel of the kernel exchanged",
            Equal(correlate(x, tensor("w", c_in, c_in, k), **options), exchanged),
            (fits,),
        ),
        sources=(TORCH_CONV, GRAY),
    )


def _depthwise_parts() -> tuple[Part, ...]:
    """Groups of one channel."""
    n, k, s, d, b, c = sizes("n k s d b c")
    p_lo, p_hi = offset("p_lo"), offset("p_hi")
    fits = n + p_lo + p_hi >= d * (k - 1) + 1
    options: dict[str, Any] = {"stride": s, "padding": (p_lo, p_hi), "dilation": d, "dims": 1}
    m = conv_length(n, k, s, d, 1, p_lo, p_hi)
    xc = tensor("x", c, n)
    depthwise = correlate(xc, tensor("w", c, 1, k), groups=c, **options)
    diagonal = from_entries(
        (c, m),
        xc,
        lambda i, j: sigma(
            k,
            lambda t: tensor("w", c, 1, k)[i[0], 0, t].where(
                eq(j[1], s * i[1] + d * t - p_lo), eq(i[0], j[0])
            ),
        ),
    )
    multiplied = correlate(xc, tensor("w", c * b, 1, k), groups=c, **options)
    columns = from_entries(
        (c * b, m),
        xc,
        lambda i, j: sigma(
            k,
            lambda t: tensor("w", c * b, 1, k)[i[0], 0, t].where(
                eq(j[1], s * i[1] + d * t - p_lo), eq(i[0] // b, j[0])
            ),
        ),
    )
    shown = {
        "n": 4, "k": 2, "s": 2, "d": 1, "p_lo": 1, "p_hi": 0, "G": 2, "a": 2, "b": 1, "c": 3,
    }  # fmt: skip
    return (
        Part(
            sentence="Depthwise ($G = c$ groups of one channel): one Toeplitz matrix for each channel:",
            statement=Equal(depthwise, diagonal),
            hypotheses=(fits,),
            instance={**shown, "c": 2},
            wrt="x",
        ),
        Part(
            sentence=(
                "Depthwise with $b$ kernels for each channel: output channel $o$ reads channel "
                "$\\lfloor o/b \\rfloor$:"
            ),
            statement=Equal(multiplied, columns),
            hypotheses=(fits,),
            instance={**shown, "c": 2, "b": 3},
            wrt="x",
        ),
    )


def _group_parts() -> tuple[Part, ...]:
    """Groups are block diagonal; depthwise kernels, with and without a multiplier."""
    n, k, s, d, a, b, groups = sizes("n k s d a b G")
    p_lo, p_hi = offset("p_lo"), offset("p_hi")
    fits = n + p_lo + p_hi >= d * (k - 1) + 1
    options: dict[str, Any] = {"stride": s, "padding": (p_lo, p_hi), "dilation": d, "dims": 1}
    m = conv_length(n, k, s, d, 1, p_lo, p_hi)

    x, w = tensor("x", groups * a, n), tensor("w", groups * b, a, k)
    grouped = correlate(x, w, groups=groups, **options)
    block_diagonal = from_entries(
        (groups * b, m),
        x,
        lambda i, j: sigma(
            k,
            lambda t: w[i[0], j[0] % a, t].where(
                eq(j[1], s * i[1] + d * t - p_lo), eq(i[0] // b, j[0] // a)
            ),
        ),
    )
    split = tensor("x", groups, a, n)
    kernels = tensor("w", groups, b, a, k)
    as_stack = build((groups * a, n), lambda q, j: split[q // a, q % a, j])
    as_kernel = build((groups * b, a, k), lambda q, h, t: kernels[q // b, q % b, h, t])
    apart = correlate(as_stack, as_kernel, groups=groups, **options)
    each = build(
        (groups * b, m),
        lambda q, i: sigmas(
            (a, n, k),
            lambda v: (kernels[q // b, q % b, v[0], v[2]] * split[q // b, v[0], v[1]]).where(
                eq(v[1], s * i + d * v[2] - p_lo)
            ),
        ),
    )
    shown = {
        "n": 4, "k": 2, "s": 2, "d": 1, "p_lo": 1, "p_hi": 0, "G": 2, "a": 2, "b": 1, "c": 3,
    }  # fmt: skip

    return (
        Part(
            sentence=(
                "Groups: with $a$ input and $b$ output channels in each of $G$ groups the matrix is "
                "block diagonal, "
                "$A[(o,i),(c,j)] = \\sum_t w[o, c \\bmod a, t]\\,[\\,j = s i + d t - p_{lo}\\,]$ "
                "where $\\lfloor o/b \\rfloor = \\lfloor c/a \\rfloor$ and 0 elsewhere:"
            ),
            statement=Equal(grouped, block_diagonal),
            hypotheses=(fits,),
            instance=shown,
            wrt="x",
        ),
        Part(
            sentence=(
                "so a grouped correlation is $G$ correlations, each with its own channels and kernel:"
            ),
            statement=Equal(apart, each),
            hypotheses=(fits,),
            instance=shown,
            wrt="x",
        ),
        *_depthwise_parts(),
    )


def _groups_2d() -> Part:
    n, k, s, d, n2, k2, s2, d2, a, b, groups, batch = sizes("n1 k1 s1 d1 n2 k2 s2 d2 a b G N")
    lo, hi, lo2, hi2 = map(offset, ("p_lo1", "p_hi1", "p_lo2", "p_hi2"))
    x, w = tensor("x", batch, groups * a, n, n2), tensor("w", groups * b, a, k, k2)
    y = correlate(
        x,
        w,
        stride=(s, s2),
        padding=((lo, hi), (lo2, hi2)),
        dilation=(d, d2),
        groups=groups,
        dims=2,
    )
    m, m2 = conv_length(n, k, s, d, 1, lo, hi), conv_length(n2, k2, s2, d2, 1, lo2, hi2)
    blocks = from_entries(
        (batch, groups * b, m, m2),
        x,
        lambda i, j: sigmas(
            (k, k2),
            lambda t: w[i[1], j[1] % a, t[0], t[1]].where(
                eq(i[0], j[0]),
                eq(i[1] // b, j[1] // a),
                eq(j[2], s * i[2] + d * t[0] - lo),
                eq(j[3], s2 * i[3] + d2 * t[1] - lo2),
            ),
        ),
    )
    return Part(
        sentence="Two dimensions with groups and a batch of $N$ samples, all at once:",
        statement=Equal(y, blocks),
        hypotheses=(
            n + lo + hi >= d * (k - 1) + 1,
            n2 + lo2 + hi2 >= d2 * (k2 - 1) + 1,
        ),
        instance={
            "n1": 2, "k1": 2, "s1": 1, "d1": 1, "p_lo1": 1, "p_hi1": 0, "a": 1, "b": 2, "G": 2, "N": 1,
            "n2": 3, "k2": 2, "s2": 2, "d2": 2, "p_lo2": 0, "p_hi2": 1,
        },
        wrt="x",
    )  # fmt: skip


def _flip_laws() -> tuple[Part, ...]:
    """Exchange of the operands, reversal of the input, and when the flip does not matter."""
    n, k, s, d = sizes("n k s d")
    p_lo, p_hi = offset("p_lo"), offset("p_hi")
    padding = (p_lo, p_hi)
    fits = n + p_lo + p_hi >= d * (k - 1) + 1
    valid = n >= d * (k - 1) + 1

    x, w = tensor("x", n), tensor("w", k)
    mirrored = flip(correlate(flip(x), w, padding=(p_hi, p_lo), dilation=d))
    shown = {"n": 5, "k": 3, "s": 2, "d": 1, "p_lo": 2, "p_hi": 1}
    return (
        Part(
            sentence="Convolution is commutative, $x * w = w * x$ (correlation is not):",
            statement=Equal(convolve(x, w, padding="full"), convolve(w, x, padding="full")),
            instance={"n": 4, "k": 3},
            wrt="x",
        ),
        Part(
            sentence=(
                "Convolving is correlating the reversed sequence and reversing the result, "
                "the two paddings exchanged:"
            ),
            statement=Equal(convolve(x, w, padding=padding, dilation=d), mirrored),
            hypotheses=(fits,),
            instance=shown,
            wrt="x",
        ),
        Part(
            sentence=(
                "Correlation and convolution with the same kernel are equal for all $x$ and $w$ "
                "exactly when the kernel has one tap:"
            ),
            statement=EqualIff(
                correlate(x, w, stride=s, dilation=d),
                convolve(x, w, stride=s, dilation=d),
                eq(k, 1),
                ({"i0": 0, "w.0": 0, "x.0": 0},),
                ({"s": 2, "d": 1}, {"s": 1, "d": 3}),
            ),
            hypotheses=(valid,),
            instance={"n": 5, "k": 3, "s": 2, "d": 1},
            wrt="x",
        ),
    )


@theorem
def correlate_convolve_flip() -> Theorem:
    """Convolution is correlation with the flipped kernel."""
    n, k, s, d = sizes("n k s d")
    p_lo, p_hi = offset("p_lo"), offset("p_hi")
    padding = (p_lo, p_hi)
    fits = n + p_lo + p_hi >= d * (k - 1) + 1

    x, w = tensor("x", n), tensor("w", k)
    definition = build((n + k - 1,), lambda u: sigma(n, lambda j: x[j] * w[u - j]))
    taps_back = build(
        (conv_length(n, k, s, d, 1, p_lo, p_hi),),
        lambda i: sigma(k, lambda t: w[t] * x[s * i + d * (k - 1 - t) - p_lo]),
    )
    corr = correlate(x, flip(w), stride=s, padding=padding, dilation=d)
    shown = {"n": 5, "k": 3, "s": 2, "d": 1, "p_lo": 2, "p_hi": 1}

    return Theorem(
        id="correlate-convolve-flip",
        family="toeplitz",
        title="Convolution is correlation with the flipped kernel",
        sentence=(
            "The convolution $(x * w)[u] = \\sum_j x[j]\\,w[u-j]$ is the correlation with the kernel "
            "$w[k-1-t]$; in two dimensions the flip is a rotation by 180 degrees. What frameworks "
            "call convolution is the correlation, without the flip; the two agree only for $k = 1$."
        ),
        parts=(
            Part(
                sentence="The convolution of two finite sequences, all $n+k-1$ values of it:",
                statement=Equal(definition, correlate(x, flip(w), padding="full")),
                via=(
                    Step(
                        "name the tap, $t = k-1-(u-j)$, of the flipped kernel",
                        build(
                            (n + k - 1,),
                            lambda u: sigma(k, lambda t: flip(w)[t] * x[u + t - (k - 1)]),
                        ),
                    ),
                ),
                instance={"n": 4, "k": 3},
                wrt="x",
            ),
            Part(
                sentence=(
                    "With stride, dilation and padding: the taps are read from the last to the first:"
                ),
                statement=Equal(taps_back, corr),
                hypotheses=(fits,),
                instance=shown,
                wrt="x",
            ),
            *_flip_laws(),
            *_flip_2d(),
        ),
        twin=Twin(
            "the flip left out",
            Equal(taps_back, correlate(x, w, stride=s, padding=padding, dilation=d)),
            (fits,),
        ),
        sources=(
            Source("Goodfellow, Bengio & Courville: Deep Learning, section 9.1",
                   "https://www.deeplearningbook.org/contents/convnets.html"),
            GRAY,
            GUIDE,
        ),
    )  # fmt: skip


def _flip_2d() -> tuple[Part, ...]:
    n, k, n2, k2 = sizes("n1 k1 n2 k2")
    s, s2, d, d2 = sizes("s1 s2 d1 d2")
    lo, hi, lo2, hi2 = map(offset, ("p_lo1", "p_hi1", "p_lo2", "p_hi2"))
    x, w = tensor("x", n, n2), tensor("w", k, k2)
    definition = build(
        (n + k - 1, n2 + k2 - 1),
        lambda u, v: sigmas((n, n2), lambda j: x[j] * w[u - j[0], v - j[1]]),
    )
    rot180 = build((k, k2), lambda a, b: w[k - 1 - a, k2 - 1 - b])
    options: dict[str, Any] = {
        "stride": (s, s2),
        "padding": ((lo, hi), (lo2, hi2)),
        "dilation": (d, d2),
    }
    taps_back = build(
        (conv_length(n, k, s, d, 1, lo, hi), conv_length(n2, k2, s2, d2, 1, lo2, hi2)),
        lambda i, i2: sigmas(
            (k, k2),
            lambda t: (
                w[t] * x[s * i + d * (k - 1 - t[0]) - lo, s2 * i2 + d2 * (k2 - 1 - t[1]) - lo2]
            ),
        ),
    )
    return (
        Part(
            sentence="In two dimensions the flipped kernel is the kernel rotated by 180 degrees:",
            statement=Equal(definition, correlate(x, rot180, padding="full")),
            instance={"n1": 2, "k1": 3, "n2": 3, "k2": 2},
            wrt="x",
        ),
        Part(
            sentence="and so with stride, dilation and padding on each axis:",
            statement=Equal(taps_back, correlate(x, rot180, **options)),
            hypotheses=(
                n + lo + hi >= d * (k - 1) + 1,
                n2 + lo2 + hi2 >= d2 * (k2 - 1) + 1,
            ),
            instance={
                "n1": 3, "k1": 2, "s1": 1, "d1": 2, "p_lo1": 1, "p_hi1": 0,
                "n2": 4, "k2": 3, "s2": 2, "d2": 1, "p_lo2": 0, "p_hi2": 2,
            },
            wrt="x",
        ),
    )  # fmt: skip
