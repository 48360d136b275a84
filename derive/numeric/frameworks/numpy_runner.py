"""NumPy and SciPy as oracles for their own sequences and paddings.

They have no gradients: those of an operator that is linear in a tensor are read from the operator by
feeding it unit vectors.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from derive.numeric.frameworks import Array, Gradient, Ran, Refused

PRECISION = 1e-12
SECOND = {
    "np.convolve": "v",
    "np.correlate": "v",
    "signal.convolve": "in2",
    "signal.correlate": "in2",
}


def version() -> str:
    """The versions of NumPy and SciPy."""
    scipy: Any = importlib.import_module("scipy")
    return f"numpy {np.__version__}, scipy {scipy.__version__}"


def run(
    name: str,
    dims: int,
    arguments: Mapping[str, Any],
    x: Array,
    weights: Mapping[str, Array],
    g: Gradient,
) -> Ran:
    """The output of a call, and the gradients of both arrays; raises :class:`Refused`."""
    module, _, function = name.partition(".")
    home: Any = np if module == "np" else importlib.import_module("scipy.signal")
    of: Callable[..., Array] = getattr(home, function)
    tensors = {"x": x} | ({SECOND[name]: weights[SECOND[name]]} if name in SECOND else {})

    def apply(given: Mapping[str, Array]) -> Array:
        return of(*given.values(), **arguments)

    try:
        output = apply(tensors)
    except (ValueError, TypeError, NotImplementedError) as error:
        raise Refused(str(error)) from None
    incoming = g(output.shape)
    return Ran(output, {k: _by_units(apply, tensors, k, incoming) for k in tensors})


def _by_units(
    apply: Callable[[Mapping[str, Array]], Array], tensors: Mapping[str, Array], wrt: str, g: Array
) -> Array:
    found = np.zeros(tensors[wrt].size)
    for place in range(found.size):
        unit = np.zeros(found.size)
        unit[place] = 1
        found[place] = (apply({**tensors, wrt: unit.reshape(tensors[wrt].shape)}) * g).sum()
    return found.reshape(tensors[wrt].shape)
