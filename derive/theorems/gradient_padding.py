"""The adjoints of circular, reflect and replicate padding, and of convolutions with them."""

from __future__ import annotations

from derive.expr import Expr, Integer, eq
from derive.form import Form, Value, build, sigma, tensor, vjp
from derive.operators import correlate, crop, flip, pad, zero_insert
from derive.symbols import offset, size, sizes
from derive.theorems.gradient_common import TOEPLITZ, TORCH_PAD
from derive.theorems.model import Equal, Part, Step, Theorem, Twin, theorem


def _fold(h: Form, n: Expr, lo: Integer, hi: Expr, mode: str) -> Form:
    """The adjoint of padding ``n`` samples by ``(lo, hi)``: crop, and add the borders back.

    Circular: the borders are added at the other end, ``h[j + lo ± n]``.  Reflect: they are turned
    round, ``h[lo - j]`` and ``h[lo + 2(n-1) - j]``, without the end samples, which are not repeated.
    Replicate: each border is summed into its end sample.
    """

    def circular(j: Expr) -> Value:
        return h[j + lo] + h[j + lo - n] + h[j + lo + n]

    def reflect(j: Expr) -> Value:
        front = h[lo - j].where(j >= 1)
        behind = h[lo + 2 * (n - 1) - j].where(j <= n - 2)
        return h[j + lo] + front + behind

    def replicate(j: Expr) -> Value:
        front = sigma(lo, lambda b: h[b].where(eq(j, 0)))
        behind = sigma(hi, lambda b: h[n + lo + b].where(eq(j, n - 1)))
        return h[j + lo] + front + behind

    body = {"circular": circular, "reflect": reflect, "replicate": replicate}[mode]
    return build((n,), body)


@theorem
def padding_modes_adjoint() -> Theorem:
    """Crop, and fold the borders back as the mode says."""
    n, p_lo, p_hi, x, g = _padded()
    return Theorem(
        id="padding-modes-adjoint",
        family="gradient",
        title="The adjoint of a padding mode: crop, and fold the borders back",
        sentence=(
            "The adjoint of zero padding is the crop. Circular padding adds the two borders of $g$ at "
            "the other end, reflect padding adds them mirrored next to the ends, replicate padding "
            "adds the sum of each border to its end sample. The input gradient of a convolution with "
            "such a padding is that of the valid convolution of the padded input, folded this way."
        ),
        parts=(
            *_modes(),
            *_convolutions(),
            _circular_again(),
        ),
        twin=Twin(
            "reflect padding with the end samples repeated, as in symmetric padding",
            Equal(
                vjp(pad(x, (p_lo, p_hi), mode="reflect"), "x", g),
                build((n,), lambda j: g[j + p_lo] + g[p_lo - j] + g[p_lo + 2 * (n - 1) - j]),
            ),
            (n + p_lo + p_hi >= 1, p_lo <= n - 1, p_hi <= n - 1),
        ),
        sources=(TORCH_PAD, TOEPLITZ),
    )


def _padded() -> tuple[Expr, Expr, Expr, Form, Form]:
    n, p_lo, p_hi = size("n"), offset("p_lo"), offset("p_hi")
    return n, p_lo, p_hi, tensor("x", n), tensor("g", n + p_lo + p_hi)


def _modes() -> tuple[Part, ...]:
    n, p_lo, p_hi, x, g = _padded()
    whole = n + p_lo + p_hi >= 1
    instance = {"n": 4, "p_lo": 2, "p_hi": 1}

    def adjoint(mode: str) -> Form:
        return vjp(pad(x, (p_lo, p_hi), mode=mode), "x", g)

    def folded(mode: str) -> Form:
        return _fold(g, n, p_lo, p_hi, mode)

    wide = pad(g, (-p_lo, -p_hi)) + pad(g, (n - p_lo, -n - p_hi))
    return (
        Part(
            "Zero padding (of any sign):",
            Equal(adjoint("zero"), crop(g, (p_lo, p_hi))),
            (whole,),
            instance=instance,
            wrt="g",
        ),
        Part(
            "Circular padding: three crops of $g$, shifted by $0$ and $\\pm n$ (padding of either "
            "sign, up to $n$ on a side):",
            Equal(adjoint("circular"), wide + pad(g, (-n - p_lo, n - p_hi))),
            (whole, p_lo <= n, p_hi <= n),
            via=(Step("add the borders of g at the other end", folded("circular")),),
            instance=instance,
            wrt="g",
        ),
        Part(
            "Reflect padding (up to $n - 1$ on a side): $g_{j+p_{lo}}$, plus $g_{p_{lo}-j}$ for "
            "$j \\ge 1$, plus $g_{p_{lo}+2(n-1)-j}$ for $j \\le n-2$:",
            Equal(adjoint("reflect"), folded("reflect")),
            (whole, p_lo <= n - 1, p_hi <= n - 1),
            instance=instance,
            wrt="g",
        ),
        _reflect_as_operators(),
        Part(
            "Replicate padding: the first sample receives the whole border in front, the last one "
            "the whole border behind:",
            Equal(adjoint("replicate"), folded("replicate")),
            (whole,),
            instance=instance,
            wrt="g",
        ),
    )


def _reflect_as_operators() -> Part:
    n, lo, hi = sizes("n p_lo p_hi")
    x, g = tensor("x", n), tensor("g", n + lo + hi)
    front = pad(flip(crop(g, (0, n + hi))), (1, n - 1 - lo))
    behind = pad(flip(crop(g, (n + lo, 0))), (n - 1 - hi, 1))
    return Part(
        "In operators, with a border on both sides: the crop, plus the two borders flipped:",
        Equal(vjp(pad(x, (lo, hi), mode="reflect"), "x", g), crop(g, (lo, hi)) + front + behind),
        (lo <= n - 1, hi <= n - 1),
        instance={"n": 4, "p_lo": 2, "p_hi": 1},
        wrt="g",
    )


def _convolutions() -> tuple[Part, ...]:
    n, k, s, d = sizes("n k s d")
    p_lo, p_hi = offset("p_lo"), offset("p_hi")
    x, w = tensor("x", n), tensor("w", k)
    reach = d * (k - 1)
    rest = (n + p_lo + p_hi - 1 - reach) % s
    limits = {"circular": n, "reflect": n - 1}
    parts = []
    for mode in ("circular", "reflect", "replicate"):
        y = correlate(x, w, stride=s, padding=(p_lo, p_hi), dilation=d, padding_mode=mode)
        g = tensor("g", *y.shape)
        inner = correlate(zero_insert(g, s), flip(w), padding=(reach, reach + rest), dilation=d)
        bound = limits.get(mode)
        parts.append(
            Part(
                f"A convolution with {mode} padding: the full correlation of the zero-inserted $g$ "
                "with the flipped kernel, which has the length of the padded input, then folded:",
                Equal(vjp(y, "x", g), _fold(inner, n, p_lo, p_hi, mode)),
                (
                    n + p_lo + p_hi >= reach + 1,
                    *(() if bound is None else (p_lo <= bound, p_hi <= bound)),
                ),
                instance={"n": 4, "k": 2, "s": 2, "d": 1, "p_lo": 2, "p_hi": 1},
                wrt="g",
            )
        )
    return tuple(parts)


def _circular_again() -> Part:
    n, k, d = sizes("n k d")
    p_lo = offset("p_lo")
    reach = d * (k - 1)
    p_hi = reach - p_lo
    x, w, g = tensor("x", n), tensor("w", k), tensor("g", n)
    y = correlate(x, w, padding=(p_lo, p_hi), dilation=d, padding_mode="circular")
    back = correlate(g, flip(w), padding=(p_hi, p_lo), dilation=d, padding_mode="circular")
    return Part(
        "With stride 1 and $p_{lo} + p_{hi} = d(k-1)$, circular padding has a circular gradient (the "
        "transpose of a circulant is a circulant): flipped kernel, paddings exchanged:",
        Equal(vjp(y, "x", g), back),
        (p_lo <= n, p_hi <= n),
        instance={"n": 4, "k": 3, "d": 1, "p_lo": 2},
        wrt="g",
    )
