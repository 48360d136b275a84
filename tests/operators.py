"""Every registered operator at its sample arguments: the registry that the laws' tests run over."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from derive.form import Form, tensor
from derive.operators import OPERATORS, max_pool, max_unpool

Array = npt.NDArray[Any]


def built(name: str, sample: dict[str, Any]) -> tuple[Form, dict[str, tuple[int, ...]]]:
    """The operator at sample arguments, and the shapes of its tensors."""
    operator = OPERATORS[name]
    shapes = {k: tuple(v) for k, v in sample.items() if k in operator.tensors}
    arguments = {k: tensor(k, *v) if k in shapes else v for k, v in sample.items()}
    return operator.build(**arguments), shapes


def label(sample: dict[str, Any]) -> str:
    return "-".join(f"{k}={v}" for k, v in sample.items()).replace(" ", "")


def every_sample() -> list[Any]:
    return [
        pytest.param(name, sample, id=f"{name}-{label(sample)}")
        for name, operator in OPERATORS.items()
        for sample in operator.samples
    ]


def asymmetric(shapes: dict[str, tuple[int, ...]], seed: int) -> dict[str, Array]:
    rng = np.random.default_rng(seed)
    return {k: rng.integers(-50, 50, size=s).astype(object) for k, s in sorted(shapes.items())}


def selection(k: int, n: int, s: int, p: int) -> Any:
    """A selection that always picks a tap inside an input of length n."""

    def pick(i: Any) -> Any:
        start = s * np.asarray(i) - p
        lo, hi = np.maximum(0, -start), np.minimum(k - 1, n - 1 - start)
        return lo + (7 * np.asarray(i) + 3) % (hi - lo + 1)

    return pick


def pooled(n: int, k: int, s: int, p: int) -> tuple[Form, Form, dict[str, Any]]:
    """A max pooling and its unpooling with a selection."""
    y = max_pool(tensor("x", n), k, s, p)
    back = max_unpool(tensor("y", *y.shape), k, n, s, p)
    return y, back, {"σ": selection(k, n, s, p)}
