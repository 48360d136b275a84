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
    offset,
    size,
    sizes,
    symbol,
)
from derive.form import tensor, vjp
from derive.operators import conv_transpose, correlate, flip, zero_insert
from derive.shapes import conv_length, conv_remainder, conv_transpose_length
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
    k, s, d, e, m = sizes("k s d e m")
    n, p_lo, p_hi = offset("n"), offset("p_lo"), offset("p_hi")
    reach = d * (k - 1)
    least = s * (m - 1) + reach + 1 - p_lo - p_hi
    gives = eq(conv_length(n, k, s, d, 1, p_lo, p_hi), m)
    gives_dilated = eq(conv_length(n, k, s, d, e, p_lo, p_hi), m)
    lowest = ceil_div(least - 1, e) + 1
    highest = (least + s - 2) // e + 1

    return Theorem(
        id="conv-preimages",
        family="shapes",
        title="Which input lengths give an output length",
        sentence=(
            "The input lengths that give $m$ outputs are the $s$ consecutive integers from "
            "$s(m-1) + d(k-1) + 1 - p_{lo} - p_{hi}$ on, less those below 1; with base dilation $e$ "
            "they are the $n$ for which $e(n-1) + 1$ is among these."
        ),
        parts=(
            Part(
                sentence="The integers $n$ for which the rule gives $m$, and no others:",
                statement=Holds(iff(gives, between(least, n, least + s))),
            ),
            Part(
                sentence=(
                    "All $s$ of them are lengths ($n \\ge 1$) exactly when the least one is, and at "
                    "least one is exactly when $s m + d(k-1) \\ge p_{lo} + p_{hi} + 1$; otherwise no "
                    "input gives $m$:"
                ),
                statement=Holds(
                    all_of(
                        iff(all_of(*_all_positive(least, s, n)), TRUE_AT(least, n, s)),
                        iff(least + s - 1 >= 1, s * m + reach >= p_lo + p_hi + 1),
                    )
                ),
            ),
        ),
        twin=Twin("", Holds(gives)),
        sources=(GUIDE,),
    )
