"""One plain Python function for each shape rule.

Called with ints a rule computes, with integer expressions (:mod:`derive.expr`) it is the formula
that the prover reasons about, with SymPy symbols it is that formula in SymPy, and latexify prints
its source.  All lengths count elements along one axis.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import prod
from typing import Any

from derive.expr import Expr, maximum, minimum


def effective_length(k: Any, d: Any = 1) -> Any:
    """The length of a kernel of ``k`` taps with dilation ``d``: ``d(k - 1) + 1``.

    >>> effective_length(3, 2)
    5
    """
    return d * (k - 1) + 1


def conv_length(
    n: Any, k: Any, s: Any = 1, d: Any = 1, e: Any = 1, p_lo: Any = 0, p_hi: Any = 0
) -> Any:
    """The output length of a convolution (or of a pooling without ceil_mode).

    ``⌊(e(n−1) + 1 + p_lo + p_hi − d(k−1) − 1) / s⌋ + 1``, for ``s, d, e >= 1`` and a padded input
    that is at least as long as the dilated kernel.  Source: Dumoulin & Visin 2016, relationship 6,
    with dilation (relationship 15) and base dilation.

    >>> conv_length(28, 3, s=2, p_lo=1, p_hi=1)
    14
    """
    return (e * (n - 1) + p_lo + p_hi - d * (k - 1)) // s + 1


def conv_remainder(
    n: Any, k: Any, s: Any = 1, d: Any = 1, e: Any = 1, p_lo: Any = 0, p_hi: Any = 0
) -> Any:
    """The number of trailing (padded) input positions that no window reaches.

    It is the one output padding with which the transposed convolution returns to length ``n``.

    >>> conv_remainder(28, 3, s=2, p_lo=1, p_hi=1)
    1
    """
    return (e * (n - 1) + p_lo + p_hi - d * (k - 1)) % s


def conv_transpose_length(
    m: Any, k: Any, s: Any = 1, d: Any = 1, p_lo: Any = 0, p_hi: Any = 0, r: Any = 0
) -> Any:
    """The output length of a transposed convolution: ``s(m−1) + d(k−1) + 1 − p_lo − p_hi + r``.

    >>> conv_transpose_length(14, 3, s=2, p_lo=1, p_hi=1, r=1)
    28
    """
    return s * (m - 1) + d * (k - 1) + 1 - p_lo - p_hi + r


def ceil_length(n: Any, k: Any, s: Any = 1, d: Any = 1, p_lo: Any = 0, p_hi: Any = 0) -> Any:
    """The output length of a pooling with ceil_mode: rounded up, but no window may start in the
    padding behind the input.

    PyTorch rounds up and drops *one* window that would start behind the input; that is this rule
    for ``p_hi <= d(k-1) + 1``, and PyTorch takes no padding beyond half the dilated kernel.

    Source: PyTorch ``pooling_output_shape`` (the rule as mended in pytorch/pytorch#46558; that the
    documented formula lacks it is pytorch/pytorch#57178).

    >>> ceil_length(7, 2, s=2), ceil_length(5, 1, s=3, p_hi=0), ceil_length(4, 2, s=3, p_lo=1, p_hi=1)
    (4, 2, 2)
    """
    up = -((d * (k - 1) - n - p_lo - p_hi + 1) // s) + 1
    start_limit = (n + p_lo - 1) // s + 1
    return smaller(up, start_limit)


def same_length(n: Any, s: Any = 1) -> Any:
    """The output length of SAME padding: ``⌈n/s⌉``.

    >>> same_length(7, 2)
    4
    """
    return -(-n // s)


def same_total(n: Any, k: Any, s: Any = 1, d: Any = 1) -> Any:
    """The total padding of SAME: ``max(0, (⌈n/s⌉ − 1)s + d(k−1) + 1 − n)``.

    Source: TensorFlow, ``GetWindowedOutputSizeVerbose``.

    >>> same_total(7, 3, 2), same_total(6, 3, 2)
    (2, 1)
    """
    return larger(0, (same_length(n, s) - 1) * s + d * (k - 1) + 1 - n)


def same_padding(n: Any, k: Any, s: Any = 1, d: Any = 1) -> tuple[Any, Any]:
    """SAME padding as ``(lo, hi)``; the odd one goes behind (SAME_UPPER).

    >>> same_padding(6, 3, 2)
    (0, 1)
    """
    total = same_total(n, k, s, d)
    return total // 2, total - total // 2


def adaptive_window(i: Any, n: Any, m: Any) -> tuple[Any, Any]:
    """The window ``[⌊i n/m⌋, ⌈(i+1) n/m⌉)`` that adaptive pooling n → m averages for output i.

    >>> [adaptive_window(i, 5, 3) for i in range(3)]
    [(0, 2), (1, 4), (3, 5)]
    """
    return (i * n) // m, -((-(i + 1) * n) // m)


def valid_length(n: Any, k: Any, s: Any = 1, d: Any = 1) -> Any:
    """The output length of VALID padding (none): ``⌊(n − d(k−1) − 1)/s⌋ + 1``.

    >>> valid_length(7, 3, 2)
    3
    """
    return conv_length(n, k, s, d)


def full_length(n: Any, k: Any, s: Any = 1, d: Any = 1) -> Any:
    """The output length of FULL padding, ``d(k−1)`` on both sides: ``⌊(n − 1 + d(k−1))/s⌋ + 1``.

    >>> full_length(4, 3)
    6
    """
    return (n - 1 + d * (k - 1)) // s + 1


def causal_length(n: Any, s: Any = 1) -> Any:
    """The output length of CAUSAL padding, ``d(k−1)`` in front only: ``⌊(n − 1)/s⌋ + 1 = ⌈n/s⌉``.

    >>> causal_length(7, 2)
    4
    """
    return (n - 1) // s + 1


def upsample_length(n: Any, s: Any) -> Any:
    """The output length of upsampling by the factor ``s``: ``s·n``.

    >>> upsample_length(14, 2)
    28
    """
    return s * n


def pixel_shuffle_shape(c: Any, n: Sequence[Any], r: Any) -> tuple[Any, ...]:
    """``(c, *n) → (c/r^D, *(r·n))`` for ``D`` spatial axes, where ``r^D`` divides ``c``.

    >>> pixel_shuffle_shape(12, (5, 7), 2)
    (3, 10, 14)
    """
    return (c // _power(r, len(n)), *(r * a for a in n))


def pixel_unshuffle_shape(c: Any, n: Sequence[Any], r: Any) -> tuple[Any, ...]:
    """``(c, *n) → (c·r^D, *(n/r))`` for ``D`` spatial axes, where ``r`` divides every ``n``.

    >>> pixel_unshuffle_shape(3, (10, 14), 2)
    (12, 5, 7)
    """
    return (c * _power(r, len(n)), *(a // r for a in n))


def _power(r: Any, times: int) -> Any:
    result = 1
    for _ in range(times):
        result = result * r
    return result


def im2col_shape(
    n: Sequence[Any], k: Sequence[Any], s: Sequence[Any], d: Sequence[Any], p: Sequence[Any]
) -> tuple[Any, ...]:
    """The shape of the columns, taps before positions, for padding ``p`` on both sides:
    ``(*k, *m)`` with ``m`` the output lengths of the convolution that they serve.

    PyTorch's ``Unfold`` merges them to ``(c·Πk, Πm)``.

    >>> im2col_shape((4, 5), (2, 3), (1, 1), (1, 1), (0, 1))
    (2, 3, 3, 5)
    """
    m = (conv_length(a, b, c, e, 1, q, q) for a, b, c, e, q in zip(n, k, s, d, p, strict=True))
    return (*k, *m)


# -- chains ----------------------------------------------------------------------------------------
# A layer is (k, s, d, e, p): output i reads the inputs j with e·j = s·i + d·t − p for a tap t < k.
# A transposed convolution of stride s is a layer with stride 1 and base dilation e = s.

Taps = tuple[Any, Any, Any, Any, Any]


def transposed_taps(k: Any, s: Any = 1, d: Any = 1, p: Any = 0) -> Taps:
    """A transposed convolution as a layer of a chain: ``s·j + d·t − p = i`` read backwards.

    >>> transposed_taps(4, 2, 1, 1)
    (4, 1, 1, 2, 2)
    """
    return (k, 1, d, s, d * (k - 1) - p)


def upsample_taps(s: Any) -> Taps:
    """Nearest upsampling as a layer of a chain: ``j = ⌊i/s⌋``.

    >>> upsample_taps(3)
    (3, 1, 1, 3, 2)
    """
    return (s, 1, 1, s, s - 1)


def chain_jump(layers: Sequence[Taps]) -> Any:
    """How far apart in the input the fields of neighbouring outputs are: ``Π s/e``.

    >>> chain_jump([(3, 2, 1, 1, 1), (3, 2, 1, 1, 1)])
    4
    >>> chain_jump([transposed_taps(4, 2)])
    Fraction(1, 2)
    """
    up = _product(s for _, s, _, _, _ in layers)
    down = _product(e for _, _, _, e, _ in layers)
    if isinstance(down, int) and down == 1:
        return up
    found = Fraction(up, down)
    return int(found) if found.denominator == 1 else found


def chain_offset(layers: Sequence[Taps]) -> Fraction:
    """Where in the input the middle of the taps of output 0 lies (0 is the first sample).

    The middle of output ``i`` lies at ``offset + jump·i``.

    >>> chain_offset([(3, 2, 1, 1, 1), (2, 2, 1, 1, 0)])
    Fraction(1, 1)
    """
    at = Fraction(0)
    for k, s, d, e, p in reversed(layers):
        at = (s * at + Fraction(d * (k - 1), 2) - p) / e
    return at


def chain_field(layers: Sequence[Taps]) -> Any:
    """The receptive field: how many input samples the widest output spans, borders left out.

    For windows, ``1 + Σ_l d_l(k_l − 1)·Π_{l'<l} s_l'``.  Where a layer stretches its input
    (``e > 1``) outputs see different numbers of inputs, which repeat with the period ``Π e``.

    >>> chain_field([(3, 2, 1, 1, 1), (3, 2, 1, 1, 1)]), chain_field([transposed_taps(4, 2)])
    (7, 2)
    """
    if all(isinstance(e, int) and e == 1 for _, _, _, e, _ in layers):
        field, step = 1, 1
        for k, s, d, _, _ in layers:
            field, step = field + d * (k - 1) * step, step * s
        return field
    spans = (chain_reads(i, layers) for i in range(prod(e for _, _, _, e, _ in layers)))
    return max((found[-1] - found[0] + 1 for found in spans if found), default=0)


def chain_reads(i: int, layers: Sequence[Taps]) -> list[int]:
    """The inputs of a chain that output ``i`` reads, in order, the borders left out.

    >>> chain_reads(3, [(3, 2, 1, 1, 1), (2, 2, 2, 1, 0)])
    [11, 12, 13, 15, 16, 17]
    """
    places = {i}
    for layer in reversed(layers):
        places = {j for at in places for j in _reads(at, layer)}
    return sorted(places)


def _reads(i: int, layer: Taps) -> Iterator[int]:
    k, s, d, e, p = layer
    for t in range(k):
        j, rest = divmod(s * i + d * t - p, e)
        if not rest:
            yield j


def _product(values: Iterator[Any]) -> Any:
    result: Any = 1
    for v in values:
        result = result * v
    return result


def larger(a: Any, b: Any) -> Any:
    """The larger of two lengths, for numbers and for symbols."""
    if isinstance(a, Expr) or isinstance(b, Expr):
        return maximum(a, b)
    if isinstance(a, int) and isinstance(b, int):
        return max(a, b)
    import sympy

    return sympy.Max(a, b)


def smaller(a: Any, b: Any) -> Any:
    """The smaller of two lengths, for numbers and for symbols."""
    if isinstance(a, Expr) or isinstance(b, Expr):
        return minimum(a, b)
    return -larger(-a, -b)
