"""Pixel shuffle: interleaving the outputs of several convolutions."""

from __future__ import annotations

from derive.expr import Expr, ceil_div
from derive.form import Form, Value, build, tensor, vjp
from derive.operators import (
    conv_transpose,
    correlate,
    nearest_upsample,
    pad,
    pixel_unshuffle,
    zero_insert,
)
from derive.operators import pixel_shuffle as shuffle
from derive.symbols import offset, sizes
from derive.theorems.model import Equal, Part, Source, Theorem, Twin, theorem
from derive.theorems.upsampling import DECONV_LAYER

ESPCN = Source(
    "Shi et al.: Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel "
    "Convolutional Neural Network",
    "https://arxiv.org/abs/1609.05158",
)
ICNR = Source(
    "Aitken et al.: Checkerboard artifact free sub-pixel convolution",
    "https://arxiv.org/abs/1707.02937",
)
TORCH = Source(
    "PyTorch: PixelShuffle",
    "https://docs.pytorch.org/docs/stable/generated/torch.nn.PixelShuffle.html",
)


def interleaved(w: Form, s: Expr, channels: Expr) -> Form:
    """The kernel of convolution + pixel shuffle: ``U[c', c, s·t + a] = w[c·s + a, c', k-1-t]``."""
    c_in, k = w.shape[1], w.shape[2]

    def body(b: Expr, c: Expr, q: Expr) -> Value:
        return w[(c * s + q % s, b, k - 1 - q // s)]

    return build((c_in, channels, s * k), body)


def polyphase(kernel: Form, s: Expr) -> Form:
    """The ``s`` sub-kernels of a kernel ``(c_in, c, k)``, as one of ``(c·s, c_in, ⌈k/s⌉)``, flipped."""
    c_in, channels, k = kernel.shape
    taps = ceil_div(k, s)

    def body(o: Expr, b: Expr, t: Expr) -> Value:
        return kernel[(b, o // s, s * (taps - 1 - t) + o % s)]

    return build((channels * s, c_in, taps), body)


@theorem
def pixel_shuffle() -> Theorem:
    """A convolution and a pixel shuffle are a transposed convolution."""
    n, k, s, d, c, c_in = sizes("n k s d c c_in")
    p_lo, p_hi = offset("p_lo"), offset("p_hi")
    reach = d * (k - 1)
    fits = n + p_lo + p_hi >= reach + 1

    x, w = tensor("x", c_in, n), tensor("w", c * s, c_in, k)
    convolved = correlate(x, w, padding=(p_lo, p_hi), dilation=d, dims=1)
    left = shuffle(convolved, s)
    kernel = interleaved(zero_insert(w, d, dims=1), s, c)
    crops = (s * (reach - p_lo), s * (reach - p_hi))
    right = conv_transpose(x, kernel, stride=s, padding=crops, dims=1)

    return Theorem(
        id="pixel-shuffle",
        family="upsampling",
        title="A convolution and a pixel shuffle are a transposed convolution",
        sentence=(
            "A stride-1 correlation with $c s$ output channels followed by a pixel shuffle by $s$ "
            "is one stride-$s$ transposed convolution with $s k$ taps, whose kernel interleaves the "
            "flipped sub-kernels: $U[s t + a] = w_a[k - 1 - t]$. Conversely every stride-$s$ "
            "transposed convolution is a correlation with the $s$ polyphase components of its "
            "kernel followed by a pixel shuffle."
        ),
        parts=(
            Part(
                sentence=(
                    "For all sizes and channels, any zero padding and dilation (whose zeros stay in "
                    "the sub-kernels); the padding of the transposed convolution is "
                    "$s(d(k-1) - p_{lo})$ and $s(d(k-1) - p_{hi})$:"
                ),
                statement=Equal(left, right),
                hypotheses=(fits,),
                instance={
                    "n": 3,
                    "k": 2,
                    "s": 3,
                    "d": 1,
                    "c": 1,
                    "c_in": 2,
                    "p_lo": 0,
                    "p_hi": 1,
                },
                wrt="x",
            ),
            _converse(),
            _two_dimensions(),
            *_rearrangement(),
            _repeated_kernels(),
        ),
        twin=Twin(
            "the same without the flip of the sub-kernels",
            Equal(
                left,
                conv_transpose(
                    x,
                    _interleaved_unflipped(zero_insert(w, d, dims=1), s, c),
                    stride=s,
                    padding=crops,
                    dims=1,
                ),
            ),
            (fits,),
        ),
        sources=(ESPCN, DECONV_LAYER, ICNR, TORCH),
    )


def _interleaved_unflipped(w: Form, s: Expr, channels: Expr) -> Form:
    c_in, k = w.shape[1], w.shape[2]
    return build((c_in, channels, s * k), lambda b, c, q: w[(c * s + q % s, b, q // s)])


def _converse() -> Part:
    n, k, s, c, c_in = sizes("n k s c c_in")
    p_lo, p_hi = offset("p_lo"), offset("p_hi")
    x, kernel = tensor("x", c_in, n), tensor("K", c_in, c, k)
    taps = ceil_div(k, s)
    parallel = correlate(x, polyphase(kernel, s), padding=taps - 1, dims=1)
    excess = s * taps - k
    return Part(
        sentence=(
            "Conversely, with $\\lceil k/s \\rceil$ taps in each sub-kernel and the surplus of "
            "$s \\lceil k/s \\rceil - k$ outputs cut off at the end:"
        ),
        statement=Equal(
            conv_transpose(x, kernel, stride=s, padding=(p_lo, p_hi), dims=1),
            pad(shuffle(parallel, s), (-p_lo, -p_hi - excess), dims=1),
        ),
        hypotheses=(s * (n - 1) + k >= p_lo + p_hi + 1,),
        instance={"n": 2, "k": 5, "s": 3, "c": 1, "c_in": 2, "p_lo": 1, "p_hi": 0},
        wrt="x",
    )


def _two_dimensions() -> Part:
    n0, n1, k0, k1, s, c = sizes("n0 n1 k0 k1 s c")
    x, w = tensor("x", 1, n0, n1), tensor("w", c * s**2, 1, k0, k1)

    def body(b: Expr, o: Expr, q0: Expr, q1: Expr) -> Value:
        phase = q0 % s * s + q1 % s
        return w[(o * s**2 + phase, b, k0 - 1 - q0 // s, k1 - 1 - q1 // s)]

    kernel = build((1, c, s * k0, s * k1), body)
    full = ((k0 - 1, k0 - 1), (k1 - 1, k1 - 1))
    return Part(
        sentence=(
            "In two dimensions, with $s^2$ sub-kernels in PyTorch's order "
            "$c s^2 + a_0 s + a_1$ of the channels:"
        ),
        statement=Equal(
            shuffle(correlate(x, w, padding=full, dims=2), s),
            conv_transpose(x, kernel, stride=s, dims=2),
        ),
        instance={"n0": 1, "n1": 2, "k0": 2, "k1": 1, "s": 2, "c": 1},
        wrt="x",
    )


def _rearrangement() -> tuple[Part, Part]:
    n, s, c = sizes("n s c")
    x = tensor("x", c * s, n)
    return (
        Part(
            sentence="The adjoint of pixel shuffle is pixel unshuffle:",
            statement=Equal(vjp(shuffle(x, s), "x"), pixel_unshuffle(tensor("g", c, s * n), s)),
            instance={"n": 2, "s": 3, "c": 1},
            wrt="g",
        ),
        Part(
            sentence="which is its inverse as well (it only moves entries):",
            statement=Equal(pixel_unshuffle(shuffle(x, s), s), x),
            instance={"n": 2, "s": 3, "c": 1},
            wrt="x",
        ),
    )


def _repeated_kernels() -> Part:
    n, k, s, c, c_in = sizes("n k s c c_in")
    x, w = tensor("x", c_in, n), tensor("w", c, c_in, k)
    repeated = build((c * s, c_in, k), lambda o, b, t: w[(o // s, b, t)])
    return Part(
        sentence=(
            "With the same kernel in all $s$ phases the result is the convolution followed by "
            "nearest upsampling (the initialisation ICNR):"
        ),
        statement=Equal(
            shuffle(correlate(x, repeated, dims=1), s),
            nearest_upsample(correlate(x, w, dims=1), s, dims=1),
        ),
        hypotheses=(n >= k,),
        instance={"n": 3, "k": 2, "s": 3, "c": 1, "c_in": 2},
        wrt="x",
    )
