"""What a run leaves: checks, predictions, measures and records; their summaries; and the whole run as one value.

Cases, which go in, are in `evals/cases.py`. A metric is a weighted mean of measures, so that every metric can be
resampled by trial or source and compared pair by pair with another run: metric = sum(weight * value) / sum(weight).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from pydantic import Field

from knowledge.schemas import Frozen


class Suite(StrEnum):
    """The suites, in the order in which they are reported."""

    OUTCOMES = "outcomes"
    HOLDOUT = "holdout"
    ROUTING = "routing"
    RETRIEVAL = "retrieval"
    ABSTENTION = "abstention"
    GROUNDING = "grounding"
    ROBUSTNESS = "robustness"
    FAIRNESS = "fairness"
    CONVERSATION = "conversation"
    SAFETY = "safety"
    ANSWERS = "answers"
    TRUTHS = "truths"


class Check(Frozen):
    """One verdict on one case."""

    name: str
    passed: bool
    detail: str = ""


class Rival(Frozen):
    """What a simpler method forecast for the same held-out figure."""

    point: float
    lower: float
    upper: float
    crps: float


class Prediction(Frozen):
    """A prediction beside the published figure; `lower` to `upper` is the interval of probability `level`.

    Attributes
    ----------
    estimate_id, endpoint, unit : what was predicted, in which unit all figures here are.
    published : the figure as it was published, in `source` (source_id) at `locator`.
    cluster : trial that published it; figures of one trial are resampled together.
    area : clinical area; `attribute` and `subgroup` : e.g. 'sex' and 'female' in the fairness suite.
    tolerance : how near counts as right (None: nobody said); `probability` : the answer's confidence of being that near.
    pit : probability integral transform, 0-1; `crps` in `unit`. Both from quantiles where the tool gives them, from a
        split normal through point and limits elsewhere.
    rivals : method -> forecast of the same figure (holdout suite only).
    """

    estimate_id: str
    endpoint: str
    unit: str
    published: float
    point: float
    lower: float
    upper: float
    level: float = Field(0.9, gt=0, lt=1)
    quantiles: tuple[tuple[float, float], ...] = Field((), description="(probability, value), ascending; may be empty")
    pit: float | None = None
    crps: float | None = None
    cluster: str
    area: str = ""
    attribute: str = ""
    subgroup: str = ""
    arm: str = ""
    source: str = ""
    locator: str = ""
    tolerance: float | None = None
    probability: float | None = Field(None, ge=0, le=1)
    rivals: Mapping[str, Rival] = {}

    @property
    def error(self) -> float:
        """Point minus published, in `unit`."""
        return self.point - self.published

    @property
    def inside(self) -> bool:
        """True when the interval holds the published figure."""
        return self.lower <= self.published <= self.upper


class Measure(Frozen):
    """One contribution to a metric: metric = sum(weight * value) / sum(weight) over all contributions of its name.

    `groups` are the slices it also counts for, e.g. {'area': 'obesity'} or {'sex': 'female'}; with `pooled` False it
    counts for them only. `cluster` is what is resampled together; empty: the case itself.
    """

    name: str
    value: float
    weight: float = Field(1.0, ge=0)
    cluster: str = ""
    groups: Mapping[str, str] = {}
    pooled: bool = True


class Record(Frozen):
    """What one run of one case leaves. Equal inputs give equal records but for `seconds`.

    Attributes
    ----------
    key : content key: hash of case, model, settings that matter, evidence, code and seed. What was run under this key
        is not run again.
    measures : contributions to the suite's metrics.
    trace : for the reader of a failure: {'question', 'answer': Answer dump without charts, 'also': [further answers]},
        for tools {'arguments', 'result'}; run ids replaced and timings zeroed, so that it is reproducible.
    tokens, cost : None where nobody counted or knows the price.
    error : the product's own error message where there was no answer; the case has failed then.
    """

    case_id: str
    suite: Suite
    model: str
    key: str
    case_hash: str = Field("", description="of the case's own content")
    seed: int = 1
    area: str = ""
    tags: tuple[str, ...] = ()
    question: str = ""
    headline: str = ""
    status: str = ""
    checks: tuple[Check, ...] = ()
    predictions: tuple[Prediction, ...] = ()
    measures: tuple[Measure, ...] = ()
    trace: Mapping[str, Any] = {}
    seconds: float = Field(0.0, ge=0)
    tokens: int | None = None
    cost: float | None = None
    currency: str = ""
    error: str = ""

    @property
    def passed(self) -> bool:
        """True when every check passed and nothing broke."""
        return not self.error and all(check.passed for check in self.checks)

    @property
    def failed(self) -> tuple[str, ...]:
        """What failed, in words."""
        found = tuple(f"{c.name} ({c.detail})" if c.detail else c.name for c in self.checks if not c.passed)
        return (*found, self.error) if self.error else found


class Metric(Frozen):
    """A figure of a suite with its interval (percentile bootstrap by cluster).

    `group` is empty for the whole suite, else 'area=obesity', 'sex=female', 'method=ridge regression'. `value` is None
    when there was nothing to score. `lower`, `upper` are None where there are too few clusters to say. `wall_clock`
    marks what differs from run to run (latency).
    """

    suite: Suite
    name: str
    group: str = ""
    value: float | None
    lower: float | None = None
    upper: float | None = None
    level: float = 0.95
    n: int
    clusters: int
    higher_is_better: bool | None = Field(description="None: neither; shown, never a regression")
    unit: str = Field("", description="'share' (0-1), 's', 'tokens', 'tolerances', or a unit of measurement")
    headline: bool = False
    wall_clock: bool = False


class SuiteInfo(Frozen):
    """Which cases were scored. `hash` is of the content of all cases of the suite that were chosen."""

    suite: Suite
    hash: str
    cases: int
    published: int = Field(0, description="published figures among them")


class LeftOut(Frozen):
    """A case that a budget left no room for."""

    case_id: str
    suite: Suite
    model: str


class Agreement(Frozen):
    """How the model-graded verdicts agree with the deterministic ones on the same cases."""

    grader: str
    model: str
    criterion: str
    n: int
    share: float | None
    kappa: float | None
    lower: float | None = None
    upper: float | None = None


class RunSettings(Frozen):
    """What the run was asked for; everything here is part of the report."""

    models: tuple[str, ...] = ("offline",)
    suites: tuple[str, ...] = ()
    cases: tuple[str, ...] = ()
    as_of: date | None = None
    seed: int = 1
    max_tokens: int | None = None
    max_cost: float | None = None
    max_seconds: float | None = None
    grader: str = ""
    data_folder: str = Field("", description="name of the folder with data sets that may not be shipped; empty: none")


class EvalRun(Frozen):
    """A whole run: what the report is made of, and nothing else.

    `created`, `seconds` (here and in records) and metrics marked `wall_clock` are the only things that differ between
    two runs of the same content.
    """

    version: int = 1
    created: datetime
    seconds: float
    settings: RunSettings
    evidence_hash: str
    code_hash: str
    suites: tuple[SuiteInfo, ...]
    records: tuple[Record, ...]
    summaries: Mapping[str, tuple[Metric, ...]] = Field(description="model -> metrics, suites in order, headline first")
    left_out: tuple[LeftOut, ...] = ()
    agreements: tuple[Agreement, ...] = ()


class BaselineMeasure(Frozen):
    """The measures of one case for one metric, summed: `total` = sum(weight * value), `weight` = sum(weight)."""

    case_id: str
    cluster: str
    total: float
    weight: float


class Baseline(Frozen):
    """What is kept of a run to compare later ones with: evals/reports/baseline.json. Wall-clock metrics are not."""

    version: int = 1
    created: datetime
    model: str
    seed: int
    evidence_hash: str
    code_hash: str
    suites: tuple[SuiteInfo, ...]
    metrics: tuple[Metric, ...]
    cases: Mapping[str, str] = Field(description="case id -> hash of its content")
    measures: Mapping[str, tuple[BaselineMeasure, ...]] = Field(
        description="'suite/metric' -> by case and cluster; of headline metrics"
    )
    failed: tuple[str, ...] = Field((), description="case ids that had failed")


class Verdict(StrEnum):
    """What the comparison of a metric says."""

    BETTER = "better"
    WORSE = "worse"
    SAME = "same"
    UNCLEAR = "unclear"  # differs, but not beyond noise
    NEW = "new"
    GONE = "gone"


class Change(Frozen):
    """A metric now against the baseline, on the cases that both have (paired by case, resampled by cluster).

    `difference` is now minus before; `lower` to `upper` its interval at 95 %; `p` two-sided.
    """

    suite: Suite
    name: str
    before: float | None
    now: float | None
    difference: float | None = None
    lower: float | None = None
    upper: float | None = None
    p: float | None = None
    pairs: int = 0
    higher_is_better: bool | None = None
    headline: bool = False
    verdict: Verdict


class Comparison(Frozen):
    """A run against a baseline. `regressions` are headline metrics that got worse beyond noise: `make eval` fails on them."""

    model: str
    changes: tuple[Change, ...]
    newly_failed: tuple[str, ...] = Field((), description="case ids that passed before and fail now")
    newly_passed: tuple[str, ...] = ()
    cases_added: int = 0
    cases_gone: int = 0

    @property
    def regressions(self) -> tuple[Change, ...]:
        """Headline metrics worse beyond noise."""
        return tuple(one for one in self.changes if one.headline and one.verdict is Verdict.WORSE)
