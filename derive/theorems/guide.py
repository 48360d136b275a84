"""The fifteen relationships of Dumoulin & Visin, with complete hypotheses.

Relationships 1 to 7 and 15 are output lengths; 8 to 14 say which convolution the transpose of a
convolution is, and how long its output is.  The guide writes ``i`` and ``o`` for the input and
output length, ``i'`` and ``o'`` for those of the transposed convolution; here they are ``n`` and
``m``, and the transposed convolution goes from ``m`` to ``n``.
"""

from __future__ import annotations

from collections.abc import Callable

from derive.expr import Cond, Eq, Expr, Integer, all_of, between, divides, eq, iff, lift
from derive.form import Form, tensor, vjp
from derive.operators import correlate, flip, sum_pool, zero_insert
from derive.shapes import conv_length, conv_remainder
from derive.symbols import offset, size, sizes, symbol
from derive.theorems.model import Equal, Holds, Part, Theorem, Twin, theorem
from derive.theorems.upsampling import GUIDE


@theorem
def guide_relationships() -> Theorem:
    """The fifteen relationships of the guide to convolution arithmetic."""
    n, k, s = sizes("n k s")
    p = symbol("p", 0)
    m = conv_length(n, k, s, 1, 1, p, p)
    return Theorem(
        id="guide-relationships",
        family="shapes",
        title="The fifteen relationships of the guide to convolution arithmetic",
        sentence=(
            "Each relationship of the guide holds under a hypothesis that the guide leaves to the "
            "reader, that the padded input is at least as long as the (dilated) kernel; where none "
            "is listed, none is needed. In 8 to 14 the kernel of the associated convolution is "
            "flipped, and a padding $k - p - 1 < 0$ is a crop."
        ),
        parts=(*_lengths(), *_unit_stride_transposes(), *_strided_transposes()),
        twin=Twin(
            "relationship 13 without the hypothesis that $s$ divides $n + 2p - k$: "
            "$n = s(m-1) + k - 2p$",
            Holds(eq(s * (m - 1) + k - 2 * p, n)),
            (n + 2 * p >= k,),
        ),
        sources=(GUIDE,),
    )


def _length(
    says: str, y: Form, formula: Expr, reach: Expr, padded: Expr, s: Integer, *needed: Cond
) -> Part:
    """The formula is the operator's length, at least 1, and the number of windows that fit."""
    i = offset("i")
    return Part(
        sentence=says,
        statement=Holds(
            all_of(
                eq(y.shape[0], formula),
                formula >= 1,
                iff(between(0, i, formula), all_of(i >= 0, i * s + reach <= padded - 1)),
            )
        ),
        hypotheses=needed,
    )


def _lengths() -> tuple[Part, ...]:
    n, k, s, d = sizes("n k s d")
    p, h = symbol("p", 0), symbol("h", 0)
    x, w, odd = tensor("x", n), tensor("w", k), tensor("w", 2 * h + 1)
    reach = k - 1

    def corr(
        kernel: Form, stride: Integer = 1, padding: Integer = 0, dilation: Integer = 1
    ) -> Form:
        return correlate(x, kernel, stride=stride, padding=padding, dilation=dilation)

    strided, general = (n - k) // s + 1, (n + 2 * p - k) // s + 1
    dilated = (n + 2 * p - k - (k - 1) * (d - 1)) // s + 1
    fits, padded_fits = n >= k, n + 2 * p >= k
    return (
        _length("Relationship 1, no padding, stride 1: $m = (n - k) + 1$. It is the number of "
                "windows that fit, as in all of 1 to 7 and 15:",
                corr(w), n - k + 1, reach, n, 1, fits),
        _length("Relationship 2, padding $p$, stride 1: $m = (n - k) + 2p + 1$:",
                corr(w, padding=p), n - k + 2 * p + 1, reach, n + 2 * p, 1, padded_fits),
        _length("Relationship 3, half padding $p = \\lfloor k/2 \\rfloor = h$ of an odd kernel "
                "$k = 2h + 1$, stride 1: $m = n$:",
                corr(odd, padding=h), n, 2 * h, n + 2 * h, 1),
        _length("Relationship 4, full padding $p = k - 1$, stride 1: $m = n + (k - 1)$:",
                corr(w, padding=k - 1), n + k - 1, reach, n + 2 * (k - 1), 1),
        _length("Relationship 5, no padding, stride $s$: $m = \\lfloor (n-k)/s \\rfloor + 1$:",
                corr(w, s), strided, reach, n, s, fits),
        _length("Relationship 6, padding $p$, stride $s$: "
                "$m = \\lfloor (n + 2p - k)/s \\rfloor + 1$:",
                corr(w, s, p), general, reach, n + 2 * p, s, padded_fits),
        _length("Relationship 7, pooling: $m = \\lfloor (n-k)/s \\rfloor + 1$:",
                sum_pool(x, k, s), strided, reach, n, s, fits),
        _length("Relationship 15, dilation $d$: "
                "$m = \\lfloor (n + 2p - k - (k-1)(d-1))/s \\rfloor + 1$ ($k \\ge 1$):",
                corr(w, s, p, d), dilated, d * (k - 1), n + 2 * p, s, n + 2 * p >= d * (k - 1) + 1),
    )  # fmt: skip


def _transposed(
    says: str,
    k: Expr,
    s: Integer,
    p: Integer,
    associated: tuple[Expr, Expr],
    formula: Callable[[Expr], Expr],
    instance: dict[str, int],
    *needed: Cond,
) -> tuple[Part, Part]:
    """The transpose as a convolution of the stretched input, and its output length."""
    n = size("n")
    w = tensor("w", k)
    y = correlate(tensor("x", n), w, stride=s, padding=p)
    g = tensor("g", *y.shape)
    right = correlate(zero_insert(g, s), flip(w), padding=associated)
    m = y.shape[0]
    return (
        Part(
            sentence=says,
            statement=Equal(vjp(y, "x", g), right),
            hypotheses=needed,
            instance=instance,
            wrt="g",
        ),
        Part(
            sentence="and this is its output length, which is the $n$ of the convolution:",
            statement=Holds(all_of(eq(right.shape[0], formula(m)), eq(formula(m), n))),
            hypotheses=tuple(h for h in needed if s != 1 and isinstance(h, Eq)),
        ),
    )


def _unit_stride_transposes() -> tuple[Part, ...]:
    n, k = sizes("n k")
    p, h = symbol("p", 0), symbol("h", 0)
    odd, rest = 2 * h + 1, k - p - 1
    return (
        *_transposed(
            "Relationship 8, the transpose for no padding and stride 1 is the fully padded "
            "convolution, $p' = k - 1$; $n = m + (k - 1)$:",
            k, 1, 0, (k - 1, k - 1), lambda m: m + (k - 1), {"n": 5, "k": 3}, n >= k,
        ),
        *_transposed(
            "Relationship 9, for padding $p$ and stride 1: $p' = k - p - 1$; "
            "$n = m + (k - 1) - 2p$:",
            k, 1, p, (rest, rest), lambda m: m + (k - 1) - 2 * p, {"n": 5, "k": 4, "p": 1},
            n + 2 * p >= k,
        ),
        *_transposed(
            "Relationship 10, for half padding $p = h$ of an odd kernel $k = 2h + 1$: $p' = p$; "
            "$n = m$:",
            odd, 1, h, (h, h), lambda m: m + (odd - 1) - 2 * h, {"n": 4, "h": 1},
        ),
        *_transposed(
            "Relationship 11, for full padding $p = k - 1$: $p' = 0$; $n = m - (k - 1)$:",
            k, 1, k - 1, (lift(0), lift(0)), lambda m: m - (k - 1), {"n": 3, "k": 4},
        ),
    )  # fmt: skip


def _strided_transposes() -> tuple[Part, ...]:
    n, k, s = sizes("n k s")
    p = symbol("p", 0)
    rest = k - p - 1
    a = conv_remainder(n, k, s, 1, 1, p, p)
    return (
        *_transposed(
            "Relationship 12, for no padding and stride $s$, where $s$ divides $n - k$: $s - 1$ "
            "zeros between the samples, stride 1 and $p' = k - 1$; $n = s(m-1) + k$:",
            k, s, 0, (k - 1, k - 1), lambda m: s * (m - 1) + k, {"n": 7, "k": 3, "s": 2},
            n >= k, divides(s, n - k),
        ),
        *_transposed(
            "Relationship 13, for padding $p$, where $s$ divides $n + 2p - k$: $p' = k - p - 1$; "
            "$n = s(m-1) + k - 2p$:",
            k, s, p, (rest, rest), lambda m: s * (m - 1) + k - 2 * p,
            {"n": 6, "k": 4, "s": 2, "p": 1}, n + 2 * p >= k, divides(s, n + 2 * p - k),
        ),
        *_transposed(
            "Relationship 14, in general: $a = (n + 2p - k) \\bmod s$ zeros more behind; "
            "$n = s(m-1) + a + k - 2p$:",
            k, s, p, (rest, rest + a), lambda m: s * (m - 1) + a + k - 2 * p,
            {"n": 6, "k": 3, "s": 2, "p": 1}, n + 2 * p >= k,
        ),
    )  # fmt: skip
