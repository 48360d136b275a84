"""What the real frameworks say about a wrong call: each call is made, and the exception is read."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from derive.dialects.calls import Call, Name, Sum, read_calls

MODULES = {
    "PyTorch": {"nn": "torch.nn", "F": "torch.nn.functional"},
    "TensorFlow": {"tf": "tensorflow"},
    "Keras": {"keras": "keras"},
    "JAX": {"lax": "jax.lax", "jnp": "jax.numpy", "jax": "jax"},
    "NumPy": {"np": "numpy"},
    "SciPy": {"signal": "scipy.signal"},
}
NEEDED = {
    "PyTorch": ("torch",),
    "TensorFlow": ("tensorflow",),
    "Keras": ("keras", "tensorflow"),
    "JAX": ("jax",),
    "ONNX": ("onnx", "onnxruntime"),
    "NumPy": ("numpy",),
    "SciPy": ("scipy",),
}
ENVIRONMENT = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "CUDA_VISIBLE_DEVICES": "-1",
    "KERAS_BACKEND": "tensorflow",
    "JAX_PLATFORMS": "cpu",
}


WAYS = {
    "PyTorch": ("eager",),
    "TensorFlow": ("eager", "graph"),  # on tensors, and traced by tf.function
    "Keras": ("model", "eager"),  # on keras.Input, and on tensors
    "JAX": ("eager",),
    "ONNX": ("eager",),
    "NumPy": ("eager",),
    "SciPy": ("eager",),
}


class NotRefused(AssertionError):
    """The framework takes the call."""


def said(framework: str, text: str, shape: tuple[int, ...]) -> str:
    """What a framework says when the call of a text is made on an input of a shape, in one line.

    A tensor's shape stands beside its name, ``w[4, 3, 3, 3]``; that of the input may be left out.
    Raises :class:`NotRefused` where the call is made without an exception.
    """
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    written = read_calls(text)[-1].value
    assert isinstance(written, Call)
    texts = []
    for way in WAYS[framework]:
        make = _onnx if framework == "ONNX" else _python
        try:
            made = make(framework, written, shape, way)
        except Exception as error:  # whatever the framework has for it
            texts.append(" ".join(str(error).split()))
    if not texts:
        raise NotRefused(f"{framework} takes {text} on an input of {shape} and gives {made}")
    return " | ".join(texts)


def gives(framework: str, text: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of what a framework gives for the call of a text on tensors."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    written = read_calls(text)[-1].value
    assert isinstance(written, Call)
    make = _onnx if framework == "ONNX" else _python
    return tuple(map(int, make(framework, written, shape, "eager")))


def _python(framework: str, written: Call, shape: tuple[int, ...], way: str) -> Any:
    root, *path = written.name.split(".")
    found: Any = importlib.import_module(MODULES[framework][root])
    for part in path:
        found = getattr(found, part)
    tensor = _tensors(framework, way)

    def value(v: Any) -> Any:
        return _value(framework, v, tensor, shape)

    arguments = [value(v) for v in written.arguments]
    keywords = {k: value(v) for k, v in written.keywords}
    if not path[-1][0].isupper():
        if way == "graph":
            tf = importlib.import_module("tensorflow")
            return tf.function(lambda: found(*arguments, **keywords)).get_concrete_function()
        return np.shape(found(*arguments, **keywords))
    if framework == "Keras":
        keywords.setdefault("dtype", "float64")
    layer = found(*arguments, **keywords)
    second = {k: value(v) for k, v in written.on_keywords}
    return tuple(layer(tensor(shape), *map(value, written.on[1:]), **second).shape)


def _tensors(framework: str, way: str) -> Callable[[tuple[int, ...]], Any]:
    """Makes a tensor of a shape; float64, as float32 is for oneDNN's kernels in TensorFlow."""
    if framework == "PyTorch":
        torch = importlib.import_module("torch")
        return lambda shape: torch.ones(shape)
    if way == "model":
        keras = importlib.import_module("keras")
        return lambda shape: keras.Input(batch_shape=shape, dtype="float64")
    if framework in ("TensorFlow", "Keras"):
        tf = importlib.import_module("tensorflow")
        return lambda shape: tf.ones(shape, dtype="float64")
    return lambda shape: np.ones(shape, dtype=np.float32)


def _value(
    framework: str, value: Any, tensor: Callable[[tuple[int, ...]], Any], shape: tuple[int, ...]
) -> Any:
    """An argument as the framework takes it."""
    if isinstance(value, Name) and "." in value.name:
        root, last = value.name.split(".")
        return getattr(importlib.import_module(MODULES[framework][root]), last)
    if isinstance(value, Name):
        return tensor(shape if value.shape is None else _lengths(value.shape))
    if isinstance(value, Sum):
        assert value.sign == "-" and value.left == 0
        return -_value(framework, value.right, tensor, shape)
    if isinstance(value, tuple):
        parts = [_value(framework, v, tensor, shape) for v in value]
        return parts if framework in ("TensorFlow", "ONNX") else tuple(parts)
    return float(value) if isinstance(value, Fraction) else value


def _lengths(shape: tuple[Any, ...]) -> tuple[int, ...]:
    assert all(isinstance(n, int) for n in shape)
    return shape


def _onnx(framework: str, written: Call, shape: tuple[int, ...], way: str) -> Any:
    """The node by onnxruntime; its tensors are called as in ``onnx.Conv(X, W[4, 3, 3, 3])``."""
    from derive.numeric.frameworks.onnx_runner import _session_options, model

    onnxruntime: Any = importlib.import_module("onnxruntime")
    shapes = {"X": shape}
    for value in written.arguments[1:]:
        assert isinstance(value, Name) and value.shape is not None
        shapes[value.name] = _lengths(value.shape)
    attributes: Mapping[str, Any] = dict(written.keywords)
    made = model(written.name.removeprefix("onnx."), attributes, shapes)
    session = onnxruntime.InferenceSession(
        made.SerializeToString(), _session_options(), providers=["CPUExecutionProvider"]
    )
    tensors = {k: np.ones(v, dtype=np.float32) for k, v in shapes.items()}
    return session.run(None, tensors)[0].shape
