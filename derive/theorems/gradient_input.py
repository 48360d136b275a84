"""The gradient of a convolution with respect to its input."""

from __future__ import annotations

from derive.expr import offset, sizes
from derive.form import tensor, vjp
from derive.operators import correlate, flip, pad, zero_insert
from derive.shapes import conv_length, conv_remainder
from derive.theorems.model import Equal, Part, Source, Theorem, Twin, theorem

GUIDE = Source("Dumoulin & Visin: A guide to convolution arithmetic for deep learning", "https://arxiv.org/abs/1603.07285")


@theorem
def input_gradient_general() -> Theorem:
    n, k, s, d, e = sizes("n k s d e")
    p_lo, p_hi = offset("p_lo"), offset("p_hi")
    fits = e * (n - 1) + p_lo + p_hi >= d * (k - 1)

    x, w = tensor("x", n), tensor("w", k)
    y = correlate(x, w, stride=s, padding=(p_lo, p_hi), dilation=d, base_dilation=e)
    g = tensor("g", conv_length(n, k, s, d, e, p_lo, p_hi))
    r = conv_remainder(n, k, s, d, e, p_lo, p_hi)
    reach = d * (k - 1)

    left = vjp(y, "x", g)
    right = correlate(zero_insert(g, s), flip(w), stride=e, padding=(reach - p_lo, reach - p_hi + r), dilation=d)

    return Theorem(
        id="input-gradient-general",
        family="gradient",
        title="The input gradient of any convolution is a convolution",
        sentence=(
            "The gradient with respect to the input of a correlation with stride $s$, dilation $d$, base dilation $e$ and "
            "padding $(p_{lo}, p_{hi})$ is zero insertion by $s$, padding by $d(k-1)-p_{lo}$ in front and $d(k-1)-p_{hi}+r$ "
            "behind, and correlation with the flipped kernel, dilation $d$ and stride $e$; "
            "$r$ is the remainder $(e(n-1)+p_{lo}+p_{hi}-d(k-1)) \\bmod s$."
        ),
        parts=(
            Part(
                sentence="For all sizes, paddings of any sign included:",
                statement=Equal(left, right),
                hypotheses=(fits,),
                instance={"n": 5, "k": 3, "s": 2, "d": 1, "e": 1, "p_lo": 1, "p_hi": 2},
                wrt="g",
            ),
        ),
        twin=Twin(
            "the same without the remainder $r$",
            Equal(left, correlate(pad(zero_insert(g, s), (reach - p_lo, reach - p_hi)), flip(w), stride=e, dilation=d)),
            (fits,),
        ),
        sources=(GUIDE,),
    )
