"""The bridge: evidence view, vocabulary and cohort on one side, the numeric model on the other."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from threading import Lock
from weakref import WeakKeyDictionary

import numpy as np

from knowledge.base import KnowledgeBase
from knowledge.errors import NoEvidence
from knowledge.schemas import EvidenceView
from tools.response.assemble import Prepared
from tools.response.control import ObservedArm, given_observed
from tools.response.covariates import covariates_of
from tools.response.designs import Design, patients_as_arms, to_arms
from tools.response.evidence import prepare_endpoint as prepare_endpoint
from tools.response.evidence import shared_tables
from tools.response.features import FloatArray
from tools.response.fit import FitCache, MemoryFitCache, fit_prepared
from tools.response.individuals import Individuals, individuals
from tools.response.mixture import Prediction
from tools.response.overlaps import background_trials
from tools.response.posterior import Posterior
from tools.response.predicted import EndpointPrediction as EndpointPrediction
from tools.response.predicted import Influence as Influence
from tools.response.ratios import WEEKS_PER_YEAR
from tools.response.reach import (
    UsualTime,
    areas_of,
    early,
    outside_trials,
    trials_of,
    unjoined,
    usual_time,
    warnings_beyond,
)
from tools.response.schedules import StudiedDose, studied_doses
from tools.response.treatments import Treatment, check_treatment

# A drug without evidence borrows from its class when at least this many trials of the class are there.
MIN_CLASS_TRIALS = 2
# Engines kept for each knowledge base, one for each evidence view.
VIEWS_IN_MEMORY = 24

# Fits are keyed by the content they were made from, so sharing them mixes nobody's data.
_SHARED_FITS = MemoryFitCache()
_CACHES: WeakKeyDictionary[KnowledgeBase, FitCache] = WeakKeyDictionary()
_ENGINES: WeakKeyDictionary[KnowledgeBase, OrderedDict[EvidenceView, ResponseEngine]] = WeakKeyDictionary()
_LOCK = Lock()


class ResponseEngine:
    """Predictions under one evidence view.

    Parameters
    ----------
    knowledge : vocabulary and evidence.
    view : what may be known.
    cache : where fits are kept; as `keep_fits` said for this knowledge base, else in memory.
    """

    def __init__(
        self, knowledge: KnowledgeBase, view: EvidenceView | None = None, cache: FitCache | None = None
    ) -> None:
        self.knowledge = knowledge
        self.view = view or EvidenceView()
        self._cache: FitCache = cache if cache is not None else _CACHES.get(knowledge, _SHARED_FITS)
        self._shared = shared_tables(knowledge, self.view)
        self._prepared: dict[str, Prepared] = {}
        self._fits: dict[str, Posterior] = {}
        self._schedules: dict[str, tuple[StudiedDose, ...]] = {}

    def prepared(self, endpoint_id: str) -> Prepared:
        """Rows and arrays of an endpoint (UnknownEndpoint, NoEvidence)."""
        if endpoint_id not in self._prepared:
            self._prepared[endpoint_id] = prepare_endpoint(self.knowledge, self.view, endpoint_id, self._shared)
        return self._prepared[endpoint_id]

    def posterior(self, endpoint_id: str) -> Posterior:
        """The fit of an endpoint (UnknownEndpoint, NoEvidence)."""
        if endpoint_id not in self._fits:
            self._fits[endpoint_id] = fit_prepared(self.prepared(endpoint_id), self._cache)
        return self._fits[endpoint_id]

    def treatment(
        self,
        name: str,
        dose: float | None = None,
        unit: str = "",
        frequency: str = "",
        *,
        area: str = "",
        endpoints: Collection[str] = (),
    ) -> Treatment:
        """Read and check a treatment (UnknownDrug, InvalidInput, ImpossibleDose).

        Without a dose it gets the one given to most participants, on these endpoints and in this area if possible.
        """
        drug = self.knowledge.vocabulary.drug(name)
        if drug.name not in self._schedules:
            self._schedules[drug.name] = studied_doses(self._shared.table.arms, drug, self._shared.lookup)
        return check_treatment(
            self.knowledge.vocabulary, self._shared.doses, drug.name, dose, unit, frequency,
            schedules=self._schedules[drug.name], area=area, endpoints=endpoints,
        )  # fmt: skip

    def predict(
        self,
        endpoint_id: str,
        treatments: Sequence[Treatment],
        covariates: Mapping[str, float | None],
        weeks: float,
        n: int | None = None,
        observed: ObservedArm | None = None,
    ) -> EndpointPrediction:
        """Joint prediction of the cohort means that a new trial of these treatments would report.

        Parameters
        ----------
        endpoint_id : endpoint.
        treatments : one for each arm.
        covariates : cohort means by covariate name.
        weeks : time of the visit.
        n : participants in each arm; adds sampling error when given.
        observed : what one of the arms has been seen to report; the prediction is conditional on it. Not with `n`.

        Raises
        ------
        ValueError : both `n` and `observed`.
        UnknownEndpoint : not in the vocabulary.
        NoEvidence : nothing in the evidence base joins a treatment, or its class, with the endpoint.
        """
        prepared = self.prepared(endpoint_id)
        warnings = [warning for treatment in treatments for warning in treatment.warnings]
        warnings += [warning for treatment in treatments for warning in self._borrowing(treatment, prepared)]
        self._joined(treatments, prepared)
        posterior = self.posterior(endpoint_id)
        designs = self.designs(prepared, treatments, covariates, weeks)
        arms = to_arms(designs, prepared)
        prediction = posterior.predict(arms)
        if observed is not None:
            if n is not None:
                raise ValueError("a prediction is of true means given an observed arm, or of reported ones, not both")
            (prediction,) = self._parts(prepared, treatments, covariates, [weeks], observed)
        if n is not None:
            size = float(n) * weeks / WEEKS_PER_YEAR / 100.0 if prediction.log else float(n)
            variance = prediction.sampling_variance(np.full(len(arms), size), prepared.data.individual_sd)
            prediction = posterior.predict(arms, sampling_variance=variance)
        rows = prepared.selection.rows
        warnings += warnings_beyond(prepared, treatments, weeks)
        return EndpointPrediction(
            endpoint=prepared.endpoint,
            treatments=tuple(treatments),
            weeks=weeks,
            prediction=prediction,
            trials_of_drug=tuple(len(trials_of(rows, treatment, by_class=False)) for treatment in treatments),
            trials_of_class=tuple(len(trials_of(rows, treatment, by_class=True)) for treatment in treatments),
            warnings=tuple(dict.fromkeys(warnings)),
            outside=outside_trials(prepared, designs[0].covariates),
            early=early(prepared, weeks),
            levels=background_trials(rows) + (observed is not None) if prediction.log else None,
            longest_weeks=prepared.longest_weeks,
            observed=observed,
        )

    def designs(
        self,
        prepared: Prepared,
        treatments: Sequence[Treatment],
        covariates: Mapping[str, float | None],
        weeks: float,
    ) -> list[Design]:
        """The treatments as designs of one new double-blind trial, published when the latest one was."""
        known = {"year": prepared.latest_year, "open_label": 0.0, **covariates, "log_weeks": float(np.log(weeks))}
        return [Design(t.name, t.drug_class, t.dose_ratio, weeks, known) for t in treatments]

    def course(
        self,
        endpoint_id: str,
        treatments: Sequence[Treatment],
        covariates: Mapping[str, float | None],
        weeks: Sequence[float],
        observed: ObservedArm | None = None,
    ) -> list[Prediction]:
        """Predictions at several times, each joint over the treatments, given an observed arm where there is one."""
        return self._parts(self.prepared(endpoint_id), treatments, covariates, weeks, observed)

    def _parts(
        self,
        prepared: Prepared,
        treatments: Sequence[Treatment],
        covariates: Mapping[str, float | None],
        weeks: Sequence[float],
        observed: ObservedArm | None,
    ) -> list[Prediction]:
        size = len(treatments)
        designs = [design for week in weeks for design in self.designs(prepared, treatments, covariates, week)]
        where = -1
        if observed is not None:
            same = [index for index, week in enumerate(weeks) if week == observed.weeks]
            where = same[0] * size + observed.index if same else len(designs)
            if not same:
                seen = [treatments[observed.index]]
                designs += self.designs(prepared, seen, covariates, observed.weeks)
        whole = self.posterior(prepared.endpoint.endpoint_id).predict(to_arms(designs, prepared))
        if observed is not None:
            whole = given_observed(whole, where, observed)
        parts = []
        for index in range(len(weeks)):
            pick = slice(index * size, (index + 1) * size)
            parts.append(
                replace(whole, means=whole.means[:, pick], covariances=whole.covariances[:, pick, :][:, :, pick])
            )
        return parts

    def individuals(
        self,
        endpoint_id: str,
        treatment: Treatment,
        covariates: Mapping[str, float | None],
        patients: Mapping[str, FloatArray],
        weeks: float,
    ) -> Individuals | None:
        """Spread of virtual patients (covariates by name, (M,) each) around their cohort's mean, endpoint's unit.

        None for proportions, without patients, and where no trial told how much persons vary.
        """
        prepared = self.prepared(endpoint_id)
        sd = prepared.selection.individual_sd
        if sd is None or not prepared.layout.starts_at_zero or not patients:
            return None
        count = len(next(iter(patients.values())))
        design = self.designs(prepared, [treatment], covariates, weeks)[0]
        arms = patients_as_arms(design, patients, count, prepared)
        return individuals(self.posterior(endpoint_id).expected(arms) * prepared.data.scale, sd)

    def influence(
        self,
        endpoint_id: str,
        treatments: Sequence[Treatment],
        covariates: Mapping[str, float | None],
        weeks: float,
        combination: FloatArray,
    ) -> list[Influence]:
        """Published figures by their weight in a combination of the predicted means, heaviest first."""
        prepared, posterior = self.prepared(endpoint_id), self.posterior(endpoint_id)
        arms = to_arms(self.designs(prepared, treatments, covariates, weeks), prepared)
        weights = posterior.influence(arms, combination)
        total = float(np.abs(weights).sum())
        if total <= 0.0:
            return []
        # 1.645 standard deviations either way hold 90 % of a normal.
        agrees = np.abs(posterior.residual) <= 1.645 * posterior.residual_sd
        order = np.argsort(-np.abs(weights), kind="stable")
        rows = prepared.selection.rows
        return [
            Influence(rows[i], float(abs(weights[i])) / total, 1 if weights[i] >= 0 else -1, bool(agrees[i]))
            for i in order
        ]

    def trials(
        self,
        endpoint_id: str,
        treatment: Treatment,
        *,
        by_class: bool = False,
        diabetes: bool | None = None,
        area: str | None = None,
    ) -> frozenset[str]:
        """Names of the trials that inform a treatment on an endpoint; none where the endpoint has no evidence.

        Parameters
        ----------
        by_class : count other drugs of the class too.
        diabetes : only trials in people with (True) or without (False) diabetes; all when None.
        area : only trials of this area; all when None.
        """
        try:
            prepared = self.prepared(endpoint_id)
        except NoEvidence:
            return frozenset()
        rows = prepared.selection.rows
        if diabetes is not None:
            wanted = float(diabetes)
            rows = tuple(row for row in rows if covariates_of(row.arm, prepared.endpoint)["diabetes"] == wanted)
        if area is not None:
            rows = tuple(row for row in rows if row.arm.area == area)
        return frozenset(trials_of(rows, treatment, by_class=by_class))

    def areas_of(self, treatment: Treatment) -> dict[str, int]:
        """Number of trials by area, most first: of the drug; of its class where the drug itself has none."""
        return areas_of(self._shared.table.arms, treatment)

    def endpoints_of(self, treatment: Treatment) -> tuple[str, ...]:
        """Endpoint ids of the vocabulary on which the view has a row of this treatment."""
        known = self.knowledge.vocabulary.endpoints
        return tuple(name for name in self._shared.table.endpoints_of(treatment.name) if name in known)

    def usual_time(self, endpoint_id: str, treatment: Treatment) -> UsualTime | None:
        """The follow-up at which a treatment has been studied most on an endpoint; None without evidence that tells it."""
        try:
            return usual_time(self.prepared(endpoint_id).selection.rows, treatment)
        except NoEvidence:
            return None

    def check(self, endpoint_id: str, treatments: Sequence[Treatment]) -> None:
        """Raise NoEvidence (or UnknownEndpoint) when a prediction would; needs no fit."""
        prepared = self.prepared(endpoint_id)
        for treatment in treatments:
            self._borrowing(treatment, prepared)
        self._joined(treatments, prepared)

    def _joined(self, treatments: Sequence[Treatment], prepared: Prepared) -> None:
        """NoEvidence when no chain of trials compares two treatments on the log scale: their ratio would be a guess."""
        for one in treatments[1:] if prepared.layout.immediate else ():
            message = unjoined(prepared.selection.rows, treatments[0], one, prepared.endpoint.label)
            if message is not None:
                raise NoEvidence(*message)

    def _borrowing(self, treatment: Treatment, prepared: Prepared) -> list[str]:
        """Warnings about borrowing; NoEvidence when there is nobody to borrow from."""
        rows, label = prepared.selection.rows, prepared.endpoint.label
        if treatment.drug_class is None or trials_of(rows, treatment, by_class=False):
            return []
        relatives = trials_of(rows, treatment, by_class=True)
        if len(relatives) >= MIN_CLASS_TRIALS:
            return [
                f"No trial in this evidence base reports {label} with {treatment.name}; the prediction borrows from "
                f"{len(relatives)} trials of other drugs of its class ({treatment.drug_class}), and its interval is wider for that."
            ]
        known = self.knowledge.vocabulary.endpoints
        others = [known[name].label for name in self.endpoints_of(treatment) if self.trials(name, treatment)]
        hint = (
            f"For {treatment.name} there is evidence on: {', '.join(dict.fromkeys(others))}."
            if others
            else f"There is no evidence on {treatment.name} at all that can be used under this evidence view."
        )
        raise NoEvidence(
            f"No usable figure in this evidence base joins {treatment.name}, or two trials of its class "
            f"({treatment.drug_class}), with {label}.",
            hint,
        )


def keep_fits(knowledge: KnowledgeBase, cache: FitCache) -> None:
    """From now on, keep the fits of this knowledge base in the given cache, whatever the view."""
    with _LOCK:
        _CACHES[knowledge] = cache
        _ENGINES.pop(knowledge, None)


def engine_for(knowledge: KnowledgeBase, view: EvidenceView) -> ResponseEngine:
    """The engine of a knowledge base and view, kept for the next question."""
    with _LOCK:
        engines = _ENGINES.setdefault(knowledge, OrderedDict())
        engine = engines.get(view)
        if engine is None:
            engine = engines[view] = ResponseEngine(knowledge, view)
            while len(engines) > VIEWS_IN_MEMORY:
                engines.popitem(last=False)
        engines.move_to_end(view)
        return engine
