"""The claim court as one function: ``derive.check``."""

from __future__ import annotations

from derive.claims.judge import SECONDS, Judgment, judge
from derive.errors import check_seconds, expect


def check(text: str, seconds: float = SECONDS) -> Judgment:
    """Judge a claim: proved for all sizes, refuted, or true exactly when a condition holds.

    The language is that of ``derive check`` (see ``derive check --help`` and ``--operators``).

    Args:
        text: the claim.
        seconds: the time limit.  It is kept between steps of the search; ``derive check``
            also stops a step that does not end.

    Returns:
        the judgment: its ``verdict`` is a ``Proved``, ``Refuted``, ``HoldsWhen`` (with the
        ``condition``) or ``Undecided``, its text is what ``derive check`` prints.

    Raises:
        WrongType: for a claim that is no text, or a time limit that is no number.
        WrongInput: for a claim that cannot be read, with the place, and for a limit not above 0.
        CannotBe: for one whose parts can never fit together.

    >>> import derive
    >>> print(derive.check("conv_transpose(x, w, stride=2) == correlate(x, flip(w))"))
    holds exactly when n == 1
      claim: conv_transpose(x, w, stride=2) == correlate(x, flip(w))
      defined for: n >= k
      otherwise, for example: at k = 1, n = 2: the shapes are (3,) and (2,)
    >>> derive.check("length(correlate(x, w, stride=s)) == (n - k)//s + 1").verdict
    Proved(method='solver')
    >>> found = derive.check("covered(conv_transpose(x, w, stride=s))")
    >>> print(found.verdict.condition)
    n == 1 or k >= s
    """
    expect(text, str, "claim", "a text was expected; give one, as 'flip(flip(x)) == x'")
    check_seconds(seconds)
    return judge(text, seconds)
