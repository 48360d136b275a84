"""Zero insertion, transposed convolution and nearest upsampling: three names of one family."""

from __future__ import annotations

from derive.expr import Expr, all_of, any_of, eq
from derive.form import Form, Value, build, sigma, tensor, vjp
from derive.operators import (
    box,
    conv_transpose,
    convolve,
    correlate,
    decimate,
    flip,
    nearest_upsample,
    pad,
    zero_insert,
)
from derive.shapes import conv_remainder
from derive.symbols import offset, size, sizes, symbol
from derive.theorems.model import Equal, EqualIff, Part, Source, Theorem, Twin, theorem

GUIDE = Source(
    "Dumoulin & Visin: A guide to convolution arithmetic for deep learning",
    "https://arxiv.org/abs/1603.07285",
)
VAIDYANATHAN = Source(
    "Vaidyanathan: Multirate Digital Filters, Filter Banks, Polyphase Networks, and Applications "
    "(Proceedings of the IEEE 78(1), 1990)",
    "https://doi.org/10.1109/5.52200",
)
CHECKERBOARD = Source(
    "Odena, Dumoulin & Olah: Deconvolution and Checkerboard Artifacts",
    "https://distill.pub/2016/deconv-checkerboard/",
)
DECONV_LAYER = Source(
    "Shi et al.: Is the deconvolution layer the same as a convolutional layer?",
    "https://arxiv.org/abs/1609.07009",
)
TORCH_CONV_TRANSPOSE = Source(
    "PyTorch: ConvTranspose2d",
    "https://docs.pytorch.org/docs/stable/generated/torch.nn.ConvTranspose2d.html",
)


@theorem
def zero_insertion_adjoint() -> Theorem:
    """The adjoint of zero insertion is decimation."""
    n, s = sizes("n s")
    r = symbol("r", 0)

    x = tensor("x", n)
    stretched = zero_insert(x, s, trailing=r)
    g = tensor("g", *stretched.shape)

    left = vjp(stretched, "x", g)
    right = decimate(g, s)

    return Theorem(
        id="zero-insertion-adjoint",
        family="upsampling",
        title="The adjoint of zero insertion is decimation",
        sentence=(
            "The gradient of zero insertion by $s$ keeps every $s$-th sample, and the gradient of "
            "decimation inserts zeros. With $r$ zeros behind the last sample the first holds "
            "exactly when $r < s$."
        ),
        parts=(
            Part(
                sentence=(
                    "Zero insertion by $s$ with $r \\ge 0$ trailing zeros has decimation by $s$ as "
                    "its adjoint exactly when $r < s$ (otherwise decimation gives more than $n$ "
                    "samples):"
                ),
                statement=EqualIff(left, right, r < s, fixed=({"s": 2}, {"s": 3})),
                instance={"n": 3, "s": 2, "r": 1},
                wrt="g",
            ),
            *_decimation_parts(),
            Part(
                sentence="In two dimensions, with its own factor on each axis:",
                statement=_zero_insertion_2d(),
                instance={"n0": 2, "n1": 3, "s0": 3, "s1": 2},
                wrt="g",
            ),
        ),
        twin=Twin(
            "the adjoint of zero insertion keeps the last of every $s$ samples",
            Equal(vjp(zero_insert(x, s, trailing=s - 1), "x"), _last_of_each(n, s)),
        ),
        sources=(VAIDYANATHAN, GUIDE),
    )


def _last_of_each(n: Expr, s: Expr) -> Form:
    return decimate(tensor("g", s * n), s, start=s - 1)


def _decimation_parts() -> tuple[Part, ...]:
    n, s = sizes("n s")
    a, r = symbol("a", 0), symbol("r", 0)
    x = tensor("x", n)
    kept = decimate(x, s, start=a)
    g = tensor("g", *kept.shape)
    m = (n - 1 - a) // s + 1
    again = zero_insert(decimate(x, s), s, trailing=(n - 1) % s)
    return (
        Part(
            sentence=(
                "The adjoint of decimation from the start $a$ is zero insertion, with $a$ zeros in "
                "front and $n - 1 - a - s(m-1)$ behind:"
            ),
            statement=Equal(
                vjp(kept, "x", g), pad(zero_insert(g, s), (a, n - 1 - a - s * (m - 1)))
            ),
            hypotheses=(a < n,),
            instance={"n": 7, "s": 3, "a": 1},
            wrt="g",
        ),
        Part(
            sentence="Decimation undoes zero insertion exactly when $r < s$:",
            statement=EqualIff(
                decimate(zero_insert(x, s, trailing=r), s), x, r < s, fixed=({"s": 2}, {"s": 3})
            ),
            instance={"n": 3, "s": 2, "r": 1},
            wrt="x",
        ),
        Part(
            sentence=(
                "Zero insertion undoes decimation only where nothing was lost: exactly when "
                "$s = 1$ or $n = 1$:"
            ),
            statement=EqualIff(
                again,
                x,
                any_of(eq(s, 1), eq(n, 1)),
                witnesses=({"i0": 1, "x.0": 1},),
                fixed=({"s": 1}, {"s": 2}, {"s": 3}),
            ),
            instance={"n": 5, "s": 1},
            wrt="x",
        ),
    )


def _zero_insertion_2d() -> Equal:
    n0, n1, s0, s1 = sizes("n0 n1 s0 s1")
    stretched = zero_insert(tensor("x", n0, n1), (s0, s1))
    g = tensor("g", *stretched.shape)
    return Equal(vjp(stretched, "x", g), decimate(g, (s0, s1)))


@theorem
def conv_transpose_is_zero_insert_conv() -> Theorem:
    """A transposed convolution is a convolution of the stretched input."""
    m, k, s, d = sizes("m k s d")
    p_lo, p_hi = offset("p_lo"), offset("p_hi")
    r = symbol("r", 0)
    reach = d * (k - 1)
    nonempty = s * (m - 1) + reach + 1 + r >= p_lo + p_hi + 1

    x, w = tensor("x", m), tensor("w", k)
    left = conv_transpose(x, w, stride=s, padding=(p_lo, p_hi), dilation=d, output_padding=r)
    padding = (reach - p_lo, reach - p_hi + r)
    right = correlate(zero_insert(x, s), flip(w), padding=padding, dilation=d)

    return Theorem(
        id="conv-transpose-is-zero-insert-conv",
        family="upsampling",
        title="A transposed convolution is a convolution of the stretched input",
        sentence=(
            "A transposed convolution with stride $s$, dilation $d$, padding $(p_{lo}, p_{hi})$ "
            "and output padding $r$ is zero insertion by $s$, padding by $d(k-1) - p_{lo}$ in "
            "front and $d(k-1) - p_{hi} + r$ behind, and a stride-1 correlation with the flipped "
            "kernel (a fractionally strided convolution). Its padding is a crop of the scatter."
        ),
        parts=(
            Part(
                sentence="For all sizes with at least one output, paddings of any sign included:",
                statement=Equal(left, right),
                hypotheses=(nonempty,),
                instance={"m": 3, "k": 4, "s": 2, "d": 1, "p_lo": 1, "p_hi": 2, "r": 1},
                wrt="x",
            ),
            _transpose_part(),
            _transpose_2d_part(),
            _grouped_part(),
        ),
        twin=Twin(
            "the same without the flip of the kernel",
            Equal(left, correlate(zero_insert(x, s), w, padding=padding, dilation=d)),
            (nonempty,),
        ),
        sources=(GUIDE, DECONV_LAYER, TORCH_CONV_TRANSPOSE),
    )


def _transpose_part() -> Part:
    n, k, s, d = sizes("n k s d")
    p_lo, p_hi = offset("p_lo"), offset("p_hi")
    x, w = tensor("x", n), tensor("w", k)
    y = correlate(x, w, stride=s, padding=(p_lo, p_hi), dilation=d)
    g = tensor("g", *y.shape)
    r = conv_remainder(n, k, s, d, 1, p_lo, p_hi)
    back = conv_transpose(g, w, stride=s, padding=(p_lo, p_hi), dilation=d, output_padding=r)
    return Part(
        sentence=(
            "It is the transpose of the convolution with the same stride, padding and dilation; "
            "the output padding is the remainder $r = (n + p_{lo} + p_{hi} - d(k-1) - 1) \\bmod s$:"
        ),
        statement=Equal(vjp(y, "x", g), back),
        hypotheses=(n + p_lo + p_hi >= d * (k - 1) + 1,),
        instance={"n": 6, "k": 3, "s": 2, "d": 1, "p_lo": 1, "p_hi": 0},
        wrt="g",
    )


def _transpose_2d_part() -> Part:
    m0, m1, k0, k1, s0, s1 = sizes("m0 m1 k0 k1 s0 s1")
    x, w = tensor("x", m0, m1), tensor("w", k0, k1)
    return Part(
        sentence="In two dimensions, with the kernel rotated by 180 degrees:",
        statement=Equal(
            conv_transpose(x, w, stride=(s0, s1)),
            correlate(
                zero_insert(x, (s0, s1)),
                flip(w),
                padding=((k0 - 1, k0 - 1), (k1 - 1, k1 - 1)),
            ),
        ),
        instance={"m0": 2, "m1": 3, "k0": 3, "k1": 2, "s0": 2, "s1": 3},
        wrt="x",
    )


def _grouped_part() -> Part:
    # groups of a input and b output channels: (c_in, c_out/groups, k) becomes (c_out, c_in/groups, k)
    m, k, s, groups, a, b = sizes("m k s groups a b")
    x, w = tensor("x", groups * a, m), tensor("w", groups * a, b, k)

    def swapped(o: Expr, c: Expr, t: Expr) -> Value:
        return w[(o // b * a + c, o % b, k - 1 - t)]

    kernel = build((groups * b, a, k), swapped)
    return Part(
        sentence=(
            "With channels in groups ($a$ input and $b$ output channels each), input and output "
            "channels of the kernel change places within each group:"
        ),
        statement=Equal(
            conv_transpose(x, w, stride=s, groups=groups, dims=1),
            correlate(zero_insert(x, s, dims=1), kernel, padding=k - 1, groups=groups, dims=1),
        ),
        instance={"m": 2, "k": 3, "s": 2, "groups": 2, "a": 1, "b": 2},
        wrt="x",
    )


@theorem
def nearest_upsample_is_conv_transpose() -> Theorem:
    """Nearest upsampling is a transposed convolution with the box kernel."""
    n, s = sizes("n s")
    x = tensor("x", n)
    left = nearest_upsample(x, s)
    right = conv_transpose(x, box(s), stride=s)

    return Theorem(
        id="nearest-upsample-is-conv-transpose",
        family="upsampling",
        title="Nearest upsampling is a transposed convolution with the box kernel",
        sentence=(
            "Nearest upsampling by $s$ is the stride-$s$ transposed convolution with the kernel of "
            "$s$ ones; no other length of the box will do, except for a single sample, where what "
            "is longer may be cropped."
        ),
        parts=(
            Part(
                sentence="For all lengths and factors:",
                statement=Equal(left, right),
                instance={"n": 3, "s": 2},
                wrt="x",
            ),
            Part(
                sentence="Equivalently, zeros are inserted and a box of $s$ ones is slid over:",
                statement=Equal(left, correlate(zero_insert(x, s), box(s), padding=s - 1)),
                instance={"n": 3, "s": 2},
                wrt="x",
            ),
            _box_length_part(),
            _nearest_2d_part(),
        ),
        twin=Twin(
            "a longer box, cropped at the end to the right length, gives nearest upsampling too",
            Equal(left, conv_transpose(x, box(s + 1), stride=s, padding=(0, 1))),
        ),
        sources=(CHECKERBOARD, VAIDYANATHAN),
    )


def _box_length_part() -> Part:
    n, s, k = sizes("n s k")
    p_lo, p_hi = offset("p_lo"), offset("p_hi")
    x = tensor("x", n)
    fits = eq(k, s + p_lo + p_hi)
    exact = all_of(eq(p_lo, 0), eq(p_hi, 0))
    single = all_of(eq(n, 1), p_lo >= 0, p_hi >= 0)
    return Part(
        sentence=(
            "With a box of $k$ ones and padding $(p_{lo}, p_{hi})$: exactly when "
            "$k = s + p_{lo} + p_{hi}$ and either $p_{lo} = p_{hi} = 0$, or $n = 1$ and neither "
            "padding is negative:"
        ),
        statement=EqualIff(
            nearest_upsample(x, s),
            conv_transpose(x, box(k), stride=s, padding=(p_lo, p_hi)),
            all_of(fits, any_of(exact, single)),
            witnesses=(
                {"i0": 0, "x.0": 0},
                {"i0": s - 1, "x.0": 0},
                {"i0": s, "x.0": 0},
                {"i0": s, "x.0": 1},
                {"i0": s - 1, "x.0": 1},
            ),
            fixed=({"s": 1}, {"s": 2}, {"s": 3}),
        ),
        hypotheses=(s * (n - 1) + k >= p_lo + p_hi + 1,),
        instance={"n": 1, "s": 2, "k": 5, "p_lo": 1, "p_hi": 2},
        wrt="x",
    )


def _nearest_2d_part() -> Part:
    n0, n1, s0, s1 = sizes("n0 n1 s0 s1")
    x = tensor("x", n0, n1)
    return Part(
        sentence="In two dimensions, with its own factor on each axis:",
        statement=Equal(
            nearest_upsample(x, (s0, s1)), conv_transpose(x, box((s0, s1)), stride=(s0, s1))
        ),
        instance={"n0": 2, "n1": 1, "s0": 2, "s1": 3},
        wrt="x",
    )


@theorem
def nearest_then_conv() -> Theorem:
    """Nearest upsampling and a convolution are one transposed convolution."""
    n, k, s, d = sizes("n k s d")
    p_lo, p_hi = offset("p_lo"), offset("p_hi")
    reach = d * (k - 1)
    fits = s * n + p_lo + p_hi >= reach + 1

    x, v = tensor("x", n), tensor("v", k)
    left = correlate(nearest_upsample(x, s), v, padding=(p_lo, p_hi), dilation=d)
    kernel = correlate(box(s), v, padding="full", dilation=d)
    crops = (reach - p_lo, reach - p_hi)
    right = conv_transpose(x, kernel, stride=s, padding=crops)

    return Theorem(
        id="nearest-then-conv",
        family="upsampling",
        title="Nearest upsampling and a convolution are one transposed convolution",
        sentence=(
            "Nearest upsampling by $s$ followed by a correlation with $v$ ($k$ taps, dilation $d$, "
            "padding $(p_{lo}, p_{hi})$) is a stride-$s$ transposed convolution with padding "
            "$(d(k-1) - p_{lo}, d(k-1) - p_{hi})$; its kernel, of $s + d(k-1)$ taps, is the box of "
            "$s$ ones convolved with the flipped $v$."
        ),
        parts=(
            Part(
                sentence="For all sizes, zero padding or cropping between the two included:",
                statement=Equal(left, right),
                hypotheses=(fits,),
                instance={"n": 2, "k": 4, "s": 3, "d": 1, "p_lo": 2, "p_hi": 1},
                wrt="x",
            ),
            _convolve_part(),
            *_nearest_then_conv_nd(),
            _pad_first_part(),
        ),
        twin=Twin(
            "the same with the box convolved with $v$ itself, not flipped",
            Equal(
                left,
                conv_transpose(
                    x, convolve(box(s), v, padding="full", dilation=d), stride=s, padding=crops
                ),
            ),
            (fits,),
        ),
        sources=(CHECKERBOARD, VAIDYANATHAN),
    )


def _convolve_part() -> Part:
    n, k, s = sizes("n k s")
    x, v = tensor("x", n), tensor("v", k)
    kernel = convolve(box(s), v, padding="full")
    return Part(
        sentence=(
            "In the words of polynomials: nearest upsampling followed by the full convolution "
            "(with the flip) with $v$ has the kernel $\\mathrm{box}_s * v$, and no padding:"
        ),
        statement=Equal(
            convolve(nearest_upsample(x, s), v, padding="full"), conv_transpose(x, kernel, stride=s)
        ),
        instance={"n": 2, "k": 3, "s": 2},
        wrt="x",
    )


def _nearest_then_conv_nd() -> tuple[Part, Part]:
    n, n0, n1, k, k0, k1, s, s0, s1 = sizes("n n0 n1 k k0 k1 s s0 s1")
    c_in, c_out = size("c_in"), size("c_out")
    x, v = tensor("x", c_in, n), tensor("v", c_out, c_in, k)
    image, mask = tensor("x", n0, n1), tensor("v", k0, k1)
    crops = ((k0 - 1, k0 - 1), (k1 - 1, k1 - 1))
    ones = box(s)

    def with_channels(c: Expr, o: Expr, q: Expr) -> Value:
        return sigma(k, lambda t: v[(o, c, t)] * ones[q + t - (k - 1)])

    return (
        Part(
            sentence="In two dimensions:",
            statement=Equal(
                correlate(nearest_upsample(image, (s0, s1)), mask),
                conv_transpose(
                    image,
                    correlate(box((s0, s1)), mask, padding="full"),
                    stride=(s0, s1),
                    padding=crops,
                ),
            ),
            hypotheses=(s0 * n0 >= k0, s1 * n1 >= k1),
            instance={"n0": 2, "n1": 1, "k0": 2, "k1": 3, "s0": 2, "s1": 3},
            wrt="x",
        ),
        Part(
            sentence="With channels, the same for every pair of channels:",
            statement=Equal(
                correlate(nearest_upsample(x, s, dims=1), v, dims=1),
                conv_transpose(
                    x,
                    build((c_in, c_out, s + k - 1), with_channels),
                    stride=s,
                    padding=k - 1,
                    dims=1,
                ),
            ),
            hypotheses=(s * n >= k,),
            instance={"n": 3, "k": 4, "s": 2, "c_in": 2, "c_out": 1},
            wrt="x",
        ),
    )


def _pad_first_part() -> Part:
    n, s = sizes("n s")
    p_lo, p_hi = offset("p_lo"), offset("p_hi")
    x = tensor("x", n)
    return Part(
        sentence=(
            "Zero padding (or cropping) by $(p_{lo}, p_{hi})$ before the upsampling is padding by "
            "$(s p_{lo}, s p_{hi})$ behind it, so padding on either side is covered:"
        ),
        statement=Equal(
            nearest_upsample(pad(x, (p_lo, p_hi)), s),
            pad(nearest_upsample(x, s), (s * p_lo, s * p_hi)),
        ),
        hypotheses=(n + p_lo + p_hi >= 1,),
        instance={"n": 3, "s": 2, "p_lo": 1, "p_hi": -1},
        wrt="x",
    )
