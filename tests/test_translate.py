"""Translations: proved for all sizes, and confirmed by running both frameworks on the same numbers."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from derive.cli import run as cli
from derive.decide.verdict import HoldsWhen, Proved
from derive.dialects import listing
from derive.dialects.layer import Layer, fitted, planned
from derive.dialects.program import Program, layouts, line_layer
from derive.dialects.registry import CALLS
from derive.dialects.translate import Translation, translate
from derive.errors import WrongInput
from derive.expr import lift
from derive.numeric.frameworks import Array, integers

RUNNERS = {
    "PyTorch": ("torch", "derive.numeric.frameworks.pytorch_runner"),
    "TensorFlow": ("tensorflow", "derive.numeric.frameworks.tensorflow_runner"),
    "Keras": ("keras", "derive.numeric.frameworks.keras_runner"),
    "JAX": ("jax", "derive.numeric.frameworks.jax_runner"),
    "ONNX": ("onnxruntime", "derive.numeric.frameworks.onnx_runner"),
}

NO_CHANNELS = str.maketrans("", "", "IM")

# the call, the target, an input shape in the call's layout
PROVED = [
    ("nn.Conv1d(4, 6, 3)", "JAX", (2, 4, 9)),
    ("nn.Conv1d(4, 6, 4, stride=3, padding=2, dilation=2)", "TensorFlow", (2, 4, 11)),
    ("nn.Conv1d(4, 6, 3, padding=1, padding_mode='circular')", "JAX", (2, 4, 9)),
    ("nn.Conv2d(4, 6, 3, padding='same')", "Keras", (1, 4, 7, 6)),
    ("nn.Conv2d(4, 6, 4, padding='same')", "TensorFlow", (1, 4, 7, 6)),
    ("nn.Conv2d(4, 6, (3, 2), stride=(2, 4), padding=(1, 2))", "Keras", (1, 4, 9, 8)),
    ("nn.Conv2d(4, 6, 3, stride=2, padding=1, bias=False)", "ONNX", (1, 4, 8, 7)),
    ("nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2)", "JAX", (1, 4, 8, 7)),
    ("nn.Conv2d(4, 6, 3, dilation=2, groups=2)", "Keras", (1, 4, 8, 9)),
    ("nn.Conv2d(4, 6, 3, padding=1, padding_mode='reflect')", "ONNX", (1, 4, 5, 6)),
    ("nn.Conv3d(2, 3, 2, stride=2)", "ONNX", (1, 2, 4, 5, 4)),
    ("nn.ConvTranspose1d(4, 6, 3, stride=2)", "JAX", (2, 4, 5)),
    ("nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1)", "Keras", (1, 4, 3, 4)),
    ("nn.ConvTranspose2d(4, 6, 4, stride=2, padding=1)", "TensorFlow", (1, 4, 3, 4)),
    ("nn.ConvTranspose2d(4, 6, 2, stride=3, output_padding=1)", "ONNX", (1, 4, 3, 4)),
    ("nn.ConvTranspose2d(4, 6, 3, stride=2, dilation=2, output_padding=1)", "JAX", (1, 4, 3, 4)),
    ("nn.AvgPool2d(3, 2, padding=1)", "Keras", (1, 2, 7, 8)),
    ("nn.AvgPool2d(3, 2, padding=1)", "ONNX", (1, 2, 7, 8)),
    ("nn.AvgPool1d(4, 3)", "TensorFlow", (1, 2, 11)),
    ("nn.AvgPool2d(2, padding=1, count_include_pad=False)", "ONNX", (1, 2, 7, 6)),
    ("nn.AdaptiveAvgPool2d(1)", "Keras", (1, 2, 3, 4)),
    ("nn.MaxPool2d(3, 2, padding=1)", "JAX", (1, 2, 7, 8)),
    ("nn.MaxPool2d(3, 2, padding=1)", "ONNX", (1, 2, 7, 8)),
    ("nn.MaxPool1d(2, stride=1, dilation=3)", "TensorFlow", (1, 2, 9)),
    ("nn.MaxPool2d(2)", "Keras", (1, 2, 6, 5)),
    ("nn.Upsample(scale_factor=2)", "Keras", (1, 2, 3, 4)),
    ("keras.layers.Conv1D(6, 3, padding='causal', dilation_rate=2)", "PyTorch", (1, 8, 2)),
    ("keras.layers.Conv1D(6, 4, strides=3, padding='same')", "PyTorch", (1, 10, 2)),
    ("keras.layers.Conv2D(6, 3, strides=2, padding='same')", "PyTorch", (1, 8, 7, 2)),
    ("keras.layers.Conv2D(6, 4, padding='same')", "ONNX", (1, 8, 7, 2)),
    ("keras.layers.Conv2DTranspose(6, 3, strides=2, padding='same')", "PyTorch", (1, 4, 3, 2)),
    ("keras.layers.Conv2DTranspose(6, 4, strides=2, padding='same')", "TensorFlow", (1, 4, 3, 2)),
    ("keras.layers.Conv2DTranspose(6, 2, strides=3)", "PyTorch", (1, 4, 3, 2)),
    ("keras.layers.DepthwiseConv2D(3, depth_multiplier=2, padding='same')", "PyTorch", (1, 5, 6, 3)),
    ("keras.layers.SeparableConv2D(6, 3)", "PyTorch", (1, 5, 6, 3)),
    ("keras.layers.SeparableConv2D(6, 3, strides=2)", "JAX", (1, 5, 6, 3)),
    ("tf.nn.conv2d(x[1, 8, 7, 2], w[3, 3, 2, 4], 2, 'SAME')", "PyTorch", (1, 8, 7, 2)),
    ("tf.nn.conv2d(x[1, 8, 7, 2], w[3, 2, 2, 4], 1, 'SAME', dilations=2)", "JAX", (1, 8, 7, 2)),
    ("lax.conv_general_dilated(x[1, 2, 7], w[4, 2, 3], (2,), [(1, 2)])", "PyTorch", (1, 2, 7)),
    ("onnx.Conv(X, W[6, 2, 3, 3], strides=[2, 2], auto_pad='SAME_LOWER')", "PyTorch", (1, 2, 6, 7)),
    ("onnx.Conv(X, W[6, 2, 4, 4], kernel_shape=[4, 4], auto_pad='SAME_UPPER')", "Keras", (1, 2, 6, 7)),
]  # fmt: skip

# the call, the target, the exact conditions of the programs of one call with constant padding
CONDITIONAL = [
    ("keras.layers.Conv1D(6, 3, strides=2, padding='same')", "PyTorch", "L_in % 2 == 1"),
    ("nn.Conv1d(4, 6, 3, stride=2, padding=1)", "Keras", "L_in % 2 == 1"),
    ("nn.MaxPool1d(3, 2, padding=1)", "Keras", "L_in == 2 or L_in % 2 == 1"),
    ("keras.layers.AveragePooling1D(2, padding='same')", "PyTorch", "L_in % 2 == 0"),
    ("keras.layers.MaxPooling1D(2, padding='same')", "PyTorch", "L_in % 2 == 0"),
    ("nn.PixelShuffle(2)", "TensorFlow", "C_in == 4"),
]

# no call of the target is the same at any size
NEVER = [
    ("nn.Conv2d(4, 6, 3, padding=1, padding_mode='circular')", "Keras"),
    ("nn.ConvTranspose2d(4, 6, 3, groups=2)", "Keras"),
    ("nn.MaxPool2d(2, dilation=2)", "Keras"),
]


def confirm(found: Translation, program: Program, x: Array) -> None:
    """Run the source and the program on the same integers: exactly the same numbers."""
    source = found.source
    plan = planned(source, tuple(map(lift, x.shape)), found.given)
    weights = {
        o.name: integers(f"w{at}", tuple(int(n) for n in o.shape), 5)
        for at, o in enumerate(plan.operands)
    }
    expected = _run(source, x, weights)
    layout = found.layout
    for line in program.lines:
        layer = fitted(line_layer(line), x.ndim)
        taken, after = layouts(layer, layout)
        x = x.transpose([layout.index(a) for a in taken])
        moved = {}
        for c in line.carried:
            w, axes = weights[c.source.name], c.source.axes
            if c.depthwise:
                w = w.transpose([axes.index(a) for a in ("I", "M", *axes.translate(NO_CHANNELS))])
                w, axes = w.reshape(-1, 1, *w.shape[2:]), "OI" + axes.translate(NO_CHANNELS)
            w = w.transpose([axes.index(a) for a in c.wanted])
            spatial = tuple(at for at, a in enumerate(c.wanted) if a in "DHW")
            moved[c.target] = np.ascontiguousarray(np.flip(w, spatial) if c.flipped else w)
        x = _run(layer, np.ascontiguousarray(x), moved)
        layout = after
    if program.bias:
        rest = len(layout) - 1 - layout.index("C")
        x = x + weights[program.bias].reshape(-1, *([1] * rest))
    x = x.transpose([layout.index(a) for a in (source.output or source.layout)])
    assert x.shape == expected.shape
    assert np.allclose(x, expected, rtol=1e-5, atol=0.0)


def _run(layer: Layer, x: Array, weights: Mapping[str, Array]) -> Array:
    package, module = RUNNERS[layer.dialect]
    pytest.importorskip(package)
    runner = importlib.import_module(module)
    ran = runner.run(
        layer.name, layer.dims, _said(layer), x, weights, lambda shape: integers("g", shape)
    )
    return np.asarray(ran.output)


def _said(layer: Layer) -> dict[str, Any]:
    """The arguments that are not the framework's defaults, without the tensors."""
    spec = CALLS[layer.name]
    defaults = {n: p.default for n, p in inspect.signature(spec.meaning).parameters.items()}
    return {
        name: value
        for name, value in layer.arguments.items()
        if name not in spec.tensors and value is not defaults[name] and value != defaults[name]
    }


@pytest.mark.parametrize(("call", "target", "shape"), PROVED)
def test_proved_for_all_sizes_and_run(call: str, target: str, shape: tuple[int, ...]) -> None:
    found = translate(call, target)
    assert found.programs, found.refused
    assert isinstance(found.programs[0].verdict, Proved)
    here = translate(call, target, shape)
    assert isinstance(here.programs[0].verdict, Proved)
    confirm(here, here.programs[0].program, integers("x", shape))


def environment(target: str) -> dict[str, Any]:
    """The names that the printed code of a target uses."""
    if target == "PyTorch":
        torch = pytest.importorskip("torch")
        return {"torch": torch, "nn": torch.nn, "F": torch.nn.functional}
    if target == "TensorFlow":
        return {"tf": pytest.importorskip("tensorflow")}
    if target == "Keras":
        return {"keras": pytest.importorskip("keras")}
    jax = pytest.importorskip("jax")
    return {"jnp": jax.numpy, "lax": jax.lax, "jax": jax}


def array_of(target: str, names: Mapping[str, Any], x: Array) -> Any:
    if target == "PyTorch":
        return names["torch"].from_numpy(x)
    return names["jnp"].asarray(x) if target == "JAX" else x


@pytest.mark.parametrize(("call", "target", "shape"), [p for p in PROVED if p[1] != "ONNX"][::2])
def test_the_printed_code_runs(call: str, target: str, shape: tuple[int, ...]) -> None:
    found = translate(call, target)
    names = environment(target)
    x = integers("x", shape).astype(np.float32)
    weights: dict[str, Array] = {}
    at = {s.name: n for e, n in zip(found.shape, shape, strict=True) if (s := e.symbol)}
    plan = planned(found.source, tuple(map(lift, shape)), found.given)
    for o, spoken in zip(plan.operands, listing.names_of(found).values(), strict=True):
        lengths = tuple(n.at(at) for n in o.shape)
        weights[spoken] = integers(f"w{spoken}", lengths, 5).astype(np.float32)
    names |= {**weights, "x": array_of(target, names, x)}
    for line in listing.code(found, found.programs[0].program):
        exec(line, names)
    theirs = names["x"]
    theirs = np.asarray(theirs.detach().numpy() if target == "PyTorch" else theirs)
    of_source = {
        o.name: weights[n]
        for o, n in zip(plan.operands, listing.names_of(found).values(), strict=True)
    }
    expected = _run(found.source, x, of_source)
    assert np.allclose(theirs, expected, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize(("call", "target", "condition"), CONDITIONAL)
def test_the_exact_condition(call: str, target: str, condition: str) -> None:
    found = translate(call, target)
    conditions = [
        str(c.verdict.condition) for c in found.programs if isinstance(c.verdict, HoldsWhen)
    ]
    assert condition in conditions


@pytest.mark.parametrize(("call", "target"), NEVER)
def test_no_equivalent_call(call: str, target: str) -> None:
    found = translate(call, target)
    assert not found.programs


def test_unknown_dialect() -> None:
    with pytest.raises(WrongInput, match="the dialect 'theano' is unknown; choose one of PyTorch"):
        translate("nn.Conv2d(3, 16, 3)", "theano")


def test_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli(["translate", "nn.Conv2d(3, 16, 3, stride=2, padding=1)", "--to", "tensorflow"]) == 0
    text = capsys.readouterr().out
    assert "kernel = weight.transpose(2, 3, 1, 0)  # OIHW to HWIO" in text
    assert "x = tf.nn.conv2d(x, kernel, 2, [[0, 0], [1, 1], [1, 1], [0, 0]])" in text
