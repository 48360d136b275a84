"""PyTorch as an oracle for its own calls: outputs, and gradients by its autograd, in float64."""

from __future__ import annotations

import importlib
import inspect
import warnings
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from derive.numeric.frameworks import Array, Gradient, Ran, Refused

PRECISION = 1e-12
SECOND = ("indices", "output_size")  # the arguments of layer(x, …)
REFUSALS = (
    RuntimeError, ValueError, TypeError, AssertionError, IndexError, NotImplementedError,
    ZeroDivisionError, OverflowError,
)  # fmt: skip


def version() -> str:
    """PyTorch's version."""
    return str(importlib.import_module("torch").__version__)


def run(
    name: str,
    dims: int,
    arguments: Mapping[str, Any],
    x: Array,
    weights: Mapping[str, Array],
    g: Gradient,
) -> Ran:
    """A call of ``torch.nn`` (``nn.…``) or ``torch.nn.functional`` (``F.…``).

    Raises :class:`derive.numeric.frameworks.Refused` with PyTorch's first line where it refuses.
    """
    torch = importlib.import_module("torch")
    torch.set_num_threads(1)
    given = {k: plain(v) for k, v in arguments.items()}
    tensor = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    apply = _layer if name.startswith("nn.") else _function
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # advice on speed and old names
            output, leaves = apply(torch, name.split(".")[1], given, tensor, weights)
        output = output[0] if isinstance(output, tuple) else output
    except REFUSALS as error:
        raise Refused(str(error).split("\n")[0]) from None
    leaves = {"x": tensor, **leaves}
    if not output.requires_grad or not output.numel() or torch.isneginf(output).any():
        return Ran(_array(output))  # the gradient of an empty maximum writes where it should not
    incoming = torch.tensor(g(tuple(output.shape)), dtype=torch.float64)
    found = torch.autograd.grad(output, list(leaves.values()), incoming)
    gradients = {k: _array(v) for k, v in zip(leaves, found, strict=True)}
    return Ran(_array(output), gradients)


def plain(value: Any) -> Any:
    """An argument as PyTorch takes it: fractions are floats.

    >>> plain((Fraction(3, 2), 2))
    (1.5, 2)
    """
    if isinstance(value, tuple):
        return tuple(plain(v) for v in value)
    return float(value) if isinstance(value, Fraction) else value


def _array(value: Any) -> Array:
    return np.array(value.detach().numpy())


def _layer(
    torch: Any, name: str, given: dict[str, Any], x: Any, weights: Mapping[str, Array]
) -> tuple[Any, dict[str, Any]]:
    """A layer object with its weights set, applied to ``x``; its weights as leaves."""
    kind = getattr(torch.nn, name)
    second = {k: given.pop(k) for k in SECOND if k in given and not _own(kind, k)}
    if "indices" in weights:
        second["indices"] = torch.tensor(weights["indices"].astype(np.int64))
    layer = kind(**given).double()
    leaves = dict(layer.named_parameters())
    for parameter, leaf in leaves.items():
        if parameter not in weights:
            continue
        if tuple(leaf.shape) != weights[parameter].shape:
            raise ValueError(
                f"{parameter} has the shape {tuple(leaf.shape)} and not {weights[parameter].shape}"
            )
        leaf.data = torch.tensor(weights[parameter], dtype=torch.float64)
    return layer(x, **second), leaves


def _own(kind: Any, parameter: str) -> bool:
    return parameter in inspect.signature(kind.__init__).parameters


def _function(
    torch: Any, name: str, given: dict[str, Any], x: Any, weights: Mapping[str, Array]
) -> tuple[Any, dict[str, Any]]:
    function = getattr(torch.nn.functional, name)
    tensors, leaves = {}, {}
    for parameter, values in weights.items():
        if parameter == "indices":
            tensors[parameter] = torch.tensor(values.astype(np.int64))
        else:
            leaf = torch.tensor(values, dtype=torch.float64, requires_grad=True)
            tensors[parameter] = leaves[parameter] = leaf
    return function(x, **tensors, **given), leaves
