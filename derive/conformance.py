"""The conformance sweep: every dialect call against the framework itself, over drawn configurations.

For each configuration the framework and our reading of the call are compared in this order: is it
legal, the shape of the output, its values, the gradients of the input and of every weight.  Data are
small integers, so that sums are exact; where our exact value is a whole number the framework's must
be equal to it, and elsewhere (averages, interpolation) agree to the runner's precision.

A framework joins in :data:`FRAMEWORKS` with a runner and a module of draws; see
:mod:`derive.numeric.frameworks`.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import numpy as np

from derive.dialects.calls import Name, show
from derive.dialects.registry import CALLS, Spec, bind, load
from derive.errors import DeriveError, NotSupported, WrongInput
from derive.numeric import plan_runner
from derive.numeric.frameworks import Array, Draw, Drawn, Ints, Known, Ran, Refused, integers
from derive.numeric.frameworks.surviving import surviving

ENOUGH = 25  # configurations of a call that takes anything and keeps the shape
KINDS = ("accepted by us", "refused by us", "shape", "value", "gradient", "ended")
ENDED = "the framework ends the process instead of refusing or answering"
Work = tuple[str, str, int, int, int]  # framework, call, axes, count, seed


@dataclass(frozen=True)
class Framework:
    """A framework in the sweep: its dialect, its modules, and the package it needs."""

    dialect: str
    modules: str  # derive.numeric.frameworks.<modules>_runner and …_draws
    package: str

    @property
    def installed(self) -> bool:
        """Whether the framework is installed."""
        return importlib.util.find_spec(self.package) is not None

    def runner(self) -> Any:
        """The module that runs the framework."""
        return importlib.import_module(f"derive.numeric.frameworks.{self.modules}_runner")

    def draws(self) -> Mapping[str, Draw]:
        """The draw function of each call."""
        module = importlib.import_module(f"derive.numeric.frameworks.{self.modules}_draws")
        found: Mapping[str, Draw] = module.DRAWS
        return found

    def known(self) -> tuple[Known, ...]:
        """The places where the framework is known to differ from us."""
        module = importlib.import_module(f"derive.numeric.frameworks.{self.modules}_draws")
        found: tuple[Known, ...] = module.KNOWN
        return found


FRAMEWORKS: dict[str, Framework] = {
    "pytorch": Framework("PyTorch", "pytorch", "torch"),
    "tensorflow": Framework("TensorFlow", "tensorflow", "tensorflow"),
    "keras": Framework("Keras", "keras", "keras"),
    "keras1": Framework("Keras 1", "keras1", "tensorflow"),
    "jax": Framework("JAX", "jax", "flax"),
    "onnx": Framework("ONNX", "onnx", "onnxruntime"),
    "numpy": Framework("NumPy", "numpy", "scipy"),
}


@dataclass(frozen=True)
class Difference:
    """A configuration in which the framework and our reading differ.

    ``kind`` is one of :data:`KINDS`: who alone refuses, or what first differs; ``known`` is the
    reason where it is a known one.
    """

    call: str
    dims: int
    drawn: Drawn
    kind: str
    detail: str
    known: str = ""

    def __str__(self) -> str:
        reason = f" [known: {self.known}]" if self.known else ""
        return f"{written(self.call, self.drawn)}: {self.kind}: {self.detail}{reason}"


@dataclass
class Tally:
    """The figures of one call in one number of axes."""

    call: str
    dims: int
    legal: int = 0
    illegal: int = 0
    empty: int = 0  # refused by us, and the framework gives a tensor without elements
    shapes: int = 0  # legal ones whose shape agrees
    values: int = 0  # … whose values agree
    gradients: int = 0  # gradients that agree, of the input and of the weights
    exact: int = 0  # configurations compared for equality, not within a precision
    differences: list[Difference] = field(default_factory=list)

    @property
    def count(self) -> int:
        """The number of configurations."""
        return self.legal + self.illegal + self.empty + len(self.differences)


def written(call: str, drawn: Drawn) -> str:
    """A configuration as a call, with the shapes of its tensors."""
    shown = [f"{k}={show(v)}" for k, v in drawn.arguments.items()]
    shapes = {"x": drawn.x, **drawn.weights}
    tensors = ", ".join(f"{k}: {show(v)}" for k, v in shapes.items())
    return f"{call}({', '.join(shown)}) on {tensors}"


def specs(framework: str, calls: Sequence[str] = ()) -> tuple[tuple[Spec, int], ...]:
    """The calls of a framework and the numbers of axes to try each in.

    Raises :class:`derive.errors.WrongInput` for a call that the framework does not have.
    """
    load()
    dialect = FRAMEWORKS[framework].dialect
    mine = {name: s for name, s in CALLS.items() if s.dialect == dialect}
    for name in calls:
        if name not in mine:
            raise WrongInput(
                f"--call {name}: {dialect} has no such call here; see `derive shape --calls`"
            )
    chosen = [s for name, s in mine.items() if not calls or name in calls]
    return tuple((s, d) for s in chosen for d in (s.ranks or (s.dims,)))


def sweep(
    framework: str, count: int, seed: int, calls: Sequence[str] = (), jobs: int = 1
) -> Iterator[tuple[Tally, int]]:
    """Compare ``count`` configurations of each call in each number of axes (a quarter of them on
    three axes); yields each tally with the number of tallies still to come.

    The configurations depend on the seed, the call and the number of axes alone, not on ``jobs``,
    the number of processes.

    Raises:
        WrongInput: for an unknown call.
        NotSupported: where the framework is not installed.
    """
    asked = FRAMEWORKS[framework]
    if not asked.installed:
        raise NotSupported(
            f"--framework {framework}: {asked.package} is not installed; pip install {asked.package}"
        )
    work = [
        (framework, s.name, d, count if d < 3 else -(-count // 4), seed)
        for s, d in specs(framework, calls)
    ]
    rest = range(len(work) - 1, -1, -1)
    results = surviving(tally_of, work, jobs)
    for (tally, ended), item, left in zip(results, work, rest, strict=True):
        draw = asked.draws()[item[1]]
        for number in sorted(ended):
            drawn = draw(Random(_seed(item, number)), item[2])
            tally.differences.append(Difference(*item[1:3], drawn, KINDS[-1], ENDED, ENDED))
        yield tally, left


def _seed(work: Work, number: int) -> str:
    """What the draws of a configuration depend on."""
    _, name, dims, _, seed = work
    return f"{seed} {name} {dims} {number}"


def tally_of(work: Work, left_out: frozenset[int], begins: Callable[[int], None]) -> Tally:
    """The tally of one call in one number of axes."""
    framework, name, dims, count, _ = work
    load()
    asked, spec = FRAMEWORKS[framework], CALLS[name]
    draws = asked.draws()
    if name not in draws:
        raise WrongInput(f"{name}: there is no draw function for it; add one to its draws")
    runner, known, tally = asked.runner(), asked.known(), Tally(name, dims)
    for number in range(count):
        if number in left_out:
            continue
        if number == ENOUGH and tally.legal == number and not tally.values:
            break  # it takes anything, and only the shape is compared
        begins(number)
        text = _seed(work, number)
        compare(spec, dims, draws[name](Random(text), dims), runner, known, tally, text)
    return tally


def compare(
    spec: Spec,
    dims: int,
    drawn: Drawn,
    runner: Any,
    known: Sequence[Known],
    tally: Tally,
    seed: str,
) -> None:
    """Compare one configuration and enter it in the tally."""
    found = _compared(spec, dims, drawn, runner, tally, seed)
    if found is None:
        return
    kind, detail = found
    explained = (
        k.reason for k in known if spec.name in k.calls and k.kind == kind and k.applies(drawn)
    )
    reason = next(explained, "")
    tally.differences.append(Difference(spec.name, dims, drawn, kind, detail, reason))


def _compared(
    spec: Spec, dims: int, drawn: Drawn, runner: Any, tally: Tally, seed: str
) -> tuple[str, str] | None:
    x = integers(f"{seed} x", drawn.x)
    mine: plan_runner.Prepared | None = None
    refusal = ""
    shapes = {**drawn.weights, **{k: v.shape for k, v in drawn.data.items()}}
    try:
        layer = bind(spec, *_arguments(spec, drawn))
        mine = plan_runner.prepare(layer, drawn.x, shapes)
        shapes = {**mine.operands, **shapes}
    except DeriveError as error:
        refusal = str(error)
    weights = {k: integers(f"{seed} {k}", s) for k, s in shapes.items()} | dict(drawn.data)
    try:
        ran: Ran = runner.run(
            spec.name, dims, drawn.arguments, x, weights, lambda s: integers(f"{seed} g", s)
        )
    except Refused as error:
        if mine is not None:
            return "accepted by us", f"the framework refuses it: {error}"
        tally.illegal += 1
        return None
    if mine is None and ran.output.size == 0:
        tally.empty += 1
        return None
    if mine is None:
        return "refused by us", f"the framework gives {ran.output.shape}; we say: {refusal}"
    return _agree(mine, drawn, x, weights, ran, runner.PRECISION, tally, seed)


def _arguments(spec: Spec, drawn: Drawn) -> tuple[tuple[()], dict[str, Any]]:
    """The arguments by name: the tensors of a functional call are names."""
    given = {*drawn.weights, *drawn.data}
    tensors = {t: Name(t) for t in spec.tensors[1:] if t in given}
    applied = {t: Name(t) for t in spec.applied if t in drawn.data}
    first = {spec.tensors[0]: Name("x")} if spec.tensors else {}
    return (), {**first, **tensors, **applied, **drawn.arguments}


def _agree(
    mine: plan_runner.Prepared,
    drawn: Drawn,
    x: Array,
    weights: Mapping[str, Array],
    ran: Ran,
    precision: float,
    tally: Tally,
    seed: str,
) -> tuple[str, str] | None:
    if mine.shape != ran.output.shape:
        return "shape", f"the framework gives {ran.output.shape}, we {mine.shape}"
    if mine.shape_only or not drawn.values:
        tally.legal, tally.shapes = tally.legal + 1, tally.shapes + 1
        return None
    result = plan_runner.run(mine, x, weights, integers(f"{seed} g", mine.shape))
    allowed = 0.0 if result.exact else precision
    wrong = disagreement(result.output, ran.output, allowed)
    if wrong:
        return "value", wrong
    for name, gradient in ran.gradients.items():
        wrong = disagreement(result.gradients[name], gradient, allowed)
        if wrong:
            return "gradient", f"of {name}: {wrong}"
    tally.legal, tally.shapes, tally.values = tally.legal + 1, tally.shapes + 1, tally.values + 1
    tally.gradients += len(ran.gradients)
    tally.exact += result.exact
    return None


def disagreement(mine: Array, theirs: Array, precision: float) -> str:
    """Where two arrays differ by more than the precision (relative to the largest), or "".

    >>> disagreement(np.array([1.0, 0.5]), np.array([1.0, 0.5 + 1e-14]), 1e-12)
    ''
    >>> disagreement(np.array([1.0]), np.array([1.5]), 0)
    'at (0,): the framework gives 1.5, we 1'
    """
    if mine.shape != theirs.shape:
        return f"the framework's has the shape {theirs.shape}, ours {mine.shape}"
    theirs = theirs.astype(np.float64)
    largest = max(1.0, float(np.max(np.abs(mine[np.isfinite(mine)]), initial=0.0)))
    with np.errstate(invalid="ignore"):
        same = (mine == theirs) | (np.abs(mine - theirs) <= precision * largest)
    if same.all():
        return ""
    at: Ints = tuple(int(i) for i in np.argwhere(~same)[0])
    return f"at {at}: the framework gives {theirs[at]:.16g}, we {mine[at]:.16g}"


def totals(tallies: Sequence[Tally]) -> Counter[str]:
    """The sums of the figures over calls."""
    total: Counter[str] = Counter()
    for t in tallies:
        total.update(
            legal=t.legal,
            illegal=t.illegal,
            empty=t.empty,
            shapes=t.shapes,
            values=t.values,
            exact=t.exact,
        )
        total.update(gradients=t.gradients, configurations=t.count)
        total.update(known=sum(1 for d in t.differences if d.known))
        total.update(unknown=sum(1 for d in t.differences if not d.known))
    return total
