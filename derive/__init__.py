"""Machine-checked proofs about convolution, pooling and upsampling and their gradients.

Everything here is loaded when it is first used, so that ``import derive`` costs nothing.

>>> import derive
>>> derive.prove_theorem("toeplitz-1d").verdict
'proved'
>>> print(derive.matrix_of("correlate", n=4, k=2))
w_0 w_1   ·   ·
  · w_0 w_1   ·
  ·   · w_0 w_1
>>> derive.check("flip(flip(x)) == x").verdict
Proved(method='solver')
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from derive.api import Result, get_theorem, prove_theorem, prove_theorems, theorem_ids
    from derive.claims.check import check
    from derive.claims.judge import Judgment
    from derive.dialects.ask import shape, solve_shape
    from derive.dialects.translate import translate
    from derive.errors import CannotBe, DeriveError, NotSupported, WrongInput
    from derive.form import Form, build, sigma, tensor, vjp
    from derive.operators import OPERATORS
    from derive.request import matrix_of, operator_form
    from derive.symbols import offset, size, sizes

__all__ = [
    "OPERATORS",
    "CannotBe",
    "DeriveError",
    "Form",
    "Judgment",
    "NotSupported",
    "Result",
    "WrongInput",
    "__version__",
    "build",
    "check",
    "get_theorem",
    "matrix_of",
    "offset",
    "operator_form",
    "prove_theorem",
    "prove_theorems",
    "shape",
    "sigma",
    "size",
    "sizes",
    "solve_shape",
    "tensor",
    "theorem_ids",
    "translate",
    "vjp",
]

_HOME = {
    "derive.api": ("Result", "get_theorem", "prove_theorem", "prove_theorems", "theorem_ids"),
    "derive.claims.check": ("check",),
    "derive.claims.judge": ("Judgment",),
    "derive.dialects.ask": ("shape", "solve_shape"),
    "derive.dialects.translate": ("translate",),
    "derive.errors": ("CannotBe", "DeriveError", "NotSupported", "WrongInput"),
    "derive.symbols": ("offset", "size", "sizes"),
    "derive.form": ("Form", "build", "sigma", "tensor", "vjp"),
    "derive.operators": ("OPERATORS",),
    "derive.request": ("matrix_of", "operator_form"),
}


def __getattr__(name: str) -> Any:
    for module, names in _HOME.items():
        if name in names:
            value = getattr(importlib.import_module(module), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
