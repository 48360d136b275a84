"""What the input of a program is: the tensor that the first layer takes, its axes, its channels."""

from __future__ import annotations

from typing import Any

import pytest

import derive
from derive.dialects.answers import text
from derive.dialects.chain_shape import ChainShape
from derive.errors import WrongInput

HALF = "h = nn.Conv2d(8, 8, 3, stride=2, padding=1)(x)\n"
KEEP = "h = nn.Conv2d(8, 8, 3, padding=1)(x)\n"


def chain(call: str, given: Any = None, **options: Any) -> ChainShape:
    found = derive.shape(call, given, **options)
    assert isinstance(found, ChainShape)
    return found


@pytest.mark.parametrize(
    ("joined", "channels"),
    [
        ("h + x", 8),
        ("x + h", 8),
        ("torch.add(h, x)", 8),
        ("torch.cat([h, x], 1)", 16),
        ("torch.cat([x, h], 1)", 16),
    ],
)
def test_a_skip_from_the_input_is_the_input(joined: str, channels: int) -> None:
    assert chain(f"{KEEP}y = {joined}", "1,8,9,9").output == (1, channels, 9, 9)
    assert chain(f"{KEEP}y = {joined}", 9).input == ("N", 8, 9, 9)
    with pytest.raises(WrongInput, match=r"layer 2, .*differ along axis 2"):
        chain(f"{HALF}y = {joined}", "1,8,9,9")  # PyTorch: 5 must match 9
    found = chain(f"{HALF}y = {joined}")
    assert str(found.axes[0].defined) == "1"


def test_a_skip_under_another_name_and_a_name_that_is_assigned_again() -> None:
    call = "skip = x\nx = nn.Conv2d(8, 8, 3)(x)\ny = torch.cat([x, skip], 1)"
    with pytest.raises(WrongInput, match=r"\(1, 8, 7, 7\) and \(1, 8, 9, 9\) differ along axis 2"):
        chain(call, "1,8,9,9")


def test_keras_adds_the_input() -> None:
    call = (
        "x = keras.Input(shape=(9, 9, 8))\n"
        "h = keras.layers.Conv2D(8, 3, strides={s}, padding='same')(x)\n"
        "y = keras.layers.Add()([h, x])"
    )
    assert chain(call.format(s=1)).output == ("N", 9, 9, 8)
    with pytest.raises(WrongInput, match="differ along axis 1"):
        chain(call.format(s=2))


def test_two_input_layers_are_two_tensors() -> None:
    call = (
        "a = keras.Input(shape=(None, None, 3))\nb = keras.Input(shape=(None, None, 4))\n"
        "h = keras.layers.Conv2D(8, 3)(a)\ny = keras.layers.Concatenate()([h, b])"
    )
    found = chain(call)
    assert found.output == ("N", "n0 − 2", "n1 − 2", 12)
    assert found.requires == ("H_in = input_2_0 + 2", "W_in = input_2_1 + 2")


def test_a_projection_shortcut_starts_at_the_same_input() -> None:
    found = chain(f"s = nn.Conv2d(8, 8, 1, stride=2)(x)\n{HALF}y = h + s")
    assert found.requires == ()
    assert str(found.axes[0].defined) == "all H_in ≥ 1"
    assert chain(f"s = nn.Conv2d(8, 8, 1, stride=2)(x)\n{HALF}y = h + s", 9).output == (
        "N", 8, 5, 5,
    )  # fmt: skip


def test_a_second_tensor_is_the_same_wherever_it_occurs() -> None:
    call = "h = nn.Conv2d(8, 8, 3)(x)\ny = torch.cat([h, skip], 1)\nz = torch.cat([y, skip], 1)"
    found = chain(call)
    assert found.output[1] == "2·skip_C + 8"
    assert "  needs    H_in = skip_H + 2" in text(found).splitlines()  # W likewise


@pytest.mark.parametrize(
    ("layers", "given", "shape", "out"),
    [
        ("nn.ReLU(), nn.Conv3d(4, 4, 3)", None, ("N", 4, "D_in", "H_in", "W_in"), 3),
        ("nn.ReLU(), nn.Conv3d(4, 4, 3)", 9, ("N", 4, 9, 9, 9), 3),
        ("nn.ReLU(), nn.Conv1d(4, 4, 3)", None, ("N", 4, "L_in"), 1),
        ("nn.Upsample(scale_factor=2), nn.Conv1d(4, 4, 3)", 9, ("N", 4, 9), 1),
        ("nn.Dropout(0.5), nn.Linear(10, 5)", None, ("N", 10), 0),
        ("nn.Dropout(0.5), nn.Linear(10, 5)", "3,5,10", (3, 5, 10), 0),
        ("nn.ReLU(), nn.Conv2d(8, 8, 3)", None, ("N", 8, "H_in", "W_in"), 2),
        ("nn.ReLU(), nn.ReLU(), nn.Conv2d(8, 8, 3)", 28, ("N", 8, 28, 28), 2),
    ],
)
def test_axes_and_channels_are_those_of_the_first_layer_that_has_some(
    layers: str, given: Any, shape: tuple[Any, ...], out: int
) -> None:
    found = chain(f"nn.Sequential({layers})", given)
    assert found.input == shape
    assert len(found.axes) == out


def test_an_input_without_a_batch_stays_one() -> None:
    assert chain("nn.Sequential(nn.ReLU(), nn.Conv3d(4, 4, 3))", "4,9,9,9").output == (4, 7, 7, 7)


def test_other_frameworks_take_the_axes_from_a_later_layer_too() -> None:
    call = "keras.Sequential([keras.layers.Dropout(0.5), keras.layers.Conv1D(8, 3)])"
    assert chain(call, 9).output == ("N", 7, 8)
    call = "nn.Sequential(nn.AlphaDropout(0.5), nn.Conv1d(8, 4, 3))"
    assert chain(call, 9).output == ("N", 4, 7)
    with pytest.raises(WrongInput, match="the axes of its input are not known; write a layer that"):
        chain("nn.Sequential(nn.AlphaDropout(0.5), nn.AlphaDropout(0.5))", 9)


def test_channels_that_do_not_fit() -> None:
    with pytest.raises(WrongInput, match=r"layer 2, .* 7 channels but in_channels = 8"):
        chain("nn.Sequential(nn.ReLU(), nn.Conv2d(8, 8, 3))", "1,7,28,28")
    found = chain("nn.Sequential(nn.PixelShuffle(2), nn.Conv2d(8, 8, 3))")
    assert found.requires == ("4 divides C_in", "C_in ≥ 4", "⌊C_in/4⌋ = 8")


@pytest.mark.parametrize(
    ("given", "output"),
    [
        (None, ("N", 20)),
        ("10", (20,)),
        ("4,10", (4, 20)),
        ("3,5,10", (3, 5, 20)),
        ("3,5,6,7,10", (3, 5, 6, 7, 20)),
    ],
)
def test_linear_works_on_the_last_axis(given: Any, output: tuple[Any, ...]) -> None:
    assert derive.shape("nn.Linear(10, 20)", given).output == output


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (5, "the input has 5 features but in_features = 10"),
        ("3,10,5", "the input has 5 features but in_features = 10"),
        ("1,1,1,1,1,1,1,10", r"8 axes; give 2 to 5, or put some of them together$"),
    ],
)
def test_linear_refuses(given: Any, message: str) -> None:
    with pytest.raises(WrongInput, match=message):
        derive.shape("nn.Linear(10, 20)", given)


def test_linear_after_flatten() -> None:
    call = "nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear({n}, 20))"
    assert chain(call.format(n=24), "1,1,5,6").output == (1, 20)
    with pytest.raises(WrongInput, match=r"layer 3, nn\.Linear: the input has 24 features"):
        chain(call.format(n=25), "1,1,5,6")


@pytest.mark.parametrize(
    ("call", "given"),
    [
        ("nn.Conv2d(3, 16, H_in)", None),
        ("nn.Conv2d(3, 16, N)", None),
        ("nn.Conv2d(3, 16, N)", 28),
        ("nn.Conv2d(3, 16, H_out)", 28),
        ("nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.Conv2d(16, 3, H_in))", None),
    ],
)
def test_names_of_axes_are_taken(call: str, given: Any) -> None:
    with pytest.raises(WrongInput, match="is the name of an axis here; choose another name, as k"):
        derive.shape(call, given)


def test_the_input_may_have_the_name_of_an_argument() -> None:
    assert derive.shape("nn.Conv2d(3, 16, N)", "N,3,9,9").output == ("N", 16, "−N + 10", "−N + 10")


def test_tensors_by_the_name_that_the_call_has_for_them() -> None:
    shapes: dict[str, Any] = {"w": (8, 3, 3, 3), "b": 8}
    assert derive.shape("F.conv2d(x, w, b)", 9, weights=shapes).output == ("N", 8, 7, 7)
    call = "y = F.conv2d(x, w)\nz = F.conv2d(y, v)"
    found = chain(call, 9, weights={"w": (8, 3, 3, 3), "v": (4, 8, 1, 1)})
    assert found.output == ("N", 4, 7, 7)


@pytest.mark.parametrize(
    ("call", "shapes", "message"),
    [
        ("F.conv2d(x, w, b)", {"weight": (8, 3, 3, 3), "bias": 9}, r"bias has the shape \(9\) but"),
        ("F.conv2d(x, w)", {"weight": (8, 3, 3, 3), "w": (8, 3, 3, 3)}, "weight is given twice"),
        ("y = F.conv2d(x, w)\nF.relu(y)", {"v": (8, 3, 3, 3)}, "no call of the program takes it"),
    ],
)
def test_tensors_that_do_not_fit(call: str, shapes: Any, message: str) -> None:
    with pytest.raises(WrongInput, match=message):
        derive.shape(call, 9, weights=shapes)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("nn.Conv2d(3, 16, 3, stride=2, stride=5)", "keyword argument repeated: stride"),
        ("nn.Conv2d(3, 16, 3.0)", "kernel_size = 3.0: an integer was expected"),
        ("nn.MaxPool2d(2.0)", "kernel_size = 2.0: an integer was expected"),
        ("nn.MaxPool2d(3.5)", "kernel_size = 3.5: an integer was expected"),
        ("nn.Conv2d(3, 16, 4 / 2)", "kernel_size = 2.0: an integer was expected"),
        ("nn.Conv2d(3, 16, nn.ReLU())", r"kernel_size = nn.ReLU\(\): an integer was expected"),
        (
            "nn.Conv2d(3, 3, nn.ReLU() + 1)",
            r"arithmetic is between numbers and names; give the call",
        ),
        ("x[0] += nn.Conv2d(3, 3, 3)(x)", r"a call or an assignment `name = call` was expected"),
    ],
)
def test_what_the_framework_would_not_take(call: str, message: str) -> None:
    with pytest.raises(WrongInput, match=message):
        derive.shape(call, 9)


def test_where_no_window_fits_frameworks_may_give_nothing() -> None:
    with pytest.raises(
        WrongInput, match="may not refuse it on tensors; derive asks for one position"
    ):
        derive.shape("tf.nn.conv2d(x, w[4, 4, 3, 8], 1, 'VALID')", "1,3,3,3")
    with pytest.raises(WrongInput, match="zero or negative\\); give at least 4"):
        derive.shape("keras.layers.Conv2D(8, 4)", 3)


def test_a_scale_may_be_a_float() -> None:
    assert derive.shape("nn.Upsample(scale_factor=2.0)", 5).output == ("N", "C_in", 10, 10)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"call": 5}, "call = 5: a text was expected"),
        ({"call": "nn.ReLU()", "weights": [(3,)]}, "shapes by name were expected"),
        ({"call": "nn.ReLU()", "dialect": 3}, "dialect = 3: a text was expected"),
        ({"call": "nn.ReLU()", "input": 1000001}, "numbers go up to 1000000"),
        ({"call": "nn.ReLU()", "input": 2.5}, "this is no shape"),
    ],
)
def test_misuse_is_wrong_input(given: dict[str, Any], message: str) -> None:
    with pytest.raises(WrongInput, match=message):
        derive.shape(**given)
