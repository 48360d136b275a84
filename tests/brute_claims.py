"""Claims judged by brute force: both sides computed with the naive loops, size by size.

The text is walked with a reader of its own, so that nothing of the claim language's reader, of the
operators or of the prover takes part.  Equality is that of the outputs on random integer tensors,
whose entries are large enough that two different linear maps do not agree by chance; compositions of
max pools are compared by what they read, one input position at a time.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import product
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from derive.numeric import loops
from derive.table import Sizes

Array: TypeAlias = npt.NDArray[Any]
MINIMUM = {"n": 1, "n1": 1, "n2": 1, "k": 1, "l": 1, "s": 1, "p": 0, "p1": 0}
BOUNDS = {0: 0, 1: 11, 2: 10, 3: 9, 4: 8}
STANDARD = {"x": "n", "w": "k", "v": "l"}


class Undefined(Exception):
    """An operator is not defined at these sizes."""


@dataclass(frozen=True)
class Written:
    """A claim in parts: ``left == right iff condition for hypothesis``; without ``right``, ``left``
    is a statement about sizes.
    """

    left: str
    right: str | None
    hypothesis: str | None = None
    iff: str | None = None

    @property
    def text(self) -> str:
        body = self.left if self.right is None else f"{self.left} == {self.right}"
        body += f" iff {self.iff}" if self.iff else ""
        return body + (f" for {self.hypothesis}" if self.hypothesis else "")

    @cached_property
    def parameters(self) -> list[str]:
        parts = [p for p in (self.left, self.right, self.iff, self.hypothesis) if p]
        found: set[str] = set()
        declared = {t for p in parts for t in _declared(_parse(p))}
        for part in parts:
            names = {n.id for n in ast.walk(_parse(part)) if isinstance(n, ast.Name)}
            found |= names & MINIMUM.keys()
            found |= {STANDARD[t] for t in names & STANDARD.keys() if t not in declared}
        return sorted(found)

    @property
    def pools(self) -> bool:
        return "max_pool" in self.text


@dataclass(frozen=True)
class Fact:
    """What a claim is at some sizes: whether it is true, and the shapes of its two sides."""

    true: bool
    shapes: tuple[tuple[int, ...], tuple[int, ...]] | None = None


def _parse(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def _declared(tree: ast.expr) -> dict[str, ast.expr]:
    return {
        node.value.id: node.slice
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name)
    }


def sizes_up_to(parameters: list[str], bound: int) -> Iterator[dict[str, int]]:
    """All sizes with a sum up to the bound, the smallest sum first, then in order of the names."""
    for total in range(bound + 1):
        yield from _with_sum(parameters, total)


def _with_sum(parameters: list[str], total: int) -> Iterator[dict[str, int]]:
    if not parameters:
        if total == 0:
            yield {}
        return
    for v in range(MINIMUM[parameters[0]], total + 1):
        for rest in _with_sum(parameters[1:], total - v):
            yield {parameters[0]: v, **rest}


class Sides:
    """A claim that is evaluated at one choice of sizes after the other."""

    def __init__(self, claim: Written) -> None:
        self.claim = claim
        self.left = _parse(claim.left)
        self.right = None if claim.right is None else _parse(claim.right)
        self.iff = None if claim.iff is None else _parse(claim.iff)
        self.hypothesis = None if claim.hypothesis is None else _parse(claim.hypothesis)

    def meets(self, sizes: Sizes) -> bool:
        return self.hypothesis is None or bool(Reader(sizes, {}).value(self.hypothesis))

    def fact(self, sizes: Sizes) -> Fact | None:
        """The truth at these sizes; None where the hypothesis fails or an operator is undefined."""
        if not self.meets(sizes):
            return None
        try:
            true, shapes = self.equal(sizes)
        except (Undefined, ValueError):
            return None
        if self.iff is not None:
            true = true == bool(Reader(sizes, {}).value(self.iff))
        return Fact(true, shapes)

    def equal(self, sizes: Sizes) -> tuple[bool, Any]:
        if self.right is None:
            return bool(Reader(sizes, {}).value(self.left)), None
        rows = []
        for tensors in self.inputs(sizes):
            a, b = self.values(sizes, tensors)
            rows.append((a.shape, b.shape))
            if a.shape != b.shape or not bool(np.all(a == b)):
                return False, (a.shape, b.shape)
        return True, rows[0]

    def values(self, sizes: Sizes, tensors: dict[str, Array]) -> tuple[Array, Array]:
        assert self.right is not None
        reader = Reader(sizes, tensors)
        return reader.array(self.left), reader.array(self.right)

    def inputs(self, sizes: Sizes) -> Iterator[dict[str, Array]]:
        shapes = self.shapes(sizes)
        if not self.claim.pools:
            rng = np.random.default_rng(len(self.claim.left))
            yield {t: drawn(rng, shape) for t, shape in shapes.items()}
            return
        for j in np.ndindex(*shapes["x"]):
            yield {"x": unit(shapes["x"], j)}

    def shapes(self, sizes: Sizes) -> dict[str, tuple[int, ...]]:
        """The shapes of the tensors; that of g follows when a gradient is taken."""
        found: dict[str, tuple[int, ...]] = {
            t: (sizes[n],) for t, n in STANDARD.items() if n in sizes
        }
        for side in (self.left, self.right):
            for name, at in _declared(side).items() if side is not None else ():
                lengths = at.elts if isinstance(at, ast.Tuple) else [at]
                found[name] = tuple(int(Reader(sizes, {}).value(e)) for e in lengths)
        return found

    def coefficients(
        self, sizes: Sizes, output: tuple[int, ...], reads: Mapping[str, tuple[int, ...]]
    ) -> tuple[Any, Any]:
        """The coefficient of a product of entries of different tensors in one output, on either side.

        Inclusion and exclusion: the products of only some of the entries are taken off again.
        """
        shapes = self.shapes(sizes)
        found = [0, 0]
        for chosen in product((False, True), repeat=len(reads)):
            some = {t: at for (t, at), c in zip(reads.items(), chosen, strict=True) if c}
            zero = {t: np.zeros(shape, dtype=object) for t, shape in shapes.items()}
            units = {t: unit(shapes[t], at) for t, at in some.items() if t != "g"}
            reader = Reader(sizes, {**zero, **units}, some.get("g"), "g" in reads)
            assert self.right is not None
            sign = (-1) ** (len(reads) - len(some))
            found[0] += sign * reader.array(self.left)[output]
            found[1] += sign * reader.array(self.right)[output]
        return found[0], found[1]


def drawn(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return np.array(rng.integers(-(10**6), 10**6, size=shape), dtype=object).reshape(shape)


def unit(shape: tuple[int, ...], at: tuple[int, ...]) -> Array:
    values = np.zeros(shape, dtype=object)
    values[at] = 1
    return values


BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Div: lambda a, b: a * Fraction(1, b),
}
ORDER: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.LtE: operator.le,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.Gt: operator.gt,
}


class Reader:
    """The value of a piece of a claim at given sizes and tensors."""

    def __init__(
        self,
        sizes: Sizes,
        tensors: dict[str, Array],
        g: tuple[int, ...] | None = None,
        set_g: bool = False,
    ) -> None:
        self.sizes, self.tensors, self.g, self.set_g = sizes, tensors, g, set_g

    def array(self, node: ast.expr) -> Array:
        value = self.value(node)
        assert isinstance(value, np.ndarray)
        return value

    def value(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=value):
                return value
            case ast.Name(id=name) | ast.Subscript(value=ast.Name(id=name)):
                return self.tensors[name] if name in self.tensors else self.sizes[name]
            case ast.Tuple(elts=elements):
                return tuple(self.value(e) for e in elements)
            case ast.List():
                return np.array(ast.literal_eval(node), dtype=object)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self.value(operand)
            case ast.BinOp(left=left, op=op, right=right):
                a, b = self.value(left), self.value(right)
                if isinstance(a, np.ndarray) and a.shape != b.shape:
                    raise Undefined("a sum of two shapes")
                return BINARY[type(op)](a, b)
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return ORDER[type(op)](self.value(left), self.value(right))
            case ast.Call(func=ast.Name(id="vjp"), args=[f, ast.Name() | ast.Subscript() as x, _]):
                return self.gradient(f, x.id if isinstance(x, ast.Name) else x.value.id)  # type: ignore[attr-defined]
            case ast.Call(func=ast.Name(id=name)):
                given = {str(k.arg): self.value(k.value) for k in node.keywords}
                return FUNCTIONS[name](*map(self.value, node.args), **given)
        raise AssertionError(ast.unparse(node))

    def gradient(self, f: ast.expr, name: str) -> Array:
        """``Σ_i g[i]·∂f[i]/∂x[j]`` by putting unit vectors into x."""
        x = self.tensors[name]
        shape = self.array(f).shape
        if "g" not in self.tensors:
            if self.g is not None:
                self.tensors["g"] = unit(shape, self.g)
            elif self.set_g:
                self.tensors["g"] = np.zeros(shape, dtype=object)
            else:
                self.tensors["g"] = drawn(np.random.default_rng(7), shape)
        g = self.tensors["g"]
        if g.shape != shape:
            raise Undefined("g has another shape")
        found = np.zeros(x.shape, dtype=object)
        for j in np.ndindex(*x.shape):
            self.tensors[name] = unit(x.shape, j)
            found[j] = (g * self.array(f)).sum()
        self.tensors[name] = x
        return found


def _need(*conditions: bool) -> None:
    if not all(conditions):
        raise Undefined


def _pairs(padding: Any) -> Any:
    """Amounts as ``(lo, hi)``, or axis by axis."""
    return (padding, padding) if isinstance(padding, int) else padding


def _flat(value: Any) -> list[int]:
    return [int(v) for v in np.ravel(np.array(value, dtype=object))]


def _pad(x: Array, padding: Any, mode: str = "zero") -> Array:
    amounts = np.broadcast_to(np.array(_pairs(padding)), (x.ndim, 2)).tolist()
    for n, (lo, hi) in zip(x.shape, amounts, strict=True):
        _need(n + lo + hi >= 1)
        if (lo, hi) != (0, 0) and mode in ("circular", "reflect"):
            _need(max(lo, hi) <= n - (mode == "reflect"))
    if mode == "zero" or any(n == 1 for n in x.shape):  # nothing to mirror: only crops are left
        return loops.pad(x, _pairs(padding), "zero" if mode == "reflect" else mode)
    return loops.pad(x, _pairs(padding), mode)


def _crop(x: Array, amount: Any) -> Array:
    return _pad(
        x,
        tuple(-v for v in _pairs(amount))
        if not _nested(amount)
        else tuple((-a, -b) for a, b in amount),
    )


def _nested(value: Any) -> bool:
    return isinstance(value, tuple) and isinstance(value[0], tuple)


def _named(x: Array, w: Array, name: str, given: dict[str, Any]) -> Any:
    """Named paddings by TensorFlow's rule."""
    axes = []
    for a, (n, k) in enumerate(zip(x.shape, w.shape, strict=True)):
        s, d, e = (_axis(given.get(p, 1), a) for p in ("stride", "dilation", "base_dilation"))
        n, reach = e * (n - 1) + 1, d * (k - 1)
        whole = max(0, (-(-n // s) - 1) * s + reach + 1 - n)
        lo, hi = whole // 2, whole - whole // 2
        axes.append(
            {
                "valid": (0, 0),
                "same": (lo, hi),
                "same_lower": (hi, lo),
                "full": (reach, reach),
                "causal": (reach, 0),
            }[name]
        )
    return tuple(axes)


def _axis(value: Any, a: int) -> int:
    return int(value[a] if isinstance(value, tuple) else value)


def _correlation(of: Callable[..., Array]) -> Callable[..., Array]:
    def run(x: Array, w: Array, padding: Any = 0, **given: Any) -> Array:
        _need(*(v >= 1 for p in given.values() for v in _flat(p)))
        amounts = _named(x, w, padding, given) if isinstance(padding, str) else _pairs(padding)
        for n, (lo, hi) in zip(
            x.shape, np.broadcast_to(np.array(amounts), (x.ndim, 2)).tolist(), strict=True
        ):
            _need(_axis(given.get("base_dilation", 1), 0) * (n - 1) + 1 + lo + hi >= 1)
        return of(x, w, padding=amounts, **given)

    return run


def _conv_transpose(
    x: Array, w: Array, padding: Any = 0, output_padding: Any = 0, **given: Any
) -> Array:
    _need(*(v >= 1 for p in given.values() for v in _flat(p)))
    _need(*(v >= 0 for v in _flat(output_padding)))
    return loops.conv_transpose(
        x, w, padding=_pairs(padding), output_padding=output_padding, **given
    )


def _pool(of: Callable[..., Array]) -> Callable[..., Array]:
    def run(
        x: Array, k: Any, padding: Any = 0, divisor_override: Any = None, **given: Any
    ) -> Array:
        _need(*(v >= 0 for v in _flat(padding)), *(v >= 1 for v in _flat(k)))
        extra = {} if divisor_override is None else {"divisor_override": divisor_override}
        return of(x, k, padding=_pairs(padding), **given, **extra)

    return run


def _read_by_max(x: Array, k: Any, **given: Any) -> Array:
    """Max pooling of zeros and ones: 1 where a window reads a 1 (a maximum of nothing reads nothing)."""
    return np.array(np.minimum(_pool(loops.sum_pool)(x, k, **given), 1), dtype=object)


def _decimate(x: Array, s: Any, start: Any = 0) -> Array:
    _need(*(n > _axis(start, a) >= 0 for a, n in enumerate(x.shape)))
    return loops.decimate(x, s, start)


def _scale(x: Array, numerator: int = 1, denominator: int = 1) -> Array:
    _need(denominator != 0)
    return np.array(x * Fraction(numerator, denominator), dtype=object)


def _conv_length(
    n: int, k: int, s: int = 1, d: int = 1, e: int = 1, lo: int = 0, hi: int = 0
) -> int:
    return (e * (n - 1) + 1 + lo + hi - (d * (k - 1) + 1)) // s + 1


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "correlate": _correlation(loops.correlate),
    "convolve": _correlation(loops.convolve),
    "conv_transpose": _conv_transpose,
    "pad": _pad,
    "crop": _crop,
    "flip": loops.flip,
    "shift": loops.shift,
    "decimate": _decimate,
    "zero_insert": loops.zero_insert,
    "nearest_upsample": loops.nearest_upsample,
    "sum_pool": _pool(loops.sum_pool),
    "avg_pool": _pool(loops.avg_pool),
    "max_pool": _read_by_max,
    "scale": _scale,
    "conv_length": _conv_length,
    "conv_remainder": lambda n, k, s=1: (n - k) % s,
    "conv_transpose_length": lambda m, k, s=1, d=1, lo=0, hi=0: (
        s * (m - 1) + d * (k - 1) + 1 - lo - hi
    ),
    "same_length": lambda n, s=1: sum(1 for i in range(n) if i % s == 0),
    "ceil_div": lambda a, b: -(-a // b),
    "max": max,
    "min": min,
    "divides": lambda d, a: a % d == 0,
}
