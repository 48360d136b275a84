"""Every registered call can be asked for its shape, and its formula gives the shape.

The configurations are those of the conformance sweep, legal and illegal ones.
"""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from derive.conformance import FRAMEWORKS, specs
from derive.dialects.answers import as_dict, latex, text
from derive.dialects.calls import Call, Name, read_calls, show
from derive.dialects.formula import plain, tree, value
from derive.dialects.layer import outline
from derive.dialects.named import with_names
from derive.dialects.question import layer_shape, simplified
from derive.dialects.registry import Spec, bind
from derive.dialects.request import ask, bind_call
from derive.errors import DeriveError
from derive.expr import FALSE
from derive.form import tensor
from derive.numeric.frameworks import Drawn

EACH = 3


def cases() -> tuple[tuple[str, Spec, int], ...]:
    return tuple(
        (name, spec, dims)
        for name, framework in FRAMEWORKS.items()
        for spec, dims in specs(name)
        if dims < 3 and spec.name in framework.draws()
    )


def call_of(spec: Spec, drawn: Drawn) -> str:
    given = {*drawn.weights, *drawn.data}
    tensors = [t for t in spec.tensors[1:] if t in given]
    later = [f"{t}={t}" for t in spec.applied if t in drawn.data]
    first = [f"{spec.tensors[0]}=x"] if spec.tensors else []
    second = {k: v for k, v in drawn.arguments.items() if k in spec.applied}
    plain_ones = [f"{k}={show(v)}" for k, v in drawn.arguments.items() if k not in second]
    later += [f"{k}={show(v)}" for k, v in second.items()]
    shown = ", ".join([*first, *(f"{t}={t}" for t in tensors), *plain_ones])
    return f"{spec.name}({shown})" + (f"(x, {', '.join(later)})" if later else "")


def real_shape(spec: Spec, drawn: Drawn) -> tuple[int, ...] | None:
    """The shape by the form itself, None where the call is refused."""
    shapes = {**drawn.weights, **{k: v.shape for k, v in drawn.data.items()}}
    names: dict[str, Any] = {t: Name(t) for t in (*spec.tensors[1:], *spec.applied) if t in shapes}
    if spec.tensors:
        names[spec.tensors[0]] = Name("x")
    try:
        layer = bind(spec, (), {**names, **drawn.arguments})
        given = {k: tensor(k, *v) for k, v in shapes.items() if k in layer.tensors}
        form = outline(layer, tensor("x~", *drawn.x), given)
    except DeriveError:
        return None
    if any(c == FALSE for c in form.requires):
        return None
    return tuple(int(n) for n in form.shape)


@pytest.mark.parametrize(
    ("framework", "spec", "dims"), cases(), ids=[f"{spec.name}-{dims}" for _, spec, dims in cases()]
)
def test_the_shape_of_a_call(framework: str, spec: Spec, dims: int) -> None:
    draw = FRAMEWORKS[framework].draws()[spec.name]
    for seed in range(EACH):
        drawn = draw(Random(f"{spec.name} {dims} {seed}"), dims)
        wanted, call = real_shape(spec, drawn), call_of(spec, drawn)
        shapes = {**drawn.weights, **{k: v.shape for k, v in drawn.data.items()}}
        written = read_calls(call)[-1].value
        assert isinstance(written, Call)
        if wanted is None:
            if len(drawn.x) > 1:  # one length alone stands for all axes
                with pytest.raises(DeriveError):
                    layer_shape(written, drawn.x, None, taken(written, shapes, spec), spec.dialect)
            continue
        weights = taken(written, shapes, spec)
        found = layer_shape(written, drawn.x, None, weights, spec.dialect)
        assert found.output == wanted, (call, drawn.x)
        formulas_give_the_shape(written, drawn, weights, spec)
        assert call.split("(")[0] in text(found)
        body, _, rest = latex(found).rpartition(r"\end{align*}")
        assert body and (not rest or rest.startswith("\nwith "))
        assert as_dict(found)["output"] == list(wanted)


def taken(written: Any, shapes: dict[str, Any], spec: Spec) -> dict[str, Any]:
    """The tensors whose shapes the call takes from the caller (a bias it knows itself)."""
    tensors = bind_call(written, spec.dialect)[1].tensors
    return {k: v for k, v in shapes.items() if k in tensors}


def formulas_give_the_shape(written: Any, drawn: Drawn, weights: Any, spec: Spec) -> None:
    asked = ask(written, drawn.x, weights, spec.dialect)
    named = with_names(asked)
    sizes = {s.name: v.constant for s, v in named.values.items()}
    for letter, n in zip(named.x, asked.x, strict=True):
        if letter.symbol is not None:
            sizes[letter.symbol.name] = n.constant
    wanted = real_shape(spec, drawn)
    assert wanted is not None
    dims = asked.layer.dims
    for e, m in zip(named.shape, wanted, strict=True):
        assert value(tree(e), sizes) == m, plain(tree(e))  # type: ignore[arg-type]
        for axis in range(dims):
            short = simplified(named, e, axis)
            assert value(tree(short), sizes) == m, plain(tree(short))  # type: ignore[arg-type]
