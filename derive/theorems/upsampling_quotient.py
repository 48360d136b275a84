"""When is a transposed convolution nearest upsampling followed by a convolution?

A kernel of ``k`` taps is the polynomial ``K(z) = Σ K[t] z^t``, the box ``1 + z + … + z^(s-1)``.
Dividing by the box is dividing by ``(1 - z^s)/(1 - z)``: the quotient is the sum of the
differences ``K[t] - K[t-1]`` over the steps ``t, t - s, t - 2s, …``, and the remainder is made of
the *phase sums* ``c_ρ = K[ρ] + K[ρ+s] + K[ρ+2s] + …``.  Both are linear in ``K``, so that
"divide" is an operator and the division is an equality of operators.
"""

from __future__ import annotations

from derive.expr import Expr, between, offset, sizes
from derive.form import Form, Value, add, build, constant, sigma, tensor
from derive.operators import (
    box,
    conv_transpose,
    convolve,
    crop,
    nearest_upsample,
    one_hot,
    pad,
    scale,
)
from derive.theorems.model import Equal, Part, Source, Theorem, Twin, theorem
from derive.theorems.upsampling import CHECKERBOARD, VAIDYANATHAN

ALGEBRA = "exact algebra"
RESIZE = Source(
    "Shi et al.: Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel "
    "Convolutional Neural Network",
    "https://arxiv.org/abs/1609.05158",
)


def power_quotient(kernel: Form, s: Expr, length: Expr) -> Form:
    """The first ``length`` coefficients of ``K(z) (1 - z) / (1 - z^s)``.

    ``V[τ] = Σ_{q >= 0} (K[τ - s·q] - K[τ - s·q - 1])``; where the box of ``s`` ones divides the
    kernel, the quotient is the first ``k - s + 1`` of them and all later ones are zero.
    """

    def body(tau: Expr) -> Value:
        return sigma(length, lambda q: kernel[tau - s * q] + -1 * kernel[tau - s * q - 1])

    return build((length,), body)


def phase_sum(kernel: Form, s: Expr, at: Expr) -> Value:
    """``c_ρ``: the sum of the taps whose position is ``at`` modulo ``s``."""
    k = kernel.shape[0]
    return sigma(k, lambda q: kernel[at % s + s * q])


def box_remainder(kernel: Form, s: Expr) -> Form:
    """The remainder of the kernel divided by the box, on the ``k`` taps of the kernel.

    ``R[τ] = c_τ - c_{k-s}`` (indices of the phase sums modulo ``s``) for ``τ > k - s``, zero below.
    """
    k = kernel.shape[0]

    def body(tau: Expr) -> Value:
        level = phase_sum(kernel, s, k - s)
        return (phase_sum(kernel, s, tau) + -1 * level).where(tau >= k - s + 1)

    return build((k,), body)


@theorem
def conv_transpose_as_nearest_conv() -> Theorem:
    return Theorem(
        id="conv-transpose-as-nearest-conv",
        family="upsampling",
        title="Which transposed convolutions are nearest upsampling and a convolution",
        sentence=(
            "A stride-$s$ transposed convolution with the kernel $K$ of $k \\ge s$ taps is nearest "
            "upsampling by $s$ followed by a convolution if and only if "
            "$1 + z + \\dots + z^{s-1}$ divides $K(z)$, that is, if and only if the $s$ phase sums "
            "$c_\\rho = \\sum_q K[\\rho + s q]$ are equal; the kernel of that convolution is the "
            "quotient. Otherwise the two differ by the transposed convolution with the remainder."
        ),
        parts=(
            _divisible_suffices(),
            _kernel_is_determined(),
            _division_as_operators(),
            *_quotient_and_remainder(),
            _phase_sums_of_a_product(),
        ),
        twin=_twin(),
        sources=(CHECKERBOARD, RESIZE, VAIDYANATHAN),
    )


def _divisible_suffices() -> Part:
    n, l, s = sizes("n l s")
    p_lo, p_hi = offset("p_lo"), offset("p_hi")
    x, v = tensor("x", n), tensor("v", l)
    kernel = convolve(box(s), v, padding="full")
    reach = l - 1
    return Part(
        sentence=(
            "If: for every kernel $v$ of $l$ taps, nearest upsampling and the convolution with $v$ "
            "are the transposed convolution with $\\mathrm{box}_s * v$, whatever is cropped or "
            "padded:"
        ),
        statement=Equal(
            conv_transpose(x, kernel, stride=s, padding=(p_lo, p_hi)),
            convolve(nearest_upsample(x, s), v, padding=(reach - p_lo, reach - p_hi)),
        ),
        hypotheses=(s * n + reach >= p_lo + p_hi + 1,),
        instance={"n": 3, "l": 2, "s": 3, "p_lo": 1, "p_hi": 0},
        wrt="x",
    )


def _kernel_is_determined() -> Part:
    n, k, s = sizes("n k s")
    at = offset("at")
    kernel = tensor("K", k)
    response = conv_transpose(one_hot(n, at), kernel, stride=s)
    return Part(
        sentence=(
            "Only if, first: the operator determines its kernel, which is read off the response to "
            "a single one at any position $at$. So an operator of this kind is nearest upsampling "
            "and a convolution with $v$ only where $K = \\mathrm{box}_s * v$:"
        ),
        statement=Equal(crop(response, (s * at, s * (n - 1 - at))), kernel),
        hypotheses=(at >= 0, at < n),
        instance={"n": 3, "k": 4, "s": 2, "at": 1},
        wrt="K",
        method=ALGEBRA,
    )


def _division_as_operators() -> Part:
    n, k, s = sizes("n k s")
    x, kernel = tensor("x", n), tensor("K", k)
    quotient = power_quotient(kernel, s, k - s + 1)
    rest = box_remainder(kernel, s)
    return Part(
        sentence=(
            "Division with remainder: every kernel $K$ splits the operator into nearest "
            "upsampling, then the convolution with the quotient, and the transposed convolution "
            "with the remainder $R[\\tau] = c_\\tau - c_{k-s}$ on the last $s - 1$ taps (phases "
            "modulo $s$). It vanishes if and only if all phase sums are equal:"
        ),
        statement=Equal(
            conv_transpose(x, kernel, stride=s),
            add(
                convolve(nearest_upsample(x, s), quotient, padding="full"),
                conv_transpose(x, rest, stride=s),
            ),
        ),
        hypotheses=(k >= s,),
        instance={"n": 2, "k": 5, "s": 3},
        wrt="x",
        method=ALGEBRA,
    )


def _quotient_and_remainder() -> tuple[Part, Part]:
    l, s = sizes("l s")
    v = tensor("v", l)
    product = convolve(box(s), v, padding="full")
    return (
        Part(
            sentence=(
                "Only if, second: the quotient of $\\mathrm{box}_s * v$ is $v$ itself, so the "
                "kernel of the convolution is unique and division finds it:"
            ),
            statement=Equal(power_quotient(product, s, l + s - 1), pad(v, (0, s - 1))),
            instance={"l": 3, "s": 2},
            wrt="v",
            method=ALGEBRA,
        ),
        Part(
            sentence=(
                "Only if, third: the remainder of $\\mathrm{box}_s * v$ is zero, so a kernel with "
                "a remainder is no such product:"
            ),
            statement=Equal(box_remainder(product, s), scale(box_remainder(product, s), 0)),
            instance={"l": 3, "s": 2},
            wrt="v",
            method=ALGEBRA,
        ),
    )


def _phase_sums_of_a_product() -> Part:
    l, s = sizes("l s")
    v = tensor("v", l)
    product = convolve(box(s), v, padding="full")
    return Part(
        sentence=(
            "In every phase the taps of $\\mathrm{box}_s * v$ add up to $\\sum_j v[j]$, so that a "
            "constant input gives a constant output inside: no checkerboard:"
        ),
        statement=Equal(
            build((s,), lambda rho: phase_sum(product, s, rho)),
            build((s,), lambda rho: sigma(l, lambda j: v[j] * constant(1))),
        ),
        instance={"l": 4, "s": 3},
        wrt="v",
        method=ALGEBRA,
    )


def _twin() -> Twin:
    n, k, s = sizes("n k s")
    x, kernel = tensor("x", n), tensor("K", k)
    quotient = power_quotient(kernel, s, k - s + 1)
    return Twin(
        "every transposed convolution is nearest upsampling and a convolution (the remainder left "
        "out)",
        Equal(
            conv_transpose(x, kernel, stride=s),
            convolve(nearest_upsample(x, s), quotient, padding="full"),
        ),
        (k >= s,),
    )
