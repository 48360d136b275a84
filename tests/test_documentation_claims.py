"""What the documentation of PyTorch and Keras says of their layers: every verdict is the one on file, and
the frameworks themselves agree with it at small sizes.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from derive.claims.files import Entry, read_file
from derive.claims.judge import judge
from derive.claims.meaning import read
from derive.claims.report import make_row

FOLDER = Path(__file__).parent.parent / "proofs" / "docs"
FILES = ("pytorch", "keras")
ENTRIES: list[tuple[str, dict[str, Any]]] = [
    (name, e)
    for name in FILES
    for e in yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
]
FIELDS = {"id", "row", "statement", "source", "reading", "claim", "expected"}
ADDRESSES = {
    "pytorch": "https://docs.pytorch.org/docs/stable/generated/torch.nn.",
    "keras": "https://keras.io/api/layers/",
}
PAGES = {
    "pytorch": {
        *(f"Conv{d}d" for d in (1, 2, 3)),
        *(f"ConvTranspose{d}d" for d in (1, 2, 3)),
        *(f"MaxPool{d}d" for d in (1, 2, 3)),
        *(f"AvgPool{d}d" for d in (1, 2, 3)),
        *("LPPool1d", "LPPool2d", "AdaptiveAvgPool1d", "MaxUnpool1d", "Unfold", "Fold"),
        *("Upsample", "PixelShuffle", "PixelUnshuffle"),
        *(f"{m}Pad1d" for m in ("Zero", "Constant", "Reflection", "Replication", "Circular")),
    },
    "keras": {
        *("Conv1D", "Conv2D", "DepthwiseConv2D", "Conv1DTranspose", "Conv2DTranspose"),
        *("MaxPooling1D", "MaxPooling2D", "AveragePooling1D", "AveragePooling2D"),
        *("GlobalAveragePooling1D", "UpSampling1D", "UpSampling2D"),
        *("ZeroPadding1D", "ZeroPadding2D", "Cropping1D", "Cropping2D"),
    },
}
each = pytest.mark.parametrize(("name", "entry"), ENTRIES, ids=[e["id"] for _, e in ENTRIES])


@pytest.mark.parametrize("name", FILES)
def test_every_layer_has_claims_with_sources(name: str) -> None:
    mine = [e for f, e in ENTRIES if f == name]
    assert {e["row"] for e in mine} == PAGES[name]
    assert len({e["id"] for e in mine}) == len(mine)
    for e in mine:
        assert set(e) <= FIELDS
        assert e["source"]["url"].startswith(ADDRESSES[name])
        assert e["statement"].endswith(".")
    assert len(read_file(FOLDER / f"{name}.yaml")) == len(mine)


def test_several_statements_are_not_true_for_all_sizes() -> None:
    false = {e["id"] for _, e in ENTRIES if e["expected"] != "proved"}
    assert {"MaxPool1d.2", "MaxPool1d.3", "ConvTranspose1d.2", "AveragePooling2D.2"} <= false
    assert len(false) >= 20


@each
def test_the_verdict_is_the_one_on_file(name: str, entry: dict[str, Any]) -> None:
    made = Entry(entry["claim"], id=entry["id"], expected=" ".join(entry["expected"].split()))
    row = make_row(made, judge(entry["claim"], 60.0), 0.0)
    assert row["as_expected"], (row["verdict"], row["condition"], row["reason"])


# -- the frameworks themselves ---------------------------------------------------------------------

POINTS = 60
TENSOR = re.compile(r"\b([xy])(\[[^\]]*\])?(?=[),])")
NATURAL = {"1": ("N", "C", "L"), "2": ("N", "C", "H", "W"), "3": ("N", "C", "D", "H", "W")}
SIZE = re.compile(r"\b(?:[NCLDHWkspdrc]\d?|c_in|c_out|h\d)\b")


def about_shapes() -> list[tuple[str, dict[str, Any]]]:
    """The claims about the shapes of layers."""
    return [(n, e) for n, e in ENTRIES if re.match(r"(s\*|\()*(length|shape)\(", e["claim"])]


def ceil_div(a: int, b: int) -> int:
    return -(-a // b)


def natural(claim: str) -> str:
    """The axes of an input whose shape is not written, in the order of the framework."""
    dims = re.search(r"(?:nn|layers)\.\w*?([123])[dD]", claim)
    letters = NATURAL["2" if dims is None else dims[1]]
    if "nn." not in claim:
        return ", ".join((letters[0], *letters[2:], "C"))
    read = re.findall(r"nn\.Conv\w*\((\w+),", claim.partition("==")[0])
    return ", ".join((letters[0], read[-1] if read else "C", *letters[2:]))  # the innermost layer's


def executable(claim: str) -> str:
    """The claim with an empty tensor in the place of each input."""
    shapes = {m[1]: m[2][1:-1] for m in TENSOR.finditer(claim) if m[2]}
    return TENSOR.sub(lambda m: f"make(({shapes.get(m[1], natural(claim))},))", claim)


def framework(name: str) -> tuple[dict[str, Any], Callable[[tuple[int, ...]], Any]]:
    """The layers of a framework, and what makes an input of a shape."""
    if name == "pytorch":
        torch = pytest.importorskip("torch")
        return {"nn": torch.nn}, lambda shape: torch.empty(shape, device="meta")
    keras = pytest.importorskip("keras")
    return {"keras": keras}, lambda shape: keras.KerasTensor(shape)


def draws(claim: str, seed: str) -> Iterator[dict[str, int]]:
    """Random sizes: small parameters, longer inputs."""
    rng = random.Random(seed)
    names = sorted({*SIZE.findall(claim), "N", "C", "L", "D", "H", "W"})
    for _ in range(POINTS):
        env = {}
        for s in names:
            low, high = (0, 2) if s[0] in "pr" else (3, 11) if s in "LDHW" else (1, 3)
            env[s] = rng.randint(low, high)
        yield env


@pytest.mark.parametrize(
    ("name", "entry"), about_shapes(), ids=[e["id"] for _, e in about_shapes()]
)
def test_the_framework_agrees_with_the_verdict(name: str, entry: dict[str, Any]) -> None:
    """Shapes as the framework gives them, without any of our rules."""
    layers, make = framework(name)
    body, _, hypothesis = " ".join(entry["claim"].split()).partition(" for ")
    body = executable(body)
    condition = entry["expected"].partition("holds when ")[2] or "True"
    asked = 0
    for env in draws(entry["claim"], entry["id"]):
        scope = {**env, **layers, "ceil_div": ceil_div, "max": max, "make": make}
        scope["length"] = lambda f, axis: tuple(f.shape)[axis]
        scope["shape"] = lambda f: tuple(f.shape)
        if hypothesis and not eval(hypothesis, scope):
            continue
        try:
            found = eval(body, scope)
        except (RuntimeError, ValueError):  # the framework refuses these sizes
            continue
        asked += 1
        assert found == bool(eval(condition, scope)), env
    assert asked >= 5


def test_a_claim_of_the_documentation_says_what_it_shares() -> None:
    found = read("nn.Conv2d(4, 8, 3)(x) == keras.layers.Conv2D(8, 3)(x)").readings
    assert any("the kernel of both sides is the same" in r for r in found)
