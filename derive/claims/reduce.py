"""Every statement of a claim becomes an equality of two forms, or a condition on sizes.

Two maxima over windows are equal for every input iff they read the same inputs, so a composition of
max pools becomes its *support*: 1 where an input is read, however often.  "At every output position
the count is at least 1" becomes the equality of an indicator with 1.
"""

from __future__ import annotations

from collections.abc import Callable

from derive.claims.values import Everywhere
from derive.decide.normal import cells
from derive.errors import NotSupported
from derive.expr import Cond, Expr, Sym, all_of, any_of, eq, indicator, lift, ne, subst_cond
from derive.form import Form, Value, build, constant, sigmas, tensor

COMPARE: dict[str, Callable[[Expr, Expr], Cond]] = {
    "==": eq,
    "!=": ne,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def support(form: Form, name: str = "x") -> Form:
    """The form with the coefficient 1 wherever ``form`` reads the tensor at all.

    ``form`` is linear in one tensor with nonnegative coefficients (a relation of max pools).
    """
    shape = form.tensor_shape(name)
    x = tensor(name, *shape)
    found = cells(form)
    output = {Expr({(i,): 1}): i for i in form.index}

    def body(*i: Expr) -> Value:
        def read(j: tuple[Expr, ...]) -> Value:
            values: dict[Sym, Expr] = dict(zip(output.values(), i, strict=True))
            values |= {Sym(f"{name}.{a}"): e for a, e in enumerate(j)}
            present = (all_of(*c.where, c.coefficient.num >= 1) for c in found)
            return x[j].where(_put(any_of(*present), values))

        return sigmas(shape, read)

    return build(form.shape, body, form.requires)


def _put(cond: Cond, values: dict[Sym, Expr]) -> Cond:
    return subst_cond(cond, values)


def everywhere(statement: Everywhere) -> tuple[Form, Form]:
    """The two forms whose equality says that a comparison holds at every output position."""
    form = statement.count
    total = lift(0)
    for c in cells(form):
        if c.coefficient.den != 1:
            raise NotSupported(
                "comparing a count: it is not an integer; compare the operator itself"
            )
        total = total + c.coefficient.num * indicator(all_of(*c.where))
    holds_here = COMPARE[statement.comparison](total, statement.bound)

    def body(*i: Expr) -> Value:
        return constant(1).where(_put(holds_here, dict(zip(form.index, i, strict=True))))

    left = build(form.shape, body, form.requires)
    if statement.of is not None:  # its lengths tell which cases of a condition are degenerate
        left = left.named("holds_everywhere", statement.of)
    return left, build(form.shape, lambda *i: constant(1))
