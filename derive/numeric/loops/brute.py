"""Jacobians and vector-Jacobian products of linear functions by feeding unit vectors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from derive.numeric.loops.geometry import Array, check_shape, exact, indices, zeros

Linear = Callable[[Array], Array]


def inner(a: npt.ArrayLike, b: npt.ArrayLike) -> object:
    """<a, b> = the sum of the entrywise product, exactly."""
    a, b = exact(a), exact(b)
    check_shape("the second factor", b.shape, a.shape)
    return sum(p * q for p, q in zip(a.flat, b.flat, strict=True))


def jacobian(f: Linear, x: npt.ArrayLike) -> Array:
    """J[i..., j...] = f(e_j)[i], e_j the unit vectors of x's shape; shape f(x).shape + x.shape.

    f must be linear: J x = f(x) is checked at the given x, and a ValueError tells otherwise.
    """
    x = exact(x)
    y = exact(f(x))
    table = zeros(y.shape + x.shape)
    for j in indices(x.shape):
        unit = zeros(x.shape)
        unit[j] = 1
        column = f(unit)
        for i in indices(y.shape):
            table[i + j] = column[i]
    if not np.array_equal(np.tensordot(table, x, axes=x.ndim), y):
        raise ValueError("f is not linear: J x differs from f(x)")
    return table


def vjp(f: Linear, x: npt.ArrayLike, g: npt.ArrayLike) -> Array:
    """The brute-force gradient of <g, f(x)> in x for linear f: gx[j] = sum_i g[i] J[i, j]."""
    g = exact(g)
    table = jacobian(f, x)
    check_shape("g", g.shape, table.shape[: g.ndim])
    return np.asarray(np.tensordot(g, table, axes=g.ndim))
