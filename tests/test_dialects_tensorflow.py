"""TensorFlow's calls: shapes, numbers, messages, and a slice of the comparison with itself."""

from __future__ import annotations

import itertools
import re
from typing import Any

import numpy as np
import pytest

from derive import conformance
from derive.dialects.layer import apply, outline
from derive.dialects.registry import read_layer
from derive.errors import NotSupported, WrongInput
from derive.form import tensor
from derive.numeric.plan_runner import forward, gradients, prepare
from derive.symbols import size
from derive.table import evaluate

Shape = tuple[int, ...]


def shape(text: str, x: Shape, **weights: Shape) -> tuple[int, ...]:
    """The output shape of a call."""
    return prepare(read_layer(text), x, weights).shape


@pytest.mark.parametrize(
    ("text", "x", "weights", "expected"),
    [
        (
            "conv2d(x, W, strides=[1,1,1,1], padding='SAME')",
            (1, 28, 28, 1),
            (7, 7, 1, 32),
            (1, 28, 28, 32),
        ),
        (
            "tf.nn.conv2d(input=x, filter=w, strides=2, padding='SAME')",
            (2, 7, 6, 3),
            (3, 3, 3, 5),
            (2, 4, 3, 5),
        ),
        (
            "tf.nn.conv2d(x, w, [1, 1, 3, 2], 'VALID', 'NCHW')",
            (2, 3, 8, 9),
            (2, 4, 3, 5),
            (2, 5, 3, 3),
        ),
        ("tf.nn.conv1d(x, w, 2, 'SAME', dilations=3)", (1, 9, 2), (4, 2, 3), (1, 5, 3)),
        (
            "tf.nn.conv3d(x, w, [1, 1, 2, 3, 1], 'VALID')",
            (1, 4, 5, 7, 2),
            (2, 3, 1, 2, 3),
            (1, 3, 2, 3, 3),
        ),
        (
            "tf.nn.convolution(x, w, padding='SAME')",
            (1, 4, 5, 7, 2),
            (2, 3, 1, 2, 3),
            (1, 4, 5, 7, 3),
        ),
        ("tf.nn.atrous_conv2d(x, w, 2, 'VALID')", (1, 9, 8, 2), (3, 2, 2, 3), (1, 5, 6, 3)),
        (
            "conv2d_transpose(activations, W_conv1, output_shape=[1,28,28,1], strides=1, padding='SAME')",
            (1, 28, 28, 32),
            (7, 7, 1, 32),
            (1, 28, 28, 1),
        ),
    ],
)
def test_shapes(text: str, x: Shape, weights: Shape, expected: Shape) -> None:
    assert shape(text, x, filters=weights) == expected


def test_the_lines_of_a_forum_answer_are_read_as_they_stand() -> None:
    lines = {
        "tf.nn.conv2d_backprop_input(input_sizes=x_shape, filter=w, out_backprop=d_out, "
        "strides=strides, padding='VALID')": {"filters": (3, 3, 2, 5)},
        "tf.nn.conv2d_transpose(value=d_out, filter=w, output_shape=x_shape, strides=strides, "
        "padding='VALID')": {"filters": (3, 3, 2, 5)},
    }
    for text, weights in lines.items():
        y = outline(
            read_layer(text),
            tensor("x", 1, size("m"), size("m"), 5),
            {n: tensor(n, *s) for n, s in weights.items()},
        )
        assert [str(n) for n in y.shape] == ["1", "x_shape_H", "x_shape_W", "2"]


def test_the_printed_transposed_convolution() -> None:
    # stackoverflow.com "What are deconvolutional layers?": conv2d_transpose of a 3×3 input
    a = np.array([[0, 0, 1.5], [0, 1, 0], [0, 0, 0]]).reshape(1, 3, 3, 1)
    kernel = np.array([[1.0, 2], [3, 4]]).reshape(2, 2, 1, 1)
    layer = read_layer(
        "tf.nn.conv2d_transpose(a, filt, output_shape=[1,6,6,1], strides=[1,2,2,1], padding='SAME')"
    )
    assert forward(layer, a, {"filters": kernel})[0, :, :, 0].tolist() == [
        [0, 0, 0, 0, 1.5, 3],
        [0, 0, 0, 0, 4.5, 6],
        [0, 0, 1, 2, 0, 0],
        [0, 0, 3, 4, 0, 0],
        [0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0],
    ]


def loop_conv(x: Any, w: Any, s: Shape, p: tuple[Shape, Shape]) -> Any:
    """``conv2d`` in NHWC as four loops over the places and taps."""
    padded = np.pad(x, ((0, 0), p[0], p[1], (0, 0)))
    k = w.shape[:2]
    m = [(padded.shape[a + 1] - k[a]) // s[a] + 1 for a in (0, 1)]
    y = np.zeros((x.shape[0], *m, w.shape[3]))
    for i, j, t, u in itertools.product(range(m[0]), range(m[1]), range(k[0]), range(k[1])):
        y[:, i, j] += padded[:, s[0] * i + t, s[1] * j + u] @ w[t, u]
    return y


@pytest.mark.parametrize(
    ("arguments", "s", "p"),
    [
        ("strides=[1, 2, 3, 1], padding='SAME'", (2, 3), ((0, 1), (2, 3))),
        ("strides=(1, 2), padding='VALID'", (1, 2), ((0, 0), (0, 0))),
        ("strides=2, padding=[[0, 0], [2, 1], [0, 3], [0, 0]]", (2, 2), ((2, 1), (0, 3))),
    ],
)
def test_conv2d_against_loops(arguments: str, s: Shape, p: tuple[Shape, Shape]) -> None:
    rng = np.random.default_rng(5)
    x, w = rng.integers(-5, 6, (2, 6, 7, 3)), rng.integers(-5, 6, (3, 6, 3, 2))
    layer = read_layer(f"tf.nn.conv2d(x, w, {arguments})")
    mine = forward(layer, x.astype(float), {"filters": w.astype(float)})
    assert mine.tolist() == loop_conv(x, w, s, p).tolist()


def test_same_padding_for_symbols_is_that_for_numbers() -> None:
    n = size("n")
    text = "tf.nn.conv1d(x, w, {}, 'SAME')"
    y = apply(
        read_layer(text.format("s")), tensor("x", 1, n, 1), {"filters": tensor("filters", 2, 1, 1)}
    )
    assert [str(m) for m in y.shape] == ["1", "-((-n)//s)", "1"]
    w = np.array([2.0, 3]).reshape(2, 1, 1)
    for length, stride in itertools.product(range(1, 10), range(1, 5)):
        x = np.arange(1.0, length + 1).reshape(1, length, 1)
        mine = evaluate(y, {"n": length, "s": stride}, {"x": x, "filters": w})
        plain = forward(read_layer(text.format(stride)), x, {"filters": w})
        assert mine.astype(float).tolist() == plain.tolist()


def test_backprops_are_the_gradients_of_conv2d() -> None:
    rng = np.random.default_rng(7)
    x, w = rng.integers(-5, 6, (2, 7, 6, 2)) * 1.0, rng.integers(-5, 6, (3, 2, 2, 3)) * 1.0
    common = "strides=[1, 2, 3, 1], padding='SAME'"
    conv = read_layer(f"tf.nn.conv2d(x, w, {common})")
    g = rng.integers(-5, 6, forward(conv, x, {"filters": w}).shape) * 1.0
    found = gradients(conv, x, {"filters": w}, g)
    to_input = read_layer(f"tf.nn.conv2d_backprop_input([2, 7, 6, 2], w, g, {common})")
    to_filter = read_layer(f"tf.nn.conv2d_backprop_filter(x, [3, 2, 2, 3], g, {common})")
    assert forward(to_input, g, {"filters": w}).tolist() == found["x"].tolist()
    assert forward(to_filter, x, {"out_backprop": g}).tolist() == found["filters"].tolist()


def test_depth_to_space_has_the_documented_order() -> None:
    # the second example of TensorFlow's documentation of tf.nn.depth_to_space
    x = np.arange(1.0, 13).reshape(1, 1, 1, 12)
    y = forward(read_layer("tf.nn.depth_to_space(x, 2)"), x)
    assert y.tolist() == [[[[1, 2, 3], [4, 5, 6]], [[7, 8, 9], [10, 11, 12]]]]
    assert forward(read_layer("tf.nn.space_to_depth(x, 2)"), y).tolist() == x.tolist()


def test_an_average_leaves_the_padding_out_and_a_maximum_pads_with_minus_infinity() -> None:
    x = np.array([-8.0, -4, -6]).reshape(1, 3, 1)
    average = read_layer("tf.nn.avg_pool1d(x, 2, 2, 'SAME')")
    maximum = read_layer("tf.nn.max_pool1d(x, 2, 2, 'SAME')")
    assert forward(average, x).ravel().tolist() == [-6, -6]
    assert forward(maximum, x).ravel().tolist() == [-4, -6]


def test_pad_modes() -> None:
    x = np.array([1.0, 2, 3]).reshape(1, 3, 1)
    expected = {
        "CONSTANT": [0, 0, 1, 2, 3, 0],
        "REFLECT": [3, 2, 1, 2, 3, 2],
        "SYMMETRIC": [2, 1, 1, 2, 3, 3],
    }
    for mode, row in expected.items():
        layer = read_layer(f"tf.pad(x, [[0, 0], [2, 1], [0, 0]], {mode!r})")
        assert forward(layer, x).ravel().tolist() == row


def test_depthwise_filters_multiply_channels() -> None:
    x = np.array([[2.0, 3], [5, 7]]).reshape(1, 1, 2, 2)
    w = np.array([[[10.0, 100], [1, 1000]]]).reshape(1, 1, 2, 2)
    layer = read_layer("tf.nn.depthwise_conv2d(x, w, [1, 1, 1, 1], 'SAME')")
    assert forward(layer, x, {"filter": w})[0, 0].tolist() == [
        [20, 200, 3, 3000],
        [50, 500, 7, 7000],
    ]


def test_resize_at_half_pixels() -> None:
    x = np.array([1.0, 3, 7]).reshape(1, 1, 3, 1)
    layer = "tf.image.resize(x, [1, 6], method={!r})"
    near = forward(read_layer(layer.format("nearest")), x).ravel().tolist()
    linear = forward(read_layer(layer.format("bilinear")), x).ravel().tolist()
    assert near == [1, 1, 3, 3, 7, 7]
    assert linear == [1, 1.5, 2.5, 4, 6, 7]


MESSAGES = [
    (
        "tf.nn.conv2d(x, w, strides=0, padding='SAME')",
        "tf.nn.conv2d: strides = 0: strides must be positive (Stride must be > 0); give 1 or more",
    ),
    (
        "tf.nn.conv2d(x, w, strides=1, padding='same')",
        (
            "tf.nn.conv2d: padding = 'same': TensorFlow takes 'SAME' or 'VALID' or explicit amounts "
            "(is not in the list of allowed values); write 'SAME'"
        ),
    ),
    (
        "tf.nn.conv2d(x, w, 1, 'SAME', data_format='channels_last')",
        (
            "tf.nn.conv2d: data_format = 'channels_last': for 2 spatial axes TensorFlow takes 'NHWC' and "
            "'NCHW'; choose one of them"
        ),
    ),
    (
        "tf.nn.conv2d(x, w, [1, 2, 2], 'SAME')",
        "tf.nn.conv2d: strides has 3 values; TensorFlow takes 1 or 2 or 4 for 2 spatial axes",
    ),
    (
        "tf.nn.conv2d(x, w, [1, 1, 2, 2], 'SAME')",
        (
            "tf.nn.conv2d: strides = [1, 1, 2, 2]: along the batch and the channels it is 1 in the layout "
            "NHWC; give 1 there"
        ),
    ),
    (
        "tf.nn.conv2d(x, w, 1, [[0, 0], [1, 1], [0, 0], [0, -1]])",
        (
            "tf.nn.conv2d: padding = [0, -1]: TensorFlow refuses it (All elements of "
            "explicit_paddings must be nonnegative); crop with a slice"
        ),
    ),
    (
        "tf.nn.conv2d(x, w, 1, [[0, 0], [1, 1], [0, 0], [0, 1]])",
        (
            "tf.nn.conv2d: padding = [0, 1] along C: TensorFlow refuses it (Nonzero explicit padding in "
            "the batch or depth dimensions is not supported); give [0, 0] there"
        ),
    ),
    (
        "tf.nn.convolution(x, w, 2, 'SAME', dilations=2)",
        (
            "tf.nn.convolution: strides and dilations: `strides > 1` not supported in "
            "conjunction with `dilation_rate > 1`; make one of them 1"
        ),
    ),
    (
        "tf.nn.depthwise_conv2d(x, w, [1, 1, 2, 1], 'SAME')",
        (
            "tf.nn.depthwise_conv2d: strides = 1, 2: TensorFlow refuses it (Current "
            "implementation only supports equal length strides in the row and column dimensions); make them equal"
        ),
    ),
    (
        "tf.nn.pool(x, [2], 'MAX', padding='SAME', dilations=[2])",
        (
            "tf.nn.pool: padding = 'SAME' with dilations > 1: TensorFlow refuses it (pooling with "
            "'SAME' padding is not implemented for `dilation_rate` > 1); pad by hand and give 'VALID'"
        ),
    ),
    (
        "tf.nn.depth_to_space(x, 1)",
        (
            "tf.nn.depth_to_space: block_size = 1: TensorFlow refuses it (must be at least minimum 2); "
            "give 2 or more"
        ),
    ),
    (
        "tf.pad(x, [[0, 0], [1, 1], [0, 0], [0, 0]], 'EDGE')",
        "tf.pad: mode = 'EDGE': it is one of 'CONSTANT', 'REFLECT', 'SYMMETRIC'; choose one of them",
    ),
    (
        "tf.image.resize(x, 3)",
        (
            "tf.image.resize: size = 3: TensorFlow refuses it ('size' must be a 1-D Tensor of 2 "
            "elements: new_height, new_width); give both"
        ),
    ),
    (
        "tf.nn.conv2d(x, w, stride=2, padding='SAME')",
        (
            "tf.nn.conv2d: there is no argument 'stride' (TensorFlow says: Got an unexpected keyword "
            "argument 'stride'); did you mean 'strides'?"
        ),
    ),
]


@pytest.mark.parametrize(("text", "message"), MESSAGES)
def test_messages(text: str, message: str) -> None:
    with pytest.raises(WrongInput, match=f"^{re.escape(message)}$"):
        read_layer(text)


SHAPE_MESSAGES = [
    (
        "tf.nn.conv2d(x, w, 1, 'SAME')",
        (1, 5, 5, 4),
        {"filters": (3, 3, 3, 2)},
        (
            "the input has 4 channels but the filter reads 3 (input depth must be evenly divisible by "
            "filter depth); give a filter of shape (…, 4, out)"
        ),
    ),
    (
        "tf.nn.conv2d_transpose(x, w, [1, 7, 6, 2], 2, 'SAME')",
        (1, 3, 3, 5),
        {"filters": (3, 3, 2, 5)},
        (
            "output_shape asks for the length 7, from which a convolution with padding = 'SAME' does not "
            "give the 3 of the input (Size of out_backprop doesn't match computed); give 5 … 6"
        ),
    ),
    (
        "tf.nn.conv2d_transpose(x, w, [1, 6, 6, 5], 2, 'SAME')",
        (1, 3, 3, 2),
        {"filters": (3, 3, 2, 5)},
        (
            "the input has 2 channels but the filter reads 5; filters are (*k, out, in): give them in "
            "that order"
        ),
    ),
    (
        "tf.nn.conv2d_backprop_filter(x, [3, 3, 2, 4], g, [1, 2, 2, 1], 'VALID')",
        (1, 7, 7, 2),
        {"out_backprop": (1, 3, 4, 4)},
        "out_backprop has the length 4 but the convolution gives 3; give 3",
    ),
    (
        "tf.nn.space_to_depth(x, 2)",
        (1, 4, 5, 1),
        {},
        (
            "block_size = 2: TensorFlow refuses it (Image width 5 and height 4 should be divisible by "
            "block_size: 2); pad or crop the image"
        ),
    ),
]


@pytest.mark.parametrize(("text", "x", "weights", "message"), SHAPE_MESSAGES)
def test_messages_for_shapes(text: str, x: Shape, weights: dict[str, Shape], message: str) -> None:
    with pytest.raises(WrongInput, match=re.escape(message)):
        shape(text, x, **weights)


def test_out_of_scope() -> None:
    with pytest.raises(NotSupported, match="pooling across the channels is out of scope"):
        shape("tf.nn.max_pool2d(x, [1, 1, 1, 2], 1, 'VALID')", (1, 3, 3, 4))
    with pytest.raises(NotSupported, match="antialias=True widens the kernel, so that its values"):
        forward(read_layer("tf.image.resize(x, [2, 2], antialias=True)"), np.zeros((1, 3, 3, 1)))


@pytest.mark.parametrize(
    "call",
    [
        "tf.nn.conv2d",
        "tf.nn.conv1d",
        "tf.nn.conv2d_transpose",
        "tf.nn.conv2d_backprop_filter",
        "tf.nn.depthwise_conv2d",
        "tf.nn.max_pool2d",
        "tf.nn.avg_pool1d",
        "tf.pad",
        "tf.image.resize",
    ],
)
def test_tensorflow_itself_agrees(call: str) -> None:
    pytest.importorskip("tensorflow")
    for tally, _ in conformance.sweep("tensorflow", 12, 3, [call]):
        assert [str(d) for d in tally.differences if not d.known] == []
        assert tally.legal and tally.illegal
