"""PyTorch's calls: what each means, and what the user is told where PyTorch refuses."""

from __future__ import annotations

import re
from random import Random
from typing import Any

import numpy as np
import pytest

from derive.dialects.calls import Name, read_calls
from derive.dialects.layer import apply, fitted, outline
from derive.dialects.registry import bind, find, layer_of, read_layer
from derive.errors import NotSupported, WrongInput
from derive.evaluation import holds
from derive.form import tensor, vjp
from derive.numeric import plan_runner
from derive.numeric.frameworks import integers
from derive.numeric.frameworks.pytorch_draws import DRAWS
from derive.symbols import size
from derive.table import evaluate, shape_at

SHAPES: list[tuple[str, tuple[int, ...], tuple[int, ...]]] = [
    ("nn.Conv2d(3, 16, 3, stride=2, padding=1)", (1, 3, 28, 28), (1, 16, 14, 14)),
    ("nn.Conv1d(4, 8, 4, padding='same', dilation=3)", (2, 4, 9), (2, 8, 9)),
    ("nn.Conv2d(3, 16, 3)", (3, 28, 28), (16, 26, 26)),
    ("nn.ConvTranspose2d(16, 8, 3, 2, 1, 1)", (1, 16, 14, 14), (1, 8, 28, 28)),
    (
        "nn.ConvTranspose2d(16, 8, 3, stride=2, padding=1)(x, output_size=(28, 27))",
        (1, 16, 14, 14),
        (1, 8, 28, 27),
    ),
    ("nn.ConvTranspose1d(2, 4, 3, stride=3)(x, (1, 4, 8))", (1, 2, 2), (1, 4, 8)),
    ("nn.MaxPool2d(3, 2, ceil_mode=True)", (1, 4, 7, 8), (1, 4, 3, 4)),
    ("nn.MaxPool1d(2, stride=3, padding=1, ceil_mode=True)", (1, 1, 4), (1, 1, 2)),
    ("F.avg_pool2d(x, 2)", (1, 4, 7, 8), (1, 4, 3, 4)),
    ("nn.AdaptiveAvgPool2d((None, 3))", (1, 4, 7, 8), (1, 4, 7, 3)),
    ("nn.AdaptiveMaxPool3d(2)", (1, 4, 7, 8, 9), (1, 4, 2, 2, 2)),
    ("nn.LPPool2d(2, 3, stride=2)", (1, 4, 7, 8), (1, 4, 3, 3)),
    ("nn.FractionalMaxPool2d(2, output_ratio=0.5)", (1, 4, 9, 8), (1, 4, 4, 4)),
    ("nn.Unfold(3, padding=1)", (2, 3, 5, 4), (2, 27, 20)),
    ("nn.Fold((5, 4), 3, padding=1)", (2, 27, 20), (2, 3, 5, 4)),
    ("nn.PixelShuffle(2)", (1, 12, 5, 4), (1, 3, 10, 8)),
    ("nn.PixelUnshuffle(2)", (1, 3, 10, 8), (1, 12, 5, 4)),
    ("nn.ChannelShuffle(3)", (1, 6, 5, 4), (1, 6, 5, 4)),
    ("nn.Upsample(scale_factor=2)", (1, 3, 5, 4, 6), (1, 3, 10, 8, 12)),
    ("nn.Upsample(scale_factor=(1.5, 2), mode='bilinear')", (1, 3, 5, 4), (1, 3, 7, 8)),
    ("F.interpolate(x, size=7, mode='area')", (1, 3, 5, 4), (1, 3, 7, 7)),
    ("F.interpolate(x, scale_factor=0.29)", (1, 3, 100), (1, 3, 28)),  # 100·0.29 < 29 in float64
    ("nn.MaxUnpool2d(2)(x, indices)", (1, 3, 5, 4), (1, 3, 10, 8)),
    ("nn.MaxUnpool2d(2)(x, indices, output_size=(11, 9))", (1, 3, 5, 4), (1, 3, 11, 9)),
    ("F.pad(x, (1, 2, 3, 4))", (1, 3, 5, 4), (1, 3, 12, 7)),
    ("F.pad(x, (1, 2, 3, 4, 5, 6))", (1, 3, 5, 4), (1, 14, 12, 7)),
    ("nn.ReflectionPad2d((1, 2, 3, 4))", (1, 3, 5, 4), (1, 3, 12, 7)),
    ("nn.ReLU()", (1, 3, 5, 4), (1, 3, 5, 4)),
    ("nn.BatchNorm2d(3)", (1, 3, 5, 4), (1, 3, 5, 4)),
    ("nn.Flatten()", (2, 3, 5, 4), (2, 60)),
    ("nn.Linear(60, 10)", (2, 60), (2, 10)),
]


@pytest.mark.parametrize(("text", "x", "shape"), SHAPES)
def test_the_shape(text: str, x: tuple[int, ...], shape: tuple[int, ...]) -> None:
    assert tuple(map(int, outline(read_layer(text), tensor("x", *x)).shape)) == shape


REFUSED: list[tuple[str, tuple[int, ...], str]] = [
    # what issue 4 names: an unknown argument, a stride of 0, a missing kernel size, …
    (
        "nn.Conv2d(3, 16, 3, strides=2)",
        (1, 3, 8, 8),
        (
            "nn.Conv2d: there is no argument 'strides' (PyTorch says: got an unexpected keyword "
            "argument 'strides'); did you mean 'stride'?"
        ),
    ),
    (
        "nn.Conv2d(3, 16)",
        (1, 3, 8, 8),
        (
            "nn.Conv2d: missing the argument: 'kernel_size' (PyTorch says: missing 1 required "
            "positional argument: 'kernel_size'); it is called as "
            "nn.Conv2d(in_channels, out_channels, kernel_size, stride=1, padding=0"
        ),
    ),
    (
        "nn.Conv2d(3, 16, 3, stride=0)",
        (1, 3, 8, 8),
        (
            "nn.Conv2d: stride = 0: stride is at least 1 (non-positive stride is not supported); "
            "give 1 or more"
        ),
    ),
    (
        "nn.Conv2d(3, 16, 3, stride=2, padding='same')",
        (1, 3, 8, 8),
        (
            "padding = 'same' with a stride: PyTorch refuses it (padding='same' is not supported for "
            "strided convolutions); use stride=1, or pad by hand with F.pad and padding=0"
        ),
    ),
    (
        "nn.Conv2d(3, 16, 3, groups=2)",
        (1, 3, 8, 8),
        (
            "in_channels = 3, groups = 2: PyTorch refuses it (in_channels must be divisible by groups); "
            "choose groups that divide 3"
        ),
    ),
    (
        "nn.ConvTranspose2d(3, 16, 3, stride=2, output_padding=2)",
        (1, 3, 8, 8),
        (
            "output_padding = 2 with stride = 2, dilation = 1: PyTorch refuses it (output padding must be "
            "smaller than either stride or dilation); give at most 1, or pad the output by hand with F.pad"
        ),
    ),
    (
        "nn.Conv2d(3, 16, 3)",
        (1, 4, 8, 8),
        "nn.Conv2d: the input has 4 channels but in_channels = 3; give 3 channels",
    ),
    (
        "nn.ConvTranspose1d(2, 4, 3, stride=2)(x, output_size=(20,))",
        (1, 2, 4),
        (
            "nn.ConvTranspose1d: output_size = 20: PyTorch refuses it (valid sizes range from [9] to [10]); "
            "give a length in that range"
        ),
    ),
    (
        "nn.ConvTranspose1d(2, 4, 3, output_size=9)",
        (1, 2, 4),
        "'output_size' belongs to the second call; write nn.ConvTranspose1d(…)(x, output_size=…)",
    ),
    (
        "nn.ConvTranspose1d(2, 4, 3)(x, output_size=9)",
        (1, 2, 4),
        "output_size = 9: PyTorch takes a list or tuple here; give 1 lengths",
    ),
    (
        "nn.ConvTranspose1d(2, 4, 3, padding='same')",
        (1, 2, 4),
        "padding = 'same': PyTorch refuses it for a transposed convolution",
    ),
    (
        "nn.ConvTranspose1d(2, 4, 3, padding_mode='reflect')",
        (1, 2, 4),
        'Only "zeros" padding mode is supported for ConvTranspose1d',
    ),
    (
        "nn.MaxPool2d(3, padding=2)",
        (1, 3, 8, 8),
        (
            "padding = 2 with kernel_size = 3: PyTorch refuses it (pad should be at most half of "
            "effective kernel size); give at most 1, or pad before with F.pad"
        ),
    ),
    (
        "nn.AvgPool2d(2, padding='same')",
        (1, 3, 8, 8),
        "padding = 'same': PyTorch's pooling takes amounts; give integers, or pad first",
    ),
    ("nn.AvgPool2d(2, divisor_override=0)", (1, 3, 8, 8), "divisor must be not zero"),
    (
        "nn.AvgPool1d(2, divisor_override=3)",
        (1, 3, 8),
        "nn.AvgPool1d: there is no argument 'divisor_override'",
    ),
    (
        "nn.AvgPool3d(3, padding=1)",
        (1, 1, 5, 2, 4),
        "an input of 2 with kernel_size = 3: PyTorch refuses it on three axes",
    ),
    ("nn.MaxPool2d()", (1, 3, 8, 8), "missing the argument: 'kernel_size'"),
    (
        "nn.MaxPool2d((2, 2, 2))",
        (1, 3, 8, 8),
        "kernel_size has 3 values for 2 spatial axes; give one value or 2",
    ),
    (
        "nn.Fold((4, 5), 2)",
        (1, 8, 11),
        (
            "11 columns for an output of 4 × 5: PyTorch refuses them (expected size of input's "
            "dimension 2 to match the calculated number of sliding blocks); give 12"
        ),
    ),
    (
        "nn.Unfold((3,))",
        (1, 3, 8, 8),
        (
            "kernel_size has 1 values: PyTorch refuses it (It is expected kernel_size equals to 2, "
            "but got size 1)"
        ),
    ),
    (
        "nn.PixelShuffle(2)",
        (1, 6, 4, 4),
        (
            "6 channels: PyTorch refuses them (expects its input's 'channel' dimension to be "
            "divisible by the square of upscale_factor); give a multiple of 4"
        ),
    ),
    (
        "nn.PixelUnshuffle(2)",
        (1, 6, 4, 5),
        "a width of 5: PyTorch refuses it (expects width to be divisible by downscale_factor)",
    ),
    (
        "F.interpolate(x, size=4, scale_factor=2)",
        (1, 6, 4, 5),
        "size and scale_factor: both are given, and PyTorch takes exactly one of them (only one of",
    ),
    ("nn.Upsample()", (1, 6, 4, 5), "size and scale_factor: neither is given"),
    (
        "F.interpolate(x, size=4, align_corners=True)",
        (1, 6, 4, 5),
        (
            "align_corners with mode = 'nearest': PyTorch refuses it (align_corners option can only "
            "be set with the interpolating modes: linear | bilinear | bicubic | trilinear); leave it out"
        ),
    ),
    (
        "F.interpolate(x, size=4, mode='cubic')",
        (1, 6, 4, 5),
        "mode = 'cubic': PyTorch knows nearest, nearest-exact, area, linear, bilinear, trilinear",
    ),
    (
        "F.interpolate(x, scale_factor=0.1)",
        (1, 6, 4, 5),
        "an output length of 0: PyTorch refuses it (Input and output sizes should be greater than 0)",
    ),
    (
        "F.pad(x, (1, 2, 3))",
        (1, 6, 4, 5),
        (
            "pad has 3 values: PyTorch refuses it (Padding length must be divisible by 2); "
            "give two for each axis, the last axis first"
        ),
    ),
    (
        "F.pad(x, (1, 2), mode='reflect101')",
        (1, 6, 4),
        "mode = 'reflect101': PyTorch knows constant",
    ),
    (
        "F.pad(x, (1, 2), 'reflect', 3)",
        (1, 6, 4),
        'Padding mode "reflect" doesn\'t take in value argument',
    ),
    (
        "nn.MaxUnpool1d(2)(x, indices, output_size=(7,))",
        (1, 2, 2),
        "output_size = 7: PyTorch refuses it (dim 0 must be between 2 and 6), and neither of the two",
    ),
    (
        "nn.ConvTranspose1d(1, 1, 3)(x, output_size=(1, 1, 9))",
        (1, 7),
        "output_size has 3 values for an input with 2 axes; give 1 or 2",
    ),
    (
        "nn.ReflectionPad1d((1, 1, 1, 1))",
        (3, 7),
        (
            "4 amounts for an input with 2 axes: PyTorch refuses them in this mode (Padding size 4 is "
            "not supported for 2D input tensor); give at most 2"
        ),
    ),
    ("nn.LPPool2d(2, (3,))", (1, 1, 7, 7), "kernel_size has 1 values for 2 spatial axes: PyTorch"),
    ("nn.LPPool1d(2, (3,))", (1, 1, 7), "PyTorch refuses a tuple here"),
    ("nn.Linear(6, 4)", (2, 8), "the input has 8 features but in_features = 6; give 6 features"),
    ("nn.BatchNorm2d(6)", (2, 8, 4, 4), "the input has 8 channels but num_features = 6"),
    ("nn.GroupNorm(3, 8)", (2, 8, 4, 4), "num_channels (8) must be divisible by num_groups (3)"),
    (
        "nn.Conv2D(3, 16, 3)",
        (1, 3, 8, 8),
        "the call 'nn.Conv2D' is unknown; did you mean nn.Conv2d",
    ),
    ("nn.MaxPool2d(2)(x, 3)", (1, 3, 8, 8), "it is applied to 2 arguments; it takes (x)"),
    ("nn.MaxUnpool1d(2)(x, size=3)", (1, 2, 2), "'size' is no argument of the second call"),
]


@pytest.mark.parametrize(("text", "x", "message"), REFUSED)
def test_what_the_user_is_told(text: str, x: tuple[int, ...], message: str) -> None:
    with pytest.raises(WrongInput, match=re.escape(message)):
        outline(read_layer(text), tensor("x", *x))


def test_an_input_that_is_too_small_is_refused_at_concrete_sizes() -> None:
    with pytest.raises(WrongInput, match="not defined for these sizes"):
        plan_runner.prepare(read_layer("nn.Conv1d(1, 1, 5)"), (1, 1, 4))


@pytest.mark.parametrize(
    ("text", "x"),
    [
        ("nn.ReLU()", (1, 2, 4)),
        ("nn.LPPool1d(2, 3)", (1, 2, 4)),
        ("nn.AdaptiveMaxPool1d(3)", (1, 2, 4)),
        ("nn.FractionalMaxPool2d(2, output_size=2)", (1, 2, 4, 4)),
        ("F.interpolate(x, size=3, mode='bicubic')", (1, 2, 4, 4)),
        ("nn.Dropout()", (1, 2, 4)),
        ("nn.BatchNorm1d(2)", (1, 2, 4)),
    ],
)
def test_where_only_the_shape_is_known_values_are_refused(text: str, x: tuple[int, ...]) -> None:
    layer = read_layer(text)
    assert outline(layer, tensor("x", *x)).rank >= 2
    with pytest.raises(NotSupported, match="its values are out of scope; ask for its shape"):
        apply(layer, tensor("x", *x))
    with pytest.raises(NotSupported, match="its values are out of scope; ask for its shape"):
        plan_runner.forward(layer, integers("x", x))


def test_a_fractional_factor_in_linear_mode_has_values_at_concrete_sizes_only() -> None:
    layer = read_layer("F.interpolate(x, scale_factor=1.5, mode='linear')")
    with pytest.raises(NotSupported, match="copies an axis whose length it leaves"):
        apply(layer, tensor("x", 1, 2, size("n")))
    assert shape_at(apply(layer, tensor("x", 1, 2, 7)), {}) == (1, 2, 10)


def test_a_layer_for_several_ranks_takes_the_rank_of_its_input() -> None:
    layer = read_layer("nn.Upsample(scale_factor=2)")
    assert [fitted(layer, rank).layout for rank in (3, 4, 5)] == ["NCW", "NCHW", "NCDHW"]
    with pytest.raises(WrongInput, match="the input has 6 axes; give 4, in the order NCHW"):
        outline(layer, tensor("x", 1, 1, 2, 2, 2, 2))


def test_the_second_call_is_read_and_shown() -> None:
    text = "nn.ConvTranspose1d(2, 4, 3)(x, output_size=(9,))"
    written: Any = read_calls(text)[-1].value
    assert str(written) == text
    assert layer_of(written).arguments["output_size"] == (9,)


def test_full_names_are_read() -> None:
    assert find("torch.nn.functional.max_pool2d").name == "F.max_pool2d"
    assert find("nn.functional.interpolate").name == "F.interpolate"


PARTS = (
    "nn.Conv2d", "F.conv1d", "nn.ConvTranspose1d", "F.conv_transpose2d", "nn.AvgPool2d",
    "nn.AdaptiveAvgPool1d", "nn.Unfold", "nn.Fold", "nn.PixelShuffle", "nn.ChannelShuffle",
    "nn.Upsample", "nn.ConstantPad1d", "nn.CircularPad1d", "F.pad", "nn.Flatten", "nn.Linear",
)  # fmt: skip


@pytest.mark.parametrize("name", PARTS)
def test_the_whole_form_is_what_its_steps_compute(name: str) -> None:
    """The form that is proved about, evaluated at once, against the steps one by one."""
    spec, seen = find(name), 0
    dims = min(spec.ranks or (spec.dims,))
    for number in range(40):
        drawn = DRAWS[name](Random(f"parts {name} {number}"), dims)
        first = {spec.tensors[0]: Name("x")} if spec.tensors else {}
        named = {t: Name(t) for t in spec.tensors[1:] if t in drawn.weights}
        try:
            layer = bind(spec, (), {**first, **named, **drawn.arguments})
            prepared = plan_runner.prepare(layer, drawn.x, drawn.weights)
        except WrongInput:
            continue
        if prepared.shape_only:
            continue
        seen += 1
        shapes = {"x": drawn.x, **prepared.operands}
        data = {k: integers(f"{name} {number} {k}", s) for k, s in shapes.items()}
        g = integers(f"{name} {number} g", prepared.shape)
        weights = {k: tensor(k, *s) for k, s in prepared.operands.items()}
        form = apply(layer, tensor("x", *drawn.x), weights)
        assert all(holds(c, {}) for c in form.requires)
        result = plan_runner.run(prepared, data["x"], data, g)
        whole = {k: v.astype(int).astype(object) for k, v in data.items()}
        found = evaluate(form, {}, whole).astype(float)
        np.testing.assert_allclose(found, result.output, rtol=1e-12, atol=1e-12)
        for wrt in shapes:
            gradient = evaluate(vjp(form, wrt), {}, {**whole, "g": g.astype(int).astype(object)})
            np.testing.assert_allclose(
                gradient.astype(float), result.gradients[wrt], rtol=1e-12, atol=1e-12
            )
        if seen == 4:
            return
    assert seen


@pytest.mark.parametrize(
    "text",
    [
        "nn.Conv2d(3, 4, 3, stride=2, padding=1)",
        "nn.ConvTranspose2d(3, 4, 3, stride=2, output_padding=1)",
        "nn.MaxPool2d(3, 2, 1, ceil_mode=True)",
        "nn.AvgPool2d(2)",
        "F.interpolate(x, scale_factor=1.5)",
        "nn.Unfold(2, stride=2)",
        "F.pad(x, (1, 2, -1, 0))",
        "nn.Upsample(scale_factor=2, mode='bilinear', align_corners=True)",
    ],
)
def test_the_formula_for_all_sizes_gives_the_shapes_of_each(text: str) -> None:
    layer, n = read_layer(text), size("n")
    form = outline(layer, tensor("x", 1, 3, n, n))
    for length in range(3, 12):
        assert (
            shape_at(form, {"n": length})
            == plan_runner.prepare(layer, (1, 3, length, length)).shape
        )


def test_the_first_of_equal_maxima_takes_the_gradient() -> None:
    pool, x = read_layer("nn.MaxPool2d(2, stride=1)"), np.array([[[[5, 5, 2], [5, 5, 5]]]])
    assert plan_runner.forward(pool, x).tolist() == [[[[5.0, 5.0]]]]
    found = plan_runner.gradients(pool, x, {}, np.array([[[[2, 3]]]]))
    assert found["x"].tolist() == [[[[2.0, 3.0, 0.0], [0.0, 0.0, 0.0]]]]


def test_a_window_that_meets_nothing_has_the_maximum_minus_infinity() -> None:
    pool = read_layer("nn.MaxPool1d(2, padding=1, dilation=5)")
    assert plan_runner.forward(pool, np.array([[[2, 3, 4, 5]]])).tolist() == [[[-np.inf]]]


def test_a_constant_is_filled_in_and_makes_the_form_affine() -> None:
    padded = plan_runner.forward(read_layer("nn.ConstantPad1d((1, 2), 2.5)"), np.array([[[7]]]))
    assert padded.tolist() == [[[2.5, 7.0, 2.5, 2.5]]]


def test_unpooling_refuses_indices_from_elsewhere() -> None:
    layer = read_layer("nn.MaxUnpool1d(2)(x, indices)")
    x, indices = np.array([[[7, 8]]]), np.array([[[3, 2]]])
    with pytest.raises(NotSupported, match="indices that lie outside of their windows"):
        plan_runner.forward(layer, x, {"indices": indices})
    found = plan_runner.forward(layer, x, {"indices": np.array([[[1, 2]]])})
    assert found.tolist() == [[[0.0, 7.0, 8.0, 0.0]]]
