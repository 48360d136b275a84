"""Argument checking, exact arrays, and the geometry of a sliding window."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from numbers import Integral, Rational
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Index = tuple[int, ...]
PerAxis = int | Sequence[int]
Padding = Sequence[int] | Sequence[Sequence[int]]


def exact(x: npt.ArrayLike) -> Array:
    """``x`` as an object array of Python ints and Fractions; anything inexact is a ValueError."""
    given = np.asarray(x)
    if given.dtype.kind not in "biuO":
        raise ValueError(f"exact integers or fractions are needed, got dtype {given.dtype}")
    out = zeros(given.shape)
    for i in indices(given.shape):
        out[i] = _number(given[i])
    return out


def _number(value: object) -> int | Fraction:
    if isinstance(value, (Integral, np.bool_)):
        return operator.index(int(value))
    if isinstance(value, Rational):
        return Fraction(int(value.numerator), int(value.denominator))
    raise ValueError(f"exact integers or fractions are needed, got {type(value).__name__}")


def zeros(shape: Sequence[int]) -> Array:
    """An array of exact zeros."""
    return np.zeros(tuple(shape), dtype=object)


def indices(shape: Sequence[int]) -> Iterator[Index]:
    """Every index of an array of this shape, row-major."""
    return itertools.product(*map(range, shape))


def per_axis(value: PerAxis, dims: int, name: str, least: int | None = None) -> Index:
    """``value`` as one integer per axis, each at least ``least``."""
    given = list(value) if isinstance(value, Sequence) else [value] * dims
    try:
        items = tuple(operator.index(v) for v in given)
    except TypeError:
        raise ValueError(f"{name} must be an integer or one per axis, got {value!r}") from None
    if len(items) != dims:
        raise ValueError(f"{name} has {len(items)} entries for {dims} axes")
    if least is not None and any(v < least for v in items):
        raise ValueError(f"{name} must be at least {least}, got {value!r}")
    return items


def pairs(padding: Padding, dims: int) -> tuple[tuple[int, int], ...]:
    """``padding`` as one ``(lo, hi)`` pair per axis."""
    rows: list[Any] = list(padding) if isinstance(padding, (list, tuple)) else []
    if len(rows) == 2 and not any(isinstance(row, Sequence) for row in rows):
        rows = [rows] * dims
    if len(rows) != dims or not all(isinstance(row, Sequence) and len(row) == 2 for row in rows):
        raise ValueError(f"padding must be (lo, hi) or one such pair per axis, got {padding!r}")
    ends = [per_axis(row, 2, "padding") for row in rows]
    return tuple((lo, hi) for lo, hi in ends)


def spatial(shape: Sequence[int], dims: int | None) -> Index:
    """The trailing ``dims`` lengths of ``shape`` (all of them for None); none may be empty."""
    dims = len(shape) if dims is None else dims
    if not 1 <= dims <= len(shape):
        raise ValueError(f"dims must lie between 1 and {len(shape)}, got {dims}")
    lengths = tuple(shape[len(shape) - dims :])
    if min(lengths) < 1:
        raise ValueError(f"every spatial axis needs an element, got shape {tuple(shape)}")
    return lengths


def check_shape(name: str, got: Sequence[int], wanted: Sequence[int]) -> None:
    """ValueError unless the two shapes agree."""
    if tuple(got) != tuple(wanted):
        raise ValueError(f"{name} has shape {tuple(got)}, expected {tuple(wanted)}")


@dataclass(frozen=True)
class Axis:
    """One axis of a sliding window: tap t of window i lies at position s i + d t - lo.

    Positions count on the input of length ``n`` with ``b - 1`` zeros between neighbours; they are
    readable where that has an input element that a negative ``hi`` does not crop.
    """

    n: int
    k: int
    s: int = 1
    d: int = 1
    lo: int = 0
    hi: int = 0
    b: int = 1
    ceil: bool = False

    @property
    def extent(self) -> int:
        """Length of the input after zero insertion."""
        return self.b * (self.n - 1) + 1

    def __post_init__(self) -> None:
        """Refuse a window without output."""
        if self.m < 1:
            raise ValueError(f"no output: a window of {self.k} taps does not fit the input")

    @cached_property
    def m(self) -> int:
        """Number of windows, by PyTorch's rule.

        floor or ceil of (extent + lo + hi - d(k-1) - 1) / s, plus 1; in ceil mode a last window
        that starts in the right padding is dropped.
        """
        room = self.extent + self.lo + self.hi - self.d * (self.k - 1) - 1
        m = (room + (self.s - 1 if self.ceil else 0)) // self.s + 1
        if self.ceil and self.position(m - 1, 0) >= self.extent + min(0, self.hi):
            m -= 1
        return m

    def position(self, i: int, t: int) -> int:
        """Where tap t of window i lies."""
        return self.s * i + self.d * t - self.lo

    def read(self, i: int, t: int) -> int | None:
        """The input index under tap t of window i, None off the data."""
        j, hole = divmod(self.position(i, t), self.b)
        return None if hole or not self._readable(j) else j

    def reach(self, j: int, t: int) -> int | None:
        """The window whose tap t lies on input j, None if there is none."""
        i, miss = divmod(self.b * j + self.lo - self.d * t, self.s)
        return i if not miss and 0 <= i < self.m and self._readable(j) else None

    def _readable(self, j: int) -> bool:
        return 0 <= j < self.n and self.b * j < self.extent + self.hi


@dataclass(frozen=True)
class Window:
    """A sliding window over several axes: the product of its axes."""

    axes: tuple[Axis, ...]

    @property
    def n(self) -> Index:
        """Input lengths."""
        return tuple(a.n for a in self.axes)

    @property
    def k(self) -> Index:
        """Kernel lengths."""
        return tuple(a.k for a in self.axes)

    @cached_property
    def m(self) -> Index:
        """Output lengths."""
        return tuple(a.m for a in self.axes)

    def read(self, i: Index, t: Index) -> Index | None:
        """The input index under tap t of window i, None off the data."""
        j = tuple(a.read(p, q) for a, p, q in zip(self.axes, i, t, strict=True))
        return _all_there(j)

    def reach(self, j: Index, t: Index) -> Index | None:
        """The window whose tap t lies on input j, None if there is none."""
        i = tuple(a.reach(p, q) for a, p, q in zip(self.axes, j, t, strict=True))
        return _all_there(i)


def _all_there(index: tuple[int | None, ...]) -> Index | None:
    found = tuple(v for v in index if v is not None)
    return found if len(found) == len(index) else None


def sliding(
    n: Index,
    k: PerAxis,
    stride: PerAxis = 1,
    padding: Padding = (0, 0),
    dilation: PerAxis = 1,
    base_dilation: PerAxis = 1,
    ceil_mode: bool = False,
) -> Window:
    """The checked window over an input of lengths ``n``."""
    dims = len(n)
    axes = zip(
        n,
        per_axis(k, dims, "kernel", 1),
        per_axis(stride, dims, "stride", 1),
        per_axis(dilation, dims, "dilation", 1),
        pairs(padding, dims),
        per_axis(base_dilation, dims, "base_dilation", 1),
        strict=True,
    )
    return Window(tuple(Axis(n, k, s, d, lo, hi, b, ceil_mode) for n, k, s, d, (lo, hi), b in axes))
