"""The gradients of a convolution with respect to its kernel and its bias."""

from __future__ import annotations

from derive.expr import Expr, lift
from derive.form import Form, Value, build, sigma, sigmas, tensor, vjp
from derive.operators import correlate, crop, flip, pad, permute, scale
from derive.symbols import offset, size, sizes
from derive.theorems.gradient_common import GUIDE, MATRIX_CALCULUS, TORCH_CONV, Axis, axis
from derive.theorems.model import Equal, EqualIff, Part, Source, Step, Theorem, Twin, theorem

TORCH_GRAD = Source(
    "PyTorch: torch.nn.grad, gradients of convolutions",
    "https://github.com/pytorch/pytorch/blob/main/torch/nn/grad.py",
)


@theorem
def weight_gradient_stride_1() -> Theorem:
    """Stride 1: the valid correlation of the padded input with g."""
    n, k, d = sizes("n k d")
    p_lo, p_hi = offset("p_lo"), offset("p_hi")
    m = n + p_lo + p_hi - d * (k - 1)
    x, w, g = tensor("x", n), tensor("w", k), tensor("g", m)
    y = correlate(x, w, padding=(p_lo, p_hi), dilation=d)
    left = vjp(y, "w", g)
    right = correlate(pad(x, (p_lo, p_hi)), g, stride=d)
    fits = n + p_lo + p_hi >= d * (k - 1) + 1

    return Theorem(
        id="weight-gradient-stride-1",
        family="gradient",
        title="Stride 1: the weight gradient is the valid correlation of the padded input with g",
        sentence=(
            "The gradient of a correlation with stride 1 with respect to its kernel is the valid "
            "correlation of the padded input with $g$ as the kernel; its length is $k$ without any "
            "cut. A dilation $d$ of the forward pass is the stride of this correlation."
        ),
        parts=(
            Part(
                "For every input and kernel length, dilation and padding:",
                Equal(left, right),
                (fits,),
                via=_stride_1_chain(x, g, k, d, p_lo, p_hi),
                instance={"n": 5, "k": 2, "d": 1, "p_lo": 1, "p_hi": 0},
                wrt="g",
            ),
            _stride_1_2d(),
        ),
        twin=Twin(
            "the correlation with $g$ flipped",
            Equal(left, correlate(x, flip(g), padding=(p_lo, p_hi), stride=d)),
            (fits,),
        ),
        sources=(GUIDE, TORCH_GRAD),
    )


def _stride_1_chain(x: Form, g: Form, k: Expr, d: Expr, p_lo: Expr, p_hi: Expr) -> tuple[Step, ...]:
    m = g.shape[0]
    padded = pad(x, (p_lo, p_hi))
    solved = build((k,), lambda t: sigma(m, lambda i: g[i] * x[i + d * t - p_lo]))
    read = build((k,), lambda t: sigma(m, lambda i: g[i] * padded[d * t + i]))
    return (
        Step("solve the index equation for j = i + d·t - p_lo", solved),
        Step("recognise padding (p_lo, p_hi): a correlation with the kernel g and stride d", read),
    )


def _stride_1_2d() -> Part:
    n1, n2, k1, k2 = sizes("n1 n2 k1 k2")
    x, g = tensor("x", n1, n2), tensor("g", n1 - k1 + 1, n2 - k2 + 1)
    return Part(
        "In two dimensions (valid):",
        Equal(vjp(correlate(x, tensor("w", k1, k2)), "w", g), correlate(x, g)),
        (n1 >= k1, n2 >= k2),
        instance={"n1": 4, "k1": 2, "n2": 3, "k2": 2},
        wrt="g",
    )


@theorem
def weight_gradient_general() -> Theorem:
    """Stride and dilation change places, and the result is cut to k taps."""
    a = axis()
    x, w, g = tensor("x", a.n), tensor("w", a.k), tensor("g", a.m)
    y = correlate(x, w, stride=a.s, padding=a.padding, dilation=a.d, base_dilation=a.e)
    left = vjp(y, "w", g)
    uncut = correlate(x, g, stride=a.d, padding=a.padding, dilation=a.s, base_dilation=a.e)
    cropped = (a.p_lo, a.p_hi - a.r)
    short = correlate(x, g, stride=a.d, padding=cropped, dilation=a.s, base_dilation=a.e)
    instance = {"n": 6, "k": 2, "s": 3, "d": 1, "e": 1, "p_lo": 1, "p_hi": 2}

    return Theorem(
        id="weight-gradient-general",
        family="gradient",
        title="The weight gradient of any convolution: stride and dilation change places",
        sentence=(
            "The gradient with respect to the kernel of a correlation with stride $s$, dilation $d$, "
            "base dilation $e$ and padding $(p_{lo}, p_{hi})$ is the correlation of $x$ with $g$, "
            "with stride $d$, dilation $s$, the same base dilation and padding, cut to its first $k$ "
            "taps. The cut removes $\\lfloor r/d \\rfloor$ positions, which come from the $r$ trailing "
            "samples that no window of the forward pass reaches; it is needed exactly when $r \\ge d$."
        ),
        parts=(
            Part(
                "For all sizes, strides and dilations, paddings of any sign included:",
                Equal(left, crop(uncut, (0, a.r // a.d))),
                (a.fits,),
                via=_general_chain(a, x, g),
                instance=instance,
                wrt="g",
            ),
            Part(
                "Not cut, it has the right length exactly when $r < d$:",
                EqualIff(left, uncut, a.r <= a.d - 1, fixed=_FIXED),
                (a.fits,),
                instance={**instance, "n": 7, "d": 2},
                wrt="g",
            ),
            Part(
                "Instead of the cut, the $r$ samples can be left out of the padding behind:",
                Equal(left, short),
                (a.fits,),
                instance=instance,
                wrt="g",
            ),
            _general_2d(),
            *_general_channels(),
        ),
        twin=Twin(
            "cut in front instead of behind",
            Equal(left, crop(uncut, (a.r // a.d, 0))),
            (a.fits,),
        ),
        sources=(GUIDE, TORCH_GRAD, TORCH_CONV),
    )


_FIXED = ({"s": 3, "d": 2, "e": 1}, {"s": 3, "d": 1, "e": 2})


def _general_chain(a: Axis, x: Form, g: Form) -> tuple[Step, ...]:
    def meets(t: Expr) -> Value:
        return sigmas((a.m, a.n), lambda ij: (g[ij[0]] * x[ij[1]]).where(a.meets(ij[0], t, ij[1])))

    uncut = correlate(x, g, stride=a.d, padding=a.padding, dilation=a.s, base_dilation=a.e)
    return (
        Step(
            "exchange the output index i and the tap t: e·j = d·t + s·i - p_lo",
            build((a.k,), meets),
        ),
        Step(
            "recognise a correlation with the kernel g, stride d and dilation s, read at its first k "
            "positions",
            build((a.k,), lambda t: uncut[t]),
        ),
    )


def _general_2d() -> Part:
    a, b = axis("1"), axis("2")
    x, w, g = tensor("x", a.n, b.n), tensor("w", a.k, b.k), tensor("g", a.m, b.m)
    y = correlate(
        x,
        w,
        stride=(a.s, b.s),
        padding=(a.padding, b.padding),
        dilation=(a.d, b.d),
        base_dilation=(a.e, b.e),
    )
    uncut = correlate(
        x,
        g,
        stride=(a.d, b.d),
        padding=(a.padding, b.padding),
        dilation=(a.s, b.s),
        base_dilation=(a.e, b.e),
    )
    first = {"n1": 5, "k1": 2, "s1": 2, "d1": 1, "e1": 1, "p_lo1": 0, "p_hi1": 0}
    second = {"n2": 3, "k2": 2, "s2": 1, "d2": 1, "e2": 1, "p_lo2": 1, "p_hi2": 0}
    return Part(
        "In two dimensions each axis has its own cut:",
        Equal(vjp(y, "w", g), crop(uncut, ((0, a.r // a.d), (0, b.r // b.d)))),
        (a.fits, b.fits),
        instance=first | second,
        wrt="g",
    )


def _channels(groups: Expr) -> tuple[Axis, Form, Form, Form]:
    """One axis, and input, kernel and gradient with a batch and channels in ``groups``."""
    batch, c_in, c_out, n, k, s, d = sizes("N c_in c_out n k s d")
    q = Axis(n, k, s, d, lift(1), offset("p_lo"), offset("p_hi"))
    x, w = tensor("x", batch, groups * c_in, n), tensor("w", groups * c_out, c_in, k)
    return q, x, w, tensor("g", batch, groups * c_out, q.m)


def _batch_as_channels(x: Form, g: Form, q: Axis) -> Form:
    """The weight gradient of one group: ``(c_out, c_in, k)``."""
    swapped = correlate(
        permute(x, (1, 0, 2)),
        permute(g, (1, 0, 2)),
        stride=q.d,
        padding=(q.p_lo, q.p_hi - q.r),
        dilation=q.s,
        dims=1,
    )
    return permute(swapped, (1, 0, 2))


def _general_channels() -> tuple[Part, ...]:
    one = lift(1)
    q, x, w, g = _channels(one)
    y = correlate(x, w, stride=q.s, padding=q.padding, dilation=q.d, dims=1)
    small = {"n": 4, "k": 2, "s": 2, "d": 1, "p_lo": 0, "p_hi": 1}
    groups = size("groups")
    qg, xg, wg, gg = _channels(groups)
    yg = correlate(xg, wg, stride=qg.s, padding=qg.padding, dilation=qg.d, groups=groups, dims=1)
    full = _batch_as_channels(xg, gg, qg)
    c_in, c_out = wg.shape[1], wg.shape[0] // groups
    blocks = build(wg.shape, lambda o, c, t: full[o, (o // c_out) * c_in + c, t])
    return (
        Part(
            "With channels and a batch of $N$, batch and channels change places: the input channels "
            "become the batch, and the sum over the batch becomes the sum over the channels:",
            Equal(vjp(y, "w", g), _batch_as_channels(x, g, q)),
            (q.fits,),
            instance={"N": 2, "c_in": 1, "c_out": 2, **small},
            wrt="g",
        ),
        Part(
            "With groups, the diagonal blocks of that gradient (output channel $o$ with the input "
            "channels of its own group):",
            Equal(vjp(yg, "w", gg), blocks),
            (qg.fits,),
            instance={"N": 1, "groups": 2, "c_in": 1, "c_out": 1, **small},
            wrt="g",
        ),
        _depthwise(),
    )


def _depthwise() -> Part:
    c, n, k, s, d = sizes("c n k s d")
    q = Axis(n, k, s, d, lift(1), offset("p_lo"), offset("p_hi"))
    x, w, g = tensor("x", c, n), tensor("w", c, 1, k), tensor("g", c, q.m)
    y = correlate(x, w, stride=s, padding=q.padding, dilation=d, groups=c, dims=1)
    kernel = build((c, lift(1), q.m), lambda o, _, i: g[o, i])
    back = correlate(
        x, kernel, stride=d, padding=(q.p_lo, q.p_hi - q.r), dilation=s, groups=c, dims=1
    )
    return Part(
        "Depthwise, a depthwise correlation of $x$ with $g$:",
        Equal(vjp(y, "w", g), build((c, lift(1), k), lambda o, _, t: back[o, t])),
        (q.fits,),
        instance={"c": 2, "n": 4, "k": 2, "s": 2, "d": 1, "p_lo": 0, "p_hi": 1},
        wrt="g",
    )


@theorem
def bias_gradient() -> Theorem:
    """The sum of g over batch and positions."""
    batch, c_in, c_out, n, k, s, d = sizes("N c_in c_out n k s d")
    q = Axis(n, k, s, d, lift(1), offset("p_lo"), offset("p_hi"))
    x, w = tensor("x", batch, c_in, n), tensor("w", c_out, c_in, k)
    b, g = tensor("b", c_out), tensor("g", batch, c_out, q.m)
    plain = correlate(x, w, stride=s, padding=q.padding, dilation=d, dims=1)
    y = _biased(plain, b)
    total = build((c_out,), lambda o: sigmas((batch, q.m), lambda at: g[at[0], o, at[1]]))
    small = {"N": 2, "c_in": 1, "c_out": 2, "n": 4, "k": 2, "s": 2, "d": 1, "p_lo": 0, "p_hi": 1}
    count = batch * q.m

    return Theorem(
        id="bias-gradient",
        family="gradient",
        title="The bias gradient is the sum of g",
        sentence=(
            "For $y = \\operatorname{corr}(x, w) + b$, with one bias for each output channel, the "
            "gradient with respect to $b$ is the sum of $g$ over the batch and all positions; the "
            "gradients with respect to $x$ and $w$ are those without the bias."
        ),
        parts=(
            Part(
                "One bias for each output channel, summed over batch and positions:",
                Equal(vjp(y, "b", g), total),
                (q.fits,),
                instance=small,
                wrt="g",
            ),
            Part(
                "The input gradient does not see the bias:",
                Equal(vjp(y, "x", g), vjp(plain, "x", g)),
                (q.fits,),
                instance=small,
                wrt="g",
            ),
            Part(
                "nor does the weight gradient:",
                Equal(vjp(y, "w", g), vjp(plain, "w", g)),
                (q.fits,),
                instance=small,
                wrt="g",
            ),
            _bias_2d(),
        ),
        twin=Twin(
            "the mean of $g$ instead of the sum",
            Equal(
                vjp(y, "b", g),
                build((c_out,), lambda o: scale(total, 1, count)[o]),
            ),
            (q.fits,),
        ),
        sources=(MATRIX_CALCULUS, TORCH_CONV),
    )


def _biased(y: Form, b: Form) -> Form:
    """``y + b`` with one bias for each channel; axes: batch, channel, positions."""
    return build(y.shape, lambda a, o, *i: y[(a, o, *i)] + b[o])


def _bias_2d() -> Part:
    batch, c, n1, n2, k1, k2 = sizes("N c n1 n2 k1 k2")
    x, w = tensor("x", batch, c, n1, n2), tensor("w", c, c, k1, k2)
    b, g = tensor("b", c), tensor("g", batch, c, n1 - k1 + 1, n2 - k2 + 1)
    y = _biased(correlate(x, w, dims=2), b)

    def total(o: Expr) -> Value:
        return sigmas((batch, *g.shape[2:]), lambda at: g[at[0], o, at[1], at[2]])

    return Part(
        "In two dimensions (valid):",
        Equal(vjp(y, "b", g), build((c,), total)),
        (n1 >= k1, n2 >= k2),
        instance={"N": 1, "c": 2, "n1": 3, "k1": 2, "n2": 2, "k2": 1},
        wrt="g",
    )
