"""`design_trial`, `design_two_stage_trial`, `simulate_enrichment_trial`: how large a trial must be, and what it would show."""

from __future__ import annotations

import numpy as np

from tools.context import ToolContext
from tools.execution import Piece, pieces
from tools.registry import tool
from tools.response.threads import one_thread
from tools.schemas import Chart, Estimate, Kind, Level, Point, Series, Validation
from tools.trial_design.enrichment import EnrichmentDesign, simulate_enrichment
from tools.trial_design.prior_effect import expected_from_evidence
from tools.trial_design.schemas import (
    DesignTrialInput,
    EnrichmentInput,
    EnrichmentResult,
    TrialDesign,
    TwoStageDesigns,
    TwoStageInput,
)
from tools.trial_design.simon import TwoStage, simon_designs
from tools.trial_design.sizing import design
from tools.uncertainty import FloatArray, spread

VALIDATION = Validation.VERIFIED
PIECE = 5000


@tool("design_trial", input=DesignTrialInput, result=TrialDesign, validation=VALIDATION, offered=False)
@one_thread()
def design_trial(request: DesignTrialInput, context: ToolContext) -> TrialDesign:
    """Size a two-arm trial, or give the power of one, and say how likely it is to succeed.

    Continuous outcomes (t test, non-inferiority, prognostic covariate adjustment), shares (z test), times to event
    (Schoenfeld's events, participants from accrual and follow-up). With `expected` the published trials predict both
    arms, and assurance (O'Hagan 2005), the probability of success with the effect uncertain, is given beside power;
    the predicted control arm may be borrowed as an external control (robust MAP prior, Schmidli 2014). `looks` adds
    group-sequential boundaries (Pocock, O'Brien-Fleming, Lan-DeMets spending) with the expected size. `alpha` is over
    all sides; `dropout_share` enlarges the trial.
    """
    expected = expected_from_evidence(request.expected, context) if request.expected is not None else None
    return design(request, expected, context)


@tool("design_two_stage_trial", input=TwoStageInput, result=TwoStageDesigns, validation=VALIDATION, offered=False)
def design_two_stage_trial(request: TwoStageInput, context: ToolContext) -> TwoStageDesigns:
    """Find Simon's optimal and minimax two-stage designs of a single-arm phase II trial (Simon 1989), by enumeration.

    Stop after n1 participants with at most r1 responses; call the treatment active with more than r of n. Shares are 0-1.
    """
    optimal, minimax = simon_designs(
        request.uninteresting_share, request.interesting_share, request.alpha, request.power, request.largest
    )
    named = (("optimal", optimal), ("minimax", minimax))
    shares = f"{100 * request.uninteresting_share:g} % against {100 * request.interesting_share:g} % responders"
    return TwoStageDesigns(
        title=f"Two-stage trial: {shares}",
        estimates=tuple(one for name, found in named for one in _two_stage(name, found)),
        charts=(
            Chart(
                kind="bars",
                title="Participants of the two designs",
                x_label="design",
                y_label="participants",
                series=tuple(
                    Series(
                        name=what,
                        points=tuple(Point(x=name, y=float(getattr(found, field))) for name, found in named),
                    )
                    for what, field in (
                        ("first stage", "n1"),
                        ("both stages", "n"),
                        ("on average if inactive", "expected_n"),
                    )
                ),
            ),
        ),
        assumptions=("Responses are independent and all are known before the second stage begins.",),
        optimal=vars(optimal),
        minimax=vars(minimax),
    )


@tool("simulate_enrichment_trial", input=EnrichmentInput, result=EnrichmentResult, validation=VALIDATION, offered=False)
def simulate_enrichment_trial(request: EnrichmentInput, context: ToolContext) -> EnrichmentResult:
    """Simulate a two-stage adaptive enrichment trial: how often it is enriched, stops, and claims an effect in whom.

    Closed testing with inverse normal combination and Simes' test (Jenkins, Stone, Jennison 2011) keeps the familywise
    error at `alpha` (one-sided). Effects are standardised differences; all output shares are % of simulated trials.
    """
    work = [(request, piece) for piece in pieces(request.trials, context.seed, size=PIECE)]
    parts = context.executor.map(_enrich, work)
    flags = np.concatenate([flag for flag, _ in parts], axis=1)
    used = np.concatenate([participants for _, participants in parts])
    names = (
        ("claimed_any", "effect claimed in anybody"),
        ("claimed_all", "effect claimed in all people"),
        ("claimed_positive", "effect claimed in marker-positive people"),
        ("enriched", "trials that go on in marker-positive people only"),
        ("stopped", "trials that stop after stage one"),
    )
    who = f"trials of {request.stage_one} and {request.stage_two} participants an arm"
    estimates = [
        _estimate(f"enrichment.{name}", what, "%", 100 * float(flag.mean()), who, Level.SHARE).model_copy(
            update=_error(flag)
        )
        for (name, what), flag in zip(names, flags, strict=True)
    ]
    size = spread(used)
    estimates.append(_estimate("enrichment.participants", "participants on average", "people", size.mean, who))
    return EnrichmentResult(
        title=f"Enrichment trial, {100 * request.prevalence:g} % marker-positive",
        estimates=tuple(estimates),
        charts=(
            Chart(
                kind="bars",
                title="What becomes of such trials",
                x_label="",
                y_label="% of simulated trials",
                series=(
                    Series(
                        name="share", points=tuple(Point(x=e.quantity, y=e.point) for e in estimates if e.unit == "%")
                    ),
                ),
            ),
        ),
        assumptions=(
            "Outcomes are normal with the same known spread in both strata; the marker is measured without error.",
            *(
                [f"Both effects are uncertain with a standard deviation of {request.effect_sd:g}, independently."]
                if request.effect_sd
                else ["The two effects are taken as exactly known; intervals show the error of the simulation only."]
            ),
        ),
    )


def _enrich(work: tuple[EnrichmentInput, Piece]) -> tuple[FloatArray, FloatArray]:
    """(5, T) flags and (T,) participants of one piece."""
    request, piece = work
    rng = piece.rng()
    positive = request.effect_positive + request.effect_sd * rng.standard_normal(piece.size)
    negative = request.effect_negative + request.effect_sd * rng.standard_normal(piece.size)
    made = EnrichmentDesign(
        request.stage_one,
        request.stage_two,
        request.prevalence,
        request.enrich_below,
        request.stop_below,
        request.alpha,
    )
    runs = simulate_enrichment(made, positive, negative, piece.size, rng)
    claimed = runs.all_claimed | runs.positive_claimed
    flags = np.array([claimed, runs.all_claimed, runs.positive_claimed, runs.enriched, runs.stopped], dtype=np.float64)
    return flags, runs.participants


def _error(flag: FloatArray) -> dict[str, float]:
    """90 % interval of a simulated share, in %: the error of the simulation (Wilson 1927)."""
    n, share, z = len(flag), float(flag.mean()), 1.6448536269514722
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * (share * (1 - share) / n + z**2 / (4 * n**2)) ** 0.5
    return {"lower": 100 * max(centre - half, 0.0), "upper": 100 * min(centre + half, 1.0)}


def _two_stage(name: str, found: TwoStage) -> list[Estimate]:
    who = f"{name} two-stage design"
    estimates = (
        _estimate(f"{name}.first_stage", "participants in the first stage", "people", found.n1, who),
        _estimate(f"{name}.stop_at", "stop with at most this many responses", "responses", found.r1, who),
        _estimate(f"{name}.participants", "participants in both stages", "people", found.n, who),
        _estimate(f"{name}.active_above", "active with more responses than", "responses", found.r, who),
        _estimate(f"{name}.expected_n", "participants on average if inactive", "people", found.expected_n, who),
        _estimate(f"{name}.early_stop", "trials stopped early if inactive", "%", 100 * found.early_stop, who),
        _estimate(f"{name}.alpha", "trials that wrongly call it active", "%", 100 * found.alpha, who),
        _estimate(f"{name}.power", "trials that rightly call it active", "%", 100 * found.power, who),
    )
    return [one.model_copy(update={"arm": f"{name} design"}) for one in estimates]


def _estimate(name: str, quantity: str, unit: str, point: float, population: str, of: Level = Level.COUNT) -> Estimate:
    return Estimate(
        id=name,
        quantity=quantity,
        unit=unit,
        population=population,
        point=float(point),
        kind=Kind.SCENARIO,
        of=Level.SHARE if unit == "%" else of,
        validation=VALIDATION,
    )
