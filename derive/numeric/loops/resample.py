"""Global and adaptive average pooling, nearest and (multi)linear upsampling by integer factors."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy.typing as npt

from derive.numeric.loops.geometry import Array, PerAxis, exact, indices, per_axis, spatial, zeros


def global_avg_pool(x: npt.ArrayLike, dims: int | None = None) -> Array:
    """The mean over the trailing ``dims`` axes (all for None), kept with length 1."""
    x = exact(x)
    n = spatial(x.shape, dims)
    lead = x.shape[: x.ndim - len(n)]
    y = zeros((*lead, *(1 for _ in n)))
    for b in indices(lead):
        total = sum(x[b + j] for j in indices(n))
        y[(*b, *(0 for _ in n))] = total * Fraction(1, math.prod(n))
    return y


def adaptive_avg_pool(x: npt.ArrayLike, m: PerAxis, dims: int | None = None) -> Array:
    """y[i] = mean of x[j] over floor(i n / m) <= j < ceil((i + 1) n / m), on every axis.

    Source: ``torch.nn.AdaptiveAvgPoolNd`` (``aten/src/ATen/native/AdaptivePooling.h``).
    """
    x = exact(x)
    n = spatial(x.shape, dims)
    lead, size = x.shape[: x.ndim - len(n)], per_axis(m, len(n), "m", 1)
    y = zeros(lead + size)
    for b in indices(lead):
        for i in indices(size):
            bins = [
                range(p * v // q, -(-(p + 1) * v // q)) for p, v, q in zip(i, n, size, strict=True)
            ]
            total = sum(x[b + j] for j in itertools.product(*bins))
            y[b + i] = total * Fraction(1, math.prod(map(len, bins)))
    return y


def nearest_upsample(x: npt.ArrayLike, s: PerAxis, dims: int | None = None) -> Array:
    """y[i] = x[floor(i / s)], length s n.  Source: ``torch.nn.Upsample(mode='nearest')``."""
    x = exact(x)
    n = spatial(x.shape, dims)
    lead, factor = x.shape[: x.ndim - len(n)], per_axis(s, len(n), "s", 1)
    length = tuple(q * v for q, v in zip(factor, n, strict=True))
    y = zeros(lead + length)
    for b in indices(lead):
        for i in indices(length):
            y[b + i] = x[b + tuple(p // q for p, q in zip(i, factor, strict=True))]
    return y


def bilinear_upsample(
    x: npt.ArrayLike, s: PerAxis, align_corners: bool = False, dims: int | None = None
) -> Array:
    """Linear interpolation along every axis, length s n, in exact Fractions.

    On one axis y[i] = (1 - f) x[q] + f x[min(q + 1, n - 1)], where q = floor(u), f = u - q and
    u = max(0, (i + 1/2) / s - 1/2), or u = i (n - 1) / (s n - 1) with ``align_corners``.
    Source: ``torch.nn.Upsample(mode='linear' | 'bilinear' | 'trilinear')``.
    """
    x = exact(x)
    n = spatial(x.shape, dims)
    lead, factor = x.shape[: x.ndim - len(n)], per_axis(s, len(n), "s", 1)
    length = tuple(q * v for q, v in zip(factor, n, strict=True))
    ends = [
        [_neighbours(i, v, q, align_corners) for i in range(q * v)]
        for v, q in zip(n, factor, strict=True)
    ]
    y = zeros(lead + length)
    for b in indices(lead):
        for i in indices(length):
            for corner in itertools.product(*(ends[a][p] for a, p in enumerate(i))):
                j = tuple(place for place, _ in corner)
                if x[b + j]:  # the rest of a unit vector costs no Fraction arithmetic
                    y[b + i] += math.prod(weight for _, weight in corner) * x[b + j]
    return y


def _neighbours(i: int, n: int, s: int, align: bool) -> list[tuple[int, Fraction]]:
    """(input index, weight) of the two entries that output i lies between."""
    if align:
        u = Fraction(i * (n - 1), s * n - 1) if n > 1 else Fraction(0)
    else:
        u = max(Fraction(0), Fraction(2 * i + 1, 2 * s) - Fraction(1, 2))
    low = math.floor(u)
    return [(low, 1 - (u - low)), (min(low + 1, n - 1), u - low)]


def resize(
    x: npt.ArrayLike,
    length: PerAxis,
    top: PerAxis,
    den: PerAxis,
    start: PerAxis = 0,
    mode: str = "floor",
    dims: int | None = None,
) -> Array:
    """y[i] is the input at u = (top i + start) / den, on every axis, rounded or interpolated.

    The input is continued beyond its ends by the end entries.  Source: ONNX ``Resize``, of which
    these are the nearest modes and the linear one.
    """
    x = exact(x)
    n = spatial(x.shape, dims)
    lead, size = x.shape[: x.ndim - len(n)], per_axis(length, len(n), "length", 1)
    steps = [
        per_axis(v, len(n), name) for v, name in ((top, "top"), (start, "start"), (den, "den"))
    ]
    ends = [
        [_spots(Fraction(t * i + s, q), v, mode) for i in range(m)]
        for v, m, t, s, q in zip(n, size, *steps, strict=True)
    ]
    y = zeros(lead + size)
    for b in indices(lead):
        for i in indices(size):
            for corner in itertools.product(*(ends[a][p] for a, p in enumerate(i))):
                j = tuple(place for place, _ in corner)
                if x[b + j]:
                    y[b + i] += math.prod(weight for _, weight in corner) * x[b + j]
    return y


def _spots(u: Fraction, n: int, mode: str) -> list[tuple[int, Fraction]]:
    low, rest = math.floor(u), u - math.floor(u)
    if mode == "linear":
        near = [(low, 1 - rest), (low + 1, rest)]
    else:
        half = Fraction(1, 2)
        up = {
            "floor": False,
            "ceil": rest > 0,
            "round_prefer_floor": rest > half,
            "round_prefer_ceil": rest >= half,
        }[mode]
        near = [(low + 1 if up else low, Fraction(1))]
    return [(min(max(place, 0), n - 1), weight) for place, weight in near]
