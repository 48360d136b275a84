"""The three kinds of error, each in one grammar: the request, the fact; the next action."""

from __future__ import annotations


class DeriveError(Exception):
    """The base of every error that a user can cause; its text is complete without a traceback."""


class WrongInput(DeriveError):
    """What was asked cannot be read: an unknown name, an illegal value, a malformed claim."""


class NotSupported(DeriveError):
    """What was asked is meaningful but this version cannot do it."""


class CannotBe(DeriveError):
    """What was asked contradicts itself: shapes that never fit, a gradient of a constant."""
