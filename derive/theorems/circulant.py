"""Circular padding and circulant matrices; im2col and col2im."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from derive.expr import Cond, Expr, ceil_div, divides, eq, maximum, minimum
from derive.form import Form, Ratio, Value, build, constant, sigma, sigmas, tensor, vjp
from derive.operators import col2im, conv_transpose, correlate
from derive.operators import im2col as unfold
from derive.shapes import conv_length, conv_remainder
from derive.symbols import offset, sizes, symbol
from derive.theorems.model import Equal, Holds, Part, Source, Step, Theorem, Twin, theorem
from derive.theorems.toeplitz import GRAY, entry, from_entries

DAVIS = Source("Davis: Circulant Matrices (Wiley, 1979)")
TORCH_UNFOLD = Source(
    "PyTorch documentation: torch.nn.Unfold",
    "https://docs.pytorch.org/docs/stable/generated/torch.nn.Unfold.html",
)
TORCH_FOLD = Source(
    "PyTorch documentation: torch.nn.Fold",
    "https://docs.pytorch.org/docs/stable/generated/torch.nn.Fold.html",
)
CHELLAPILLA = Source(
    "Chellapilla, Puri & Simard: High performance convolutional neural networks for document "
    "processing (2006)",
    "https://inria.hal.science/inria-00112631",
)


@theorem
def circulant_dft() -> Theorem:
    """Circular padding makes the matrix circulant; the DFT diagonalises it."""
    n, k = sizes("n k")
    p = offset("p")
    reach = (p <= n, k - 1 - p <= n)
    x, w = tensor("x", n), tensor("w", k)
    y = correlate(x, w, padding=(p, k - 1 - p), padding_mode="circular")

    around = build((n,), lambda i: sigma(k, lambda t: w[t] * x[(i + t - p) % n]))
    by_taps = from_entries(
        (n,), x, lambda i, j: sigma(k, lambda t: w[t].where(divides(n, i[0] + t - p - j[0])))
    )
    turned = from_entries((n,), x, lambda i, j: entry(y, "x", ((i[0] + 1) % n,), ((j[0] + 1) % n,)))
    by_difference = from_entries((n,), x, lambda i, j: w[(j[0] - i[0] + p) % n])
    zero_padded = correlate(x, w, padding=(p, k - 1 - p))
    shown = {"n": 5, "k": 3, "p": 1}

    return Theorem(
        id="circulant-dft",
        family="toeplitz",
        title="Circular padding: a circulant matrix, diagonalised by the DFT",
        sentence=(
            "With circular padding $(p, k-1-p)$ and stride 1 the matrix is circulant, "
            "$C[i,j] = \\sum_t w[t]\\,[\\,t \\equiv j-i+p \\pmod n\\,]$. For $\\omega = e^{2\\pi\\mathrm{i}/n}$ "
            "the vectors $v_r[j] = \\omega^{rj}$, $0 \\le r < n$, are eigenvectors with the eigenvalues "
            "$\\lambda_r = \\sum_t w[t]\\,\\omega^{r(t-p)}$, and the DFT diagonalises it. "
            "In two dimensions it is doubly block circulant, and the two-dimensional DFT diagonalises it."
        ),
        parts=(
            Part(
                sentence=(
                    "Row $i$ reads around the circle, and "
                    "$C[i,j] = \\sum_t w[t]\\,[\\,i+t-p \\equiv j \\pmod n\\,]$ "
                    "(circular padding needs $p \\le n$ on each side):"
                ),
                statement=Equal(y, by_taps),
                hypotheses=reach,
                via=(Step("a position outside wraps around: it is read modulo $n$", around),),
                instance=shown,
                wrt="x",
            ),
            Part(
                sentence=(
                    "It is circulant: the entries stay the same when row and column move on by one "
                    "around the circle, $C[(i+1) \\bmod n, (j+1) \\bmod n] = C[i,j]$:"
                ),
                statement=Equal(turned, y),
                hypotheses=reach,
                instance=shown,
                wrt="x",
            ),
            Part(
                sentence=(
                    "For a kernel no longer than the input no two taps meet, and "
                    "$C[i,j] = w[(j-i+p) \\bmod n]$, zero where this is no tap:"
                ),
                statement=Equal(y, by_difference),
                hypotheses=(*reach, k <= n),
                instance=shown,
                wrt="x",
            ),
            *_eigen_parts(y, reach),
            *_circulant_2d(),
        ),
        twin=Twin("the same entries for zero padding", Equal(zero_padded, by_taps), reach),
        sources=(GRAY, DAVIS),
    )


def _eigen_parts(y: Form, reach: tuple[Cond, ...]) -> tuple[Part, ...]:
    """Statements about powers of ω, as polynomials in ω with ωⁿ = 1: one axis is the exponent."""
    n, (k,) = y.shape[0], y.tensor_shape("w")
    p = offset("p")
    r, r2 = symbol("r", 0), symbol("r2", 0)
    x, w = tensor("x", n), tensor("w", k)

    powers = build((n, n), lambda q, j: constant(1).where(divides(n, q - r * j)))
    image = correlate(powers, w, padding=(p, k - 1 - p), padding_mode="circular")
    multiple = build(
        (n, n),
        lambda q, i: sigma(k, lambda t: w[t].where(divides(n, q - r * (t - p) - r * i))),
    )
    transform = build((n, n), lambda a, q: sigma(n, lambda i: y[i].where(divides(n, q + a * i))))
    product = build(
        (n, n),
        lambda a, q: sigmas(
            (k, n),
            lambda v: (w[v[0]] * x[v[1]]).where(divides(n, q - a * (v[0] - p) + a * v[1])),
        ),
    )
    return (
        Part(
            sentence=(
                "Eigenvectors. Both sides of $C v_r = \\lambda_r v_r$ are polynomials in $\\omega$ with "
                "$\\omega^n = 1$; in $\\mathbb{Z}[z]/(z^n-1)$ the coefficient of $z^q$ is compared for "
                "every exponent $q$ and every row $i$. They agree, so they agree at $z = \\omega$:"
            ),
            statement=Equal(image, multiple),
            hypotheses=reach,
            instance={"n": 4, "k": 3, "p": 1, "r": 2},
            wrt="w",
            method="exact algebra",
        ),
        Part(
            sentence=(
                "The DFT $\\hat{y}[r] = \\sum_i y[i]\\,\\omega^{-ri}$ of the output is "
                "$\\lambda_r\\,\\hat{x}[r]$ for every $r$, that is $F C = \\Lambda F$ with the diagonal "
                "matrix $\\Lambda$ of the $\\lambda_r$ (again coefficient by coefficient in "
                "$\\mathbb{Z}[z]/(z^n-1)$; output index $(r, q)$):"
            ),
            statement=Equal(transform, product),
            hypotheses=reach,
            instance={"n": 3, "k": 2, "p": 1},
            wrt="x",
            method="exact algebra",
        ),
        Part(
            sentence=(
                "$F$ is invertible, so that $C = F^{-1} \\Lambda F$: for $r' < r < n$ the number $r-r'$ is "
                "no multiple of $n$, so $\\omega^{r-r'} \\ne 1$, and the sum of the geometric series "
                "$\\sum_j \\omega^{(r-r')j} = (\\omega^{(r-r')n}-1)/(\\omega^{r-r'}-1)$ is 0: the rows of "
                "$F$ are orthogonal and each has the squared length $n$."
            ),
            statement=Holds((r - r2) % n >= 1),
            hypotheses=(r < n, r2 < r),
            method="exact algebra",
        ),
    )


def _circulant_2d() -> tuple[Part, ...]:
    n1, n2, k1, k2 = sizes("n1 n2 k1 k2")
    p1, p2 = offset("p1"), offset("p2")
    reach = (p1 <= n1, k1 - 1 - p1 <= n1, p2 <= n2, k2 - 1 - p2 <= n2)
    x, w = tensor("x", n1, n2), tensor("w", k1, k2)
    y = correlate(x, w, padding=((p1, k1 - 1 - p1), (p2, k2 - 1 - p2)), padding_mode="circular")

    by_taps = from_entries(
        (n1, n2),
        x,
        lambda i, j: sigmas(
            (k1, k2),
            lambda t: w[t].where(
                divides(n1, i[0] + t[0] - p1 - j[0]), divides(n2, i[1] + t[1] - p2 - j[1])
            ),
        ),
    )
    by_difference = from_entries(
        (n1, n2), x, lambda i, j: w[(j[0] - i[0] + p1) % n1, (j[1] - i[1] + p2) % n2]
    )
    around = build(
        (n1, n2),
        lambda a, b: sigmas(
            (k1, k2), lambda t: w[t] * x[(a + t[0] - p1) % n1, (b + t[1] - p2) % n2]
        ),
    )
    transform = build(
        (n1, n2, n1, n2),
        lambda a, b, q, u: sigmas(
            (n1, n2), lambda i: y[i].where(divides(n1, q + a * i[0]), divides(n2, u + b * i[1]))
        ),
    )
    product = build(
        (n1, n2, n1, n2),
        lambda a, b, q, u: sigmas(
            (k1, k2, n1, n2),
            lambda v: (w[v[:2]] * x[v[2:]]).where(
                divides(n1, q - a * (v[0] - p1) + a * v[2]),
                divides(n2, u - b * (v[1] - p2) + b * v[3]),
            ),
        ),
    )
    shown = {"n1": 3, "n2": 4, "k1": 2, "k2": 3, "p1": 1, "p2": 0}
    return (
        Part(
            sentence=(
                "Two dimensions: a block circulant matrix of circulant blocks, "
                "$C[(i,i'),(j,j')] = \\sum_{t,t'} w[t,t']\\,[\\,i+t-p_1 \\equiv j \\pmod{n_1}\\,]"
                "[\\,i'+t'-p_2 \\equiv j' \\pmod{n_2}\\,]$:"
            ),
            statement=Equal(y, by_taps),
            hypotheses=reach,
            via=(Step("each axis is read around its own circle", around),),
            instance=shown,
            wrt="x",
        ),
        Part(
            sentence=(
                "and for a kernel that fits into the input "
                "$C[(i,i'),(j,j')] = w[(j-i+p_1) \\bmod n_1, (j'-i'+p_2) \\bmod n_2]$:"
            ),
            statement=Equal(y, by_difference),
            hypotheses=(*reach, k1 <= n1, k2 <= n2),
            instance=shown,
            wrt="x",
        ),
        Part(
            sentence=(
                "The two-dimensional DFT diagonalises it, with the eigenvalues "
                "$\\lambda_{r,r'} = \\sum_{t,t'} w[t,t']\\,\\omega_1^{r(t-p_1)}\\omega_2^{r'(t'-p_2)}$ "
                "(coefficient by coefficient in $\\mathbb{Z}[z,z']/(z^{n_1}-1, z'^{\\,n_2}-1)$; "
                "output index: the two frequencies, the two exponents):"
            ),
            statement=Equal(transform, product),
            hypotheses=reach,
            instance={"n1": 1, "n2": 2, "k1": 2, "k2": 3, "p1": 1, "p2": 0},
            wrt="x",
            method="exact algebra",
        ),
    )


def _columns_back() -> tuple[Part, ...]:
    """The way back: col2im, the adjoint, and the input gradient."""
    n, k, s, d = sizes("n k s d")
    p_lo, p_hi = offset("p_lo"), offset("p_hi")
    fits = (n + p_lo + p_hi >= d * (k - 1) + 1, p_lo >= 0, p_hi >= 0)
    options: dict[str, Any] = {"stride": s, "padding": (p_lo, p_hi), "dilation": d}
    m = conv_length(n, k, s, d, 1, p_lo, p_hi)

    x, w, g, c = tensor("x", n), tensor("w", k), tensor("g", m), tensor("c", k, m)
    columns = unfold(x, k, **options)
    scattered = build(
        (n,),
        lambda j: sigmas((k, m), lambda v: c[v].where(eq(s * v[1] + d * v[0], j + p_lo))),
    )
    paired = build((), lambda: sigmas((k, m), lambda v: columns[v] * c[v]))
    folded = col2im(c, n, **options)
    paired_back = build((), lambda: sigma(n, lambda j: x[j] * folded[j]))
    outer = build((k, m), lambda t, i: w[t] * g[i])
    shown = {"n": 5, "k": 3, "s": 2, "d": 1, "p_lo": 1, "p_hi": 2}
    return (
        Part(
            sentence=(
                "col2im adds: $\\operatorname{col2im}(c)[j]$ is the sum of all $c[t,i]$ with "
                "$s i + d t - p_{lo} = j$:"
            ),
            statement=Equal(folded, scattered),
            hypotheses=fits,
            instance=shown,
            wrt="c",
        ),
        Part(
            sentence=(
                "It is the adjoint: "
                "$\\langle \\operatorname{im2col}(x), c\\rangle = "
                "\\langle x, \\operatorname{col2im}(c)\\rangle$:"
            ),
            statement=Equal(paired, paired_back),
            hypotheses=fits,
            instance=shown,
            wrt="x",
        ),
        Part(
            sentence=(
                "So the input gradient of the correlation is col2im of the outer product "
                "$w\\,g^{\\mathsf{T}}$:"
            ),
            statement=Equal(vjp(correlate(x, w, **options), "x", g), col2im(outer, n, **options)),
            hypotheses=fits,
            instance=shown,
            wrt="g",
        ),
    )


@theorem
def im2col() -> Theorem:
    """Convolution as a matrix product with all windows side by side; folding them back."""
    n, k, s, d = sizes("n k s d")
    p_lo, p_hi = offset("p_lo"), offset("p_hi")
    fits = (n + p_lo + p_hi >= d * (k - 1) + 1, p_lo >= 0, p_hi >= 0)
    options: dict[str, Any] = {"stride": s, "padding": (p_lo, p_hi), "dilation": d}
    m = conv_length(n, k, s, d, 1, p_lo, p_hi)

    x, w = tensor("x", n), tensor("w", k)
    columns = unfold(x, k, **options)
    as_product = build((m,), lambda i: sigma(k, lambda t: w[t] * columns[t, i]))
    misplaced = build((m,), lambda i: sigma(k, lambda t: w[k - 1 - t] * columns[t, i]))
    shown = {"n": 5, "k": 3, "s": 2, "d": 1, "p_lo": 1, "p_hi": 2}

    return Theorem(
        id="im2col",
        family="toeplitz",
        title="im2col, col2im and the overlap count",
        sentence=(
            "Put all windows side by side, $X[t,i] = x[s i + d t - p_{lo}]$ (im2col, unfold): then a "
            "correlation is the product of the kernel as a row with the matrix $X$. The adjoint of "
            "im2col is col2im (fold), which adds every window back in its place; fold after unfold "
            "multiplies every $x[j]$ by the number of windows that contain it."
        ),
        parts=(
            Part(
                sentence="Correlation is the kernel row times the columns, $y = w \\cdot X$:",
                statement=Equal(correlate(x, w, **options), as_product),
                hypotheses=fits,
                instance=shown,
                wrt="x",
            ),
            _im2col_channels(),
            *_columns_back(),
            *_overlap_parts(),
        ),
        twin=Twin(
            "the kernel row flipped",
            Equal(correlate(x, w, **options), misplaced),
            fits,
        ),
        sources=(CHELLAPILLA, TORCH_UNFOLD, TORCH_FOLD),
    )


def _im2col_channels() -> Part:
    c_in, c_out, n1, k1, s1, d1, n2, k2, s2, d2 = sizes("c_in c_out n1 k1 s1 d1 n2 k2 s2 d2")
    p_lo1, p_hi1, p_lo2, p_hi2 = map(offset, ("p_lo1", "p_hi1", "p_lo2", "p_hi2"))
    padding = ((p_lo1, p_hi1), (p_lo2, p_hi2))
    x, w = tensor("x", c_in, n1, n2), tensor("w", c_out, c_in, k1, k2)
    columns = unfold(x, (k1, k2), (s1, s2), padding, (d1, d2), dims=2)
    y = correlate(x, w, (s1, s2), padding, (d1, d2), dims=2)
    product = build(
        y.shape,
        lambda o, i, i2: sigmas((c_in, k1, k2), lambda v: w[(o, *v)] * columns[(*v, i, i2)]),
    )
    return Part(
        sentence=(
            "With channels and two dimensions: the kernels are the rows of a "
            "$c_{out} \\times c_{in} k_1 k_2$ matrix:"
        ),
        statement=Equal(y, product),
        hypotheses=(
            n1 + p_lo1 + p_hi1 >= d1 * (k1 - 1) + 1,
            n2 + p_lo2 + p_hi2 >= d2 * (k2 - 1) + 1,
            *(a >= 0 for pair in padding for a in pair),
        ),
        instance={
            "c_in": 1, "c_out": 2, "n1": 2, "k1": 2, "s1": 1, "d1": 1, "p_lo1": 1, "p_hi1": 0,
            "n2": 4, "k2": 3, "s2": 2, "d2": 1, "p_lo2": 0, "p_hi2": 1,
        },
        wrt="x",
    )  # fmt: skip


def _overlap_parts() -> tuple[Part, ...]:
    """Fold after unfold: for all strides and dilations, and the count as a closed formula."""
    n, k, s, d, f = sizes("n k s d f")
    p_lo, p_hi = offset("p_lo"), offset("p_hi")
    x, u = tensor("x", n), tensor("u", k)
    m = conv_length(n, k, s, d, 1, p_lo, p_hi)
    v = tensor("v", m)
    general: dict[str, Any] = {"stride": s, "padding": (p_lo, p_hi), "dilation": d}

    def fits(dilation: Expr) -> tuple[Cond, ...]:
        return (n + p_lo + p_hi >= dilation * (k - 1) + 1, p_lo >= 0, p_hi >= 0)

    columns = unfold(x, k, **general)
    weighted = build((k, m), lambda t, i: u[t] * v[i] * columns[t, i])
    r = conv_remainder(n, k, s, d, 1, p_lo, p_hi)
    count = conv_transpose(v, u, stride=s, padding=(p_lo, p_hi), dilation=d, output_padding=r)
    times_count = build((n,), lambda j: count[j] * x[j])

    def counted(stride: Expr, dilation: Expr, number: Callable[[Expr], Value]) -> Equal:
        options: dict[str, Any] = {"stride": stride, "padding": (p_lo, p_hi), "dilation": dilation}
        twice = col2im(unfold(x, k, **options), n, **options)
        return Equal(twice, from_entries((n,), x, lambda i, j: number(j[0]).where(eq(i[0], j[0]))))

    shown = {"n": 6, "k": 3, "s": 2, "d": 1, "p_lo": 1, "p_hi": 2}
    return (
        Part(
            sentence=(
                "Fold after unfold, each tap weighted by $u[t]$ and each window by $v[i]$: it multiplies "
                "$x[j]$ by the transposed convolution of $v$ with $u$ at $j$, for every stride and "
                "dilation. For $u = v = 1$ this is the overlap count:"
            ),
            statement=Equal(col2im(weighted, n, **general), times_count),
            hypotheses=fits(d),
            instance=shown,
            wrt="x",
        ),
        Part(
            sentence=(
                "The count in closed form where the stride is a multiple of the dilation, $s = f d$ "
                "(so for $d = 1$): it is zero unless $d$ divides $J = j + p_{lo}$, and then "
                "$\\max(0, \\min(m-1, \\lfloor J/s \\rfloor) "
                "- \\max(0, \\lceil (J/d-k+1)/f \\rceil) + 1)$:"
            ),
            statement=counted(
                f * d,
                d,
                lambda j: _windows(
                    (j + p_lo) // d, f, k, conv_length(n, k, f * d, d, 1, p_lo, p_hi)
                ).where(divides(d, j + p_lo)),
            ),
            hypotheses=fits(d),
            instance={"n": 6, "k": 3, "f": 2, "d": 1, "p_lo": 1, "p_hi": 2},
            wrt="x",
        ),
        Part(
            sentence=(
                "and where the dilation is a multiple of the stride, $d = f s$ (so for $s = 1$): zero "
                "unless $s$ divides $J$, and then $\\max(0, \\min(k-1, \\lfloor J/d \\rfloor) "
                "- \\max(0, \\lceil (J/s-m+1)/f \\rceil) + 1)$:"
            ),
            statement=counted(
                s,
                f * s,
                lambda j: _windows(
                    (j + p_lo) // s, f, conv_length(n, k, s, f * s, 1, p_lo, p_hi), k
                ).where(divides(s, j + p_lo)),
            ),
            hypotheses=fits(f * s),
            instance={"n": 7, "k": 3, "f": 2, "s": 1, "p_lo": 1, "p_hi": 0},
            wrt="x",
        ),
        *_overlap_2d(),
    )


def _windows(at: Expr, step: Expr, inner: Expr, outer: Expr) -> Value:
    """The number of pairs ``0 <= a < outer``, ``0 <= b < inner`` with ``step·a + b = at``."""
    first = maximum(0, ceil_div(at - inner + 1, step))
    last = minimum(outer - 1, at // step)
    return constant(Ratio(maximum(0, last - first + 1)))


def _overlap_2d() -> tuple[Part, ...]:
    n1, k1, s1, d1, f1, n2, k2, s2, d2, f2 = sizes("n1 k1 s1 d1 f1 n2 k2 s2 d2 f2")
    p_lo1, p_hi1, p_lo2, p_hi2 = map(offset, ("p_lo1", "p_hi1", "p_lo2", "p_hi2"))
    padding = ((p_lo1, p_hi1), (p_lo2, p_hi2))
    fits = (
        n1 + p_lo1 + p_hi1 >= d1 * (k1 - 1) + 1,
        n2 + p_lo2 + p_hi2 >= d2 * (k2 - 1) + 1,
        *(a >= 0 for pair in padding for a in pair),
    )

    def lengths(a: Expr, b: Expr) -> tuple[Expr, Expr]:
        return (
            conv_length(n1, k1, a, d1, 1, p_lo1, p_hi1),
            conv_length(n2, k2, b, d2, 1, p_lo2, p_hi2),
        )

    x, u, v = tensor("x", n1, n2), tensor("u", k1, k2), tensor("v", *lengths(s1, s2))
    columns = unfold(x, (k1, k2), (s1, s2), padding, (d1, d2))
    weighted = build(columns.shape, lambda *a: u[a[:2]] * v[a[2:]] * columns[a])
    rest = (
        conv_remainder(n1, k1, s1, d1, 1, p_lo1, p_hi1),
        conv_remainder(n2, k2, s2, d2, 1, p_lo2, p_hi2),
    )
    count = conv_transpose(v, u, (s1, s2), padding, (d1, d2), rest)
    times_count = build((n1, n2), lambda a, b: count[a, b] * x[a, b])

    strides = (f1 * d1, f2 * d2)
    m1, m2 = lengths(*strides)
    twice = col2im(
        unfold(x, (k1, k2), strides, padding, (d1, d2)),
        (n1, n2),
        strides,
        padding,
        (d1, d2),
        dims=2,
    )

    def number(a: Expr, b: Expr) -> Value:
        first = _windows((a + p_lo1) // d1, f1, k1, m1) * _windows((b + p_lo2) // d2, f2, k2, m2)
        return first.where(divides(d1, a + p_lo1), divides(d2, b + p_lo2))

    product = from_entries(
        (n1, n2), x, lambda i, j: number(*j).where(eq(i[0], j[0]), eq(i[1], j[1]))
    )
    shown = {
        "n1": 3, "k1": 2, "s1": 1, "d1": 1, "f1": 1, "p_lo1": 1, "p_hi1": 0,
        "n2": 4, "k2": 3, "s2": 2, "d2": 1, "f2": 2, "p_lo2": 0, "p_hi2": 1,
    }  # fmt: skip
    return (
        Part(
            sentence="In two dimensions, with weights, for all strides and dilations:",
            statement=Equal(
                col2im(weighted, (n1, n2), (s1, s2), padding, (d1, d2), dims=2), times_count
            ),
            hypotheses=fits,
            instance=shown,
            wrt="x",
        ),
        Part(
            sentence=(
                "and where each stride is a multiple of the dilation of its axis the count is the "
                "product of the counts of the axes:"
            ),
            statement=Equal(twice, product),
            hypotheses=fits,
            instance=shown,
            wrt="x",
        ),
    )
