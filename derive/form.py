"""The one idea: an operator is a multilinear sum over integer relations.

A :class:`Form` with output axes ``i`` is a finite sum of terms

    y[i] = Σ  coefficient · x[e1(i, b)] · w[e2(i, b)] · …

over bound indices ``b`` in ``0 <= b < length`` for which conditions hold; lengths, indices and
conditions are integer expressions in named sizes.  Outside its axes a form is zero, so that zero
padding is a read outside.  A correlation is written just as on paper:

>>> from derive.symbols import size
>>> n, k, s = size("n"), size("k"), size("s")
>>> x, w = tensor("x", n), tensor("w", k)
>>> y = build(((n - k) // s + 1,), lambda i: sigma(k, lambda t: w[t] * x[s*i + t]))

The matrix, the gradients and the composition are readings of the same sum:

>>> vjp(y, "x").shape == (n,)
True
>>> vjp(y, "w").shape == (k,)
True
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import count

from derive.errors import CannotBe, WrongInput, expect, shown
from derive.expr import (
    FALSE,
    TRUE,
    Cond,
    Expr,
    Integer,
    Sym,
    all_of,
    between,
    cond_symbols,
    conjuncts,
    eq,
    lift,
    subst_cond,
)


@dataclass(frozen=True)
class Ratio:
    """A rational coefficient ``num / den``; ``den`` is nonzero wherever its term is read."""

    num: Expr = lift(1)
    den: Expr = lift(1)

    def __mul__(self, other: Ratio) -> Ratio:
        num, den = self.num * other.num, self.den * other.den
        return Ratio(lift(0)) if num == 0 else _reduced(num, den)

    def subst(self, values: Mapping[Sym, Expr]) -> Ratio:
        """Put expressions in the place of symbols."""
        return _reduced(self.num.subst(values), self.den.subst(values))

    def __str__(self) -> str:
        return str(self.num) if self.den == 1 else f"({self.num})/({self.den})"


def _reduced(num: Expr, den: Expr) -> Ratio:
    if num == den:
        return Ratio()
    if num.constant is not None and den.constant is not None:
        q = Fraction(num.constant, den.constant)
        return Ratio(lift(q.numerator), lift(q.denominator))
    return Ratio(num, den)


@dataclass(frozen=True)
class Read:
    """The value of the named tensor at integer indices."""

    tensor: str
    at: tuple[Expr, ...]

    def subst(self, values: Mapping[Sym, Expr]) -> Read:
        """Put expressions in the place of symbols."""
        return Read(self.tensor, tuple(e.subst(values) for e in self.at))


@dataclass(frozen=True)
class Term:
    """``Σ_bound [where] · coefficient · Π reads``; each bound index runs over ``0 <= b < length``."""

    coefficient: Ratio = Ratio()
    bound: tuple[tuple[Sym, Expr], ...] = ()
    where: tuple[Cond, ...] = ()
    reads: tuple[Read, ...] = ()

    def subst(self, values: Mapping[Sym, Expr]) -> Term:
        """Put expressions in the place of symbols (not of the bound indices)."""
        return Term(
            self.coefficient.subst(values),
            tuple((b, length.subst(values)) for b, length in self.bound),
            conjuncts(all_of(*(subst_cond(c, values) for c in self.where))),
            tuple(r.subst(values) for r in self.reads),
        )

    def fresh(self) -> Term:
        """The same term with new names for its bound indices."""
        names: dict[Sym, Expr] = {b: _fresh() for b, _ in self.bound}
        t = self.subst(names)
        return replace(
            t,
            bound=tuple(
                (_sym(names[b]), n) for (b, _), (_, n) in zip(self.bound, t.bound, strict=True)
            ),
        )


@dataclass(frozen=True)
class Value:
    """A sum of terms at one output position: what the body of a form is made of."""

    terms: tuple[Term, ...]
    tensors: tuple[tuple[str, tuple[Expr, ...]], ...] = ()
    requires: tuple[Cond, ...] = ()

    def __add__(self, other: Value) -> Value:
        return Value(self.terms + other.terms, *_context(self, other))

    def __mul__(self, other: Value | Integer | Ratio) -> Value:
        if not isinstance(other, Value):
            other = constant(other)
        terms = []
        for a in self.terms:
            for b in other.terms:
                a1, b1 = a.fresh(), b.fresh()
                terms.append(
                    Term(
                        a1.coefficient * b1.coefficient,
                        a1.bound + b1.bound,
                        conjuncts(all_of(*a1.where, *b1.where)),
                        a1.reads + b1.reads,
                    )
                )
        return Value(tuple(terms), *_context(self, other))

    __rmul__ = __mul__

    def where(self, *conds: Cond) -> Value:
        """Only where the conditions hold."""
        kept = []
        for t in self.terms:
            cond = all_of(*t.where, *conds)
            if cond != FALSE:
                kept.append(replace(t, where=() if cond == TRUE else conjuncts(cond)))
        return replace(self, terms=tuple(kept))


def constant(value: Integer | Ratio) -> Value:
    """A number (or an integer expression in the indices) as a value without reads."""
    ratio = value if isinstance(value, Ratio) else Ratio(lift(value))
    return Value((Term(ratio),) if ratio.num != 0 else ())


@dataclass(frozen=True)
class Call:
    """How a form was written: the operator, its operands and its parameters, for printing."""

    operator: str
    operands: tuple[Form, ...] = ()
    parameters: tuple[tuple[str, object], ...] = ()


@dataclass(frozen=True)
class Form:
    """A multilinear operator: output axes, and the sum that gives the value at an output index.

    ``requires`` are the conditions under which it is defined (a positive output length, a stride
    of at least one, groups that divide the channels); the prover checks that the hypotheses of a
    statement imply them.  ``call`` is only for printing and does not take part in equality.
    """

    shape: tuple[Expr, ...]
    index: tuple[Sym, ...]
    terms: tuple[Term, ...]
    tensors: tuple[tuple[str, tuple[Expr, ...]], ...]
    requires: tuple[Cond, ...] = ()
    call: Call | None = field(default=None, compare=False)

    @property
    def rank(self) -> int:
        """The number of output axes."""
        return len(self.shape)

    def __getitem__(self, at: Integer | tuple[Integer, ...]) -> Value:
        """The value at an output position; zero outside."""
        position = tuple(lift(a) for a in (at if isinstance(at, tuple) else (at,)))
        if len(position) != self.rank:
            raise CannotBe(
                f"reading {len(position)} indices of a form with {self.rank} axes; give one index for each axis"
            )
        values = dict(zip(self.index, position, strict=True))
        inside = tuple(between(0, p, n) for p, n in zip(position, self.shape, strict=True))
        terms = tuple(t.fresh().subst(values) for t in self.terms)
        return Value(terms, self.tensors, self.requires).where(*inside)

    def __add__(self, other: Form) -> Form:
        return add(self, other)

    def tensor_shape(self, name: str) -> tuple[Expr, ...]:
        """The shape of a tensor that is read; :class:`derive.errors.WrongInput` for another name."""
        for tensor_name, shape in self.tensors:
            if tensor_name == name:
                return shape
        known = ", ".join(t for t, _ in self.tensors) or "none"
        raise WrongInput(f"there is no tensor {name!r} in this form; it reads: {known}")

    def sizes(self) -> tuple[Sym, ...]:
        """The size parameters that the form speaks of, in order of name."""
        found = {s for n in self.shape for s in n.symbols()}
        found |= {s for _, shape in self.tensors for n in shape for s in n.symbols()}
        found |= {s for c in self.requires for s in cond_symbols(c)}
        for t in self.terms:
            spoken = {s for c in t.where for s in cond_symbols(c)}
            spoken |= t.coefficient.num.symbols() | t.coefficient.den.symbols()
            spoken |= {s for _, n in t.bound for s in n.symbols()}
            spoken |= {s for r in t.reads for e in r.at for s in e.symbols()}
            found |= spoken - {*self.index, *(b for b, _ in t.bound)}
        return tuple(sorted(found, key=lambda s: s.name))

    def named(self, operator: str, *operands: Form, **parameters: object) -> Form:
        """The same form, remembered as a call of ``operator`` (for printing)."""
        return replace(self, call=Call(operator, operands, tuple(parameters.items())))

    def requiring(self, *conds: Cond) -> Form:
        """The same form, defined only where further conditions hold."""
        return replace(self, requires=_unique(self.requires + conds))


_supply = count()


def _fresh() -> Expr:
    # Names from this supply never leave `build`, which renames them in order of appearance.
    return Expr({(Sym(f"~{next(_supply)}"),): 1})


def _sym(e: Expr) -> Sym:
    s = e.symbol
    assert s is not None
    return s


def _unique(conds: Sequence[Cond]) -> tuple[Cond, ...]:
    return conjuncts(all_of(*conds)) if conds else ()


def _context(
    a: Value, b: Value
) -> tuple[tuple[tuple[str, tuple[Expr, ...]], ...], tuple[Cond, ...]]:
    shapes = dict(a.tensors)
    for name, shape in b.tensors:
        if shapes.setdefault(name, shape) != shape:
            raise CannotBe(
                f"the tensor {name!r} has two shapes, {_show(shapes[name])} and {_show(shape)}; "
                "give the two tensors two names"
            )
    return tuple(sorted(shapes.items())), _unique(a.requires + b.requires)


def _show(shape: Sequence[Expr]) -> str:
    return f"({', '.join(map(str, shape))})"


def sigma(length: Integer, body: Callable[[Expr], Value]) -> Value:
    """``Σ_{0 <= t < length} body(t)``

    Raises :class:`derive.errors.WrongInput` where the body gives no value.
    """
    t = _fresh()
    value = _value_of(body, (t,))
    bound = (_sym(t), lift(length))
    return replace(value, terms=tuple(replace(u, bound=(bound, *u.bound)) for u in value.terms))


def sigmas(lengths: Sequence[Integer], body: Callable[[tuple[Expr, ...]], Value]) -> Value:
    """A sum over several indices, one for each length."""
    if not lengths:
        return body(())
    return sigma(lengths[0], lambda t: sigmas(lengths[1:], lambda rest: body((t, *rest))))


def build(
    shape: Sequence[Integer], body: Callable[..., Value], requires: Sequence[Cond] = ()
) -> Form:
    """The form with output ``shape`` whose value at the index ``(i, …)`` is ``body(i, …)``.

    It is defined where the conditions ``requires`` hold.  Raises
    :class:`derive.errors.WrongInput` for a shape that is none and where the body gives no value.
    """
    lengths = _lengths(shape)
    # the body sees fresh indices, so that a form built inside of it cannot capture them
    fresh = tuple(_fresh() for _ in lengths)
    value = _value_of(body, fresh)
    for c in requires:
        expect(c, Cond, "a requirement", "no condition; give one, as n >= k or eq(n, k)")
    index = tuple(Sym(f"i{a}") for a in range(len(lengths)))
    outer = {_sym(e): Expr({(i,): 1}) for e, i in zip(fresh, index, strict=True)}
    terms = []
    for t in value.terms:
        names = {b: Expr({(Sym(f"b{j}"),): 1}) for j, (b, _) in enumerate(t.bound)}
        renamed = t.subst({**outer, **names})
        bound = tuple((_sym(e), n) for e, (_, n) in zip(names.values(), renamed.bound, strict=True))
        terms.append(replace(renamed, bound=bound))
    return Form(lengths, index, tuple(terms), value.tensors, _unique((*value.requires, *requires)))


def _lengths(shape: Sequence[Integer]) -> tuple[Expr, ...]:
    expect(shape, (tuple, list), "shape", "a tuple of lengths was expected; give one, as (n, 3)")
    return tuple(lift(n) for n in shape)


def _value_of(body: Callable[..., Value], index: tuple[Expr, ...]) -> Value:
    if not callable(body):
        raise WrongInput(
            f"body = {shown(body)}: a function of the index was expected; give one, as lambda i: x[i]"
        )
    value = body(*index)
    expect(value, Value, "body(…)", "no value; read a form, as x[i], or write constant(1)")
    return value


def tensor(name: str, *shape: Integer) -> Form:
    """A named tensor as a form: it reads itself.

    Raises :class:`derive.errors.WrongInput` for what is no name and for lengths that are negative.

    >>> tensor("x", 4).shape == (4,)
    True
    """
    expect(name, str, "name", "a text was expected; give the name of a tensor, as 'x'")
    lengths = _lengths(shape)
    for n in lengths:
        if n.constant is not None and n.constant < 0:
            raise WrongInput(
                f"tensor {name!r} of shape {_show(lengths)}: the length {n} is negative; "
                "give positive lengths"
            )

    def body(*i: Expr) -> Value:
        return Value((Term(reads=(Read(name, i),)),), ((name, lengths),))

    return build(lengths, body).named("tensor", name=name)


def add(first: Form, *others: Form) -> Form:
    """The sum of operators with the same output shape."""
    for f in others:
        expect(f, Form, "the summand", "no operator; give a form, or add constants in build")
        if f.shape != first.shape:
            raise CannotBe(
                f"adding operators whose outputs have the shapes {_show(first.shape)} and "
                f"{_show(f.shape)}; make the shapes the same first"
            )

    def body(*i: Expr) -> Value:
        total = first[i]
        for f in others:
            total = total + f[i]
        return total

    return build(first.shape, body).named("add", first, *others)


def substitute(form: Form, name: str, inner: Form) -> Form:
    """Put a form into every read of the tensor ``name``: the composition of operators."""
    if form.tensor_shape(name) != inner.shape:
        raise CannotBe(
            f"composing: {name!r} has the shape {_show(form.tensor_shape(name))} but the inner "
            f"operator gives {_show(inner.shape)}; make the shapes the same first"
        )
    kept = tuple((t, s) for t, s in form.tensors if t != name)

    def body(*i: Expr) -> Value:
        values = dict(zip(form.index, i, strict=True))
        total = Value((), *_context(Value((), kept), Value((), inner.tensors)))
        for t in form.terms:
            t = t.fresh().subst(values)
            # The inner reads speak of t's bound indices: multiply under the sum, then bind.
            others = tuple(r for r in t.reads if r.tensor != name)
            product = Value((replace(t, bound=(), reads=others),))
            for r in t.reads:
                if r.tensor == name:
                    product = product * inner[r.at]
            bound = tuple(replace(u, bound=(*t.bound, *u.bound)) for u in product.terms)
            total = total + replace(product, terms=bound)
        return replace(total, requires=_unique(form.requires + inner.requires))

    return build(form.shape, body)


def vjp(form: Form, wrt: str, cotangent: Form | None = None) -> Form:
    """The vector–Jacobian product: the gradient of ``⟨g, form⟩`` with respect to ``wrt``.

    The output index of ``form`` and the index at which ``wrt`` is read change places; that is the
    whole of it.  ``form`` must be linear in ``wrt``.  ``cotangent`` is ``g`` (by default a fresh
    tensor named ``g`` of the output's shape).

    Raises :class:`derive.errors.CannotBe` when ``wrt`` is read twice in a term or not at all.
    """
    for name, given in (("form", form), ("cotangent", cotangent)):
        if name == "form" or given is not None:
            expect(given, Form, name, "no operator; give a form, as tensor('x', 7)")
    g = tensor("g", *form.shape) if cotangent is None else cotangent
    if g.shape != form.shape:
        raise CannotBe(
            f"the cotangent has the shape {_show(g.shape)} but the operator gives "
            f"{_show(form.shape)}; a gradient has the shape of the output"
        )
    target = form.tensor_shape(wrt)
    kept = tuple((t, s) for t, s in form.tensors if t != wrt)

    def body(*j: Expr) -> Value:
        total = Value((), kept, form.requires)
        for t in form.terms:
            reads = [r for r in t.reads if r.tensor == wrt]
            if not reads:
                continue  # constant in wrt: its derivative is zero
            if len(reads) > 1:
                raise CannotBe(
                    f"the gradient with respect to {wrt!r}: the operator is not linear in it; "
                    "give the two reads two names and add the two gradients"
                )

            def at(i: tuple[Expr, ...], t: Term = t, read: Read = reads[0]) -> Value:
                u = t.fresh().subst(dict(zip(form.index, i, strict=True)))
                hit = next(r for r in u.reads if r.tensor == wrt)
                rest = replace(u, reads=tuple(r for r in u.reads if r is not hit))
                same = tuple(eq(a, b) for a, b in zip(hit.at, j, strict=True))
                return Value((rest,)).where(*same) * g[i]

            total = total + sigmas(form.shape, at)
        return total

    return build(target, body).named("vjp", form, g, wrt=wrt)
