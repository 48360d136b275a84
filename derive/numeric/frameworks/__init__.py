"""The real frameworks as oracles: what a runner is, and what it gives.

For each framework there are two modules, ``<name>_runner`` and ``<name>_draws``.  A runner has

* ``version() -> str``: the framework's version, as in ``2.13.0``;
* ``PRECISION``: the relative precision of its numbers (``1e-12`` for float64, ``1e-5`` for float32);
* ``run(name, dims, arguments, x, weights, g) -> Ran``: the call of that name (as registered in
  :mod:`derive.dialects.registry`) with its arguments by name, on an input and weights in the
  framework's own layout.  ``g`` gives the incoming gradient for an output shape, so that it fits
  whatever the framework returns.  A layer object whose weights are not given makes its own.
  :class:`Refused` is raised where the framework refuses the call.

A draws module has ``DRAWS``, one function ``draw(rng, dims) -> Drawn`` for each registered call, and
``KNOWN``, the places where the framework is known to differ from us, each with its reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = "npt.NDArray[Any]"
Ints: TypeAlias = "tuple[int, ...]"
Gradient: TypeAlias = "Callable[[Ints], Array]"


@dataclass(frozen=True)
class Ran:
    """What a framework computed: the output, and the gradient of ``⟨g, output⟩`` by tensor.

    The input's gradient has the name ``"x"``, the others the names of the weights.
    """

    output: Array
    gradients: Mapping[str, Array] = field(default_factory=dict)


class Refused(Exception):
    """The framework refuses the call; the text is what it says."""


@dataclass(frozen=True)
class Drawn:
    """One configuration of a call.

    Args:
        arguments: the arguments by name, without the tensors.
        x: the shape of the input, in the framework's layout.
        weights: the shapes of the tensors that the caller gives (functional calls), by name.
        data: tensors with a content of their own, such as the indices of an unpooling.
        values: False where only legality and shape are compared.
    """

    arguments: Mapping[str, Any]
    x: Ints
    weights: Mapping[str, Ints] = field(default_factory=dict)
    data: Mapping[str, Array] = field(default_factory=dict)
    values: bool = True


Draw: TypeAlias = "Callable[[Random, int], Drawn]"


@dataclass(frozen=True)
class Known:
    """A place where a framework is known to differ: for which calls and configurations, and why.

    ``kind`` is the kind of difference that it explains (see :mod:`derive.conformance`); ``example``
    is the smallest call that shows it.
    """

    calls: tuple[str, ...]
    kind: str
    applies: Callable[[Drawn], bool]
    reason: str
    example: str = ""


class Runner(Protocol):
    """What a ``<name>_runner`` module offers."""

    PRECISION: float

    def version(self) -> str:
        """The framework's version."""

    def run(
        self,
        name: str,
        dims: int,
        arguments: Mapping[str, Any],
        x: Array,
        weights: Mapping[str, Array],
        g: Gradient,
    ) -> Ran:
        """The output and the gradients; raises :class:`Refused`."""


def integers(seed: str, shape: Ints, spread: int = 9) -> Array:
    """Integers between ``-spread`` and ``spread``, never 0 or 1, as float64; the seed is any text.

    >>> integers("x", (2, 3)).shape
    (2, 3)
    """
    rng = np.random.default_rng(list(seed.encode()))
    values = [v for v in range(-spread, spread + 1) if v not in (0, 1)]
    return np.asarray(rng.choice(values, size=shape), dtype=np.float64)
