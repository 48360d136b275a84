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
    return sum(p * q for p, q in zip(a.flat, b.flat, strict=True) if p and q)


def jacobian(f: Linear, x: npt.ArrayLike) -> Array:
    """J[i..., j...] = f(e_j)[i], e_j the unit vectors of x's shape; shape f(x).shape + x.shape.

    f must be linear: J x = f(x) is checked at the given x, and a ValueError tells otherwise.
    """
    x = exact(x)
    y = exact(f(x))
    table = zeros((y.size, x.size))
    for rank, j in enumerate(indices(x.shape)):
        unit = zeros(x.shape)
        unit[j] = 1
        table[:, rank] = f(unit).ravel()
    if not np.array_equal(table @ x.ravel(), y.ravel()):
        raise ValueError("f is not linear: J x differs from f(x)")
    return table.reshape(y.shape + x.shape)


def vjp(f: Linear, x: npt.ArrayLike, g: npt.ArrayLike) -> Array:
    """The brute-force gradient of <g, f(x)> in x for linear f: gx[j] = sum_i g[i] J[i, j]."""
    x, g = exact(x), exact(g)
    table = jacobian(f, x)
    check_shape("g", g.shape, table.shape[: table.ndim - x.ndim])
    columns = table.reshape(g.size, x.size).T
    return np.array([inner(g.ravel(), column) for column in columns], object).reshape(x.shape)
