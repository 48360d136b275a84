"""Output lengths of convolutions and transposed convolutions, and their inverses."""

from __future__ import annotations

from derive.expr import (
    Cond,
    Expr,
    all_of,
    any_of,
    between,
    ceil_div,
    divides,
    eq,
    iff,
    implies,
    maximum,
)
from derive.form import tensor, vjp
from derive.operators import conv_transpose, correlate, pad
from derive.shapes import conv_length, conv_remainder, conv_transpose_length
from derive.symbols import offset, sizes, symbol
from derive.theorems.model import Equal, EqualIff, Holds, Part, Source, Theorem, Twin, theorem
from derive.theorems.upsampling import GUIDE, TORCH_CONV_TRANSPOSE

TORCH_CONV = Source(
    "PyTorch: Conv2d", "https://docs.pytorch.org/docs/stable/generated/torch.nn.Conv2d.html"
)
XLA = Source(
    "XLA operation semantics: ConvWithGeneralPadding",
    "https://openxla.org/xla/operation_semantics#convwithgeneralpadding_convolution",
)


@theorem
def conv_output_length() -> Theorem:
    """The output length of a convolution."""
    n, k, s, d, e = sizes("n k s d e")
    p_lo, p_hi, i = offset("p_lo"), offset("p_hi"), offset("i")
    reach = d * (k - 1)
    padded = e * (n - 1) + 1 + p_lo + p_hi
    m = conv_length(n, k, s, d, e, p_lo, p_hi)
    inside = all_of(i >= 0, s * i + reach <= padded - 1)

    return Theorem(
        id="conv-output-length",
        family="shapes",
        title="The output length of a convolution",
        sentence=(
            "A convolution with $k$ taps, stride $s$, dilation $d$, base dilation $e$ and padding "
            "$(p_{lo}, p_{hi})$ has $m = \\lfloor (e(n-1) + p_{lo} + p_{hi} - d(k-1))/s \\rfloor + 1$ "
            "outputs (with $e = 1$: $\\lfloor (n + p_{lo} + p_{hi} - d(k-1) - 1)/s \\rfloor + 1$): "
            "as many as there are windows inside the padded input. There is one exactly when the "
            "padded input is at least as long as the dilated kernel."
        ),
        parts=(
            Part(
                sentence=(
                    "The outputs $0 \\le i < m$ are exactly the windows, from $s i$ to "
                    "$s i + d(k-1)$, that fit into the padded input of "
                    "$e(n-1) + 1 + p_{lo} + p_{hi}$ samples (also where none does):"
                ),
                statement=Holds(iff(between(0, i, m), inside)),
            ),
            Part(
                sentence="There is an output exactly when the padded input is long enough:",
                statement=Holds(iff(m >= 1, padded >= reach + 1)),
            ),
            Part(
                sentence=(
                    "The last window leaves the remainder "
                    "$(e(n-1) + p_{lo} + p_{hi} - d(k-1)) \\bmod s$ of the padded input unread:"
                ),
                statement=Holds(
                    eq(
                        padded - (s * (m - 1) + reach + 1),
                        conv_remainder(n, k, s, d, e, p_lo, p_hi),
                    )
                ),
            ),
            Part(
                sentence=(
                    "Adding one sample never makes the output shorter, and makes it longer (by one) "
                    "exactly when $s$ divides what is added, for $e = 1$: when $s$ divides "
                    "$n + p_{lo} + p_{hi} - d(k-1)$:"
                ),
                statement=Holds(_one_more(n, k, s, d, p_lo, p_hi)),
            ),
        ),
        twin=Twin(
            "the same with rounding up",
            Holds(implies(between(0, i, ceil_div(padded - 1 - reach, s) + 1), inside)),
        ),
        sources=(GUIDE, TORCH_CONV, XLA),
    )


def _one_more(n: Expr, k: Expr, s: Expr, d: Expr, p_lo: Expr, p_hi: Expr) -> Cond:
    now = conv_length(n, k, s, d, 1, p_lo, p_hi)
    then = conv_length(n + 1, k, s, d, 1, p_lo, p_hi)
    step = divides(s, n + p_lo + p_hi - d * (k - 1))
    return all_of(any_of(eq(then, now), eq(then, now + 1)), iff(eq(then, now + 1), step))


@theorem
def conv_preimages() -> Theorem:
    """Which input lengths give an output length."""
    k, s, d, e, m = sizes("k s d e m")
    n, p_lo, p_hi = offset("n"), offset("p_lo"), offset("p_hi")
    reach = d * (k - 1)
    least = s * (m - 1) + reach + 1 - p_lo - p_hi
    gives = eq(conv_length(n, k, s, d, 1, p_lo, p_hi), m)
    first, last = ceil_div(least - 1, e) + 1, (least + s - 2) // e + 1

    return Theorem(
        id="conv-preimages",
        family="shapes",
        title="Which input lengths give an output length",
        sentence=(
            "The input lengths that give $m$ outputs are the $s$ consecutive integers from "
            "$s(m-1) + d(k-1) + 1 - p_{lo} - p_{hi}$ on, less those below 1; with base dilation $e$ "
            "they are the $n$ for which $e(n-1) + 1$ is among these integers."
        ),
        parts=(
            Part(
                sentence="The rule gives $m$ for these $s$ integers $n$ and for no others:",
                statement=Holds(iff(gives, between(least, n, least + s))),
            ),
            Part(
                sentence="Of these the lengths are those that are at least 1,",
                statement=Holds(
                    iff(all_of(n >= 1, gives), between(maximum(least, 1), n, least + s))
                ),
            ),
            Part(
                sentence=(
                    "and there is one exactly when $p_{lo} + p_{hi} < s m + d(k-1)$: more padding "
                    "gives more than $m$ outputs to every input:"
                ),
                statement=Holds(
                    iff(maximum(least, 1) <= least + s - 1, p_lo + p_hi < s * m + reach)
                ),
            ),
            Part(
                sentence=(
                    "With base dilation $e$: the integers from "
                    "$\\lceil (L-1)/e \\rceil + 1$ to $\\lfloor (L+s-2)/e \\rfloor + 1$, where "
                    "$L = s(m-1) + d(k-1) + 1 - p_{lo} - p_{hi}$:"
                ),
                statement=Holds(
                    iff(
                        eq(conv_length(n, k, s, d, e, p_lo, p_hi), m),
                        all_of(n >= first, n <= last),
                    )
                ),
            ),
            Part(
                sentence=(
                    "These are $\\lfloor s/e \\rfloor$ or $\\lceil s/e \\rceil$ integers, so for "
                    "$e > s$ some $m$ may have none:"
                ),
                statement=Holds(
                    all_of(last - first + 1 >= s // e, last - first + 1 <= ceil_div(s, e))
                ),
            ),
        ),
        twin=Twin(
            "the next integer gives $m$ outputs as well",
            Holds(implies(between(least, n, least + s + 1), gives)),
        ),
        sources=(GUIDE,),
    )


@theorem
def conv_transpose_output_length() -> Theorem:
    """The output length of a transposed convolution."""
    m, k, s, d = sizes("m k s d")
    p_lo, p_hi = offset("p_lo"), offset("p_hi")
    r = symbol("r", 0)
    reach = d * (k - 1)
    n = conv_transpose_length(m, k, s, d, p_lo, p_hi, r)

    x, w = tensor("x", m), tensor("w", k)
    left = conv_transpose(x, w, stride=s, padding=(p_lo, p_hi), dilation=d, output_padding=r)
    right = pad(conv_transpose(x, w, stride=s, dilation=d), (-p_lo, r - p_hi))

    return Theorem(
        id="conv-transpose-output-length",
        family="shapes",
        title="The output length of a transposed convolution",
        sentence=(
            "A transposed convolution of $m$ samples has "
            "$s(m-1) + d(k-1) + 1 - p_{lo} - p_{hi} + r$ outputs: the range of the scatter "
            "$s i + d t$, less the padding, plus the output padding."
        ),
        parts=(
            _scatter_part(),
            Part(
                sentence=(
                    "Padding crops that range and output padding lengthens it behind (where what "
                    "the padding cropped appears again, otherwise zeros):"
                ),
                statement=Equal(left, right),
                hypotheses=(n >= 1,),
                instance={"m": 3, "k": 3, "s": 2, "d": 1, "p_lo": 1, "p_hi": 2, "r": 1},
                wrt="x",
            ),
            Part(
                sentence=(
                    "The length is that of the convolution of the stretched input, padded by "
                    "$d(k-1) - p_{lo}$ and $d(k-1) - p_{hi} + r$:"
                ),
                statement=Holds(eq(n, conv_length(m, k, 1, d, s, reach - p_lo, reach - p_hi + r))),
            ),
            _way_back_part(),
        ),
        twin=Twin(
            "the output is $s$ times as long as the input, without padding",
            Holds(eq(conv_transpose_length(m, k, s, d), s * m)),
        ),
        sources=(GUIDE, TORCH_CONV_TRANSPOSE),
    )


def _scatter_part() -> Part:
    m, k, s, d = sizes("m k s d")
    i, t = offset("i"), offset("t")
    last = s * (m - 1) + d * (k - 1)
    in_range = all_of(between(0, i, m), between(0, t, k))
    at_start, at_end = eq(s * i + d * t, 0), eq(s * i + d * t, last)
    return Part(
        sentence=(
            "Every contribution falls between $0$ and $s(m-1) + d(k-1)$; both ends are reached, by "
            "$i = t = 0$ and by $i = m - 1$, $t = k - 1$ and nothing else:"
        ),
        statement=Holds(
            implies(
                in_range,
                all_of(
                    between(0, s * i + d * t, last + 1),
                    iff(at_start, all_of(eq(i, 0), eq(t, 0))),
                    iff(at_end, all_of(eq(i, m - 1), eq(t, k - 1))),
                ),
            )
        ),
    )


def _way_back_part() -> Part:
    m, k, s, d = sizes("m k s d")
    p_lo, p_hi, q = offset("p_lo"), offset("p_hi"), offset("q")
    n = conv_transpose_length(m, k, s, d, p_lo, p_hi, q)
    return Part(
        sentence=(
            "The convolution with the same parameters leads back to $m$ samples exactly when "
            "$0 \\le q < s$, with $q$ for the output padding:"
        ),
        statement=Holds(iff(eq(conv_length(n, k, s, d, 1, p_lo, p_hi), m), between(0, q, s))),
    )


@theorem
def output_padding_range() -> Theorem:
    """The one output padding that returns to the input length."""
    n, k, s, d = sizes("n k s d")
    p_lo, p_hi, q = offset("p_lo"), offset("p_hi"), offset("q")
    m = conv_length(n, k, s, d, 1, p_lo, p_hi)
    r = conv_remainder(n, k, s, d, 1, p_lo, p_hi)

    return Theorem(
        id="output-padding-range",
        family="shapes",
        title="The one output padding that returns to the input length",
        sentence=(
            "For a convolution from $n$ to $m$ samples the transposed convolution with the same "
            "parameters returns to $n$ samples with exactly one output padding, the remainder "
            "$r = (n + p_{lo} + p_{hi} - d(k-1) - 1) \\bmod s$. It is less than $s$, and every "
            "value from $0$ to $s - 1$ belongs to one of the $s$ input lengths that give $m$."
        ),
        parts=(
            Part(
                sentence="It is the only one, among all integers $q$:",
                statement=Holds(
                    iff(eq(conv_transpose_length(m, k, s, d, p_lo, p_hi, q), n), eq(q, r))
                ),
            ),
            Part(
                sentence="It lies between $0$ and $s - 1$:",
                statement=Holds(between(0, r, s)),
            ),
            *_output_padding_parts(),
        ),
        twin=Twin(
            "the remainder of $n + p_{lo} + p_{hi} - k$, as without dilation",
            Holds(
                eq(
                    conv_transpose_length(m, k, s, d, p_lo, p_hi, (n + p_lo + p_hi - k) % s),
                    n,
                )
            ),
        ),
        sources=(GUIDE, TORCH_CONV_TRANSPOSE),
    )


def _output_padding_parts() -> tuple[Part, ...]:
    n, m, k, s, d = sizes("n m k s d")
    p_lo, p_hi = offset("p_lo"), offset("p_hi")
    q = symbol("q", 0)
    back = conv_transpose_length(m, k, s, d, p_lo, p_hi, q)
    x, w = tensor("x", n), tensor("w", k)
    y = correlate(x, w, stride=s, padding=(p_lo, p_hi), dilation=d)
    g = tensor("g", *y.shape)
    transposed = conv_transpose(g, w, stride=s, padding=(p_lo, p_hi), dilation=d, output_padding=q)
    r = conv_remainder(n, k, s, d, 1, p_lo, p_hi)
    return (
        Part(
            sentence=(
                "Each output padding $0 \\le q < s$ belongs to one input length, which gives $m$ "
                "and has the remainder $q$:"
            ),
            statement=Holds(
                all_of(
                    eq(conv_length(back, k, s, d, 1, p_lo, p_hi), m),
                    eq(conv_remainder(back, k, s, d, 1, p_lo, p_hi), q),
                )
            ),
            hypotheses=(q < s,),
        ),
        Part(
            sentence=(
                "PyTorch also takes an output padding from $s$ to $d - 1$ (it asks for less than "
                "$s$ or less than $d$). The convolution of that length does not lead back to $m$ "
                "but to $m + \\lfloor q/s \\rfloor$ samples, more for $q \\ge s$:"
            ),
            statement=Holds(
                all_of(
                    eq(conv_length(back, k, s, d, 1, p_lo, p_hi), m + q // s),
                    iff(eq(m + q // s, m), q < s),
                )
            ),
        ),
        Part(
            sentence=(
                "Of the operators: the transposed convolution with output padding $q$ is the "
                "transpose of the convolution exactly when $q = r$:"
            ),
            statement=EqualIff(vjp(y, "x", g), transposed, eq(q, r), fixed=({"s": 2, "d": 1},)),
            hypotheses=(n + p_lo + p_hi >= d * (k - 1) + 1, _nonempty(n, k, s, d, p_lo, p_hi, q)),
            instance={"n": 6, "k": 3, "s": 2, "d": 1, "p_lo": 1, "p_hi": 0, "q": 0},
            wrt="g",
        ),
    )


def _nonempty(n: Expr, k: Expr, s: Expr, d: Expr, p_lo: Expr, p_hi: Expr, q: Expr) -> Cond:
    m = conv_length(n, k, s, d, 1, p_lo, p_hi)
    length: Expr = conv_transpose_length(m, k, s, d, p_lo, p_hi, q)
    return length >= 1
