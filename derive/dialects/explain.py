"""Why an output has its length, in one line; and why there is none."""

from __future__ import annotations

from collections.abc import Sequence

from derive import shapes
from derive.dialects import words
from derive.dialects.formula import condition, plain, tree
from derive.dialects.geometry import Reach, Stage, reaches
from derive.dialects.named import Named
from derive.dialects.request import Asked
from derive.expr import FALSE, Cond, Expr, Sym, conjuncts, subst_cond


def reason(found: Sequence[Reach], out: Expr) -> str:
    """The reason of an output length, from the numbers; empty where a size is not a number."""
    if out.constant is None or any(v.constant is None for r in found for v in _sizes(r)):
        return ""
    return "; then ".join(_step(r) for r in found)


def _sizes(r: Reach) -> tuple[Expr, ...]:
    return (r.n, r.m, r.k, r.s, r.d, r.e, r.lo, r.hi, r.r)


def _step(r: Reach) -> str:
    match r.kind:
        case "window":
            return _window(r)
        case "scatter":
            return _scatter(r)
        case "pad":
            return f"{_padded(str(r.n), r.lo, r.hi)} positions"
    return f"each of {r.n} samples becomes {r.e}: {r.m}"


def _padded(text: str, lo: Expr, hi: Expr) -> str:
    n, a, b = int(text), int(lo), int(hi)
    if a == b == 0:
        return text
    amounts = f"2·{a}" if a == b and a > 0 else f"{_signed(a)} {'−' if b < 0 else '+'} {abs(b)}"
    sign = "" if amounts.startswith("−") else " +"
    return f"{n}{sign} {amounts} = {n + a + b}"


def _signed(a: int) -> str:
    return f"− {-a}" if a < 0 else str(a)


def _window(r: Reach) -> str:
    stretched = int(r.e * (r.n - 1) + 1)
    total = stretched + int(r.lo) + int(r.hi)
    start = f"{r.n} samples {r.e} apart fill {stretched}: " if r.e != 1 else ""
    kind = "padded positions" if r.lo != 0 or r.hi != 0 else "positions"
    span = int(shapes.effective_length(r.k, r.d))
    kernel = f"the dilated kernel spans {r.d}·({r.k} − 1) + 1 = {span}"
    if r.d == 1:
        kernel = f"the kernel spans {span}"
    step = "a window at every position" if r.s == 1 else f"a window every {r.s}"
    line = f"{start}{_padded(str(stretched), r.lo, r.hi)} {kind}, {kernel}, {step}"
    if not r.ceil:
        count = f"{total} − {span} + 1" if r.s == 1 else f"⌊({total} − {span})/{r.s}⌋ + 1"
        return f"{line}: {count} = {r.m}"
    up = -(-(total - span) // int(r.s)) + 1
    dropped = up - int(r.m)
    line = f"{line}, rounded up: ⌈({total} − {span})/{r.s}⌉ + 1 = {up}"
    if dropped:
        line += f", less {dropped} that would start behind the input: {r.m}"
    return line


def _scatter(r: Reach) -> str:
    span = int(shapes.effective_length(r.k, r.d))
    spread = int(r.e * (r.n - 1)) + span
    line = f"{r.n} inputs, each {r.e} after the last, write {span} positions each: "
    line += f"({r.n} − 1)·{r.e} + {span} = {spread}"
    changes = []
    if r.lo != 0 or r.hi != 0:
        changes.append(f"padding takes {r.lo} + {r.hi} away")
    if r.r != 0:
        changes.append(f"output padding adds {r.r}")
    return f"{line}; {', '.join(changes)}: {r.m}" if changes else line


def unread(found: Sequence[Reach]) -> tuple[str, int | None]:
    """What no window reaches at the end, and the output padding with which the transposed call
    returns to this input.

    Empty where the call is not one window with numbers.
    """
    if len(found) != 1 or found[0].kind != "window" or found[0].ceil:
        return "", None
    r = found[0]
    numbers = (r.n, r.k, r.s, r.d, r.e, r.lo, r.hi)
    if any(v.constant is None for v in numbers):
        return "", None
    rest = int(shapes.conv_remainder(*numbers))
    if r.e != 1:
        return "", None
    n, hi = int(r.n), int(r.hi)
    if not rest:
        return "the windows end with the padded input", 0
    lost = max(0, rest - max(hi, 0)) if hi >= 0 else rest
    parts = []
    if lost:
        last = n - 1 + min(hi, 0)
        first = last - lost + 1
        places = f"position {first}" if lost == 1 else f"positions {first} to {last}"
        parts.append(f"input {places} (counted from 0)")
    if rest - lost:
        count = rest - lost
        places = "position" if count == 1 else f"{count} positions"
        parts.append(f"the last {places} of the padding behind")
    return f"no window reaches {' and '.join(parts)}", rest


# -- refusals --------------------------------------------------------------------------------------


def refusal(asked: Asked, named: Named, steps: Sequence[Stage]) -> str:
    """Why the call has no output for its input: the request, the fact, what the framework says, and
    what to do.
    """
    dims, spatial = asked.layer.dims, [a for a in asked.layout if a in "TDHW"]
    shown = ", ".join(map(str, asked.x))
    head = f"{asked.layer.name} of an input ({shown})"
    for position, letter in enumerate(spatial):
        for r in reaches(steps, position, dims) or ():
            short = _short(r)
            if short:
                said = _says(asked, steps, position, r)
                name = "L" if dims == 1 else letter
                return f"{head}: along {name} {short}{said}; {_remedy(r)}"
    broken = _broken(asked, named)
    why = f"it needs {' and '.join(broken)}" if broken else "it has no output"
    return f"{head}: {why}; choose sizes for which that holds"


def _short(r: Reach) -> str:
    if any(v.constant is None for v in (r.n, r.m, r.k, r.d, r.lo, r.hi)):
        return ""
    if r.kind == "scatter" and int(r.m) < 1:
        return f"the output would have the length {r.m}"
    if r.kind == "pad" and int(r.m) < 1:
        return f"{r.n} samples are cropped to {r.m}"
    span, padded = int(shapes.effective_length(r.k, r.d)), int(r.e * (r.n - 1) + 1 + r.lo + r.hi)
    if r.kind == "window" and padded < span:
        name = "dilated kernel" if r.d != 1 else "kernel"
        return f"the padded input ({padded}) is shorter than the {name} ({span})"
    return ""


def _says(asked: Asked, steps: Sequence[Stage], position: int, r: Reach) -> str:
    """What the framework says itself; JAX does not refuse the call."""
    dialect, name = asked.layer.dialect, asked.layer.name
    if r.kind == "window":
        spatial = range(asked.layer.dims)
        every = [(reaches(steps, a, asked.layer.dims) or (r,))[0] for a in spatial]
        padded = [int(w.e * (w.n - 1) + 1 + w.lo + w.hi) for w in every]
        spans = [int(shapes.effective_length(w.k, w.d)) for w in every]
        operators = [s.step.operator for s in steps]
        kind = "correlate" if "correlate" in operators else "pool"
        if dialect == "JAX" and padded[position] >= 0:
            return " (JAX itself gives an empty output)"
        short, s = spans[position] - padded[position], int(r.s)
        rounded = 1 - short // s  # the length as onnxruntime has it, which rounds towards zero
        text = words.short_window(dialect, name, kind, padded, spans, position, rounded)
        averaged = "avg_pool" if "avg_pool" in operators else kind
        zero = abs(s - short) < s  # where TensorFlow has (n - k + s)/s, rounded towards zero
        after = words.no_window(dialect, name, averaged) if text and zero else ""
    else:
        text = words.short_scatter(dialect) if r.kind == "scatter" else ""
        after = words.no_scatter(dialect, int(r.m)) if text else ""
    return f" ({dialect} says: {text}){after}" if text else ""


def _remedy(r: Reach) -> str:
    if r.kind == "window":
        least = shapes.effective_length(r.k, r.d) - r.lo - r.hi
        return f"give at least {least}, more padding, or a smaller kernel"
    return "give a longer input or less padding"


def _broken(asked: Asked, named: Named) -> list[str]:
    """The requirements in the call's names that do not hold at its numbers."""
    values: dict[Sym, Expr] = dict(named.values)
    for letter, n in zip(named.x, asked.x, strict=True):
        if letter.symbol is not None:
            values[letter.symbol] = n
    return [condition(c) for c in named.requires if _fails(c, values)]


def _fails(c: Cond, values: dict[Sym, Expr]) -> bool:
    return any(p == FALSE for p in conjuncts(subst_cond(c, values)))


def numbers_in(e: Expr, sizes: dict[str, int]) -> str:
    """A formula with its numbers in place of the names."""
    return plain(tree(e), sizes)
