"""Whether a kernel exists, over all its lengths: against least squares in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from derive.claims.judge import judge
from derive.claims.meaning import read
from derive.claims.values import Exists
from derive.decide.longer import last_length
from derive.decide.verdict import Proved, Refuted
from derive.expr import Sym, divides
from derive.form import tensor
from derive.operators import correlate, flip
from derive.symbols import size
from derive.table import evaluate

Array = npt.NDArray[Any]


def exists_at(text: str, length: int) -> bool:
    """With a kernel of this length: does least squares leave no rest, for each unit of the data?"""
    statement = read(text).statement
    assert isinstance(statement, Exists)
    (name,) = statement.names
    sides = (statement.left, statement.right)
    lengths = {s.name: length for f in sides for s in f.sizes()}
    shapes = {t: tuple(int(n.at(lengths)) for n in s) for f in sides for t, s in f.tensors}
    known = {t: np.arange(2, 2 + np.prod(s)).reshape(s) for t, s in shapes.items() if t == "w"}
    if len({tuple(int(n.at(lengths)) for n in f.shape) for f in sides}) > 1:
        return False
    rows, right = [], []
    for place in range(shapes["x"][0]):
        x = np.eye(shapes["x"][0], dtype=int)[place]

        def gap(v: Array, x: Array = x) -> Array:
            given = {"x": x, **known, name: v}
            one, other = (evaluate(f, lengths, {t: given[t] for t, _ in f.tensors}) for f in sides)
            assert one.shape == other.shape
            distance: Array = (one - other).astype(float)
            return distance

        zero = np.zeros(length, dtype=int)
        constant = gap(zero)
        rows.append(np.array([gap(e) - constant for e in np.eye(length, dtype=int)]).T)
        right.append(-constant)
    table, wanted = np.concatenate(rows), np.concatenate(right)
    found = np.linalg.lstsq(table, wanted, rcond=None)[0]
    return bool(np.allclose(table @ found, wanted))


LONG = (
    "exists v[l]: conv_transpose(x[4], w[1], stride=2, padding='same') == "
    "convolve(nearest_upsample(x, 2), v, padding='same')"
)
CAUSAL = (
    "exists v[l]: zero_insert(x[7], 2, trailing=1) == "
    "convolve(nearest_upsample(x, 2), v, padding='causal')"
)
REFLECT = "exists v[l]: correlate(x[4], v, padding='same') == flip(x)"
VALID = "exists v[l]: correlate(x[4], v) == flip(x)"


@pytest.mark.parametrize(("text", "length"), [(LONG, 15), (CAUSAL, 14)])
def test_long_kernels_count(text: str, length: int) -> None:
    """The kernel is longer than the output: shorter ones do not do, which is no refutation."""
    assert not exists_at(text, length // 2)
    assert exists_at(text, length)
    assert isinstance(judge(text).verdict, Proved)


@pytest.mark.parametrize("text", [REFLECT, VALID])
def test_no_kernel_of_any_length(text: str) -> None:
    assert not any(exists_at(text, length) for length in range(1, 5))
    if text == REFLECT:
        assert not any(exists_at(text, length) for length in range(5, 24))
    assert isinstance(judge(text).verdict, Refuted)


def test_the_smallest_refutation_is_no_artefact_of_short_kernels() -> None:
    """The same question for all n, where the kernel is about four times as long as the input."""
    found = judge(
        "exists v: conv_transpose(x, w, stride=2, padding='same') == "
        "convolve(nearest_upsample(x, 2), v, padding='same')",
        seconds=6,
    )
    assert not isinstance(found.verdict, Refuted)


@pytest.mark.parametrize("n", [1, 2, 5])
@pytest.mark.parametrize("d", [1, 2])
def test_longer_kernels_do_what_shorter_ones_did(n: int, d: int) -> None:
    """From the last length on, each kernel that reads nothing new solves nothing new."""
    k = size("k")
    x = tensor("x", n)
    form = correlate(x, tensor("v", k), padding="same", dilation=d)
    assert k.symbol is not None
    last = last_length(form, flip(x), "v", k.symbol, form.requires)
    assert last is not None
    assert last >= 2 * ((n - 1) // d) + 1  # each output reads each input with some tap
    assert last <= 2 * n + 14


def test_a_shorter_kernel_that_is_not_allowed_stands_for_none() -> None:
    """Only odd lengths: the fourth tap, the last that reads the input, first comes with five."""
    k, x, length = size("k"), tensor("x", 4), Sym("k", 1)
    form = correlate(x, tensor("v", k), padding=(0, k - 1))
    assert last_length(form, flip(x), "v", length, form.requires) == 4
    odd = (*form.requires, divides(2, k - 1))
    assert last_length(form, flip(x), "v", length, odd) == 5


def test_a_length_without_end_is_not_bounded() -> None:
    """Where each further tap reads something new no last length may be claimed."""
    x, v = tensor("x", size("n")), tensor("v", size("l"))
    form = correlate(x, v, padding="same")
    assert last_length(form, x, "v", Sym("l", 1), form.requires) is None


def test_the_axes_of_a_kernel_have_lengths_of_their_own() -> None:
    """A kernel of one row shifts along the other axis."""
    text = "exists v[k1, k2]: correlate(x[3, 2], v) == crop(x, ((0, 0), (1, 0)))"
    assert isinstance(judge(text).verdict, Proved)
