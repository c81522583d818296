"""What a run says in the terminal: a progress bar while it goes, and the comparison with the baseline after it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import TracebackType

from evals.schemas import Change, Comparison, EvalRun, Record, Verdict

SHOWN = 20  # cases named


class Bar:
    """A progress bar on stderr; a plain line now and then where stderr is no terminal."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            disable=not sys.stderr.isatty(),
        )
        self._task = self._bar.add_task("Preparing", total=None)
        self._failed = 0
        self._done = 0
        self._total = 0

    def __enter__(self) -> Bar:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def begin(self, total: int, known: int) -> None:
        """Show how much there is."""
        self._total, self._done = total, known
        self._bar.update(self._task, total=total, completed=known, description="Running")
        if self._bar.disable:
            sys.stderr.write(f"{total} cases, {known} known from before\n")

    def done(self, record: Record) -> None:
        """One more."""
        self._failed += not record.passed
        self._done += 1
        self._bar.update(self._task, advance=1, description=f"{record.suite} · {self._failed} failed")
        if self._bar.disable and (self._done % 100 == 0 or self._done == self._total):
            sys.stderr.write(f"{self._done} of {self._total}\n")


def lines_of(run: EvalRun, comparison: Comparison | None) -> Iterator[str]:
    """What was left out, what got worse and what fails now, for the terminal."""
    if run.left_out:
        suites = sorted({one.suite.value for one in run.left_out})
        yield f"The budget left no room for {len(run.left_out)} cases ({', '.join(suites)}): the figures are of a sample."
    if comparison is None:
        return
    for change in comparison.changes:
        if change.headline and change.verdict in (Verdict.WORSE, Verdict.BETTER):
            yield _told(change)
    if comparison.newly_failed:
        named = ", ".join(comparison.newly_failed[:SHOWN])
        more = len(comparison.newly_failed) - SHOWN
        yield f"Failing now, passed before: {named}" + (f" and {more} more" if more > 0 else "")


def _told(change: Change) -> str:
    assert change.before is not None
    assert change.now is not None
    word = "WORSE" if change.verdict is Verdict.WORSE else "better"
    interval = f" ({change.lower:+.3f} to {change.upper:+.3f})" if change.lower is not None else ""
    return (
        f"{word}: {change.suite} {change.name.replace('_', ' ')} {change.before:.3f} → {change.now:.3f}, "
        f"difference {change.difference:+.3f}{interval}, p {change.p:.3f}, {change.pairs} cases"
    )
