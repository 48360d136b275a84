"""A proof as a document.

Order: verdict · statement with complete hypotheses · the operators at a small size · the proof for
all sizes · why each hypothesis is needed · the near-miss twin · numeric cross-checks · sources.
What is not proved is never called a proof.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from derive.decide.solver import Law
from derive.decide.verdict import HoldsWhen, Proved, Refuted, Undecided, Verdict
from derive.document.calls import Unnamed, call_lines
from derive.document.evidence import instance_blocks
from derive.document.math import Names, condition, conditions, expression, name_latex
from derive.document.model import (
    Block,
    Box,
    Chain,
    ChainStep,
    CheckRow,
    Document,
    Links,
    Listing,
    Math,
    Paragraph,
    Section,
    Table,
)
from derive.document.sums import (
    Setting,
    facts_of,
    output_read,
    short_names,
    size_names,
    sum_lines,
    symbols_of,
)
from derive.document.verdicts import counterexample, verdict_box
from derive.expr import FALSE, Cond, Expr, Sym, cond_symbols, lift
from derive.form import Form
from derive.prove import PartProof, Proof
from derive.theorems.model import EqualIff, Holds, Part, Statement, Twin

ORDINALS = "abcdefghijklmnopqrstuvwxyz"


def theorem_document(proof: Proof, checks: Sequence[CheckRow] = ()) -> Document:
    """The document of a theorem.

    Args:
        proof: what the prover found.
        checks: numeric cross-checks; without them the section is left out.

    Returns:
        the document.
    """
    theorem = proof.theorem
    several = len(proof.parts) > 1
    sections = [_statement_section(proof, several)]
    sections += _instance_sections(proof, several)
    sections += _proof_sections(proof, several)
    sections += _hypothesis_sections(proof, several)
    sections.append(_twin_section(theorem.twin, proof.twin))
    sections += _check_sections(checks)
    links = tuple((s.title, s.url) for s in theorem.sources)
    sections.append(Section("Sources", (Links(links),)))
    lead = Paragraph(theorem.sentence)
    return Document(
        theorem.id, theorem.title, theorem.family, summary_box(proof), (lead,), tuple(sections)
    )


def summary_box(proof: Proof) -> Box:
    """The verdict on the whole theorem."""
    theorem = proof.theorem
    steps = sum(link.verdict is not None for p in proof.parts for link in p.chain)
    if proof.proved:
        exact = any(isinstance(p.verdict, HoldsWhen) for p in proof.parts)
        methods = sorted({p.part.method for p in proof.parts})
        words = {"solver": "an SMT solver, with symbolic sizes"}
        by = " and ".join(words.get(m, m) for m in methods)
        text = (
            f"{_count(len(proof.parts), 'statement')} decided for all sizes under the hypotheses "
            f"below, by {by}; "
            f"{_count(steps, 'step')} of the chains decided pair by pair; the near-miss twin is refuted."
        )
        if exact:
            text += " Where it says “exactly when”, both directions are proved."
        title = (
            "Proved: the statement denies something, and that is proved"
            if theorem.negative
            else "Proved for all sizes"
        )
        if theorem.bounded:
            return Box(
                "bounded",
                "Proved, with a bounded part",
                f"{text} Only checked up to a bound: {theorem.bounded}.",
            )
        return Box("proved", title, text)
    if any(isinstance(p.verdict, Refuted) for p in proof.parts):
        return Box(
            "refuted",
            "Refuted",
            "At least one statement below is false; its smallest counterexample is shown.",
        )
    return Box(
        "undecided", "Undecided", "This is not a proof: at least one question below has no answer."
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")


# -- statement ---------------------------------------------------------------------------------


def setting_for(
    statement: Statement, hypotheses: Sequence[Cond], laws: Sequence[Law], via: Sequence[Form] = ()
) -> Setting:
    """What is known where the formulas of a statement are printed."""
    forms = (*forms_of(statement), *via)
    spoken = (*hypotheses, statement.cond) if isinstance(statement, Holds) else tuple(hypotheses)
    taken = size_names(spoken, forms) | {"m", "r"} if forms else size_names(spoken, forms)
    taken |= {law.function for law in laws}
    shorts = short_names(forms_of(statement), size_names(spoken, forms))
    output = "i"
    for f in forms_of(statement):
        if f.call is not None and f.call.operator == "vjp":
            output = {"x": "j", "w": "t"}.get(str(dict(f.call.parameters)["wrt"]), "j")
            break
    return Setting(taken, facts_of(hypotheses), tuple(laws), output, shorts)


def forms_of(statement: Statement) -> tuple[Form, ...]:
    """The two sides, where there are two."""
    return () if isinstance(statement, Holds) else (statement.left, statement.right)


def _part_setting(part: Part) -> Setting:
    return setting_for(part.statement, part.hypotheses, part.laws, [s.form for s in part.via])


def label(number: int) -> str:
    """The letter of a part: a, b, …, z, aa, …"""
    return ORDINALS[number] if number < 26 else ORDINALS[number // 26 - 1] + ORDINALS[number % 26]


def _statement_section(proof: Proof, several: bool) -> Section:
    blocks: list[Block] = [_symbol_table([p.part for p in proof.parts])]
    for number, p in enumerate(proof.parts):
        lead = f"({label(number)})" if several else ""
        blocks.append(Paragraph(p.part.sentence, lead))
        unnamed = Unnamed(_part_setting(p.part).taken)
        blocks += _formula(p.part.statement, _part_setting(p.part), unnamed)
        blocks += _assumed(p.part)
        blocks.append(verdict_box(p.verdict, _part_setting(p.part), forms_of(p.part.statement)))
    return Section("Statement", tuple(blocks))


def _formula(statement: Statement, setting: Setting, unnamed: Unnamed) -> list[Block]:
    if isinstance(statement, Holds):
        indices = frozenset(s.name for s in cond_symbols(statement.cond) if _runs(s))
        names = replace(setting.plain, indices=indices)
        return [Math(condition_lines(statement.cond, names))]
    left = call_lines(statement.left, setting, unnamed)
    right = call_lines(statement.right, setting, unnamed)
    lines = [*list(left), f"= {right[0]}", *(rf"\phantom{{=}}\;{line}" for line in right[1:])]
    if len(left) == len(right) == 1 and _short(left[0] + right[0]):
        lines = [f"{left[0]} \\;=\\; {right[0]}"]
    blocks: list[Block] = [Math(tuple(lines))]
    blocks += _definitions(lines, setting, unnamed)
    if isinstance(statement, EqualIff):
        if statement.condition == FALSE:
            blocks.append(Paragraph("This is claimed to hold for no sizes at all."))
        else:
            blocks.append(Paragraph("This is claimed to hold exactly when"))
            blocks.append(Math(condition_lines(statement.condition, setting.plain)))
    return blocks


def _short(latex: str) -> bool:
    from derive.document.calls import width

    return width(latex) < 70


def _runs(s: Sym) -> bool:
    return s.minimum is None and len(s.name) == 1 and s.name in "ijtlu"


def condition_lines(cond: Cond, names: Names) -> tuple[str, ...]:
    """A condition over several lines where it is long."""
    from derive.expr import Any_, conjuncts

    whole = condition(cond, names)
    if _short(whole):
        return (whole,)
    if isinstance(cond, Any_):
        texts = [
            f"({condition(p, names)})" if len(conjuncts(p)) > 1 else condition(p, names)
            for p in cond.parts
        ]
        return (texts[0], *(rf"\text{{or }} {t}" for t in texts[1:]))
    texts = conditions(conjuncts(cond), names)
    return (texts[0], *(rf"\text{{and }} {t}" for t in texts[1:]))


def _definitions(lines: Sequence[str], setting: Setting, unnamed: Unnamed) -> list[Block]:
    """What the short names and the letters of unnamed forms stand for."""
    blocks: list[Block] = []
    texts = list(lines)
    for name, form in unnamed.found:
        body = sum_lines(form, setting)
        blocks.append(Math((f"{output_read(name, form, setting)} = {body[0]}", *body[1:])))
        texts += body
    parts = [
        f"${name_latex(s.symbol.name)} = {expression(s.value)}$"
        for s in setting.shorts
        if any(mentions(t, name_latex(s.symbol.name)) for t in texts)
    ]
    if parts:
        blocks.append(Paragraph(f"where {' and '.join(parts)}."))
    if unnamed.found and not parts:
        return blocks
    return blocks


def mentions(latex: str, name: str) -> bool:
    r"""Does a formula contain this symbol (and not only a word or command with its letter)?

    >>> mentions(r"\\text{mod } n", "m"), mentions(r"0 \\le i < m", "m")
    (False, True)
    """
    import re

    bare = re.sub(r"\\(text|mathrm|operatorname|mathit)\{[^{}]*\}", " ", latex)
    bare = re.sub(r"\\[a-zA-Z]+", " ", bare)
    return re.search(rf"(?<![A-Za-z]){re.escape(name)}(?![A-Za-z_])", bare) is not None


def _symbol_table(parts: Sequence[Part]) -> Block:
    """Every symbol with the hypothesis that it carries."""
    carried: dict[int | None, list[str]] = {}
    for s in sorted({s for p in parts for s in part_symbols(p)}, key=lambda s: _order(s.name)):
        carried.setdefault(s.minimum, []).append(f"${name_latex(s.name)}$")
    items = []
    for least in sorted(carried, key=lambda v: (v is None, v)):
        names = ", ".join(carried[least])
        words = "any integer" if len(carried[least]) == 1 else "any integers"
        items.append(f"{names}: {words}" if least is None else f"{names}: integers $\\ge {least}$")
    tensors: dict[str, str] = {}
    for p in parts:
        setting = _part_setting(p)
        for f in forms_of(p.statement):
            for name, shape in f.tensors:
                lengths = " \\times ".join(
                    expression(n, replace(setting.plain, shorts=())) for n in shape
                )
                text = (
                    f"of length ${lengths}$"
                    if len(shape) == 1
                    else f"of shape ${lengths}$"
                    if shape
                    else "a number"
                )
                tensors.setdefault(name, text)
    items += [f"${name_latex(t)}$: a tensor {text}" for t, text in sorted(tensors.items())]
    return (
        Listing(tuple(items)) if items else Paragraph("No symbols: the statement is about numbers.")
    )


def _order(name: str) -> tuple[int, str]:
    stems = ["n", "m", "k", "s", "d", "e", "p", "r", "c"]
    return (stems.index(name[:1]) if name[:1] in stems else len(stems), name.replace("_lo", "_a"))


def part_symbols(part: Part) -> set[Sym]:
    """The symbols of a part: sizes and the free indices of statements about integers."""
    found = {s for h in part.hypotheses for s in cond_symbols(h)}
    if isinstance(part.statement, Holds):
        found |= set(cond_symbols(part.statement.cond))
    for f in forms_of(part.statement):
        found |= symbols_of(f)
    return found


def _assumed(part: Part) -> list[Block]:
    names = _part_setting(part).plain
    items = [f"${h}$" for h in hypothesis_texts(part.hypotheses, names)]
    items += [
        f"for all ${law_parameters(law)}$: ${condition(law.cond, _law_names(law))}$"
        for law in part.laws
    ]
    if not items:
        return []
    return [Paragraph("", "Under the hypotheses"), Listing(tuple(items))]


def hypothesis_texts(hypotheses: Sequence[Cond], names: Names) -> list[str]:
    """Hypotheses without short names (they say what the sizes must be, in full)."""
    return conditions(hypotheses, replace(names, shorts=()))


def law_parameters(law: Law) -> str:
    """The arguments of an unknown function."""
    return ", ".join(name_latex(p.name) for p in law.parameters)


def _law_names(law: Law) -> Names:
    return Names(indices=frozenset(p.name for p in law.parameters))


# -- sections ----------------------------------------------------------------------------------


def _instance_sections(proof: Proof, several: bool) -> list[Section]:
    subsections = []
    for number, p in enumerate(proof.parts):
        blocks = instance_blocks(p.part)
        if blocks:
            subsections.append(Section(f"Part ({label(number)})" if several else "", blocks))
    if not subsections:
        return []
    note = Paragraph(
        "Evidence at one size only, with a symbol for every element; zeros are elements that are never read.",
        "Instance.",
    )
    if len(subsections) == 1 and not several:
        return [Section("At a small size", (note, *subsections[0].blocks))]
    return [Section("At a small size", (note,), tuple(subsections))]


def _proof_sections(proof: Proof, several: bool) -> list[Section]:
    subsections = []
    for number, p in enumerate(proof.parts):
        blocks = _proof_blocks(p)
        subsections.append(Section(f"Part ({label(number)})" if several else "", tuple(blocks)))
    title = (
        "Proof for all sizes"
        if proof.proved
        else "What was checked for all sizes (this is not a proof)"
    )
    note = Paragraph(
        "Every line is decided to be equal to the line before it for all sizes. A tensor read "
        "outside its axes is zero, and conditions that follow from the others are not repeated.",
        "How to read it.",
    )
    if len(subsections) == 1 and not several:
        return [Section(title, (note, *subsections[0].blocks))]
    return [Section(title, (note,), tuple(subsections))]


def _proof_blocks(p: PartProof) -> list[Block]:
    part, setting = p.part, _part_setting(p.part)
    if not p.chain:
        what = "a statement about integers alone, with no sums in it"
        if isinstance(p.verdict, Proved):
            return [
                Paragraph(
                    f"This is {what}: the solver shows that no integers meet the hypotheses and violate it."
                )
            ]
        return [Paragraph(f"This is {what}."), verdict_box(p.verdict, setting)]
    unnamed = Unnamed(setting.taken)
    blocks: list[Block] = []
    if isinstance(part.statement, EqualIff) and part.statement.condition != FALSE:
        blocks.append(Paragraph("Under the condition, the two sides are equal:", "If."))
    elif isinstance(part.statement, EqualIff):
        blocks.append(Paragraph("What the two sides are:"))
    steps = _steps(p, setting, unnamed)
    blocks.append(Chain(steps))
    blocks += _definitions([line for s in steps for line in s.lines], setting, unnamed)
    if isinstance(part.statement, EqualIff):
        blocks += _only_if(part.statement, p.verdict, setting)
    return blocks


def _steps(p: PartProof, setting: Setting, unnamed: Unnamed) -> tuple[ChainStep, ...]:
    """The chain; neighbours that are written alike become one step with both reasons."""
    steps: list[ChainStep] = []
    for link in p.chain:
        lines = (
            call_lines(link.form, setting, unnamed)
            if link.as_call
            else sum_lines(link.form, setting)
        )
        said = "" if link.verdict is None else _said(link.verdict)
        if (
            steps
            and steps[-1].lines == lines
            and said == "decided"
            and steps[-1].verdict in ("decided", "")
        ):
            last = steps[-1]
            steps[-1] = replace(last, reason=f"{last.reason}; {link.reason}", verdict=said)
        else:
            steps.append(ChainStep(link.reason, lines, said))
    return tuple(steps)


def _said(verdict: Verdict) -> str:
    match verdict:
        case Proved():
            return "decided"
        case Refuted():
            return "refuted"
    return "undecided"


def _only_if(statement: EqualIff, verdict: Verdict, setting: Setting) -> list[Block]:
    if not isinstance(verdict, HoldsWhen):
        return [Paragraph("The other direction is not proved.", "Only if.")]
    if not statement.witnesses:
        return [
            Paragraph(
                "Where the condition fails, the output lengths of the two sides differ.", "Only if."
            )
        ]
    items = tuple(_witness(w) for w in statement.witnesses)
    text = (
        "Where the condition fails, the output lengths differ or the coefficients differ at "
        "one of these positions:"
    )
    if statement.condition == FALSE:
        text = (
            "For all sizes, the output lengths differ or the coefficients differ at one of these "
            "positions:"
        )
    return [Paragraph(text, "Only if."), Listing(items)]


def _witness(w: Mapping[str, Expr | int]) -> str:
    outputs = [expression(lift(v)) for k, v in sorted(w.items()) if "." not in k]
    reads: dict[str, list[str]] = {}
    for k, v in sorted(w.items()):
        if "." in k:
            reads.setdefault(k.partition(".")[0], []).append(expression(lift(v)))
    text = "output position $(" + r",\, ".join(outputs) + ")$"
    read = r"\,".join(f"{name_latex(t)}[" + r",\, ".join(at) + "]" for t, at in reads.items())
    return f"{text}, coefficient of ${read}$" if read else text


def _hypothesis_sections(proof: Proof, several: bool) -> list[Section]:
    rows: list[tuple[str, ...]] = []
    for number, p in enumerate(proof.parts):
        setting = _part_setting(p.part)
        for d in p.dropped:
            names = replace(setting.plain, shorts=())
            row = (f"${condition(d.hypothesis, names)}$", _without(d.verdict, setting))
            rows.append((f"({label(number)})", *row) if several else row)
    if not rows:
        return []
    head = ("part", "hypothesis", "without it") if several else ("hypothesis", "without it")
    table = Table(head, tuple(rows), "cpp" if several else "pp")
    return [Section("Why each hypothesis is needed", (table,))]


def _without(verdict: Verdict, setting: Setting) -> str:
    match verdict:
        case Refuted(found):
            return f"false: {counterexample(found, setting)}"
        case Undecided(reason, checked):
            return f"undecided: {reason} (checked: {checked})."
        case HoldsWhen():
            return "still proved: the hypothesis is not needed here."
    return "still proved: the hypothesis is not needed here."


def _twin_section(twin: Twin, verdict: Verdict) -> Section:
    setting = setting_for(twin.statement, twin.hypotheses, twin.laws)
    unnamed = Unnamed(setting.taken)
    blocks: list[Block] = [
        Paragraph(f"{twin.sentence}:".replace("::", ":").replace(".:", ":"), "Near miss.")
    ]
    blocks += _formula(twin.statement, setting, unnamed)
    texts = hypothesis_texts(twin.hypotheses, setting.plain)
    if texts:
        blocks.append(Paragraph("under " + ", ".join(f"${t}$" for t in texts) + "."))
    if isinstance(verdict, Refuted):
        blocks.append(verdict_box(verdict, setting, forms_of(twin.statement)))
    else:
        found = verdict_box(verdict, setting)
        blocks.append(
            Box("undecided", f"The twin should be refuted, but: {found.title}", found.text)
        )
    return Section("A statement that looks like it and is false", tuple(blocks))


def _check_sections(checks: Sequence[CheckRow]) -> list[Section]:
    if not checks:
        return []
    judges = tuple(dict.fromkeys(name for row in checks for name, _ in row.by))
    rows = tuple(
        (row.configuration, *(_mark(dict(row.by).get(j)) for j in judges)) for row in checks
    )
    agreed = sum(all(ok for _, ok in row.by) for row in checks)
    note = Paragraph(
        (
            f"Integer-valued data from a fixed seed, compared exactly: {agreed} of {len(checks)} "
            "configurations agree."
        ),
        "Numeric.",
    )
    return [
        Section(
            "Numeric cross-checks",
            (note, Table(("configuration", *judges), rows, "p" + "c" * len(judges))),
        )
    ]


def _mark(ok: bool | None) -> str:
    return "–" if ok is None else "equal" if ok else "DIFFERENT"
