"""Judging claims in a process of their own, which is stopped when a claim runs past its time limit.

The limit of :mod:`derive.decide.solver` is cooperative; this one is not.  One process judges the
claims one after the other and is only replaced when it had to be stopped, so a claim costs no
start-up.  What it may use of memory is bounded as well.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from derive.claims.files import Entry
from derive.claims.program import is_program
from derive.claims.report import Row, make_row, stopped, wrong
from derive.errors import CannotBe, DeriveError

if TYPE_CHECKING:
    from derive.document.model import Document

GRACE = 1.0
STARTING = 60.0
REPAIR_SECONDS = 6.0
MEMORY = 4 * 2**30


@dataclass(frozen=True)
class Job:
    """What is wanted of every claim of a run."""

    seconds: float = 20.0
    repair: bool = True
    document: bool = False


@dataclass(frozen=True)
class Outcome:
    """What was found: the row and, where it was wanted, the document."""

    row: Row
    document: Document | None = None
    partial: bool = False  # what was found so far; judging went on


def judge_entries(
    entries: Sequence[Entry],
    job: Job,
    done: Callable[[Outcome], None] = lambda outcome: None,
    tick: Callable[[], None] = lambda: None,
) -> list[Outcome]:
    """Judge claims one after the other, none for longer than the time limit.

    Args:
        entries: the claims.
        job: what is wanted.
        done: called with each outcome.
        tick: called about ten times a second while waiting.

    Returns:
        an outcome for each claim, in order; a claim that cannot be read has one too.
    """
    outcomes = []
    with _Worker(job) as worker:
        for entry in entries:
            outcomes.append(worker.judge(entry, tick))
            done(outcomes[-1])
    return outcomes


def parts(entries: Sequence[Entry], job: Job) -> list[Entry]:
    """The entries with a program in the place of which its claims stand, one by one.

    A program is read in a process of its own; where that takes too long it stays one entry.
    """
    found: list[Entry] = []
    with _Worker(job, _serve_parts) as worker:
        for entry in entries:
            found += worker.part(entry) if is_program(entry.claim) else (entry,)
    return found


def _serve_parts(pipe: Connection, job: Job) -> None:
    from derive.claims.derived import parted

    _bound_memory()
    pipe.send((False, None))
    with contextlib.suppress(EOFError, OSError):
        while True:
            pipe.send(parted(pipe.recv()))


class _Worker:
    """The process, started when it is needed and replaced after it was stopped."""

    def __init__(self, job: Job, work: Callable[..., None] | None = None) -> None:
        # Copying the process is quick and safe here: it has no threads.  Elsewhere it is not.
        method = "fork" if sys.platform.startswith("linux") else "spawn"
        self.context: Any = multiprocessing.get_context(method)
        self.job, self.work = job, work or serve
        self.process: Any = None
        self.pipe: Any = None

    def __enter__(self) -> _Worker:
        return self

    def __exit__(self, *error: object) -> None:
        self._stop()

    def _start(self) -> None:
        ours, theirs = self.context.Pipe()
        self.process = self.context.Process(target=self.work, args=(theirs, self.job), daemon=True)
        self.process.start()
        theirs.close()
        self.pipe = ours

    def _stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.join()
            self.pipe.close()
            self.process = None

    def part(self, entry: Entry) -> tuple[Entry, ...]:
        """The claims of a program; the program itself where that is not known in time."""
        try:
            if self.process is None:
                self._start()
                self._wait(time.monotonic() + STARTING, lambda: None)
            self.pipe.send(entry)
            if self.pipe.poll(self.job.seconds):
                return tuple(self.pipe.recv())
        except (EOFError, OSError):
            pass
        self._stop()
        return (entry,)

    def judge(self, entry: Entry, tick: Callable[[], None]) -> Outcome:
        """Judge one claim; what is known when the time is over is the outcome."""
        start = time.monotonic()
        known: Outcome | None = None
        gone = False
        try:
            if self.process is None:
                self._start()
                self._wait(start + STARTING, tick)  # it says when its modules are loaded
                start = time.monotonic()
            self.pipe.send(entry)
            last, end = False, start + self.job.seconds + GRACE
            while not last:
                answer = self._wait(end, tick)
                if answer is None:
                    break
                last, known = answer
                judged = known is not None and not known.partial
                if judged and self.job.document:  # it is written in a time of its own
                    end = max(end, time.monotonic() + self.job.seconds + GRACE)
            if last and known is not None:
                return known
        except (EOFError, OSError):
            gone = True
        self._stop()
        if known is not None and not known.partial:
            return known
        spent = time.monotonic() - start
        if gone:
            fact = f"judging it ended the process (over {MEMORY // 2**30} GB of memory, or a fault)"
        else:
            fact = f"the time limit of {self.job.seconds:g} s was reached"
        return Outcome(_so_far(entry, known, fact, spent))

    def _wait(self, end: float, tick: Callable[[], None]) -> tuple[bool, Outcome | None] | None:
        while True:
            left = end - time.monotonic()
            if self.pipe.poll(max(0.0, min(0.1, left))):
                last, outcome = self.pipe.recv()
                return last, outcome
            if left <= 0:
                return None
            tick()


def _so_far(entry: Entry, known: Outcome | None, fact: str, spent: float) -> Row:
    """What is said of a claim that was stopped: a counterexample stands, and so does what was checked."""
    if known is None:
        return stopped(entry, fact, spent)
    if known.row["verdict"] == "undecided":
        return stopped(entry, fact, spent, known.row["checked"] or "nothing")
    row = known.row
    told = f"; {row['note']}" if row["note"] else ""  # that it is true at some sizes
    row["note"] = f"{fact} before it was known for which sizes it is true{told}"
    row["seconds"] = round(spent, 3)
    return row


def serve(pipe: Connection, job: Job) -> None:
    """The process: judges what comes through the pipe until the pipe closes.

    It answers in stages, so that what is known survives when a later stage has to be stopped.
    """
    import signal

    import derive.claims.judge  # noqa: F401  (loading it is not part of any claim's time)

    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # the command line is asked to stop, and stops this
    _bound_memory()
    pipe.send((False, None))
    with contextlib.suppress(EOFError, OSError):
        while True:
            entry = pipe.recv()
            last: Outcome | None = None
            try:
                for outcome in stages(entry, job, lambda partial: pipe.send((False, partial))):
                    last = outcome
                    pipe.send((False, last))
            except Exception as e:
                fact = f"an internal error, please report it ({type(e).__name__}: {e})"
                last = last or Outcome(stopped(entry, fact, 0.0))
            pipe.send((True, last))


def stages(
    entry: Entry, job: Job, told: Callable[[Outcome], None] = lambda outcome: None
) -> Iterator[Outcome]:
    """What is known of a claim: with the verdict, then the repair, then the document.

    ``told`` is called with what is known before there is a verdict.

    >>> [o.row["verdict"] for o in stages(Entry("flip(flip(x)) == x"), Job(repair=False))]
    ['proved']
    """
    from derive.claims.judge import judge

    start = time.perf_counter()
    try:
        if len(entry.expected) > 12:
            from derive.claims.report import stated_condition

            stated_condition(entry)
        judgment = judge(
            entry.claim,
            job.seconds,
            lambda so_far: told(
                Outcome(make_row(entry, so_far, time.perf_counter() - start), partial=True)
            ),
        )
        row = make_row(entry, judgment, time.perf_counter() - start)
    except CannotBe as e:
        yield Outcome(wrong(entry, str(e), "cannot be", time.perf_counter() - start))
        return
    except DeriveError as e:
        yield Outcome(wrong(entry, str(e), seconds=time.perf_counter() - start))
        return
    except (RecursionError, MemoryError):
        fact = "it is too large for the memory or too deep"
        yield Outcome(stopped(entry, fact, time.perf_counter() - start))
        return
    yield Outcome(row)
    if (
        job.repair
        and not is_program(entry.claim)
        and row["verdict"] in ("refuted", "holds exactly when")
    ):
        from derive.claims.repair import repair

        left = job.seconds - (time.perf_counter() - start)
        row["repair"] = repair(judgment, max(0.5, min(REPAIR_SECONDS, left)))
        yield Outcome(row)
    if job.document:
        from derive.claims.report_document import judgment_document

        yield Outcome(row, judgment_document(entry, judgment, row, job.seconds))


def _bound_memory() -> None:
    try:
        import resource
    except ImportError:  # there is no such bound on Windows
        return
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
