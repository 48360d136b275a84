r"""Text with inline formulas: cut into words and LaTeX, and escaped for each format.

>>> pieces("length $n$, 5 % & more")
(('text', 'length '), ('math', 'n'), ('text', ', 5 % & more'))
>>> print(for_latex("50 % of $n_{lo}$ → ok_"))
50 \% of $n_{\mathrm{lo}}$ $\rightarrow$ ok\_
"""

from __future__ import annotations

import re
import unicodedata
from html import escape

from latex2mathml.converter import convert

WORDS = ("lo", "hi", "in", "out", "max", "min")  # words in subscripts are set upright
TEX_SPECIAL = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': "''",
    "“": "``", "”": "''", "‘": "`", "’": "'", "–": "--", "—": "---", "…": r"\dots{}",
    "\u00a0": "~",
}  # fmt: skip
GREEK = {
    letter: "\\" + unicodedata.name(letter).rsplit(" ", 1)[1].lower()
    for letter in "αβγδεζηθικλμνξπρστυφχψω"
}  # LaTeX calls the letters by the names that Unicode gives them
GREEK |= {"λ": r"\lambda", "ε": r"\varepsilon", "φ": r"\varphi"}
TEX_SYMBOLS = {
    "·": r"\cdot", "×": r"\times", "−": "-", "≥": r"\ge", "≤": r"\le", "≠": r"\ne", "→": r"\rightarrow",
    "↦": r"\mapsto", "⇒": r"\Rightarrow", "⇔": r"\Leftrightarrow", "∇": r"\nabla", "Σ": r"\sum",
    **GREEK,
    "∘": r"\circ", "⊗": r"\otimes", "⊙": r"\odot", "⟨": r"\langle", "⟩": r"\rangle", "⌊": r"\lfloor",
    "⌋": r"\rfloor", "⌈": r"\lceil", "⌉": r"\rceil", "∈": r"\in", "∀": r"\forall", "∗": r"\ast",
    "ᵀ": r"{}^{\mathsf{T}}", "²": "{}^{2}", "ᴺ": "{}^{N}", "½": r"\tfrac12", "′": "{}'", "ₓ": "{}_{x}",
    "≡": r"\equiv", "∑": r"\sum", "∧": r"\wedge", "∨": r"\vee", "⟺": r"\Leftrightarrow", "∣": r"\mid",
}  # fmt: skip


def pieces(text: str) -> tuple[tuple[str, str], ...]:
    """Text, formulas between dollars and code between backticks, in turn."""
    found: list[tuple[str, str]] = []
    for part in re.split(r"((?<!\\)\$[^$]*\$|`[^`]+`)", text):
        if len(part) > 1 and part[0] == part[-1] == "$":
            found.append(("math", part[1:-1]))
        elif len(part) > 2 and part[0] == part[-1] == "`":
            found.append(("code", part[1:-1]))
        elif part:
            found.append(("text", part))
    return tuple(found)


def upright(latex: str) -> str:
    r"""Subscripts that are words are set upright: ``p_{lo}`` as ``p_{\mathrm{lo}}``."""
    words = "|".join(WORDS)
    latex = re.sub(rf"_\{{({words})\}}", r"_{\\mathrm{\1}}", latex)
    return re.sub(rf"_\{{({words}),\s*(\d)\}}", r"_{\\mathrm{\1},\2}", latex)


def escape_latex(text: str) -> str:
    """Plain text for LaTeX: every character that means something is written out."""
    out = []
    for c in text:
        if c in TEX_SPECIAL:
            out.append(TEX_SPECIAL[c])
        elif c in TEX_SYMBOLS:
            out.append(f"${TEX_SYMBOLS[c]}$")
        elif ord(c) < 0x250:
            out.append(c)
        else:
            out.append(f"[U+{ord(c):04X}]")
    return "".join(out)


def math_for_latex(latex: str) -> str:
    """A formula for LaTeX: Unicode symbols become commands."""
    return "".join(f"{{{TEX_SYMBOLS[c]}}}" if c in TEX_SYMBOLS else c for c in upright(latex))


def for_latex(text: str) -> str:
    """Text with inline formulas as LaTeX."""
    return "".join(
        f"${math_for_latex(p)}$"
        if kind == "math"
        else rf"\texttt{{{escape_latex(p)}}}"
        if kind == "code"
        else escape_latex(p)
        for kind, p in pieces(text)
    )


def for_html(text: str) -> str:
    """Text with inline formulas as HTML with MathML."""
    out = []
    for kind, p in pieces(text):
        plain = escape(p)
        out.append(
            _inline(p) if kind == "math" else f"<code>{plain}</code>" if kind == "code" else plain
        )
    return "".join(out)


def _inline(latex: str) -> str:
    """A formula in a line of text; browsers do not break formulas, so a long one may scroll."""
    found = mathml(latex)
    return (
        f'<span class="long">{found}</span>'
        if len(re.sub(r"\\[a-zA-Z]+|[{}\s]", "", latex)) > 26
        else found
    )


def mathml(latex: str, display: bool = False) -> str:
    """A formula as MathML."""
    latex = upright(re.sub(r"\\big[lr](?![a-z])", "", re.sub(r"\\big[lr](?=\\)", "", latex)))
    latex = re.sub(r"\\operatorname\{([^{}]*)\}", lambda m: _words(m.group(1)), latex)
    latex = latex.replace(r"\mathsf{T}", r"\text{T}").replace(r"\phantom{=}", r"\quad")
    latex = latex.replace(r"\dots", r"\ldots").replace(r"\ast", "*")
    found = convert(latex, display="block" if display else "inline")
    found = re.sub(r' xmlns="[^"]*"', "", found)
    return found.replace("<mi>&</mi>", "")


def _words(name: str) -> str:
    plain = name.replace(r"\,", " ")
    return rf"\text{{{plain}}}"


def for_markdown(text: str) -> str:
    """Text with inline formulas as Markdown that GitHub renders."""
    out = []
    for kind, p in pieces(text):
        if kind == "math":
            out.append(f"$`{markdown_math(p)}`$")
        elif kind == "code":
            out.append(f"`{p}`")
        else:
            out.append(re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", p))
    return "".join(out)


def markdown_math(latex: str) -> str:
    """A formula for GitHub's renderer."""
    return re.sub(r"\s*\n\s*", " ", upright(latex)).replace(r"\nmid", r"\not\mid")
