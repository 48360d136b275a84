"""Configurations of NumPy's and SciPy's calls, drawn from a seed: either array may be the longer."""

from __future__ import annotations

from random import Random
from typing import Any

from derive.numeric.frameworks import Draw, Drawn, Known
from derive.numeric.frameworks.jax_draws import each, jnp_pad, sequence, spoil


def arrays(rng: Random, dims: int) -> Drawn:
    """``scipy.signal.convolve`` and ``correlate``, summed directly so that they are exact."""
    arguments: dict[str, Any] = {"method": "direct"}
    if rng.random() < 0.8:
        arguments["mode"] = rng.choice(("full", "same", "valid"))
    spoil(rng, arguments, {"mode": ["circular"], "method": ["slow"]})
    high = 9 if dims == 1 else 5
    return Drawn(arguments, each(rng, dims, 1, high), {"in2": each(rng, dims, 1, high)})


DRAWS: dict[str, Draw] = {
    "np.convolve": sequence,
    "np.correlate": sequence,
    "np.pad": jnp_pad,
    "signal.convolve": arrays,
    "signal.correlate": arrays,
}
KNOWN: tuple[Known, ...] = ()
