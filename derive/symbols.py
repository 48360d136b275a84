"""Making symbols: each has its hypothesis attached when it is made.

>>> n, k, s = sizes("n k s")
>>> print((n - k)//s + 1)
(n - k)//s + 1
"""

from __future__ import annotations

import re

from derive.errors import WrongInput, expect
from derive.expr import Expr, Sym

RESERVED = re.compile(r"[ib]\d+|.*[.~′#].*")


def symbol(name: str, minimum: int | None = None) -> Expr:
    """An integer symbol; ``minimum`` attaches the hypothesis ``name >= minimum``.

    Raises :class:`derive.errors.WrongInput` for names that indices have (``i0``, ``b0``, ``x.0``),
    and for what is no name.
    """
    expect(name, str, "name", "a text was expected; give a name, as 'n'")
    if len(name.split()) != 1 or name != name.strip():
        raise WrongInput(f"the name {name!r} is not one word; give a name, as 'n'")
    if RESERVED.fullmatch(name):
        raise WrongInput(f"the name {name!r} is reserved for an index; choose another name")
    return Expr({(Sym(name, minimum),): 1})


def size(name: str) -> Expr:
    """A length, stride, dilation or count: an integer that is at least 1."""
    return symbol(name, 1)


def sizes(names: str) -> tuple[Expr, ...]:
    """Several sizes at once, the names apart by spaces.

    Raises :class:`derive.errors.WrongInput` where there is no name.

    >>> n, k, s = sizes("n k s")
    """
    expect(names, str, "names", "a text was expected; give names apart by spaces, as 'n k s'")
    if not names.split():
        raise WrongInput(
            f"names = {names!r}: there is none; give names apart by spaces, as 'n k s'"
        )
    return tuple(size(name) for name in names.split())


def offset(name: str) -> Expr:
    """Any integer: a padding (negative crops), a shift."""
    return symbol(name, None)
