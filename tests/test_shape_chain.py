"""Chains of calls: tables, and for which lengths they are defined and come back."""

from __future__ import annotations

import re
from typing import Any

import pytest

import derive
from derive.dialects.answers import as_dict, latex, text
from derive.dialects.calls import read_calls
from derive.dialects.chain import is_chain, run
from derive.dialects.chain_shape import ChainShape
from derive.errors import WrongInput

DOWN = "nn.Conv1d(3, 3, 3, stride=2, padding=1)"
UP = "nn.ConvTranspose1d(3, 3, 3, stride=2, padding=1, output_padding=1)"
UNET = """
import torch
enc1 = nn.Conv1d(1, 8, 3, padding=1)
a = enc1(x)
b = nn.Conv1d(8, 16, 3, padding=1)(F.max_pool1d(a, 2))
c = nn.Conv1d(16, 32, 3, padding=1)(F.max_pool1d(b, 2))
d = torch.cat([nn.ConvTranspose1d(32, 16, 2, stride=2)(c), b], dim=1)
e = torch.cat((nn.ConvTranspose1d(32, 8, 2, stride=2)(d), a), 1)
y = nn.Conv1d(16, 2, 1)(e)
"""
KERAS_1 = """
up6 = merge([UpSampling2D(size=(2, 2))(conv5), conv4], mode='concat', concat_axis=1)
conv6 = Convolution2D(256, 3, 3, activation='relu', border_mode='same')(up6)
conv6 = Convolution2D(256, 3, 3, activation='relu', border_mode='same')(conv6)
"""


def chain(call: str, *args: Any, **kwargs: Any) -> ChainShape:
    found = derive.shape(call, *args, **kwargs)
    assert isinstance(found, ChainShape)
    return found


def numbers(call: str, top: int = 140) -> dict[int, int]:
    """The output length for each input length for which no line is refused."""
    found = {}
    statements = read_calls(call)
    for n in range(1, top):
        try:
            m = run(statements, (n,)).rows[-1].value.shape[-1].constant
        except WrongInput:
            continue
        assert m is not None
        found[n] = m
    return found


def sequential(*layers: str) -> str:
    return f"nn.Sequential({', '.join(layers)})"


@pytest.mark.parametrize(
    ("call", "returns"),
    [
        (sequential(*[DOWN] * 5, *[UP] * 5), "all L_in divisible by 32"),
        (
            sequential(DOWN, "nn.MaxPool1d(3)", "nn.Upsample(scale_factor=6)"),
            "all L_in divisible by 6",
        ),
        (sequential(DOWN, "nn.ConvTranspose1d(3, 3, 3, stride=2, padding=1)"), "all odd L_in"),
        (sequential("nn.Conv1d(1, 1, 3, padding=1)", "nn.ReLU()"), "all L_in ≥ 1"),
        (sequential("nn.Conv1d(1, 1, 3)", "nn.ConvTranspose1d(1, 1, 3)"), "all L_in ≥ 3"),
        (sequential("nn.Conv1d(1, 1, 3)", "nn.ReLU()"), "none"),
        (UNET, "all L_in divisible by 4"),
    ],
)
def test_where_a_chain_returns_to_its_length(call: str, returns: str) -> None:
    axis = chain(call).axes[0]
    assert axis.returns is not None and axis.defined is not None
    assert str(axis.returns) == returns
    seen = numbers(call)
    assert [n for n in range(1, 140) if n in axis.defined] == list(seen)
    assert [n for n in range(1, 140) if n in axis.returns] == [n for n, m in seen.items() if n == m]


def test_all_inputs_that_give_the_output_of_a_chain() -> None:
    call = sequential(DOWN, "nn.MaxPool1d(2)", UP)
    found = chain(call, 28)
    assert found.output == ("N", 3, 14)
    axis = found.axes[0]
    assert axis.inverse is not None
    assert [n for n, m in numbers(call).items() if m == 14] == [
        n for n in range(1, 140) if n in axis.inverse
    ]
    assert str(chain(call, output=15).axes[0].inverse) == "none"


def test_the_skips_of_a_u_net() -> None:
    found = chain(UNET, 64)
    assert [r.output for r in found.layers if r.call.startswith("torch.cat")] == [
        ("N", 32, 32),
        ("N", 16, 64),
    ]
    assert str(found.axes[0].defined) == "all L_in divisible by 4"
    with pytest.raises(
        WrongInput, match=r"layer 7, torch.cat.*differ along axis 2; choose an input"
    ):
        chain(UNET, 66)


def test_a_table() -> None:
    call = sequential("nn.Conv2d(3, 16, 3, stride=2, padding=1)", "nn.ReLU()", "nn.MaxPool2d(2)")
    assert text(chain(call, "1,3,28,28")).splitlines() == [
        "input (1, 3, 28, 28) NCHW",
        "",
        "layer                                         output             field   jump  offset",
        "  1 nn.Conv2d(3, 16, 3, stride=2, padding=1)  (1, 16, 14, 14)        3      2       0",
        "  2 nn.ReLU()                                 (1, 16, 14, 14)        3      2       0",
        "  3 nn.MaxPool2d(2)                           (1, 16, 7, 7)          5      4       1",
        "",
        "H_out = ⌊(H_in + 1)/4⌋",
        "  defined  for all H_in ≥ 3",
        "  returns  to its input length for no H_in",
        "  inverse  7 comes from H_in = 27 to 30",
        "  and      W_out likewise",
    ]
    assert r"nn.Conv2d(3, 16, 3, stride=2, padding=1) & (1, 16, 14, 14) & 3 & 2 & 0 \\" in latex(
        chain(call, "1,3,28,28")
    )


def test_lines_of_the_old_keras_as_they_stand() -> None:
    found = chain(KERAS_1)
    assert found.layout == "NCHW"
    assert found.output == ("N", 256, "2·H_in", "2·W_in")
    assert found.requires == ("2·H_in = conv4_H", "2·W_in = conv4_W")


@pytest.mark.parametrize(
    ("call", "output"),
    [
        (
            (
                "keras.Sequential([keras.layers.Input((28, 28, 3)), keras.layers.Conv2D(8, 3), "
                "keras.layers.MaxPooling2D(), keras.layers.Flatten(), keras.layers.Dense(10)])"
            ),
            ("N", 10),
        ),
        (
            (
                "model = Sequential()\n"
                "model.add(Convolution2D(32, 3, 3, border_mode='same', input_shape=(3, 32, 32)))\n"
                "model.add(MaxPooling2D(pool_size=(2, 2)))"
            ),
            ("N", 32, 16, 16),
        ),
        ("x = Conv2D(8, 3)(x)\nx = MaxPooling2D(2)(x)", ("N", "⌊H_in/2⌋ − 1", "⌊W_in/2⌋ − 1", 8)),
        ("nn.Conv1d(1, 2, 3)\nnn.Conv1d(2, 4, 3)", ("N", 4, "L_in − 4")),
        ("F.max_pool1d(F.conv1d(x[1, 3, 20], w[5, 3, 3]), 2)", (1, 5, 9)),
        (
            "y = nn.Conv1d(1, 1, 3, padding=1)(x)\nz = nn.Conv1d(1, 1, 1)(y)\nw = y + z",
            ("N", 1, "L_in"),
        ),
        (
            (
                "self.conv = nn.Conv1d(1, 4, 3)\nx = self.conv(x)\nx = nn.Sequential(nn.ReLU(), "
                "nn.Conv1d(4, 2, 1))(x)"
            ),
            ("N", 2, "L_in − 2"),
        ),
    ],
)
def test_programs_as_people_write_them(call: str, output: tuple[object, ...]) -> None:
    assert chain(call).output == output


@pytest.mark.parametrize(
    ("layers", "given", "layout", "axes"),
    [
        ("nn.ReLU(), nn.Conv2d(3, 8, 3)", (3, 28, 27), "CHW", ["H", "W"]),
        ("nn.ReLU(), nn.Dropout(), nn.MaxPool2d(2)", (3, 28, 27), "CHW", ["H", "W"]),
        ("nn.ReLU(), nn.Conv1d(3, 8, 3)", (2, 3, 28), "NCW", ["L"]),
        ("nn.ReLU(), nn.Conv1d(3, 8, 3)", (3, 28), "CW", ["L"]),
        ("nn.ReLU(), nn.ReLU()", (3, 28, 27), "NCW", ["L"]),
    ],
)
def test_a_later_layer_tells_the_axes_of_an_input_without_a_batch(
    layers: str, given: tuple[int, ...], layout: str, axes: list[str]
) -> None:
    found = chain(f"nn.Sequential({layers})", given)
    assert found.layout == layout
    assert [a.axis for a in found.axes] == axes
    torch = pytest.importorskip("torch")
    made = torch.nn.Sequential(*_made(torch, layers))
    assert tuple(found.output) == tuple(made(torch.zeros(given)).shape)


def _made(torch: Any, layers: str) -> list[Any]:
    """The layers of a text such as ``nn.ReLU(), nn.Conv2d(3, 8, 3)``."""
    return [
        getattr(torch.nn, name)(*(int(v) for v in arguments.split(",") if v))
        for name, arguments in re.findall(r"nn\.(\w+)\(([^)]*)\)", layers)
    ]


@pytest.mark.parametrize(
    "program",
    [
        "y = x + nn.Conv1d(3, 3, 3, padding=1)(x)",
        "y = nn.Conv1d(3, 3, 3, padding=1)(x)\ny += x",
        "y = nn.ReLU()(nn.Conv1d(3, 3, 3, padding=1)(x)) + x + nn.Conv1d(3, 3, 1)(x)",
    ],
)
def test_sums_of_calls(program: str) -> None:
    found = chain(program, (2, 3, 9))
    assert found.output == (2, 3, 9)
    assert len([r for r in found.layers if "+" in r.call]) == 1


def test_a_sum_of_unequal_lengths() -> None:
    program = "y = x + nn.Conv1d(3, 3, 2)(x)"
    with pytest.raises(WrongInput, match="differ along axis 2; choose an input length"):
        chain(program, (2, 3, 9))
    with pytest.raises(WrongInput, match="whatever the input length; pad or crop one of them"):
        chain("nn.Conv1d(3, 3, 2)(x) + x")


def test_one_call_is_no_chain() -> None:
    assert not is_chain(read_calls("nn.Conv1d(1, 1, 3)"))
    assert is_chain(read_calls("nn.Sequential(nn.Conv1d(1, 1, 3))"))


@pytest.mark.parametrize(
    ("call", "given", "message"),
    [
        (
            sequential("nn.Conv1d(1, 8, 3)", "nn.Conv1d(4, 8, 3)"),
            None,
            "layer 2, nn.Conv1d: the input has 8",
        ),
        (sequential("nn.Conv1d(1, 8, 3)", "nn.MaxPool1d(9)"), 10, r"layer 2, .* \(8\) is shorter"),
        (sequential("nn.Conv1d(1, 8, 3)", "nn.Relu()"), None, "the call 'nn.Relu' is unknown"),
        (sequential("nn.Conv1d(1, 8, 3)", "3"), None, "3 is no layer; write layers inside"),
        ("nn.Sequential()", None, "it applies no layer; write at least one call"),
        ("a = 3\nb = 4", None, "3 is no tensor; write a call or a name"),
        ("torch.cat([x, y], 1)", None, "no shape is known of what it takes"),
        (
            "a = nn.Conv1d(1, 8, 3)(x)\ntorch.cat([a, a], 5)",
            None,
            "there is no axis 5 of 3; give one of 0 to 2",
        ),
        ("a = nn.Conv1d(1, 8, 3)(x)\ntorch.cat(a, 1)", None, "a list of tensors was expected"),
    ],
)
def test_messages_name_the_line(call: str, given: Any, message: str) -> None:
    with pytest.raises(WrongInput, match=message):
        chain(call, given)


def test_data() -> None:
    import json

    found = as_dict(chain(sequential(DOWN, UP), 28))
    assert json.loads(json.dumps(found)) == found
    assert [f["jump"] for layer in found["layers"] for f in layer["fields"]] == [2, 1]
    offsets = [f["offset"] for layer in found["layers"] for f in layer["fields"]]
    assert offsets == [0, 0]
    assert (
        as_dict(chain("nn.Sequential(nn.MaxPool1d(2))"))["layers"][0]["fields"][0]["offset"]
        == "1/2"
    )
