"""Calls of frameworks in claims: layouts, shapes that calls tell, weights that layers share, errors."""

from __future__ import annotations

import pytest

from derive.claims.files import Entry
from derive.claims.judge import judge
from derive.claims.meaning import read
from derive.claims.report import make_row
from derive.decide.verdict import HoldsWhen, Proved, Refuted
from derive.errors import CannotBe, WrongInput

PROVED = (
    "shape(nn.Conv2d(3, 16, 3)(x)) == (N, 16, H - 2, W - 2)",
    "shape(keras.layers.Conv2D(16, 3)(x)) == (N, H - 2, W - 2, 16)",
    "shape(F.conv2d(x, w)) == (N, c_out, H - k_h + 1, W - k_w + 1)",
    "shape(nn.Conv2d(3, 16, 3)(x[1, 3, 28, 28])) == (1, 16, 26, 26)",
    "shape(nn.Conv2d(3, 16, 3)(x[3, 28, 28])) == (16, 26, 26)",
    "shape(nn.ReLU()(x[1, 2, 3, 4])) == (1, 2, 3, 4)",
    "F.conv2d(x, w, stride=2) == tf.nn.conv2d(x, w, strides=2, padding='VALID')",
    "F.conv2d(x, w, b) == F.conv2d(x, w, b, padding=0)",
    "lax.conv_general_dilated(x, w, (1, 1), 'VALID') == F.conv2d(x, w)",
    "onnx.Conv(x, w, strides=[2, 2]) == F.conv2d(x, w, stride=2)",
    "nn.Conv2d(4, 8, 3, padding='same')(x) == keras.layers.Conv2D(8, 3, padding='same')(x)",
    "nn.MaxPool2d(2)(x) == keras.layers.MaxPooling2D(2)(x)",
    "keras.layers.UpSampling2D(2)(x) == nearest_upsample(x, 2, dims=2)",
    "nearest_upsample(x, 2, dims=2) == keras.layers.UpSampling2D(2)(x[1, 4, 5, 3])",
    "F.conv1d(x, w, padding=1) == correlate(x, w, padding=1, dims=1)",
    "vjp(nn.Conv2d(1, 1, 3, bias=False)(x), x, g) == nn.ConvTranspose2d(1, 1, 3, bias=False)(g)",
    "vjp(nn.Conv1d(2, 3, 4, bias=False)(x), x, g) == nn.ConvTranspose1d(3, 2, 4, bias=False)(g)",
    "F.conv2d(x, w) == nn.Conv2d(1, 1, 3, bias=False)(x)",
    """nn.Conv1d(1, 1, 3, bias=False)(nn.Conv1d(1, 1, 2, bias=False)(x)) ==
    correlate(correlate(x, w, dims=1), w_2, dims=1)""",
    # the incoming gradient has the output's axes, in each call's own order
    "vjp(nn.AvgPool2d(2)(x), x, g) == vjp(keras.layers.AveragePooling2D(2)(x), x, g)",
    "vjp(F.conv2d(x, w), w, g) == vjp(tf.nn.conv2d(x, w, 1, 'VALID'), w, g)",
    """vjp(F.conv2d(x, w), x, g) ==
    tf.nn.conv2d_transpose(g, w, output_shape=x.shape, strides=1, padding='VALID')""",
    "vjp(F.interpolate(x, scale_factor=2), x, g) == 4*keras.layers.AveragePooling2D(2)(g)",
    "vjp(nn.ZeroPad2d((1, 2, 3, 4))(x), x, g) == keras.layers.Cropping2D(((3, 4), (1, 2)))(g)",
    # the channels are learned after the layer on the left has its weights
    "keras.layers.Conv1D(8, 3)(x) == nn.Conv1d(4, 8, 3)(x)",
    "linen.Conv(8, (3,), padding='VALID')(x) == nn.Conv1d(4, 8, 3)(x)",
    "keras.layers.Dense(8)(x) == nn.Linear(4, 8)(x)",
    """keras.layers.Conv1D(1, 3, padding='causal')(x) == nn.Conv1d(1, 1, 3)(F.pad(x, (2, 0)))""",
    """tf.nn.conv2d_transpose(y[N, H, W, 5], w[3, 3, 4, 5], output_shape=(N, 2*H, 2*W, 4), strides=2) ==
    vjp(tf.nn.conv2d(x[N, 2*H, 2*W, 4], w, strides=2, padding='SAME'), x, y)""",
)


@pytest.mark.parametrize("claim", PROVED)
def test_true_claims_are_proved(claim: str) -> None:
    assert isinstance(judge(claim).verdict, Proved), str(judge(claim))


@pytest.mark.parametrize(
    ("claim", "condition"),
    [
        (
            "vjp(F.conv1d(x, w, stride=2), x, g) == F.conv_transpose1d(g, w, stride=2)",
            "(L + k) % 2 == 0",
        ),
        (
            "tf.nn.conv1d(x, w, 2, 'SAME') == F.conv1d(x, w[4, 3, 3], stride=2, padding=1)",
            "L % 2 == 1",
        ),
        ("length(nn.Upsample(scale_factor=2)(nn.MaxPool1d(2)(x)), -1) == L", "L % 2 == 0"),
    ],
)
def test_conditions_are_found(claim: str, condition: str) -> None:
    row = make_row(Entry(claim, expected=f"holds when {condition}"), judge(claim), 0.0)
    assert row["as_expected"], row["condition"]


@pytest.mark.parametrize(
    "claim",
    [
        "shape(nn.Conv2d(3, 16, 3)(x)) == (N, 16, H - 1, W - 2)",
        "F.conv2d(x, w[2, 3, 2, 2]) == tf.nn.conv2d(x, flip(w, dims=2), 1, 'VALID')",
        "F.conv2d(x, w, b) == F.conv2d(x, w)",
        "nn.MaxPool2d(2)(x) == nn.AvgPool2d(2)(x)",
        # a layer has its own weights: two that follow one another are not the same
        """nn.Conv1d(1, 1, 2, bias=False)(nn.Conv1d(1, 1, 2, bias=False)(x)) ==
        correlate(correlate(x, w, dims=1), w, dims=1)""",
        "vjp(F.interpolate(x, scale_factor=2), x, g) == 3*keras.layers.AveragePooling2D(2)(g)",
        "vjp(nn.ZeroPad2d((1, 2, 3, 4))(x), x, g) == keras.layers.Cropping2D(((1, 2), (3, 4)))(g)",
        "keras.layers.Conv1D(8, 3)(x) == nn.Conv1d(4, 8, 3, padding=1)(F.pad(x, (0, -2)))",
    ],
)
def test_false_claims_are_refuted(claim: str) -> None:
    assert isinstance(judge(claim).verdict, Refuted), str(judge(claim))


def test_what_is_understood_is_said() -> None:
    claim = "nn.Conv2d(4, 8, 3)(x) == keras.layers.Conv2D(8, 3)(x)"
    readings = read(claim).readings
    kernel = (
        "nn.Conv2d and keras.layers.Conv2D: the kernel of both sides is the same, w (layouts aside)"
    )
    assert kernel in readings
    assert "NCHW and NHWC are compared with the layouts put aside" in readings
    row = make_row(Entry(claim, reading="As it stands."), judge(claim), 0.0)
    assert row["reading"] is not None
    assert row["reading"].startswith(f"As it stands.; {kernel}")
    own = read("nn.Conv1d(1, 1, 3)(x) == nn.Conv1d(1, 1, 5, padding=1)(x)").readings
    assert "nn.Conv1d: its weights do not fit those of the other side; it has its own, w_" in own


def test_a_tensor_has_the_axes_of_its_first_call() -> None:
    claim = "nn.Conv2d(3, 5, 2, bias=False)(x[1, 3, 6, 7]) == keras.layers.Conv2D(5, 2, use_bias=False)(x)"
    statement = judge(claim).claim.statement
    shapes = dict(statement.left.tensors)  # type: ignore[union-attr]
    assert shapes["x"] == (1, 3, 6, 7)
    assert shapes["w"] == (5, 3, 2, 2)


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        (
            "nn.Conv2d(3, 16)(x) == x",
            r"nn.Conv2d: missing the argument: 'kernel_size'.*; it is called as",
        ),
        ("F.conv2d(x) == x", r"F.conv2d: missing the argument: 'weight'.*; it is called as"),
        (
            "F.conv2d(x, box(2)) == x",
            r"F.conv2d: the weight has 1 axis \(PyTorch says: .*\); give 4, in the order OIHW",
        ),
        (
            "F.avg_pool2d(x, 2) == F.conv2d(x, box(2), stride=2)/4",
            r"F.conv2d: the weight has 1 axis",
        ),
        (
            "F.conv1d(x, [1, 2]) == x",
            r"F.conv1d: the weight has 1 axis .*; give 3, in the order OIW",
        ),
        (
            "F.conv_transpose1d(x, [1, 2]) == x",
            r"F.conv_transpose1d: the weight has 1 axis .*; give 3",
        ),
        ("F.conv2d(x, w[1, 1, 2]) == x", r"the weight has 3 axes; give 4, in the order OIHW"),
        (
            "tf.nn.conv2d(x, box(2), 1, 'SAME') == x",
            r"filters has 1 axes; give 4, in the order HWIO",
        ),
        ("lax.conv(x, box(2), (1, 1), 'SAME') == x", r"rhs has 1 axes; give 4, in the order OIHW"),
        ("onnx.Conv(X, box(2)) == X", r"W has 1 axes; give 4"),
        ("keras.ops.conv(x, box(2)) == x", r"kernel has 1 axes; give 4, in the order HWIO"),
        ("nn.Conv2d(3, 8, 3)(3) == x", r"3 is the number 3; a tensor was expected in its place"),
        ("F.conv3(x, w) == x", r"the call 'F.conv3' is unknown; did you mean F.conv3d"),
        (
            "nn.Conv2d(3, 8, 3) == x",
            r"it is a layer; apply it to its input, as nn.Conv2d\(…\)\(x\)",
        ),
        ("nn.Conv2d(3, 8, 3)() == x", r"the layer has no input; write nn.Conv2d\(…\)\(x\)"),
        ("F.relu(1)(x) == x", r"F.relu: it is a function, applied once; write F.relu\(x, …\)"),
        ("nn.Conv2d(3, 8, 3)(x[1, 4, 5, 5]) == x", r"the input has 4 channels but in_channels = 3"),
        ("nn.Conv2d(3, 8, 3, stride=0)(x) == x", r"stride = 0: stride is at least 1"),
        ("nn.Conv2d(3, 8, 3, padding='same', stride=2)(x) == x", r"PyTorch refuses it"),
        ("nn.Conv2d(3, 8, 3, strid=2)(x) == x", r"no argument 'strid'.*; did you mean 'stride'\?"),
        (
            "nn.Conv2d(4, 4, 3, groups=4)(x) == keras.layers.DepthwiseConv2D(3)(x)",
            r"its weight has the axes OIHW on one side and HWIM on the other, .*; use calls that take",
        ),
        (
            "tf.nn.depthwise_conv2d(x, w, [1, 1, 1, 1], 'VALID') == F.conv2d(x, w, groups=C)",
            r"the kernel has the axes HWIM on one side and OIHW on the other, .*; use calls that take",
        ),
        ("F.conv2d(x, w, [[1, 2], [3, 4]]) == x", r"bias has 2 axes; give 1, in the order O"),
        ("nn.ReLU()(x[1, 2]) == x", r"values are out of scope; claim its shape"),
        ("flip(nn.ReLU()(x[1, 2])) == x", r"values are out of scope; claim the shape"),
        ("F.conv2d(x, w, **k) == x", r"`\*\*` cannot be part of a claim"),
        ("nn.Conv2d(3, 8, q)(x) == x", r"the symbol 'q' is free; declare it"),
        ("nn.Conv2d(3, 8, x)(x[1, 3, 5, 5]) == x", r"x is an operator; a number was expected"),
    ],
)
def test_errors_say_what_to_do(claim: str, message: str) -> None:
    with pytest.raises(WrongInput, match=message):
        judge(claim)


def test_parts_that_never_fit_are_no_refutation() -> None:
    with pytest.raises(CannotBe, match="the left side has 4 axes"):
        judge("F.conv2d(x, w) == y[n]")


def test_the_gradient_of_a_strided_layer_is_conditional() -> None:
    claim = (
        "vjp(nn.Conv1d(c_in, c_out, 3, stride=2, bias=False)(x), x, g) == "
        "nn.ConvTranspose1d(c_out, c_in, 3, stride=2, bias=False)(g)"
    )
    assert isinstance(judge(claim).verdict, HoldsWhen)


def test_a_guessed_number_of_axes_is_said() -> None:
    found = judge("np.pad(x, 2, mode='symmetric').shape == (L + 4,)")
    assert isinstance(found.verdict, Refuted)
    assert found.claim.readings == (
        "x has 2 axes, HW, since nothing says how many; write its shape, as x[H, W]",
    )
    declared = judge("np.pad(x[L], 2, mode='symmetric').shape == (L + 4,)")
    assert isinstance(declared.verdict, Proved)
    assert declared.claim.readings == ()


def test_a_shape_that_is_plainly_the_same_is_so_for_all_sizes() -> None:
    found = judge("shape(nn.ReLU()(x)) == shape(x)")
    assert str(found).startswith("proved for all sizes")
    assert str(judge("3 + 4 == 7")).startswith("proved for these numbers")


def test_a_given_shape_follows_the_layout_of_the_call() -> None:
    claim = """vjp(F.conv2d(x, w), x, g) ==
    tf.nn.conv2d_transpose(g, w, output_shape=x.shape, strides=1, padding='VALID')"""
    assert str(judge(claim)).startswith(
        "proved for all sizes at which both sides are defined: H >= k_h and W >= k_w"
    )
