"""Zero padding between two convolutions, and padding after padding."""

from __future__ import annotations

from collections.abc import Mapping

from derive.expr import Cond, Expr, Integer, all_of, any_of, ceil_div, eq, lift, maximum, minimum
from derive.form import Form, build, constant, sigma, sigmas, tensor
from derive.operators import correlate, pad
from derive.symbols import offset, sizes, symbol
from derive.theorems.composition import RECEPTIVE, TORCH_PAD, XLA_PAD, product_kernel
from derive.theorems.model import Equal, EqualIff, Part, Theorem, Twin, theorem
from derive.theorems.toeplitz import GUIDE, XLA_CONV


def one_row(y: Form, row: Integer) -> Form:
    """One row of a form with one axis: the value at ``row``, zero where there is no such row.

    Args:
        y: a form with one axis.
        row: the index.

    Returns:
        a form of length 1.

    Source: none; a row is a position.

    >>> one_row(tensor("x", sizes("n")[0]), 0).shape == (1,)
    True
    """
    return build((1,), lambda _: y[row])


def _same_first() -> tuple[Part, ...]:
    """The first correlation, at its own outputs and beyond them."""
    n, k1, s, d1 = sizes("n k1 s d1")
    p_lo, p_hi, h = map(offset, ("p_lo", "p_hi", "h"))
    start = offset("o")
    x, w1 = tensor("x", n), tensor("w1", k1)
    first = correlate(x, w1, stride=s, padding=(p_lo, p_hi), dilation=d1)
    m1 = first.shape[0]

    def window(start: Expr) -> Form:
        return build((1,), lambda _: sigma(k1, lambda a: w1[a] * x[start + d1 * a]))

    tap = maximum(0, ceil_div(-start, d1))
    return (
        Part(
            sentence=(
                "At its own outputs $0 \\le h < m_1$ the first correlation is a window of the "
                "input that starts at $s h - p_{lo}$; at any other $h$ the padding in between "
                "puts a zero in its place:"
            ),
            statement=Equal(one_row(first, h), window(s * h - p_lo)),
            hypotheses=(h >= 0, h < m1),
            instance={"n": 5, "k1": 3, "s": 1, "d1": 2, "p_lo": 1, "p_hi": 2, "h": 1},
            wrt="x",
        ),
        Part(
            sentence=(
                "A zero there makes no difference exactly when that window, $x[o + d_1 a]$ with "
                "$o = s h - p_{lo}$, holds no input: with the first tap that is not in front of "
                "the input, $a = \\max(0, \\lceil -o/d_1 \\rceil)$, exactly when $a \\ge k_1$ or "
                "$o + d_1 a \\ge n$:"
            ),
            statement=EqualIff(
                window(start),
                build((1,), lambda _: constant(0)),
                any_of(tap >= k1, start + d1 * tap >= n),
                ({"i0": 0, "w1.0": tap, "x.0": start + d1 * tap},),
                ({"d1": 1}, {"d1": 3}),
            ),
        ),
    )


@theorem
def conv_conv_same() -> Theorem:
    """Zero padding between two correlations changes the border, and exactly where."""
    n, k1, k2, s, d1, d2 = sizes("n k1 k2 s d1 d2")
    p_lo, p_hi, q_lo, q_hi, i = map(offset, ("p_lo", "p_hi", "q_lo", "q_hi", "i"))
    x, w1, w2 = tensor("x", n), tensor("w1", k1), tensor("w2", k2)
    first = correlate(x, w1, stride=s, padding=(p_lo, p_hi), dilation=d1)
    m1 = first.shape[0]
    fits_both = m1 + q_lo + q_hi >= d2 * (k2 - 1) + 1
    both = correlate(first, w2, padding=(q_lo, q_hi), dilation=d2)
    one = correlate(
        x,
        product_kernel(w1, w2, s, d1, d2),
        stride=s,
        padding=(p_lo + s * q_lo, p_hi + s * q_hi),
    )
    inner = (i >= q_lo, i + d2 * (k2 - 1) - q_lo < m1)

    return Theorem(
        id="conv-conv-same",
        family="composition",
        title="Zero padding between two convolutions changes the border",
        sentence=(
            "With zero padding $(q_{lo}, q_{hi})$ between two correlations, their composition is not the "
            "correlation with the product kernel $u$ and padding $p + s q$ ($s$ the stride of the "
            "first): in between, the padding holds zeros where the single correlation would go on "
            "computing from the input. Row $i$ "
            "agrees exactly when every tap $b$ of the second kernel that reads padding, "
            "$h = i + d_2 b - q_{lo} \\notin [0, m_1)$, stands for a window "
            "$s h + d_1 a - p_{lo}$ without any input. For stride 1 the whole agrees exactly when on "
            "each side $q = 0$ or the first padding is at least $d_1(k_1-1)$ (full)."
        ),
        parts=(
            *_same_first(),
            Part(
                sentence=(
                    "The interior agrees: row $i$ of the composition is row $i$ of the single correlation "
                    "wherever the second kernel reads no padding, $q_{lo} \\le i$ and "
                    "$i + d_2(k_2-1) - q_{lo} < m_1$ (a stride of the second keeps some of the rows):"
                ),
                statement=Equal(one_row(both, i), one_row(one, i)),
                hypotheses=(fits_both, *inner),
                instance={
                    "n": 6, "k1": 3, "k2": 2, "s": 1, "d1": 1, "d2": 2,
                    "p_lo": 1, "p_hi": 0, "q_lo": 1, "q_hi": 2, "i": 1,
                },
                wrt="x",
            ),
            _rows_that_agree(),
            *_same_whole(),
            _same_2d(),
        ),
        twin=Twin(
            "zero padding in between for the usual lengths, as if it did no harm",
            _same(1, 1),
            (),
        ),
        negative=True,
        sources=(GUIDE, RECEPTIVE),
    )  # fmt: skip


def _stride_1(d1: Integer, d2: Integer) -> tuple[Form, Form, Expr, tuple[Cond, ...]]:
    """Composition, single correlation, intermediate length, and when both are defined."""
    n, k1, k2 = sizes("n k1 k2")
    p_lo, p_hi, q_lo, q_hi = map(offset, ("p_lo", "p_hi", "q_lo", "q_hi"))
    x, w1, w2 = tensor("x", n), tensor("w1", k1), tensor("w2", k2)
    first = correlate(x, w1, padding=(p_lo, p_hi), dilation=d1)
    both = correlate(first, w2, padding=(q_lo, q_hi), dilation=d2)
    u = product_kernel(w1, w2, 1, d1, d2)
    one = correlate(x, u, padding=(p_lo + q_lo, p_hi + q_hi))
    m1 = first.shape[0]
    return both, one, m1, (m1 >= 1, m1 + q_lo + q_hi >= d2 * (k2 - 1) + 1)


def _rows_that_agree() -> Part:
    n, k1, k2 = sizes("n k1 k2")
    p_lo, p_hi, i = symbol("p_lo"), symbol("p_hi"), symbol("i", 0)
    q_lo = offset("q_lo")
    both, one, m1, fits = _stride_1(1, 1)
    last = minimum(k2 - 1, q_lo - i - 1)
    next_ = maximum(0, m1 + q_lo - i)
    low, high = i + last - q_lo, i + next_ - q_lo
    a_low, a_high = maximum(0, p_lo - low), maximum(0, p_lo - high)
    return Part(
        sentence=(
            "For strides and dilations 1 and $p_{lo}, p_{hi} \\ge 0$, row $i$ agrees exactly when "
            "neither the last tap in the padding in front, $h = \\min(i+k_2-1-q_{lo}, -1)$, nor the "
            "first one in the padding behind, $h = \\max(i-q_{lo}, m_1)$, has a window with input: "
            "($i \\ge q_{lo}$ or $h + k_1 - 1 < p_{lo}$) and ($h > i+k_2-1-q_{lo}$ or $h \\ge n + p_{lo}$):"
        ),
        statement=EqualIff(
            one_row(both, i),
            one_row(one, i),
            all_of(
                any_of(i >= q_lo, low + k1 - 1 < p_lo), any_of(next_ > k2 - 1, high >= n + p_lo)
            ),
            (
                {"i0": 0, "w1.0": a_low, "w2.0": last, "x.0": low + a_low - p_lo},
                {"i0": 0, "w1.0": a_high, "w2.0": next_, "x.0": high + a_high - p_lo},
            ),
        ),
        hypotheses=(fits[0], p_lo >= 0, p_hi >= 0, i < both.shape[0]),
        instance={
            "n": 5, "k1": 3, "k2": 2, "p_lo": 1, "p_hi": 0, "q_lo": 1, "q_hi": 2, "i": 0,
        },
        wrt="x",
    )  # fmt: skip


def _same_whole() -> tuple[Part, ...]:
    """The whole output, with dilations; and the usual SAME lengths."""
    n, k1, k2, d1, d2 = sizes("n k1 k2 d1 d2")
    p_lo, p_hi, q_lo, q_hi = map(offset, ("p_lo", "p_hi", "q_lo", "q_hi"))
    both, one, m1, fits = _stride_1(d1, d2)
    m, reach = both.shape[0], d1 * (k1 - 1)
    a, a2 = p_lo // d1 + 1, k1 - 2 - p_hi // d1

    def in_front(b: Expr) -> Mapping[str, Integer]:
        """Tap ``b`` of the second kernel reads the last zero in front of the first one's outputs."""
        return {"i0": q_lo - 1 - d2 * b, "w1.0": a, "w2.0": b, "x.0": d1 * a - 1 - p_lo}

    def behind(b: Expr) -> Mapping[str, Integer]:
        place = {"i0": m - q_hi + d2 * b, "x.0": m1 + d1 * a2 - p_lo}
        return {**place, "w1.0": a2, "w2.0": k2 - 1 - b}

    whole = EqualIff(
        both,
        one,
        all_of(any_of(q_lo <= 0, reach <= p_lo), any_of(q_hi <= 0, reach <= p_hi)),
        (
            in_front((q_lo - 1) // d2),
            in_front(k2 - 1),
            behind((q_hi - 1) // d2),
            behind(k2 - 1),
        ),
        ({"k1": 3, "k2": 2, "d1": 1, "d2": 1}, {"k1": 2, "k2": 3, "d1": 2, "d2": 1}),
    )
    r1, r2 = symbol("r1", 0), symbol("r2", 0)
    same = _same(r1, r2)
    return (
        Part(
            sentence=(
                "Stride 1, any dilations, paddings $\\ge 0$, $n \\ge d_1$ and $m \\ge d_2$: the two "
                "are equal exactly when ($q_{lo} = 0$ or $p_{lo} \\ge d_1(k_1-1)$) and "
                "($q_{hi} = 0$ or $p_{hi} \\ge d_1(k_1-1)$):"
            ),
            statement=whole,
            hypotheses=(
                fits[0], p_lo >= 0, p_hi >= 0, q_lo >= 0, q_hi >= 0, n >= d1, m >= d2,
            ),
            instance={
                "n": 5, "k1": 3, "k2": 2, "d1": 1, "d2": 2, "p_lo": 1, "p_hi": 0, "q_lo": 1, "q_hi": 2,
            },
            wrt="x",
        ),
        Part(
            sentence=(
                "The usual lengths, odd kernels $2r_1+1$ and $2r_2+1$ with padding $r_1$ and $r_2$: "
                "the single correlation with $2(r_1+r_2)+1$ taps and padding $r_1+r_2$ is equal "
                "exactly when $r_1 = 0$ or $r_2 = 0$:"
            ),
            statement=EqualIff(
                same.left,
                same.right,
                any_of(eq(r1, 0), eq(r2, 0)),
                (
                    {"i0": 0, "w1.0": r1 + 1, "w2.0": r2 - 1, "x.0": 0},
                ),
            ),
            instance={"n": 5, "r1": 1, "r2": 2},
            wrt="x",
        ),
    )  # fmt: skip


def _same(r1: Integer, r2: Integer) -> Equal:
    """Odd kernels with the padding that keeps the length."""
    n = sizes("n")[0]
    x, w1, w2 = tensor("x", n), tensor("w1", 2 * r1 + 1), tensor("w2", 2 * r2 + 1)
    both = correlate(correlate(x, w1, padding=r1), w2, padding=r2)
    return Equal(both, correlate(x, product_kernel(w1, w2, 1, 1, 1), padding=r1 + r2))


def _same_2d() -> Part:
    axes = ("h", "w")
    n, k1, k2 = (sizes(" ".join(f"{name}_{a}" for a in axes)) for name in ("n", "k1", "k2"))
    p_lo, p_hi, q_lo, q_hi = (
        tuple(offset(f"{name}_{a}") for a in axes) for name in ("p_lo", "p_hi", "q_lo", "q_hi")
    )
    x, w1, w2 = tensor("x", *n), tensor("w1", *k1), tensor("w2", *k2)
    u = build(
        tuple(a + b - 1 for a, b in zip(k1, k2, strict=True)),
        lambda *tau: sigmas(
            (*k1, *k2),
            lambda v: (w1[v[:2]] * w2[v[2:]]).where(
                *(eq(tau[a], v[a] + v[2 + a]) for a in range(2))
            ),
        ),
    )
    first = correlate(x, w1, padding=tuple(zip(p_lo, p_hi, strict=True)))
    both = correlate(first, w2, padding=tuple(zip(q_lo, q_hi, strict=True)))
    one = correlate(x, u, padding=tuple((p_lo[a] + q_lo[a], p_hi[a] + q_hi[a]) for a in range(2)))
    m1, m = first.shape, both.shape

    def place(a: int, side: str) -> tuple[Expr, Expr, Expr, Expr]:
        """``(i, tap of w1, tap of w2, position in x)`` on one axis."""
        if side == "lo":
            b = minimum(k2[a] - 1, q_lo[a] - 1)
            return q_lo[a] - 1 - b, p_lo[a] + 1, b, _zero()
        if side == "hi":
            b = minimum(k2[a] - 1, q_hi[a] - 1)
            return m[a] - q_hi[a] + b, k1[a] - 2 - p_hi[a], k2[a] - 1 - b, n[a] - 1
        row = minimum(p_lo[a] + q_lo[a], m[a] - 1)
        rest = p_lo[a] + q_lo[a] - row
        tap = minimum(k1[a] - 1, rest)
        return row, tap, rest - tap, _zero()

    def witness(one: tuple[Expr, ...], two: tuple[Expr, ...]) -> Mapping[str, Integer]:
        names = ("i", "w1.", "w2.", "x.")
        return {
            f"{name}{a}": v
            for a, at in enumerate((one, two))
            for name, v in zip(names, at, strict=True)
        }

    return Part(
        sentence=(
            "In two dimensions (strides and dilations 1, paddings $\\ge 0$) the two are equal exactly "
            "when the condition holds on both axes:"
        ),
        statement=EqualIff(
            both,
            one,
            all_of(
                *(any_of(q_lo[a] <= 0, k1[a] - 1 <= p_lo[a]) for a in range(2)),
                *(any_of(q_hi[a] <= 0, k1[a] - 1 <= p_hi[a]) for a in range(2)),
            ),
            tuple(
                witness(place(0, one_), place(1, two_))
                for one_, two_ in (("lo", ""), ("hi", ""), ("", "lo"), ("", "hi"))
            ),
        ),
        hypotheses=(
            *(m1[a] >= 1 for a in range(2)),
            *(m1[a] + q_lo[a] + q_hi[a] >= k2[a] for a in range(2)),
            *(e >= 0 for pads in (p_lo, p_hi, q_lo, q_hi) for e in pads),
        ),
        instance={
            "n_h": 2, "k1_h": 2, "k2_h": 2, "p_lo_h": 0, "p_hi_h": 1, "q_lo_h": 1, "q_hi_h": 0,
            "n_w": 3, "k1_w": 3, "k2_w": 2, "p_lo_w": 1, "p_hi_w": 1, "q_lo_w": 0, "q_hi_w": 1,
        },
        wrt="x",
    )  # fmt: skip


def _zero() -> Expr:
    return lift(0)


def folds(a: Expr, b: Expr) -> Cond:
    """Not a crop followed by padding on the same side: ``not (a < 0 < b)``.

    Args:
        a: the first amount (negative crops).
        b: the second amount.

    Returns:
        the condition ``a >= 0 or b <= 0``.

    Source: XLA, Pad: negative padding removes elements.

    >>> print(folds(offset("a"), offset("b")))
    a >= 0 or b <= 0
    """
    return any_of(a >= 0, b <= 0)


@theorem
def pad_fold() -> Theorem:
    """Two paddings are one, unless a crop comes before the padding."""
    n = sizes("n")[0]
    a, b = offset("a"), offset("b")
    a_lo, a_hi, b_lo, b_hi = map(offset, ("a_lo", "a_hi", "b_lo", "b_hi"))
    x = tensor("x", n)
    defined = (n + a_lo + a_hi >= 1, n + a_lo + a_hi + b_lo + b_hi >= 1)
    gone = any_of(n + a_lo + b_lo <= 0, n + a_hi + b_hi <= 0)

    front = pad(pad(x, (a, 0)), (b, 0))
    behind = pad(pad(x, (0, a)), (0, b))
    twice = pad(pad(x, (a_lo, a_hi)), (b_lo, b_hi))
    once = pad(x, (a_lo + b_lo, a_hi + b_hi))
    low, high = maximum(0, -a_lo - b_lo), minimum(n, n + a_hi + b_hi) - 1

    return Theorem(
        id="pad-fold",
        family="composition",
        title="Two paddings are one, except after a crop",
        sentence=(
            "$\\operatorname{pad}(\\operatorname{pad}(x, a), b) = \\operatorname{pad}(x, a+b)$ on one side, "
            "where negative amounts crop, exactly when not $a < 0 < b$: what a crop has removed, padding "
            "does not bring back. With both sides the condition is needed on each, except where "
            "$a + b$ crops the whole input away on one side, when both results are zero. "
            "Padding in front of a convolution is padding of the convolution."
        ),
        parts=(
            Part(
                sentence="Padding in front only: equal exactly when not $a < 0 < b$:",
                statement=EqualIff(
                    front,
                    pad(x, (a + b, 0)),
                    folds(a, b),
                    ({"i0": maximum(0, a + b), "x.0": maximum(0, -a - b)},),
                    ({},),
                ),
                hypotheses=(n + a >= 1, n + a + b >= 1),
                instance={"n": 5, "a": -2, "b": -1},
                wrt="x",
            ),
            Part(
                sentence="Padding behind only:",
                statement=EqualIff(
                    behind,
                    pad(x, (0, a + b)),
                    folds(a, b),
                    ({"i0": minimum(n, n + a + b) - 1, "x.0": minimum(n, n + a + b) - 1},),
                    ({},),
                ),
                hypotheses=(n + a >= 1, n + a + b >= 1),
                instance={"n": 5, "a": 3, "b": -1},
                wrt="x",
            ),
            Part(
                sentence=(
                    "Both sides: exactly when not $a_{lo} < 0 < b_{lo}$ and not $a_{hi} < 0 < b_{hi}$, or "
                    "nothing of $x$ is left in either result: $n + a_{lo} + b_{lo} \\le 0$ or "
                    "$n + a_{hi} + b_{hi} \\le 0$:"
                ),
                statement=EqualIff(
                    twice,
                    once,
                    any_of(all_of(folds(a_lo, b_lo), folds(a_hi, b_hi)), gone),
                    (
                        {"i0": low + a_lo + b_lo, "x.0": low},
                        {"i0": high + a_lo + b_lo, "x.0": high},
                    ),
                ),
                hypotheses=defined,
                instance={"n": 4, "a_lo": 1, "a_hi": 2, "b_lo": -3, "b_hi": 1},
                wrt="x",
            ),
            *_pad_into_conv(),
            _pad_2d(),
        ),
        twin=Twin(
            "for amounts of any sign",
            Equal(front, pad(x, (a + b, 0))),
            (n + a >= 1, n + a + b >= 1),
        ),
        sources=(XLA_PAD, TORCH_PAD, XLA_CONV),
    )


def _pad_into_conv() -> tuple[Part, ...]:
    n, k, s, d = sizes("n k s d")
    a_lo, a_hi, b_lo, b_hi = map(offset, ("a_lo", "a_hi", "b_lo", "b_hi"))
    x, w = tensor("x", n), tensor("w", k)
    padded, total = pad(x, (a_lo, a_hi)), (a_lo + b_lo, a_hi + b_hi)
    whole = n + a_lo + a_hi + b_lo + b_hi
    gone = any_of(n + a_lo + b_lo <= 0, n + a_hi + b_hi <= 0)
    m = whole - k + 1
    low, high = maximum(0, -a_lo - b_lo), minimum(n, n + a_hi + b_hi) - 1

    def witness(j: Expr) -> Mapping[str, Integer]:
        row = minimum(j + a_lo + b_lo, m - 1)
        return {"i0": row, "w.0": j + a_lo + b_lo - row, "x.0": j}

    return (
        Part(
            sentence=(
                "Padding $a$ before a correlation with padding $b$ is padding $a + b$ of the "
                "correlation, with any stride and dilation:"
            ),
            statement=Equal(
                correlate(padded, w, stride=s, padding=(b_lo, b_hi), dilation=d),
                correlate(x, w, stride=s, padding=total, dilation=d),
            ),
            hypotheses=(
                n + a_lo + a_hi >= 1, whole >= d * (k - 1) + 1, folds(a_lo, b_lo), folds(a_hi, b_hi),
            ),
            instance={
                "n": 4, "k": 3, "s": 2, "d": 1, "a_lo": 1, "a_hi": 2, "b_lo": 1, "b_hi": -1,
            },
            wrt="x",
        ),
        Part(
            sentence=(
                "and for stride and dilation 1 only then, but for inputs that are cropped away (with a "
                "stride or a dilation the windows may happen to skip what the crop has removed):"
            ),
            statement=EqualIff(
                correlate(padded, w, padding=(b_lo, b_hi)),
                correlate(x, w, padding=total),
                any_of(all_of(folds(a_lo, b_lo), folds(a_hi, b_hi)), gone),
                (witness(low), witness(high)),
            ),
            hypotheses=(n + a_lo + a_hi >= 1, whole >= k),
            instance={"n": 4, "k": 3, "a_lo": 1, "a_hi": 2, "b_lo": 1, "b_hi": -1},
            wrt="x",
        ),
    )  # fmt: skip


def _pad_2d() -> Part:
    axes = ("h", "w")
    n = sizes("n_h n_w")
    a_lo, a_hi, b_lo, b_hi = (
        tuple(offset(f"{v}_{c}") for c in axes) for v in ("a_lo", "a_hi", "b_lo", "b_hi")
    )
    both = range(2)
    x = tensor("x", *n)
    twice = pad(pad(x, tuple(zip(a_lo, a_hi, strict=True))), tuple(zip(b_lo, b_hi, strict=True)))
    once = pad(x, tuple((a_lo[c] + b_lo[c], a_hi[c] + b_hi[c]) for c in both))
    low = tuple(maximum(0, -a_lo[c] - b_lo[c]) for c in both)
    high = tuple(minimum(n[c], n[c] + a_hi[c] + b_hi[c]) - 1 for c in both)

    def witness(j: tuple[Expr, Expr]) -> Mapping[str, Integer]:
        place = {f"i{c}": j[c] + a_lo[c] + b_lo[c] for c in both}
        return {**place, **{f"x.{c}": j[c] for c in both}}

    return Part(
        sentence=(
            "In two dimensions: exactly when the condition holds on both sides of both axes, or nothing "
            "of $x$ is left on some axis:"
        ),
        statement=EqualIff(
            twice,
            once,
            any_of(
                all_of(*(folds(a_lo[c], b_lo[c]) for c in both), *(folds(a_hi[c], b_hi[c]) for c in both)),
                *(n[c] + a_lo[c] + b_lo[c] <= 0 for c in both),
                *(n[c] + a_hi[c] + b_hi[c] <= 0 for c in both),
            ),
            tuple(
                witness((one, other)) for one in (low[0], high[0]) for other in (low[1], high[1])
            ),
        ),
        hypotheses=(
            *(n[c] + a_lo[c] + a_hi[c] >= 1 for c in both),
            *(n[c] + a_lo[c] + a_hi[c] + b_lo[c] + b_hi[c] >= 1 for c in both),
        ),
        instance={
            "n_h": 3, "a_lo_h": 1, "a_hi_h": -1, "b_lo_h": 0, "b_hi_h": -1,
            "n_w": 2, "a_lo_w": 0, "a_hi_w": 2, "b_lo_w": 1, "b_hi_w": -1,
        },
        wrt="x",
    )  # fmt: skip
