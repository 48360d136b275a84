"""ONNX as an oracle: a model of one node, run by onnxruntime and by ONNX's own reference evaluator.

onnxruntime decides (it is what models run in); :func:`reference` is the second opinion.  Both
compute in float32, which is exact for the small integers of the sweep.  ONNX has no gradients: those
of a linear operator are read from the operator itself by feeding it unit vectors, that of a maximum
from its ``Indices``.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np

from derive.dialects.calls import Name
from derive.numeric.frameworks import Array, Gradient, Ran, Refused

PRECISION = 3e-6  # relative, of float32
OPSETS = {"Upsample": 9}
LATEST = 22  # the newest that both run all operators of
IR_VERSION = 10
EMPTY = "an output without any element, which counts as refused here"
CONSTANT_INPUTS: dict[str, tuple[tuple[str, Any], ...]] = {
    "Pad": (("pads", np.int64), ("constant_value", np.float32), ("axes", np.int64)),
    "Resize": (("roi", np.float32), ("scales", np.float32), ("sizes", np.int64)),
    "Upsample": (("scales", np.float32),),
    "Col2Im": (("image_shape", np.int64), ("block_shape", np.int64)),
    "MaxUnpool": (("output_shape", np.int64),),
}
WEIGHTS = ("W", "B", "I")
WHOLE = ("I",)  # these are indices
MAXIMA = ("MaxPool", "GlobalMaxPool")
NO_GRADIENT = ("LpPool", "MaxUnpool")


@cache
def _session_options() -> Any:
    onnxruntime: Any = importlib.import_module("onnxruntime")

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return options


def version() -> str:
    """The versions of onnx and onnxruntime."""
    import onnx

    onnxruntime: Any = importlib.import_module("onnxruntime")

    return f"onnx {onnx.__version__}, onnxruntime {onnxruntime.__version__}, opset {LATEST}"


def model(
    kind: str, arguments: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]], outputs: int = 1
) -> Any:
    """A model of one node; ``shapes`` are those of its tensors, the input ``x`` first."""
    from onnx import TensorProto, helper, numpy_helper

    constants = CONSTANT_INPUTS.get(kind, ())
    names, initial = list(shapes), []
    given = {k: v for k, v in arguments.items() if v is not None and not isinstance(v, Name)}
    for name, dtype in constants:
        value = given.pop(name, None)
        if value is None:
            names.append("")
            continue
        plain = np.asarray(
            [_plain(v) for v in value] if isinstance(value, tuple) else _plain(value)
        )
        initial.append(numpy_helper.from_array(plain.astype(dtype), name))
        names.append(name)
    while names and not names[-1]:
        names.pop()
    attributes = {k: _attribute(v) for k, v in given.items()}
    results = [f"y{i}" for i in range(outputs)]
    node = helper.make_node(kind, names, results, **attributes)
    types = [TensorProto.FLOAT, TensorProto.INT64]
    graph = helper.make_graph(
        [node],
        "node",
        [
            helper.make_tensor_value_info(
                n, TensorProto.INT64 if n in WHOLE else TensorProto.FLOAT, s
            )
            for n, s in shapes.items()
        ],
        [helper.make_tensor_value_info(n, t, None) for n, t in zip(results, types, strict=False)],
        initial,
    )
    opset = helper.make_opsetid("", OPSETS.get(kind, LATEST))
    return helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION)


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, Fraction) else value


def _attribute(value: Any) -> Any:
    return [_plain(v) for v in value] if isinstance(value, tuple) else _plain(value)


def _runtime(made: Any) -> Callable[[Mapping[str, Array]], list[Array]]:
    onnxruntime: Any = importlib.import_module("onnxruntime")

    try:
        session = onnxruntime.InferenceSession(
            made.SerializeToString(), _session_options(), providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime has its own exceptions, made at run time
        raise Refused(_first_line(error)) from None

    def run_it(tensors: Mapping[str, Array]) -> list[Array]:
        try:
            found: list[Array] = session.run(None, _feeds(tensors))
        except Exception as error:
            raise Refused(_first_line(error)) from None
        return found

    return run_it


def _feeds(tensors: Mapping[str, Array]) -> dict[str, Array]:
    return {k: v.astype(np.int64 if k in WHOLE else np.float32) for k, v in tensors.items()}


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]


def reference(
    name: str, arguments: Mapping[str, Any], x: Array, weights: Mapping[str, Array]
) -> Array:
    """The output by ONNX's reference evaluator; raises :class:`Refused`."""
    from onnx.reference import ReferenceEvaluator

    tensors = _tensors(x, weights)
    try:
        made = model(
            name.removeprefix("onnx."), arguments, {k: v.shape for k, v in tensors.items()}
        )
        found: Any = ReferenceEvaluator(made).run(None, _feeds(tensors))
    except Exception as error:
        raise Refused(_first_line(error)) from None
    return np.asarray(found[0])


def _tensors(x: Array, weights: Mapping[str, Array]) -> dict[str, Array]:
    return {"x": x, **{k: weights[k] for k in WEIGHTS if k in weights}}


def run(
    name: str,
    dims: int,
    arguments: Mapping[str, Any],
    x: Array,
    weights: Mapping[str, Array],
    g: Gradient,
) -> Ran:
    """The output by onnxruntime, and the gradients that follow from the operator.

    Raises :class:`Refused` where onnxruntime refuses it, and for an output without any element.
    """
    kind, tensors = name.removeprefix("onnx."), _tensors(x, weights)
    shapes = {k: v.shape for k, v in tensors.items()}
    try:
        made = model(kind, arguments, shapes)
    except (TypeError, ValueError, AttributeError) as error:
        raise Refused(_first_line(error)) from None
    evaluate = _runtime(made)
    output = evaluate(tensors)[0]
    if output.size == 0:
        raise Refused(EMPTY)
    if kind in NO_GRADIENT:
        return Ran(output)
    incoming = g(output.shape)
    if kind in MAXIMA:
        return Ran(output, {"x": _of_maximum(kind, arguments, x, output, incoming)})
    return Ran(output, {k: _by_units(evaluate, tensors, k, incoming) for k in tensors})


def _by_units(
    evaluate: Callable[[Mapping[str, Array]], list[Array]],
    tensors: Mapping[str, Array],
    wrt: str,
    g: Array,
) -> Array:
    """The gradient of ``⟨g, f⟩`` for an ``f`` that is affine in ``wrt``: one evaluation a unit."""
    zero = {**tensors, wrt: np.zeros(tensors[wrt].shape)}
    rest = float((evaluate(zero)[0].astype(np.float64) * g).sum())
    found = np.zeros(tensors[wrt].size)
    for place in range(found.size):
        unit = np.zeros(found.size)
        unit[place] = 1
        value = evaluate({**tensors, wrt: unit.reshape(tensors[wrt].shape)})[0]
        found[place] = float((value.astype(np.float64) * g).sum()) - rest
    return found.reshape(tensors[wrt].shape)


def _of_maximum(
    kind: str, arguments: Mapping[str, Any], x: Array, output: Array, g: Array
) -> Array:
    """The gradient of a maximum goes to the entry that ``Indices`` names, or to the first largest."""
    if kind == "GlobalMaxPool":
        flat = x.reshape(*x.shape[:2], -1)
        chosen = np.zeros(flat.shape)
        np.put_along_axis(chosen, flat.argmax(axis=2)[..., None], g.reshape(*x.shape[:2], 1), 2)
        return chosen.reshape(x.shape)
    given = {k: v for k, v in arguments.items() if k != "storage_order"}
    indices = _runtime(model(kind, given, {"x": x.shape}, 2))({"x": x})[1]
    found = np.zeros(x.size)
    real = np.isfinite(output) & (indices >= 0)
    np.add.at(found, indices[real], g[real])
    return found.reshape(x.shape)
