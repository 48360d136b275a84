"""Run an operator expression on numbers, with operators that are not ours.

A form remembers how it was written (:class:`derive.form.Call`).  Here that expression is walked
again with arrays: every operator is the one of an *oracle* (naive loops, or a framework), and a
gradient is taken operator by operator, in reverse.  A sum that is written out in a theorem is
visited index tuple by index tuple, without any of the eliminations that the prover makes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from derive.errors import NotSupported
from derive.evaluation import holds
from derive.expr import Expr
from derive.form import Form
from derive.numeric import loops
from derive.table import concrete, shape_at

Array: TypeAlias = npt.NDArray[Any]
Sizes: TypeAlias = Mapping[str, Any]
Oracle: TypeAlias = Callable[
    [str, list[Array], dict[str, Any], Array | None], tuple[Array, tuple[Array, ...]]
]
"""``oracle(operator, operands, parameters, cotangent)`` gives the value and, where there is a
cotangent, one gradient for each operand.  Raises ValueError for what it cannot do."""

GRID_LIMIT = 4_000_000
LARGEST_DENOMINATOR = 5_000
LOOPS = {
    name: getattr(loops, name)
    for name in (
        "correlate", "convolve", "conv_transpose", "pad", "flip", "shift", "zero_insert", "decimate", "sum_pool",
        "avg_pool", "global_avg_pool", "adaptive_avg_pool", "nearest_upsample", "bilinear_upsample",
        "pixel_shuffle", "pixel_unshuffle", "resize", "extend", "depth_to_space", "space_to_depth",
        "merge", "split", "channel_shuffle",
    )
}  # fmt: skip


def loop_oracle(
    operator: str, operands: list[Array], parameters: dict[str, Any], cotangent: Array | None
) -> tuple[Array, tuple[Array, ...]]:
    """The naive loops; gradients by feeding unit vectors."""
    if operator not in LOOPS:
        raise ValueError(f"no loop for {operator}")
    f = LOOPS[operator]
    value = f(*operands, **parameters)
    if cotangent is None:
        return value, ()
    if operator == "correlate":  # the field's own formulas, loops as well
        x, w = operands
        dims = {"dims": w.ndim, **{k: v for k, v in parameters.items() if v is not None}}
        return value, (
            loops.correlate_input_grad(cotangent, w, x.shape, **dims),
            loops.correlate_weight_grad(cotangent, x, w.shape, **dims),
        )
    gradients = []
    for position in range(len(operands)):

        def partial(a: Array, position: int = position) -> Array:
            changed: Array = f(*operands[:position], a, *operands[position + 1 :], **parameters)
            return changed

        gradients.append(loops.vjp(partial, operands[position], cotangent))
    return value, tuple(gradients)


def torch_oracle(
    operator: str, operands: list[Array], parameters: dict[str, Any], cotangent: Array | None
) -> tuple[Array, tuple[Array, ...]]:
    """PyTorch's operators and its autograd, in float64 on integers (which is exact)."""
    from derive.numeric.torch_oracle import TABLE

    if operator not in TABLE:
        raise ValueError(f"PyTorch has no {operator}")
    try:
        result = TABLE[operator](*operands, cotangent=cotangent, **parameters)
    except RuntimeError as e:  # what PyTorch refuses, it cannot be asked about
        raise ValueError(f"PyTorch refuses {operator}: {e}") from e
    return exact(result.value), tuple(exact(v) for v in result.vjps)


def exact(values: Array) -> Array:
    """The fractions that floats stand for.

    Integers are exact in float64; a quotient was rounded, and is read back as the one fraction with
    a denominator up to :data:`LARGEST_DENOMINATOR` that is as near as rounding allows.
    """
    return (
        np.vectorize(_fraction, otypes=[object])(values) if values.size else values.astype(object)
    )


def _fraction(value: float) -> Fraction:
    number = Fraction(float(value))
    near = number.limit_denominator(LARGEST_DENOMINATOR)
    largest = max(Fraction(1), abs(number))
    return near if abs(near - number) * 10**10 <= largest else number


def run(
    form: Form, sizes: Sizes, tensors: Mapping[str, Array], oracle: Oracle = loop_oracle
) -> Array:
    """The value of an operator expression; sums and operators that the oracle does not have are
    evaluated from their definition.
    """
    call = form.call
    if call is None:
        return naive_sum(form, sizes, tensors)
    if call.operator == "tensor":
        return tensors[str(dict(call.parameters)["name"])].astype(object)
    if call.operator == "vjp":
        of, g = call.operands
        wrt = str(dict(call.parameters)["wrt"])
        return backward(of, wrt, run(g, sizes, tensors, oracle), sizes, tensors, oracle)
    operands = [run(f, sizes, tensors, oracle) for f in call.operands]
    if call.operator == "add":
        return sum(operands[1:], operands[0])
    try:
        parameters = arguments(call.operator, dict(call.parameters), call.operands, sizes)
        return _apply(call.operator, operands, parameters, None, oracle)[0]
    except ValueError:
        return naive_sum(form, sizes, tensors)


def backward(
    form: Form, wrt: str, g: Array, sizes: Sizes, tensors: Mapping[str, Array], oracle: Oracle
) -> Array:
    """The gradient of ``⟨g, form⟩`` with respect to a tensor, operator by operator in reverse."""
    target = tensors[wrt]
    total = np.zeros(target.shape, dtype=object)
    if all(name != wrt for name, _ in form.tensors):
        return total
    call = form.call
    if call is not None and call.operator == "tensor":
        return g
    if call is not None and call.operator == "add":
        for f in call.operands:
            total = total + backward(f, wrt, g, sizes, tensors, oracle)
        return total
    if call is not None and call.operator != "vjp":
        operands = [run(f, sizes, tensors, oracle) for f in call.operands]
        try:
            parameters = arguments(call.operator, dict(call.parameters), call.operands, sizes)
            gradients = _apply(call.operator, operands, parameters, g, oracle)[1]
            for f, gradient in zip(call.operands, gradients, strict=True):
                total = total + backward(f, wrt, gradient, sizes, tensors, oracle)
            return total
        except ValueError:
            pass

    rest = run(form, sizes, {**tensors, wrt: np.zeros(target.shape, dtype=object)}, oracle)

    def of(x: Array) -> Array:  # without what does not depend on x (a bias)
        return np.asarray(run(form, sizes, {**tensors, wrt: x}, oracle) - rest, dtype=object)

    return loops.vjp(of, target, g)


def _apply(
    operator: str,
    operands: list[Array],
    parameters: dict[str, Any],
    g: Array | None,
    oracle: Oracle,
) -> tuple[Array, tuple[Array, ...]]:
    """The oracle, after the parameters that it names otherwise have been taken apart."""
    mode = parameters.pop("padding_mode", "zero")
    if mode == "zero":
        return oracle(operator, operands, parameters, g)
    raise ValueError("padding modes of a correlation are written out as a sum")


def arguments(
    operator: str, parameters: dict[str, object], operands: tuple[Form, ...], sizes: Sizes
) -> dict[str, Any]:
    """Parameters as numbers.  Raises ValueError for what has no counterpart in the oracles."""
    numbers: dict[str, Any] = {k: _number(v, sizes) for k, v in parameters.items()}
    if operator == "decimate" and "start" in numbers:
        numbers["offset"] = numbers.pop("start")
    if isinstance(numbers.get("padding"), str):
        numbers["padding"] = _named_padding(numbers, operands, sizes)
    if numbers.get("ceil_mode") and _beyond_frameworks(numbers):
        raise ValueError("frameworks do not allow a window that fits into the padding")
    if isinstance(numbers.get("padding"), int):
        numbers["padding"] = (numbers["padding"], numbers["padding"])
    return numbers


def _beyond_frameworks(numbers: dict[str, Any]) -> bool:
    """Is there room for a whole window in the padding behind?  The rule that drops windows was only
    made for less.
    """
    padding, k, d = (numbers.get(name, 0) for name in ("padding", "k", "dilation"))
    flat = np.ravel(np.asarray(padding)).tolist()
    shortest = int(np.min(np.asarray(k))) - 1
    reach = max(1, int(np.min(np.asarray(d)) or 1)) * shortest
    return bool(max([*flat, 0]) > reach)


def _number(value: object, sizes: Sizes) -> Any:
    if isinstance(value, Expr):
        return concrete(value, sizes)
    if isinstance(value, (tuple, list)):
        return tuple(_number(v, sizes) for v in value)
    return value


def _named_padding(numbers: dict[str, Any], operands: tuple[Form, ...], sizes: Sizes) -> Any:
    """The named paddings in plain integers (TensorFlow's definitions, written a second time)."""
    x, w = (shape_at(f, sizes) for f in operands)
    dims = numbers.get("dims") or len(w)

    def axis(parameter: str, a: int) -> int:
        v = numbers.get(parameter, 1)
        return int(v[a] if isinstance(v, tuple) else v)

    found = []
    for a in range(dims):
        s, d, e = axis("stride", a), axis("dilation", a), axis("base_dilation", a)
        n, reach = e * (x[len(x) - dims + a] - 1) + 1, d * (w[len(w) - dims + a] - 1)
        outputs = n // s + (n % s > 0)
        total = max(0, (outputs - 1) * s + reach + 1 - n)
        small, large = total // 2, total - total // 2
        found.append(
            {
                "valid": (0, 0),
                "same": (small, large),
                "same_lower": (large, small),
                "full": (reach, reach),
                "causal": (reach, 0),
            }[numbers["padding"]]
        )
    return tuple(found)


def naive_sum(form: Form, sizes: Sizes, tensors: Mapping[str, Array]) -> Array:
    """Visit every output index and every bound index; add where all conditions hold."""
    out = np.zeros(shape_at(form, sizes), dtype=object)
    for t in form.terms:
        ranges = list(zip(form.index, out.shape, strict=True))
        ranges += [(b, max(0, concrete(n, sizes))) for b, n in t.bound]
        shape = tuple(n for _, n in ranges)
        if int(np.prod(shape, dtype=np.int64)) > GRID_LIMIT:
            raise NotSupported(
                f"adding up {shape} index tuples one by one: too many; use smaller sizes"
            )
        env: dict[str, Any] = dict(sizes)
        for axis, (name, n) in enumerate(ranges):
            view = [1] * len(shape)
            view[axis] = -1
            env[name.name] = np.arange(n).reshape(view)
        mask = np.ones(shape, dtype=bool)
        for c in t.where:
            mask = mask & np.asarray(holds(c, env), dtype=bool)
        for r in t.reads:
            for e, n in zip(r.at, tensors[r.tensor].shape, strict=True):
                at = np.asarray(e.at(env))
                mask = mask & (at >= 0) & (at < n)

        def visited(e: Expr, env: dict[str, Any] = env, mask: Array = mask) -> Array:
            return np.broadcast_to(np.asarray(e.at(env), dtype=object), mask.shape)[mask]

        nums, dens = visited(t.coefficient.num), visited(t.coefficient.den)
        value = np.array([_quotient(p, q) for p, q in zip(nums, dens, strict=True)], dtype=object)
        for r in t.reads:
            place = tuple(visited(e).astype(np.int64) for e in r.at)
            value = value * tensors[r.tensor].astype(object)[place]
        position = np.argwhere(mask)[:, : len(out.shape)]
        for at, v in zip(position, value, strict=True):
            out[tuple(at)] += v
    return out


def _quotient(num: Any, den: Any) -> int | Fraction:
    return int(num) if den == 1 else Fraction(int(num), int(den))


def tensors_of(form: Form) -> Iterator[tuple[str, tuple[Expr, ...]]]:
    """Every tensor with its shape, also those by which a form was differentiated."""
    yield from form.tensors
    if form.call is not None:
        for f in form.call.operands:
            yield from tensors_of(f)


def random_tensors(form_shapes: Mapping[str, tuple[int, ...]], seed: int) -> dict[str, Array]:
    """Integer arrays that are never symmetric and never zero, reproducibly."""
    rng = np.random.default_rng(seed)
    return {
        name: np.array(rng.integers(1, 60, size=shape) * rng.choice([-1, 1], size=shape), object)
        for name, shape in sorted(form_shapes.items())
    }
