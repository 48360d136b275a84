"""Sweeps that outlive the framework: some calls end the whole process instead of refusing.

Each worker is a process that says which configuration it begins.  Where it dies, that configuration is
what killed it: it is left out, and a new process goes on.
"""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from typing import Any, TypeVar

Item = TypeVar("Item")
Task = Callable[[Any, frozenset[int], Callable[[int], None]], Any]


def surviving(task: Task, items: Sequence[Item], jobs: int) -> Iterator[tuple[Any, frozenset[int]]]:
    """For each item the result of ``task(item, left_out, begins)`` and the numbers it left out.

    ``task`` is a function of a module; it calls ``begins(number)`` before each configuration, and
    leaves out those whose numbers it is given.  ``jobs`` processes work at a time; results come in
    the order of the items.
    """
    own = threading.local()
    workers: list[_Worker] = []

    def run(item: Item) -> tuple[Any, frozenset[int]]:
        left_out: frozenset[int] = frozenset()
        while True:
            if getattr(own, "worker", None) is None:
                own.worker = _Worker(task)
                workers.append(own.worker)
            died_at, result = own.worker.ask(item, left_out)
            if died_at is None:
                return result, left_out
            own.worker, left_out = None, left_out | {died_at}

    try:
        with ThreadPoolExecutor(jobs) as pool:
            yield from pool.map(run, items)
    finally:
        for worker in workers:
            worker.stop()


class _Worker:
    """A process, and the pipe to it."""

    def __init__(self, task: Task) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(task, theirs), daemon=True)
        self.process.start()
        theirs.close()

    def ask(self, item: Any, left_out: frozenset[int]) -> tuple[int | None, Any]:
        """The number at which the process died, or None and the result.

        Raises what the task raised, and RuntimeError where the process dies before it begins.
        """
        self.pipe.send((item, left_out))
        last: int | None = None
        while True:
            try:
                kind, value = self.pipe.recv()
            except (EOFError, ConnectionError):
                if last is None:
                    raise RuntimeError(f"the process for {item} ended before it began") from None
                return last, None
            if kind == "begins":
                last = value
            elif kind == "error":
                raise value
            else:
                return None, value

    def stop(self) -> None:
        self.pipe.close()
        self.process.terminate()


def _work(task: Task, pipe: Connection) -> None:
    while True:
        try:
            item, left_out = pipe.recv()
        except EOFError:
            return
        try:
            result = task(item, left_out, lambda number: pipe.send(("begins", number)))
        except Exception as error:
            pipe.send(("error", error))
        else:
            pipe.send(("result", result))
