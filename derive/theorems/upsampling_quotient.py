"""When is a transposed convolution nearest upsampling followed by a convolution?

A kernel of ``k`` taps is the polynomial ``K(z) = Σ K[t] z^t``, the box ``1 + z + … + z^(s-1)``.
Dividing by the box is dividing by ``(1 - z^s)/(1 - z)``: the quotient is the sum of the
differences ``K[t] - K[t-1]`` over the steps ``t, t - s, t - 2s, …``, and the remainder is made of
the *phase sums* ``c_ρ = K[ρ] + K[ρ+s] + K[ρ+2s] + …``.  Both are linear in ``K``, so that
"divide" is an operator and each step of the division is an equality of operators.
"""

from __future__ import annotations

from derive.expr import Expr
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
from derive.symbols import offset, sizes
from derive.theorems.model import Equal, Part, Theorem, Twin, theorem
from derive.theorems.upsampling import CHECKERBOARD, VAIDYANATHAN

ALGEBRA = "exact algebra"


def differences(kernel: Form) -> Form:
    """``K(z) (1 - z)``, on ``k + 1`` taps: ``D[τ] = K[τ] - K[τ-1]``."""
    k = kernel.shape[0]
    return build((k + 1,), lambda tau: kernel[tau] + -1 * kernel[tau - 1])


def step_sum(series: Form, s: Expr, length: Expr) -> Form:
    """The first ``length`` coefficients of ``D(z) / (1 - z^s)``: ``Σ_{q >= 0} D[τ - s·q]``.

    Of ``differences(K)`` these are the coefficients of ``K`` divided by the box of ``s`` ones as
    power series; where the division is exact, all from ``k - s + 1`` on are zero.
    """
    return build((length,), lambda tau: sigma(length, lambda q: series[tau - s * q]))


def running_sum(series: Form, length: Expr) -> Form:
    """The first ``length`` coefficients of ``D(z) / (1 - z)``: ``Σ_{u <= τ} D[u]``."""
    return build((length,), lambda tau: sigma(length, lambda q: series[tau - q]))


def phase_sum(kernel: Form, s: Expr, at: Expr) -> Value:
    """``c_ρ``: the sum of the taps whose position is ``at`` modulo ``s``."""
    k = kernel.shape[0]
    return sigma(k, lambda q: kernel[at % s + s * q])


@theorem
def conv_transpose_as_nearest_conv() -> Theorem:
    """Which transposed convolutions are nearest upsampling and a convolution."""
    return Theorem(
        id="conv-transpose-as-nearest-conv",
        family="upsampling",
        title="Which transposed convolutions are nearest upsampling and a convolution",
        sentence=(
            "A stride-$s$ transposed convolution with the kernel $K$ of $k \\ge s$ taps is nearest "
            "upsampling by $s$ followed by a convolution if and only if "
            "$1 + z + \\dots + z^{s-1}$ divides $K(z)$, that is, if and only if the $s$ phase sums "
            "$c_\\rho = \\sum_q K[\\rho + s q]$ are equal; the kernel of that convolution is the "
            "quotient."
        ),
        parts=(
            _divisible_suffices(),
            _kernel_is_determined(),
            *_quotient_of_a_product(),
            *_division(),
            _tail(),
            _phase_sums_of_a_product(),
        ),
        twin=_twin(),
        sources=(CHECKERBOARD, VAIDYANATHAN),
    )


def _divisible_suffices() -> Part:
    n, k, s = sizes("n k s")
    p_lo, p_hi = offset("p_lo"), offset("p_hi")
    x, v = tensor("x", n), tensor("v", k)
    kernel = convolve(box(s), v, padding="full")
    reach = k - 1
    return Part(
        sentence=(
            "If: for every kernel $v$ of $k$ taps, nearest upsampling and the convolution with $v$ "
            "are the transposed convolution with $\\mathrm{box}_s * v$, whatever is cropped or "
            "padded:"
        ),
        statement=Equal(
            conv_transpose(x, kernel, stride=s, padding=(p_lo, p_hi)),
            convolve(nearest_upsample(x, s), v, padding=(reach - p_lo, reach - p_hi)),
        ),
        hypotheses=(s * n + reach >= p_lo + p_hi + 1,),
        instance={"n": 3, "k": 2, "s": 3, "p_lo": 1, "p_hi": 0},
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


def _quotient_of_a_product() -> tuple[Part, Part]:
    k, s = sizes("k s")
    v = tensor("v", k)
    telescoped = add(pad(v, (0, s)), scale(pad(v, (s, 0)), -1))
    return (
        Part(
            sentence=(
                "Only if, second: the differences of $\\mathrm{box}_s * v$ telescope to "
                "$v[\\tau] - v[\\tau - s]$, since $(1 - z)(1 + \\dots + z^{s-1}) = 1 - z^s$:"
            ),
            statement=Equal(differences(convolve(box(s), v, padding="full")), telescoped),
            instance={"k": 3, "s": 2},
            wrt="v",
            method=ALGEBRA,
        ),
        Part(
            sentence=(
                "and adding them up in steps of $s$ gives back $v$, then zeros: the quotient of a "
                "product is unique, and dividing finds it:"
            ),
            statement=Equal(step_sum(telescoped, s, k + s), pad(v, (0, s))),
            instance={"k": 3, "s": 2},
            wrt="v",
            method=ALGEBRA,
        ),
    )


def _division() -> tuple[Part, Part]:
    k, s = sizes("k s")
    series, kernel = tensor("D", k), tensor("K", k)
    return (
        Part(
            sentence=(
                "For any kernel, with $D[\\tau] = K[\\tau] - K[\\tau-1]$: the box convolved with the "
                "sums of $D$ in steps of $s$ is the running sum of $D$ (every $u \\le \\tau$ is "
                "$\\tau - a - s q$ with $0 \\le a < s$ and $q \\ge 0$ in one way),"
            ),
            statement=Equal(
                crop(convolve(box(s), step_sum(series, s, k), padding="full"), (0, s - 1)),
                running_sum(series, k),
            ),
            instance={"k": 4, "s": 2},
            wrt="D",
            method=ALGEBRA,
        ),
        Part(
            sentence=(
                "which is $K$: so $\\mathrm{box}_s * V$ agrees with $K$ on all $k$ taps, where $V$ "
                "is the quotient as a power series, cut after $k$ coefficients:"
            ),
            statement=Equal(running_sum(crop(differences(kernel), (0, 1)), k), kernel),
            instance={"k": 4},
            wrt="K",
            method=ALGEBRA,
        ),
    )


def _tail() -> Part:
    k, s = sizes("k s")
    kernel = tensor("K", k)
    quotient = step_sum(differences(kernel), s, k)
    first = k - s + 1

    def phase_difference(at: Expr) -> Value:
        return phase_sum(kernel, s, at + first) + -1 * phase_sum(kernel, s, at + first - 1)

    return Part(
        sentence=(
            "The coefficients of $V$ from $k - s + 1$ on, of which a polynomial quotient has none, "
            "are the $s - 1$ differences $c_\\tau - c_{\\tau-1}$ of neighbouring phase sums (modulo "
            "$s$). If all phase sums are equal they vanish, and $K = \\mathrm{box}_s * v$ with $v$ "
            "the first $k - s + 1$ coefficients of $V$:"
        ),
        statement=Equal(crop(quotient, (first, 0)), build((s - 1,), phase_difference)),
        hypotheses=(s >= 2,),
        instance={"k": 5, "s": 3},
        wrt="K",
        method=ALGEBRA,
    )


def _phase_sums_of_a_product() -> Part:
    k, s = sizes("k s")
    v = tensor("v", k)
    product = convolve(box(s), v, padding="full")
    return Part(
        sentence=(
            "In every phase the taps of $\\mathrm{box}_s * v$ add up to $\\sum_j v[j]$, so that a "
            "constant input gives a constant output inside: no checkerboard:"
        ),
        statement=Equal(
            build((s,), lambda rho: phase_sum(product, s, rho)),
            build((s,), lambda rho: sigma(k, lambda j: v[j] * constant(1))),
        ),
        instance={"k": 4, "s": 3},
        wrt="v",
        method=ALGEBRA,
    )


def _twin() -> Twin:
    n, k, s = sizes("n k s")
    x, kernel = tensor("x", n), tensor("K", k)
    quotient = crop(step_sum(differences(kernel), s, k), (0, s - 1))
    return Twin(
        "every transposed convolution is nearest upsampling and a convolution with the quotient",
        Equal(
            conv_transpose(x, kernel, stride=s),
            convolve(nearest_upsample(x, s), quotient, padding="full"),
        ),
        (k >= s,),
    )
