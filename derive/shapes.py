"""One plain Python function for each shape rule.

Called with ints a rule computes, with integer expressions (:mod:`derive.expr`) it is the formula
that the prover reasons about, with SymPy symbols it is that formula in SymPy, and latexify prints
its source.  All lengths count elements along one axis.
"""

from __future__ import annotations

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
