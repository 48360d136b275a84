"""Checkerboard: how often a transposed convolution writes to a position."""

from __future__ import annotations

from derive.expr import Expr, all_of, any_of, between, divides, eq
from derive.form import Form, Value, build, constant, sigma, tensor
from derive.operators import box, conv_transpose, crop, zero_insert
from derive.symbols import offset, sizes, symbol
from derive.theorems.model import Equal, EqualIff, Holds, Part, Theorem, Twin, theorem
from derive.theorems.upsampling import CHECKERBOARD, DECONV_LAYER


def level(length: Expr, value: Expr) -> Form:
    """The output of the given length that is ``value`` everywhere."""
    return build((length,), lambda j: constant(value))


@theorem
def overlap_uniform() -> Theorem:
    """The overlap of a transposed convolution is uniform exactly when s divides k."""
    m, k, s = sizes("m k s")
    count = conv_transpose(box(m), box(k), stride=s)
    inside = s * (m + 1) - k
    interior = crop(count, (k - s, k - s))

    return Theorem(
        id="overlap-uniform",
        family="upsampling",
        title="The overlap of a transposed convolution is uniform exactly when s divides k",
        sentence=(
            "In the interior $k - s \\le j < s m$, where no window that could reach $j$ is missing, "
            "a stride-$s$ transposed convolution with $k$ taps writes "
            "$\\lfloor (k - 1 - (j \\bmod s))/s \\rfloor + 1$ times to position $j$. That is the "
            "same number everywhere exactly when $s$ divides $k$ (or fewer than a period of "
            "positions is left: $s m < k$); with dilation $d$, exactly when $s$ divides $k$ and "
            "has no common divisor with $d$."
        ),
        parts=(
            Part(
                sentence="The overlap count at the interior position $j = k - s + i$:",
                statement=Equal(interior, build((inside,), lambda i: _count_at(i + k - s, k, s))),
                hypotheses=(inside >= 1,),
                instance={"m": 4, "k": 5, "s": 2},
            ),
            Part(
                sentence=(
                    "It is the same at all interior positions exactly when $s$ divides $k$ or "
                    "$s m < k$ (its value is then $\\lfloor k/s \\rfloor$):"
                ),
                statement=EqualIff(
                    interior,
                    level(inside, k // s),
                    any_of(divides(s, k), s * m < k),
                    witnesses=({"i0": s - k % s},),
                    fixed=({"s": 2}, {"s": 3}, {"s": 4}),
                ),
                hypotheses=(inside >= 1,),
                instance={"m": 4, "k": 6, "s": 2},
            ),
            *_border_parts(),
            *_dilation_parts(),
        ),
        twin=Twin(
            "the overlap is uniform in the interior for every kernel that is at least as long as "
            "the stride",
            Equal(interior, level(inside, k // s)),
            (inside >= 1, k >= s),
        ),
        sources=(CHECKERBOARD, DECONV_LAYER),
    )


def _count_at(j: Expr, k: Expr, s: Expr) -> Value:
    return constant((k - 1 - j % s) // s + 1)


def _border_parts() -> tuple[Part, Part]:
    m, k, s, q = sizes("m k s q")
    p_lo, p_hi = offset("p_lo"), offset("p_hi")
    whole = s * (m - 1) + k
    length = s * (m - 1) + q * s - p_lo - p_hi
    cropped = conv_transpose(box(m), box(q * s), stride=s, padding=(p_lo, p_hi))
    return (
        Part(
            sentence=(
                "Without a crop the border spoils it: the whole output is covered uniformly (once) "
                "exactly when $k = s$ or $m = 1$:"
            ),
            statement=EqualIff(
                conv_transpose(box(m), box(k), stride=s),
                level(whole, Expr({(): 1})),
                any_of(eq(k, s), eq(m, 1)),
                witnesses=({"i0": s}, {"i0": s - 1}),
                fixed=({"s": 1}, {"s": 2}, {"s": 3}),
            ),
            instance={"m": 3, "k": 2, "s": 2},
        ),
        Part(
            sentence=(
                "What the border needs, for $k = q s$: with padding $(p_{lo}, p_{hi})$ every output "
                "is covered $q$ times exactly when both are at least $k - s$:"
            ),
            statement=EqualIff(
                cropped,
                level(length, q),
                all_of(p_lo >= (q - 1) * s, p_hi >= (q - 1) * s),
                witnesses=({"i0": 0}, {"i0": length - 1}),
                fixed=({"s": 1, "q": 2}, {"s": 2, "q": 2}),
            ),
            hypotheses=(length >= 1,),
            instance={"m": 4, "s": 2, "q": 2, "p_lo": 2, "p_hi": 3},
        ),
    )


def _dilation_parts() -> tuple[Part, ...]:
    k, s = sizes("k s")
    b = offset("b")

    def taps(j: Expr) -> Value:
        return sigma(k, lambda t: constant(1).where(divides(s, t - b * j)))

    return (
        _windows_part(),
        *_phases(),
        Part(
            sentence=(
                "Their number is $\\lfloor k/s \\rfloor$ at all $s$ positions of a period exactly "
                "when $s$ divides $k$. (The $s$ numbers add up to $k$, so they are equal only where "
                "they are $k/s$.)"
            ),
            statement=EqualIff(
                build((s,), taps), level(s, k // s), divides(s, k), witnesses=({"i0": 0},)
            ),
            instance={"k": 6, "s": 2, "b": 1},
        ),
        _common_divisor(),
    )


def _windows_part() -> Part:
    m, s, d = sizes("m s d")
    i, t, after = offset("i"), symbol("t", 0), symbol("u", 0)
    position = s * i + d * t
    return Part(
        sentence=(
            "With dilation $d$ the interior is $d(k-1) - s < j < s m$: a window $i$ of which tap $t$ "
            "is to reach $j = s i + d t$ is one of the $m$ windows ($u$ is the number of taps "
            "behind, $k = t + u + 1$). So tap $t$ reaches $j$ exactly where $s$ divides $j - d t$:"
        ),
        statement=Holds(between(0, i, m)),
        hypotheses=(position > d * (t + after) - s, position < s * m),
    )


def _phases() -> tuple[Part, Part]:
    s, d = sizes("s d")
    a, b, j, t, q = (offset(name) for name in ("a", "b", "j", "t", "q"))
    coprime = eq(a * s + b * d, 1)
    return (
        Part(
            sentence=(
                "If $s$ and $d$ have no common divisor, $a s + b d = 1$ for some integers, and "
                "these are the taps with $t \\equiv b j$ modulo $s$: from $j = d t + s q$ follows "
                "$t = b j + s(a t - b q)$,"
            ),
            statement=Holds(eq(t, b * (d * t + s * q) + s * (a * t - b * q))),
            hypotheses=(coprime,),
        ),
        Part(
            sentence="and from $t = b j + s q$ follows $j = d t + s(a j - d q)$:",
            statement=Holds(eq(j, d * (b * j + s * q) + s * (a * j - d * q))),
            hypotheses=(coprime,),
        ),
    )


def _common_divisor() -> Part:
    m, k, steps, dilation, common = sizes("m k s' d' γ")
    x, w = tensor("x", m), tensor("w", k)
    return Part(
        sentence=(
            "With a common divisor $\\gamma$ of stride and dilation, $s = \\gamma s'$ and "
            "$d = \\gamma d'$, only every $\\gamma$-th position is written at all: $\\gamma - 1$ "
            "holes between neighbours, so for $\\gamma \\ge 2$ the overlap is not uniform:"
        ),
        statement=Equal(
            conv_transpose(x, w, stride=common * steps, dilation=common * dilation),
            zero_insert(conv_transpose(x, w, stride=steps, dilation=dilation), common),
        ),
        instance={"m": 2, "k": 3, "s'": 2, "d'": 1, "γ": 2},
        wrt="x",
    )


@theorem
def overlap_none() -> Theorem:
    """When the contributions of a transposed convolution never meet."""
    m, k, steps, dilation, common = sizes("m k s' d' γ")
    a, b = offset("a"), offset("b")
    s, d = common * steps, common * dilation
    coprime = eq(a * steps + b * dilation, 1)

    x, w = tensor("x", m), tensor("w", k)
    y = conv_transpose(x, w, stride=s, dilation=d)
    apart = any_of(k <= steps, m <= dilation)

    return Theorem(
        id="overlap-none",
        family="upsampling",
        title="When the contributions of a transposed convolution never meet",
        sentence=(
            "Let $\\gamma$ be the greatest common divisor of stride and dilation, "
            "$s = \\gamma s'$ and $d = \\gamma d'$. No two contributions $x[i] w[t]$ of a transposed "
            "convolution are added to the same output exactly when $k \\le s'$ or $m \\le d'$. "
            "Without dilation: exactly when $k \\le s$ or $m = 1$."
        ),
        parts=(
            Part(
                sentence=(
                    "Every output that is reached is a single product, "
                    "$y[s i + d t] = x[i] w[t]$, exactly when $k \\le s'$ or $m \\le d'$ "
                    "($s'$ and $d'$ have no common divisor: $a s' + b d' = 1$):"
                ),
                statement=EqualIff(
                    build((m, k), lambda i, t: y[s * i + d * t]),
                    build((m, k), lambda i, t: x[i] * w[t]),
                    apart,
                    witnesses=({"i0": dilation, "i1": 0, "x.0": 0, "w.0": steps},),
                ),
                hypotheses=(coprime,),
                instance={"m": 2, "k": 3, "s'": 3, "d'": 1, "γ": 1, "a": 0, "b": 1},
                wrt="x",
            ),
            _touching(),
            *_overlap_without_dilation(),
        ),
        twin=Twin(
            "contributions never meet where $k \\le s$, whatever the dilation",
            Equal(
                build((m, k), lambda i, t: y[s * i + d * t]),
                build((m, k), lambda i, t: x[i] * w[t]),
            ),
            (coprime, k <= s),
        ),
        sources=(CHECKERBOARD,),
    )


def _touching() -> Part:
    k, steps, dilation, common = sizes("k s' d' γ")
    s, d = common * steps, common * dilation
    return Part(
        sentence=(
            "In particular where a window with its holes is no longer than the stride, "
            "$d(k-1) + 1 \\le s$:"
        ),
        statement=Holds(k <= steps),
        hypotheses=(d * (k - 1) + 1 <= s,),
    )


def _overlap_without_dilation() -> tuple[Part, Part]:
    m, k, s = sizes("m k s")
    m0, m1, k0, k1, s0, s1 = sizes("m0 m1 k0 k1 s0 s1")
    y = conv_transpose(tensor("x", m), tensor("w", k), stride=s)
    x, w = tensor("x", m0, m1), tensor("w", k0, k1)
    plane = conv_transpose(x, w, stride=(s0, s1))
    first, second = any_of(k0 <= s0, eq(m0, 1)), any_of(k1 <= s1, eq(m1, 1))
    return (
        Part(
            sentence="Without dilation, exactly when $k \\le s$ or $m = 1$:",
            statement=EqualIff(
                build((m, k), lambda i, t: y[s * i + t]),
                build((m, k), lambda i, t: tensor("x", m)[i] * tensor("w", k)[t]),
                any_of(k <= s, eq(m, 1)),
                witnesses=({"i0": 1, "i1": 0, "x.0": 0, "w.0": s},),
                fixed=({"s": 1}, {"s": 2}, {"s": 3}),
            ),
            instance={"m": 2, "k": 2, "s": 3},
            wrt="x",
        ),
        Part(
            sentence="In two dimensions, exactly when that holds on both axes:",
            statement=EqualIff(
                build((m0, m1, k0, k1), lambda i, j, t, u: plane[s0 * i + t, s1 * j + u]),
                build((m0, m1, k0, k1), lambda i, j, t, u: x[i, j] * w[t, u]),
                all_of(first, second),
                witnesses=(
                    _meeting("0", s0),
                    _meeting("1", s1),
                ),
            ),
            instance={"m0": 1, "m1": 2, "k0": 2, "k1": 1, "s0": 2, "s1": 3},
            wrt="x",
        ),
    )


def _meeting(axis: str, s: Expr) -> dict[str, Expr]:
    """Window 0, tap s and window 1, tap 0 of one axis meet; on the other axis all is zero."""
    zero, one = Expr({}), Expr({(): 1})
    where = dict.fromkeys(("i0", "i1", "i2", "i3", "x.0", "x.1", "w.0", "w.1"), zero)
    return {**where, f"i{axis}": one, f"w.{axis}": s}
