"""Keras 1 as TensorFlow runs it today: each layer by the calls of ``tf.nn`` that its backend makes.

Keras 1 itself needs a Python and a TensorFlow that are gone.  What its layers compute is written in
``keras/backend/tensorflow_backend.py`` (1.2.2): the input and the kernel are brought into channels last,
``border_mode`` becomes a padding, and one call of ``tf.nn`` follows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from derive.numeric.frameworks import Array, Gradient, Ran, Refused
from derive.numeric.frameworks.tensorflow_runner import PRECISION as PRECISION
from derive.numeric.frameworks.tensorflow_runner import check_pooling, differentiated, framework
from derive.numeric.frameworks.tensorflow_runner import version as version

WEIGHTS = ("W", "depthwise_kernel", "pointwise_kernel", "b")
PADDINGS = {"valid": "VALID", "same": "SAME"}


def run(
    name: str,
    dims: int,
    arguments: Mapping[str, Any],
    x: Array,
    weights: Mapping[str, Array],
    g: Gradient,
) -> Ran:
    """The output and the gradients; raises :class:`Refused`."""
    layer = name.split(".")[-1]
    check_pooling(name, dims, arguments, x.shape)
    first = dims > 1 and arguments.get("dim_ordering", "default") in ("default", "th")
    if arguments.get("dim_ordering", "default") not in ("default", "th", "tf"):
        raise Refused("dim_ordering must be in {tf, th}.")
    mode = arguments.get("border_mode", "valid")
    if mode not in PADDINGS:
        raise Refused(f"Invalid border mode: {mode}")
    names = [w for w in WEIGHTS if w in weights]

    def compute(tensors: Sequence[Any]) -> Any:
        tf = framework()
        given = dict(zip(names, tensors[1:], strict=True))
        axes = (0, *range(2, dims + 2), 1)
        y = tf.transpose(tensors[0], axes) if first else tensors[0]
        if dims == 1:
            y = tf.expand_dims(y, 2)
        y = _computed(layer, dims, arguments, y, given, PADDINGS[mode], first)
        if "b" in given:
            y = y + given["b"]
        if dims == 1 and len(y.shape) == 4:
            y = tf.squeeze(y, 2)
        return (
            tf.transpose(y, (0, dims + 1, *range(1, dims + 1))) if first and len(y.shape) > 2 else y
        )

    kind = "float32" if dims == 3 and layer == "MaxPooling3D" else "float64"
    return differentiated(compute, ("x", *names), [x, *(weights[n] for n in names)], g, kind)


def _last(w: Any, dims: int, first: bool) -> Any:
    """A kernel as (*k, in, out): Keras 1.0 keeps 1-D ones as (out, in, k, 1)."""
    if dims == 1:
        return framework().transpose(w, (2, 3, 1, 0))
    return framework().transpose(w, (*range(2, dims + 2), 1, 0)) if first else w


def _strides(arguments: Mapping[str, Any], dims: int, *names: str) -> list[Any]:
    for name in names:
        value = arguments.get(name)
        if value is not None:
            if dims == 1:
                return [1, value, 1, 1]
            return [1, *value, 1]
    return [1] * (max(dims, 2) + 2)


def _computed(
    layer: str,
    dims: int,
    arguments: Mapping[str, Any],
    y: Any,
    given: Mapping[str, Any],
    padding: str,
    first: bool,
) -> Any:
    tf = framework()
    steps = _strides(arguments, dims, "subsample_length", "subsample")
    if layer == "Deconvolution2D":
        return _deconvolved(arguments, y, given["W"], padding, first)
    if layer == "SeparableConvolution2D":
        deep = tf.transpose(given["depthwise_kernel"], (2, 3, 1, 0)) if first else None
        deep = given["depthwise_kernel"] if deep is None else deep
        mix = _last(given["pointwise_kernel"], dims, first)
        return tf.nn.separable_conv2d(y, deep, mix, steps, padding)
    if "Convolution" in layer:
        kernel = _last(given["W"], dims, first)
        if dims == 3:
            return tf.nn.conv3d(y, kernel, steps, padding)
        rate = arguments.get("atrous_rate", 1 if dims == 1 else (1, 1))
        rate = (rate, 1) if dims == 1 else rate
        if rate == (1, 1):
            return tf.nn.conv2d(y, kernel, steps, padding)
        if steps != [1, 1, 1, 1]:
            raise Refused("Invalid strides for dilated convolution")
        if dims == 2 and rate[0] != rate[1]:
            raise Refused("the rates for rows and columns differ")
        return tf.nn.conv2d(y, kernel, steps, padding, dilations=list(rate))
    if "Pooling" in layer:
        return _pooled(layer, dims, arguments, y, padding)
    return _moved(layer, dims, arguments, y)


def _deconvolved(arguments: Mapping[str, Any], y: Any, w: Any, padding: str, first: bool) -> Any:
    """``conv2d_transpose`` to the length that Keras 1.0 announces (``conv_input_length``)."""
    tf = framework()
    kernel = tf.transpose(_last(w, 2, first), (0, 1, 3, 2))
    s = arguments.get("subsample", (1, 1))
    k, made = kernel.shape[:2], kernel.shape[2]
    halves = [ki // 2 if padding == "SAME" else 0 for ki in k]
    n = [
        (mi - 1) * si - 2 * p + ki for mi, si, p, ki in zip(y.shape[1:3], s, halves, k, strict=True)
    ]
    return tf.nn.conv2d_transpose(y, kernel, [y.shape[0], *n, made], [1, *s, 1], padding)


def _pooled(layer: str, dims: int, arguments: Mapping[str, Any], y: Any, padding: str) -> Any:
    tf = framework()
    kind = "max" if "Max" in layer else "avg"
    if layer.startswith("Global"):
        reduce = tf.reduce_max if kind == "max" else tf.reduce_mean
        return reduce(y, axis=list(range(1, len(y.shape) - 1)))
    if dims == 1:
        k = arguments.get("pool_length", 2)
        s = arguments.get("stride")
        window, steps = [1, k, 1, 1], [1, k if s is None else s, 1, 1]
    else:
        size = arguments.get("pool_size", (2,) * dims)
        s = arguments.get("strides")
        window, steps = [1, *size, 1], [1, *(size if s is None else s), 1]
    if any(a < 1 for a in (*window, *steps)):
        raise Refused("Sliding window strides and sizes must be positive")
    if len(window) != len(y.shape) or len(steps) != len(y.shape):
        raise Refused("the pool size has another number of axes than the input")
    return getattr(tf.nn, f"{kind}_pool{max(dims, 2)}d")(y, window, steps, padding)


def _moved(layer: str, dims: int, arguments: Mapping[str, Any], y: Any) -> Any:
    tf = framework()
    spatial = range(1, dims + 1)
    if layer.startswith("UpSampling"):
        size = arguments.get("length", 2) if dims == 1 else arguments.get("size", (2,) * dims)
        for axis, times in zip(spatial, (size,) if dims == 1 else size, strict=True):
            if times < 1:
                raise Refused("the factor is not positive")
            y = tf.repeat(y, times, axis=axis)
        return y
    unit = [[0, 0]] if dims == 1 else []
    if layer.startswith("ZeroPadding"):
        p = arguments.get("padding", 1 if dims == 1 else (1,) * dims)
        return tf.pad(y, [[0, 0], *_amounts(p, dims), *unit, [0, 0]])
    cut = arguments.get("cropping", ((1, 1) if dims == 1 else ((dims - 2, dims - 2),) * dims))
    pairs = (cut,) if dims == 1 else cut
    if any(
        lo < 0 or hi < 0 or lo + hi >= y.shape[a]
        for a, (lo, hi) in zip(spatial, pairs, strict=True)
    ):
        raise Refused("nothing is left")
    for axis, (lo, hi) in zip(spatial, pairs, strict=True):
        y = tf.gather(y, list(range(lo, y.shape[axis] - hi)), axis=axis)
    return y


def _amounts(p: Any, dims: int) -> list[list[int]]:
    if dims == 1:
        return [list(p)] if isinstance(p, tuple) else [[p, p]]
    if dims == 2 and len(p) == 4:
        return [[p[0], p[1]], [p[2], p[3]]]
    return [[a, a] for a in p]
