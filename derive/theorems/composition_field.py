"""The receptive field of a chain of layers."""

from __future__ import annotations

from collections.abc import Callable

from derive.expr import Cond, Expr, Integer, all_of, any_of, between, implies, minimum
from derive.form import Form, build, sigma, sigmas, tensor
from derive.operators import correlate
from derive.symbols import offset, sizes, symbol
from derive.theorems.composition import RECEPTIVE
from derive.theorems.model import Equal, Holds, Part, Theorem, Twin, theorem
from derive.theorems.toeplitz import GUIDE, entry, from_entries


def within(y: Form, wrt: str, first: Callable[[Expr], Expr], length: Expr) -> Form:
    """An operator with all entries outside a window left out: ``first(i) <= j < first(i) + length``.

    Args:
        y: an operator with one axis, linear in ``wrt``, which has one axis too.
        wrt: the tensor that its matrix multiplies.
        first: where the window of an output starts.
        length: how many positions it has.

    Returns:
        the operator whose matrix has those entries of the matrix of ``y`` that are in the window.

    Source: none; equality with ``y`` says that ``y`` reads nothing outside the window.

    >>> from derive.expr import lift
    >>> y = correlate(tensor("x", sizes("n")[0]), tensor("w", 3))
    >>> within(y, "x", lambda i: i, lift(3)).shape == y.shape
    True
    """
    (n,) = y.tensor_shape(wrt)
    return from_entries(
        y.shape,
        tensor(wrt, n),
        lambda i, j: entry(y, wrt, i, j).where(between(first(i[0]), j[0], first(i[0]) + length)),
    )


@theorem
def receptive_field() -> Theorem:
    """Which inputs an output of a chain of layers can read: size, stride and offset."""
    n, m1, k, s, d, field, jump = sizes("n m1 k s d R J")
    p_lo, p_hi, start = map(offset, ("p_lo", "p_hi", "P"))
    x, w = tensor("x", n), tensor("w", k)
    fits = n + p_lo + p_hi >= d * (k - 1) + 1
    fits_next = m1 + p_lo + p_hi >= d * (k - 1) + 1

    layer = correlate(x, w, stride=s, padding=(p_lo, p_hi), dilation=d)
    weights = tensor("v", m1, field)
    chain = build((m1,), lambda i: sigma(field, lambda a: weights[i, a] * x[jump * i + a - start]))
    longer = correlate(chain, w, stride=s, padding=(p_lo, p_hi), dilation=d)
    new_field, new_jump, new_start = field + jump * d * (k - 1), jump * s, start + jump * p_lo
    narrower = within(longer, "x", lambda i: new_jump * i - new_start, new_field - 1)

    return Theorem(
        id="receptive-field",
        family="composition",
        title="The receptive field of a chain of layers",
        sentence=(
            "Output $i$ of a chain of layers reads inputs in $[\\,J i - P,\\; J i - P + R\\,)$ only. "
            "A chain of no layers has the size $R = 1$, the stride (jump) $J = 1$ and the offset $P = 0$; "
            "a further layer with kernel length $k$, stride $s$, dilation $d$ and padding $p$ gives "
            "$R + J d (k-1)$, $J s$ and $P + J p_{lo}$. So "
            "$R = 1 + \\sum_l d_l (k_l-1) \\prod_{l'<l} s_{l'}$, $J = \\prod_l s_l$ and "
            "$P = \\sum_l p_l \\prod_{l'<l} s_{l'}$, and no smaller window will do."
        ),
        parts=(
            Part(
                sentence=(
                    "One layer: output $i$ reads $[\\,s i - p_{lo},\\; s i - p_{lo} + d(k-1) + 1)$ only "
                    "(the entries outside that window may be left out):"
                ),
                statement=Equal(
                    layer, within(layer, "x", lambda i: s * i - p_lo, d * (k - 1) + 1)
                ),
                hypotheses=(fits,),
                instance={"n": 6, "k": 3, "s": 2, "d": 1, "p_lo": 1, "p_hi": 2},
                wrt="x",
            ),
            Part(
                sentence=(
                    "One layer more (the step from any chain to the next): whatever the chain so far "
                    "computes from its window of $R$ inputs, with weights $v[i,a]$ that may differ at "
                    "every output $i$, the layer after it reads $R + J d(k-1)$ inputs from "
                    "$J s\\,i - (P + J p_{lo})$ on, zero padding in between included:"
                ),
                statement=Equal(
                    longer, within(longer, "x", lambda i: new_jump * i - new_start, new_field)
                ),
                hypotheses=(fits_next,),
                instance={
                    "n": 7, "m1": 4, "k": 2, "s": 1, "d": 2, "R": 3, "J": 2, "P": 1, "p_lo": 1, "p_hi": 0,
                },
                wrt="x",
            ),
            *_exact_field(),
            *_holes(),
            _field_2d(),
        ),
        twin=Twin(
            "a window one input shorter",
            Equal(longer, narrower),
            (fits_next,),
        ),
        sources=(RECEPTIVE, GUIDE),
    )  # fmt: skip


def _exact_field() -> tuple[Part, ...]:
    """Both ends of the window of two layers are read, by the outermost taps alone."""
    n, k1, k2, s, d1, d2 = sizes("n k1 k2 s d1 d2")
    p_lo, p_hi, q_lo, q_hi, i = map(offset, ("p_lo", "p_hi", "q_lo", "q_hi", "i"))
    x, w1, w2 = tensor("x", n), tensor("w1", k1), tensor("w2", k2)
    first = correlate(x, w1, stride=s, padding=(p_lo, p_hi), dilation=d1)
    both = correlate(first, w2, padding=(q_lo, q_hi), dilation=d2)
    m1, m = first.shape[0], both.shape[0]
    size = 1 + d1 * (k1 - 1) + s * d2 * (k2 - 1)
    start = s * i - (p_lo + s * q_lo)
    low, high = i - q_lo, i - q_lo + d2 * (k2 - 1)
    shown = {
        "n": 9, "k1": 3, "k2": 2, "s": 2, "d1": 1, "d2": 2,
        "p_lo": 1, "p_hi": 0, "q_lo": 0, "q_hi": 1, "i": 1,
    }  # fmt: skip

    def ends(at: Expr, a: Integer, b: Integer) -> Equal:
        return Equal(
            build((1,), lambda _: entry(both, "x", (i,), (at,))),
            build((1,), lambda _: w1[a] * w2[b]),
        )

    return (
        Part(
            sentence=(
                "No window is smaller: two layers, the first with stride $s$ (a stride of the second "
                "only leaves outputs out), $R = 1 + d_1(k_1-1) + s d_2(k_2-1)$, "
                "$J = s$, $P = p_{lo} + s q_{lo}$. The first position $J i - P$ of the window has "
                "the weight $w_1[0]\\,w_2[0]$ (where neither it nor the value in between is padding):"
            ),
            statement=ends(start, 0, 0),
            hypotheses=(between(0, i, m), between(0, low, m1), between(0, start, n)),
            instance=shown,
            wrt="w1",
        ),
        Part(
            sentence=(
                "and the last one, $J i - P + R - 1$, the weight $w_1[k_1-1]\\,w_2[k_2-1]$:"
            ),
            statement=ends(start + size - 1, k1 - 1, k2 - 1),
            hypotheses=(
                between(0, i, m), between(0, high, m1), between(0, start + size - 1, n),
            ),
            instance=shown,
            wrt="w1",
        ),
    )  # fmt: skip


def _holes() -> tuple[Part, ...]:
    k, d, field, jump = sizes("k d R J")
    t, b = offset("t"), symbol("b", 0)
    last = minimum(k - 1, t // (jump * d))
    inside = (t >= 0, t < field + jump * d * (k - 1))
    return (
        Part(
            sentence=(
                "No holes: if $k = 1$ or $J d \\le R$ (and the window so far has none), every place $t$ "
                "of the new window lies in the window of some tap, that of tap "
                "$b = \\min(k-1, \\lfloor t/(J d) \\rfloor)$: $0 \\le t - J d b < R$."
            ),
            statement=Holds(all_of(last >= 0, last < k, between(0, t - jump * d * last, field))),
            hypotheses=(any_of(k <= 1, jump * d <= field), *inside),
        ),
        Part(
            sentence=(
                "and otherwise there are: for $k \\ge 2$ and $J d > R$ no tap $b$ reads the place "
                "$t = R$ of the new window."
            ),
            statement=Holds(
                implies(b < k, any_of(field - jump * d * b < 0, field - jump * d * b >= field))
            ),
            hypotheses=(jump * d > field,),
        ),
    )


def _field_2d() -> Part:
    axes = ("h", "w")
    n, m1, k, s, d, field, jump = (
        sizes(" ".join(f"{v}_{a}" for a in axes)) for v in ("n", "m1", "k", "s", "d", "R", "J")
    )
    lo, hi, start = (tuple(offset(f"{v}_{a}") for a in axes) for v in ("p_lo", "p_hi", "P"))
    x, w, weights = tensor("x", *n), tensor("w", *k), tensor("v", *m1, *field)
    chain = build(
        m1,
        lambda *i: sigmas(
            field,
            lambda a: (
                weights[(*i, *a)] * x[tuple(jump[c] * i[c] + a[c] - start[c] for c in range(2))]
            ),
        ),
    )
    longer = correlate(chain, w, stride=s, padding=tuple(zip(lo, hi, strict=True)), dilation=d)

    def window(i: tuple[Expr, ...], j: tuple[Expr, ...]) -> tuple[Cond, ...]:
        found = []
        for a in range(2):
            at = jump[a] * s[a] * i[a] - (start[a] + jump[a] * lo[a])
            found.append(between(at, j[a], at + field[a] + jump[a] * d[a] * (k[a] - 1)))
        return tuple(found)

    limited = from_entries(
        longer.shape, x, lambda i, j: entry(longer, "x", i, j).where(*window(i, j))
    )
    return Part(
        sentence="In two dimensions the receptive field is the product of those of the axes:",
        statement=Equal(longer, limited),
        hypotheses=tuple(m1[a] + lo[a] + hi[a] >= d[a] * (k[a] - 1) + 1 for a in range(2)),
        instance={
            "n_h": 3, "m1_h": 2, "k_h": 2, "s_h": 1, "d_h": 1, "R_h": 2, "J_h": 1, "P_h": 0,
            "p_lo_h": 0, "p_hi_h": 0,
            "n_w": 4, "m1_w": 2, "k_w": 2, "s_w": 2, "d_w": 1, "R_w": 1, "J_w": 2, "P_w": 1,
            "p_lo_w": 1, "p_hi_w": 1,
        },
        wrt="x",
    )  # fmt: skip
