"""The functions of the claim language: the registered operators, and what is asked about them."""

from __future__ import annotations

import ast
import difflib
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, cast

from derive import shapes
from derive.claims.names import Names
from derive.claims.values import About, Count, Everywhere, Op
from derive.decide.normal import count_of
from derive.decide.solver import Answer, Law, ask
from derive.errors import CannotBe, WrongInput
from derive.expr import (
    FALSE,
    Expr,
    Sym,
    all_of,
    between,
    ceil_div,
    divides,
    eq,
    implies,
    lift,
    maximum,
    minimum,
)
from derive.expr import subst_cond as put
from derive.form import Form, Ratio, Value, build, constant, vjp
from derive.operators import OPERATORS, sum_pool
from derive.operators.conv import resolve_padding
from derive.operators.pool import selected, windows
from derive.operators.registry import positive_axes

COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}
MOVES = frozenset(  # operators that only say where a value comes from: they pass a maximum through
    (
        *("flip", "shift", "decimate", "pad", "crop", "nearest_upsample", "permute", "select"),
        *("pixel_shuffle", "pixel_unshuffle", "im2col"),
    )
)
MAX_SIZE = 100_000


@dataclass(frozen=True)
class Row:
    """A list as it is written: numbers or further rows."""

    values: tuple[Any, ...]


def call(name: str, arguments: list[Any], keywords: dict[str, Any], names: Names) -> Any:
    """The value of a function.  Raises :class:`derive.errors.WrongInput` for unknown names."""
    if name in OPERATORS:
        return _operator(name, arguments, keywords, names)
    if name in FUNCTIONS:
        return FUNCTIONS[name](names, *arguments, **keywords)
    known = sorted([*OPERATORS, *FUNCTIONS])
    near = difflib.get_close_matches(name, known, 1, 0.5)
    hint = f"did you mean {near[0]!r}?" if near else "`derive check --help` lists the operators"
    raise WrongInput(f"the operator {name!r} is unknown; {hint}")


def _operator(name: str, arguments: list[Any], keywords: dict[str, Any], names: Names) -> Op:
    operator = OPERATORS[name]
    signature = inspect.signature(operator.build)
    given = signature.bind(*arguments, **keywords).arguments
    for parameter, value in given.items():
        if (parameter in operator.tensors) != isinstance(value, Op):
            wanted = "an operator or a tensor" if parameter in operator.tensors else "a number"
            raise WrongInput(f"{name}: {parameter} is {describe(value)}; {wanted} was expected")
    operands = [given[t] for t in operator.tensors if t in given]
    plain = {k: v.form if isinstance(v, Op) else numbers(v) for k, v in given.items()}
    if isinstance(plain.get("padding"), str) and name in NAMED_PADDING:
        plain = {**plain, **NAMED_PADDING[name](plain)}
    form = operator.build(**plain)
    if name == "max_pool":
        plain.setdefault("selection", names.selection(form))
        form = operator.build(**plain)
        names.laws += _selection_laws(form, plain)
    selects = name == "max_pool" or any(o.selects for o in operands)
    return Op(form, _relation(name, plain, operands), selects)


def _transposed_padding(given: dict[str, Any]) -> dict[str, Any]:
    """Named paddings of a transposed convolution are those of the convolution that it transposes.

    ``"same"``: of the SAME convolution with ``s·m`` inputs and ``m`` outputs, as TensorFlow and
    Keras have it; ``"full"``, ``"causal"``: of the stride-1 relation; ``"valid"``: none.
    """
    x, w, name = given["x"], given["w"], given["padding"]
    count = w.rank if given.get("dims") is None else given["dims"]
    s = positive_axes(given.get("stride", 1), count, "stride")
    d = positive_axes(given.get("dilation", 1), count, "dilation")
    k, m = w.shape[w.rank - count :], x.shape[x.rank - count :]
    whole = tuple(si * mi for si, mi in zip(s, m, strict=True))
    padding = resolve_padding(name, whole, k, s, d)
    if name not in ("same", "same_lower"):
        return {"padding": padding}
    rest = tuple(
        n - shapes.conv_transpose_length(mi, ki, si, di, lo, hi)
        for n, mi, ki, si, di, (lo, hi) in zip(whole, m, k, s, d, padding, strict=True)
    )
    return {"padding": padding, "output_padding": rest}


def _pooling_padding(given: dict[str, Any]) -> dict[str, Any]:
    """Named paddings of a pooling, as for a convolution with a kernel of its length."""
    x = given["x"]
    count = x.rank if given.get("dims") is None else given["dims"]
    k = positive_axes(given["k"], count, "kernel length")
    s = k if given.get("stride") is None else positive_axes(given["stride"], count, "stride")
    d = positive_axes(given.get("dilation", 1), count, "dilation")
    return {"padding": resolve_padding(given["padding"], x.shape[x.rank - count :], k, s, d)}


NAMED_PADDING: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "conv_transpose": _transposed_padding,
    "sum_pool": _pooling_padding,
    "avg_pool": _pooling_padding,
    "max_pool": _pooling_padding,
}


def _selection_laws(form: Form, given: dict[str, Any]) -> list[Law]:
    """What "for every selection" means: in every window a tap of it, at a position of the input.

    A window wholly in the padding has no such tap: for sizes with one there is no selection.
    """
    x, name = given["x"], given["selection"]
    count = x.rank if given.get("dims") is None else given["dims"]
    ceil = bool(given.get("ceil_mode", False))
    k, s, d, p, _, _ = windows(
        x,
        given["k"],
        given.get("stride"),
        given.get("padding", 0),
        given.get("dilation", 1),
        ceil,
        count,
    )
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


def _relation(name: str, plain: dict[str, Any], operands: Sequence[Op]) -> Form | None:
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


def numbers(value: Any) -> Any:
    """A parameter as the operators take it."""
    if isinstance(value, tuple):
        return tuple(numbers(v) for v in value)
    if isinstance(value, Ratio):
        raise WrongInput(
            f"the fraction {value} stands where an integer is needed; write // for a quotient"
        )
    if isinstance(value, Expr) and value.constant is not None:
        if abs(value.constant) > MAX_SIZE:
            raise WrongInput(
                f"the size {value} is over the limit of {MAX_SIZE}; use a symbol for a large size"
            )
        return value.constant
    return value


def describe(value: Any) -> str:
    """A value in words, for messages."""
    if isinstance(value, Op):
        return "an operator"
    if isinstance(value, (Expr, Ratio)):
        return f"the number {value}"
    if isinstance(value, tuple):
        return "a shape or tuple"
    if isinstance(value, Count):
        return "a count"
    if isinstance(value, str):
        return f"the text {value!r}"
    return "a statement" if not isinstance(value, (bool, type(None), Row)) else f"{value}"


def signature_error(name: str, error: TypeError) -> str:
    """What is wrong with the arguments of a call, and how it is called."""
    build: Callable[..., Any] | None = (
        OPERATORS[name].build if name in OPERATORS else FUNCTIONS.get(name)
    )
    shown = str(inspect.signature(build)) if build is not None else "(…)"
    plain = [
        p.split(":")[0].strip("( )") + (" =" + p.split("=")[1].strip(" )") if "=" in p else "")
        for p in shown.split(" -> ")[0].split(", ")
    ]
    kept = [p for p in plain if p not in ("names", "selection ='σ'")]
    return f"{error}; it is called as {name}({', '.join(kept)})"


# -- arrays ------------------------------------------------------------------------------------------


def flatten(rows: Any, shape: tuple[int, ...]) -> list[Ratio] | None:
    """The numbers of nested rows in row-major order; None where rows differ in length."""
    if not shape:
        value = Ratio(rows) if isinstance(rows, Expr) else rows
        plain = (
            isinstance(value, Ratio)
            and value.num.constant is not None
            and value.den.constant is not None
        )
        return [value] if plain else None
    if not isinstance(rows, Row) or len(rows.values) != shape[0]:
        return None
    found: list[Ratio] = []
    for r in rows.values:
        inner = flatten(r, shape[1:])
        if inner is None:
            return None
        found += inner
    return found


def array(entries: Sequence[Ratio], shape: tuple[int, ...]) -> Form:
    """Numbers given in full, as a form without reads."""

    def body(*i: Expr) -> Value:
        total = constant(0)
        for position, value in enumerate(entries):
            at, rest = [], position
            for n in reversed(shape):
                at.append(rest % n)
                rest //= n
            here = (eq(a, b) for a, b in zip(i, reversed(at), strict=True))
            total = total + constant(value).where(*here)
        return total

    return build(shape, body).named(
        "array", values=tuple(Fraction(int(e.num), int(e.den)) for e in entries), shape=shape
    )


# -- what is asked about operators --------------------------------------------------------------------


def _vjp(names: Names, f: Op, wrt: Op, g: Op | None = None) -> Op:
    call = wrt.form.call
    if call is None or call.operator != "tensor":
        raise WrongInput("vjp: the second operand is the tensor to differentiate by; name one")
    name = str(dict(call.parameters)["name"])
    if f.selects and f.form.shape and f.relation is None and not _linear(f.form, name):
        raise CannotBe(f"vjp: the operator is not linear in {name!r}")
    return Op(vjp(f.form, name, _cotangent(f.form, names.tensor("g") if g is None else g.form)))


def _cotangent(f: Form, g: Form) -> Form:
    """The incoming gradient with the shape of the output as it is written there.

    Two formulas can be the same length; that they are becomes a requirement.
    """
    if g.shape == f.shape or g.rank != f.rank:
        return g
    same = tuple(eq(a, b) for a, b in zip(g.shape, f.shape, strict=True))
    return g if all_of(*same) == FALSE else build(f.shape, lambda *i: g[i], same)


def _mask(names: Names, f: Op) -> Op:
    """Ones where the windows of a max pooling, laid side by side, hold their maximum: position
    ``j`` of an axis is 1 where window ``j // k`` selects the tap ``j % k``.
    """
    call = f.form.call
    if call is None or call.operator != "max_pool":
        raise WrongInput("mask: the operand is a max pooling; write mask(max_pool(x, k))")
    given = dict(call.parameters)
    dims: Any = given.get("dims")
    count: int = f.form.rank if dims is None else dims
    name, lead = str(given.get("selection", "σ")), f.form.rank - count
    k = positive_axes(cast(Any, given["k"]), count, "kernel length")
    shape = (*f.form.shape[:lead], *(a * m for a, m in zip(k, f.form.shape[lead:], strict=True)))

    def body(*j: Expr) -> Value:
        window = (*j[:lead], *(b // a for a, b in zip(k, j[lead:], strict=True)))
        taps = selected(name, count, window)
        held = (eq(t, b % a) for t, a, b in zip(taps, k, j[lead:], strict=True))
        return constant(1).where(*held)

    return Op(build(shape, body, f.form.requires))


def _linear(form: Form, name: str) -> bool:
    return all(sum(r.tensor == name for r in t.reads) <= 1 for t in form.terms)


def _shape(names: Names, f: Op) -> tuple[Expr, ...]:
    names.requires += f.form.requires
    return f.form.shape


def _length(names: Names, f: Op, axis: Expr | None = None) -> Expr:
    names.requires += f.form.requires
    at = -1 if axis is None else int(axis)
    if not -f.form.rank <= at < f.form.rank:
        raise WrongInput(
            f"length: axis {at} of an operator with {f.form.rank} axes; name one of them"
        )
    if axis is None and f.form.rank != 1:
        raise WrongInput(f"length: the output has {f.form.rank} axes; name one: length(f, 0)")
    return f.form.shape[at]


def _counted(f: Op, *tensors: Op) -> Form:
    """How many products of reads each output position adds up (or only those of given tensors)."""
    form = f.relation if f.selects and f.relation is not None else f.form

    def body(*i: Expr) -> Value:
        value = form[i]
        return Value(
            tuple(replace(t, coefficient=Ratio(), reads=()) for t in value.terms),
            (),
            value.requires,
        )

    return build(form.shape, body)


def _overlap(names: Names, f: Op) -> Count:
    return Count(_counted(f))


def _entries(names: Names, f: Op) -> Count:
    """How many entries of the Jacobian are not zero in the row of an output (each selection fixed)."""
    return Count(_counted(Op(f.form)))


def _covered(names: Names, f: Op) -> Everywhere:
    return Everywhere(_counted(f), ">=", lift(1), names.known())


def _disjoint(names: Names, f: Op) -> Everywhere:
    return Everywhere(_counted(f), "<=", lift(1), names.known())


def _concat(names: Names, *parts: Op, axis: Expr = lift(0)) -> Op:
    at = int(axis)
    forms = [p.form for p in parts]
    first = forms[0]
    for f in forms[1:]:
        if f.rank != first.rank or any(
            (a - b).constant not in (0, None)
            for j, (a, b) in enumerate(zip(f.shape, first.shape, strict=True))
            if j != at
        ):
            raise CannotBe(
                "concat: the operators differ in an axis that is not concatenated; crop or pad first"
            )
    total = lift(0)
    starts = []
    for f in forms:
        starts.append(total)
        total = total + f.shape[at]
    shape = (*first.shape[:at], total, *first.shape[at + 1 :])

    def body(*i: Expr) -> Value:
        value = constant(0)
        for f, start in zip(forms, starts, strict=True):
            value = value + f[(*i[:at], i[at] - start, *i[at + 1 :])]
        return value

    same = [
        eq(a, b)
        for f in forms[1:]
        for j, (a, b) in enumerate(zip(f.shape, first.shape, strict=True))
        if j != at
    ]
    return Op(build(shape, body, same).named("concat", *forms, axis=at))


def _window(names: Names, f: Op) -> tuple[Expr, Expr, Expr]:
    """(first index read at output 0, stride, number of indices spanned) of a 1-D chain in x."""
    form = f.relation if f.selects and f.relation is not None else f.form
    names.requires += form.requires
    reads = [(t, r) for t in form.terms for r in t.reads if r.tensor == "x"]
    if form.rank != 1 or len(reads) != 1 or len(reads[0][1].at) != 1:
        raise WrongInput(
            "receptive_field: a chain of 1-D convolutions and poolings of x was expected"
        )
    term, read = reads[0]
    split = read.at[0].coefficient(form.index[0])
    if split is None:
        raise WrongInput(
            "receptive_field: the windows are not evenly spaced; there is no fixed field"
        )
    stride, rest = split
    first, last = rest, rest
    for b, n in term.bound:
        inner = rest.coefficient(b)
        if inner is None:
            raise WrongInput(
                "receptive_field: the windows are not evenly spaced; there is no fixed field"
            )
        first = first.subst({b: lift(0)})
        last = last.subst({b: n - 1})
    return first, stride, last - first + 1


def _receptive_field(names: Names, f: Op) -> Expr:
    return _window(names, f)[2]


def _jump(names: Names, f: Op) -> Expr:
    return _window(names, f)[1]


def _offset(names: Names, f: Op) -> Expr:
    return _window(names, f)[0]


def _number(names: Names, variable: Expr, condition: About) -> Expr:
    """How many values of a size meet a condition."""
    if variable.symbol is None:
        raise WrongInput("number: the first operand is the size that is counted; name one")
    least = () if variable.symbol.minimum is None else (variable >= variable.symbol.minimum,)
    return count_of(variable.symbol, (condition.cond, *least))


def _is_smallest(names: Names, value: Expr, variable: Expr, condition: About) -> About:
    return _extreme(value, variable, condition, below=True)


def _is_largest(names: Names, value: Expr, variable: Expr, condition: About) -> About:
    return _extreme(value, variable, condition, below=False)


def _extreme(value: Expr, variable: Expr, condition: About, below: bool) -> About:
    symbol = variable.symbol
    if symbol is None:
        raise WrongInput("is_smallest(value, n, condition): the second operand names a size")
    reached = put(condition.cond, {symbol: value})
    beyond = variable < value if below else variable > value
    return About(all_of(reached, implies(all_of(beyond, condition.cond), eq(0, 1))))


def _rule(rule: Callable[..., Any]) -> Callable[..., Any]:
    def apply(names: Names, *arguments: Any, **keywords: Any) -> Any:
        return rule(*arguments, **keywords)

    return apply


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "vjp": _vjp,
    "grad": _vjp,
    "transpose": _vjp,
    "shape": _shape,
    "length": _length,
    "overlap": _overlap,
    "row_entries": _entries,
    "mask": _mask,
    "covered": _covered,
    "disjoint": _disjoint,
    "concat": _concat,
    "receptive_field": _receptive_field,
    "jump": _jump,
    "offset": _offset,
    "number": _number,
    "is_smallest": _is_smallest,
    "is_largest": _is_largest,
    "min": _rule(lambda *a: _chain(minimum, a)),
    "max": _rule(lambda *a: _chain(maximum, a)),
    "ceil_div": _rule(ceil_div),
    "divides": _rule(lambda divisor, value: About(divides(divisor, value))),
    "conv_length": _rule(shapes.conv_length),
    "conv_transpose_length": _rule(shapes.conv_transpose_length),
    "ceil_length": _rule(shapes.ceil_length),
    "same_length": _rule(shapes.same_length),
    "same_padding": _rule(shapes.same_padding),
    "conv_remainder": _rule(shapes.conv_remainder),
    "effective_length": _rule(shapes.effective_length),
}


def _chain(step: Callable[[Expr, Expr], Expr], values: tuple[Expr, ...]) -> Expr:
    result = values[0]
    for v in values[1:]:
        result = step(result, v)
    return result
