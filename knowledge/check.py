"""`python -m knowledge.check`: every fault of every data file, then what there is by area."""

from __future__ import annotations

import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from knowledge.arms import EvidenceTable, read_arms
from knowledge.faults import Fault
from knowledge.literature import read_passages
from knowledge.schemas import Passage, Source
from knowledge.sources import read_sources
from knowledge.vocabulary import Vocabulary, read_vocabulary

HEADINGS = ("area", "trials", "rows", "with SE", "sources", "passages")


@dataclass(frozen=True)
class Report:
    """What a check of a knowledge folder found."""

    faults: tuple[Fault, ...]
    vocabulary: Vocabulary
    sources: dict[str, Source]
    arms: EvidenceTable
    passages: tuple[Passage, ...]

    def lines(self) -> list[str]:
        """The report as text: faults, warnings, counts by area."""
        lines = [str(fault) for fault in self.faults]
        lines += [f"warning: {warning}" for warning in self.arms.warnings]
        rows = [HEADINGS, *self._counts()]
        widths = [max(len(str(row[column])) for row in rows) for column in range(len(HEADINGS))]
        for row in rows:
            first, *others = (str(cell) for cell in row)
            cells = [first.ljust(widths[0]), *(c.rjust(w) for c, w in zip(others, widths[1:], strict=True))]
            lines.append("  ".join(cells))
        lines.append(f"{len(self.vocabulary.drugs)} drugs, {len(self.vocabulary.endpoints)} endpoints")
        lines.append("no faults" if not self.faults else f"{len(self.faults)} faults")
        return lines

    def _counts(self) -> list[tuple[str | int, ...]]:
        trials: dict[str, set[str]] = defaultdict(set)
        counts: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
        for arm in self.arms.arms:
            trials[arm.area].add(arm.trial)
            counts[arm.area][0] += 1
            counts[arm.area][1] += arm.se is not None
        for source in self.sources.values():
            counts[source.area][2] += 1
        for passage in self.passages:
            counts[passage.area][3] += 1
        rows: list[tuple[str | int, ...]] = [(area, len(trials[area]), *counts[area]) for area in sorted(counts)]
        totals = [sum(column) for column in zip(*counts.values(), strict=True)] or [0, 0, 0, 0]
        return [*rows, ("all", len({arm.trial for arm in self.arms.arms}), *totals)]


def check(root: Path) -> Report:
    """Read everything under `root` and collect all faults instead of raising the first."""
    faults: list[Fault] = []
    vocabulary = read_vocabulary(root, faults)
    sources = read_sources(root, faults)
    arms = read_arms(root, vocabulary, sources, faults)
    passages = read_passages(root, sources, faults, vocabulary=vocabulary)
    return Report(tuple(faults), vocabulary, sources, arms, passages)


def main() -> int:
    """Check the packaged folder, or the one given as argument; 1 when there are faults."""
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    report = check(root)
    sys.stdout.write("\n".join(report.lines()) + "\n")
    return 1 if report.faults else 0


if __name__ == "__main__":
    sys.exit(main())
