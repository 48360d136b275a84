"""ONNX's own backend node tests, run against our operators.

The tests come with the ``onnx`` package: a model of one node, its inputs and the outputs that are
expected.  :func:`outcomes` says of each one whether we give the same output, the same shape, or why
it is out of scope; a test that is none of these raises, so that nothing can fail in silence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np

from derive.dialects.calls import Name
from derive.dialects.registry import CALLS, bind, load
from derive.errors import CannotBe, NotSupported
from derive.numeric import plan_runner
from derive.numeric.frameworks import Array
from derive.numeric.frameworks.onnx_runner import CONSTANT_INPUTS

OPERATORS = (
    "Conv",
    "ConvTranspose",
    "MaxPool",
    "AveragePool",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "LpPool",
    "Pad",
    "Resize",
    "Upsample",
    "DepthToSpace",
    "SpaceToDepth",
    "Col2Im",
    "MaxUnpool",
)
PRECISION = 2e-5  # of float32, relative to the largest entry
WRITTEN_WITH = {"test_averagepool_2d_ceil_last_window_starts_on_pad": 1e-4}  # four digits only


@dataclass(frozen=True)
class Outcome:
    """One node test: ``verdict`` is ``passes``, ``shape passes`` or ``out of scope``."""

    name: str
    operator: str
    verdict: str
    reason: str = ""


@cache
def node_tests() -> Mapping[str, Any]:
    """The node tests of our operators by name, as the ``onnx`` package makes them."""
    from onnx.backend.test.loader import load_node_model_tests

    found: dict[str, Any] = {}
    cases: Any = load_node_model_tests()
    for case in cases:
        nodes = case.model.graph.node
        if len(nodes) == 1 and nodes[0].op_type in OPERATORS:
            found[case.name] = case
    return dict(sorted(found.items()))


def outcome(name: str) -> Outcome:
    """Run one node test.

    Raises:
        CannotBe: where our output differs from the one that is expected.
    """
    case = node_tests()[name]
    operator = case.model.graph.node[0].op_type
    given, x, weights = _arguments(case)
    expected = case.data_sets[0][1][0]
    load()
    spec = CALLS[f"onnx.{operator}"]
    names = {k: Name(k) for k in weights}
    kernels = {k: w for k, w in weights.items() if k in ("W", "B")}
    try:
        layer = bind(spec, (), {**names, **given})
        prepared = plan_runner.prepare(layer, x.shape, {k: w.shape for k, w in kernels.items()})
    except NotSupported as error:
        return Outcome(name, operator, "out of scope", str(error))
    if prepared.shape != expected.shape:
        raise CannotBe(f"{name}: the output has the shape {prepared.shape}, not {expected.shape}")
    if prepared.shape_only:
        return Outcome(name, operator, "shape passes", prepared.shape_only)
    found = plan_runner.run(prepared, x, kernels, None).output
    allowed = WRITTEN_WITH.get(name, PRECISION) * max(1.0, float(np.abs(expected).max()))
    worst = float(np.abs(found - expected).max())
    if worst > allowed:
        raise CannotBe(f"{name}: the output differs from the expected one by {worst:.3g}")
    return Outcome(name, operator, "passes")


def outcomes() -> tuple[Outcome, ...]:
    """The outcome of every node test."""
    return tuple(outcome(name) for name in node_tests())


def _attribute(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, (list, tuple)):
        return tuple(_attribute(v) for v in value)
    return value


def _number(value: Any) -> int | Fraction:
    """A float32 as the number that it was written with: 0.6, not the nearest float32."""
    found = Fraction(str(np.float32(value)))
    return int(found) if found.denominator == 1 else found


def _numbers(array: Array) -> Any:
    flat = tuple(_number(v) for v in array.ravel())
    return flat if array.ndim else flat[0]


def _arguments(case: Any) -> tuple[dict[str, Any], Array, dict[str, Array]]:
    """The attributes and constant inputs by name, the input, and the other tensors by name."""
    import onnx

    node, inputs = case.model.graph.node[0], case.data_sets[0][0]
    given = {a.name: _attribute(onnx.helper.get_attribute_value(a)) for a in node.attribute}
    present = dict(zip((n for n in node.input if n), inputs, strict=True))
    tensors: list[Any] = [present.get(n) for n in node.input]
    weights: dict[str, Array] = {}
    constants = [name for name, _ in CONSTANT_INPUTS.get(node.op_type, ())]
    if node.op_type == "MaxUnpool":
        weights["I"] = tensors.pop(1)
    for place, tensor in enumerate(tensors[1:]):
        if tensor is None or not tensor.size:
            continue
        if constants:
            given[constants[place]] = _numbers(tensor)
        else:
            weights["WB"[place]] = tensor
    return given, tensors[0], weights
