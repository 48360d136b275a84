"""PyTorch: ``nn.MaxUnpool1d`` to ``3d`` and ``F.max_unpool``.

Source: ``_unpool_output_size`` in ``torch/nn/functional.py`` (2.x).  Values are those of indices
that a pooling with the same parameters gave; PyTorch takes any.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from derive.dialects.layer import CANONICAL, Layer, Plan, Requirement, Shape, axes, integer, step
from derive.dialects.pytorch_pool import window_axes
from derive.dialects.registry import call
from derive.errors import WrongInput
from derive.expr import Expr

Axes = tuple[Expr, ...]


@call("PyTorch", "nn.MaxUnpool{d}d", applied=("indices", "output_size"))
def max_unpool(
    dims: int,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    *,
    indices: Any = None,
    output_size: Any = None,
) -> Layer:
    """``torch.nn.MaxUnpool1d``, ``2d``, ``3d``, applied as ``layer(x, indices, output_size)``."""
    return unpooling(dims, kernel_size, stride, padding, output_size)


@call("PyTorch", "F.max_unpool{d}d", tensors=("input", "indices"))
def max_unpool_functional(
    dims: int,
    input: Any,  # noqa: A002  PyTorch's own name
    indices: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    output_size: Any = None,
) -> Layer:
    """``torch.nn.functional.max_unpool1d``, ``2d``, ``3d``."""
    return unpooling(dims, kernel_size, stride, padding, output_size)


def unpooling(dims: int, kernel_size: Any, stride: Any, padding: Any, output_size: Any) -> Layer:
    """Each value back to its place; length ``(m - 1)s - 2p + k`` or less than a stride from it."""
    k, s = window_axes(dims, kernel_size, stride)
    p = axes(padding, dims, "padding")
    wanted = None if output_size is None else _wanted(dims, output_size)

    def plan(x: Shape, given: Mapping[str, Shape]) -> Plan:
        usual = tuple(
            (m - 1) * si + ki - 2 * pi for m, si, ki, pi in zip(x[1:], s, k, p, strict=True)
        )
        lengths = wanted or usual
        fits = [
            Requirement(n >= 1, f"the output would have the length {n}; give less padding")
            for n in usual
            if not wanted
        ]
        for axis, (n, middle, si) in enumerate(zip(lengths, usual, s, strict=True)):
            message = (
                f"output_size = {n}: PyTorch refuses it (dim {axis} must be between {middle - si} and "
                f"{middle + si}), and neither of the two; give a length between them"
            )
            fits += [Requirement(n > middle - si, message), Requirement(n < middle + si, message)]
        step_ = step(
            "max_unpool",
            k=k,
            length=lengths,
            stride=s,
            padding=tuple((a, a) for a in p),
            dims=dims,
        )
        return Plan((step_,), requires=tuple(fits))

    return Layer(dims, CANONICAL[dims], plan, unbatched=True)


def _wanted(dims: int, output_size: Any) -> Axes:
    if not isinstance(output_size, tuple) or len(output_size) not in (dims, dims + 2):
        raise WrongInput(
            f"output_size = {output_size}: PyTorch takes {dims} lengths, or {dims + 2} with batch "
            "and channels; give a tuple of them"
        )
    return tuple(integer(v, "output_size") for v in output_size[len(output_size) - dims :])
