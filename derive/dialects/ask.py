"""Shape questions in a framework's own words: the functions behind ``derive shape``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from derive.claims.parse import MAX_NUMBER, ClaimError
from derive.dialects.calls import Assigned, Call, read_calls
from derive.errors import WrongInput, clipped, expect, shown

if TYPE_CHECKING:
    from derive.dialects.chain_shape import ChainShape
    from derive.dialects.question import LayerShape
    from derive.dialects.solve import Solutions

LONG = re.compile(r"[0-9_]{40,}|[eE][+-]?[0-9_]{4,}")  # what takes long to compute in a factor
Sizes = int | str | Sequence[Any] | None


def shape(
    call: str,
    input: Sizes = None,  # noqa: A002  as the command line calls it
    output: Sizes = None,
    weights: Mapping[str, Sizes] | None = None,
    dialect: str | None = None,
) -> LayerShape | ChainShape:
    """The output shape of a call, or of a chain of calls, in a framework's own words.

    Args:
        call: the call as people write it (``nn.Conv2d(3, 16, 3, stride=2)``), ``nn.Sequential(…)``, or
            a short program of assignments.  It is parsed, never run; names are sizes or tensors.
        input: the whole input shape in the framework's order, or the spatial lengths alone, or one
            length for all of them; ints, names, or text as ``"1,3,28,28"``.  What is not given gets
            names, and the answer is a formula.
        output: an output length or shape; the answer then has all inputs that give it.
        weights: shapes of tensors beside the input, by name; ``""`` names the first.
        dialect: the framework, where a name could be of several.

    Returns:
        A :class:`derive.dialects.question.LayerShape` for one call,
        a :class:`derive.dialects.chain_shape.ChainShape` for several.

    Raises:
        derive.errors.WrongInput: for what cannot be read and what the framework refuses.

    >>> import derive
    >>> found = derive.shape("nn.Conv2d(3, 16, 3, stride=2, padding=1)", input=(1, 3, 28, 28))
    >>> found.output, str(found.axes[1].inverse), found.axes[1].output_padding
    ((1, 16, 14, 14), '27 and 28', 1)
    >>> chain = derive.shape("nn.Sequential(nn.MaxPool1d(4), nn.Upsample(scale_factor=4))")
    >>> str(chain.axes[0].returns)
    'all L_in divisible by 4'
    """
    statements = read(call)
    x, wanted = sizes(input, "input"), sizes(output, "output")
    others = _weights(weights)
    from derive.dialects.chain import is_chain

    if is_chain(statements):
        from derive.dialects.chain_shape import chain_shape

        return chain_shape(statements, x, wanted, others, dialect)
    from derive.dialects.question import layer_shape

    written = statements[0].value
    if not isinstance(written, Call):
        raise WrongInput(f"reading {call!r}: this is no call; write one, as nn.Conv2d(3, 16, 3)")
    return layer_shape(written, x, wanted, others, dialect)


def solve_shape(
    call: str,
    input: Sizes = None,  # noqa: A002  as the command line calls it
    output: Sizes = None,
    scale: Fraction | int | str | None = None,
    ranges: Mapping[str, tuple[int, int]] | None = None,
    weights: Mapping[str, Sizes] | None = None,
    dialect: str | None = None,
) -> Solutions:
    """All values of the names in a call that take ``input`` to ``output``, or scale *every* input.

    Args:
        call: a call or chain with names for what is unknown.
        input: the input length(s), with ``output``.
        output: the output length(s) to reach.
        scale: instead of both: the factor by which every input length is to change; for ``1/2``,
            every even one.
        ranges: bounds by name, both included; by default 1 to 8, and 0 to 8 for paddings.
        weights: as for :func:`shape`.
        dialect: as for :func:`shape`.

    Returns:
        All solutions within the ranges, and all solutions at all where only strides and other
        factors are bounded.

    Raises:
        derive.errors.WrongInput: for what cannot be read.
        derive.errors.NotSupported: for too many choices.

    >>> import derive
    >>> found = derive.solve_shape("nn.Conv1d(1, 1, k, stride=2, padding=p)", scale="1/2")
    >>> [f.condition for f in found.families]
    ['2·p + 1 ≤ k ≤ 2·p + 2']
    """
    from derive.dialects.solve import solve

    factor = None if scale is None else _factor(scale)
    others = _weights(weights)
    if ranges is not None:
        _check_ranges(ranges)
    return solve(
        read(call),
        sizes(input, "input"),
        sizes(output, "output"),
        scale=factor,
        ranges=ranges,
        weights=others,
        dialect=dialect,
    )


def read(text: str) -> tuple[Assigned, ...]:
    """The statements of a text; a message about what cannot be read speaks of a call."""
    from derive.dialects.amounts import marked

    try:
        return marked(read_calls(text))
    except ClaimError as error:
        said = str(error).replace("reading the claim", "reading the call", 1)
        raise WrongInput(said) from None


def sizes(given: Sizes, what: str) -> tuple[Any, ...] | None:
    """A shape that was given as an int, as text or as a sequence."""
    from derive.dialects.request import parse_shape

    if given is None:
        return None
    if not isinstance(given, str):
        entries = given if isinstance(given, Sequence) else (given,)
        for n in entries:
            if isinstance(n, int) and n > MAX_NUMBER:
                raise WrongInput(
                    f"{what} = {shown(given)}: numbers go up to {MAX_NUMBER}; use a name for a "
                    "large length"
                )
        given = ",".join(map(str, entries))
    return parse_shape(given, f"--{what}")


def _weights(given: Mapping[str, Sizes] | None) -> dict[str, tuple[Any, ...]]:
    if given is None:
        return {}
    expect(
        given, Mapping, "weights", "shapes by name were expected; give them, as {'w': (8, 4, 3)}"
    )
    return {name: sizes(s, f"weight {name}".strip()) or () for name, s in given.items()}


def _check_ranges(given: Mapping[str, Any]) -> None:
    expect(given, Mapping, "ranges", "ranges by name were expected; give them, as {'k': (1, 5)}")
    for name, ends in given.items():
        whole = isinstance(ends, (tuple, list)) and all(type(v) is int for v in ends)
        if not whole or len(ends) != 2 or ends[0] > ends[1]:
            raise WrongInput(
                f"ranges: {name} = {shown(ends)}: this is no range; give its first and its last "
                "number, as (1, 5)"
            )


def _factor(scale: Fraction | int | str) -> Fraction:
    """The factor of a scale; one with an exponent or many digits is not computed."""
    asked = f"--scale {clipped(scale) if isinstance(scale, str) else shown(scale)}"
    try:
        long = isinstance(scale, str) and LONG.search(scale) is not None
        found = Fraction(MAX_NUMBER + 1) if long else Fraction(scale)
    except (ValueError, TypeError, ZeroDivisionError, OverflowError):
        found = Fraction(0)
    if found <= 0:
        raise WrongInput(f"{asked}: it is no factor; give a positive number as 2 or 1/2")
    if max(found.numerator, found.denominator) > MAX_NUMBER:
        raise WrongInput(
            f"{asked}: numerator and denominator go up to {MAX_NUMBER}; give a factor as 2 or 1/2"
        )
    return found
