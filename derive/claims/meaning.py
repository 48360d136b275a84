"""From the parsed text of a claim to statements about forms and sizes."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, NoReturn

from derive.claims import functions
from derive.claims.arrays import Row, array_of
from derive.claims.calls import called, framework_call, number_sides, prepare
from derive.claims.names import Names, bounded_names
from derive.claims.parse import ClaimError, Parsed, parse, placed
from derive.claims.program import is_program
from derive.claims.values import (
    About,
    Both,
    Count,
    Everywhere,
    Exists,
    Negation,
    Op,
    Same,
    Statement,
    aligned,
    canonical,
    combined,
)
from derive.errors import CannotBe, DeriveError, WrongInput
from derive.expr import FALSE, TRUE, Cond, Expr, all_of, any_of, eq, lift, ne, negate
from derive.form import Form, Ratio, add, build, constant
from derive.operators import OPERATORS

MAX_POWER = 6
MAX_TERMS = 4_000  # of a polynomial
FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


@dataclass(frozen=True)
class Claim:
    """A claim that is ready to be judged."""

    text: str
    statement: Statement
    hypotheses: tuple[Cond, ...]
    iff: Cond | None = None
    requires: tuple[Cond, ...] = ()  # where the operators whose shapes are spoken of are defined
    readings: tuple[str, ...] = ()  # what was understood without being said, in words
    sides: tuple[Any, Any] | None = field(default=None, compare=False)  # of one comparison


def read(text: str) -> Claim:
    """Read a claim.  Raises :class:`derive.errors.WrongInput` with the place and what was expected.

    >>> read("flip(flip(x)) == x").hypotheses
    ()
    """
    if is_program(text):
        from derive.claims.derived import read_program

        return read_program(text)
    return Reader(parse(text)).claim()


def sides(text: str) -> tuple[Any, Any] | None:
    """The two sides of a claim that compares two values; None for any other claim.

    >>> [str(side) for side in sides("length(correlate(x, w)) == n - k")]
    ['n - k + 1', 'n - k']
    """
    return read(text).sides


class Reader:
    """One pass over the syntax; each node becomes a value (see :mod:`derive.claims.values`)."""

    def __init__(self, parsed: Parsed, names: Names | None = None) -> None:
        self.parsed = parsed
        self.names = names or Names(parsed.text, bounded=bounded_names(parsed))
        self.names.text = parsed.text
        self.sides: tuple[Any, Any] | None = None

    def claim(self) -> Claim:
        """The whole claim."""
        every = (*self.parsed.exists, self.parsed.body, self.parsed.iff, *self.parsed.hypotheses)
        for node in every:
            if node is not None:
                self._declare(node)
        number_sides(self, self.parsed.body)
        self._cotangents(self.parsed.body)
        prepare(self, self.parsed.body)
        hypotheses = tuple(self._hypothesis(h) for h in self.parsed.hypotheses)
        statement = self.statement(self.parsed.body)
        if self.parsed.exists:
            if not isinstance(statement, Same):
                self.fail(
                    self.parsed.body, "after `exists …:` an equality of operators was expected"
                )
            names = tuple(self._quantified(node, statement) for node in self.parsed.exists)
            statement = Exists(names, statement.left, statement.right, statement.laws)
        iff = None if self.parsed.iff is None else self._condition(self.parsed.iff)
        kept = tuple(h for h in hypotheses if h != TRUE)
        requires = tuple(dict.fromkeys(self.names.requires))
        readings = tuple(self.names.readings)
        return Claim(self.parsed.text.strip(), statement, kept, iff, requires, readings, self.sides)

    def _quantified(self, node: ast.expr, statement: Same) -> str:
        inner = node.value if isinstance(node, ast.Subscript) else node
        name = inner.id if isinstance(inner, ast.Name) else ""
        used = {t for f in (statement.left, statement.right) for t, _ in f.tensors}
        if name not in used:
            self.fail(node, f"`exists {name}`: {name!r} does not occur; use it as an operand")
        return name

    # -- declarations ------------------------------------------------------------------------------
    def _declare(self, tree: ast.expr) -> None:
        """``x[n, c]`` anywhere declares the shape of the tensor x."""
        for node in ast.walk(tree):
            if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
                name = node.value.id
                if name in functions.FUNCTIONS or name in OPERATORS:
                    continue
                parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
                shape = tuple(self._integer(p) for p in parts)
                known = self.names.tensors.get(name)
                if known is not None and known.shape != shape:
                    self.fail(node, f"the tensor {name!r} was declared with another shape before")
                self.names.declare(name, shape)

    def _cotangents(self, tree: ast.expr) -> None:
        """The third operand of vjp is a tensor of the output's shape, wherever else it occurs."""
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in ("vjp", "grad", "transpose")
                and node.args
            ):
                g = (
                    node.args[2].id
                    if len(node.args) > 2 and isinstance(node.args[2], ast.Name)
                    else "g"
                )
                if not self.names.is_tensor(g):
                    inner = self.value(node.args[0])
                    if isinstance(inner, Op):
                        self.names.declare(g, inner.form.shape)
                        self.names.axes[g] = inner.axes

    def _hypothesis(self, node: ast.expr) -> Cond:
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "integer"
        ):
            for a in node.args:
                if not isinstance(a, ast.Name):
                    self.fail(node, "integer(…) declares names; a name was expected")
                self.names.integer(a)
            return TRUE
        return self._condition(node)

    def _condition(self, node: ast.expr) -> Cond:
        statement = self.statement(node)
        cond = as_condition(statement)
        if cond is None:
            self.fail(node, "a condition on sizes was expected here")
        return cond

    # -- statements --------------------------------------------------------------------------------
    def statement(self, node: ast.expr) -> Statement:
        """The statement that an expression makes."""
        value = self.value(node)
        if isinstance(value, (Same, About, Everywhere, Exists, Both, Negation)):
            return value
        self.fail(node, "a statement was expected: an equation, an inequality or a property")

    def _compare(self, node: ast.Compare) -> Statement:
        values = [self.value(v) for v in (node.left, *node.comparators)]
        if node is self.parsed.body and len(values) == 2:
            self.sides = values[0], values[1]
        parts = [
            self._compare_two(node, a, functions.COMPARISONS[type(op)], b)
            for a, op, b in zip(values, node.ops, values[1:], strict=False)
        ]
        return conjunction(parts)

    def _compare_two(self, node: ast.Compare, a: Any, sign: str, b: Any) -> Statement:
        a = Op(self._array(node, a)) if isinstance(a, Row) else a
        b = Op(self._array(node, b)) if isinstance(b, Row) else b
        if isinstance(a, Count) != isinstance(b, Count):
            count, other = (a, b) if isinstance(a, Count) else (b, a)
            if not isinstance(other, Expr):
                self.fail(node, "a count at every output position is compared with an integer")
            compared = sign if count is a else FLIPPED[sign]
            return Everywhere(count.form, compared, other, self.names.known(), count.of)
        if isinstance(a, Op) or isinstance(b, Op):
            left, right = self._operator(node, a, b), self._operator(node, b, a)
            if sign not in ("==", "!="):
                self.fail(node, "operators are equal or not; there is no order between them")
            same = self._same(node, left, right)
            return same if sign == "==" else Negation(same)
        if isinstance(a, tuple) and isinstance(b, tuple):
            if len(a) != len(b):
                return About(any_of()) if sign == "==" else About(TRUE)
            return conjunction(
                [self._compare_two(node, u, sign, v) for u, v in zip(a, b, strict=True)]
            )
        if isinstance(a, tuple) and len(a) == 1:
            return self._compare_two(node, a[0], sign, b)
        if isinstance(b, tuple) and len(b) == 1:
            return self._compare_two(node, a, sign, b[0])
        left_number, right_number = as_ratio(a), as_ratio(b)
        if left_number is None or right_number is None:
            self.fail(
                node, f"{functions.describe(a)} and {functions.describe(b)} cannot be compared"
            )
        return About(compare_numbers(left_number, sign, right_number))

    def _put_aside(self, node: ast.expr, left: Op, right: Op) -> tuple[Op, Op]:
        """Both sides with their axes in the same order: layouts do not count."""
        for side in (left, right):
            if side.shape_only:
                self.fail(node, f"{side.shape_only}: values are out of scope; claim its shape")
        if left.axes and not right.axes and right.form.rank == len(left.axes):
            call = right.form.call
            own = call is None or call.operator not in ("tensor", "array")
            return (canonical(left), right) if own else (left, right)
        if right.axes and not left.axes:
            right, left = self._put_aside(node, right, left)
            return left, right
        if left.axes != right.axes and sorted(left.axes) == sorted(right.axes):
            self.names.read(f"{left.axes} and {right.axes} are compared with the layouts put aside")
            return aligned((left, right))  # type: ignore[return-value]
        return left, right

    def _operator(self, node: ast.expr, value: Any, other: Any) -> Op:
        """An operator; the number 0 stands for the zero operator."""
        if isinstance(value, Op):
            return value
        if as_ratio(value) == Ratio(lift(0)) and isinstance(other, Op):
            return Op(build(other.form.shape, lambda *i: constant(0)))
        if isinstance(value, tuple):
            return Op(self._array(node, value))
        self.fail(node, f"{functions.describe(value)} cannot be compared with an operator")

    def _same(self, node: ast.expr, left: Op, right: Op) -> Statement:
        left, right = self._put_aside(node, left, right)
        if left.form.rank != right.form.rank:
            ours, theirs = (shape_text(o.form) for o in (left, right))
            self.cannot(
                node,
                f"the left side has {left.form.rank} axes, {ours}, the right side "
                f"{right.form.rank}, {theirs}, so they are never equal; give both the same axes",
            )
        reads = left.relation, right.relation
        if (left.selects or right.selects) and reads[0] is not None and reads[1] is not None:
            return Same(reads[0], reads[1], reads_only=True)
        values = None
        if left.values is not None and right.values is not None:
            values = left.values, right.values
        return Same(
            left.form,
            right.form,
            free_taps=left.selects or right.selects,
            laws=self.names.known(),
            values=values,
            pools=tuple(self.names.pools),
        )

    # -- expressions -------------------------------------------------------------------------------
    def value(self, node: ast.expr) -> Any:
        """What an expression stands for."""
        match node:
            case ast.Constant(value=value):
                return self._constant(value)
            case ast.Name():
                return self._name(node)
            case ast.Tuple(elts=elements):
                return tuple(self.value(e) for e in elements)
            case ast.List(elts=elements):
                return Row(tuple(self.value(e) for e in elements))
            case ast.Subscript():
                return self._subscript(node)
            case ast.BinOp(left=left, op=op, right=right):
                return self._binary(node, self.value(left), op, self.value(right))
            case ast.UnaryOp(op=op, operand=operand):
                return self._unary(node, op, self.value(operand))
            case ast.BoolOp(op=op, values=values):
                return self._boolean(node, op, [self.statement(v) for v in values])
            case ast.Compare():
                return self._compare(node)
            case ast.Call():
                return self._call(node)
            case ast.Attribute(value=inner, attr="shape"):
                return functions.call("shape", [self.value(inner)], {}, self.names)
        self.fail(node, "this cannot be part of a claim")

    def _constant(self, value: object) -> Any:
        if isinstance(value, bool) or value is None or isinstance(value, str):
            return value
        if isinstance(value, int):
            return lift(value)
        q = Fraction(str(value))
        return Ratio(lift(q.numerator), lift(q.denominator))

    def _name(self, node: ast.Name) -> Any:
        if self.names.is_tensor(node.id):
            form = self.names.tensor(node.id)
            return Op(form, form, axes=self.names.axes.get(node.id, ""))
        return self.names.integer(node)

    def _integer(self, node: ast.expr) -> Expr:
        value = self.value(node)
        if isinstance(value, tuple) and len(value) == 1:
            value = value[0]
        if not isinstance(value, Expr):
            self.fail(node, f"an integer was expected, not {functions.describe(value)}")
        return value

    def _subscript(self, node: ast.Subscript) -> Any:
        if isinstance(node.value, ast.Name) and node.value.id in self.names.tensors:
            form = self.names.tensors[node.value.id]
            return Op(form, form, axes=self.names.axes.get(node.value.id, ""))
        value = self.value(node.value)
        if isinstance(value, tuple) and isinstance(node.slice, (ast.Constant, ast.UnaryOp)):
            at = self._integer(node.slice).constant
            if at is not None and -len(value) <= at < len(value):
                return value[at]
        self.fail(node, "only a tensor can be given a shape, and only a shape has numbered parts")

    def _unary(self, node: ast.UnaryOp, op: ast.unaryop, value: Any) -> Any:
        if isinstance(op, ast.Not):
            if isinstance(value, About):
                return About(negate(value.cond))
            if isinstance(value, Same | Everywhere):
                return Negation(value)
            self.fail(
                node,
                "only a condition on sizes, an equality of operators, or a statement about a "
                "number at every output can be negated",
            )
        if isinstance(op, ast.UAdd):
            return value
        return self._binary(node, lift(-1), ast.Mult(), value)

    def _boolean(self, node: ast.BoolOp, op: ast.boolop, parts: list[Statement]) -> Statement:
        conds = [as_condition(p) for p in parts]
        if isinstance(op, ast.And):
            return conjunction(parts)
        if all(c is not None for c in conds):
            return About(any_of(*(c for c in conds if c is not None)))
        self.fail(node, "`or` joins conditions on sizes only")

    def _binary(self, node: ast.expr, a: Any, op: ast.operator, b: Any) -> Any:
        if isinstance(a, Row):
            a = Op(self._array(node, a))
        if isinstance(b, Row):
            b = Op(self._array(node, b))
        if isinstance(a, Op) or isinstance(b, Op):
            return self._operator_arithmetic(node, a, op, b)
        left, right = as_ratio(a), as_ratio(b)
        if left is None or right is None:
            self.fail(
                node, f"{functions.describe(a)} and {functions.describe(b)} cannot be combined"
            )
        if isinstance(op, ast.Div):
            if right.num == 0:
                self.fail(node, "this divides by zero")
            return simplest(left * Ratio(right.den, right.num))
        if isinstance(op, (ast.Add, ast.Sub)):
            sign = 1 if isinstance(op, ast.Add) else -1
            return simplest(
                Ratio(left.num * right.den + right.num * left.den * sign, left.den * right.den)
            )
        if isinstance(op, ast.Mult):
            if len(left.num.terms) * len(right.num.terms) > MAX_TERMS:
                self.fail(node, "this product has too many terms; simplify it")
            return simplest(left * right)
        if left.den != 1 or right.den != 1:
            self.fail(node, "integers were expected here")
        return self._integer_arithmetic(node, left.num, op, right.num)

    def _integer_arithmetic(self, node: ast.expr, a: Expr, op: ast.operator, b: Expr) -> Expr:
        if isinstance(op, ast.Pow):
            power = b.constant
            if power is None or not 0 <= power <= MAX_POWER:
                self.fail(node, f"powers go from 0 to {MAX_POWER}")
            if a.constant is not None and abs(a.constant) > 1000:
                self.fail(node, "the number is too large; use a symbol for a large size")
            if len(a.terms) ** power > MAX_TERMS:
                self.fail(node, "this power has too many terms; simplify it")
            return a**power
        if b.constant is not None and b.constant <= 0:
            self.fail(node, "the divisor of // and % is positive")
        if isinstance(op, ast.FloorDiv):
            return a // b
        if isinstance(op, ast.Mod):
            return a % b
        self.fail(node, "this operation is not defined on integers")

    def _operator_arithmetic(self, node: ast.expr, a: Any, op: ast.operator, b: Any) -> Op:
        if isinstance(a, Op) and isinstance(b, Op):
            a, b = aligned((a, b))
            if isinstance(op, ast.Mult):
                return self._product(node, a, b)
            if not isinstance(op, (ast.Add, ast.Sub)):
                self.fail(node, "operators are added, subtracted, and multiplied")
            sign = 1 if isinstance(op, ast.Add) else -1
            same = self._same_shape(node, "a sum", a, b)
            return combined(lambda f, g: added(f, scaled(g, Ratio(lift(sign))), same), a, b)
        number = as_ratio(b if isinstance(a, Op) else a)
        operand = a if isinstance(a, Op) else b
        if (
            number is None
            or not isinstance(op, (ast.Mult, ast.Div))
            or (isinstance(op, ast.Div) and operand is b)
        ):
            self.fail(node, "operators are added, subtracted, and multiplied by numbers")
        if isinstance(op, ast.Div):
            if number.num == 0:
                self.fail(node, "this divides by zero")
            number = Ratio(number.den, number.num)
        return combined(lambda f: scaled(f, number), operand)

    def _product(self, node: ast.expr, a: Op, b: Op) -> Op:
        """The product entry by entry, as a mask is applied."""
        same = self._same_shape(node, "a product entry by entry", a, b)

        def product(f: Form, g: Form) -> Form:
            return build(f.shape, lambda *i: f[i] * g[i], same).named("product", f, g)

        return combined(product, a, b)

    def _same_shape(self, node: ast.expr, what: str, a: Op, b: Op) -> tuple[Cond, ...]:
        """Two formulas can be the same length; that they are becomes a requirement."""
        shown = f"{what} of the shapes {shape_text(a.form)} and {shape_text(b.form)}"
        if a.form.rank != b.form.rank:
            self.cannot(node, f"{shown}; give both the same axes")
        same = tuple(eq(m, n) for m, n in zip(a.form.shape, b.form.shape, strict=True))
        if all_of(*same) == FALSE:
            self.cannot(node, f"{shown}, which always differ; make the shapes the same first")
        return tuple(c for c in same if c != TRUE)

    def _array(self, node: ast.expr, rows: Any) -> Form:
        """Numbers given in full, as an operator without inputs."""
        try:
            return array_of(rows if isinstance(rows, Row) else Row(tuple(rows)))
        except WrongInput as e:
            self.fail(node, str(e))

    def _call(self, node: ast.Call) -> Any:
        name = node.func.id if isinstance(node.func, ast.Name) else ast.unparse(node.func)
        if any(k.arg is None for k in node.keywords):
            self.fail(node, "`**` cannot be part of a claim")
        if called(node):
            return self._told(node, name, lambda: framework_call(self.value, self.names, node))
        arguments = [self.value(a) for a in node.args]
        keywords = {k.arg: self.value(k.value) for k in node.keywords if k.arg is not None}
        arguments = [Op(self._array(node, a)) if isinstance(a, Row) else a for a in arguments]
        keywords = {
            k: Op(self._array(node, v)) if isinstance(v, Row) else v for k, v in keywords.items()
        }
        return self._told(node, name, lambda: functions.call(name, arguments, keywords, self.names))

    def _told(self, node: ast.expr, name: str, work: Callable[[], Any]) -> Any:
        """What a call gives; an error shows the place."""
        try:
            return work()
        except ClaimError:
            raise
        except CannotBe as e:
            fact = str(e)
            placed_already = fact.startswith("reading the claim: ")
            raise CannotBe(
                fact if placed_already else placed(self.parsed.text, node.col_offset, fact)
            ) from None
        except DeriveError as e:
            raise ClaimError(self.parsed.text, node.col_offset, str(e)) from None
        except TypeError as e:
            raise ClaimError(
                self.parsed.text, node.col_offset, f"{name}: {functions.signature_error(name, e)}"
            ) from None

    def cannot(self, node: ast.expr, fact: str) -> NoReturn:
        """Parts that can never fit, with the place."""
        raise CannotBe(placed(self.parsed.text, getattr(node, "col_offset", 0), fact))

    def fail(self, node: ast.expr, expected: str) -> NoReturn:
        """What cannot be read, with the place."""
        raise ClaimError(self.parsed.text, getattr(node, "col_offset", 0), expected)


def shape_text(form: Form) -> str:
    """The shape as Python writes a tuple."""
    shown = ", ".join(map(str, form.shape))
    return f"({shown},)" if form.rank == 1 else f"({shown})"


def added(f: Form, g: Form, same: tuple[Cond, ...]) -> Form:
    """A sum, defined where the shapes are the same."""
    if f.shape == g.shape:
        return add(f, g)
    return build(f.shape, lambda *i: f[i] + g[i], same).named("add", f, g)


def scaled(form: Form, number: Ratio) -> Form:
    """An operator times a number."""
    if number == Ratio():
        return form
    scale: Callable[..., Form] = OPERATORS["scale"].build
    return scale(form, number.num, number.den)


def as_ratio(value: Any) -> Ratio | None:
    """A number as a ratio of integer expressions; None for anything else."""
    if isinstance(value, Ratio):
        return value
    return Ratio(value) if isinstance(value, Expr) else None


def simplest(number: Ratio) -> Expr | Ratio:
    """An integer expression where the denominator is 1 (or divides out visibly)."""
    if number.den == 1:
        return number.num
    whole = (
        number.num // number.den if number.den.constant is None or number.den.constant > 0 else None
    )
    if whole is not None and whole * number.den == number.num:
        return whole
    return number


def compare_numbers(a: Ratio, sign: str, b: Ratio) -> Cond:
    """Compare two ratios whose denominators are positive."""
    left, right = a.num * b.den, b.num * a.den
    return {
        "==": lambda: eq(left, right),
        "!=": lambda: ne(left, right),
        "<": lambda: left < right,
        "<=": lambda: left <= right,
        ">": lambda: left > right,
        ">=": lambda: left >= right,
    }[sign]()


def conjunction(parts: Sequence[Statement]) -> Statement:
    """Several statements as one; conditions on sizes are joined."""
    conds = [as_condition(p) for p in parts]
    if all(c is not None for c in conds):
        return About(all_of(*(c for c in conds if c is not None)))
    return parts[0] if len(parts) == 1 else Both(tuple(parts))


def as_condition(statement: Statement) -> Cond | None:
    """The condition that a statement is, if it speaks of sizes alone."""
    if isinstance(statement, About):
        return statement.cond
    if isinstance(statement, Both):
        conds = [as_condition(p) for p in statement.parts]
        if all(c is not None for c in conds):
            return all_of(*(c for c in conds if c is not None))
    return None
