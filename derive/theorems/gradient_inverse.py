"""The transpose is not the inverse; and the order of transposes in a composition."""

from __future__ import annotations

from collections.abc import Callable

from derive.expr import Expr, Integer, all_of, any_of, between, eq, maximum, negate
from derive.form import Form, Value, build, sigma, sigmas, tensor, vjp
from derive.operators import correlate, one_hot
from derive.shapes import conv_length
from derive.symbols import offset, sizes
from derive.theorems.gradient_common import (
    AUTODIFF,
    GUIDE,
    TOEPLITZ,
    Axis,
    apply_matrix,
    axis,
    transposed,
)
from derive.theorems.model import Equal, EqualIff, Holds, Part, Theorem, Twin, theorem


def _gram(conv: Callable[[Form], Form], v: Form) -> Form:
    """``Aᵀ A v`` for an operator ``conv(x) = A x``: the gradient of ``⟨A v, A x⟩`` in ``x``."""
    return vjp(conv(tensor("x", *v.shape)), "x", conv(v))


def _norm(w: Form, x: Form) -> Form:
    """``‖w‖² x``."""
    k = w.shape[0]
    return build(x.shape, lambda j: sigma(k, lambda t: w[t] * w[t] * x[j]))


@theorem
def transpose_is_not_inverse() -> Theorem:
    """AᵀA = I fails, and exactly when it holds."""
    n, k, d = sizes("n k d")
    p_lo, p_hi = offset("p_lo"), offset("p_hi")
    v, w = tensor("v", n), tensor("w", k)
    m = n + p_lo + p_hi - d * (k - 1)

    def conv(x: Form) -> Form:
        return correlate(x, w, padding=(p_lo, p_hi), dilation=d)

    def full(x: Form) -> Form:
        return correlate(x, w, padding="full", dilation=d)

    def row(j: Expr) -> Value:
        def pair(tu: tuple[Expr, ...]) -> Value:
            t, u = tu
            product = w[t] * w[u] * v[j + d * (u - t)]
            return product.where(between(0, j - d * t + p_lo, m))

        return sigmas((k, k), pair)

    return Theorem(
        id="transpose-is-not-inverse",
        family="gradient",
        title="The transpose of a convolution is not its inverse, and exactly when it is",
        sentence=(
            "$A^{\\mathsf T} A = I$ fails for almost every kernel. For stride 1, $n > d(k-1)$ and "
            "$p_{lo}, p_{hi} \\ge 0$ it holds exactly when one single tap $a$ is not zero, $w_a = "
            "\\pm 1$, and the padding lets this tap read every input: $d a \\le p_{lo}$ and "
            "$d(k-1-a) \\le p_{hi}$. Proof: let $a \\le b$ be the first and the last tap that is not "
            "zero. If $a < b$, the entry $(j, j + d(b-a))$ of $A^{\\mathsf T} A$ is $w_a w_b \\ne 0$ "
            "for the $j$ of the third part; so $a = b$, and the fourth part remains. For stride "
            "$s \\ge 2$, $n \\ge 2$ and $p_{lo} + p_{hi} \\le d(k-1)$ it never holds: $A$ has fewer "
            "rows than columns. The other product, $A A^{\\mathsf T}$, is $\\lVert w\\rVert^2 I$ "
            "where windows do not overlap."
        ),
        parts=(
            Part(
                "$A^{\\mathsf T} A$ for stride 1: the products of two taps at the distance of the two "
                "inputs, over the windows that exist:",
                Equal(_gram(conv, v), build((n,), row)),
                (m >= 1,),
                instance={"n": 4, "k": 2, "d": 1, "p_lo": 1, "p_hi": 0},
                wrt="v",
            ),
            *_single_tap(),
            _strided_rank(),
            *_rows_orthogonal(),
        ),
        twin=Twin(
            "$A^{\\mathsf T} A = \\lVert w\\rVert^2 I$ for a full correlation",
            Equal(_gram(full, v), _norm(w, v)),
        ),
        sources=(GUIDE, TOEPLITZ),
        negative=True,
    )


def _single_tap() -> tuple[Part, ...]:
    n, k, d = sizes("n k d")
    p_lo, p_hi, a, b = offset("p_lo"), offset("p_hi"), offset("a"), offset("b")
    t, u = offset("t"), offset("u")
    m = n + p_lo + p_hi - d * (k - 1)
    j = maximum(0, d * a - p_lo)
    reads = all_of(
        between(0, j, n), between(0, j + d * (b - a), n), between(0, j - d * a + p_lo, m)
    )
    v, c = tensor("v", n), tensor("c")
    delta = one_hot(k, a)
    single = build((k,), lambda i: c[()] * delta[i])

    def conv(x: Form) -> Form:
        return correlate(x, single, padding=(p_lo, p_hi), dilation=d)

    covered = all_of(d * a <= p_lo, d * (k - 1 - a) <= p_hi)
    return (
        Part(
            "At the distance of the first and the last tap that is not zero, $a$ and $b$, no other "
            "pair of taps contributes:",
            Holds(all_of(eq(t, a), eq(u, b))),
            (t >= a, u <= b, eq(d * (u - t), d * (b - a))),
        ),
        Part(
            "and there is a window that reads both inputs, with $j = \\max(0, d a - p_{lo})$:",
            Holds(reads),
            (a >= 0, b >= a, b <= k - 1, n >= d * (k - 1) + 1, p_lo >= 0, p_hi >= 0),
        ),
        Part(
            "One single tap of value $c$ at $a$: $A^{\\mathsf T} A = c^2 I$ exactly when the padding "
            "lets it read every input (so $A^{\\mathsf T} A = I$ exactly when $c = \\pm 1$ as well):",
            EqualIff(
                _gram(conv, v),
                build((n,), lambda i: c[()] * c[()] * v[i]),
                covered,
                witnesses=({"i0": 0, "v.0": 0}, {"i0": n - 1, "v.0": n - 1}),
                fixed=({"d": 1}, {"d": 2}),
            ),
            (m >= 1, a >= 0, a <= k - 1),
            instance={"n": 4, "k": 3, "d": 1, "p_lo": 1, "p_hi": 2, "a": 1},
            wrt="v",
        ),
    )


def _strided_rank() -> Part:
    n, k, s, d = sizes("n k s d")
    p_lo, p_hi = offset("p_lo"), offset("p_hi")
    return Part(
        "With a stride $s \\ge 2$ and no more than full padding in all there are fewer outputs than "
        "inputs, so the rank of $A^{\\mathsf T} A$ is below $n$:",
        Holds(conv_length(n, k, s, d, 1, p_lo, p_hi) <= n - 1),
        (s >= 2, n >= 2, p_lo + p_hi <= d * (k - 1)),
    )


def _rows_orthogonal() -> tuple[Part, ...]:
    n, k, s, d = sizes("n k s d")
    p_lo, p_hi = offset("p_lo"), offset("p_hi")
    x, w = tensor("x", n), tensor("w", k)

    def rows(p_lo: Integer, p_hi: Integer, d: Integer) -> tuple[Form, Form]:
        def conv(z: Form) -> Form:
            return correlate(z, w, stride=s, padding=(p_lo, p_hi), dilation=d)

        g = tensor("g", *conv(x).shape)
        return conv(vjp(conv(x), "x", g)), _norm(w, g)

    return (
        Part(
            "$A A^{\\mathsf T} = \\lVert w\\rVert^2 I$ where a window ends before the next one starts "
            "and none reads padding:",
            Equal(*rows(p_lo, p_hi, d)),
            (
                n + p_lo + p_hi >= d * (k - 1) + 1,
                s >= d * (k - 1) + 1,
                p_lo <= 0,
                s * (conv_length(n, k, s, d, 1, p_lo, p_hi) - 1) + d * (k - 1) - p_lo <= n - 1,
            ),
            instance={"n": 6, "k": 2, "s": 3, "d": 2, "p_lo": 0, "p_hi": 0},
            wrt="g",
        ),
        Part(
            "Without padding and dilation, exactly when the windows do not overlap ($k \\le s$) or "
            "there is only one ($n < k + s$):",
            EqualIff(
                *rows(0, 0, 1),
                any_of(k <= s, n <= k + s - 1),
                witnesses=({"i0": 0, "g.0": 1, "w.0": s, "w′.0": 0},),
                fixed=({"s": 2}, {"s": 3}),
            ),
            (n >= k,),
            instance={"n": 5, "k": 2, "s": 3},
            wrt="g",
        ),
    )


@theorem
def vjp_order() -> Theorem:
    """Transposes compose in reverse; when the same order agrees."""
    length, m, n = sizes("l m n")
    first, second = tensor("A", m, n), tensor("B", length, m)
    x, g = tensor("x", n), tensor("g", length)
    square_a, square_b = tensor("A", n, n), tensor("B", n, n)
    h = tensor("g", n)

    return Theorem(
        id="vjp-order",
        family="gradient",
        title="The VJP of a composition composes in reverse",
        sentence=(
            "$(B A)^{\\mathsf T} = A^{\\mathsf T} B^{\\mathsf T}$: the VJP of the last operator comes "
            "first. The same order gives another operator in general. It agrees where the two matrices "
            "commute: for stride-1 convolutions without padding (the sizes adapted), for circular "
            "ones, and for zero-padded ones of unchanged length exactly when no tap of one kernel "
            "looks forward while a tap of the other looks back (two causal ones, for example)."
        ),
        parts=(
            Part(
                "For any two linear maps, $A$ ($m \\times n$) and $B$ ($l \\times m$):",
                Equal(
                    vjp(apply_matrix(second, apply_matrix(first, x)), "x", g),
                    apply_matrix(transposed(first), apply_matrix(transposed(second), g)),
                ),
                instance={"l": 2, "m": 3, "n": 2},
                wrt="g",
            ),
            _two_correlations(),
            Part(
                "For two unknown square matrices the same order is right exactly when $n = 1$:",
                EqualIff(
                    apply_matrix(transposed(square_a), apply_matrix(transposed(square_b), h)),
                    apply_matrix(transposed(square_b), apply_matrix(transposed(square_a), h)),
                    eq(n, 1),
                    witnesses=({"i0": 0, "g.0": 0, "A.0": 1, "A.1": 0, "B.0": 0, "B.1": 1},),
                    fixed=({},),
                ),
                instance={"n": 1},
                wrt="g",
            ),
            _valid_commute(),
            *_padded_commute(),
            *_circular_commute(),
        ),
        twin=_same_order_twin(),
        sources=(AUTODIFF, TOEPLITZ),
    )


def _two_correlations() -> Part:
    a = axis("1")
    b = axis("2")
    b = Axis(a.m, b.k, b.s, b.d, b.e, b.p_lo, b.p_hi)
    x, w, v = tensor("x", a.n), tensor("w", a.k), tensor("v", b.k)
    g = tensor("g", b.m)
    inner = correlate(x, w, stride=a.s, padding=a.padding, dilation=a.d, base_dilation=a.e)

    def outer(h: Form) -> Form:
        return correlate(h, v, stride=b.s, padding=b.padding, dilation=b.d, base_dilation=b.e)

    last = vjp(outer(tensor("h", a.m)), "h", g)
    return Part(
        "For two correlations, every parameter of both free:",
        Equal(
            vjp(outer(inner), "x", g),
            vjp(inner, "x", last),
        ),
        (a.fits, b.fits),
        instance={
            "n1": 5, "k1": 2, "s1": 1, "d1": 1, "e1": 1, "p_lo1": 1, "p_hi1": 0,
            "k2": 3, "s2": 2, "d2": 1, "e2": 1, "p_lo2": 0, "p_hi2": 1,
        },
        wrt="g",
    )  # fmt: skip


def _valid_commute() -> Part:
    n, k1, k2, d1, d2 = sizes("n k1 k2 d1 d2")
    w, v = tensor("w", k1), tensor("v", k2)
    reach1, reach2 = d1 * (k1 - 1), d2 * (k2 - 1)
    g = tensor("g", n - reach1 - reach2)

    x, xw, xv = tensor("x", n), tensor("xw", n - reach1), tensor("xv", n - reach2)
    over_w, over_v = correlate(x, w, dilation=d1), correlate(x, v, dilation=d2)
    v_last, w_last = correlate(xw, v, dilation=d2), correlate(xv, w, dilation=d1)
    return Part(
        "Stride 1 without padding: the VJPs with respect to inputs of the lengths that fit commute, "
        "any dilations:",
        Equal(
            vjp(over_w, "x", vjp(v_last, "xw", g)),
            vjp(over_v, "x", vjp(w_last, "xv", g)),
        ),
        (n >= reach1 + reach2 + 1,),
        instance={"n": 5, "k1": 2, "k2": 3, "d1": 2, "d2": 1},
        wrt="g",
    )


def _zero_padded() -> tuple[Form, Form, tuple[Expr, ...]]:
    """The VJPs of two zero-padded convolutions of unchanged length, in both orders."""
    n = sizes("n")[0]
    p_lo, p_hi, q_lo, q_hi = (offset(name) for name in ("p_lo", "p_hi", "q_lo", "q_hi"))
    w, v, g = tensor("w", p_lo + p_hi + 1), tensor("v", q_lo + q_hi + 1), tensor("g", n)

    def back(name: str, g: Form, kernel: Form, padding: tuple[Expr, Expr]) -> Form:
        return vjp(correlate(tensor(name, n), kernel, padding=padding), name, g)

    reverse = back("x", back("h", g, v, (q_lo, q_hi)), w, (p_lo, p_hi))
    same = back("x", back("h", g, w, (p_lo, p_hi)), v, (q_lo, q_hi))
    return reverse, same, (n, p_lo, p_hi, q_lo, q_hi)


def _padded_commute() -> tuple[Part, ...]:
    reverse, same, (n, p_lo, p_hi, q_lo, q_hi) = _zero_padded()
    opposite = any_of(all_of(p_lo >= 1, q_hi >= 1), all_of(p_hi >= 1, q_lo >= 1))
    return (
        Part(
            "Stride 1, zero padding, unchanged length ($k = p_{lo} + p_{hi} + 1$ and $q_{lo} + q_{hi} "
            "+ 1$ taps): the same order is right exactly when $n = 1$ or the taps do not look in "
            "opposite directions:",
            EqualIff(
                reverse,
                same,
                any_of(eq(n, 1), negate(opposite)),
                witnesses=(
                    {"i0": 0, "g.0": 0, "w.0": p_lo - 1, "v.0": q_lo + 1},
                    {"i0": 0, "g.0": 0, "w.0": p_lo + 1, "v.0": q_lo - 1},
                ),
                fixed=({},),
            ),
            (p_lo >= 0, p_hi >= 0, q_lo >= 0, q_hi >= 0),
            instance={"n": 4, "p_lo": 2, "p_hi": 0, "q_lo": 1, "q_hi": 0},
            wrt="g",
        ),
    )


def _same_order_twin() -> Twin:
    reverse, same, (_, *amounts) = _zero_padded()
    return Twin(
        "the same order for two zero-padded convolutions",
        Equal(reverse, same),
        tuple(a >= 0 for a in amounts),
    )


def _circular_commute() -> tuple[Part, ...]:
    n, k, k2 = sizes("n k1 k2")
    p, q = offset("p_lo"), offset("q_lo")
    w, v, g = tensor("w", k), tensor("v", k2), tensor("g", n)

    def around(h: Form, kernel: Form, lo: Expr) -> Form:
        taps = kernel.shape[0]
        return build((n,), lambda j: sigma(taps, lambda t: kernel[t] * h[(j - t + lo) % n]))

    y = correlate(tensor("x", n), w, padding=(p, k - 1 - p), padding_mode="circular")
    return (
        Part(
            "The VJP of a circular convolution of unchanged length reads $g$ modulo $n$:",
            Equal(vjp(y, "x", g), around(g, w, p)),
            (p <= n, k - 1 - p <= n),
            instance={"n": 4, "k1": 3, "p_lo": 2},
            wrt="g",
        ),
        Part(
            "and two such operators commute, for any kernels and offsets:",
            Equal(around(around(g, v, q), w, p), around(around(g, w, p), v, q)),
            instance={"n": 4, "k1": 2, "k2": 3, "p_lo": 1, "q_lo": 0},
            wrt="g",
        ),
    )
