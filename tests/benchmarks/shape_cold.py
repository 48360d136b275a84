"""How long a shape question takes from a cold start, beside ``python -c "import sympy"``.

    python tests/benchmarks/shape_cold.py [--runs 15] [--write]

Each question is a new process; questions and imports of SymPy take turns, so that what else runs on
the machine slows both.  Printed are the medians of the wall-clock and of the processor time, and the
ratio to SymPy's; ``--write`` records the table in ``tests/benchmarks/shape_cold.md``.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RECORD = Path(__file__).with_suffix(".md")
SYMPY = ["-c", "import sympy"]
QUESTIONS: dict[str, list[str]] = {
    "one convolution": ["nn.Conv2d(3, 16, 3, stride=2, padding=1)", "--input", "1,3,28,28"],
    "SAME in TensorFlow": [
        "tf.nn.conv2d(x, w, strides=2, padding='SAME')",
        "--input",
        "1,28,28,3",
        "--weight",
        "3,3,3,16",
    ],
    "a pool as JSON": ["nn.MaxPool2d(3, 2, ceil_mode=True)", "--input", "28", "--json"],
    "all inputs of an output": ["nn.Conv1d(4, 8, 3, stride=2)", "--output", "10"],
    "a chain of three": [
        "nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))",
        "--input",
        "28",
    ],
    "solve": [
        "nn.Conv2d(3, 16, k, stride=s, padding=p)",
        *("--solve", "--input", "28", "--output", "14"),
    ],
}


def once(arguments: list[str]) -> tuple[float, float]:
    """Wall-clock and processor seconds of a new interpreter."""
    before, start = os.times(), time.perf_counter()
    subprocess.run([sys.executable, *arguments], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    wall, after = time.perf_counter() - start, os.times()
    used = after.children_user - before.children_user + after.children_system
    return wall, used - before.children_system


def table(runs: int) -> str:
    """The table as Markdown."""
    commands = {"import sympy": SYMPY}
    commands |= {name: ["-m", "derive", "shape", *q] for name, q in QUESTIONS.items()}
    seen: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for turn in range(runs + 1):
        for name, command in commands.items():
            found = once(command)
            if turn:  # the first turn fills the caches of the file system
                seen[name].append(found)
    medians = {
        name: [statistics.median(v[i] for v in found) for i in (0, 1)]
        for name, found in seen.items()
    }
    wall, used = medians["import sympy"]
    lines = ["| | seconds | ratio | processor seconds | ratio |", "|---|---|---|---|---|"]
    lines += [
        f"| {name} | {a:.2f} | {a / wall:.2f} | {b:.2f} | {b / used:.2f} |"
        for name, (a, b) in medians.items()
    ]
    head = f"Medians of {runs} cold starts each, Python {platform.python_version()}."
    return "\n".join([head, "", *lines]) + "\n"


def main() -> None:
    """Measure, print, and record if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    found = table(given.runs)
    sys.stdout.write(found)
    if given.write:
        RECORD.write_text(found, encoding="utf-8")


if __name__ == "__main__":
    main()
