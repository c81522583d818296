"""Link 1: who is eligible, covered, starts and stays on, through the funnel of `tools.uptake`."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from knowledge.errors import InvalidInput
from tools.context import ToolContext
from tools.policy.filling import Matrix, sheet
from tools.policy.schemas import CoverageRule, PolicyInput
from tools.uptake.filling import Shares, shares_of
from tools.uptake.funnel import Counts, copay_factor
from tools.uptake.schemas import PayerRule, UptakeInput
from tools.uptake.simulation import simulate
from tools.uptake.tool import SHEET

FloatArray = npt.NDArray[np.float64]
LINK = "uptake"
MAX_COPAY = 1e6
# Areas that the funnel's sheet speaks of.
OBESITY = "obesity"


@dataclass(frozen=True)
class Uptake:
    """The funnel under each rule, from the same draws and the same chance.

    Attributes
    ----------
    shares : draws of the funnel's shares, (D, 1), with everybody covered. persistence : (D,).
    counts : by rule, (D, R, 1[, M]). before : under today's rule; None where nobody is covered today.
    copays : by rule, (D,) or None where no copay was given.
    """

    shares: Shares
    persistence: FloatArray
    counts: tuple[Counts, ...]
    before: Counts | None
    copays: tuple[FloatArray | None, ...]
    copay_before: FloatArray | None


def run_uptake(request: PolicyInput, drug: str, months: int, matrix: Matrix, context: ToolContext) -> Uptake:
    """Simulate the funnel under every rule.

    Raises
    ------
    InvalidInput
        What neither the user, the cohort nor a source tells, or a share out of range.
    """
    area = context.personas.get(request.cohort.persona_id).area
    if request.start_within_year is None and area != OBESITY:
        raise InvalidInput(
            f"What share of covered people starts {drug} within a year? Starting was observed in adults with obesity only.",
            "Give 'start_within_year'.",
        )
    asked = UptakeInput(
        treatment=drug,
        population=request.population,
        population_of=request.population_of,
        cohort=request.cohort,
        prevalence=request.prevalence,
        eligible=request.eligible,
        payers=(
            PayerRule(
                payer=request.payer,
                covered=1.0,
                covered_before=1.0,
                share=request.payer_share,
                start_within_year=request.start_within_year,
                persistence=request.persistence,
            ),
        ),
        months=months,
        draws=request.draws,
        replicates=request.replicates,
        level=request.level,
    )
    try:
        shares = shares_of(asked, context.personas, SHEET, context.seed)
    except InvalidInput as error:
        # The funnel speaks of a payer's fields; here they are the question's own.
        hint = error.hint.replace(f"{request.payer}'s '", "'").replace("the payer's 'share'", "'payer_share'")
        raise InvalidInput(error.message, hint.replace(", or a 'diffusion'", "")) from error
    matrix.assumptions += shares.assumptions
    matrix.warnings += shares.warnings
    matrix.source_ids += [one for one in shares.source_ids if one not in matrix.source_ids]
    persistence = shares.persistence[:, 0]
    _note_inputs(request, shares, matrix)
    if request.prevalence is None or request.payer_share is None:
        matrix.assumptions.append(
            "How many people belong to the cohort and have this payer is that of the whole country and taken without an "
            "interval; 'prevalence' and 'payer_share' of the state or plan change that."
        )
    # Another seed than that of the shares, so that chance says nothing of the parameters.
    chance = replace(context, seed=int(np.random.SeedSequence([context.seed, 4]).generate_state(1)[0]))
    runs = [
        _under(rule, shares, matrix, f" ({rule.name})" if place else "") for place, rule in enumerate(request.rules)
    ]
    counts = []
    for place, (changed, _) in enumerate(runs):
        context.progress(0.1 + 0.3 * place / len(runs), "following people through the funnel")
        counts.append(simulate(asked, changed, chance))
    told = "before" in request.model_fields_set
    now, copay_before = _under(request.before, shares, matrix, " (today)", told)
    before = simulate(asked, now, chance) if now.covered.any() else None
    return Uptake(shares, persistence, tuple(counts), before, tuple(copay for _, copay in runs), copay_before)


def _note_inputs(request: PolicyInput, shares: Shares, matrix: Matrix) -> None:
    rows = sheet("uptake")

    def used(*names: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(rows[n].source_id for n in names if rows[n].source_id in shares.source_ids))

    who = f"the archetype {request.cohort.persona_id} and those above it"
    matrix.note(
        LINK, "people of the cohort with this payer", shares.people[:, 0].astype(np.float64), "people",
        used("adult_share"), "from the numbers given" if request.payer_share is not None else f"shares of {who}",
    )  # fmt: skip
    if shares.eligible.min() < 1:
        matrix.note(LINK, "share eligible", shares.eligible[:, 0], "share", assumption="as given in the question")
    given = request.start_within_year is not None
    matrix.note(
        LINK, "share of covered people who start within a year", shares.yearly[:, 0], "share",
        () if given else used("start_within_half_year", "odds_medicaid", "odds_uninsured"),
        "as given in the question" if given else "",
    )  # fmt: skip
    given = request.persistence is not None
    if not given:
        matrix.warnings.append(
            "The interval of persistence is that of one large study; between years, drugs and plans it differs by more."
        )
    stay = used("persistence_without_diabetes", "persistence_with_diabetes")
    matrix.note(
        LINK, "share still on treatment after a year", shares.persistence[:, 0], "share", () if given else stay,
        "as given in the question" if given else "weighted by the cohort's share with diabetes",
    )  # fmt: skip


def _under(
    rule: CoverageRule, shares: Shares, matrix: Matrix, own: str, told: bool = True
) -> tuple[Shares, FloatArray | None]:
    """Shares under a rule, and its copay (D,); `own` tells its columns from those of the others, `told`: the user gave it."""
    if "prior auth" in rule.name.lower() and "approved" not in rule.model_fields_set:
        raise InvalidInput(
            "What share of requests does prior authorisation grant?", f"Give 'approved' of the rule '{rule.name}'."
        )

    def said(field: str) -> str:
        return (
            "as given in the question" if told and field in rule.model_fields_set else "taken, as nothing else was said"
        )

    covered = matrix.given(LINK, f"share covered{own}", rule.covered, "share", said=said("covered"))
    granted = matrix.given(LINK, f"share approved{own}", rule.approved, "share", said=said("approved"))
    yearly, copay = shares.yearly, None
    if rule.copay is not None:
        copay = matrix.given(LINK, f"copay{own}", rule.copay, "US$ per month", 0.0, MAX_COPAY)
        name = "elasticity of starting to the copay"
        elastic = matrix.columns.get(name)
        if elastic is None:
            elastic = matrix.row(LINK, name, "uptake", "copay_elasticity")
            matrix.row(LINK, "copay at which starting was observed", "uptake", "reference_copay")
        factor = copay_factor(copay, sheet("uptake")["reference_copay"].value, elastic)
        yearly = np.clip(yearly * factor[:, None], 0.0, 1.0)
    changed = replace(shares, covered=(covered * granted)[:, None], yearly=yearly)
    return changed, copay
