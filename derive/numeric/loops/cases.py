"""Seeded, asymmetric test configurations: geometries and integer data without special values."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from derive.numeric.loops.geometry import Array, Axis, Index

_LENGTHS = {1: (5, 12), 2: (4, 8), 3: (3, 6)}
_KERNELS = {1: (1, 6), 2: (1, 4), 3: (1, 3)}


@dataclass(frozen=True)
class Case:
    """One geometry, a value per spatial axis, and the seed for data that go with it."""

    n: Index
    k: Index
    stride: Index
    dilation: Index
    padding: tuple[tuple[int, int], ...]
    seed: int

    @property
    def dims(self) -> int:
        """Number of spatial axes."""
        return len(self.n)

    def __str__(self) -> str:
        """A short test id."""
        pads = "".join(f"({lo},{hi})" for lo, hi in self.padding)
        return f"n{self.n}k{self.k}s{self.stride}d{self.dilation}p{pads}".replace(" ", "")


def cases(
    dims: int,
    count: int,
    seed: int,
    *,
    symmetric: bool = False,
    dilated: bool = True,
    covered: bool = False,
) -> list[Case]:
    """``count`` geometries whose n, k, s, d, lo, hi differ pairwise on every axis.

    With ``symmetric`` lo = hi <= k/2, as PyTorch's pooling wants; without ``dilated`` d = 1 (and
    may equal others); with ``covered`` every window has a tap on the data.
    """
    rng = random.Random(f"{dims} {seed} {symmetric} {dilated}")
    draw = (a for a in _axes(rng, dims, symmetric, dilated) if not covered or _covered(a))
    return [_case([next(draw) for _ in range(dims)], rng.randrange(10**6)) for _ in range(count)]


def _case(axes: Sequence[Axis], seed: int) -> Case:
    return Case(
        n=tuple(a.n for a in axes),
        k=tuple(a.k for a in axes),
        stride=tuple(a.s for a in axes),
        dilation=tuple(a.d for a in axes),
        padding=tuple((a.lo, a.hi) for a in axes),
        seed=seed,
    )


def _axes(rng: random.Random, dims: int, symmetric: bool, dilated: bool) -> Iterator[Axis]:
    """Axes with at least two windows (on three axes at most four) and distinct parameters."""
    while True:
        n, k = rng.randint(*_LENGTHS[dims]), rng.randint(*_KERNELS[dims])
        s, d = rng.randint(1, 4), rng.randint(1, 3) if dilated else 1
        lo = rng.randint(0, k // 2) if symmetric else rng.randint(-1, 4)
        hi = lo if symmetric else rng.randint(-1, 4)
        parameters = [n, k, s, lo, *([d] if dilated else []), *([] if symmetric else [hi])]
        windows = (n + lo + hi - d * (k - 1) - 1) // s + 1
        if len(set(parameters)) == len(parameters) and 2 <= windows <= (4 if dims == 3 else 8):
            yield Axis(n, k, s, d, lo, hi)


def _covered(axis: Axis) -> bool:
    return all(any(axis.read(i, t) is not None for t in range(axis.k)) for i in range(axis.m))


def integers(seed: int, *shape: int, spread: int = 9) -> Array:
    """Random integers between -spread and spread, never 0 or 1."""
    rng = np.random.default_rng(seed)
    values = [v for v in range(-spread, spread + 1) if v not in (0, 1)]
    return np.asarray(rng.choice(values, size=shape), dtype=np.int64)
