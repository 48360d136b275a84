"""Run a layer or an operation of Keras 3 on its TensorFlow backend, with its gradients, in float64."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from derive.dialects.registry import CALLS
from derive.numeric.frameworks import Array, Gradient, Ran, Refused
from derive.numeric.frameworks.tensorflow_runner import check_pooling, differentiated, framework

PRECISION = 1e-6  # images are resized in float32
KERNELS = ("kernel", "depthwise_kernel", "pointwise_kernel", "bias")


@cache
def keras() -> Any:
    """The module ``keras``, on TensorFlow."""
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    framework()
    return importlib.import_module("keras")


def version() -> str:
    """Keras' version and that of its backend."""
    return f"{keras().__version__} (TensorFlow {framework().__version__})"


def run(
    name: str,
    dims: int,
    arguments: Mapping[str, Any],
    x: Array,
    weights: Mapping[str, Array],
    g: Gradient,
) -> Ran:
    """The output and the gradients; raises :class:`Refused`."""
    function = keras()
    for part in name.split(".")[1:]:
        function = getattr(function, part)
    check_pooling(name, dims, arguments, x.shape)
    # neither maxima nor means of 3-D windows have a float64 kernel for the CPU
    kind = "float32" if dims == 3 and "pool" in name.lower() else "float64"
    if CALLS[name].tensors:
        first, *others = CALLS[name].tensors

        def compute(tensors: Sequence[Any]) -> Any:
            named = dict(zip((first, *others), tensors, strict=True))
            return function(**named, **arguments)

        arrays = [x, *(weights[o] for o in others)]
        return differentiated(compute, ("x", *others), arrays, g, kind)
    return _layer(function, arguments, x, weights, g, kind)


def _layer(
    maker: Any,
    arguments: Mapping[str, Any],
    x: Array,
    weights: Mapping[str, Array],
    g: Gradient,
    kind: str,
) -> Ran:
    """A layer with our weights put in the place of its own.

    A layer that is not linear here keeps its own, and has its shape compared alone.
    """
    try:
        layer = maker(dtype=kind, **arguments)
        if not layer.built:
            layer.build(x.shape)
    except Exception as error:
        raise Refused(" ".join(str(error).split())[:200]) from None
    names = [k for k in KERNELS if k in weights and getattr(layer, k, None) is not None]
    try:
        for k in names:
            getattr(layer, k).assign(weights[k])
    except ValueError as error:
        raise Refused(" ".join(str(error).split())[:200]) from None
    own = {k: _variable(layer, k) for k in names}

    def compute(tensors: Sequence[Any]) -> Any:
        with keras().StatelessScope(
            state_mapping=[(own[k], t) for k, t in zip(names, tensors[1:], strict=True)]
        ):
            return layer(tensors[0])

    return differentiated(compute, ("x", *names), [x, *(weights[k] for k in names)], g, kind)


def _variable(layer: Any, name: str) -> Any:
    found = getattr(layer, f"_{name}", None)  # a convolution keeps its kernel behind a property
    return getattr(layer, name) if found is None else found
