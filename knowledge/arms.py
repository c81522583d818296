"""The evidence table: every trial arm, validated on load, seen through evidence views."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from knowledge.arm_rows import ARM_COLUMNS, RowContext, parse_arm
from knowledge.errors import EvidenceError
from knowledge.faults import Fault, raise_faults
from knowledge.schemas import EvidenceView, Source, TrialArm
from knowledge.tables import AREAS, area_of, read_table
from knowledge.views import NamePatterns, TrialMentions, published_by
from knowledge.vocabulary import Vocabulary


@dataclass(frozen=True, eq=False)
class EvidenceTable:
    """Trial arms and the sources they come from.

    Attributes
    ----------
    arms : in the order of the files.
    sources : source id → source, of all arms.
    warnings : sentences about trials that were left out because their source was retracted.
    """

    arms: tuple[TrialArm, ...]
    sources: Mapping[str, Source] = field(repr=False)
    warnings: tuple[str, ...] = ()
    _digests: dict[str, bytes] = field(default_factory=dict, repr=False)

    def view(self, view: EvidenceView) -> EvidenceTable:
        """What was published by `view.as_of`, without the trials and sources in `view.exclude`.

        A trial that is excluded by name or registry id goes with all its rows, from whatever source, and so do pooled
        reports that contain it; a source that is excluded goes with its own rows.
        """
        if view.as_of is None and not view.exclude:
            return self
        patterns = NamePatterns(view.exclude)
        hidden_trials = self.hidden_trials(view)
        hidden_sources = {
            source_id
            for source_id, source in self.sources.items()
            if not published_by(source, view.as_of) or (patterns and patterns.match(source_id))
        }
        kept = tuple(arm for arm in self.arms if arm.trial not in hidden_trials and arm.source_id not in hidden_sources)
        return EvidenceTable(kept, self.sources, self.warnings, self._digests)

    def hidden_trials(self, view: EvidenceView) -> frozenset[str]:
        """Names of the trials that `view.exclude` means by name or registry id, and of pooled reports of them."""
        patterns = NamePatterns(view.exclude)
        if not patterns:
            return frozenset()
        named = frozenset(
            trial
            for trial, registry_ids in self._registry_ids.items()
            if patterns.match(trial) or any(map(patterns.match, registry_ids))
        )
        mentions = TrialMentions(named)
        return named | frozenset(trial for trial in self._registry_ids if mentions.found_in(trial))

    def select(
        self,
        endpoint: str,
        *,
        interventions: Collection[str] | None = None,
        classes: Collection[str] | None = None,
    ) -> tuple[TrialArm, ...]:
        """Arms of an endpoint id, of these interventions (canonical names) and drug classes where given."""
        return tuple(
            arm
            for arm in self._by_endpoint.get(endpoint, ())
            if (interventions is None or arm.intervention in interventions)
            and (classes is None or arm.drug_class in classes)
        )

    def trials(self) -> tuple[str, ...]:
        """Trial names, sorted."""
        return tuple(sorted(self._registry_ids))

    def endpoints_of(self, intervention: str) -> tuple[str, ...]:
        """Endpoint ids with at least one arm of this intervention, sorted."""
        return tuple(sorted({arm.endpoint for arm in self.arms if arm.intervention == intervention}))

    @cached_property
    def hash(self) -> str:
        """16 hex digits of the content; the same whatever the order and numbering of the rows."""
        total = hashlib.sha256()
        for arm in self.arms:
            if arm.row_id not in self._digests:
                self._digests[arm.row_id] = _digest(arm)
        for digest in sorted(self._digests[arm.row_id] for arm in self.arms):
            total.update(digest)
        return total.hexdigest()[:16]

    @cached_property
    def _registry_ids(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = defaultdict(set)
        for arm in self.arms:
            source = self.sources.get(arm.source_id)
            found[arm.trial].add(arm.registry_id)
            # A source that reports one trial may carry the trial's registry id where the row does not.
            if source is not None and not arm.registry_id:
                found[arm.trial].add(source.registry_id)
        return dict(found)

    @cached_property
    def _by_endpoint(self) -> dict[str, tuple[TrialArm, ...]]:
        found: dict[str, list[TrialArm]] = defaultdict(list)
        for arm in self.arms:
            found[arm.endpoint].append(arm)
        return {endpoint: tuple(arms) for endpoint, arms in found.items()}


def load_arms(root: Path, vocabulary: Vocabulary, sources: Mapping[str, Source]) -> EvidenceTable:
    """Read and validate `evidence/*.csv` under `root`.

    Raises
    ------
    EvidenceError
        naming file, row and column of the first 20 faults of all files.
    """
    faults: list[Fault] = []
    table = read_arms(root, vocabulary, sources, faults)
    raise_faults(faults, EvidenceError, "evidence tables")
    return table


def read_arms(root: Path, vocabulary: Vocabulary, sources: Mapping[str, Source], faults: list[Fault]) -> EvidenceTable:
    """As `load_arms`, but what is wrong goes into `faults` and the rest is returned."""
    arms: list[TrialArm] = []
    places: dict[tuple[object, ...], str] = {}
    for path in sorted((root / "evidence").glob("*.csv")):
        file = f"{path.parent.name}/{path.name}"
        area = area_of(path)
        if area not in AREAS:
            faults.append(Fault(file, 0, "", f"'{area}' is not an area; there are {', '.join(AREAS)}"))
        context = RowContext(vocabulary, sources, area, path.stem)
        for row, cells in read_table(path, ARM_COLUMNS, faults):

            def report(column: str, message: str, file: str = file, row: int = row) -> None:
                faults.append(Fault(file, row, column, message))

            arm = parse_arm(cells, row, context, report)
            if arm is None:
                continue
            first = places.setdefault(figure_identity(arm), f"{file}:{row}")
            if first != f"{file}:{row}":
                report(
                    "trial",
                    f"has the same trial, source, cohort, arm, endpoint, statistic, weeks and estimand as {first}",
                )
                continue
            arms.append(arm)
    return without_retracted(arms, sources)


def figure_identity(arm: TrialArm) -> tuple[object, ...]:
    """What makes a figure one figure; two estimands of one result are two; a contrast is also told apart
    by what it is against.
    """
    return (
        arm.trial,
        arm.source_id,
        arm.cohort,
        arm.arm,
        arm.endpoint,
        arm.statistic,
        arm.weeks,
        arm.comparator_arm if arm.statistic.is_contrast else "",
        arm.estimand,
    )


def without_retracted(arms: list[TrialArm], sources: Mapping[str, Source]) -> EvidenceTable:
    """Drop each trial that has a retracted source, whole: what else was printed about it rests on the same data."""
    retracted: dict[str, str] = {}
    for arm in arms:
        if sources[arm.source_id].retracted:
            retracted.setdefault(arm.trial, arm.source_id)
    warnings = tuple(
        f"The trial {trial} is left out because its source {source_id} was retracted."
        for trial, source_id in sorted(retracted.items())
    )
    kept = tuple(arm for arm in arms if arm.trial not in retracted)
    used = {arm.source_id for arm in kept}
    return EvidenceTable(kept, {key: source for key, source in sources.items() if key in used}, warnings)


def _digest(arm: TrialArm) -> bytes:
    """SHA-256 of a row's content; its number in the file is not content."""
    fields = dict(arm.__dict__)
    del fields["row_id"]
    fields["baseline"] = arm.baseline.__dict__
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).digest()
