"""What is known of a program while its calls are read one after another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from derive.dialects.calls import Call
from derive.dialects.field import Field
from derive.dialects.request import Shape
from derive.expr import Cond


@dataclass(frozen=True)
class Value:
    """A tensor in a program: its shape with the letters of its axes, and what it sees of the input.

    ``fields`` has one entry for each spatial letter.
    """

    shape: Shape
    layout: str
    fields: tuple[tuple[str, Field | None], ...]


@dataclass(frozen=True)
class Row:
    """A line of the table: a call, and the value behind it."""

    call: str
    value: Value
    inputs: tuple[Shape, ...]


@dataclass
class Run:
    """What is known while a program is read."""

    given: Sequence[Any] | None
    weights: Mapping[str, Sequence[Any]]
    dialect: str | None
    rows: list[Row] = field(default_factory=list)
    requires: list[Cond] = field(default_factory=list)
    values: dict[str, Value] = field(default_factory=dict)
    inputs: dict[str, Value] = field(default_factory=dict)  # the tensors that nothing assigns
    layers: dict[str, Call] = field(default_factory=dict)
    sequences: set[str] = field(default_factory=set)
    current: Value | None = None
    start: Value | None = None
    letters: Shape = ()
    entries: Shape | None = None  # what is said of the input's shape, before a layer is asked
    layout: str = ""  # the input's axes, where a later layer told them
    used: set[str] = field(default_factory=set)  # the names of weights that a call took
    made: int = 0  # how many Input layers there are
    settled: bool = False  # has a layer with axes of its own met the input's?
    guessed: str = ""  # the first call, where that one leaves the axes open
