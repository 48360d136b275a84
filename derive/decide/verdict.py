"""The four verdicts, and the counterexample that a refutation carries."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

from derive.expr import Cond


@dataclass(frozen=True)
class Counterexample:
    """The smallest sizes at which a statement fails, and the first place where it does.

    ``kind`` is ``"shape"`` (the output shapes differ), ``"value"`` (a coefficient differs: at
    ``output`` and ``reads``, ``left`` against ``right``), ``"undefined"`` (``requirement`` of an
    operator fails), ``"existence"`` (no kernel solves the equations), ``"sizes"`` (a statement
    about sizes alone is false) or ``"input"`` (on the arrays ``inputs`` the values at ``output`` are
    ``left`` and ``right``).
    """

    kind: str
    sizes: tuple[tuple[str, int], ...]
    functions: tuple[tuple[str, tuple[tuple[tuple[int, ...], int], ...]], ...] = ()
    left_shape: tuple[int, ...] | None = None
    right_shape: tuple[int, ...] | None = None
    output: tuple[int, ...] | None = None
    reads: tuple[tuple[str, tuple[int, ...]], ...] = ()
    left: Fraction | None = None
    right: Fraction | None = None
    requirement: Cond | None = None
    inputs: tuple[tuple[str, tuple[Any, ...]], ...] = ()
    numeric: bool = False  # are both sides arrays of numbers, which read no tensor?

    def __str__(self) -> str:
        where = ", ".join(f"{k} = {v}" for k, v in self.sizes) or "no sizes"
        for name, values in self.functions:
            where += "".join(f", {name}({', '.join(map(str, a))}) = {v}" for a, v in values)
        match self.kind:
            case "shape":
                return f"at {where}: the shapes are {self.left_shape} and {self.right_shape}"
            case "value":
                read = "·".join(f"{t}[{', '.join(map(str, at))}]" for t, at in self.reads)
                at = ", ".join(map(str, self.output or ()))
                of = f"the coefficient of {read}" if read else "the constant"
                of = f"entry [{at}]" if self.numeric else f"in output [{at}] {of}"
                return f"at {where}: {of} is {self.left} on the left and {self.right} on the right"
            case "input":
                given = ", ".join(f"{name} = {rows_text(rows)}" for name, rows in self.inputs)
                at = ", ".join(map(str, self.output or ()))
                return (
                    f"at {where}: for {given} output [{at}] is {self.left} on the left and "
                    f"{self.right} on the right"
                )
            case "undefined":
                return f"at {where}: an operator is not defined, it needs {self.requirement}"
            case "existence":
                return f"at {where}: the linear equations for the kernel have no solution"
        return f"at {where}: the statement is false"


def rows_text(rows: Any) -> str:
    """An array as a claim writes it.

    >>> rows_text(((1, 2), (3, 4)))
    '[[1, 2], [3, 4]]'
    """
    if isinstance(rows, tuple):
        return f"[{', '.join(map(rows_text, rows))}]"
    return str(rows)


@dataclass(frozen=True)
class Proved:
    """True for all sizes that the hypotheses allow."""

    method: str = "solver"


@dataclass(frozen=True)
class Refuted:
    """False; ``counterexample`` is the smallest one and was recomputed from the definition."""

    counterexample: Counterexample


@dataclass(frozen=True)
class HoldsWhen:
    """True exactly when ``condition`` holds; both directions are proved."""

    condition: Cond
    method: str = "solver"


@dataclass(frozen=True)
class Undecided:
    """Neither proved nor refuted: why, and what was checked."""

    reason: str
    checked: str = "nothing"


Verdict: TypeAlias = Proved | Refuted | HoldsWhen | Undecided


def name(verdict: Verdict) -> str:
    """The verdict in one word, as it is printed and counted."""
    match verdict:
        case Proved():
            return "proved"
        case Refuted():
            return "refuted"
        case HoldsWhen():
            return "holds exactly when"
        case Undecided():
            return "undecided"
