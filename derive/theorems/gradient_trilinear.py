"""One trilinear form, its three gradients and its second ones; the transposed convolution."""

from __future__ import annotations

from derive.expr import Expr
from derive.form import Form, Value, build, sigmas, tensor, vjp
from derive.operators import conv_transpose, correlate, crop, flip, permute
from derive.shapes import conv_transpose_length
from derive.symbols import offset, sizes
from derive.theorems.gradient_common import (
    AUTODIFF,
    GUIDE,
    TORCH_CONV_TRANSPOSE,
    Axis,
    axis,
    gradient,
    inner,
)
from derive.theorems.model import Equal, EqualIff, Part, Source, Theorem, Twin, theorem

TORCH_DOUBLE = Source(
    "PyTorch: ConvolutionBackward, the double backward of convolution (derivatives.yaml)",
    "https://github.com/pytorch/pytorch/blob/main/tools/autograd/derivatives.yaml",
)


def _conv(a: Axis, z: Form, kernel: Form) -> Form:
    return correlate(z, kernel, stride=a.s, padding=a.padding, dilation=a.d, base_dilation=a.e)


def _same(a: Axis, sentence: str, left: Form, right: Form, wrt: str) -> Part:
    instance = {"n": 4, "k": 3, "s": 2, "d": 1, "e": 1, "p_lo": 1, "p_hi": 2}
    return Part(sentence, Equal(left, right), (a.fits,), instance=instance, wrt=wrt)


@theorem
def trilinear_symmetry() -> Theorem:
    """Forward, the two gradients and the double backward: one trilinear form."""
    a = axis()
    x, w, g = tensor("x", a.n), tensor("w", a.k), tensor("g", a.m)
    # cotangents of the two gradients: v has the shape of x, u that of w
    v, u = tensor("v", a.n), tensor("u", a.k)
    y = _conv(a, x, w)
    second = inner(v, vjp(y, "x", g)) + inner(u, vjp(y, "w", g))

    return Theorem(
        id="trilinear-symmetry",
        family="gradient",
        title="Three gradients and the double backward are readings of one trilinear form",
        sentence=(
            "$\\langle g, \\operatorname{corr}(x, w)\\rangle = \\sum g_i\\,w_t\\,x_j$ over "
            "$e j = s i + d t - p_{lo}$ is linear in each of $g$, $x$ and $w$. The forward pass, the "
            "input gradient and the weight gradient are its partial gradients; so the gradients of a "
            "gradient are these three maps again, with one operand replaced by the new cotangent."
        ),
        parts=(*_readings(a, y, x, w, g), *_double_backward(a, second, x, w, g, v, u)),
        twin=Twin(
            "the double backward with respect to $g$ without the term of the weight gradient",
            Equal(gradient(second, "g"), _conv(a, v, w)),
            (a.fits,),
        ),
        sources=(AUTODIFF, TORCH_DOUBLE),
    )


def _readings(a: Axis, y: Form, x: Form, w: Form, g: Form) -> tuple[Part, ...]:
    whole = inner(g, y)

    def triple() -> Value:
        def at(itj: tuple[Expr, ...]) -> Value:
            i, t, j = itj
            return (g[i] * w[t] * x[j]).where(a.meets(i, t, j))

        return sigmas((a.m, a.k, a.n), at)

    return (
        _same(a, "The one form:", whole, build((), triple), "x"),
        _same(
            a,
            "Its gradient with respect to $g$ is the forward pass:",
            gradient(whole, "g"),
            y,
            "x",
        ),
        _same(
            a,
            "$\\langle g, y\\rangle = \\langle x, \\nabla_x\\rangle$:",
            whole,
            inner(x, vjp(y, "x", g)),
            "x",
        ),
        _same(
            a,
            "$\\langle g, y\\rangle = \\langle w, \\nabla_w\\rangle$:",
            whole,
            inner(w, vjp(y, "w", g)),
            "w",
        ),
    )


def _double_backward(
    a: Axis, second: Form, x: Form, w: Form, g: Form, v: Form, u: Form
) -> tuple[Part, ...]:
    y = _conv(a, x, w)
    x_of_u, w_of_v = vjp(_conv(a, x, u), "x", g), vjp(_conv(a, v, w), "w", g)
    return (
        _same(
            a,
            "The input gradient, differentiated with respect to $w$ with the cotangent $v$, is the "
            "weight gradient with $v$ in the place of $x$:",
            vjp(vjp(y, "x", g), "w", v),
            w_of_v,
            "g",
        ),
        _same(
            a,
            "The weight gradient, differentiated with respect to $x$ with the cotangent $u$, is the "
            "input gradient with $u$ in the place of $w$:",
            vjp(vjp(y, "w", g), "x", u),
            x_of_u,
            "g",
        ),
        _same(
            a,
            "Double backward of $\\langle v, \\nabla_x\\rangle + \\langle u, \\nabla_w\\rangle$ "
            "with respect to $g$: $\\operatorname{corr}(v, w) + \\operatorname{corr}(x, u)$:",
            gradient(second, "g"),
            _conv(a, v, w) + _conv(a, x, u),
            "v",
        ),
        _same(
            a,
            "with respect to $x$: the input gradient with the kernel $u$:",
            gradient(second, "x"),
            x_of_u,
            "g",
        ),
        _same(
            a,
            "and with respect to $w$: the weight gradient with the input $v$:",
            gradient(second, "w"),
            w_of_v,
            "g",
        ),
    )


@theorem
def conv_transpose_gradients() -> Theorem:
    """The gradients of a transposed convolution are correlations."""
    m, k, s, d = sizes("m k s d")
    p_lo, p_hi, r = offset("p_lo"), offset("p_hi"), offset("r")
    n = conv_transpose_length(m, k, s, d, p_lo, p_hi, r)
    x, w, g = tensor("x", m), tensor("w", k), tensor("g", n)
    y = conv_transpose(x, w, stride=s, padding=(p_lo, p_hi), dilation=d, output_padding=r)
    defined = (r >= 0, n >= 1)
    same = correlate(g, w, stride=s, padding=(p_lo, p_hi), dilation=d)
    weights = correlate(g, x, stride=d, padding=(p_lo, p_hi), dilation=s)
    to_x, to_w = vjp(y, "x", g), vjp(y, "w", g)
    instance = {"m": 3, "k": 2, "s": 3, "d": 2, "p_lo": 1, "p_hi": 0, "r": 1}

    def part(sentence: str, statement: Equal | EqualIff) -> Part:
        return Part(sentence, statement, defined, instance=instance, wrt="g")

    def back(kernel: Form) -> Form:
        return correlate(g, kernel, stride=s, padding=(p_lo, p_hi - r), dilation=d)

    return Theorem(
        id="conv-transpose-gradients",
        family="gradient",
        title="The gradients of a transposed convolution are correlations",
        sentence=(
            "The input gradient of a transposed convolution is the correlation of $g$ with the same "
            "kernel (not flipped), stride, dilation and padding; the weight gradient is the "
            "correlation of $g$ with $x$, stride $d$ and dilation $s$, cut to $k$ taps. With output "
            "padding $r \\ge s$ (or $r \\ge d$ for the weights) the last positions are cut off."
        ),
        parts=(
            part(
                "The input gradient, with the output padding $r$ taken off the padding behind:",
                Equal(to_x, back(w)),
            ),
            part(
                "With the padding of the forward pass, exactly when $r < s$:",
                EqualIff(to_x, same, r <= s - 1, fixed=({"s": 2, "d": 1}, {"s": 3, "d": 2})),
            ),
            part(
                "The weight gradient, cut to $k$ taps:",
                Equal(to_w, crop(weights, (0, r // d))),
            ),
            part(
                "which is no cut exactly when $r < d$:",
                EqualIff(to_w, weights, r <= d - 1, fixed=({"s": 2, "d": 3}, {"s": 3, "d": 1})),
            ),
            *_transposed_channels(),
        ),
        twin=Twin(
            "the input gradient with the kernel flipped",
            Equal(to_x, back(flip(w))),
            defined,
        ),
        sources=(GUIDE, TORCH_CONV_TRANSPOSE),
    )


def _transposed_channels() -> tuple[Part, ...]:
    groups, batch, a, b, m, k, s, d = sizes("groups N c_in c_out m k s d")
    p_lo, p_hi, r = offset("p_lo"), offset("p_hi"), offset("r")
    n = conv_transpose_length(m, k, s, d, p_lo, p_hi, r)
    defined = (r >= 0, n >= 1)
    padding = (p_lo, p_hi - r)
    x, w = tensor("x", batch, groups * a, m), tensor("w", groups * a, b, k)
    g = tensor("g", batch, groups * b, n)
    y = conv_transpose(
        x, w, stride=s, padding=(p_lo, p_hi), dilation=d, output_padding=r, groups=groups, dims=1
    )
    back = correlate(g, w, stride=s, padding=padding, dilation=d, groups=groups, dims=1)
    full = permute(
        correlate(
            permute(g, (1, 0, 2)),
            permute(x, (1, 0, 2)),
            stride=d,
            padding=padding,
            dilation=s,
            dims=1,
        ),
        (1, 0, 2),
    )
    cut = build(w.shape, lambda c, o, t: full[c, (c // a) * b + o, t])
    small = {
        "groups": 2, "N": 1, "c_in": 1, "c_out": 2, "m": 2, "k": 2, "s": 2, "d": 1,
        "p_lo": 1, "p_hi": 0, "r": 1,
    }  # fmt: skip
    return (
        Part(
            "With channels and groups the kernel $(c_{in}, c_{out}/G, k)$ of the transposed "
            "convolution is the kernel of that correlation as it stands:",
            Equal(vjp(y, "x", g), back),
            defined,
            instance=small,
            wrt="g",
        ),
        Part(
            "and the weight gradient is made of the diagonal blocks of the correlation in which batch "
            "and channels change places:",
            Equal(vjp(y, "w", g), cut),
            defined,
            instance=small,
            wrt="g",
        ),
    )
