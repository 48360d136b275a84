"""The catalogue: one theorem one function, one family one or a few modules."""

from __future__ import annotations

import importlib
import pkgutil

from derive.theorems.catalogue import FAMILIES, IDS
from derive.theorems.model import CATALOGUE, Make, Theorem

__all__ = ["CATALOGUE", "FAMILIES", "IDS", "Make", "Theorem", "load"]

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
    place = {
        name: (family, index)
        for family, ids in enumerate(IDS.values())
        for index, name in enumerate(ids)
    }
    listed = len(place)
    for name in sorted(CATALOGUE.keys() - place.keys()):
        place[name] = (FAMILIES.index(CATALOGUE[name]().family), listed)
    return {name: CATALOGUE[name] for name in sorted(CATALOGUE, key=lambda n: (place[n], n))}
