"""Receptive field, jump and offset of a chain of 1-D convolutions and poolings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from derive.claims.names import Names
from derive.claims.values import Op
from derive.errors import WrongInput
from derive.expr import Expr, lift

NOUNS = {"receptive_field": "field", "jump": "jump", "offset": "offset"}


def _window(what: str, names: Names, f: Op) -> tuple[Expr, Expr, Expr]:
    """(first index read at output 0, stride, number of indices spanned) of a 1-D chain in x."""
    form = f.relation if f.selects and f.relation is not None else f.form
    names.requires += form.requires
    reads = [(t, r) for t in form.terms for r in t.reads if r.tensor == "x"]
    if form.rank != 1 or len(reads) != 1 or len(reads[0][1].at) != 1:
        raise WrongInput(f"{what}: a chain of 1-D convolutions and poolings of x was expected")
    term, read = reads[0]
    split = read.at[0].coefficient(form.index[0])
    if split is None:
        raise WrongInput(
            f"{what}: the windows are not evenly spaced; there is no fixed {NOUNS[what]}"
        )
    stride, rest = split
    first, last = rest, rest
    for b, n in term.bound:
        inner = rest.coefficient(b)
        if inner is None:
            raise WrongInput(
                f"{what}: the windows are not evenly spaced; there is no fixed {NOUNS[what]}"
            )
        first = first.subst({b: lift(0)})
        last = last.subst({b: n - 1})
    return first, stride, last - first + 1


def _receptive_field(names: Names, f: Op) -> Expr:
    """How many neighbouring inputs an output of a 1-D chain depends on."""
    return _window("receptive_field", names, f)[2]


def _jump(names: Names, f: Op) -> Expr:
    """How many inputs lie between the windows of neighbouring outputs of a 1-D chain."""
    return _window("jump", names, f)[1]


def _offset(names: Names, f: Op) -> Expr:
    """The first input index that output 0 of a 1-D chain reads."""
    return _window("offset", names, f)[0]


FIELD_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "receptive_field": _receptive_field,
    "jump": _jump,
    "offset": _offset,
}
