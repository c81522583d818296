"""`describe_cohort`: from words, or an archetype with restrictions, to a described population."""

from __future__ import annotations

from pydantic import Field, model_validator

from knowledge.errors import CohortNotCovered
from knowledge.schemas import Frozen
from personas.cohort import Cohort, SummaryRow
from personas.resolve import resolve_cohort
from personas.restrictions import YES_NO_LEVELS
from personas.schemas import CohortSpec
from personas.units import attribute_label
from tools.context import ToolContext
from tools.registry import tool
from tools.schemas import Chart, Estimate, Kind, Level, Point, Series, ToolInput, ToolResult, Validation


class DescribeInput(ToolInput):
    """A cohort, as words or as an archetype with restrictions; exactly one of the two."""

    cohort: CohortSpec | None = Field(
        None, description="archetype id, or several archetypes with their shares, and restrictions"
    )
    text: str | None = Field(
        None, max_length=1000, description="the cohort in words, e.g. 'women over 70 with type 2 diabetes'"
    )
    patients: int = Field(4000, ge=200, le=1_000_000, description="virtual patients to draw")

    @model_validator(mode="after")
    def _one(self) -> DescribeInput:
        if (self.cohort is None) == (self.text is None):
            raise ValueError("give exactly one of 'cohort' and 'text'")
        return self


class Statement(Frozen):
    """Something the cohort wants, fears or does, with where it is from."""

    topic: str
    statement: str
    source_id: str = ""
    assumption: str = ""


class CohortDescription(ToolResult):
    """A described population."""

    cohort: CohortSpec
    name: str
    summary: str
    prevalence: float = Field(description="share of the archetype that meets the restrictions, 0-1")
    effective_sample_size: float
    preferences: tuple[Statement, ...] = ()
    assumed_attributes: tuple[str, ...] = ()


@tool("describe_cohort", input=DescribeInput, result=CohortDescription, validation=Validation.VERIFIED)
def describe_cohort(request: DescribeInput, context: ToolContext) -> CohortDescription:
    """Say who a cohort is: age, sex, biomarkers, comorbidities, behaviours and preferences of its virtual patients.

    Give the user's words as `text`, or an archetype with restrictions as `cohort`; the returned `cohort` is what the
    prediction tools take. Sampled by Gaussian copula from sourced margins; attributes without a source are listed.
    """
    spec = request.cohort
    if spec is None:
        spec = resolve_cohort(request.text or "", context.personas)
        if spec is None:
            raise CohortNotCovered(
                f"No cohort was recognised in '{(request.text or '')[:120]}'.",
                "Name a disease and who, such as 'adults over 65 with type 2 diabetes'.",
            )
    cohort = Cohort.build(spec, context.personas, n=request.patients, seed=context.seed)
    rows = cohort.summary()
    persona = cohort.persona
    estimates = [estimate for row in rows for estimate in _estimates(row, cohort.label)]
    return CohortDescription(
        title=cohort.label,
        cohort=spec,
        name=persona.name,
        summary=persona.summary,
        prevalence=cohort.prevalence,
        effective_sample_size=cohort.effective_sample_size,
        estimates=tuple(estimates),
        charts=(_profile(estimates),),
        preferences=tuple(
            Statement(
                topic=preference.topic,
                statement=preference.statement,
                source_id=preference.source.source_id if preference.source else "",
                assumption=preference.assumption or "",
            )
            for preference in persona.preferences
        ),
        assumed_attributes=tuple(row.attribute for row in rows if row.assumption),
        assumptions=_assumptions(cohort),
        source_ids=tuple(dict.fromkeys(name for row in rows for name in row.source_ids)),
    )


def _estimates(row: SummaryRow, population: str) -> list[Estimate]:
    """A measured attribute is one estimate, a yes/no one the share of 'yes', one with levels a share for each."""
    note = f"assumed: {row.assumption}" if row.assumption else ""
    sources = row.source_ids
    if row.mean is not None:
        return [
            Estimate(
                id=f"{row.attribute}.mean",
                quantity=row.label,
                unit=row.unit,
                population=population,
                point=row.mean,
                lower=row.lower,
                upper=row.upper,
                kind=Kind.DESCRIPTIVE,
                of=Level.COHORT_MEAN,
                validation=Validation.VERIFIED,
                source_ids=sources,
                note=note or "interval: 5th to 95th percentile of individuals",
            )
        ]
    yes_no = set(row.shares) == set(YES_NO_LEVELS)
    shown = {level: share for level, share in row.shares.items() if not yes_no or level == YES_NO_LEVELS[1]}
    return [
        Estimate(
            id=f"{row.attribute}.share" if yes_no else f"{row.attribute}.share.{level}",
            quantity=row.label if yes_no else f"{row.label}: {level.replace('_', ' ')}",
            unit="%",
            population=population,
            point=100 * share,
            kind=Kind.DESCRIPTIVE,
            of=Level.SHARE,
            validation=Validation.VERIFIED,
            source_ids=sources,
            note=note,
        )
        for level, share in shown.items()
    ]


def _profile(estimates: list[Estimate]) -> Chart:
    shares = [estimate for estimate in estimates if estimate.of is Level.SHARE]
    return Chart(
        kind="bars",
        title="Who they are",
        x_label="% of the cohort",
        y_label="",
        series=(Series(name="share", points=tuple(Point(x=e.quantity, y=e.point) for e in shares)),),
    )


def _assumptions(cohort: Cohort) -> tuple[str, ...]:
    assumed = [row.label for row in cohort.summary() if row.assumption]
    said = [f"cohort values without a source: {', '.join(assumed)}"] if assumed else []
    if cohort.left_out:
        labels = ", ".join(attribute_label(name) for name in cohort.left_out)
        said.append(f"left out, because not every archetype of the mixture states them: {labels}")
    return tuple(said)
