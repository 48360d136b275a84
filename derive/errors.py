"""The three kinds of error, each in one grammar: the request, the fact; the next action."""

from __future__ import annotations

import reprlib


class DeriveError(Exception):
    """The base of every error that a user can cause; its text is complete without a traceback."""


class WrongInput(DeriveError):
    """What was asked cannot be read: an unknown name, an illegal value, a malformed claim."""


class WrongType(WrongInput, TypeError):
    """The wrong input of a Python call: a value of a type that has no meaning there."""


class NotSupported(DeriveError):
    """What was asked is meaningful but this version cannot do it."""


class CannotBe(DeriveError):
    """What was asked contradicts itself: shapes that never fit, a gradient of a constant."""


def shown(value: object) -> str:
    """A value as Python writes it, a long one cut short.

    >>> shown(list(range(100)))
    '[0, 1, 2, 3, 4, 5, ...]'
    """
    try:
        return reprlib.repr(value)
    except ValueError:  # Python does not write an int of thousands of digits
        return f"{type(value).__name__} with a number of thousands of digits"


def clipped(text: str, most: int = 40) -> str:
    """A text as it is written, a long one cut short.

    >>> clipped("9" * 5000, 6)
    '999999… (5000 characters)'
    """
    return text if len(text) <= most else f"{text[:most]}… ({len(text)} characters)"


def expect(value: object, kinds: type | tuple[type, ...], name: str, fact: str) -> None:
    """Nothing where the value is of one of these types, and else :class:`WrongType`.

    >>> expect(3, str, "claim", "a text was expected; give one, as 'flip(flip(x)) == x'")
    Traceback (most recent call last):
    derive.errors.WrongType: claim = 3: a text was expected; give one, as 'flip(flip(x)) == x'
    """
    if not isinstance(value, kinds):
        raise WrongType(f"{name} = {shown(value)}: {fact}")


def check_seconds(seconds: object) -> None:
    """Nothing where the value is a time limit, and else :class:`WrongType` or :class:`WrongInput`.

    >>> check_seconds(0)
    Traceback (most recent call last):
    derive.errors.WrongInput: seconds = 0: no time is left; give a time limit above 0, as 20
    """
    expect(seconds, (int, float), "seconds", "a number was expected; give the time limit, as 20")
    if isinstance(seconds, (int, float)) and not seconds > 0:
        raise WrongInput(f"seconds = {seconds}: no time is left; give a time limit above 0, as 20")
