"""Inverse questions with complete answers: all parameters that take an input to an output.

Names in a call are the unknowns: ``nn.Conv2d(3, 16, k, stride=s, padding=p)``.  Unknowns that are
multiplied with others or divide (strides, dilations) run over their ranges; for each choice the rest
is linear, and integer sets give *all* values of the others, without a bound.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product
from math import prod
from typing import Any, ClassVar, Literal

from derive.dialects.calls import Assigned, Call, Sum
from derive.dialects.calls import Name as Tensor
from derive.dialects.chain import run
from derive.dialects.chain_state import Run
from derive.dialects.formula import condition, flattened
from derive.dialects.question import axis_name
from derive.dialects.request import solved_for
from derive.errors import NotSupported, WrongInput
from derive.expr import (
    FALSE,
    Cond,
    Div,
    Expr,
    Max,
    Sym,
    all_of,
    cond_symbols,
    divides,
    eq,
    expressions,
    lift,
    map_cond,
    subst_cond,
)

DEFAULT_TOP = 8
CHOICES = 4096
POINTS = 200_000
LISTED = 400


@dataclass(frozen=True)
class Family:
    """All solutions for some ``fixed`` names: those for which ``condition`` holds of the others."""

    fixed: tuple[tuple[str, int], ...]
    condition: str


@dataclass(frozen=True)
class Solutions:
    """The answer to an inverse question.

    ``families`` are all solutions where only the names in ``bounded`` end with their ``ranges``; the
    others run on without an end.  ``solutions`` are those with all names within their ranges, as
    values in the order of ``names``, those left out that the framework ``refused``; ``more`` counts
    what is not listed.
    """

    kind: ClassVar[Literal["solutions"]] = "solutions"

    question: str
    names: tuple[str, ...]
    ranges: tuple[tuple[str, int, int], ...]
    bounded: tuple[str, ...]
    families: tuple[Family, ...]
    solutions: tuple[tuple[int, ...], ...]
    refused: int = 0
    more: int = 0


def solve(
    statements: Sequence[Assigned],
    x: Sequence[Any] | None = None,
    output: Sequence[Any] | None = None,
    *,
    scale: Fraction | None = None,
    ranges: Mapping[str, tuple[int, int]] | None = None,
    weights: Mapping[str, Sequence[Any]] | None = None,
    dialect: str | None = None,
) -> Solutions:
    """All values of the names in a call that take an input to an output; see :func:`derive.solve_shape`.

    Raises:
        WrongInput: where nothing is asked, or a name has no place.
        NotSupported: where too many choices are asked at once.
    """
    if scale is not None and x is not None:
        raise WrongInput(
            "--scale --input: a scale is asked of every input length; leave --input out, or ask for "
            "--output"
        )
    if scale is not None and output is not None:
        raise WrongInput("--scale --output: these are two questions; give one of them")
    if scale is None and output is None:
        raise WrongInput("--solve: nothing is asked; give either --output or --scale (one of them)")
    if scale is None and x is None:
        raise WrongInput("--solve --output: there is no input; give --input too, or --scale")
    state = run(statements, None if scale is not None else x, weights, dialect)
    goals = _goals(state, x, output, scale)
    lengths_of_input = {s for n in state.letters for s in n.symbols()}
    unknown = _unknowns(state, goals, lengths_of_input, statements)
    found = _ranges(unknown, ranges or {}, [c for g in goals for c in g])
    fixed = _to_fix([c for g in goals for c in g], unknown, lengths_of_input, found)
    families, points, more = _families(goals, unknown, fixed, found, lengths_of_input)
    confirmed = [p for p in points if _accepted(statements, unknown, p, weights, dialect)]
    return Solutions(
        _question(state, x, output, scale),
        tuple(s.name for s in unknown),
        tuple((s.name, *found[s]) for s in unknown),
        tuple(s.name for s in fixed),
        families,
        tuple(confirmed),
        len(points) - len(confirmed),
        more,
    )


Goal = tuple[Cond, ...]  # (defined, wanted)


def _goals(
    state: Run,
    x: Sequence[Any] | None,
    output: Sequence[Any] | None,
    scale: Fraction | None,
) -> list[Goal]:
    """For each spatial axis, where the call is defined and what is wanted of it there."""
    last, start = state.rows[-1].value, state.start
    assert start is not None
    spatial = [a for a in last.layout if a in "TDHW"]
    found = []
    for position, letter in enumerate(spatial):
        e = flattened(last.shape[last.layout.index(letter)])
        n = start.shape[start.layout.index(letter)]
        others = {s for m in start.shape for s in m.symbols()} - n.symbols()
        conds = [map_cond(c, flattened) for c in state.requires if not cond_symbols(c) & others]
        if scale is not None:
            conds.append(divides(scale.denominator, n))
            wanted = eq(scale.denominator * e, scale.numerator * n)
        else:
            assert output is not None
            wanted = eq(e, lift(_target(output, last.layout, position, letter)))
        found.append((all_of(*conds), wanted))
    if not found:
        raise WrongInput("--solve: the output has no spatial axis; ask about a call that has one")
    return list(dict.fromkeys((*found, *_other_goals(state, output))))


def _other_goals(state: Run, output: Sequence[Any] | None) -> list[Goal]:
    """What a whole shape says of batch and channels, unless they are those of an input that is not
    said.
    """
    last, start = state.rows[-1].value, state.start
    assert start is not None
    if output is None or len(output) != len(last.layout):
        return []
    unsaid = {s for n in start.shape for s in n.symbols()} & {
        s for n in state.letters for s in n.symbols()
    }
    needs = all_of(*(c for c in state.requires if not cond_symbols(c) & unsaid))
    return [
        (needs, eq(e, lift(wanted)))
        for e, a, wanted in zip(last.shape, last.layout, output, strict=True)
        if a not in "TDHW" and not e.symbols() & unsaid
    ]


def _target(output: Sequence[Any], layout: str, position: int, letter: str) -> Any:
    if len(output) == len(layout):
        return output[layout.index(letter)]
    if len(output) in (1, sum(a in "TDHW" for a in layout)):
        return output[0] if len(output) == 1 else output[position]
    raise WrongInput(
        f"--output: {len(output)} lengths for an output with the axes {layout}; give all, or the "
        "spatial ones"
    )


def _unknowns(
    state: Run, goals: Sequence[Goal], inputs: set[Sym], statements: Sequence[Assigned]
) -> tuple[Sym, ...]:
    spoken = {s for g in goals for c in g for s in cond_symbols(c)} - inputs
    written = list(dict.fromkeys(n for s in statements for n in names_in(s.value)))
    found = sorted(
        (s for s in spoken if s.name in written), key=lambda s: (written.index(s.name), s.name)
    )
    if not found:
        raise WrongInput(
            "--solve: no name in the call has an effect on the lengths; write a name for what is "
            "unknown, as nn.Conv2d(3, 16, k, stride=s)"
        )
    return tuple(found)


def names_in(value: Any) -> Iterator[str]:
    """The names that a value speaks of, in order."""
    if isinstance(value, Tensor):
        yield value.name
        yield from names_in(value.shape or ())
    elif isinstance(value, Sum):
        yield from names_in((value.left, value.right))
    elif isinstance(value, Call):
        yield from names_in((*value.arguments, *(v for _, v in value.keywords), *value.on))
    elif isinstance(value, tuple):
        for v in value:
            yield from names_in(v)


def _ranges(
    unknown: Iterable[Sym], given: Mapping[str, tuple[int, int]], conds: Sequence[Cond]
) -> dict[Sym, tuple[int, int]]:
    names = {s.name for s in unknown}
    for name in given:
        if name not in names:
            raise WrongInput(
                f"--range {name}: {name} is not among the unknowns ({', '.join(sorted(names))}); "
                "give a range for one of these"
            )
    return {s: given.get(s.name) or _default_range(s, conds) for s in unknown}


def _default_range(s: Sym, conds: Sequence[Cond]) -> tuple[int, int]:
    """From the least value on, further than usual where an equation says what the name is."""
    said = solved_for(s, conds)
    value = None if said is None else said.constant
    return 0 if s.minimum is None else s.minimum, max(DEFAULT_TOP, value or 0)


def _to_fix(
    conds: Sequence[Cond],
    unknown: tuple[Sym, ...],
    inputs: set[Sym],
    ranges: Mapping[Sym, tuple[int, int]],
) -> tuple[Sym, ...]:
    """The unknowns that need numbers so that everything is linear: few values first."""
    fixed: list[Sym] = []
    while True:
        values: dict[Sym, Expr] = {s: lift(2) for s in fixed}
        mixed = [m for c in conds for e in expressions(c) for m in nonlinear(e.subst(values))]
        if not mixed:
            return tuple(s for s in unknown if s in fixed)
        counts = {s: sum(s in m for m in mixed) for s in unknown}
        if not any(counts.values()):
            names = ", ".join(sorted({s.name for m in mixed for s in m}))
            raise NotSupported(
                f"--solve: the question is not linear in {names}; give numbers for some of them"
            )
        fixed.append(
            max(counts, key=lambda s: (counts[s], -(ranges[s][1] - ranges[s][0]), s.name < "e"))
        )


def nonlinear(e: Expr) -> Iterator[frozenset[Sym]]:
    """The symbols of each product and each divisor that is not a number."""
    for m, _ in e.terms:
        if len(m) > 1:
            yield frozenset(s for a in m for s in Expr({(a,): 1}).symbols())
        for a in m:
            if isinstance(a, Div):
                if a.den.constant is None:
                    yield a.den.symbols()
                yield from nonlinear(a.num)
            elif isinstance(a, Max):
                yield from nonlinear(a.left)
                yield from nonlinear(a.right)


def _families(
    goals: Sequence[Goal],
    unknown: tuple[Sym, ...],
    fixed: tuple[Sym, ...],
    ranges: Mapping[Sym, tuple[int, int]],
    inputs: set[Sym],
) -> tuple[tuple[Family, ...], list[tuple[int, ...]], int]:
    choices = prod(ranges[s][1] - ranges[s][0] + 1 for s in fixed)
    if choices > CHOICES:
        raise NotSupported(
            f"--solve: {choices} choices of {', '.join(s.name for s in fixed)}; at most {CHOICES} are "
            "tried; give narrower ranges"
        )
    families: list[Family] = []
    points: list[tuple[int, ...]] = []
    free = tuple(s for s in unknown if s not in fixed)
    for values in product(*(range(ranges[s][0], ranges[s][1] + 1) for s in fixed)):
        numbers = dict(zip(fixed, values, strict=True))
        if any(s.minimum is not None and v < s.minimum for s, v in numbers.items()):
            continue
        lower = all_of(*(Expr({(s,): 1}) >= ranges[s][0] for s in free))
        cond = _solved(goals, free, numbers, inputs, lower)
        if cond == FALSE:
            continue
        families.append(Family(tuple((s.name, v) for s, v in numbers.items()), condition(cond)))
        points += _points(cond, unknown, numbers, ranges)
    return tuple(families), sorted(points)[:LISTED], max(0, len(points) - LISTED)


def _solved(
    goals: Sequence[Goal],
    free: tuple[Sym, ...],
    numbers: Mapping[Sym, int],
    inputs: set[Sym],
    lower: Cond,
) -> Cond:
    """The exact condition on the free unknowns from their lower ends on, for values of the others.

    Where the input length has a name, it is that of *all* lengths for which the call is defined.
    """
    from derive.decide.integer_sets import Space, simplest

    values = {s: lift(v) for s, v in numbers.items()}
    space = Space(free)
    good = space.conds([lower])
    whole = good
    for defined, wanted in goals:
        here, there = subst_cond(defined, values), subst_cond(wanted, values)
        spoken = sorted((cond_symbols(here) | cond_symbols(there)) - {*free}, key=lambda s: s.name)
        if any(s not in inputs for s in spoken):
            names = ", ".join(s.name for s in spoken if s not in inputs)
            raise NotSupported(f"--solve: {names} is not known; give it a number")
        inner = Space((*free, *spoken))
        domain = inner.conds([here])
        bad = domain.subtract(inner.cond(there))
        if spoken:
            at, count = len(free), len(spoken)
            domain = _projected(domain, at, count, space)
            bad = _projected(bad, at, count, space)
        good = good.intersect(domain).subtract(bad)
    return simplest(good.coalesce(), whole, space)


def _projected(found: Any, at: int, count: int, space: Any) -> Any:
    import islpy as isl

    return found.project_out(isl.dim_type.set, at, count).reset_space(space.isl)


def _points(
    cond: Cond,
    unknown: tuple[Sym, ...],
    numbers: Mapping[Sym, int],
    ranges: Mapping[Sym, tuple[int, int]],
) -> list[tuple[int, ...]]:
    """The solutions within the ranges."""
    import islpy as isl

    from derive.decide.integer_sets import Space

    free = tuple(s for s in unknown if s not in numbers)
    spans = [ranges[s][1] - ranges[s][0] + 1 for s in free]
    if prod(spans) > POINTS:
        raise NotSupported(
            f"--solve: {prod(spans)} values of {', '.join(s.name for s in free)}; at most {POINTS} are "
            "listed; give narrower ranges"
        )
    within = [c for s in free for c in _between(Expr({(s,): 1}), *ranges[s])]
    least = [Expr({(s,): 1}) >= s.minimum for s in free if s.minimum is not None]
    found: list[tuple[int, ...]] = []

    def take(point: Any) -> None:
        at = [point.get_coordinate_val(isl.dim_type.set, i).to_python() for i in range(len(free))]
        values = {**dict(zip(free, at, strict=True)), **numbers}
        found.append(tuple(values[s] for s in unknown))

    Space(free).conds([cond, *within, *least]).foreach_point(take)
    return found


def _between(e: Expr, first: int, last: int) -> tuple[Cond, Cond]:
    return e >= first, last >= e


def _accepted(
    statements: Sequence[Assigned],
    unknown: tuple[Sym, ...],
    point: tuple[int, ...],
    weights: Mapping[str, Sequence[Any]] | None,
    dialect: str | None,
) -> bool:
    """Does the framework take these numbers?  (output padding below the stride, padding up to half
    a pooling window, …)
    """
    values = {s.name: v for s, v in zip(unknown, point, strict=True)}
    try:
        run([replace(s, value=put(s.value, values)) for s in statements], None, weights, dialect)
    except WrongInput:
        return False
    return True


def put(value: Any, values: Mapping[str, int]) -> Any:
    """A written value with numbers in the place of names.

    >>> from derive.dialects.calls import read_calls
    >>> str(put(read_calls("nn.Conv1d(4, 8, k, stride=2*s)")[0].value, {"k": 3, "s": 2}))
    'nn.Conv1d(4, 8, 3, stride=4)'
    """
    if isinstance(value, tuple):
        return tuple(put(v, values) for v in value)
    if isinstance(value, Tensor) and value.shape is None:
        return values.get(value.name, value)
    if isinstance(value, Sum):
        left, right = put(value.left, values), put(value.right, values)
        if isinstance(left, int) and isinstance(right, int):
            found = {"+": left + right, "-": left - right, "*": left * right}.get(value.sign)
            if found is None and right:
                found = left // right if value.sign == "//" else left % right
            return Sum(value.sign, left, right) if found is None else found
        return Sum(value.sign, left, right)
    if isinstance(value, Call):
        keywords = tuple((k, put(v, values)) for k, v in value.keywords)
        on = put(value.on, values)
        return replace(value, arguments=put(value.arguments, values), keywords=keywords, on=on)
    return value


def _question(
    state: Run, x: Sequence[Any] | None, output: Sequence[Any] | None, scale: Fraction | None
) -> str:
    start = state.start
    assert start is not None
    if scale is None:
        assert x is not None and output is not None
        return f"{' x '.join(map(str, x))} to {' x '.join(map(str, output))}"
    spatial = [a for a in start.layout if a in "TDHW"]
    name = f"{axis_name(spatial[0], len(spatial))}_in"
    of = f" that {scale.denominator} divides" if scale.denominator > 1 else ""
    times = f"{scale.numerator}·{name}" if scale.numerator > 1 else name
    over = f"/{scale.denominator}" if scale.denominator > 1 else ""
    return f"every {name}{of} to {times}{over}"
