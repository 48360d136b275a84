"""What a theorem is: one object, read top to bottom.

    symbols with their hypotheses → left side → right side → sentence → sources → near-miss twin

A theorem has one or more *parts*; each part is a statement that the machine decides for all sizes.
Symbols carry their own hypotheses (``size("n")`` is at least 1); further ones are listed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from derive.decide.solver import Law
from derive.expr import Cond, Integer
from derive.form import Form


@dataclass(frozen=True)
class Equal:
    """Two operators are the same for all sizes: the same shape and the same coefficients."""

    left: Form
    right: Form


@dataclass(frozen=True)
class EqualIff:
    """Two operators are the same exactly where ``condition`` holds.

    ``witnesses`` are index tuples, ``{"i0": …, "g.0": …}`` in the sizes (canonical variables:
    ``i0, i1, …`` are output indices, ``x.0`` the first index at which x is read), of which one
    shows a difference wherever the condition fails; a difference of shapes counts as well.
    ``fixed`` are values of parameters at which the exact condition is computed independently as a
    Presburger set and compared with ``condition``.
    """

    left: Form
    right: Form
    condition: Cond
    witnesses: tuple[Mapping[str, Integer], ...] = ()
    fixed: tuple[Mapping[str, int], ...] = ()


@dataclass(frozen=True)
class Holds:
    """A statement about integers (sizes, indices) is true."""

    cond: Cond


Statement: TypeAlias = Equal | EqualIff | Holds


@dataclass(frozen=True)
class Step:
    """An intermediate form of a proof, and the reason that leads to it from the one before."""

    reason: str
    form: Form


@dataclass(frozen=True)
class Part:
    """One statement of a theorem.

    ``sentence`` is plain English with inline LaTeX between dollar signs.  ``via`` are forms to pass
    through on the way from left to right (every adjacent pair is decided).  ``instance`` are the
    sizes at which the matrices are shown; ``wrt`` the tensor whose matrix is shown (an operator's
    matrix with respect to one operand, the others being symbols).  ``method`` names the kind of
    evidence: ``"solver"``, or ``"exact algebra"`` for statements about polynomials and roots of
    unity that are reduced to the integers.
    """

    sentence: str
    statement: Statement
    hypotheses: tuple[Cond, ...] = ()
    laws: tuple[Law, ...] = ()
    via: tuple[Step, ...] = ()
    instance: Mapping[str, int] = field(default_factory=dict)
    wrt: str | None = None
    method: str = "solver"


@dataclass(frozen=True)
class Source:
    """Where a statement comes from: a title and, where there is one, an address."""

    title: str
    url: str = ""


@dataclass(frozen=True)
class Twin:
    """A statement that looks like the theorem and is false: the prover must refute it."""

    sentence: str
    statement: Equal | Holds
    hypotheses: tuple[Cond, ...] = ()
    laws: tuple[Law, ...] = ()


@dataclass(frozen=True)
class Theorem:
    """A theorem of the catalogue.  ``bounded`` says what, if anything, is only checked up to a bound."""

    id: str
    family: str
    title: str
    sentence: str
    parts: tuple[Part, ...]
    twin: Twin
    sources: tuple[Source, ...]
    negative: bool = False
    bounded: str = ""


Make: TypeAlias = Callable[[], Theorem]
CATALOGUE: dict[str, Make] = {}


def theorem(make: Make) -> Make:
    """Register a function that makes a theorem; its name, with hyphens, is the theorem's id."""
    CATALOGUE[make.__name__.replace("_", "-")] = make
    return make
