"""Sets of lengths: found by sampling, then proved to be the whole answer with integer sets (ISL).

>>> from derive.expr import divides
>>> from derive.symbols import size
>>> n = size("n")
>>> str(lengths_where(divides(4, n), n)), str(lengths_where((n + 1) // 2 - 14 >= 0, n))
('all n divisible by 4', 'all n ≥ 27')
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from derive.errors import NotSupported
from derive.evaluation import holds
from derive.expr import (
    FALSE,
    TRUE,
    Cond,
    Div,
    Expr,
    Ge,
    Sym,
    all_of,
    any_of,
    conjuncts,
    divides,
    eq,
)

SAMPLES = 4096
LISTED = 12
MANY = 64


@dataclass(frozen=True)
class Lengths:
    """Integers: the ``intervals`` (the last may be open), and the numbers from ``start`` on whose
    remainder modulo ``period`` is one of ``residues``.

    ``proved`` by comparison of integer sets; ``also`` is the condition in words where the set has
    no short description of this kind.
    """

    name: str = "n"
    intervals: tuple[tuple[int, int | None], ...] = ()
    start: int = 1
    period: int = 1
    residues: tuple[int, ...] = ()
    also: str = ""

    def __contains__(self, n: int) -> bool:
        inside = any(lo <= n and (hi is None or n <= hi) for lo, hi in self.intervals)
        return inside or (n >= self.start and n % self.period in self.residues)

    @property
    def empty(self) -> bool:
        """Is there none at all?"""
        return not (self.intervals or self.residues or self.also)

    def __str__(self) -> str:
        if self.also:
            return self.also
        if self.empty:
            return "none"
        shown = [_interval(lo, hi, self.name) for lo, hi in self.intervals]
        if self.residues:
            shown.append(self._progression())
        return ", ".join(shown[:-1]) + (", and " if shown[:-1] else "") + shown[-1]

    def _progression(self) -> str:
        first = min(self.start + (r - self.start) % self.period for r in self.residues)
        divided = self.residues == (0,)
        usual = min(r or self.period for r in self.residues)  # the first of all positive ones
        least = f" from {first} on" if first > usual else ""
        if divided:
            return f"all {self.name} divisible by {self.period}{least}"
        if self.residues == (1,) and self.period == 2:
            return f"all odd {self.name}{least}"
        remainders = " or ".join(map(str, self.residues))
        return f"all {self.name} with {self.name} mod {self.period} = {remainders}{least}"

    def as_dict(self) -> dict[str, Any]:
        """As data for JSON."""
        return {
            "text": str(self),
            "intervals": [list(i) for i in self.intervals],
            "start": self.start if self.residues else None,
            "period": self.period if self.residues else None,
            "residues": list(self.residues),
        }


def _interval(lo: int, hi: int | None, name: str) -> str:
    if hi is None:
        return f"all {name} ≥ {lo}"
    if hi == lo:
        return str(lo)
    return f"{lo} and {hi}" if hi == lo + 1 else f"{lo} to {hi}"


def lengths_where(cond: Cond, size: Expr) -> Lengths:
    """The values of ``size`` for which a condition on it holds, all of them.

    Args:
        cond: a condition on this one size, linear up to floor quotients by numbers.
        size: a symbol; its minimum holds too.

    Raises:
        NotSupported: for a condition that is not linear.
    """
    symbol = size.symbol
    assert symbol is not None
    least = -SAMPLES if symbol.minimum is None else symbol.minimum
    if cond in (TRUE, FALSE) and symbol.minimum is not None:
        return Lengths(symbol.name, ((least, None),) if cond == TRUE else ())
    from derive.decide.integer_sets import Space, read_back

    space = Space((symbol,))
    found = space.conds([cond])
    if found.is_empty():
        return Lengths(symbol.name)
    low = found.dim_min_val(0)
    if low.is_int():
        first = int(low.to_python())
        high = found.dim_max_val(0)
        last = int(high.to_python()) if high.is_int() else None
        whole = all_of(size >= first, *(() if last is None else (size <= last,)))
        if space.conds([whole]).is_equal(found):
            return Lengths(symbol.name, ((first, last),))
        guess = _guess(cond, symbol, first, last)
        if guess and space.conds([condition(guess, size)]).is_equal(found):
            return guess
    text = str(read_back(found.coalesce(), space))
    return Lengths(symbol.name, also=f"all {symbol.name} with {text}")


def condition(lengths: Lengths, size: Expr) -> Cond:
    """The condition that says the same of ``size``."""
    if lengths.also:
        raise NotSupported(f"the condition of {lengths}: it has no short form; use its text")
    parts = [
        all_of(size >= lo, *(() if hi is None else (size <= hi,))) for lo, hi in lengths.intervals
    ]
    parts += [
        all_of(size >= lengths.start, divides(lengths.period, size - r)) for r in lengths.residues
    ]
    return any_of(*parts)


def _guess(cond: Cond, symbol: Sym, first: int, last: int | None) -> Lengths | None:
    """The shortest description that the first samples agree with."""
    top = min(first + SAMPLES, last + 1 if last is not None else first + SAMPLES)
    truth = [bool(holds(cond, {symbol.name: n})) for n in range(first, top)]
    if last is not None:
        if last >= top:
            return None
        return Lengths(symbol.name, _runs(truth, first))
    for period in range(1, SAMPLES // 4):
        differ = [i for i in range(len(truth) - period) if truth[i] != truth[i + period]]
        start = differ[-1] + 1 if differ else 0
        if start + 2 * period > len(truth) * 3 // 4:
            continue
        hit = tuple(sorted((first + i) % period for i in range(start, start + period) if truth[i]))
        if len(hit) > MANY:
            return None
        if len(hit) == period:
            runs = _runs(truth[:start], first)
            return Lengths(symbol.name, _joined(runs, first + start))
        return Lengths(symbol.name, _runs(truth[:start], first), first + start, period, hit)
    return None


def _joined(
    runs: tuple[tuple[int, int | None], ...], start: int
) -> tuple[tuple[int, int | None], ...]:
    if runs and runs[-1][1] == start - 1:
        return (*runs[:-1], (runs[-1][0], None))
    return (*runs, (start, None))


def _runs(truth: list[bool], first: int) -> tuple[tuple[int, int | None], ...]:
    runs: list[tuple[int, int | None]] = []
    for i, true in enumerate(truth):
        if true and runs and runs[-1][1] == first + i - 1:
            runs[-1] = (runs[-1][0], first + i)
        elif true:
            runs.append((first + i, first + i))
    return tuple(runs)


def preimages(shape: Expr, requires: Cond, size: Expr, target: int) -> Lengths:
    """All lengths for which an output length is ``target`` and the call is defined.

    >>> from derive.expr import TRUE
    >>> from derive.symbols import size
    >>> n = size("n")
    >>> str(preimages((n - 1) // 2 + 1, TRUE, n, 14))
    '27 and 28'
    """
    symbol = size.symbol
    assert symbol is not None
    ends = _inverted(shape, symbol, target)
    for c in conjuncts(requires):
        ends = _within(ends, c, symbol)
    if ends is None:
        return lengths_where(all_of(eq(shape, target), requires), size)
    low, high = ends
    if symbol.minimum is not None:
        low = max(low, symbol.minimum)
    return Lengths(symbol.name, ((low, high),) if low <= high else ())


Ends = tuple[int, int]
NONE: Ends = (1, 0)


def _inverted(shape: Expr, n: Sym, target: int) -> Ends | None:
    """The interval where ``c·⌊(a·n + b)/d⌋ + e`` (or ``a·n + b``) is the target: exact arithmetic.

    None for an expression that is not of this form.
    """
    quotients = [(m[0], c) for m, c in shape.terms if len(m) == 1 and isinstance(m[0], Div)]
    if not quotients:
        line = _line(shape, n)
        if line is None or line[0] == 0:
            return None
        at, rest = divmod(target - line[1], line[0])
        return NONE if rest else (at, at)
    atom, c = quotients[0]
    assert isinstance(atom, Div)
    outside = shape - c * Expr({(atom,): 1})
    inner, d = _line(atom.num, n), atom.den.constant
    if len(quotients) > 1 or outside.constant is None or inner is None or not inner[0] or not d:
        return None
    q, left = divmod(target - outside.constant, c)
    if left:
        return NONE
    a, low, high = inner[0], q * d - inner[1], q * d + d - 1 - inner[1]
    return (-(-low // a), high // a) if a > 0 else (-(high // -a), -low // -a)


def _line(e: Expr, n: Sym) -> Ends | None:
    """``(a, b)`` with ``e = a·n + b``, or None."""
    split = e.coefficient(n)
    if split is None or split[0].constant is None or split[1].constant is None:
        return None
    return split[0].constant, split[1].constant


def _within(ends: Ends | None, cond: Cond, n: Sym) -> Ends | None:
    """The part of an interval where an inequality holds; None for a condition of another kind."""
    line = _line(cond.expr, n) if isinstance(cond, Ge) else None
    if ends is None or line is None:
        return None
    a, b = line
    low, high = ends
    if a == 0:
        return ends if b >= 0 else NONE
    return (max(low, -(b // a)), high) if a > 0 else (low, min(high, b // -a))
