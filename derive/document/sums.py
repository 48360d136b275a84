r"""Forms as sums: ``y[i] = Σ_{0 ≤ t < k} w[t] x[s i + d t - p]``.

Two conventions keep a sum readable, and the document states both: a tensor that is read outside its
axes is zero, and a condition that follows from the others is not repeated (that it follows is asked
of the solver, under the hypotheses).  The tests read the LaTeX back and evaluate it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from derive.decide.solver import Law
from derive.document.implied import implied
from derive.document.math import Names, Short, conditions, expression, name_latex, summands
from derive.expr import (
    Cond,
    Div,
    Eq,
    Expr,
    Ge,
    Sym,
    all_of,
    between,
    cond_symbols,
    conjuncts,
    expressions,
)
from derive.form import Form, Ratio, Term

# Letters of running indices: by the tensor that they read, then from the general supply.
LETTERS: Mapping[str, tuple[str, ...]] = {
    "x": ("j", "l", "q"), "w": ("t", "u", "v"), "K": ("t", "u", "v"), "v": ("u", "v", "τ"),
    "g": ("i", "l", "q"), "y": ("i", "l", "q"), "h": ("i", "l", "q"), "c": ("t", "i"),
}  # fmt: skip
SUPPLY = ("i", "j", "t", "l", "u", "q", "a", "b", "τ", "α", "β", "μ", "λ", "ω", "θ", "ρ", "φ")


@dataclass(frozen=True)
class Setting:
    """What is known where a formula is printed.

    ``taken`` are names that running indices must not use, ``facts`` and ``laws`` the hypotheses,
    ``output`` the letter of an output index, ``shorts`` the short names.
    """

    taken: frozenset[str] = frozenset()
    facts: tuple[Cond, ...] = ()
    laws: tuple[Law, ...] = ()
    output: str = "i"
    shorts: tuple[Short, ...] = ()
    names: Names = field(default_factory=Names)

    @property
    def plain(self) -> Names:
        """The names for expressions without running indices."""
        return replace(self.names, shorts=self.shorts)


def symbols_of(form: Form) -> frozenset[Sym]:
    """The sizes (and other free symbols) that a form speaks of, its running indices left out."""
    running = {*form.index, *(b for t in form.terms for b, _ in t.bound)}
    return frozenset(s for e in _spoken(form) for s in e.symbols()) - running


def _spoken(form: Form) -> Iterator[Expr]:
    yield from form.shape
    for _, shape in form.tensors:
        yield from shape
    for c in form.requires:
        yield from expressions(c)
    for t in form.terms:
        yield t.coefficient.num
        yield t.coefficient.den
        for _, n in t.bound:
            yield n
        for c in t.where:
            yield from expressions(c)
        for r in t.reads:
            yield from r.at


# -- what need not be said ---------------------------------------------------------------------


def simplified(form: Form, setting: Setting) -> Form:
    """The same form without conditions that follow from the rest.

    The rest is: the hypotheses, the requirements of the operators, the ranges of all indices, the
    convention that a read outside is zero, and the conditions that stay.
    """
    outputs = [between(0, _e(i), n) for i, n in zip(form.index, form.shape, strict=True)]
    facts = (*setting.facts, *form.requires, *(p for c in outputs for p in conjuncts(c)))
    shapes = tuple(form.tensors)
    terms = tuple(_simplified_term(t, facts, shapes, setting.laws) for t in form.terms)
    return replace(form, terms=terms)


@lru_cache(maxsize=4096)
def _simplified_term(
    t: Term,
    facts: tuple[Cond, ...],
    shapes: tuple[tuple[str, tuple[Expr, ...]], ...],
    laws: tuple[Law, ...],
) -> Term:
    lengths = dict(shapes)
    ranges = [p for b, n in t.bound for p in conjuncts(between(0, _e(b), n))]
    read = [
        p
        for r in t.reads
        for e, n in zip(r.at, lengths[r.tensor], strict=True)
        for p in conjuncts(between(0, e, n))
    ]
    known = (*facts, *ranges, *read)
    kept = [c for w in t.where for c in conjuncts(w) if c not in known]
    for c in sorted(kept, key=lambda c: (not isinstance(c, Ge), -len(str(c)))):
        if isinstance(c, Eq):
            continue  # an equation says where the sum reads; it stays
        rest = [o for o in kept if o is not c]
        if implied((*known, *rest), c, laws):
            kept = rest
    return replace(t, where=tuple(kept))


def _e(s: Sym) -> Expr:
    return Expr({(s,): 1})


# -- naming indices ----------------------------------------------------------------------------


def index_names(form: Form, term: Term | None, setting: Setting) -> Names:
    """Letters for the output indices and for the bound indices of one term."""
    letters: dict[str, str] = {}
    used = set(setting.taken) | {t for t, _ in form.tensors}
    base = first_axis(setting.taken)
    outputs = _axes(setting.output, form.rank, used, base)
    for i, text in zip(form.index, outputs, strict=True):
        letters[i.name] = text
    if term is not None:
        for group in _groups(term):
            letter = next(c for c in _wishes(group[0], term) if c not in used)
            used.add(letter)
            for b, text in zip(group, _axes_of(letter, len(group), base), strict=True):
                letters[b.name] = text
    return replace(setting.names, letters={**setting.names.letters, **letters},
                   indices=frozenset(letters) | setting.names.indices, shorts=setting.shorts)  # fmt: skip


def first_axis(taken: frozenset[str]) -> int:
    """Are the axes of a statement numbered from 0 or from 1?  Its own symbols say so."""
    last = {name[-1] for name in taken if name[-1:].isdigit()}
    return 1 if "1" in last and "0" not in last else 0


def _axes(letter: str, rank: int, used: set[str], base: int) -> list[str]:
    choice = next(c for c in (letter, *SUPPLY) if c not in used)
    used.add(choice)
    return _axes_of(choice, rank, base)


def _axes_of(letter: str, count: int, base: int) -> list[str]:
    name = name_latex(letter)
    return [name] if count == 1 else [f"{name}_{{{a + base}}}" for a in range(count)]


def _groups(term: Term) -> list[list[Sym]]:
    """Bound indices that run over the axes of one tensor share a letter."""
    left = [b for b, _ in term.bound]
    groups: list[list[Sym]] = []
    for r in term.reads:
        axes = [[b for b in left if b in e.symbols()] for e in r.at]
        mine = list(dict.fromkeys(a[0] for a in axes if len(a) == 1))
        if mine and (len(mine) == len(r.at) or any(e.symbol in mine for e in r.at)):
            groups.append(mine)
            left = [b for b in left if b not in mine]
    return groups + [[b] for b in left]


def _wishes(b: Sym, term: Term) -> Iterator[str]:
    hits = [r for r in term.reads if any(b in e.symbols() for e in r.at)]
    alone = [r for r in hits if any(e.symbol == b for e in r.at)]
    for r in alone or sorted(
        hits, key=lambda r: min(len(e.terms) for e in r.at if b in e.symbols())
    ):
        yield from LETTERS.get(r.tensor, ())
    yield from SUPPLY
    yield from (f"b{number}" for number in range(100))


# -- printing ----------------------------------------------------------------------------------


def term_latex(form: Form, term: Term, setting: Setting) -> str:
    """One term: the sum sign with its conditions, the coefficient, the reads."""
    names = index_names(form, term, setting)
    ranges = [p for b, n in term.bound for p in conjuncts(between(0, _e(b), n))]
    below = conditions(ranges, names) + conditions(term.where, names)
    reads = r"\,".join(read_latex(r.tensor, r.at, names) for r in term.reads)
    body = _with_coefficient(term.coefficient, reads, names)
    if not below:
        return body
    if not term.bound:
        listed = r",\; ".join(below)
        return rf"\bigl[\, {listed} \,\bigr]\,{body}"
    stack = below[0] if len(below) == 1 else r"\substack{" + r" \\ ".join(below) + "}"
    return rf"\sum_{{{stack}}} {body}"


def read_latex(tensor: str, at: Sequence[Expr], names: Names) -> str:
    """A read of a tensor: ``w[t]``; a tensor without axes is written without brackets."""
    inside = ",\\, ".join(expression(e, names) for e in at)
    return f"{name_latex(tensor)}[{inside}]" if at else name_latex(tensor)


def _with_coefficient(c: Ratio, reads: str, names: Names) -> str:
    text = ratio_latex(c, names)
    if not reads:
        return text
    if c == Ratio():
        return reads
    if c.den == 1 and len(summands(c.num, names)) > 1:
        text = f"({text})"
    if c.den == 1 and c.num == -1:
        return f"-{reads}"
    return rf"{text}\,{reads}"


def ratio_latex(c: Ratio, names: Names) -> str:
    """A rational coefficient."""
    if c.den == 1:
        return expression(c.num, names)
    return rf"\frac{{{expression(c.num, names)}}}{{{expression(c.den, names)}}}"


def sum_lines(form: Form, setting: Setting) -> tuple[str, ...]:
    """The value of a form at an output index, one line for each term."""
    shown = simplified(form, setting)
    texts = [term_latex(shown, t, setting) for t in shown.terms]
    if not texts:
        return ("0",)
    return (texts[0], *(t if t.startswith("-") else f"+ {t}" for t in texts[1:]))


def output_read(name: str, form: Form, setting: Setting) -> str:
    """``y[i]``: a name read at the output index."""
    names = index_names(form, None, setting)
    return read_latex(name, [_e(i) for i in form.index], names) if form.rank else name_latex(name)


# -- short names -------------------------------------------------------------------------------


def short_names(forms: Iterable[Form], taken: frozenset[str]) -> tuple[Short, ...]:
    """Short names for the long floor quotients in the shapes of tensors: ``m``, and ``r`` for the
    remainder of the same division.
    """
    found: dict[Div, int] = {}
    every = tuple(forms)
    for shapes in ([s for f in every for _, s in f.tensors], [f.shape for f in every]):
        for e in (e for shape in shapes for e in shape):
            one = _quotient(e)
            if one is not None:
                found.setdefault(*one)
        if found:
            break
    if not found:
        return ()
    letter = next((c for c in ("m", "M", "L") if not _clash(c, taken)), None)
    rest = next((c for c in ("r", "ρ") if not _clash(c, taken)), None)
    shorts: list[Short] = []
    for number, (atom, shift) in enumerate(found.items()):
        tail = "" if len(found) == 1 else str(number + first_axis(taken))
        if letter:
            shorts.append(Short(Sym(letter + tail), atom, shift))
        if rest:
            shorts.append(Short(Sym(rest + tail), atom, 0, True))
    return tuple(shorts)


def _clash(letter: str, taken: frozenset[str]) -> bool:
    return any(t == letter or (t.startswith(letter) and t[1:].isdigit()) for t in taken)


def _quotient(e: Expr) -> tuple[Div, int] | None:
    """``(atom, c)`` where ``e`` is a long floor quotient plus the number ``c``."""
    shift = dict(e.terms).get((), 0)
    rest = e - shift
    if len(rest.terms) != 1 or rest.terms[0][1] != 1 or len(rest.terms[0][0]) != 1:
        return None
    atom = rest.terms[0][0][0]
    if isinstance(atom, Div) and len(atom.num.terms) + len(atom.den.terms) >= 4:
        return atom, shift
    return None


def facts_of(hypotheses: Sequence[Cond]) -> tuple[Cond, ...]:
    """Hypotheses as a list of conditions."""
    return tuple(conjuncts(all_of(*hypotheses)))


def size_names(conds: Iterable[Cond], forms: Iterable[Form]) -> frozenset[str]:
    """Every name that a statement uses: sizes, tensors and unknown functions."""
    symbols = {s.name for c in conds for s in cond_symbols(c)}
    for f in forms:
        symbols |= {s.name for s in symbols_of(f)} | {t for t, _ in f.tensors}
    return frozenset(symbols)
