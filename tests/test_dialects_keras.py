"""The layers of Keras 3 and of Keras 1: shapes, numbers, messages, and a slice of the comparison."""

from __future__ import annotations

import re

import numpy as np
import pytest

from derive import conformance
from derive.dialects.registry import CALLS, find, read_layer
from derive.errors import NotSupported, WrongInput
from derive.numeric.plan_runner import forward, prepare

Shape = tuple[int, ...]


def shape(text: str, *x: int) -> Shape:
    """The output shape of a layer."""
    return prepare(read_layer(text), x).shape


@pytest.mark.parametrize(
    ("text", "x", "expected"),
    [
        ("Conv2D(16, 3)", (2, 8, 9, 3), (2, 6, 7, 16)),
        ("keras.layers.Conv2D(16, (3, 2), strides=2, padding='same')", (2, 7, 9, 3), (2, 4, 5, 16)),
        ("tf.keras.layers.Conv1D(4, 3, padding='causal', dilation_rate=2)", (1, 9, 3), (1, 9, 4)),
        ("Conv2D(4, 3, data_format='channels_first')", (2, 3, 8, 9), (2, 4, 6, 7)),
        ("Conv2D(4, 3, groups=2, activation='relu')", (2, 8, 9, 6), (2, 6, 7, 4)),
        ("Conv2DTranspose(64, (2, 2), strides=(2, 2))", (1, 3, 5, 4), (1, 6, 10, 64)),
        ("Conv2DTranspose(8, 3, strides=2, padding='same')", (1, 7, 7, 4), (1, 14, 14, 8)),
        ("Conv1DTranspose(8, 2, strides=5)", (1, 3, 4), (1, 15, 8)),
        (
            "Conv1DTranspose(8, 4, strides=3, padding='same', output_padding=1)",
            (1, 4, 4),
            (1, 10, 8),
        ),
        ("SeparableConv2D(5, 3, depth_multiplier=2)", (1, 6, 7, 3), (1, 4, 5, 5)),
        ("DepthwiseConv1D(3, depth_multiplier=2)", (1, 6, 3), (1, 4, 6)),
        ("MaxPool2D()", (1, 7, 8, 3), (1, 3, 4, 3)),
        ("AveragePooling3D(2, padding='same')", (1, 3, 4, 5, 2), (1, 2, 2, 3, 2)),
        ("GlobalAveragePooling2D()", (2, 7, 8, 3), (2, 3)),
        ("GlobalMaxPool1D(keepdims=True, data_format='channels_first')", (2, 7, 8), (2, 7, 1)),
        ("UpSampling2D(size=(2, 3))", (1, 3, 4, 2), (1, 6, 12, 2)),
        ("ZeroPadding2D(((1, 2), (3, 4)))", (1, 3, 4, 2), (1, 6, 11, 2)),
        ("Cropping2D(((1, 2), (0, 1)))", (1, 7, 4, 2), (1, 4, 3, 2)),
        ("keras.layers.BatchNormalization()", (1, 7, 4, 2), (1, 7, 4, 2)),
        ("keras.layers.Dropout(0.5)", (1, 7, 2), (1, 7, 2)),
    ],
)
def test_shapes(text: str, x: Shape, expected: Shape) -> None:
    assert shape(text, *x) == expected


@pytest.mark.parametrize(
    ("text", "x", "expected"),
    [
        (
            "Convolution2D(16, 7, 7, activation='relu', border_mode='valid')",
            (5, 1, 28, 28),
            (5, 16, 22, 22),
        ),
        ("Deconvolution2D(1, 7, 7, (None, 1, 2*h, 2*w))", (5, 16, 22, 22), (5, 1, 28, 28)),
        (
            "Deconvolution2D(1, 7, 7, (None, 1, 2*h, 2*w), subsample=(2, 2))",
            (5, 16, 22, 22),
            (5, 1, 49, 49),
        ),
        (
            "Deconvolution2D(1, 3, 3, (None, 1, 9, 9), border_mode='same', subsample=(2, 2))",
            (5, 16, 4, 4),
            (5, 1, 7, 7),
        ),
        (
            "Convolution2D(4, 3, 2, border_mode='full', dim_ordering='tf')",
            (1, 5, 6, 2),
            (1, 7, 7, 4),
        ),
        ("AtrousConvolution2D(4, 3, 3, atrous_rate=(2, 2))", (1, 2, 9, 8), (1, 4, 5, 4)),
        ("MaxPooling2D((2, 3), border_mode='same')", (1, 2, 7, 7), (1, 2, 4, 3)),
        ("keras1.UpSampling2D(size=(2, 2))", (1, 2, 7, 5), (1, 2, 14, 10)),
        ("keras.layers.AveragePooling1D(pool_length=3)", (1, 10, 2), (1, 3, 2)),
        ("ZeroPadding2D((1, 2), dim_ordering='th')", (1, 2, 7, 5), (1, 2, 9, 9)),
        ("Convolution1D(8, 3, border_mode='same', subsample_length=2)", (1, 9, 2), (1, 5, 8)),
    ],
)
def test_shapes_of_keras_1(text: str, x: Shape, expected: Shape) -> None:
    assert shape(text, *x) == expected


def test_the_argument_names_tell_the_versions_apart() -> None:
    assert read_layer("MaxPooling2D((2, 2), padding='same')").dialect == "Keras"
    assert read_layer("MaxPooling2D((2, 2), border_mode='same')").dialect == "Keras 1"
    assert read_layer("UpSampling2D(size=(2, 2))").dialect == "Keras"
    assert read_layer("keras1.UpSampling2D(size=(2, 2))").dialect == "Keras 1"
    assert find("UpSampling2D", prefer="Keras 1").dialect == "Keras 1"


def test_a_causal_convolution_does_not_look_ahead() -> None:
    x, w = np.array([3.0, 5, 7, 2]).reshape(1, 4, 1), np.array([10.0, 1]).reshape(2, 1, 1)
    layer = read_layer("Conv1D(1, 2, padding='causal', use_bias=False)")
    assert forward(layer, x, {"kernel": w}).ravel().tolist() == [3, 35, 57, 72]


def test_conv2d_kernels_are_rows_columns_in_out() -> None:
    x = np.array([[2.0, 3], [5, 7]]).reshape(1, 2, 2, 1)
    w = np.array([[[[1.0, 10]], [[0, 100]]], [[[0, 0]], [[1, 0]]]])
    layer = read_layer("Conv2D(2, 2)")
    y = forward(layer, x, {"kernel": w, "bias": np.array([0.5, 0.25])})
    assert y.ravel().tolist() == [2 + 7 + 0.5, 20 + 300 + 0.25]


def test_the_scatter_of_a_transposed_convolution() -> None:
    x, w = np.array([2.0, 3]).reshape(1, 2, 1), np.array([1.0, 10, 100]).reshape(3, 1, 1)
    valid = read_layer("Conv1DTranspose(1, 3, strides=2, use_bias=False)")
    same = read_layer("Conv1DTranspose(1, 3, strides=2, padding='same', use_bias=False)")
    assert forward(valid, x, {"kernel": w}).ravel().tolist() == [2, 20, 203, 30, 300]
    assert forward(same, x, {"kernel": w}).ravel().tolist() == [2, 20, 203, 30]


def test_keras_1_kernels_are_out_in_rows_columns() -> None:
    x = np.array([[2.0, 3], [5, 7]]).reshape(1, 1, 2, 2)
    w = np.array([[1.0, 10], [100, 1000]]).reshape(1, 1, 2, 2)
    inputs = {"W": w, "b": np.zeros(1)}
    assert forward(read_layer("Convolution2D(1, 2, 2)"), x, inputs).ravel().tolist() == [7532]
    wide = forward(read_layer("Deconvolution2D(1, 2, 2, (None, 1, 3, 3))"), x, inputs)
    assert wide[0, 0].tolist() == [[2, 23, 30], [205, 2357, 3070], [500, 5700, 7000]]
    full = forward(read_layer("Convolution2D(1, 2, 2, border_mode='full')"), x, inputs)
    assert full.tolist() == wide.tolist()  # Theano's convolution turns the kernel around


def test_an_average_leaves_the_padding_out() -> None:
    x = np.array([2.0, 4, 6, 8, 3]).reshape(1, 5, 1)
    layer = read_layer("AveragePooling1D(2, padding='same')")
    assert forward(layer, x).ravel().tolist() == [3, 7, 3]


def test_upsampling() -> None:
    x = np.array([1.0, 5]).reshape(1, 1, 2, 1)
    near = read_layer("UpSampling2D((1, 2))")
    linear = read_layer("UpSampling2D((1, 2), interpolation='bilinear')")
    assert forward(near, x).ravel().tolist() == [1, 1, 5, 5]
    assert forward(linear, x).ravel().tolist() == [1, 2, 4, 5]


MESSAGES = [
    (
        "Conv2D(16, 3, stride=2)",
        (
            "keras.layers.Conv2D: there is no argument 'stride' (Keras says: Unrecognized keyword "
            "arguments passed to Conv2D); did you mean 'strides'?"
        ),
    ),
    (
        "Conv2D(16, 3, strides=0)",
        (
            "keras.layers.Conv2D: strides = 0: Keras refuses it (do not satisfy `value > 0`); "
            "give 1 or more"
        ),
    ),
    (
        "Conv2D(16, (3, 3, 3))",
        (
            "keras.layers.Conv2D: kernel_size has 3 values; Keras takes one number or a tuple of 2 for 2 "
            "spatial axes"
        ),
    ),
    (
        "Conv2D(16, 3, strides=2, dilation_rate=2)",
        (
            "keras.layers.Conv2D: strides and dilation_rate: `strides > 1` not supported in conjunction "
            "with `dilation_rate > 1`; make one of them 1"
        ),
    ),
    (
        "Conv2D(16, 3, padding='causal')",
        "keras.layers.Conv2D: padding = 'causal': it is for Conv1D alone; use ZeroPadding and 'valid'",
    ),
    (
        "Conv2D(16, 3, padding=1)",
        (
            "keras.layers.Conv2D: padding = an amount: Keras takes 'valid' or 'same'; for amounts put a "
            "ZeroPadding layer in front"
        ),
    ),
    (
        "Conv2D(5, 3, groups=2)",
        (
            "keras.layers.Conv2D: filters = 5, groups = 2: Keras refuses it (The number of filters "
            "must be evenly divisible by the number of groups); choose groups that divide 5"
        ),
    ),
    (
        "Conv2D(5, 3, data_format='NHWC')",
        (
            "keras.layers.Conv2D: data_format = 'NHWC': Keras takes 'channels_last' and 'channels_first'; "
            "choose one of them"
        ),
    ),
    (
        "Conv2DTranspose(8, 3, strides=2, output_padding=2)",
        (
            "keras.layers.Conv2DTranspose: output_padding = 2, strides = 2: `output_padding` must be "
            "strictly less than `strides`; give at most 1"
        ),
    ),
    (
        "Convolution2D(8, (3, 3), 2, border_mode='same')",
        (
            "keras1.Convolution2D: nb_row = (3, 3): Keras 1 takes two numbers, nb_row and nb_col; for a "
            "kernel_size as in Keras 2 and 3 write Conv2D"
        ),
    ),
    (
        "Convolution2D(8, 3, 3, border_mode='SAME')",
        (
            "keras1.Convolution2D: border_mode = 'SAME': Keras 1 takes 'valid', 'same', 'full'; choose "
            "one of them"
        ),
    ),
    (
        "Convolution2D(8, 3, 3, dim_ordering='NCHW')",
        (
            "keras1.Convolution2D: dim_ordering = 'NCHW': dim_ordering must be in {tf, th}; choose one of "
            "them"
        ),
    ),
    (
        "Convolution2D(8, 3, 3, subsample=2)",
        "keras1.Convolution2D: subsample = 2: Keras 1 takes a tuple of 2; write (2, 2)",
    ),
    (
        "Deconvolution2D(8, 3, 3)",
        (
            "keras1.Deconvolution2D: the argument 'output_shape' is missing; Keras 1 wants it, although "
            "the length follows from the input: give (None, nb_filter, rows, cols)"
        ),
    ),
]


@pytest.mark.parametrize(("text", "message"), MESSAGES)
def test_messages(text: str, message: str) -> None:
    with pytest.raises(WrongInput, match=f"^{re.escape(message)}$"):
        read_layer(text)


def test_messages_for_shapes() -> None:
    with pytest.raises(WrongInput, match="evenly divisible by the number of groups"):
        shape("Conv2D(4, 3, groups=2)", 1, 5, 5, 3)
    with pytest.raises(WrongInput, match=r"of 3: Keras refuses it .*the input length\); crop less"):
        shape("Cropping1D((1, 2))", 1, 3, 1)
    message = "output_padding asks for the length 4, from which a convolution with padding = 'SAME'"
    with pytest.raises(WrongInput, match=message):
        shape("Conv1DTranspose(1, 2, strides=2, padding='same', output_padding=0)", 1, 3, 1)


def test_a_nonlinear_activation_has_no_value_here() -> None:
    layer = read_layer("Conv1D(1, 2, activation='relu')")
    with pytest.raises(NotSupported, match="activation='relu' is not linear"):
        forward(layer, np.zeros((1, 3, 1)), {"kernel": np.zeros((2, 1, 1)), "bias": np.zeros(1)})


@pytest.mark.parametrize(
    ("framework", "call"),
    [
        ("keras", "keras.layers.Conv1D"),
        ("keras", "keras.layers.Conv2D"),
        ("keras", "keras.layers.Conv2DTranspose"),
        ("keras", "keras.layers.AveragePooling2D"),
        ("keras", "keras.layers.UpSampling2D"),
        ("keras", "keras.layers.Cropping2D"),
        ("keras1", "keras1.Convolution1D"),
        ("keras1", "keras1.Deconvolution2D"),
        ("keras1", "keras1.AtrousConvolution2D"),
        ("keras1", "keras1.MaxPooling2D"),
    ],
)
def test_keras_itself_agrees(framework: str, call: str) -> None:
    pytest.importorskip("keras")
    for tally, _ in conformance.sweep(framework, 15, 3, [call]):
        assert [str(d) for d in tally.differences if not d.known] == []
        assert tally.legal


def test_every_layer_is_drawn() -> None:
    read_layer("Conv2D(1, 1)")
    for name in ("tensorflow", "keras", "keras1"):
        framework = conformance.FRAMEWORKS[name]
        drawn = set(framework.draws())
        called = {s.name for s in CALLS.values() if s.dialect == framework.dialect}
        assert called - drawn == set()
