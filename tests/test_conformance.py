"""The sweep against the frameworks themselves: a small seeded part, and that it can fail."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from derive import cli, conformance
from derive.conformance import FRAMEWORKS, Tally, compare, specs, sweep, tally_of
from derive.conformance_report import Swept, report, unexplained
from derive.dialects.registry import find
from derive.errors import NotSupported, WrongInput
from derive.numeric import plan_runner
from derive.numeric.frameworks import Array, Drawn, Gradient, Known, Ran, Refused, integers
from derive.numeric.frameworks.surviving import surviving

SEED = 7
COUNT = {"pytorch": 4, "tensorflow": 1, "keras": 1, "keras1": 1, "jax": 1, "onnx": 2, "numpy": 4}


def needs(framework: str) -> None:
    if not FRAMEWORKS[framework].installed:
        pytest.skip(f"{FRAMEWORKS[framework].package} is not installed")


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_every_call_agrees_with_its_framework(framework: str) -> None:
    needs(framework)
    tallies = [tally for tally, _ in sweep(framework, COUNT[framework], SEED)]
    assert {t.call for t in tallies} == {s.name for s, _ in specs(framework)}
    assert sum(t.legal for t in tallies) > 0 < sum(t.gradients for t in tallies)
    assert [str(d) for d in unexplained(tallies)] == []


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_every_call_has_a_draw(framework: str) -> None:
    needs(framework)
    draws = FRAMEWORKS[framework].draws()
    assert [s.name for s, _ in specs(framework) if s.name not in draws] == []


def test_draws_are_legal_and_illegal() -> None:
    """A sweep of legal calls alone would not see what we accept wrongly."""
    needs("pytorch")
    for name in ("nn.Conv2d", "nn.ConvTranspose1d", "F.max_pool2d", "F.conv1d", "nn.PixelShuffle"):
        ((tally, _),) = sweep("pytorch", 40, SEED, [name])
        assert tally.legal >= 8 and tally.illegal >= 3, name
        assert tally.count == 40


# A framework that is wrong in one respect: the comparison sees each.


@dataclass(frozen=True)
class Wrong:
    """Our own reading as a framework, with one thing changed."""

    what: str
    PRECISION: float = 1e-12

    def version(self) -> str:
        return "0"

    def run(
        self,
        name: str,
        dims: int,
        arguments: Mapping[str, Any],
        x: Array,
        weights: Mapping[str, Array],
        g: Gradient,
    ) -> Ran:
        from derive.dialects.registry import bind

        if self.what == "refuses":
            raise Refused("no")
        try:
            layer = bind(find(name), (), arguments)
        except WrongInput as error:
            if self.what == "accepts":
                return Ran(x, {})
            raise Refused(str(error)) from None
        prepared = plan_runner.prepare(layer, x.shape)
        result = plan_runner.run(prepared, x, weights, g(prepared.shape))
        output, gradients = result.output, dict(result.gradients)
        if self.what == "shape":
            output = output[..., 1:]
        if self.what == "value":
            output = output + np.eye(1, output.size, output.size - 1).reshape(output.shape)
        if self.what in gradients:
            gradients[self.what] = gradients[self.what] * 2
        return Ran(output, gradients)


LEGAL = Drawn({"in_channels": 2, "out_channels": 3, "kernel_size": 2, "stride": 2}, (1, 2, 7))
ILLEGAL = replace(LEGAL, arguments={**LEGAL.arguments, "stride": 0})


@pytest.mark.parametrize(
    ("what", "drawn", "kind"),
    [
        ("refuses", LEGAL, "accepted by us"),
        ("accepts", ILLEGAL, "refused by us"),
        ("shape", LEGAL, "shape"),
        ("value", LEGAL, "value"),
        ("x", LEGAL, "gradient"),
        ("weight", LEGAL, "gradient"),
        ("bias", LEGAL, "gradient"),
    ],
)
def test_the_comparison_sees_what_is_wrong(what: str, drawn: Drawn, kind: str) -> None:
    tally = Tally("nn.Conv1d", 1)
    compare(find("nn.Conv1d"), 1, drawn, Wrong(what), (), tally, "seed")
    assert [d.kind for d in tally.differences] == [kind]
    assert (tally.legal, tally.illegal) == (0, 0)


@pytest.mark.parametrize(("drawn", "legal"), [(LEGAL, 1), (ILLEGAL, 0)])
def test_the_comparison_passes_what_is_right(drawn: Drawn, legal: int) -> None:
    tally = Tally("nn.Conv1d", 1)
    compare(find("nn.Conv1d"), 1, drawn, Wrong(""), (), tally, "seed")
    assert tally.differences == []
    assert (tally.legal, tally.illegal, tally.exact, tally.gradients) == (
        legal, 1 - legal, legal, 3 * legal,
    )  # fmt: skip


def test_a_known_difference_is_counted_apart() -> None:
    known = Known(("nn.Conv1d",), "value", lambda drawn: drawn.x[-1] == 7, "a reason", "f(x)")
    tallies = []
    for n in (7, 9):
        tally = Tally("nn.Conv1d", 1)
        drawn = replace(LEGAL, x=(1, 2, n))
        compare(find("nn.Conv1d"), 1, drawn, Wrong("value"), (known,), tally, "seed")
        tallies.append(tally)
    assert [d.known for t in tallies for d in t.differences] == ["a reason", ""]
    swept = Swept(FRAMEWORKS["pytorch"], "0", 1e-12, tuple(tallies), (known,))
    text = report((swept,), "derive conform")
    assert "- a reason (1 configurations).\n  Smallest example: f(x)." in text
    assert "### Unexplained differences\n\n- nn.Conv1d(in_channels=2" in text


def test_a_wrong_reading_of_a_call_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """nn.Conv1d read with a stride that is one too large."""
    needs("pytorch")
    spec = find("nn.Conv1d")

    def wrong(dims: int, *, stride: Any = 1, **rest: Any) -> Any:
        larger = tuple(s + 1 for s in stride) if isinstance(stride, tuple) else stride + 1
        return spec.meaning(dims, stride=larger, **rest)

    monkeypatch.setattr(conformance, "bind", lambda s, a, k: wrong(s.dims, **k))
    tally = tally_of(("pytorch", "nn.Conv1d", 1, 12, SEED), frozenset(), lambda number: None)
    assert {d.kind for d in tally.differences} >= {"shape"}


def test_the_draws_depend_on_the_seed_alone() -> None:
    needs("pytorch")
    draws = FRAMEWORKS["pytorch"].draws()
    for name in ("nn.Conv2d", "nn.MaxUnpool2d", "F.pad"):
        first, second = (draws[name](Random("1"), 2) for _ in range(2))
        assert (first.arguments, first.x) == (second.arguments, second.x)
        assert draws[name](Random("2"), 2).arguments != first.arguments


def test_data_have_no_special_values() -> None:
    values = set(integers("a", (400,)).tolist())
    assert values == set(range(-9, 10)) - {0, 1}


def test_the_command_writes_the_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    needs("pytorch")
    out = tmp_path / "conformance.md"
    arguments = ["conform", "--framework", "pytorch", "--count", "3", "--call", "nn.Flatten"]
    assert cli.run([*arguments, "--jobs", "1", "--out", str(out)]) == 0
    assert "PyTorch 2" in capsys.readouterr().out
    text = out.read_text(encoding="utf-8")
    assert (
        "Made by `derive conform --framework pytorch --count 3 --seed 1 --call nn.Flatten" in text
    )
    assert "| `nn.Flatten` | 2 | 3 | 3 |" in text
    cli.run([*arguments, "--jobs", "2", "--out", str(out)])
    assert out.read_text(encoding="utf-8") == text


def test_what_the_command_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    needs("pytorch")
    assert cli.run(["conform", "--framework", "pytorch", "--call", "nn.Nothing"]) == 2
    said = capsys.readouterr().err
    assert "--call nn.Nothing: PyTorch has no such call here" in said
    missing = tmp_path / "no" / "file.md"
    assert cli.run(["conform", "--framework", "pytorch", "--out", str(missing)]) == 2
    assert "does not exist; make it first" in capsys.readouterr().err


def test_a_framework_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = replace(FRAMEWORKS["pytorch"], package="no_such_package")
    monkeypatch.setitem(FRAMEWORKS, "pytorch", absent)
    with pytest.raises(NotSupported, match="no_such_package is not installed; pip install"):
        next(sweep("pytorch", 1, 1))


def deadly(item: str, left_out: frozenset[int], begins: Callable[[int], None]) -> list[int]:
    """Ends its process at 2 and at 4, as some calls of a framework do."""
    done = []
    for number in range(6):
        if number not in left_out:
            begins(number)
            if number in (2, 4) and item == "deadly":
                os.kill(os.getpid(), signal.SIGKILL)
            done.append(number)
    return done


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_sweep_outlives_the_framework(jobs: int) -> None:
    found = list(surviving(deadly, ["harmless", "deadly"], jobs))
    assert found == [([0, 1, 2, 3, 4, 5], frozenset()), ([0, 1, 3, 5], frozenset({2, 4}))]


# Odd totals of padding: on which side each framework puts the sample too many.  The seeded part of
# the sweep above draws few of them.

Case = tuple[str, str, dict[str, Any], tuple[int, ...], dict[str, tuple[int, ...]]]
ONE = {"in_channels": 1, "out_channels": 1, "bias": False}


_SIDES = ((5, 2, 1, 1), (6, 4, 1, 3), (7, 3, 2, 1), (6, 3, 2, 1), (6, 2, 3, 1), (6, 3, 4, 1))


def _sides() -> list[Case]:
    found: list[Case] = []
    for n, k, s, d in _SIDES:
        if s == 1:
            torch: dict[str, Any] = {**ONE, "kernel_size": k, "padding": "same", "dilation": d}
            found.append(("pytorch", "nn.Conv1d", torch, (1, 1, n), {}))
            plain: dict[str, Any] = {"padding": "same", "dilation": d}
            found.append(("pytorch", "F.conv2d", plain, (1, 1, n, 4), {"weight": (1, 1, k, 2)}))
        keras = {"kernel_size": k, "padding": "same", "strides": s, "dilation_rate": d}
        found.append(("keras", "keras.layers.Conv1D", {"filters": 1, **keras}, (1, n, 1), {}))
        back = {"filters": 1, "kernel_size": k, "padding": "same", "strides": s}
        found.append(("keras", "keras.layers.Conv1DTranspose", back, (1, n, 1), {}))
        tf = {"strides": s, "padding": "SAME", "dilations": d}
        kernel: dict[str, tuple[int, ...]] = {"filters": (k, 2, 1, 1)}
        found.append(("tensorflow", "tf.nn.conv2d", tf, (1, n, n, 1), kernel))
        wide = {"output_shape": (1, n * s, n * s, 1), "strides": s, "padding": "SAME"}
        found.append(("tensorflow", "tf.nn.conv2d_transpose", wide, (1, n, n, 1), kernel))
        pool = {"pool_size": k, "strides": s, "padding": "same"}
        found.append(("keras", "keras.layers.AveragePooling1D", pool, (1, n, 1), {}))
        for name in ("SAME", "SAME_LOWER"):
            jax = {"window_strides": (s,), "padding": name, "rhs_dilation": (d,)}
            found.append(("jax", "lax.conv_general_dilated", jax, (1, 1, n), {"rhs": (1, 1, k)}))
        jax = {"strides": (s,), "padding": "SAME"}
        found.append(("jax", "lax.conv_transpose", jax, (1, n, 1), {"rhs": (k, 1, 1)}))
        for name in ("SAME_UPPER", "SAME_LOWER"):
            node = {"auto_pad": name, "strides": (s,)}
            found.append(("onnx", "onnx.Conv", node, (1, 1, n), {"W": (1, 1, k)}))
            found.append(("onnx", "onnx.ConvTranspose", node, (1, 1, n), {"W": (1, 1, k)}))
            shaped = {"kernel_shape": (k,), **node}
            found.append(("onnx", "onnx.AveragePool", shaped, (1, 1, n), {}))
    return found


@pytest.mark.parametrize("framework", ["pytorch", "tensorflow", "keras", "jax", "onnx"])
def test_the_side_of_the_sample_too_many(framework: str) -> None:
    needs(framework)
    asked = FRAMEWORKS[framework]
    for of, name, arguments, x, weights in _sides():
        if of != framework:
            continue
        spec, tally = find(name), Tally(name, 1)
        drawn = Drawn(arguments, x, weights)
        compare(spec, len(x) - 2, drawn, asked.runner(), asked.known(), tally, "side")
        assert [str(d) for d in tally.differences if not d.known] == []
        assert tally.values == 1 or tally.differences, (name, arguments)
