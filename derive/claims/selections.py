"""Max pools in a claim: what is known of their selections, and what their compositions read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from derive.claims.names import Names
from derive.claims.values import Op, Pool
from derive.decide.solver import Answer, Law, ask
from derive.expr import Expr, Sym, all_of, between, implies, lift
from derive.form import Form, build, tensor
from derive.operators import OPERATORS, sum_pool
from derive.operators.pool import selected, windows

MOVES = frozenset(  # operators that only say where a value comes from: they pass a maximum through
    (
        *("flip", "shift", "decimate", "pad", "crop", "nearest_upsample", "permute", "select"),
        *("pixel_shuffle", "pixel_unshuffle", "im2col"),
    )
)


def selection_laws(form: Form, given: dict[str, Any]) -> list[Law]:
    """What "for every selection" means: in every window a tap of it, at a position of the input.

    A window wholly in the padding has no such tap: for sizes with one there is no selection.
    """
    x, name = given["x"], given["selection"]
    count = x.rank if given.get("dims") is None else given["dims"]
    k, s, d, p, _, _ = _windows_of(given, count)
    at = tuple(Sym(f"i~{a}") for a in range(form.rank))
    i = tuple(Expr({(a,): 1}) for a in at)
    inside = all_of(*(between(0, a, m) for a, m in zip(i, form.shape, strict=True)))
    laws = []
    for axis, tap in enumerate(selected(name, count, i)):
        place = s[axis] * i[x.rank - count + axis] + d[axis] * tap - p[axis][0]
        valid = all_of(between(0, tap, k[axis]), between(0, place, x.shape[x.rank - count + axis]))
        function = name if count == 1 else f"{name}{axis}"
        laws.append(Law(function, at, implies(inside, valid)))
    return laws


def relation(name: str, plain: dict[str, Any], operands: Sequence[Op]) -> Form | None:
    """What the result reads, where only maxima and rearrangements take part."""
    if len(operands) != 1 or operands[0].relation is None:
        return None
    inner = {**plain, "x": operands[0].relation}
    if name == "max_pool":
        inner.pop("selection")
        x = inner.pop("x")
        return sum_pool(x, **inner).named("max_pool", x, **inner)
    if name not in MOVES or _brings_zeros(name, inner):
        return None
    return OPERATORS[name].build(**inner)


def _brings_zeros(name: str, arguments: dict[str, Any]) -> bool:
    """Does a rearrangement put zeros in?  A zero takes part in a maximum (the padding of a max
    pooling itself does not, it never wins), so what is read does not tell everything then.
    """
    if name in ("shift", "im2col"):
        return True
    if name == "pad" and arguments.get("mode", "zero") == "zero":
        amounts, sign = arguments["padding"], -1
    elif name == "crop":
        amounts, sign = arguments["amount"], 1
    else:
        return False
    return not all(_at_least_zero(lift(a) * sign) for a in _flat(amounts))


def _flat(value: Any) -> list[Any]:
    return [a for v in value for a in _flat(v)] if isinstance(value, (tuple, list)) else [value]


def _at_least_zero(e: Expr) -> bool:
    return ask((), e >= 0, seconds=1.0) is Answer.YES


def unscaled(form: Form) -> Form:
    """An operand without the positive constants that it is multiplied by."""
    while form.call is not None and form.call.operator == "scale":
        factors = [dict(form.call.parameters).get(a, 1) for a in ("numerator", "denominator")]
        numbers = [lift(f).constant if isinstance(f, (int, Expr)) else None for f in factors]
        if any(q is None or q < 1 for q in numbers):
            break
        form = form.call.operands[0]
    return form


def pooled_values(form: Form, x: Op, given: dict[str, Any], names: Names) -> Form | None:
    """The output of a max pooling as a tensor of its own; the pooling is kept in ``names``."""
    if x.values is None:
        return None
    count = x.form.rank if given.get("dims") is None else given["dims"]
    k, s, d, p, _, _ = _windows_of(given, count)
    # The selection is the same for a multiple, but the values are not: one pool for each operand.
    known = {pool.operand: pool for pool in names.pools if pool.shape == form.shape}
    axes = tuple((a, b, c, lo) for a, b, c, (lo, _) in zip(k, s, d, p, strict=True))
    pool = known.get(x.values)
    if pool is None or pool.windows != axes:
        pool = Pool(f"max~{len(names.pools)}", x.values, form.shape, axes)
        names.pools.append(pool)
    values = tensor(pool.name, *form.shape)
    return build(form.shape, lambda *i: values[i], form.requires)


def _windows_of(given: dict[str, Any], count: int) -> Any:
    return windows(
        given["x"],
        given["k"],
        given.get("stride"),
        given.get("padding", 0),
        given.get("dilation", 1),
        bool(given.get("ceil_mode", False)),
        count,
    )
