"""Types of options that several commands share."""

from __future__ import annotations

import math
from typing import Any

import click


class Seconds(click.FloatRange):
    """A time limit between bounds; ``nan``, which no comparison refuses, is none.

    >>> Seconds(min=0.1, max=3600).convert("20", None, None)
    20.0
    """

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The number that was written."""
        found = float(super().convert(value, param, ctx))
        if math.isnan(found):
            self.fail(f"{value!r} is no number; give the time limit, as 20", param, ctx)
        return found
