"""The matrices of frameworks' calls: against the frameworks' values, and what cannot be asked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from derive.dialects.matrix import call_form
from derive.errors import WrongInput
from derive.request import matrix_of


def test_a_call_has_the_matrix_of_its_operator() -> None:
    for ours, theirs in (
        (matrix_of("correlate", n=(5, 4), k=3, padding=1), "nn.Conv2d(1, 1, 3, padding=1)"),
        (
            matrix_of("conv_transpose", n=(3, 2), k=2, stride=2),
            "nn.ConvTranspose2d(1, 1, 2, stride=2)",
        ),
    ):
        n = (5, 4) if "Conv2d(1, 1, 3" in theirs else (3, 2)
        found = matrix_of(theirs, n=n)
        assert found.entries == ours.entries
        turned = matrix_of(theirs, n=n, transpose=True)
        assert turned.entries == {(j, i): e for (i, j), e in found.entries.items()}


def test_a_function_takes_the_length_of_its_kernel() -> None:
    named = matrix_of("F.conv_transpose1d(x, w, stride=2)", n=4, k=3)
    written = matrix_of("F.conv_transpose1d(x, w[1, 1, 3], stride=2)", n=4)
    assert named.entries == written.entries
    assert matrix_of("tf.nn.conv1d(x, w, 2, 'SAME')", n=5, k=2).shape == (3, 5)


def test_the_columns_count_another_operand() -> None:
    assert matrix_of("nn.Conv1d(2, 3, 4)", n=6, wrt="w").shape == (9, 24)
    assert matrix_of("nn.Conv1d(2, 3, 4)", n=6, wrt="b").shape == (9, 3)


@pytest.mark.parametrize(
    ("call", "layer", "shape"),
    [
        ("nn.Conv2d(2, 3, 2, stride=2, padding=1)", ("Conv2d", (2, 3, 2), {"stride": 2, "padding": 1}), (2, 3, 4)),
        ("nn.ConvTranspose1d(2, 1, 3, stride=2)", ("ConvTranspose1d", (2, 1, 3), {"stride": 2}), (2, 4)),
    ],
)  # fmt: skip
def test_the_matrix_gives_pytorchs_values(
    call: str, layer: tuple[str, Any, Any], shape: Any
) -> None:
    torch = pytest.importorskip("torch")
    name, arguments, keywords = layer
    made = getattr(torch.nn, name)(*arguments, **keywords, bias=False, dtype=torch.float64)
    rng = np.random.default_rng(5)
    w = rng.integers(-4, 5, made.weight.shape)
    made.weight.data = torch.tensor(w, dtype=torch.float64)
    x = rng.integers(-4, 5, (1, *shape))
    wanted = made(torch.tensor(x, dtype=torch.float64)).detach().numpy().ravel()
    kept = np.squeeze(w, axis=tuple(a for a in (0, 1) if w.shape[a] == 1))
    dense = matrix_of(call, n=shape[1:]).dense_numpy({"w": kept})
    assert np.array_equal(dense.astype(np.float64) @ x.ravel(), wanted)


@pytest.mark.parametrize(
    ("call", "options", "message"),
    [
        ("nn.MaxPool1d(2)", {"n": 4}, "a maximum has a matrix only for given taps"),
        ("nn.ReLU()", {"n": (4, 4)}, "so that it has no matrix"),
        ("nn.Conv1d(1, 1, 3)", {"n": 4, "stride": 2}, "stride: a call says its own parameters"),
        ("nn.Conv1d(1, 1, 3)", {"n": 4, "taps": [1]}, "taps: a call says its own parameters"),
        ("nn.Conv1d(1, 1, 3)", {"n": (4, 4)}, "give as many lengths as nn.Conv1d has spatial axes, 1"),
        ("nn.Conv1d(1, 1, 3)", {"n": 2}, "not defined at these sizes; choose other ones"),
        ("F.conv1d(x, w)", {"n": 5}, r"the shape of weight is not known; write it, as w\[1, 1, 3, 3\]"),
        ("F.conv1d(x, w)", {"n": 5, "k": (2, 3)}, "has 1 kernel axes; give one length or 1"),
        ("nn.Conv1d(1, 1, 3)", {"n": 5, "wrt": "q"}, "no operand 'q'; choose one of x, w, b"),
        ("nn.Conv1d(4, 1, 3)", {"n": 5, "channels": 2}, "nn.Conv1d reads 4; leave --channels out"),
        ("nn.Conv1d(1)", {"n": 5}, "missing"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked(call: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(WrongInput, match=message):
        matrix_of(call, **options)


def test_a_call_as_a_form() -> None:
    form, names = call_form("keras.layers.Conv1D(2, 3)", (5,), channels=(2,))
    assert ([int(m) for m in form.shape], names) == ([1, 3, 2], ("x", "w", "b"))
    with pytest.raises(WrongInput, match="this is no call"):
        call_form("x", (5,))
