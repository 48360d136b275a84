"""Paddings by name ("same", "full", …) for the operators that take amounts only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from derive import shapes
from derive.operators.conv import resolve_padding
from derive.operators.registry import positive_axes


def _transposed_padding(given: dict[str, Any]) -> dict[str, Any]:
    """Named paddings of a transposed convolution are those of the convolution that it transposes.

    ``"same"``: of the SAME convolution with ``s·m`` inputs and ``m`` outputs, as TensorFlow and
    Keras have it; ``"full"``, ``"causal"``: of the stride-1 relation; ``"valid"``: none.
    """
    x, w, name = given["x"], given["w"], given["padding"]
    count = w.rank if given.get("dims") is None else given["dims"]
    s = positive_axes(given.get("stride", 1), count, "stride")
    d = positive_axes(given.get("dilation", 1), count, "dilation")
    k, m = w.shape[w.rank - count :], x.shape[x.rank - count :]
    whole = tuple(si * mi for si, mi in zip(s, m, strict=True))
    padding = resolve_padding(name, whole, k, s, d)
    if name not in ("same", "same_lower"):
        return {"padding": padding}
    rest = tuple(
        n - shapes.conv_transpose_length(mi, ki, si, di, lo, hi)
        for n, mi, ki, si, di, (lo, hi) in zip(whole, m, k, s, d, padding, strict=True)
    )
    return {"padding": padding, "output_padding": rest}


def _pooling_padding(given: dict[str, Any]) -> dict[str, Any]:
    """Named paddings of a pooling, as for a convolution with a kernel of its length."""
    x = given["x"]
    count = x.rank if given.get("dims") is None else given["dims"]
    k = positive_axes(given["k"], count, "kernel length")
    s = k if given.get("stride") is None else positive_axes(given["stride"], count, "stride")
    d = positive_axes(given.get("dilation", 1), count, "dilation")
    return {"padding": resolve_padding(given["padding"], x.shape[x.rank - count :], k, s, d)}


NAMED_PADDING: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "conv_transpose": _transposed_padding,
    "sum_pool": _pooling_padding,
    "avg_pool": _pooling_padding,
    "max_pool": _pooling_padding,
}
