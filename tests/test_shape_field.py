"""Receptive fields: what the rules say is what the operators' forms read."""

from __future__ import annotations

import random
from fractions import Fraction
from math import prod
from typing import Any

import pytest

from derive import shapes
from derive.dialects.calls import read_calls
from derive.dialects.chain import run
from derive.dialects.field import Field, behind, joined, through
from derive.dialects.geometry import Stage, reaches
from derive.dialects.layer import apply, step
from derive.dialects.registry import read_layer
from derive.expr import Expr, lift
from derive.form import Form, tensor
from derive.operators import OPERATORS
from derive.table import coefficients

STEPS: list[tuple[str, dict[str, Any], tuple[int, ...]]] = [
    ("correlate", {"stride": 2, "padding": (2, 1), "dilation": 3}, (3,)),
    ("correlate", {"stride": 3, "padding": (1, 2), "base_dilation": 2}, (4,)),
    ("correlate", {"padding": "same", "stride": 2}, (3,)),
    ("correlate", {"padding": "causal", "dilation": 2}, (3,)),
    ("conv_transpose", {"stride": 3, "padding": (1, 0), "dilation": 2, "output_padding": 2}, (4,)),
    ("conv_transpose", {"stride": 4}, (2,)),
    ("max_pool", {"k": 3, "stride": 2, "padding": (1, 1)}, ()),
    ("sum_pool", {"k": 2, "dilation": 3, "ceil_mode": True}, ()),
    ("avg_pool", {"k": 4, "stride": 3}, ()),
    ("pad", {"padding": (2, 3)}, ()),
    ("pad", {"padding": (-1, 2)}, ()),
    ("crop", {"amount": (2, 1)}, ()),
    ("decimate", {"s": 3, "start": 1}, ()),
    ("zero_insert", {"s": 3, "trailing": 1}, ()),
    ("nearest_upsample", {"s": 3}, ()),
    ("bilinear_upsample", {"s": 2}, ()),
    ("bilinear_upsample", {"s": 3}, ()),
    ("pixel_unshuffle", {"r": 2}, ()),
]
N = 12


def stage_of(name: str, parameters: dict[str, Any], kernel: tuple[int, ...]) -> tuple[Stage, Form]:
    shape = (lift(1), lift(N)) if name == "pixel_unshuffle" else (lift(N),)
    given = dict(parameters)
    if name != "pixel_unshuffle" and name not in ("correlate", "conv_transpose"):
        given["dims"] = 1
    operands = [tensor("x", *shape)] + ([tensor("w", *kernel)] if kernel else [])
    form = OPERATORS[name].build(*operands, **given)
    lengths = tuple(map(lift, kernel))
    made = step(name, weight="w" if kernel else "", **given)
    return Stage(made, shape, form.shape, form.requires, lengths), form


def reads(form: Form, rank: int) -> dict[int, set[int]]:
    """For each output position, the input positions that its sum reads."""
    found: dict[int, set[int]] = {}
    if "σ" in str(form.terms):  # every tap can be selected
        taps = range(3)
        for t in taps:
            for key in coefficients(form, {"σ": lambda *_, t=t: t}):
                found.setdefault(key[0][-1], set()).add(_place(key, rank))
        return found
    for key in coefficients(form, {}):
        found.setdefault(key[0][-1], set()).add(_place(key, rank))
    return found


def _place(key: Any, rank: int) -> int:
    at = next(read for read in key[1] if read[0] == "x")
    return int(at[1][-1])


@pytest.mark.parametrize(("name", "parameters", "kernel"), STEPS)
def test_the_rule_of_an_operator_reads_what_its_form_reads(
    name: str, parameters: dict[str, Any], kernel: tuple[int, ...]
) -> None:
    stage, form = stage_of(name, parameters, kernel)
    found = reaches([stage], 0, 1)
    assert found is not None and len(found) == 1
    taps = tuple(int(v) for v in found[0].taps)
    seen = reads(form, 1)
    for i in range(int(form.shape[-1])):
        inside = {j for j in shapes.chain_reads(i, [taps]) if 0 <= j < N}  # type: ignore[list-item]
        real = seen.get(i, set())
        if name == "bilinear_upsample":  # at the ends the outer sample is the last one again
            assert real == inside or min(inside) in (0, N - 1), (i, inside, real)
        else:
            assert inside == real, i


@pytest.mark.parametrize("name", ["flip", "adaptive_avg_pool", "im2col"])
def test_operators_without_such_a_rule_have_none(name: str) -> None:
    given: dict[str, Any] = {"flip": {}, "adaptive_avg_pool": {"m": 5}, "im2col": {"k": 2}}[name]
    stage, _ = stage_of(name, given, ())
    assert reaches([stage], 0, 1) is None


def random_taps(rng: random.Random) -> shapes.Taps:
    k, s, d, p = rng.randint(1, 4), rng.randint(1, 3), rng.randint(1, 2), rng.randint(0, 2)
    kind = rng.random()
    if kind < 0.55:
        return (k, s, d, 1, p)
    return shapes.transposed_taps(k, s, d, p) if kind < 0.85 else shapes.upsample_taps(s)


@pytest.mark.parametrize("seed", range(60))
def test_fields_of_random_chains_are_those_of_all_reads(seed: int) -> None:
    """The pattern that is kept agrees with following every tap, and with the plain rules."""
    rng = random.Random(seed)
    layers = [random_taps(rng) for _ in range(rng.randint(1, 4))]
    field: Field | None = Field()
    for taps in layers:
        assert field is not None
        field = through(field, taps)
    assert field is not None
    for i in range(2 * prod(e for _, _, _, e, _ in layers) + 1):
        found = shapes.chain_reads(i, layers)
        assert field.at(i) == ((found[0], found[-1]) if found else None)
    assert field.size == shapes.chain_field(layers)
    assert field.jump == Fraction(shapes.chain_jump(layers))
    assert field.offset == shapes.chain_offset(layers)


def test_the_field_of_a_whole_network_is_what_its_form_reads() -> None:
    text = (
        "nn.Conv1d(1, 1, 3, stride=2, padding=1)",
        "nn.ConvTranspose1d(1, 1, 4, stride=2, padding=1)",
        "nn.Conv1d(1, 1, 3, dilation=2)",
    )
    form = tensor("x", 1, 1, 16)
    for i, line in enumerate(text):
        form = apply(read_layer(line), form, {"weight": tensor(f"w{i}", 1, 1, _length(line))})
    state = run(read_calls(f"nn.Sequential({', '.join(text)})"), (16,))
    field = dict(state.rows[-1].value.fields)["W"]
    assert field is not None
    seen: dict[int, set[int]] = {}
    for key in coefficients(form, {}):
        for name, at in key[1]:
            if name == "x":
                seen.setdefault(int(key[0][-1]), set()).add(int(at[-1]))
    middle = int(form.shape[-1]) // 2
    assert field.at(middle) == (min(seen[middle]), max(seen[middle]))
    assert field.size == max(max(v) - min(v) + 1 for v in seen.values())


def _length(line: str) -> int:
    kernel = read_layer(line).arguments["kernel_size"]
    return int(kernel)


def test_paths_that_meet_see_both() -> None:
    wide, narrow = through(Field(), (7, 1, 1, 1, 3)), through(Field(), (3, 1, 1, 1, 1))
    assert wide is not None and narrow is not None
    both = joined(narrow, wide)
    assert both is not None
    assert (both.size, both.jump) == (7, Fraction(1))
    assert both.offset == 0
    late = through(Field(), (3, 1, 1, 1, 3))
    assert late is not None
    met = joined(wide, late)
    assert met is not None
    assert met.size == 7
    assert met.offset is None
    half = through(Field(), (3, 2, 1, 1, 1))
    assert half is not None
    assert joined(wide, half) is None


def test_without_numbers_or_rules_there_is_no_field() -> None:
    state = run(read_calls("nn.Sequential(nn.Conv1d(1, 1, k), nn.MaxPool1d(2))"), (20,))
    assert [dict(r.value.fields)["W"] for r in state.rows] == [None, None]
    assert behind(None, ()) is None
    assert isinstance(state.rows[0].value.shape[-1], Expr)
