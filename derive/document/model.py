"""The document model: what a document says, without saying how it looks.

Text is plain English with inline LaTeX between dollar signs; everything outside the dollars is
escaped by the writers.  ``Math`` is one displayed formula of one or more lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from derive.document.picture import Picture
from derive.errors import WrongInput


@dataclass(frozen=True)
class Paragraph:
    """A paragraph of text; ``lead`` is a run-in heading."""

    text: str
    lead: str = ""


@dataclass(frozen=True)
class Math:
    """A displayed formula, one LaTeX string a line; later lines are set to the right."""

    lines: tuple[str, ...]


@dataclass(frozen=True)
class Listing:
    """A list of texts."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A table of texts; ``align`` has one of ``l``, ``c``, ``r``, ``p`` (wrapped) for a column."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    align: str = ""
    caption: str = ""

    def __post_init__(self) -> None:
        if any(len(r) != len(self.head) for r in self.rows):
            raise WrongInput(f"a table with {len(self.head)} columns has a row of another length")


@dataclass(frozen=True)
class Figure:
    """A picture with its caption."""

    picture: Picture
    caption: str


@dataclass(frozen=True)
class Box:
    """A verdict.  ``kind`` is ``proved``, ``holds``, ``refuted``, ``undecided`` or ``bounded``."""

    kind: str
    title: str
    text: str = ""


@dataclass(frozen=True)
class ChainStep:
    """A form of a chain, the reason that leads to it, and what the decision procedure said of the
    step (``""`` for the first form).
    """

    reason: str
    lines: tuple[str, ...]
    verdict: str = ""


@dataclass(frozen=True)
class Chain:
    """Forms that are equal one after the other."""

    steps: tuple[ChainStep, ...]


@dataclass(frozen=True)
class Links:
    """Sources: a title and, where there is one, an address."""

    items: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class LedgerRow:
    """A claim and what was found: ``kind`` is that of a :class:`Box`, ``address`` leads to the
    judgment (or is empty).
    """

    name: str
    address: str
    text: str
    kind: str
    verdict: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ledger:
    """Claims with their verdicts, one a row."""

    rows: tuple[LedgerRow, ...]


Block: TypeAlias = Paragraph | Math | Listing | Table | Figure | Box | Chain | Links | Ledger


@dataclass(frozen=True)
class Section:
    """A titled run of blocks, with subsections; ``anchor`` is its name for links within pages."""

    title: str
    blocks: tuple[Block, ...] = ()
    sections: tuple[Section, ...] = ()
    anchor: str = ""


@dataclass(frozen=True)
class Document:
    """A document of its own: a theorem, or a chapter around the theorems."""

    id: str
    title: str
    family: str
    summary: Box | None
    blocks: tuple[Block, ...]
    sections: tuple[Section, ...] = ()


@dataclass(frozen=True)
class Book:
    """Chapters in front, the theorems by family, chapters behind."""

    title: str
    subtitle: str
    front: tuple[Document, ...]
    families: tuple[tuple[str, tuple[Document, ...]], ...]
    back: tuple[Document, ...] = ()

    @property
    def documents(self) -> tuple[Document, ...]:
        """Every document in order."""
        middle = tuple(d for _, docs in self.families for d in docs)
        return (*self.front, *middle, *self.back)


@dataclass(frozen=True)
class CheckRow:
    """One numeric cross-check: the sizes, and for each judge whether it agreed exactly."""

    configuration: str
    by: tuple[tuple[str, bool], ...]
