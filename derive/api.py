"""The catalogue as a Python API: ids, theorems, proofs, several at once.

>>> result = prove_theorem("toeplitz-1d")
>>> result.verdict
'proved'
"""

from __future__ import annotations

import difflib
import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from html import escape
from typing import TYPE_CHECKING

from derive import summary
from derive.errors import DeriveError, WrongInput, expect
from derive.theorems import FAMILIES, family_of, load

if TYPE_CHECKING:
    from derive.document.model import Document
    from derive.numeric.crosscheck import PartCheck
    from derive.prove import Proof
    from derive.theorems.model import Theorem

WORKERS = 2
"""The number of processes that prove at the same time, unless one asks for another."""


@dataclass(frozen=True)
class Found:
    """A proof and, where they were asked for, the numeric cross-checks and the document."""

    proof: Proof
    checks: tuple[PartCheck, ...] = ()
    document: Document | None = None


@dataclass(frozen=True)
class Result:
    """A proof as a notebook shows it.  ``proof`` holds everything that was found."""

    proof: Proof

    @property
    def id(self) -> str:
        """The id of the theorem."""
        return self.proof.theorem.id

    @property
    def verdict(self) -> str:
        """``"proved"``, ``"refuted"`` or ``"undecided"``."""
        return summary.verdict(self.proof)

    @property
    def row(self) -> summary.Row:
        """The same data as in ``derive theorems --json``."""
        return summary.row(self.proof)

    def __str__(self) -> str:
        why = summary.shortfall(self.proof)
        return f"{self.id}: {self.verdict}" + (f" ({why})" if why else "")

    def _repr_latex_(self) -> str:
        theorem = self.proof.theorem
        parts = " ".join(p.sentence for p in theorem.parts if p.sentence != theorem.sentence)
        return f"{theorem.title} ({self.verdict}). {theorem.sentence} {parts}".strip()

    def _repr_html_(self) -> str:
        data, theorem = self.row, self.proof.theorem
        assumed = "".join(f"<li><code>{escape(h)}</code></li>" for h in data["hypotheses"])
        parts = "".join(
            f"<li>{inline_math(p.part.sentence)} <em>{escape(summary.explain(p.verdict))}</em></li>"
            for p in self.proof.parts
        )
        why = f"<p>{escape(data['reason'])}</p>" if data["reason"] else ""
        return (
            f"<h4>{inline_math(theorem.title)}: {escape(data['verdict'])}</h4>{why}"
            f"<p>{inline_math(theorem.sentence)}</p><ol>{parts}</ol>"
            f"<p>Hypotheses:</p><ul>{assumed}</ul>"
        )


def inline_math(text: str) -> str:
    """Plain text with LaTeX between dollar signs as HTML with MathML.

    >>> inline_math("a < b")
    'a &lt; b'
    """
    from latex2mathml.converter import convert

    pieces = text.split("$")
    return "".join(
        convert(piece) if i % 2 else escape(piece, quote=False) for i, piece in enumerate(pieces)
    )


def theorem_ids(family: str | None = None) -> tuple[str, ...]:
    """The ids of the catalogue (or of one family) in the order of the book.

    Raises :class:`derive.errors.WrongInput` for an unknown family.

    >>> "input-gradient-general" in theorem_ids("gradient")
    True
    """
    catalogue = load()
    if family is None:
        return tuple(catalogue)
    expect(family, str, "family", f"a text was expected; choose one of {', '.join(FAMILIES)}")
    if family not in FAMILIES:
        raise WrongInput(f"family {family!r} is unknown; {_suggest(family, FAMILIES)}")
    return tuple(name for name in catalogue if family_of(name) == family)


def get_theorem(name: str) -> Theorem:
    """The theorem with this id.  Raises :class:`derive.errors.WrongInput` for an unknown id."""
    expect(name, str, "theorem", "an id was expected; 'derive theorems --ids' lists them")
    catalogue = load()
    if name not in catalogue:
        raise WrongInput(f"theorem {name!r} is unknown; {_suggest(name, tuple(catalogue))}")
    return catalogue[name]()


def _suggest(wrong: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(wrong, known, n=3, cutoff=0.5)
    if close:
        return f"did you mean {' or '.join(close)}?"
    if len(known) <= 12:
        return f"choose one of {', '.join(known)}"
    return "'derive theorems --ids' lists them"


def prove_theorem(name: str) -> Result:
    """Prove the theorem with this id.

    Returns a :class:`Result`, which a notebook shows as a formula.  Raises
    :class:`derive.errors.WrongInput` for an unknown id.
    """
    from derive.prove import prove

    return Result(prove(get_theorem(name)))


def prove_theorems(
    names: Sequence[str] | None = None,
    workers: int = WORKERS,
    done: Callable[[str], None] = lambda name: None,
    check: bool = False,
    frameworks: Sequence[str] = (),
    documents: bool = False,
) -> list[Found]:
    """Prove several theorems (all by default) in ``workers`` processes.

    Args:
        names: their ids.
        workers: the number of processes.
        done: called with each id when it is finished.
        check: whether to run the numeric cross-checks as well.
        frameworks: frameworks that take part in the cross-checks besides the naive loops.
        documents: whether to write each theorem's document as well.

    Returns:
        what was found, in the order of ``names``, whichever finished first.

    Raises:
        WrongInput: for an unknown id, before anything is proved.
    """
    if names is not None:
        fact = "a list of ids was expected; 'derive theorems --ids' lists them"
        expect(names, (tuple, list), "names", fact)
    for name in names or ():
        get_theorem(name)
    wanted = theorem_ids() if names is None else tuple(dict.fromkeys(names))
    job = partial(_prove, check=check, frameworks=tuple(frameworks), documents=documents)
    workers = min(workers, len(wanted), os.cpu_count() or 1)
    found: dict[str, Found] = {}
    if workers <= 1:
        for name in wanted:
            found[name] = job(name)
            done(name)
        return [found[name] for name in wanted]
    # "spawn" behaves alike on every system, and does not copy a process that has threads.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        try:
            futures = {pool.submit(job, name): name for name in wanted}
            for future in as_completed(futures):
                found[futures[future]] = future.result()
                done(futures[future])
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [found[name] for name in wanted]


def _prove(name: str, check: bool, frameworks: Sequence[str], documents: bool) -> Found:
    from derive.document.theorem import theorem_document
    from derive.numeric.crosscheck import cross_check
    from derive.prove import prove

    try:
        theorem = load()[name]()
        checks = cross_check(theorem, frameworks=frameworks) if check else ()
        proof = prove(theorem)
        document = theorem_document(proof, summary.check_rows(checks)) if documents else None
        return Found(proof, checks, document)
    except DeriveError as error:
        # A theorem of the catalogue that cannot be stated is a defect of the catalogue, never the
        # fault of who asked for its proof.
        raise RuntimeError(f"the theorem {name} is not well-formed: {error}") from error
