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
from derive.dialects.layer import Layer, planned
from derive.dialects.program import Carried, Program, layouts, line_layer
from derive.dialects.registry import CALLS
from derive.dialects.translate import Translation, translate
from derive.errors import WrongInput
from derive.expr import lift
from derive.numeric.frameworks import Array, integers, onnx_runner

RUNNERS = {
    "PyTorch": ("torch", "derive.numeric.frameworks.pytorch_runner"),
    "TensorFlow": ("tensorflow", "derive.numeric.frameworks.tensorflow_runner"),
    "Keras": ("keras", "derive.numeric.frameworks.keras_runner"),
    "JAX": ("jax", "derive.numeric.frameworks.jax_runner"),
    "ONNX": ("onnxruntime", "derive.numeric.frameworks.onnx_runner"),
    "NumPy": ("scipy", "derive.numeric.frameworks.numpy_runner"),
}

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
    ("keras.layers.MaxPooling2D(1, strides=3, padding='same')", "ONNX", (1, 7, 8, 2)),
    ("keras.layers.DepthwiseConv1D(1, strides=2, padding='same')", "TensorFlow", (1, 7, 3)),
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
    # pools
    ("nn.AvgPool2d(2)", "JAX", (1, 2, 6, 5)),
    ("nn.AvgPool1d(3, 1)", "JAX", (1, 2, 9)),
    ("nn.AvgPool1d(4, 3)", "JAX", (1, 2, 11)),
    ("nn.AvgPool3d(2, 4)", "JAX", (1, 2, 6, 5, 7)),
    ("nn.AvgPool2d(3, 2, padding=1)", "JAX", (1, 2, 7, 8)),
    ("nn.AvgPool2d((3, 2), 2, padding=1, count_include_pad=False)", "JAX", (1, 2, 7, 8)),
    ("nn.AvgPool1d(3, 2, ceil_mode=True)", "JAX", (1, 2, 8)),
    ("nn.AvgPool1d(4, 3, padding=2, ceil_mode=True, count_include_pad=False)", "JAX", (1, 2, 9)),
    ("nn.MaxPool2d(2, 3, ceil_mode=True)", "JAX", (1, 2, 6, 7)),
    ("nn.MaxPool2d(3, 2, padding=1)", "TensorFlow", (1, 2, 7, 8)),
    ("nn.MaxPool1d(4, 3, padding=2)", "TensorFlow", (1, 2, 9)),
    ("nn.MaxPool2d(2, ceil_mode=True)", "TensorFlow", (1, 2, 7, 8)),
    ("nn.AdaptiveAvgPool2d(1)", "JAX", (1, 2, 3, 4)),
    ("keras.layers.GlobalAveragePooling2D()", "TensorFlow", (2, 3, 4, 2)),
    ("keras.layers.GlobalAveragePooling2D()", "PyTorch", (2, 3, 4, 2)),
    ("keras.layers.GlobalAveragePooling1D()", "ONNX", (2, 5, 2)),
    ("keras.layers.AveragePooling1D(3, 2, padding='same')", "PyTorch", (1, 8, 2)),
    ("keras.layers.AveragePooling1D(3, 2, padding='same')", "JAX", (1, 8, 2)),
    ("keras.layers.MaxPooling1D(2, padding='same')", "PyTorch", (1, 9, 2)),
    ("keras.layers.AveragePooling1D(2, padding='same')", "PyTorch", (1, 9, 2)),
    ("keras.layers.MaxPooling2D(3, 2, padding='same')", "JAX", (1, 7, 8, 2)),
    ("linen.avg_pool(x, (2, 3), (2, 1))", "PyTorch", (1, 7, 8, 2)),
    ("lax.reduce_window(x, 0.0, lax.add, (1, 2, 2, 1), (1, 2, 2, 1), 'VALID')", "PyTorch", (1, 7, 8, 2)),
    ("nn.Conv2d(4, 6, 3, padding=1, padding_mode='replicate')", "TensorFlow", (1, 4, 5, 6)),
    # resizing
    ("nn.Upsample(scale_factor=2)", "JAX", (1, 2, 3, 4)),
    ("nn.Upsample(scale_factor=(3, 1))", "TensorFlow", (1, 2, 3, 4)),
    ("nn.Upsample(scale_factor=4)", "ONNX", (1, 2, 3, 4)),
    ("nn.Upsample(size=(5, 3))", "ONNX", (1, 2, 3, 4)),
    ("nn.Upsample(scale_factor=2, mode='bilinear')", "JAX", (1, 2, 3, 4)),
    ("nn.Upsample(scale_factor=4, mode='bilinear')", "TensorFlow", (1, 2, 3, 4)),
    ("nn.Upsample(scale_factor=2, mode='bilinear')", "ONNX", (1, 2, 3, 4)),
    ("nn.Upsample(scale_factor=2, mode='bilinear', align_corners=True)", "ONNX", (1, 2, 3, 4)),
    ("keras.layers.UpSampling1D(3)", "JAX", (1, 4, 2)),
    ("keras.layers.UpSampling2D((2, 3))", "JAX", (1, 3, 4, 2)),
    ("keras.layers.UpSampling2D((4, 3))", "TensorFlow", (1, 3, 4, 2)),
    ("keras.layers.UpSampling3D(2)", "ONNX", (1, 2, 3, 2, 2)),
    ("keras.layers.UpSampling2D(2, interpolation='bilinear')", "PyTorch", (1, 3, 4, 2)),
    ("tf.image.resize(x, [6, 5], method='nearest')", "JAX", (1, 3, 4, 2)),
    ("tf.image.resize(x, [6, 5], method='nearest')", "PyTorch", (1, 3, 4, 2)),
    ("tf.image.resize(x, [6, 5], method='nearest')", "ONNX", (1, 3, 4, 2)),
    ("tf.image.resize(x, [2, 5])", "JAX", (1, 3, 4, 2)),
    ("jax.image.resize(x[1, 2, 3, 4], (1, 2, 6, 8), 'nearest')", "Keras", (1, 2, 3, 4)),
    ("jax.image.resize(x[1, 3, 4, 2], (1, 9, 4, 2), 'nearest')", "PyTorch", (1, 3, 4, 2)),
    ("onnx.Upsample(X, scales=[1, 1, 2, 3])", "PyTorch", (1, 2, 3, 4)),
    ("onnx.Resize(X, scales=[1, 1, 4, 2])", "TensorFlow", (1, 2, 3, 4)),
    # transposed convolutions
    ("nn.ConvTranspose2d(4, 6, 3, stride=2, groups=2)", "JAX", (1, 4, 3, 4)),
    ("nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1)", "TensorFlow", (1, 4, 3, 4)),
    ("nn.ConvTranspose1d(4, 4, 4, stride=3, padding=1, output_padding=2, groups=4)", "JAX", (2, 4, 5)),
    ("nn.ConvTranspose2d(4, 8, 2, stride=4, groups=4)", "JAX", (1, 4, 3, 4)),
    ("lax.conv_transpose(x, w[3, 4, 2, 5], (2, 3), 'SAME')", "PyTorch", (1, 3, 4, 2)),
    ("lax.conv_transpose(x, w[2, 3, 2, 5], (4, 1), 'VALID')", "TensorFlow", (1, 3, 4, 2)),
    ("linen.ConvTranspose(6, (3, 4), (2, 2))", "Keras", (1, 3, 4, 2)),
    ("linen.ConvTranspose(6, (3, 4), (2, 2))", "ONNX", (1, 3, 4, 2)),
    # depthwise
    ("keras.layers.DepthwiseConv2D(3, strides=2, padding='same', depth_multiplier=2)", "TensorFlow", (1, 6, 7, 3)),
    ("nn.Conv2d(3, 6, (4, 3), stride=2, padding=1, groups=3)", "TensorFlow", (1, 3, 8, 7)),
    ("tf.nn.depthwise_conv2d(x, w[3, 2, 4, 2], [1, 3, 3, 1], 'VALID')", "PyTorch", (1, 8, 7, 4)),
    ("keras.layers.DepthwiseConv1D(3, depth_multiplier=2)", "TensorFlow", (1, 6, 3)),
    # arrays without batch and channels
    ("np.convolve(a, v[3])", "JAX", (7,)),
    ("np.convolve(a, v[4])", "PyTorch", (7,)),
    ("np.convolve(a, v[4], 'same')", "TensorFlow", (7,)),
    ("np.convolve(a, v[4], 'same')", "JAX", (7,)),
    ("np.convolve(a, v[3], 'valid')", "JAX", (7,)),
    ("np.correlate(a, v[4])", "Keras", (7,)),
    ("np.correlate(a, v[4], 'same')", "JAX", (7,)),
    ("signal.correlate(a[6, 5], b[3, 2], 'same')", "PyTorch", (6, 5)),
    ("signal.correlate(a[6, 5], b[3, 2], 'same')", "JAX", (6, 5)),
    ("signal.convolve(a[6, 5], b[4, 3], 'full')", "JAX", (6, 5)),
    ("signal.convolve(a[6, 5], b[4, 3], 'valid')", "ONNX", (6, 5)),
]  # fmt: skip

# the call, the target, the exact conditions of the programs of one call with constant padding
CONDITIONAL = [
    ("keras.layers.Conv1D(6, 3, strides=2, padding='same')", "PyTorch", "L_in % 2 == 1"),
    ("nn.Conv1d(4, 6, 3, stride=2, padding=1)", "Keras", "L_in % 2 == 1"),
    ("nn.MaxPool1d(3, 2, padding=1)", "Keras", "L_in == 2 or L_in % 2 == 1"),
    ("keras.layers.AveragePooling1D(3, 2, padding='same')", "PyTorch", "L_in % 2 == 0"),
    (
        "keras.layers.AveragePooling1D(3, 2, padding='same')",
        "PyTorch",
        "L_in == 2 or L_in % 2 == 1",
    ),
    ("keras.layers.MaxPooling1D(3, 2, padding='same')", "PyTorch", "L_in == 2 or L_in % 2 == 1"),
    (
        "nn.AvgPool1d(3, 2, padding=1, count_include_pad=False)",
        "TensorFlow",
        "L_in == 2 or L_in % 2 == 1",
    ),
    ("nn.AvgPool1d(3, 2, ceil_mode=True)", "Keras", "L_in % 2 == 0"),
    ("nn.AdaptiveAvgPool1d(4)", "JAX", "L_in % 4 == 0"),
    ("nn.AdaptiveAvgPool1d(4)", "Keras", "L_in % 4 == 0"),
    # what the target demands is a part of the condition: NumPy exchanges the two arrays
    ("np.convolve(a, v[3], 'valid')", "ONNX", "L_in >= 3"),
    ("nn.PixelShuffle(2)", "TensorFlow", "C_in == 4"),
]

# no call of the target is the same at any size
NEVER = [
    ("nn.Conv2d(4, 6, 3, padding=1, padding_mode='circular')", "Keras"),
    ("nn.ConvTranspose2d(4, 6, 3, groups=2)", "Keras"),
    ("nn.MaxPool2d(2, dilation=2)", "Keras"),
    ("nn.Conv1d(4, 6, 5, padding=2, padding_mode='replicate')", "TensorFlow"),
    ("nn.Upsample(size=(5, 3))", "Keras"),
    ("tf.image.resize(x, [6, 5], method='nearest')", "Keras"),
    ("nn.Upsample(scale_factor=2, mode='bilinear', align_corners=True)", "TensorFlow"),
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
        layer = line_layer(line, layout)
        taken, after = layouts(layer, layout)
        x = rearranged(x, layout, taken)
        moved = {c.target: carried(c, weights) for c in line.carried}
        x = _run(layer, np.ascontiguousarray(x), moved)
        layout = after
    if program.bias:
        rest = len(layout) - 1 - layout.index("C")
        x = x + weights[program.bias].reshape(-1, *([1] * rest))
    x = rearranged(x, layout, found.output)
    assert x.shape == expected.shape
    assert np.allclose(x, expected, rtol=1e-5, atol=0.0)


def rearranged(x: Array, layout: str, wanted: str) -> Array:
    """The axes in another order; new ones have the length 1, and of those too many it is 1."""
    missing = [a for a in wanted if a not in layout]
    x, layout = x[(None,) * len(missing)], "".join(missing) + layout
    kept = [a for a in layout if a in wanted]
    assert all(n == 1 for n, a in zip(x.shape, layout, strict=True) if a not in wanted)
    x = x.reshape([n for n, a in zip(x.shape, layout, strict=True) if a in wanted])
    return x.transpose([kept.index(a) for a in wanted])


def carried(c: Carried, weights: Mapping[str, Array]) -> Array:
    """A weight of the target, made by the text that is printed for it."""
    return np.ascontiguousarray(eval(str(c), {c.source.name: weights[c.source.name]}))


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
    if target == "ONNX":
        return {"onnx": pytest.importorskip("onnx"), "np": np}
    jax = pytest.importorskip("jax")
    return {"jnp": jax.numpy, "lax": jax.lax, "jax": jax}


def array_of(target: str, names: Mapping[str, Any], x: Array) -> Any:
    if target == "PyTorch":
        return names["torch"].from_numpy(x)
    return names["jnp"].asarray(x) if target == "JAX" else x


def of_nodes(names: Mapping[str, Any]) -> Any:
    """Run the nodes and the constants that the printed code makes."""
    onnx, runtime = names["onnx"], pytest.importorskip("onnxruntime")
    kind = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        names["nodes"],
        "printed",
        [onnx.helper.make_tensor_value_info("x", kind, names["x"].shape)],
        [onnx.helper.make_tensor_value_info("y", kind, None)],
        [onnx.numpy_helper.from_array(v, n) for n, v in names.get("constants", {}).items()],
    )
    opset = [onnx.helper.make_opsetid("", onnx_runner.LATEST)]
    model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=onnx_runner.IR_VERSION)
    session = runtime.InferenceSession(model.SerializeToString())
    return session.run(None, {"x": names["x"]})[0]


@pytest.mark.parametrize(("call", "target", "shape"), PROVED[::2])
def test_the_printed_code_runs(call: str, target: str, shape: tuple[int, ...]) -> None:
    found = translate(call, target)
    if any(line.text.startswith("linen.") for line in found.programs[0].program.lines):
        pytest.importorskip("flax")
    names = environment(target)
    x = integers("x", shape).astype(np.float32)
    weights: dict[str, Array] = {}
    at = {s.name: n for e, n in zip(found.shape, shape, strict=True) if (s := e.symbol)}
    plan = planned(found.source, tuple(map(lift, shape)), found.given)
    for o, spoken in zip(plan.operands, listing.names_of(found).values(), strict=True):
        lengths = tuple(n.at(at) for n in o.shape)
        weights[spoken] = integers(f"w{spoken}", lengths, 5).astype(np.float32)
    names |= {**weights, "x": array_of(target, names, x)}
    exec("\n".join(listing.code(found, found.programs[0].program)), names)
    theirs = of_nodes(names) if target == "ONNX" else names["x"]
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


@pytest.mark.parametrize(
    ("call", "target", "reason"),
    [
        ("nn.ConvTranspose2d(4, 6, 3, groups=2)", "Keras", "Conv2DTranspose knows no groups"),
        ("nn.ConvTranspose2d(4, 6, 3, groups=2)", "TensorFlow", "conv_transpose knows no groups"),
        ("keras.layers.UpSampling1D(3)", "TensorFlow", "takes images, with two spatial axes"),
        ("keras.layers.Cropping2D(1)", "TensorFlow", "cuts with a slice, which is no call"),
        ("nn.Upsample(scale_factor=1.5)", "Keras", "takes whole factors"),
        ("nn.AdaptiveAvgPool2d(4)", "ONNX", "AveragePool takes windows of known lengths"),
    ],
)
def test_why_no_call_was_found(call: str, target: str, reason: str) -> None:
    text = str(translate(call, target))
    assert reason in text
    assert text.endswith("that is no proof that there is none")


def test_shrinking_with_antialias_is_not_taken_for_plain_interpolation() -> None:
    found = translate("tf.image.resize(x, [6, 5])", "JAX")
    assert "antialias=False" in found.programs[0].program.lines[0].text


def test_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli(["translate", "nn.Conv2d(3, 16, 3, stride=2, padding=1)", "--to", "tensorflow"]) == 0
    text = capsys.readouterr().out
    assert "kernel = weight.transpose(2, 3, 1, 0)  # OIHW to HWIO" in text
    assert "x = tf.nn.conv2d(x, kernel, 2, [[0, 0], [1, 1], [1, 1], [0, 0]])" in text
