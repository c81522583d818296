"""From what the user gave, the cohort and the parameter sheet to the shares of the funnel, each as draws."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from knowledge.errors import InvalidInput, UnknownPersona
from personas.cohort import Cohort
from personas.library import PersonaLibrary
from personas.schemas import CohortSpec
from tools.parameter_sheet import Parameter, ParameterSheet, read_parameters
from tools.quantities import Quantity, as_uncertain
from tools.uptake import funnel
from tools.uptake.schemas import PayerRule, UptakeInput

FloatArray = npt.NDArray[np.float64]
# Drugs that the sheet's shares of starting and staying on were observed for, or are taken for with a warning.
OBSERVED, TAKEN_FOR = ("semaglutide",), ("semaglutide", "tirzepatide", "liraglutide")
# Payers whose odds of starting against private insurance are in the sheet.
ODDS = {"medicaid": "odds_medicaid", "uninsured": "odds_uninsured"}
PATIENTS = 20_000


@dataclass
class Shares:
    """Draws of everything the funnel needs: (D, G) by payer, and what was taken for the user."""

    payers: tuple[str, ...]
    people: npt.NDArray[np.int64]
    eligible: FloatArray
    covered: FloatArray
    covered_before: FloatArray
    yearly: FloatArray
    yearly_before: FloatArray
    persistence: FloatArray
    cohort: Cohort | None
    population: str
    assumptions: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    source_ids: list[str] = field(default_factory=list)


class _Filler:
    """Draws quantities and sheet rows, and remembers which rows were used."""

    def __init__(self, request: UptakeInput, sheet: ParameterSheet, rng: np.random.Generator) -> None:
        self.request, self.sheet, self.rng, self.n = request, sheet, rng, request.draws
        self.assumptions: list[str] = []
        self.warnings: list[str] = []
        self.source_ids: list[str] = []
        self._drawn: dict[str, FloatArray] = {}

    def given(self, quantity: Quantity, what: str, low: float = 0.0, high: float = 1.0) -> FloatArray:
        values = as_uncertain(quantity).draw(self.rng, self.n)
        point = as_uncertain(quantity).point
        if not np.isfinite(values).all() or not low <= point <= high:
            raise InvalidInput(f"{what} lies between {low:g} and {high:g}, not at {point:g}.")
        return np.clip(values, low, high)

    def row(self, name: str) -> FloatArray:
        if name not in self._drawn:
            one: Parameter = self.sheet[name]
            self._drawn[name] = one.draw(self.rng, self.n)
            self.source_ids.append(one.source_id)
            self.assumptions.append(
                f"{one.description}: {one.value:g} {one.unit} ({one.source_id}). {one.assumption}".strip()
            )
        return self._drawn[name]


def shares_of(request: UptakeInput, library: PersonaLibrary, sheet_file: Path, seed: int) -> Shares:
    """Draws of the funnel's shares.

    Raises
    ------
    InvalidInput
        Something that neither the user, the cohort nor a source tells: prevalence, a payer's share, who starts, who
        stays on; or a share out of range.
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed).spawn(2)[0])
    fill = _Filler(request, read_parameters(sheet_file), rng)
    cohort = Cohort.build(request.cohort, library, n=PATIENTS, seed=seed) if request.cohort else None
    members = _members(request, cohort, library, fill)
    names = tuple(rule.payer for rule in request.payers)
    split = _payer_shares(request, cohort, fill)
    if (split.mean(axis=0)).sum() > 1 + 1e-6:
        raise InvalidInput("The payers' shares of the cohort sum to more than 1.")
    eligible = fill.given(request.eligible, "The eligible share")
    covered, before, yearly, yearly_before, stay = ([] for _ in range(5))
    for rule in request.payers:
        granted = fill.given(rule.approved, f"{rule.payer}: the share approved")
        covered.append(fill.given(rule.covered, f"{rule.payer}: the share covered") * granted)
        before.append(fill.given(rule.covered_before, f"{rule.payer}: the share covered before") * granted)
        start = _yearly(rule, request, fill)
        yearly.append(_at_copay(start, rule.copay, rule, fill))
        yearly_before.append(_at_copay(start, rule.copay_before or rule.copay, rule, fill))
        stay.append(_persistence(rule, request, cohort, fill))
    if any(as_uncertain(rule.covered_before).point == 0 for rule in request.payers):
        fill.assumptions.append("A payer without 'covered_before' is taken to pay for nobody before the plan.")
    return Shares(
        payers=names,
        people=np.rint(members[:, None] * split).astype(np.int64),
        eligible=np.repeat(eligible[:, None], len(names), axis=1),
        covered=np.stack(covered, axis=1),
        covered_before=np.stack(before, axis=1),
        yearly=np.stack(yearly, axis=1),
        yearly_before=np.stack(yearly_before, axis=1),
        persistence=np.stack(stay, axis=1),
        cohort=cohort,
        population=cohort.label if cohort else "the population given",
        assumptions=fill.assumptions,
        warnings=fill.warnings,
        source_ids=list(dict.fromkeys(fill.source_ids)),
    )


def _members(request: UptakeInput, cohort: Cohort | None, library: PersonaLibrary, fill: _Filler) -> FloatArray:
    """(D,) people who belong to the cohort."""
    count = np.full(fill.n, float(request.population or 0))
    if request.population_of == "cohort":
        return count
    if request.population_of == "everybody":
        count = count * fill.row("adult_share")
    if request.prevalence is not None:
        return count * fill.given(request.prevalence, "The prevalence")
    if request.cohort is None or cohort is None:
        raise InvalidInput(
            "What share of the adults may be treated?", "Give 'prevalence', or a 'cohort' that tells it."
        )
    found = cohort_prevalence(request.cohort, cohort, library)
    fill.assumptions.append(
        f"{100 * found:.1f} % of adults belong to the cohort, as in the archetype of all adults; 'prevalence' changes it."
    )
    return count * found


def cohort_prevalence(spec: CohortSpec, cohort: Cohort, library: PersonaLibrary) -> float:
    """Share of the adults who belong to a cohort, from the archetypes above it.

    InvalidInput when an archetype on the way up does not say by what it is restricted (then prevalence is unknown), or
    the cohort is a mixture.
    """
    share, name = cohort.prevalence, spec.persona_id
    if spec.mixture:
        raise InvalidInput("A mixture of archetypes does not tell how frequent it is.", "Give 'prevalence'.")
    while (persona := library.get(name)).parent:
        if not persona.restrictions:
            raise InvalidInput(f"The archetype '{name}' does not tell how frequent it is.", "Give 'prevalence'.")
        try:
            parent = CohortSpec.model_validate(
                {"persona_id": persona.parent, "restrictions": list(persona.restrictions)}
            )
            share *= Cohort.build(parent, library, n=PATIENTS, seed=1).prevalence
        except (UnknownPersona, ValueError) as error:
            raise InvalidInput(f"How frequent '{name}' is cannot be told.", "Give 'prevalence'.") from error
        name = persona.parent
    return share


def _payer_shares(request: UptakeInput, cohort: Cohort | None, fill: _Filler) -> FloatArray:
    """(D, G) share of the cohort with each payer."""
    columns = []
    for rule in request.payers:
        if rule.share is not None:
            columns.append(fill.given(rule.share, f"{rule.payer}: the share of the cohort"))
            continue
        known = cohort.share("payer", rule.payer.lower()) if cohort else None
        if known is None:
            raise InvalidInput(f"What share of the cohort has {rule.payer}?", "Give the payer's 'share'.")
        columns.append(np.full(fill.n, known))
        fill.assumptions.append(f"{100 * known:.1f} % of the cohort have {rule.payer}, as its archetype says.")
    return np.stack(columns, axis=1)


def _yearly(rule: PayerRule, request: UptakeInput, fill: _Filler) -> FloatArray:
    """(D,) share of the covered who start within a year, promotion included."""
    if rule.start_within_year is not None:
        share = fill.given(rule.start_within_year, f"{rule.payer}: the share that starts within a year")
    elif request.diffusion is not None:
        share = np.zeros(fill.n)
    else:
        drug = request.treatment.lower()
        if not any(name in drug for name in TAKEN_FOR):
            raise InvalidInput(
                f"What share of covered people starts {request.treatment} within a year?",
                f"Give {rule.payer}'s 'start_within_year', or a 'diffusion'.",
            )
        if not any(name in drug for name in OBSERVED):
            fill.warnings.append(f"Starting was observed for semaglutide and is taken for {request.treatment}.")
        half = np.clip(fill.row("start_within_half_year"), 0.0, 1.0)
        share = 1 - (1 - half) ** 2
        if rule.payer.lower() in ODDS:
            share = funnel.odds_times(share, fill.row(ODDS[rule.payer.lower()]))
        fill.warnings.append(
            "Who starts is taken from insured people of whom not all were covered; full coverage may draw more."
        )
    return funnel.odds_times(share, fill.given(request.promotion, "Promotion's odds ratio", 0.0, 100.0))


def _at_copay(share: FloatArray, copay: Quantity | None, rule: PayerRule, fill: _Filler) -> FloatArray:
    if copay is None:
        return share
    price = fill.given(copay, f"{rule.payer}: the copay", 0.0, 1e6)
    factor = funnel.copay_factor(price, fill.sheet["reference_copay"].value, fill.row("copay_elasticity"))
    fill.row("reference_copay")
    return np.clip(share * factor, 0.0, 1.0)


def _persistence(rule: PayerRule, request: UptakeInput, cohort: Cohort | None, fill: _Filler) -> FloatArray:
    if rule.persistence is not None:
        return fill.given(rule.persistence, f"{rule.payer}: persistence", 1e-6)
    if not any(name in request.treatment.lower() for name in TAKEN_FOR):
        raise InvalidInput(
            f"What share is still on {request.treatment} after a year?", f"Give {rule.payer}'s 'persistence'."
        )
    return by_diabetes(fill.row, share_with_diabetes(cohort))


def share_with_diabetes(cohort: Cohort | None) -> float:
    """Share of a cohort with type 2 diabetes; archetypes of people with diabetes need not say so of each patient."""
    if cohort is None:
        return 0.0
    share = cohort.mean("type_2_diabetes")
    if share is not None:
        return share
    return 1.0 if cohort.persona.area == "type_2_diabetes" else 0.0


def by_diabetes(row: Callable[[str], FloatArray], diabetes: float) -> FloatArray:
    """(D,) share still on a GLP-1 medicine after a year, weighted by the share with diabetes; `row` draws from this sheet."""
    if diabetes >= 1:
        return row("persistence_with_diabetes")
    without = row("persistence_without_diabetes")
    if diabetes <= 0:
        return without
    return np.asarray((1 - diabetes) * without + diabetes * row("persistence_with_diabetes"))


def access_by(
    cohort: Cohort, attribute: str, covered: Mapping[str, tuple[float, float]]
) -> list[tuple[str, float, float, float]]:
    """(group, share of the cohort, covered, covered before) for each level of an attribute.

    InvalidInput when the cohort lacks the attribute or payers, or the attribute is a number.
    """
    groups, payer = cohort.patients.labels(attribute), cohort.patients.labels("payer")
    found = []
    for group in dict.fromkeys(groups.tolist()):
        here = groups == group
        after = sum(covered[name][0] * float((payer[here] == name).mean()) for name in covered)
        before = sum(covered[name][1] * float((payer[here] == name).mean()) for name in covered)
        found.append((str(group), float(here.mean()), after, before))
    return sorted(found, key=lambda row: row[2])
