"""Output lengths by name: SAME padding and ceil_mode."""

from __future__ import annotations

from derive.expr import all_of, any_of, between, ceil_div, divides, eq, iff, implies
from derive.form import tensor, vjp
from derive.operators import conv_transpose, correlate
from derive.shapes import (
    ceil_length,
    conv_length,
    conv_remainder,
    conv_transpose_length,
    larger,
    same_length,
    same_padding,
    same_total,
)
from derive.symbols import offset, sizes, symbol
from derive.theorems.model import Equal, EqualIff, Holds, Part, Source, Theorem, Twin, theorem

TF_PADDING = Source(
    "TensorFlow: tf.nn, notes on padding",
    "https://www.tensorflow.org/api_docs/python/tf/nn#notes_on_padding_2",
)
TORCH_POOL = Source(
    "PyTorch: MaxPool2d", "https://docs.pytorch.org/docs/stable/generated/torch.nn.MaxPool2d.html"
)
TORCH_RULE = Source(
    "PyTorch pull request 46558: Fix max_pool2d with ceil_mode bug",
    "https://github.com/pytorch/pytorch/pull/46558",
)
TORCH_DOCS = Source(
    "PyTorch issue 57178: MaxPool2D returns wrong shape with ceil_mode",
    "https://github.com/pytorch/pytorch/issues/57178",
)


@theorem
def same_lengths() -> Theorem:
    """SAME padding: the length, the amounts and the side."""
    n, k, s, d = sizes("n k s d")
    total = same_total(n, k, s, d)
    lo, hi = same_padding(n, k, s, d)
    pad = symbol("P", 0)

    return Theorem(
        id="same-lengths",
        family="shapes",
        title="SAME padding: the length, the amounts and the side",
        sentence=(
            "SAME padding gives $\\lceil n/s \\rceil$ outputs for every kernel. It pads by the "
            "least total that does, $\\max(0, (\\lceil n/s \\rceil - 1)s + d(k-1) + 1 - n)$, half "
            "on each side; where the total is odd the larger part is behind. The transposed "
            "convolution leads from $m$ to $s m$ samples."
        ),
        parts=(
            Part(
                sentence="The output length does not depend on the kernel:",
                statement=Holds(
                    all_of(
                        eq(conv_length(n, k, s, d, 1, lo, hi), same_length(n, s)),
                        eq(same_length(n, s), (n - 1) // s + 1),
                    )
                ),
            ),
            Part(
                sentence="A total padding $P \\ge 0$ gives that many outputs or more exactly from "
                "the total of SAME on:",
                statement=Holds(
                    iff(conv_length(n, k, s, d, 1, 0, pad) >= same_length(n, s), pad >= total)
                ),
            ),
            Part(
                sentence="It is not negative and split in halves, the odd one behind:",
                statement=Holds(
                    all_of(lo >= 0, eq(lo + hi, total), eq(hi - lo, total % 2), total >= 0)
                ),
            ),
            Part(
                sentence="With stride 1 it is $d(k-1)$, so symmetric exactly when that is even,",
                statement=Holds(
                    all_of(
                        eq(same_total(n, k, 1, d), d * (k - 1)),
                        iff(eq(*same_padding(n, k, 1, d)), divides(2, same_total(n, k, 1, d))),
                    )
                ),
            ),
            _parity_part(),
            *_side_parts(),
            *_transposed_same_parts(),
        ),
        twin=Twin(
            "SAME padding with stride $s$ pads by $d(k-1)$ in all, as with stride 1",
            Holds(eq(total, d * (k - 1))),
        ),
        sources=(TF_PADDING,),
    )


def _parity_part() -> Part:
    a, b, u, v = symbol("a", 0), symbol("b", 0), symbol("u", 0), symbol("v", 0)
    return Part(
        sentence=(
            "that is, exactly when $k$ is odd or $d$ is even ($k - 1 = 2a + u$, $d = 2b + v$ with "
            "$u, v \\in \\{0, 1\\}$):"
        ),
        statement=Holds(iff(divides(2, (2 * b + v) * (2 * a + u)), any_of(eq(u, 0), eq(v, 0)))),
        hypotheses=(u <= 1, v <= 1),
    )


def _side_parts() -> tuple[Part]:
    n, k, s = sizes("n k s")
    lo, _ = same_padding(n, k, s)
    x, w = tensor("x", n), tensor("w", k)
    return (
        Part(
            sentence=(
                "The side matters exactly when the total is odd: SAME_UPPER and SAME_LOWER "
                "(without dilation) are the same operator exactly when it is even:"
            ),
            statement=EqualIff(
                correlate(x, w, stride=s, padding="same"),
                correlate(x, w, stride=s, padding="same_lower"),
                divides(2, same_total(n, k, s)),
                witnesses=({"i0": 0, "x.0": 0, "w.0": lo},),
                fixed=({"s": 1}, {"s": 2}, {"s": 3}),
            ),
            instance={"n": 5, "k": 3, "s": 2},
            wrt="x",
        ),
    )


def _transposed_same_parts() -> tuple[Part, Part]:
    m, k, s, d = sizes("m k s d")
    lo, hi = same_padding(s * m, k, s, d)
    r = conv_remainder(s * m, k, s, d, 1, lo, hi)
    x, w = tensor("x", s * m), tensor("w", k)
    y = correlate(x, w, stride=s, padding=(lo, hi), dilation=d)
    g = tensor("g", *y.shape)
    back = conv_transpose(g, w, stride=s, padding=(lo, hi), dilation=d, output_padding=r)
    reach = d * (k - 1)
    return (
        Part(
            sentence=(
                "The transposed convolution with SAME has $s m$ outputs: the padding is that of an "
                "input of $s m$ samples, $\\max(0, d(k-1) + 1 - s)$ in all, and the output padding "
                "$\\max(0, s - d(k-1) - 1)$ fills up where the kernel is shorter than the stride:"
            ),
            statement=Holds(
                all_of(
                    eq(conv_transpose_length(m, k, s, d, lo, hi, r), s * m),
                    eq(conv_length(s * m, k, s, d, 1, lo, hi), m),
                    eq(lo + hi, larger(0, reach + 1 - s)),
                    eq(r, larger(0, s - reach - 1)),
                )
            ),
        ),
        Part(
            sentence="It is the transpose of the convolution with SAME from $s m$ to $m$ samples:",
            statement=Equal(vjp(y, "x", g), back),
            instance={"m": 3, "k": 3, "s": 2, "d": 1},
            wrt="g",
        ),
    )


@theorem
def ceil_mode_length() -> Theorem:
    """The output length of a pooling with ceil_mode."""
    n, k, s, d = sizes("n k s d")
    p_lo, p_hi = symbol("p_lo", 0), symbol("p_hi", 0)
    i = offset("i")
    reach = d * (k - 1)
    beyond = n + p_lo + p_hi - reach - 1
    documented = ceil_div(beyond, s) + 1
    length = ceil_length(n, k, s, d, p_lo, p_hi)
    starts_outside = (documented - 1) * s >= n + p_lo

    return Theorem(
        id="ceil-mode-length",
        family="shapes",
        title="The output length of a pooling with ceil_mode",
        sentence=(
            "With ceil_mode a pooling has $\\lceil (n + p_{lo} + p_{hi} - d(k-1) - 1)/s \\rceil + 1$ "
            "outputs, but one less where the last window would start in the padding behind the "
            "input. The documented formula, without that rule, differs exactly when "
            "$-(n + p_{lo} + p_{hi} - d(k-1) - 1) \\bmod s \\ge d(k-1) + 1 - p_{hi}$."
        ),
        parts=(
            Part(
                sentence=(
                    "The outputs are the windows that start in the input or in the padding in front "
                    "of it and that the padded input, lengthened by $s - 1$, can hold:"
                ),
                statement=Holds(
                    iff(
                        between(0, i, length),
                        all_of(i >= 0, s * i <= n + p_lo - 1, s * i <= beyond + s - 1),
                    )
                ),
            ),
            Part(
                sentence=(
                    "PyTorch's rule, round up and drop one window if it starts behind the input, is "
                    "the smaller of the two bounds as long as $p_{hi} \\le d(k-1) + 1$:"
                ),
                statement=Holds(
                    all_of(
                        implies(starts_outside, eq(length, documented - 1)),
                        implies(~starts_outside, eq(length, documented)),
                    )
                ),
                hypotheses=(p_hi <= reach + 1,),
            ),
            Part(
                sentence=(
                    "which PyTorch ensures: it accepts a padding of at most half the dilated kernel:"
                ),
                statement=Holds(p_hi <= reach),
                hypotheses=(2 * p_hi <= reach + 1,),
            ),
            *_against_formulas(),
        ),
        twin=Twin(
            "the documented formula, without the rule for the last window",
            Holds(eq(length, documented)),
            (2 * p_hi <= reach + 1, 2 * p_lo <= reach + 1),
        ),
        sources=(TORCH_POOL, TORCH_RULE, TORCH_DOCS),
    )


def _against_formulas() -> tuple[Part, ...]:
    n, k, s, d = sizes("n k s d")
    p_lo, p_hi = symbol("p_lo", 0), symbol("p_hi", 0)
    reach = d * (k - 1)
    beyond = n + p_lo + p_hi - reach - 1
    documented = ceil_div(beyond, s) + 1
    length = ceil_length(n, k, s, d, p_lo, p_hi)
    floored = conv_length(n, k, s, d, 1, p_lo, p_hi)
    missing = -beyond % s
    return (
        Part(
            sentence=(
                "It differs from the documented formula exactly when the last window lacks so "
                "many samples that none of the input is left:"
            ),
            statement=Holds(iff(~eq(length, documented), missing >= reach + 1 - p_hi)),
        ),
        Part(
            sentence="so never where $d(k-1) + 1 \\ge s + p_{hi}$:",
            statement=Holds(eq(length, documented)),
            hypotheses=(reach + 1 >= s + p_hi,),
        ),
        Part(
            sentence=(
                "It is the length without ceil_mode, or one more: exactly when $s$ does not "
                "divide $n + p_{lo} + p_{hi} - d(k-1) - 1$ and no window is dropped:"
            ),
            statement=Holds(
                all_of(
                    any_of(eq(length, floored), eq(length, floored + 1)),
                    iff(
                        eq(length, floored + 1),
                        all_of(~divides(s, beyond), missing <= reach - p_hi),
                    ),
                )
            ),
            hypotheses=(p_hi <= reach,),
        ),
    )
