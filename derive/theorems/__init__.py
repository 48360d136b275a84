"""The catalogue: one theorem one function, one family one or a few modules."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from derive.theorems.catalogue import FAMILIES, IDS
from derive.theorems.model import CATALOGUE, Make, Theorem

__all__ = ["CATALOGUE", "FAMILIES", "IDS", "Make", "Theorem", "family_of", "load"]

NOT_FAMILIES = ("catalogue", "model")


def load() -> dict[str, Make]:
    """Import every family module and return the whole catalogue in the order of the book.

    The order is that of :data:`derive.theorems.catalogue.IDS`; theorems that are not listed there
    follow at the end of their family, by id.

    Returns the functions that make the theorems, by id.  Raises ValueError for a theorem of an
    unknown family.

    >>> "input-gradient-general" in load()
    True
    """
    for module in sorted(m.name for m in pkgutil.iter_modules(__path__)):
        if module not in NOT_FAMILIES:
            importlib.import_module(f"{__name__}.{module}")
    listed = {name: place for place, name in enumerate(i for ids in IDS.values() for i in ids)}

    def place(name: str) -> tuple[int, int, str]:
        return FAMILIES.index(family_of(name)), listed.get(name, len(listed)), name

    return {name: CATALOGUE[name] for name in sorted(CATALOGUE, key=place)}


@cache
def family_of(name: str) -> str:
    """The family of a theorem: that of the fixed list, or what the theorem itself says.

    >>> family_of("pad-fold")
    'composition'
    """
    for family, ids in IDS.items():
        if name in ids:
            return family
    return CATALOGUE[name]().family
