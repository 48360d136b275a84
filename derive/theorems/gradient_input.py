"""The gradient of a convolution with respect to its input."""

from __future__ import annotations

from derive.expr import Expr, eq, lift
from derive.form import Form, Value, build, sigma, sigmas, tensor, vjp
from derive.operators import (
    conv_transpose,
    convolve,
    correlate,
    flip,
    pad,
    permute,
    zero_insert,
)
from derive.symbols import offset, size, sizes
from derive.theorems.gradient_common import (
    AUTODIFF,
    GUIDE,
    MATRIX_CALCULUS,
    TOEPLITZ,
    TORCH_CONV,
    Axis,
    apply_matrix,
    axis,
    inner,
    toeplitz,
    transposed,
)
from derive.theorems.model import Equal, EqualIff, Part, Step, Theorem, Twin, theorem


def _forward(a: Axis) -> tuple[Form, Form, Form, Form]:
    """``x``, ``w``, the correlation, and the incoming gradient along one axis."""
    x, w = tensor("x", a.n), tensor("w", a.k)
    y = correlate(x, w, stride=a.s, padding=a.padding, dilation=a.d, base_dilation=a.e)
    return x, w, y, tensor("g", a.m)


@theorem
def input_gradient_is_transpose() -> Theorem:
    """∇ₓ⟨g, A x⟩ = Aᵀ g, and A of a correlation is a Toeplitz matrix."""
    m, n = sizes("m n")
    a = axis()
    x, w, y, g = _forward(a)
    matrix = tensor("A", m, n)
    z = tensor("z", n)
    u = tensor("g", m)
    sizes_1d = {"n": 5, "k": 3, "s": 2, "d": 1, "e": 1, "p_lo": 1, "p_hi": 2}

    return Theorem(
        id="input-gradient-is-transpose",
        family="gradient",
        title="The input gradient is the transpose",
        sentence=(
            "A correlation is $y = A x$ with $A_{i,j} = \\sum_t w_t\\,[e j = s i + d t - p_{lo}]$, "
            "and the gradient of $\\langle g, y\\rangle$ with respect to $x$ is $A^{\\mathsf T} g$: "
            "output index and input index change places. The forward pass is the only place where "
            "stride, dilation and padding enter; they need no rules of their own backwards."
        ),
        parts=(
            Part(
                "For any linear map at all, with a matrix $A$ of $m \\times n$ unknowns:",
                Equal(vjp(apply_matrix(matrix, z), "z", u), apply_matrix(transposed(matrix), u)),
                instance={"m": 2, "n": 3},
                wrt="g",
            ),
            Part(
                "A correlation is the product with its (strided, dilated, cropped) Toeplitz matrix:",
                Equal(y, apply_matrix(toeplitz(w, a), x)),
                (a.fits,),
                instance=sizes_1d,
                wrt="x",
            ),
            Part(
                "Its input gradient is the product with the transpose of that matrix:",
                Equal(vjp(y, "x", g), apply_matrix(transposed(toeplitz(w, a)), g)),
                (a.fits,),
                instance=sizes_1d,
                wrt="g",
            ),
            Part(
                "The defining property of the transpose, "
                "$\\langle g, A x\\rangle = \\langle A^{\\mathsf T} g, x\\rangle$:",
                Equal(inner(g, y), inner(vjp(y, "x", g), x)),
                (a.fits,),
                instance=sizes_1d,
                wrt="x",
            ),
            _transpose_2d(),
        ),
        twin=Twin(
            "the gradient as $A g$ for a square $A$, the transposition forgotten",
            Equal(
                vjp(apply_matrix(tensor("A", n, n), z), "z", tensor("g", n)),
                apply_matrix(tensor("A", n, n), tensor("g", n)),
            ),
        ),
        sources=(MATRIX_CALCULUS, AUTODIFF, TOEPLITZ),
    )


def _transpose_2d() -> Part:
    a, b = axis("1"), axis("2")
    w = tensor("w", a.k, b.k)
    y = _correlate_2d(tensor("x", a.n, b.n), w, a, b)
    g = tensor("g", a.m, b.m)
    return Part(
        "The same in two dimensions, every parameter free along each axis:",
        Equal(vjp(y, "x", g), apply_matrix(transposed(toeplitz(w, a, b)), g)),
        (a.fits, b.fits),
        instance=_instance_2d(),
        wrt="g",
    )


def _correlate_2d(x: Form, w: Form, a: Axis, b: Axis) -> Form:
    return correlate(
        x,
        w,
        stride=(a.s, b.s),
        padding=(a.padding, b.padding),
        dilation=(a.d, b.d),
        base_dilation=(a.e, b.e),
    )


def _instance_2d() -> dict[str, int]:
    first = {"n1": 4, "k1": 2, "s1": 2, "d1": 1, "e1": 1, "p_lo1": 0, "p_hi1": 1}
    return first | {"n2": 3, "k2": 3, "s2": 1, "d2": 1, "e2": 1, "p_lo2": 1, "p_hi2": 0}


@theorem
def input_gradient_stride_1() -> Theorem:
    """Stride 1: the full correlation of g with the flipped kernel."""
    n, k = sizes("n k")
    fits = n >= k
    x, w, g = tensor("x", n), tensor("w", k), tensor("g", n - k + 1)
    left = vjp(correlate(x, w), "x", g)
    full = correlate(g, flip(w), padding="full")

    return Theorem(
        id="input-gradient-stride-1",
        family="gradient",
        title="Stride 1: full correlation with the kernel rotated by 180 degrees",
        sentence=(
            "The input gradient of a valid correlation with stride 1 is the full correlation of "
            "$g$ with the flipped kernel (rotated by 180 degrees in two dimensions), which is the "
            "full convolution of $g$ with the kernel itself; for kernels of odd and of even length. "
            "With padding $(p_{lo}, p_{hi})$ and dilation $d$ the full padding $d(k-1)$ becomes "
            "$d(k-1) - p_{lo}$ in front and $d(k-1) - p_{hi}$ behind."
        ),
        parts=(
            Part(
                "For every input length and every kernel length that fits:",
                Equal(left, full),
                (fits,),
                via=_stride_1_chain(g, w, n, k),
                instance={"n": 5, "k": 2},
                wrt="g",
            ),
            Part(
                "The same as a convolution (the flip of the kernel undoes the other flip):",
                Equal(left, convolve(g, w, padding="full")),
                (fits,),
                instance={"n": 5, "k": 3},
                wrt="g",
            ),
            _stride_1_padded(),
            _stride_1_2d(),
        ),
        twin=Twin(
            "the full correlation with the kernel not flipped",
            Equal(left, correlate(g, w, padding="full")),
            (fits,),
        ),
        sources=(GUIDE, TORCH_CONV),
    )


def _stride_1_chain(g: Form, w: Form, n: Expr, k: Expr) -> tuple[Step, ...]:
    m = n - k + 1
    backwards = build(
        (n,),
        lambda j: sigma(
            m, lambda i: sigma(k, lambda t: (g[i] * w[k - 1 - t]).where(eq(j, i + k - 1 - t)))
        ),
    )
    solved = build((n,), lambda j: sigma(k, lambda t: w[k - 1 - t] * g[j + t - (k - 1)]))
    padded = pad(g, (k - 1, k - 1))
    read = build((n,), lambda j: sigma(k, lambda t: w[k - 1 - t] * padded[j + t]))
    flipped = build((n,), lambda j: sigma(k, lambda t: flip(w)[t] * padded[j + t]))
    return (
        Step("substitute t -> k-1-t in the sum over the taps", backwards),
        Step("solve the index equation for i = j + t - (k-1)", solved),
        Step("recognise padding k-1 on both sides", read),
        Step("recognise the correlation with the flipped kernel", flipped),
    )


def _stride_1_padded() -> Part:
    n, k, d = sizes("n k d")
    p_lo, p_hi = offset("p_lo"), offset("p_hi")
    reach = d * (k - 1)
    y = correlate(tensor("x", n), tensor("w", k), padding=(p_lo, p_hi), dilation=d)
    g = tensor("g", n + p_lo + p_hi - reach)
    back = (reach - p_lo, reach - p_hi)
    return Part(
        "With dilation and padding of any sign:",
        Equal(vjp(y, "x", g), correlate(g, flip(tensor("w", k)), padding=back, dilation=d)),
        (n + p_lo + p_hi >= reach + 1,),
        instance={"n": 6, "k": 3, "d": 2, "p_lo": 1, "p_hi": 3},
        wrt="g",
    )


def _stride_1_2d() -> Part:
    n1, n2, k1, k2 = sizes("n1 n2 k1 k2")
    w, g = tensor("w", k1, k2), tensor("g", n1 - k1 + 1, n2 - k2 + 1)
    y = correlate(tensor("x", n1, n2), w)
    return Part(
        "In two dimensions the kernel is flipped along both axes, which is a rotation by 180 degrees:",
        Equal(vjp(y, "x", g), correlate(g, flip(w), padding="full")),
        (n1 >= k1, n2 >= k2),
        instance={"n1": 4, "k1": 2, "n2": 3, "k2": 3},
        wrt="g",
    )


@theorem
def input_gradient_general() -> Theorem:
    """Any stride, dilation, base dilation and padding: a correlation again."""
    a = axis()
    _, w, y, g = _forward(a)
    left = vjp(y, "x", g)
    z = zero_insert(g, a.s)
    right = correlate(z, flip(w), stride=a.e, padding=a.back, dilation=a.d)
    lo, hi = a.back

    return Theorem(
        id="input-gradient-general",
        family="gradient",
        title="The input gradient of any convolution is a convolution",
        sentence=(
            "The gradient with respect to the input of a correlation with stride $s$, dilation $d$, "
            "base dilation $e$ and padding $(p_{lo}, p_{hi})$ is: zero insertion by $s$, padding by "
            "$d(k-1)-p_{lo}$ in front and $d(k-1)-p_{hi}+r$ behind, and correlation with the flipped "
            "kernel, dilation $d$ and stride $e$. Here $r = (e(n-1)+p_{lo}+p_{hi}-d(k-1)) \\bmod s$ "
            "counts the trailing positions that no window reaches; stride and base dilation change "
            "places, the dilation stays."
        ),
        parts=(
            Part(
                "For all sizes, strides and dilations, paddings of any sign included:",
                Equal(left, right),
                (a.fits,),
                via=_general_chain(a, g, w),
                instance={"n": 5, "k": 3, "s": 2, "d": 1, "e": 1, "p_lo": 1, "p_hi": 2},
                wrt="g",
            ),
            Part(
                "Without the remainder behind, the length is right exactly when $r = 0$:",
                EqualIff(
                    left,
                    correlate(z, flip(w), stride=a.e, padding=(lo, hi - a.r), dilation=a.d),
                    eq(a.r, 0),
                    fixed=({"s": 3, "d": 2, "e": 1}, {"s": 2, "d": 1, "e": 2}),
                ),
                (a.fits, a.s * (a.m - 1) + a.reach >= a.p_lo + a.p_hi),
                instance={"n": 6, "k": 3, "s": 2, "d": 1, "e": 1, "p_lo": 1, "p_hi": 2},
                wrt="g",
            ),
            _general_transposed(),
            _general_2d(),
        ),
        twin=Twin(
            "the same with the paddings in front and behind exchanged",
            Equal(left, correlate(z, flip(w), stride=a.e, padding=(hi, lo), dilation=a.d)),
            (a.fits,),
        ),
        sources=(GUIDE, TORCH_CONV),
    )


def _general_chain(a: Axis, g: Form, w: Form) -> tuple[Step, ...]:
    z = zero_insert(g, a.s)
    padded = pad(z, a.back)
    back = a.k - 1

    reversed_taps = build(
        (a.n,),
        lambda j: sigmas(
            (a.m, a.k), lambda q: (g[q[0]] * w[back - q[1]]).where(a.meets(q[0], back - q[1], j))
        ),
    )
    inserted = build(
        (a.n,),
        lambda j: sigma(a.k, lambda t: w[back - t] * z[a.e * j + a.d * t - (a.reach - a.p_lo)]),
    )
    shifted = build((a.n,), lambda j: sigma(a.k, lambda t: w[back - t] * padded[a.e * j + a.d * t]))
    flipped = build((a.n,), lambda j: sigma(a.k, lambda t: flip(w)[t] * padded[a.e * j + a.d * t]))
    return (
        Step("substitute t -> k-1-t in the sum over the taps", reversed_taps),
        Step(
            "read s·i as zero insertion by s, at the position e·j + d·t - (d(k-1) - p_lo)", inserted
        ),
        Step("recognise padding d(k-1) - p_lo in front and d(k-1) - p_hi + r behind", shifted),
        Step("recognise the correlation with the flipped kernel, dilation d and stride e", flipped),
    )


def _general_transposed() -> Part:
    a = axis()
    x, w = tensor("x", a.n), tensor("w", a.k)
    one = Axis(a.n, a.k, a.s, a.d, lift(1), a.p_lo, a.p_hi)
    y = correlate(x, w, stride=a.s, padding=a.padding, dilation=a.d)
    g = tensor("g", one.m)
    return Part(
        "Without base dilation this is the transposed convolution with output padding $r$:",
        Equal(
            vjp(y, "x", g),
            conv_transpose(g, w, stride=a.s, padding=a.padding, dilation=a.d, output_padding=one.r),
        ),
        (one.fits,),
        instance={"n": 6, "k": 2, "s": 3, "d": 2, "p_lo": 1, "p_hi": 0},
        wrt="g",
    )


def _general_2d() -> Part:
    a, b = axis("1"), axis("2")
    w, g = tensor("w", a.k, b.k), tensor("g", a.m, b.m)
    y = _correlate_2d(tensor("x", a.n, b.n), w, a, b)
    right = correlate(
        zero_insert(g, (a.s, b.s)),
        flip(w),
        stride=(a.e, b.e),
        padding=(a.back, b.back),
        dilation=(a.d, b.d),
    )
    return Part(
        "In two dimensions, every parameter free along each axis:",
        Equal(vjp(y, "x", g), right),
        (a.fits, b.fits),
        instance=_instance_2d(),
        wrt="g",
    )


@theorem
def input_gradient_channels_groups() -> Theorem:
    """Channels and groups: the channel axes of the kernel change places in each group."""
    groups, a, b, batch = size("groups"), size("c_in"), size("c_out"), size("N")
    q = axis()
    x = tensor("x", batch, groups * a, q.n)
    w = tensor("w", groups * b, a, q.k)
    g = tensor("g", batch, groups * b, q.m)
    y = correlate(
        x,
        w,
        stride=q.s,
        padding=q.padding,
        dilation=q.d,
        base_dilation=q.e,
        groups=groups,
        dims=1,
    )
    swapped = _swap_channels(w, groups)

    def right(kernel: Form) -> Form:
        return correlate(
            zero_insert(g, q.s, dims=1),
            kernel,
            stride=q.e,
            padding=q.back,
            dilation=q.d,
            groups=groups,
            dims=1,
        )

    return Theorem(
        id="input-gradient-channels-groups",
        family="gradient",
        title="Channels: the kernel's input and output channels change places within each group",
        sentence=(
            "With channels, groups and a batch, the input gradient is the same convolution with the "
            "kernel flipped in space and its two channel axes exchanged within each group; "
            "with one group the kernel $(c_{out}, c_{in}, k)$ becomes $(c_{in}, c_{out}, k)$, and a "
            "depthwise kernel (one channel a group) is only flipped."
        ),
        parts=(
            Part(
                "For any number of groups $G$, with $c_{in}$ input and $c_{out}$ output channels in "
                "each group, and any batch size $N$:",
                Equal(vjp(y, "x", g), right(flip(swapped, dims=1))),
                (q.fits,),
                instance={"N": 1, "groups": 2, "c_in": 2, "c_out": 1} | _SMALL,
                wrt="g",
            ),
            _one_group(),
            _depthwise(),
            _channels_2d(),
        ),
        twin=Twin(
            "the channel axes exchanged but the kernel not flipped",
            Equal(vjp(y, "x", g), right(swapped)),
            (q.fits,),
        ),
        sources=(GUIDE, TORCH_CONV),
    )


_SMALL = {"n": 4, "k": 2, "s": 2, "d": 1, "e": 1, "p_lo": 1, "p_hi": 0}


def _swap_channels(w: Form, groups: Expr) -> Form:
    """``(G·b, a, *k) → (G·a, b, *k)``: the channel axes exchanged within each group."""
    a, b = w.shape[1], w.shape[0] // groups

    def body(c: Expr, o: Expr, *t: Expr) -> Value:
        return w[((c // a) * b + o, c % a, *t)]

    return build((groups * a, b, *w.shape[2:]), body)


def _one_group() -> Part:
    c_in, c_out, n, k, s, d = sizes("c_in c_out n k s d")
    p_lo, p_hi = offset("p_lo"), offset("p_hi")
    q = Axis(n, k, s, d, lift(1), p_lo, p_hi)
    w, g = tensor("w", c_out, c_in, k), tensor("g", c_out, q.m)
    y = correlate(tensor("x", c_in, n), w, stride=s, padding=q.padding, dilation=d, dims=1)
    kernel = flip(permute(w, (1, 0, 2)), dims=1)
    back = correlate(zero_insert(g, s, dims=1), kernel, padding=q.back, dilation=d, dims=1)
    return Part(
        "With one group, the first two axes of the kernel are exchanged:",
        Equal(vjp(y, "x", g), back),
        (q.fits,),
        instance={"c_in": 2, "c_out": 3, "n": 4, "k": 2, "s": 1, "d": 1, "p_lo": 0, "p_hi": 1},
        wrt="g",
    )


def _depthwise() -> Part:
    c, n, k, s, d = sizes("c n k s d")
    p_lo, p_hi = offset("p_lo"), offset("p_hi")
    q = Axis(n, k, s, d, lift(1), p_lo, p_hi)
    w, g = tensor("w", c, 1, k), tensor("g", c, q.m)
    y = correlate(tensor("x", c, n), w, stride=s, padding=q.padding, dilation=d, groups=c, dims=1)
    back = correlate(
        zero_insert(g, s, dims=1), flip(w, dims=1), padding=q.back, dilation=d, groups=c, dims=1
    )
    return Part(
        "Depthwise, each channel has its own kernel and no channel axes are left to exchange:",
        Equal(vjp(y, "x", g), back),
        (q.fits,),
        instance={"c": 2, "n": 5, "k": 3, "s": 2, "d": 1, "p_lo": 1, "p_hi": 1},
        wrt="g",
    )


def _channels_2d() -> Part:
    groups, a, b, n1, n2, k1, k2 = sizes("groups c_in c_out n1 n2 k1 k2")
    w, g = tensor("w", groups * b, a, k1, k2), tensor("g", groups * b, n1 - k1 + 1, n2 - k2 + 1)
    y = correlate(tensor("x", groups * a, n1, n2), w, groups=groups, dims=2)
    kernel = flip(_swap_channels(w, groups), dims=2)
    return Part(
        "In two dimensions (stride 1, valid), with groups:",
        Equal(vjp(y, "x", g), correlate(g, kernel, padding="full", groups=groups, dims=2)),
        (n1 >= k1, n2 >= k2),
        instance={"groups": 2, "c_in": 1, "c_out": 2, "n1": 3, "n2": 2, "k1": 2, "k2": 1},
        wrt="g",
    )
