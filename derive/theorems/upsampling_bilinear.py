"""Linear interpolation by an integer factor."""

from __future__ import annotations

from derive.expr import FALSE, Expr, all_of, eq, implies, lift
from derive.form import Form, Value, build, tensor
from derive.operators import bilinear_upsample as interpolate
from derive.operators import conv_transpose, crop, pad, triangle
from derive.symbols import offset, sizes, symbol
from derive.theorems.model import Equal, EqualIff, Holds, Part, Source, Theorem, Twin, theorem

FCN = Source(
    "Long, Shelhamer & Darrell: Fully Convolutional Networks for Semantic Segmentation",
    "https://arxiv.org/abs/1411.4038",
)
TORCH_UPSAMPLE = Source(
    "PyTorch: Upsample", "https://docs.pytorch.org/docs/stable/generated/torch.nn.Upsample.html"
)


@theorem
def bilinear_upsample() -> Theorem:
    """Linear interpolation is a transposed convolution with the triangular kernel."""
    n, s = sizes("n s")
    x = tensor("x", n)
    smooth = interpolate(x, s)
    plain = conv_transpose(x, triangle(s), stride=s, padding=s // 2)

    return Theorem(
        id="bilinear-upsample",
        family="upsampling",
        title="Linear interpolation is a transposed convolution with the triangular kernel",
        sentence=(
            "Without align_corners, linear interpolation by $s$ is the stride-$s$ transposed "
            "convolution with the tent of $2s - (s \\bmod 2)$ taps and padding "
            "$\\lfloor s/2 \\rfloor$, except for the first and last $\\lfloor s/2 \\rfloor$ outputs. "
            "With one sample of replicate padding before it, and padding "
            "$\\lfloor 3s/2 \\rfloor$, it is so everywhere. With align_corners it is not "
            "shift-invariant and is no transposed convolution unless $s = 1$ or $n = 1$."
        ),
        parts=(
            *_interior_parts(),
            Part(
                sentence=(
                    "With zero padding the border is wrong (darker) for every $n$: both agree on "
                    "all outputs exactly when $s = 1$:"
                ),
                statement=EqualIff(smooth, plain, eq(s, 1), witnesses=({"i0": 0, "x.0": 0},)),
                instance={"n": 3, "s": 1},
                wrt="x",
            ),
            *_border_parts(),
            *_align_parts(),
            _two_dimensions(),
        ),
        twin=Twin(
            "the same for all outputs, without padding the input",
            Equal(smooth, plain),
        ),
        sources=(FCN, TORCH_UPSAMPLE),
    )


def _interior_parts() -> tuple[Part, Part]:
    n, h = sizes("n h")
    x = tensor("x", n)

    def inside(s: Expr) -> Equal:
        plain = conv_transpose(x, triangle(s), stride=s, padding=s // 2)
        return Equal(crop(interpolate(x, s), s // 2), crop(plain, s // 2))

    return (
        Part(
            sentence=(
                "In the interior, all but $\\lfloor s/2 \\rfloor$ outputs on each side, for even "
                "$s = 2h$ (the tent at half-integer positions):"
            ),
            statement=inside(2 * h),
            hypotheses=(n >= 2,),
            instance={"n": 3, "h": 1},
            wrt="x",
        ),
        Part(
            sentence="and for odd $s = 2h - 1$ (the tent at integer positions):",
            statement=inside(2 * h - 1),
            instance={"n": 2, "h": 2},
            wrt="x",
        ),
    )


def _border_parts() -> tuple[Part, ...]:
    n, s = sizes("n s")
    x = tensor("x", n)
    half = s // 2
    rest = s * n - half
    smooth = interpolate(x, s)

    def ends(i: Expr) -> Value:
        return x[i - 1] + x[0].where(eq(i, 0)) + x[n - 1].where(eq(i, n + 1))

    longer = build((n + 2,), ends)
    padded = conv_transpose(longer, triangle(s), stride=s, padding=3 * s // 2)
    plain = conv_transpose(x, triangle(s), stride=s, padding=half)
    first, last = build((half,), lambda i: x[0]), build((half,), lambda i: x[n - 1])

    def stretch(sentence: str, left: Form, right: Form) -> Part:
        return Part(
            sentence=sentence,
            statement=Equal(left, right),
            hypotheses=(s >= 2,),
            instance={"n": 3, "s": 4},
            wrt="x",
        )

    return (
        Part(
            sentence=(
                "Padding by one sample in replicate mode repeats the two ends. With that input and "
                "padding $\\lfloor 3s/2 \\rfloor$ the transposed convolution is exact everywhere:"
            ),
            statement=Equal(pad(x, 1, mode="replicate"), longer),
            instance={"n": 3},
            wrt="x",
        ),
        stretch(
            "the first $\\lfloor s/2 \\rfloor$ outputs of the interpolation are $x[0]$,",
            crop(smooth, (0, rest)),
            first,
        ),
        stretch("and so are those of the transposed convolution;", crop(padded, (0, rest)), first),
        stretch(
            "the last $\\lfloor s/2 \\rfloor$ outputs of the interpolation are $x[n-1]$,",
            crop(smooth, (rest, 0)),
            last,
        ),
        stretch("and so are those of the transposed convolution;", crop(padded, (rest, 0)), last),
        Part(
            sentence=(
                "between them the added samples are not read, so that the first two parts apply:"
            ),
            statement=Equal(crop(padded, half), crop(plain, half)),
            hypotheses=(s * n - 2 * half >= 1,),
            instance={"n": 3, "s": 2},
            wrt="x",
        ),
    )


def _align_parts() -> tuple[Part, ...]:
    n, s, k = sizes("n s k")
    p_lo, p_hi = offset("p_lo"), offset("p_hi")
    x, w = tensor("x", n), tensor("w", k)
    aligned = interpolate(x, s, align_corners=True)

    def up(f: Form) -> Form:
        return interpolate(f, s, align_corners=True)

    def transposed(f: Form) -> Form:
        return conv_transpose(f, w, stride=s, padding=(p_lo, p_hi))

    late, early = pad(x, (1, 0)), pad(x, (0, 1))
    return (
        _positions_part(),
        Part(
            sentence="The two kinds differ whenever $s \\ge 2$ and $n \\ge 2$;",
            statement=EqualIff(aligned, interpolate(x, s), FALSE, witnesses=({"i0": 1, "x.0": 0},)),
            hypotheses=(s >= 2, n >= 2),
        ),
        *_degenerate_parts(),
        Part(
            sentence=(
                "Every stride-$s$ transposed convolution follows a shift of its input by one with "
                "a shift of its output by $s$:"
            ),
            statement=Equal(crop(transposed(late), (s, 0)), crop(transposed(early), (0, s))),
            hypotheses=(s * (n - 1) + k >= p_lo + p_hi + 1,),
            instance={"n": 3, "s": 2, "k": 4, "p_lo": 1, "p_hi": 0},
            wrt="x",
        ),
        Part(
            sentence=(
                "Interpolation with align_corners (of $n + 1 \\ge 2$ samples) never does so for "
                "$s \\ge 2$, so there it is no transposed convolution of that stride, whatever the "
                "kernel and the padding:"
            ),
            statement=EqualIff(
                crop(up(late), (s, 0)),
                crop(up(early), (0, s)),
                FALSE,
                witnesses=({"i0": 0, "x.0": 0},),
            ),
            hypotheses=(s >= 2,),
        ),
    )


def _positions_part() -> Part:
    span = sizes("D")[0]
    last, i = symbol("N", 0), offset("i")
    whole = i * last // span
    return Part(
        sentence=(
            "With align_corners output $i$ sits at $i(n-1)/(sn-1)$, from the first sample to the "
            "last, so nothing has to be clamped: with $N = n - 1$ and $D = sn - 1 \\ge 1$, for "
            "$0 \\le i \\le D$ the sample $q = \\lfloor iN/D \\rfloor$ is one of $0, \\dots, N$, and "
            "$q = N$ only at $N$ itself, where $q + 1$ has no weight:"
        ),
        statement=Holds(
            all_of(
                whole >= 0,
                whole <= last,
                implies(eq(whole, last), eq(i * last % span, 0)),
            )
        ),
        hypotheses=(i >= 0, i <= span),
    )


def _degenerate_parts() -> tuple[Part, Part]:
    n, s = sizes("n s")
    x, one = tensor("x", n), tensor("x", 1)
    return (
        Part(
            sentence="they agree for $s = 1$, where nothing changes,",
            statement=Equal(interpolate(x, 1, align_corners=True), interpolate(x, 1)),
            instance={"n": 3},
            wrt="x",
        ),
        Part(
            sentence="and for $n = 1$, where the sample is repeated:",
            statement=Equal(interpolate(one, s, align_corners=True), interpolate(one, s)),
            instance={"s": 3},
            wrt="x",
        ),
    )


def _two_dimensions() -> Part:
    n0, n1 = sizes("n0 n1")
    x = tensor("x", n0, n1)
    two, three = lift(2), lift(3)
    rows, columns = triangle(two), triangle(three)
    kernel = build((4, 5), lambda t, u: rows[t] * columns[u])
    return Part(
        sentence=(
            "In two dimensions the kernel is the product of two tents; here for the factors 2 and "
            "3, in the interior:"
        ),
        statement=Equal(
            crop(interpolate(x, (two, three)), 1),
            crop(conv_transpose(x, kernel, stride=(two, three), padding=1), 1),
        ),
        hypotheses=(n0 >= 2,),
        instance={"n0": 2, "n1": 1},
        wrt="x",
    )
