"""Receptive fields of chains: exact, also where layers stretch their input or paths meet.

The outputs of a chain see the input in a pattern that repeats: output ``i + period`` reads what
output ``i`` reads, ``shift`` samples later.  So it is enough to keep the first and the last input
that each of ``period`` neighbouring outputs reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm

from derive.dialects.geometry import Reach

LONGEST = 4096
Ends = tuple[tuple[int, int] | None, ...]


@dataclass(frozen=True)
class Field:
    """What each output reads: output ``q·period + j`` reads from ``ends[j]``, moved by ``q·shift``.

    ``offset`` is where the middle of output 0 lies in the input, None where several paths disagree.
    """

    period: int = 1
    shift: int = 1
    ends: Ends = ((0, 0),)
    offset: Fraction | None = Fraction(0)

    @property
    def jump(self) -> Fraction:
        """How far apart the fields of neighbouring outputs are, in input samples."""
        return Fraction(self.shift, self.period)

    @property
    def size(self) -> int:
        """The receptive field: the most input samples that an output spans, borders left out."""
        return max((last - first + 1 for first, last in filter(None, self.ends)), default=0)

    def at(self, i: int) -> tuple[int, int] | None:
        """The first and the last input that output ``i`` reads, or None if it reads none.

        >>> through(Field(), (3, 2, 1, 1, 1)).at(5)
        (9, 11)
        """
        q, j = divmod(i, self.period)
        ends = self.ends[j]
        return None if ends is None else (ends[0] + q * self.shift, ends[1] + q * self.shift)


def through(field: Field, taps: tuple[int, int, int, int, int]) -> Field | None:
    """The field behind one more layer ``(k, s, d, e, p)``; None where its pattern is too long.

    >>> up = through(Field(), (4, 1, 1, 2, 2))  # a transposed convolution of stride 2
    >>> up.jump, up.size, up.ends
    (Fraction(1, 2), 2, ((-1, 0), (0, 1)))
    """
    k, s, d, e, p = taps
    period = e * field.period // gcd(s, e * field.period)
    if period * k > LONGEST * 16:
        return None
    shift = field.shift * (s * period // e) // field.period
    middle = field.offset
    if middle is not None:
        middle = middle + field.jump * (Fraction(d * (k - 1), 2) - p) / e
    ends = tuple(_ends(field, i, taps) for i in range(period))
    return Field(period, shift, ends, middle)


def _ends(field: Field, i: int, taps: tuple[int, int, int, int, int]) -> tuple[int, int] | None:
    k, s, d, e, p = taps
    found = []
    for t in range(k):
        j, rest = divmod(s * i + d * t - p, e)
        if not rest:
            found.append(field.at(j))
    seen = [f for f in found if f is not None]
    return (min(a for a, _ in seen), max(b for _, b in seen)) if seen else None


def joined(a: Field, b: Field) -> Field | None:
    """The field where two paths meet (a concatenation, a sum); None where their jumps differ.

    >>> joined(Field(), through(Field(), (3, 1, 1, 1, 1))).size
    3
    """
    if a.jump != b.jump:
        return None
    period = lcm(a.period, b.period)
    if period > LONGEST:
        return None
    ends: list[tuple[int, int] | None] = []
    for i in range(period):
        seen = [f for f in (a.at(i), b.at(i)) if f is not None]
        ends.append((min(x for x, _ in seen), max(y for _, y in seen)) if seen else None)
    return Field(
        period, int(a.jump * period), tuple(ends), a.offset if a.offset == b.offset else None
    )


def behind(field: Field | None, found: Sequence[Reach] | None) -> Field | None:
    """The field behind a call's steps; None where one of them has no such rule, or no numbers."""
    if field is None or found is None:
        return None
    for reach in found:
        numbers = tuple(v.constant for v in reach.taps)
        if any(v is None for v in numbers):
            return None
        field = through(field, numbers)  # type: ignore[arg-type]
        if field is None:
            return None
    return field
