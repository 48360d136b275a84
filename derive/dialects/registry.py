"""The calls that are known: each joins where its framework's module defines it.

A call is a Python function with the framework's own parameter names and defaults, so that binding
its arguments follows the same rules as the framework.  :func:`call` registers it under its name;
``{d}`` in a name stands for the number of spatial axes.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from typing import Any

from derive.dialects import words
from derive.dialects.calls import EXTREMES, Call, Name, Sum, read_calls, show
from derive.dialects.layer import Layer
from derive.errors import WrongInput
from derive.expr import Expr, maximum, minimum
from derive.symbols import offset, size

Meaning = Callable[..., Layer]
Count = Callable[[Mapping[str, Any]], "int | None"]
Spelling = Callable[[Call], Call]


@dataclass(frozen=True)
class Spec:
    """A call of a framework: its name, the number of spatial axes, and the function that reads it.

    ``tensors`` are the parameters that take tensors; the first of a function is its input.  A layer
    object (``nn.Conv2d``) has none: its input comes later.  ``ranks`` are the numbers of spatial axes
    of a call that takes inputs of several, and ``applied`` the parameters that belong to the second
    call, ``layer(…)(x, output_size)``.  ``count`` reads the number of spatial axes from the
    arguments, None where they leave it to the input.  ``aliases`` are other names of parameters, such
    as those of an older version.
    """

    name: str
    dialect: str
    dims: int
    meaning: Meaning
    tensors: tuple[str, ...] = ()
    ranks: tuple[int, ...] = ()
    applied: tuple[str, ...] = ()
    count: Count | None = None
    aliases: tuple[tuple[str, str], ...] = ()

    def takes(self, written: Call) -> bool:
        """Do the arguments fit the names and the number of the parameters?"""
        names = named(self, dict(written.keywords))
        try:
            inspect.signature(self.meaning).bind(self.dims, *written.arguments, **names)
        except TypeError:
            return False
        return True


@dataclass(frozen=True)
class Dialect:
    """A framework: its name, the modules that define its calls, and the prefixes people write.

    A call that fits both is of ``newer`` where that is given.
    """

    name: str
    modules: tuple[str, ...]
    prefixes: tuple[tuple[str, str], ...]  # (as written, as registered)
    newer: str = ""


DIALECTS: tuple[Dialect, ...] = (
    Dialect(
        "PyTorch",
        (
            "derive.dialects.pytorch",
            "derive.dialects.pytorch_transpose",
            "derive.dialects.pytorch_pool",
            "derive.dialects.pytorch_unpool",
            "derive.dialects.pytorch_columns",
            "derive.dialects.pytorch_resize",
            "derive.dialects.pytorch_pad",
            "derive.dialects.pytorch_plain",
        ),
        (
            ("torch.nn.functional.", "F."),
            ("nn.functional.", "F."),
            ("torch.nn.", "nn."),
            ("F.", "F."),
            ("nn.", "nn."),
        ),
    ),
    Dialect(
        "JAX",
        (
            "derive.dialects.jax_lax",
            "derive.dialects.jax_windows",
            "derive.dialects.jax_arrays",
            "derive.dialects.jax_flax",
        ),
        (
            ("jax.lax.", "lax."),
            ("jax.numpy.", "jnp."),
            ("flax.linen.", "linen."),
            ("image.", "jax.image."),
        ),
    ),
    Dialect(
        "NumPy",
        ("derive.dialects.jax_arrays",),
        (("numpy.", "np."), ("scipy.signal.", "signal."), ("sp.signal.", "signal.")),
    ),
    Dialect(
        "ONNX",
        (
            "derive.dialects.onnx_conv",
            "derive.dialects.onnx_pool",
            "derive.dialects.onnx_resample",
        ),
        (
            ("onnx.helper.", "helper."),
            ("op.", "onnx."),
        ),
    ),
    Dialect(
        "TensorFlow",
        (
            "derive.dialects.tensorflow",
            "derive.dialects.tensorflow_transpose",
            "derive.dialects.tensorflow_pool",
            "derive.dialects.tensorflow_plain",
        ),
        (
            ("tensorflow.", "tf."),
            ("tf.compat.v1.", "tf."),
            ("tensorflow.compat.v1.", "tf."),
            ("nn.", "tf.nn."),
        ),
    ),
    Dialect(
        "Keras",
        (
            "derive.dialects.keras",
            "derive.dialects.keras_pool",
            "derive.dialects.keras_plain",
        ),
        (
            ("tf.keras.layers.", "keras.layers."),
            ("tensorflow.keras.layers.", "keras.layers."),
            ("layers.", "keras.layers."),
            ("tf.keras.", "keras."),
            ("tensorflow.keras.", "keras."),
            ("ops.", "keras.ops."),
        ),
    ),
    Dialect(
        "Keras 1",
        ("derive.dialects.keras1", "derive.dialects.keras1_plain"),
        (
            ("keras1.layers.", "keras1."),
            ("keras.layers.convolutional.", "keras1."),
            ("keras.layers.pooling.", "keras1."),
            ("keras.layers.", "keras1."),
            ("layers.", "keras1."),
        ),
        newer="Keras",
    ),
)
CALLS: dict[str, Spec] = {}
SPELLINGS: dict[str, Spelling] = {}
FLOATS = re.compile(r"scale|factor|roi|ratio|value")  # parameters that take 2.0 as well as 2
AMOUNT = re.compile(r"(p|r|pad|padding|output_padding)(_\w+|\d*)")  # names that may be 0


def call(
    dialect: str,
    name: str,
    *,
    dims: Sequence[int] = (1, 2, 3),
    tensors: Sequence[str] = (),
    applied: Sequence[str] = (),
    count: Count | None = None,
    aliases: Mapping[str, str] | None = None,
) -> Callable[[Meaning], Meaning]:
    """Register the decorated function ``f(dims, …)`` as a call of a dialect.

    A name without ``{d}`` and several ``dims`` is a call whose axes are those of its input; the
    first of ``dims`` is meant where no input tells.
    """

    def register(meaning: Meaning) -> Meaning:
        for d in dims if "{d}" in name else dims[:1]:
            spoken, ranks = name.format(d=d), () if "{d}" in name else tuple(dims)
            others = tuple((aliases or {}).items())
            CALLS[spoken] = Spec(
                spoken, dialect, d, meaning, tuple(tensors), ranks, tuple(applied), count, others
            )
        return meaning

    return register


def spelling(name: str) -> Callable[[Spelling], Spelling]:
    """Register the decorated function as the reader of a roundabout way to write a call, such as
    ``onnx.helper.make_node("Conv", …)``: it gives the call that is meant.
    """

    def register(read: Spelling) -> Spelling:
        SPELLINGS[name] = read
        return read

    return register


def spelled(written: Call) -> Call:
    """The call itself, where it is written in a roundabout way."""
    load_for(written.name)
    for candidate in _candidates(written.name):
        if candidate in SPELLINGS:
            return SPELLINGS[candidate](written)
    return written


def count_of(*names: str) -> Callable[[Mapping[str, Any]], int | None]:
    """Reads the number of spatial axes from the first of the named arguments that is a tuple."""

    def count(given: Mapping[str, Any]) -> int | None:
        for name in names:
            if isinstance(given.get(name), tuple):
                return len(given[name])
        return None

    return count


@cache
def load() -> None:
    """Import every dialect, so that its calls are registered."""
    for dialect in DIALECTS:
        for module in dialect.modules:
            importlib.import_module(module)


def load_for(name: str) -> None:
    """Import the dialects that a written name may be of: those with its prefix, all where it has
    none or where none of these knows it.
    """
    if "." in name:
        for dialect in DIALECTS:
            if any(name.startswith(prefix) for pair in dialect.prefixes for prefix in pair):
                for module in dialect.modules:
                    importlib.import_module(module)
        if any(c in CALLS or c in SPELLINGS for c in _candidates(name)):
            return
    load()


def find(name: str, written: Call | None = None, prefer: str = "") -> Spec:
    """The call that a written name means, of the dialect ``prefer`` where that has it.

    A prefix may be written in full (``torch.nn.functional.conv2d``) or be left out where only one
    call has the rest of the name and takes the arguments that are ``written``.  Raises
    :class:`derive.errors.WrongInput` for an unknown name.

    >>> find("torch.nn.Conv2d").name
    'nn.Conv2d'
    """
    load_for(name)
    found = _named(name)
    if written is not None and len(found) > 1:
        found = [s for s in found if s.takes(written)] or found
    found = [s for s in found if s.dialect == prefer] or found
    newer = {d.name: d.newer for d in DIALECTS}
    found = [s for s in found if newer[s.dialect] not in {o.dialect for o in found}]
    if found and ("." in name or len(found) == 1):
        return found[0]
    if any(candidate in SPELLINGS for candidate in _candidates(name)):
        raise WrongInput(f"{name}: it is a way to write other calls; write it with its arguments")
    last = name.rsplit(".", 1)[-1]
    bare = found or [s for s in CALLS.values() if s.name.rsplit(".", 1)[-1] == last]
    if bare and "." not in name:
        known = " or ".join(s.name for s in bare)
        raise WrongInput(f"the call {name!r} may be of several frameworks; write {known}")
    near = _alike(name)
    hint = f"did you mean {' or '.join(near)}?" if near else "see `derive shape --calls`"
    raise WrongInput(f"the call {name!r} is unknown; {hint}")


def _alike(name: str) -> list[str]:
    """Calls with a like name: the same in other capitals, else of the same prefix, else of any."""
    written = _candidates(name)
    order = [d.name for d in DIALECTS]
    calls = [s.name for s in sorted(CALLS.values(), key=lambda s: (order.index(s.dialect), s.name))]
    lower = dict.fromkeys(c.lower() for c in written)
    same = [c for w in lower for c in calls if c.lower() == w]
    if same:
        return same
    prefixes = dict.fromkeys(c.rpartition(".")[0] for c in written if "." in c)
    here = [c for p in prefixes for c in calls if c.rpartition(".")[0] == p]
    last = name.rpartition(".")[2].lower()
    for group in (here, calls):
        lasts = dict.fromkeys(c.rpartition(".")[2].lower() for c in group)
        close = [last] if last in lasts else difflib.get_close_matches(last, lasts, 3, 0.6)
        found = [c for n in close for c in group if c.rpartition(".")[2].lower() == n]
        if found:
            return found[:3]
    return []


def _named(name: str) -> list[Spec]:
    """The calls that a name may mean: by its prefix or, where it has none, by the rest."""
    found = [CALLS[c] for c in dict.fromkeys(_candidates(name)) if c in CALLS]
    if found or "." in name:
        return found
    return [s for s in CALLS.values() if s.name.rsplit(".", 1)[-1] == name]


def known(name: str) -> bool:
    """Is this the name of a call of some framework?

    >>> known("nn.Conv2d"), known("flip")
    (True, False)
    """
    load_for(name)
    return bool(_named(name))


def _candidates(name: str) -> list[str]:
    found = [name]
    for dialect in DIALECTS:
        for written, registered in dialect.prefixes:
            if name.startswith(written):
                found.append(registered + name[len(written) :])
    return found


def bind(spec: Spec, arguments: Sequence[Any], keywords: Mapping[str, Any]) -> Layer:
    """The call with its arguments, defaults filled in.

    Raises:
        WrongInput: for missing or unknown arguments, and for values that the framework refuses.
    """
    signature = inspect.signature(spec.meaning)
    keywords = named(spec, keywords)
    try:
        bound = signature.bind(spec.dims, *arguments, **keywords)
    except TypeError as error:
        raise WrongInput(_misfit(spec, signature, arguments, keywords, error)) from None
    bound.apply_defaults()
    given = {k: v for k, v in bound.arguments.items() if k != "dims"}
    return rebuild(spec, {k: _whole(v) if FLOATS.search(k) else v for k, v in given.items()})


def _whole(value: Any) -> Any:
    """2.0 as 2: for the parameters that take numbers of both kinds."""
    if isinstance(value, tuple):
        return tuple(map(_whole, value))
    whole = isinstance(value, Fraction) and value.denominator == 1
    return int(value) if whole else value


def named(spec: Spec, keywords: Mapping[str, Any]) -> dict[str, Any]:
    """The keywords with the names of the parameters in the place of their aliases.

    >>> named(find("tf.nn.conv2d"), {"filter": 1, "padding": 2})
    {'filters': 1, 'padding': 2}
    """
    names = dict(spec.aliases)
    return {names.get(k, k) if names.get(k) not in keywords else k: v for k, v in keywords.items()}


def rebuild(spec: Spec, given: Mapping[str, Any]) -> Layer:
    """The layer for arguments by name (all of them).

    Where the call takes inputs of several ranks, the first of them that the arguments fit is meant,
    and an input of another rank is fitted later (:func:`derive.dialects.layer.fitted`).
    """
    if len(spec.ranks) < 2:
        return _made(spec, spec.dims, given)
    said = spec.count(given) if spec.count else None
    if said is not None:
        if said not in spec.ranks:
            known = ", ".join(map(str, sorted(spec.ranks)))
            raise WrongInput(
                f"{spec.name}: the arguments are for {said} spatial axes; give values for one of {known}"
            )
        return _made(spec, said, given)
    found, refused = None, None
    for dims in spec.ranks:
        try:
            found = found or _made(spec, dims, given)
        except WrongInput as error:
            refused = refused or error
    if found is None:
        raise refused or WrongInput(f"{spec.name}: it takes no input")
    return replace(found, refit=lambda dims: _made(spec, dims, given), ranks=spec.ranks)


def _made(spec: Spec, dims: int, given: Mapping[str, Any]) -> Layer:
    try:
        layer = spec.meaning(dims, **given)
    except WrongInput as error:
        text = str(error)
        raise WrongInput(text if text.startswith(spec.name) else f"{spec.name}: {text}") from None
    return replace(layer, name=spec.name, dialect=spec.dialect, arguments=dict(given))


def _misfit(
    spec: Spec,
    signature: inspect.Signature,
    arguments: Sequence[Any],
    keywords: Mapping[str, Any],
    error: TypeError,
) -> str:
    """What is wrong with the arguments, what the framework says of it, and what to do."""
    parameters = {
        n: p for n, p in signature.parameters.items() if n != "dims" and n not in spec.applied
    }
    shown = ", ".join(
        n if p.default is p.empty else f"{n}={show(p.default)}" for n, p in parameters.items()
    )
    for name in keywords:
        if name not in parameters:
            near = difflib.get_close_matches(name, parameters, 1, 0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"it is called as {spec.name}({shown})"
            said = _quoted(spec, words.unknown(spec.dialect, spec.name, name))
            return f"{spec.name}: there is no argument {name!r}{said}; {hint}"
    fact = str(error).replace("a required argument", "the argument")
    try:
        bound = signature.bind_partial(spec.dims, *arguments, **keywords).arguments
        left = [n for n, p in parameters.items() if p.default is p.empty and n not in bound]
    except TypeError:  # it is something else that does not fit
        left = []
    said = _quoted(spec, words.missing(spec.dialect, spec.name, left))
    return f"{spec.name}: {fact}{said}; it is called as {spec.name}({shown})"


def _quoted(spec: Spec, text: str) -> str:
    return f" ({spec.dialect} says: {text})" if text else ""


def layer_of(written: Call, prefer: str = "") -> Layer:
    """The layer of a call as it is written; a name that several dialects have is of ``prefer``.

    Raises :class:`derive.errors.WrongInput` for unknown names and refused arguments.
    """
    written = spelled(written)
    spec = find(written.name, written, prefer)
    plain = [number(a) for a in written.arguments]
    keywords = {k: number(v) for k, v in written.keywords}
    for name in spec.applied:
        if name in keywords:
            raise WrongInput(
                f"{spec.name}: {name!r} belongs to the second call; "
                f"write {spec.name}(…)(x, {name}=…)"
            )
    return bind(spec, plain, {**keywords, **_second(spec, written)})


def _second(spec: Spec, written: Call) -> dict[str, Any]:
    """The arguments of the second call, after its input."""
    later = written.on[1:]
    if len(later) > len(spec.applied):
        takes = ", ".join(("x", *spec.applied))
        raise WrongInput(
            f"{spec.name}: it is applied to {len(written.on)} arguments; it takes ({takes})"
        )
    found = {k: number(v) for k, v in zip(spec.applied, later, strict=False)}
    for name, value in written.on_keywords:
        if name not in spec.applied or name in found:
            takes = ", ".join(("x", *spec.applied))
            raise WrongInput(
                f"{spec.name}: {name!r} is no argument of the second call; it takes ({takes})"
            )
        found[name] = number(value)
    return found


def read_layer(text: str) -> Layer:
    """The layer of a text with one call.

    >>> read_layer("nn.Conv1d(4, 8, 3, padding=1)").arguments["stride"]
    1
    """
    value = read_calls(text)[-1].value
    if not isinstance(value, Call):
        raise WrongInput(
            f"reading the call: {show(value)} is no call; write one, as nn.Conv2d(3, 16, 3)"
        )
    return layer_of(value)


def number(value: Any) -> Any:
    """A written value as the dialects take it: names are sizes, tuples keep their form."""
    if isinstance(value, tuple):
        return tuple(number(v) for v in value)
    if isinstance(value, Name) and "." in value.name:
        return value  # a framework's constant or function, such as lax.add
    if isinstance(value, Name) and value.shape is None:
        amount = value.amount or AMOUNT.fullmatch(value.name)
        return offset(value.name) if amount else size(value.name)
    if isinstance(value, Sum):
        return _sum(value)
    if isinstance(value, Call) and value.name in EXTREMES and len(value.arguments) == 2:
        a, b = map(number, value.arguments)
        return maximum(a, b) if value.name == "max" else minimum(a, b)
    return value


def _sum(value: Sum) -> Expr | Sum:
    left, right = number(value.left), number(value.right)
    if isinstance(left, (Name, Sum)) or isinstance(right, (Name, Sum)):
        return value  # arithmetic with a framework's constant, such as -jnp.inf
    if isinstance(left, Fraction) or isinstance(right, Fraction):
        raise WrongInput(f"{value}: sizes are integers; write // for a quotient")
    match value.sign:
        case "+":
            return left + right  # type: ignore[no-any-return]
        case "-":
            return left - right  # type: ignore[no-any-return]
        case "*":
            return left * right  # type: ignore[no-any-return]
        case "//":
            return left // right  # type: ignore[no-any-return]
        case "%":
            return left % right  # type: ignore[no-any-return]
    raise WrongInput(f"{value}: sizes are integers; write // for a quotient")
