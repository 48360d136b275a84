"""Two shapes of the input gradient: SAME padding, where it is a crop, and the polyphase form."""

from __future__ import annotations

from derive.expr import Expr, divides, eq, maximum
from derive.form import Form, Value, build, sigma, sigmas, tensor, vjp
from derive.operators import (
    conv_transpose,
    convolve,
    correlate,
    crop,
    decimate,
    flip,
    scale,
    zero_insert,
)
from derive.shapes import conv_length, same_length, same_total
from derive.symbols import offset, sizes
from derive.theorems.gradient_common import GUIDE, POLYPHASE, TF_SAME
from derive.theorems.model import Equal, EqualIff, Holds, Part, Step, Theorem, Twin, theorem


@theorem
def input_gradient_same() -> Theorem:
    """SAME padding: the full correlation, cropped where the input was padded."""
    n, k, s, d = sizes("n k s d")
    x, w = tensor("x", n), tensor("w", k)
    y = correlate(x, w, stride=s, padding="same", dilation=d)
    g = tensor("g", *y.shape)
    left = vjp(y, "x", g)
    full = correlate(zero_insert(g, s), flip(w), padding="full", dilation=d)
    total = s * (same_length(n, s) - 1) + d * (k - 1) + 1 - n
    lo = maximum(0, total) // 2

    return Theorem(
        id="input-gradient-same",
        family="gradient",
        title="SAME padding: the gradient is the full correlation, cropped where the input was padded",
        sentence=(
            "With TensorFlow's SAME padding let $T = s(\\lceil n/s\\rceil - 1) + d(k-1) + 1 - n$. "
            "The input gradient is the full correlation of the zero-inserted $g$ with the flipped "
            "kernel, cropped by $\\lfloor \\max(0, T)/2\\rfloor$ in front and by the rest of $T$ "
            "behind: the even half in front, the odd one behind. Where $T < 0$ (a stride longer than "
            "the kernel) nothing is cropped in front and $-T$ zeros stand behind."
        ),
        parts=(
            Part(
                "For all sizes, strides and dilations, kernels of odd and even length:",
                Equal(left, crop(full, (lo, total - lo))),
                instance={"n": 5, "k": 4, "s": 2, "d": 1},
                wrt="g",
            ),
            *_same_stride_1(),
            *_same_whole(),
            _same_2d(),
        ),
        twin=Twin(
            "the odd sample cropped in front",
            Equal(left, crop(full, (total - lo, lo))),
            (total >= 0,),
        ),
        sources=(TF_SAME, GUIDE),
    )


def _same_stride_1() -> tuple[Part, ...]:
    n, k, d, h, c = sizes("n k d h c")
    x, w, g = tensor("x", n), tensor("w", k), tensor("g", n)
    reach = d * (k - 1)
    half, rest = reach // 2, reach - reach // 2
    same = correlate(x, w, padding="same", dilation=d)
    left = vjp(correlate(x, w, padding=(half, rest), dilation=d), "x", g)
    kernel, side = tensor("w", 2 * h - 1), d * (h - 1)
    even, odd = tensor("w", 2 * h), 2 * c - 1
    front = 2 * c * h - c - h  # (d(k-1) - 1)/2
    return (
        Part(
            "With stride 1, SAME is padding by $\\lfloor d(k-1)/2\\rfloor$ in front and by the rest "
            "of $d(k-1)$ behind:",
            Equal(same, correlate(x, w, padding=(half, rest), dilation=d)),
            instance={"n": 5, "k": 4, "d": 1},
            wrt="x",
        ),
        Part(
            "and its gradient is a correlation of the same length again, with the two paddings "
            "exchanged (SAME_LOWER, the odd sample in front):",
            Equal(left, correlate(g, flip(w), padding=(rest, half), dilation=d)),
            instance={"n": 5, "k": 4, "d": 1},
            wrt="g",
        ),
        Part(
            "For an odd kernel, $k = 2h - 1$ (or an even $d(k-1)$ in any other way) the two paddings "
            "are the same:",
            Equal(
                vjp(correlate(x, kernel, padding=side, dilation=d), "x", g),
                correlate(g, flip(kernel), padding=side, dilation=d),
            ),
            instance={"n": 5, "h": 2, "d": 2},
            wrt="g",
        ),
        Part(
            "For $k = 2h$ and an odd dilation $d = 2c - 1$, the paddings not exchanged are right "
            "exactly when $c > n$, where every tap reads only padding:",
            EqualIff(
                vjp(correlate(x, even, padding=(front, front + 1), dilation=odd), "x", g),
                correlate(g, flip(even), padding=(front, front + 1), dilation=odd),
                c >= n + 1,
                witnesses=({"i0": 0, "g.0": c - 1, "w.0": h - 1},),
                fixed=({"c": 1}, {"c": 2}),
            ),
            instance={"n": 2, "h": 1, "c": 3},
            wrt="g",
        ),
    )


def _same_whole() -> tuple[Part, ...]:
    m, k, s, d = sizes("m k s d")
    x, w, g = tensor("x", s * m), tensor("w", k), tensor("g", m)
    total = d * (k - 1) + 1 - s
    amounts = (total // 2, total - total // 2)
    y = correlate(x, w, stride=s, padding=amounts, dilation=d)
    return (
        Part(
            "For $n = s m$ the amount of SAME padding does not depend on the length, it is $T = "
            "d(k-1) + 1 - s$ (where that is not negative),",
            Holds(eq(same_total(s * m, k, s, d), total)),
            (total >= 0,),
        ),
        Part(
            "and the gradient is the transposed convolution with that padding, of length $s m$ (Keras "
            "calls this transposed convolution SAME):",
            Equal(vjp(y, "x", g), conv_transpose(g, w, stride=s, padding=amounts, dilation=d)),
            instance={"m": 3, "k": 4, "s": 2, "d": 1},
            wrt="g",
        ),
    )


def _same_2d() -> Part:
    n1, n2, k1, k2, s1, s2 = sizes("n1 n2 k1 k2 s1 s2")
    x, w = tensor("x", n1, n2), tensor("w", k1, k2)
    y = correlate(x, w, stride=(s1, s2), padding="same")
    g = tensor("g", *y.shape)
    left = vjp(y, "x", g)
    full = correlate(zero_insert(g, (s1, s2)), flip(w), padding="full")
    crops = []
    for n, k, s in ((n1, k1, s1), (n2, k2, s2)):
        total = s * (same_length(n, s) - 1) + k - n
        lo = maximum(0, total) // 2
        crops.append((lo, total - lo))
    return Part(
        "In two dimensions each axis has its own crop:",
        Equal(left, crop(full, crops)),
        instance={"n1": 4, "k1": 3, "s1": 2, "n2": 3, "k2": 2, "s2": 1},
        wrt="g",
    )


@theorem
def input_gradient_polyphase() -> Theorem:
    """The strided backward as stride-1 correlations, one for each phase."""
    n, k, s = sizes("n k s")
    p_lo, p_hi, a = offset("p_lo"), offset("p_hi"), offset("a")
    m = conv_length(n, k, s, 1, 1, p_lo, p_hi)
    fits = n + p_lo + p_hi >= k
    x, w, g = tensor("x", n), tensor("w", k), tensor("g", m)
    left = vjp(correlate(x, w, stride=s, padding=(p_lo, p_hi)), "x", g)
    phase, first = (a + p_lo) % s, (a + p_lo) // s
    taps, outputs = (k - 1 - phase) // s + 1, (n - 1 - a) // s + 1
    sub = decimate(w, s, start=phase)
    inside = (a >= 0, a <= n - 1)
    whole = _interleaved(g, w, n, s, p_lo)

    return Theorem(
        id="input-gradient-polyphase",
        family="gradient",
        title="The strided backward is one stride-1 correlation for each phase, interleaved",
        sentence=(
            "Of the input gradient of a correlation with stride $s$, every $s$-th sample (those at "
            "$j \\equiv a$ modulo $s$) reads only the taps $t \\equiv \\rho = (a + p_{lo}) \\bmod s$: "
            "it is the stride-1 correlation of $g$ with the flipped sub-kernel "
            "$w_\\rho, w_{\\rho+s}, w_{\\rho+2s}, \\dots$; where there is no such tap it is zero. "
            "The $s$ phases interleaved are the whole gradient, and no zeros are multiplied."
        ),
        parts=(
            _all_phases(left, whole, g, w),
            Part(
                "The phase $a \\ge 0$ alone, where its sub-kernel has a tap ($\\rho < k$):",
                Equal(
                    decimate(left, s, start=a),
                    correlate(g, flip(sub), padding=(taps - 1 - first, outputs - m + first)),
                ),
                (fits, *inside, phase <= k - 1),
                instance={"n": 6, "k": 5, "s": 2, "p_lo": 1, "p_hi": 2, "a": 1},
                wrt="g",
            ),
            Part(
                "A phase of that sum without taps ($\\rho \\ge k$, possible only for a stride longer "
                "than the kernel) is zero:",
                Equal(decimate(whole, s, start=a), scale(decimate(x, s, start=a), 0)),
                (*inside, phase >= k),
            ),
            _polyphase_full(),
            *_polyphase_dilated(),
        ),
        twin=Twin(
            "the phases in the order of the input positions, the padding left out",
            Equal(left, _interleaved(g, w, n, s, p_lo * 0)),
            (fits,),
        ),
        sources=(POLYPHASE, GUIDE),
    )


def _interleaved(g: Form, w: Form, n: Expr, s: Expr, p_lo: Expr) -> Form:
    """``y[j] = Σ_u w[s·u + ρ]·g[q - u]`` with ``j + p_lo = s·q + ρ``."""
    taps = (w.shape[0] - 1) // s + 1

    def body(j: Expr) -> Value:
        q, rho = (j + p_lo) // s, (j + p_lo) % s
        return sigma(taps, lambda u: w[s * u + rho] * g[q - u])

    return build((n,), body)


def _all_phases(left: Form, whole: Form, g: Form, w: Form) -> Part:
    n, k, s = sizes("n k s")
    p_lo, p_hi = offset("p_lo"), offset("p_hi")
    return Part(
        "All phases interleaved: position $j$ reads sub-kernel $(j + p_{lo}) \\bmod s$ at "
        "$\\lfloor (j + p_{lo})/s \\rfloor$:",
        Equal(left, whole),
        (n + p_lo + p_hi >= k,),
        via=_polyphase_chain(g, w, n, s, p_lo),
        instance={"n": 5, "k": 3, "s": 2, "p_lo": 1, "p_hi": 1},
        wrt="g",
    )


def _polyphase_chain(g: Form, w: Form, n: Expr, s: Expr, p_lo: Expr) -> tuple[Step, ...]:
    taps = (w.shape[0] - 1) // s + 1

    def split(j: Expr) -> Value:
        def at(i: Expr, u: Expr, v: Expr) -> Value:
            return (g[i] * w[s * u + v]).where(eq(j + p_lo, s * (i + u) + v))

        return sigmas((g.shape[0], taps, s), lambda b: at(*b))

    return (
        Step("write the tap as t = s·u + v with 0 <= v < s", build((n,), split)),
        Step(
            "divide with remainder: v = (j + p_lo) mod s, and i + u is the quotient",
            _interleaved(g, w, n, s, p_lo),
        ),
    )


def _polyphase_full() -> Part:
    m, k, s = sizes("m k s")
    a = offset("a")
    n = s * (m - 1) + k
    x, w, g = tensor("x", n), tensor("w", k), tensor("g", m)
    left = vjp(correlate(x, w, stride=s), "x", g)
    sub = decimate(w, s, start=a)
    return Part(
        "Without padding and remainder the phase $a$ is the full convolution of $g$ with the "
        "sub-kernel $w_a, w_{a+s}, \\dots$:",
        Equal(decimate(left, s, start=a), convolve(g, sub, padding="full")),
        (a >= 0, a <= s - 1, a <= k - 1),
        instance={"m": 3, "k": 4, "s": 2, "a": 1},
        wrt="g",
    )


def _polyphase_dilated() -> tuple[Part, ...]:
    n, k, s, d, c = sizes("n k s d c")
    p_lo, p_hi, a = offset("p_lo"), offset("p_hi"), offset("a")
    t, other, q = offset("t"), offset("t2"), offset("q")
    alpha, beta = offset("alpha"), offset("beta")
    x, w = tensor("x", n), tensor("w", k)
    outputs = (n - 1 - a) // s + 1
    phases = (a >= 0, a <= n - 1)
    m = conv_length(n, k, s, s * c, 1, p_lo, p_hi)
    g = tensor("g", m)
    y = correlate(x, w, stride=s, padding=(p_lo, p_hi), dilation=s * c)
    phase = decimate(vjp(y, "x", g), s, start=a)
    first = (a + p_lo) // s
    fits = n + p_lo + p_hi >= s * c * (k - 1) + 1
    return (
        Part(
            "With a dilation $d = s c$ that is a multiple of the stride, the one phase with "
            "$a + p_{lo} \\equiv 0$ is a correlation with the whole flipped kernel, dilation $c$:",
            Equal(
                phase,
                correlate(
                    g,
                    flip(w),
                    dilation=c,
                    padding=(c * (k - 1) - first, outputs - m + first),
                ),
            ),
            (fits, *phases, divides(s, a + p_lo)),
            instance={"n": 7, "k": 2, "s": 2, "c": 1, "p_lo": 1, "p_hi": 0, "a": 1},
            wrt="g",
        ),
        Part(
            "and all the other phases are zero:",
            Equal(phase, scale(decimate(x, s, start=a), 0)),
            (fits, *phases, ~divides(s, a + p_lo)),
        ),
        Part(
            "With a dilation coprime to the stride ($\\alpha d + \\beta s = 1$) two taps $t$ and $t'$ "
            "meet in a phase only if they are in one residue class, so each phase has one sub-kernel "
            "$w_t, w_{t+s}, \\dots$ again: from $d(t' - t) = s q$ follows "
            "$t' - t = s(\\alpha q + \\beta(t' - t))$:",
            Holds(eq(other - t, s * (alpha * q + beta * (other - t)))),
            (eq(alpha * d + beta * s, 1), eq(d * (other - t), s * q)),
        ),
    )
