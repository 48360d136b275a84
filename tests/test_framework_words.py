"""What our messages quote of a framework is what the framework says.

Each wrong call is made in the real framework, which refuses it in the words of the table; and our own
refusal of the same call holds these words.
"""

from __future__ import annotations

import importlib.util
import re

import pytest

import derive
from derive.errors import WrongInput
from tests.framework_words import TABLE
from tests.real_frameworks import NEEDED, NotRefused, gives, said

Ints = tuple[int, ...]
Wrong = tuple[str, Ints, str, str]  # the call, the shape of its input, the framework, its words

WRONG: list[Wrong] = [
    (text, x, framework, words) for framework, rows in TABLE.items() for text, x, words in rows
]
EMPTY: list[tuple[str, Ints]] = [  # what JAX takes and we refuse: there is no output
    ("lax.conv(x, w[4, 3, 7, 7], (1, 1), 'VALID')", (1, 3, 5, 5)),
    ("lax.reduce_window(x, 0., lax.add, (9, 9))", (8, 8)),
]
ZERO_BY_ONEDNN: list[tuple[str, Ints, Ints]] = [  # and the shape that PyTorch gives in float32
    ("nn.ConvTranspose2d(2, 1, 4, padding=2)", (1, 2, 6, 1), (1, 1, 5, 0)),
    ("nn.ConvTranspose3d(2, 1, 4, padding=2)", (1, 2, 1, 5, 5), (1, 1, 0, 4, 4)),
    ("nn.ConvTranspose1d(2, 2, 4, padding=2, groups=2)", (1, 2, 1), (1, 2, 0)),
    ("F.conv_transpose2d(x, w[2, 1, 4, 4], padding=2)", (1, 2, 1, 1), (1, 1, 0, 0)),
]
ZERO_ON_TENSORS: list[tuple[str, str, Ints, Ints]] = [
    ("TensorFlow", "tf.nn.avg_pool1d(x, 6, 1, 'VALID')", (1, 5, 3), (1, 0, 3)),
    ("TensorFlow", "tf.nn.avg_pool2d(x, 6, 1, 'VALID')", (1, 5, 5, 3), (1, 0, 0, 3)),
    ("TensorFlow", "tf.nn.avg_pool2d(x, 9, 3, 'VALID')", (1, 5, 5, 3), (1, 0, 0, 3)),
    ("Keras", "keras.layers.AveragePooling1D(6, 1)", (1, 5, 3), (1, 0, 3)),
    ("Keras", "keras.layers.AveragePooling2D(6, 1)", (1, 5, 5, 3), (1, 0, 0, 3)),
    ("Keras", "keras.ops.average_pool(x, 6, 1)", (1, 5, 5, 3), (1, 0, 0, 3)),
]
ZERO_BY_ONNX: list[tuple[str, Ints, Ints]] = [  # whose length is rounded towards zero
    ("onnx.MaxPool(X, kernel_shape=[6])", (1, 2, 5), (1, 2, 0)),
    ("onnx.MaxPool(X, kernel_shape=[9], strides=[3])", (1, 2, 5), (1, 2, 0)),
    ("onnx.AveragePool(X, kernel_shape=[9], strides=[3])", (1, 2, 5), (1, 2, 0)),
]


def _need(framework: str) -> None:
    for module in NEEDED[framework]:
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed")


@pytest.mark.parametrize(("text", "x", "framework", "words"), WRONG)
def test_our_refusal_quotes_the_framework(text: str, x: Ints, framework: str, words: str) -> None:
    with pytest.raises(WrongInput) as caught:
        derive.shape(text, input=x)
    assert words in str(caught.value)


@pytest.mark.parametrize(("text", "x", "framework", "words"), WRONG)
def test_the_framework_says_so(text: str, x: Ints, framework: str, words: str) -> None:
    _need(framework)
    spoken = said(framework, text, x)
    assert words in spoken
    with pytest.raises(WrongInput) as caught:
        derive.shape(text, input=x)
    assert [q for q in _quotes(str(caught.value)) if words in q and q not in spoken] == []


def _quotes(message: str) -> list[str]:
    """What stands in parentheses, without the name of who says it."""
    found, depth, start = [], 0, 0
    for place, letter in enumerate(message):
        if letter == "(":
            depth += 1
            start = place + 1 if depth == 1 else start
        elif letter == ")":
            depth -= 1
            if depth == 0:
                found.append(re.sub(r"^\w+( says)?: ", "", message[start:place]))
    return found


def test_the_whole_quote_is_read() -> None:
    message = (
        "nn.X of an input (1, 3): short (PyTorch says: size per channel: (5 x 5). No); give more"
    )
    assert _quotes(message) == ["1, 3", "size per channel: (5 x 5). No"]


@pytest.mark.parametrize(("text", "x"), EMPTY)
def test_jax_gives_an_empty_output_where_no_window_fits(text: str, x: Ints) -> None:
    with pytest.raises(WrongInput, match="JAX itself gives an empty output"):
        derive.shape(text, input=x)
    _need("JAX")
    with pytest.raises(NotRefused, match=r"gives \((1, 4, )?0, 0\)"):
        said("JAX", text, x)


@pytest.mark.parametrize(("text", "x", "empty"), ZERO_BY_ONEDNN)
def test_pytorch_gives_an_empty_output_of_a_transposed_convolution(
    text: str, x: Ints, empty: Ints
) -> None:
    """Or refuses it, as the message says, where oneDNN does not compute it."""
    with pytest.raises(WrongInput, match="or gives a tensor without elements where oneDNN"):
        derive.shape(text, input=x)
    _need("PyTorch")
    torch = pytest.importorskip("torch")
    if not torch.backends.mkldnn.is_available():
        pytest.skip("PyTorch has no oneDNN here")
    assert gives("PyTorch", text, x) == empty
    with torch.backends.mkldnn.flags(enabled=False):
        assert "Output size is too small" in said("PyTorch", text, x)


@pytest.mark.parametrize(("text", "x", "empty"), ZERO_BY_ONNX)
def test_nothing_is_quoted_of_onnxruntime_where_it_gives_an_empty_output(
    text: str, x: Ints, empty: Ints
) -> None:
    with pytest.raises(WrongInput) as caught:
        derive.shape(text, input=x)
    assert "ONNX says" not in str(caught.value)
    _need("ONNX")
    assert gives("ONNX", text, x) == empty


@pytest.mark.parametrize(("framework", "text", "x", "empty"), ZERO_ON_TENSORS)
def test_average_pooling_on_tensors_gives_an_empty_output(
    framework: str, text: str, x: Ints, empty: Ints
) -> None:
    with pytest.raises(WrongInput, match="and gives an output without elements on tensors"):
        derive.shape(text, input=x)
    _need(framework)
    assert gives(framework, text, x) == empty


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("nn.Conv2D", "nn.Conv2d"),
        ("torch.nn.conv2d", "nn.Conv2d"),
        ("keras.layers.Conv2d", "keras.layers.Conv2D"),
        ("F.Conv2d", "F.conv2d"),
        ("tf.nn.Conv2D", "tf.nn.conv2d"),
        ("onnx.conv", "onnx.Conv"),
        ("nn.MaxPooling2D", "nn.MaxPool2d"),
        ("keras.layers.Flaten", "keras.layers.Flatten"),
    ],
)
def test_a_misspelt_call_is_meant_to_be_one_of_the_same_framework(name: str, meant: str) -> None:
    with pytest.raises(WrongInput, match=rf"did you mean {meant}\b"):
        derive.shape(f"{name}(3)")
