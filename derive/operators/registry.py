"""The registry: an operator joins it where it is defined, and everything else follows from it.

The decorator :func:`operator` remembers how a form was written (for printing) and puts the
operator's name, its LaTeX name and sample arguments into :data:`OPERATORS`; matrices, gradients,
documents, the command line and every law under ``tests/`` read it from there.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, ParamSpec, TypeAlias

from derive.errors import WrongInput, WrongType, expect, shown
from derive.expr import Expr, Integer, lift
from derive.form import Form

P = ParamSpec("P")
PerAxis: TypeAlias = "Integer | Sequence[Integer]"
Padding: TypeAlias = "Integer | str | tuple[Integer, Integer] | Sequence[tuple[Integer, Integer]]"


@dataclass(frozen=True)
class Operator:
    """What is known of an operator: ``samples`` are argument dictionaries for the laws' tests.

    In a sample, a key that is a tensor parameter of ``build`` holds the tensor's shape.
    """

    name: str
    family: str
    latex: str
    build: Callable[..., Form]
    tensors: tuple[str, ...]
    samples: tuple[dict[str, Any], ...]

    @property
    def summary(self) -> str:
        """The first line of the operator's documentation."""
        return (inspect.getdoc(self.build) or "").split("\n", 1)[0]


OPERATORS: dict[str, Operator] = {}


def operator(
    family: str, latex: str | None = None, samples: Sequence[dict[str, Any]] = ()
) -> Callable[[Callable[P, Form]], Callable[P, Form]]:
    """Register the decorated function; its ``Form`` parameters are the operands."""

    def register(build: Callable[P, Form]) -> Callable[P, Form]:
        name = build.__name__
        signature = inspect.signature(build)
        tensors = tuple(p for p, v in signature.parameters.items() if v.annotation == "Form")

        @wraps(build)
        def named(*args: P.args, **kwargs: P.kwargs) -> Form:
            given = signature.bind(*args, **kwargs).arguments
            operands = tuple(given[t] for t in tensors if t in given)
            for t, operand in zip(tensors, operands, strict=False):
                expect(operand, Form, f"{name}: {t}", "no operator; give a form, as tensor('x', 7)")
            form = build(*args, **kwargs)
            shown = {
                k: v
                for k, v in given.items()
                if k not in tensors and v is not signature.parameters[k].default
            }
            return form.named(name, *operands, **shown)

        OPERATORS[name] = Operator(
            name,
            family,
            latex or rf"\operatorname{{{name.replace('_', ' ')}}}",
            named,
            tensors,
            tuple(samples),
        )
        return named

    return register


def per_axis(value: PerAxis, dims: int, what: str) -> tuple[Expr, ...]:
    """One expression for each spatial axis; a single value is used for all of them."""
    values: tuple[Any, ...] = (value,) * dims
    if isinstance(value, (tuple, list)):
        values = tuple(value)
    if len(values) != dims:
        raise WrongInput(
            f"{what} = {_shown(value)}: {len(values)} values for {dims} spatial axes; "
            f"give one value or {dims}"
        )
    return tuple(integer(v, what) for v in values)


def integer(value: Any, what: str) -> Expr:
    """An integer as an expression; the message of the error names ``what`` it was given for."""
    try:
        return lift(value)
    except WrongType:
        raise WrongType(
            f"{what} = {shown(value)}: an integer or an integer expression was expected; give one"
        ) from None


def positive_axes(value: PerAxis, dims: int, what: str) -> tuple[Expr, ...]:
    """As :func:`per_axis`, for parameters that must be at least 1."""
    values = per_axis(value, dims, what)
    for v in values:
        if v.constant is not None and v.constant < 1:
            article = "an" if what[0] in "aeiou" else "a"
            raise WrongInput(
                f"{what} = {v}: {article} {what} is at least 1; give a positive {what}"
            )
    return values


def pairs(padding: Any, dims: int) -> tuple[tuple[Expr, Expr], ...]:
    """Padding as one ``(lo, hi)`` for each spatial axis.

    An int pads both sides of all axes, a pair of integers is ``(lo, hi)`` for all axes, a sequence
    of pairs is one for each axis.
    """
    if isinstance(padding, str):
        raise WrongInput(
            f"padding = {padding!r}: this operator takes amounts; give an integer or (lo, hi)"
        )
    if not isinstance(padding, (tuple, list)):
        return ((integer(padding, "padding"),) * 2,) * dims
    if len(padding) == 2 and not any(isinstance(p, (tuple, list)) for p in padding):
        return ((integer(padding[0], "padding"), integer(padding[1], "padding")),) * dims
    if len(padding) != dims or not all(
        isinstance(p, (tuple, list)) and len(p) == 2 for p in padding
    ):
        raise WrongInput(
            f"padding = {_shown(padding)}: expected (lo, hi) or {dims} such pairs; "
            "give the amounts in front and behind for every spatial axis"
        )
    return tuple((integer(lo, "padding"), integer(hi, "padding")) for lo, hi in padding)


def _shown(value: Any) -> str:
    if isinstance(value, (tuple, list)):
        return f"({', '.join(map(_shown, value))})"
    return str(value)


def spatial(x: Form, dims: int, what: str) -> int:
    """The number of leading (batch, channel) axes when the last ``dims`` axes are spatial."""
    expect(dims, int, f"{what}: dims", "a number of axes was expected; give an int")
    if x.rank < dims:
        raise WrongInput(
            f"{what}: the input has {x.rank} axes but {dims} spatial ones are asked for; "
            "give an input with at least as many axes"
        )
    return x.rank - dims
