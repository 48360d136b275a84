"""Claims judged in several processes, each claim as if it were the only one."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from derive.claims.files import Entry
from derive.claims.guard import Job, Outcome, judge_entries

WORKERS = 2
"""The number of claims that are judged at the same time, unless one asks for another."""
BATCH = 16  # claims for each process where a process cannot be copied and takes long to start


def judge_parallel(
    entries: Sequence[Entry],
    job: Job,
    workers: int = WORKERS,
    done: Callable[[Outcome], None] = lambda outcome: None,
) -> list[Outcome]:
    """Judge claims in several processes, none for longer than its time limit.

    Every claim is judged in a fresh process, so what is found does not depend on which claims stand
    beside it, nor on their order or on the number of processes.  (Where the system cannot copy a
    process, a few claims share one.)

    Args:
        entries: the claims.
        job: what is wanted.
        workers: how many claims are judged at the same time.
        done: called with each outcome, in the order of the claims.

    Returns:
        an outcome for each claim, in order.
    """
    copied = sys.platform.startswith("linux")
    size = 1 if copied else BATCH
    batches = [entries[i : i + size] for i in range(0, len(entries), size)]
    workers = max(1, min(workers, len(batches), os.cpu_count() or 1))
    context = multiprocessing.get_context("fork" if copied else "spawn")
    outcomes: list[Outcome] = []
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_prepare) as pool:
        try:
            for found in pool.map(partial(_judge, job), batches):
                outcomes += found
                for outcome in found:
                    done(outcome)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return outcomes


def _prepare() -> None:
    """Load what the copies of this process need, and leave without a word when interrupted."""
    import derive.claims.judge
    import derive.claims.repair
    import derive.claims.report_document  # noqa: F401

    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _judge(job: Job, entries: Sequence[Entry]) -> list[Outcome]:
    return judge_entries(entries, job)
