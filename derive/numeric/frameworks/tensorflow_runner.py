"""Run a call in TensorFlow, with its gradients, in float64.

What TensorFlow's kernels for the CPU lack (channels first, groups, dilated gradients) is compiled with
XLA instead: those are limits of a device, not of the call.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from derive.dialects.registry import CALLS
from derive.numeric.frameworks import Array, Gradient, Ints, Ran, Refused

PRECISION = 1e-6  # images are resized in float32
OLD = ("tf.nn.conv2d_backprop_input", "tf.nn.conv2d_backprop_filter")  # now under compat.v1
DEVICE = (
    "nhwc",
    "ndhwc",
    "not yet support",
    "no opkernel",
    "could not find device",
    "cpu implementation",
    "number of channels in filter",
    "gradients for grouped convolutions",
)


@cache
def framework() -> Any:
    """The module ``tensorflow``, without its messages."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    tensorflow = importlib.import_module("tensorflow")
    tensorflow.get_logger().setLevel("ERROR")
    with contextlib.suppress(RuntimeError):  # somebody has used TensorFlow already: only slower
        tensorflow.config.threading.set_intra_op_parallelism_threads(1)
    return tensorflow


def version() -> str:
    """TensorFlow's version."""
    return str(framework().__version__)


def run(
    name: str,
    dims: int,
    arguments: Mapping[str, Any],
    x: Array,
    weights: Mapping[str, Array],
    g: Gradient,
) -> Ran:
    """The output and the gradients; raises :class:`Refused`."""
    first, *others = CALLS[name].tensors
    function = _function(name)
    given = {k: _listed(v) for k, v in arguments.items()}

    def compute(tensors: Sequence[Any]) -> Any:
        return function(
            **{first: tensors[0]}, **dict(zip(others, tensors[1:], strict=True)), **given
        )

    check_pooling(name, dims, arguments, x.shape)
    # MaxPool3D has no float64, nor have XLA's AvgPool3D, DepthToSpace and SpaceToDepth
    single = (dims == 3 and "pool" in name) or name.endswith(("depth_to_space", "space_to_depth"))
    arrays = [x, *(weights[o] for o in others)]
    kind = "float32" if single else "float64"
    return differentiated(compute, ("x", *others), arrays, g, kind, positive(arguments))


def check_pooling(name: str, dims: int, arguments: Mapping[str, Any], shape: Ints) -> None:
    """Refuse what must not be run: 3-D pooling divides by a stride of 0 and by the number of its
    outputs, which ends the process.
    """
    if dims != 3 or "pool" not in name.lower() or "Global" in name or "Adaptive" in name:
        return
    if not positive(arguments):
        raise Refused("a stride or a window that is not positive")
    given = [arguments.get(k) for k in ("ksize", "pool_size", "window_shape")]
    window: Any = next((k for k in given if k is not None), 2)
    window = window if isinstance(window, tuple) else (window,)
    first = _channels_first(name, arguments)
    if len(window) == 5:
        window = window[2:] if first else window[1:-1]
    window = window * 3 if len(window) == 1 else window
    named = str(arguments.get("padding", arguments.get("border_mode", "valid"))).lower()
    lengths = shape[2:] if first else shape[1:-1]
    if named != "same" and any(k > n for k, n in zip(window, lengths, strict=False)):
        raise Refused("no window fits")


def _channels_first(name: str, arguments: Mapping[str, Any]) -> bool:
    if name.startswith("keras1."):
        return str(arguments.get("dim_ordering")) != "tf"
    return str(arguments.get("data_format")).startswith(("NC", "channels_first"))


def positive(arguments: Mapping[str, Any]) -> bool:
    """Are all numbers that count something positive?  XLA ends the process for some that are not."""
    counts = ("ksize", "pool_size", "strides", "stride", "dilations", "window_shape", "rate")
    values = [1 if arguments.get(c) is None else arguments[c] for c in counts]
    flat = [v for value in values for v in (value if isinstance(value, tuple) else (value,))]
    return all(v > 0 for v in flat)


def _function(name: str) -> Callable[..., Any]:
    tf = framework()
    found: Any = tf.compat.v1 if name in OLD else tf
    for part in name.split(".")[1:]:
        found = getattr(found, part)
    return found  # type: ignore[no-any-return]


def _listed(value: Any) -> Any:
    return [_listed(v) for v in value] if isinstance(value, tuple) else value


def differentiated(
    compute: Callable[[Sequence[Any]], Any],
    names: Sequence[str],
    arrays: Sequence[Array],
    g: Gradient,
    kind: str = "float64",
    compiling: bool = True,
) -> Ran:
    """The value of a function of tensors and its gradients by all of them.

    Args:
        compute: the function.
        names: the names of its tensors.
        arrays: their values.
        g: the incoming gradient for the shape of the value.
        kind: the type of the numbers.
        compiling: whether XLA may be asked where the CPU has no kernel.

    Raises :class:`Refused` where the framework refuses.
    """
    tf = framework()
    tensors = [tf.constant(a, dtype=kind) for a in arrays]
    try:
        output = compute(tensors)
    except Exception as error:
        if not (compiling and _of_device(error)):
            raise Refused(_said(error)) from None
        output = None
    if output is None:
        output = _compiled(compute, tensors)
    value = np.asarray(output)
    if not value.size:  # conv2d_backprop_filter ends the process for an empty gradient
        return Ran(value)
    incoming = tf.constant(g(value.shape), dtype=value.dtype)
    back = _back(compute, tensors, incoming)
    found = {n: np.asarray(b) for n, b in zip(names, back, strict=True) if b is not None}
    return Ran(value, found)


def _of_device(error: Exception) -> bool:
    text = _said(error).lower()
    return any(word in text for word in DEVICE)


def _said(error: Exception) -> str:
    """What an error says, without the place in the graph."""
    return " ".join(re.sub(r"\{\{.*?\}\}", "", str(error)).split())[:200]


def _compiled(compute: Callable[[Sequence[Any]], Any], tensors: Sequence[Any]) -> Any:
    try:
        return framework().function(lambda *t: compute(t), jit_compile=True)(*tensors)
    except Exception as error:
        raise Refused(_said(error)) from None


def _back(
    compute: Callable[[Sequence[Any]], Any], tensors: Sequence[Any], incoming: Any
) -> Sequence[Any]:
    """The gradients, compiled where the kernels for the CPU lack them; none where there are none."""
    tf = framework()

    def gradients(*given: Any) -> Any:
        with tf.GradientTape() as tape:
            for t in given:
                tape.watch(t)
            value = compute(given)
        zero = tf.UnconnectedGradients.ZERO
        return tape.gradient(value, list(given), incoming, unconnected_gradients=zero)

    try:
        return gradients(*tensors)  # type: ignore[no-any-return]
    except Exception:
        try:
            return tf.function(gradients, jit_compile=True)(*tensors)  # type: ignore[no-any-return]
        except Exception:
            return [None] * len(tensors)
