"""The case files: evals/cases/<suite>/*.yaml, each a list of cases of that suite. `python -m evals schema` writes their
JSON Schema; unknown keys are refused.

Every case says where it comes from (`source`) and why it is there (`why`). The routing suite has its own short form:
evals/cases/routing.yaml, read by evals/routing_cases.py. The holdout suite has no files: its cases are the published
trials themselves.
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from assistant.schemas import Status
from evals.schemas import Suite
from knowledge.schemas import Frozen


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


Id = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*$", max_length=80)]
Names = Annotated[tuple[str, ...], BeforeValidator(_listed, json_schema_input_type=str | tuple[str, ...])]
Statuses = Annotated[tuple[Status, ...], BeforeValidator(_listed, json_schema_input_type=Status | tuple[Status, ...])]


class Published(Frozen):
    """A published cohort mean (or share) that the prediction is held against; its trial is left out of the evidence."""

    estimate_id: str = Field(description="of the answer, e.g. hba1c_change.mean")
    value: float
    unit: str
    source: str = Field(description="source_id of the evidence base in which the value was seen")
    locator: str = Field(min_length=2, description="where in it, e.g. 'abstract' or 'Table 2'")
    trial: str = Field(
        "", description="trial as the evidence base calls it, where it is not the first that is excluded"
    )


class Expectation(Frozen):
    """What must hold of an answer. Empty fields are not checked."""

    status: Statuses = Field(min_length=1, description="one, or a list of which any is right")
    persona_id: Names = Field((), description="archetype that was used; of a list any is right")
    tools: Names = Field((), description="tools that must have been called")
    endpoints: Names = Field((), description="endpoints that must have been predicted")
    mentions: Names = Field((), description="words the text must hold, without case")
    never: Names = Field((), description="words the text must not hold, without case")
    predicts_nothing: bool = Field(False, description="no estimate of any endpoint may be there")


class CaseBase(Frozen):
    """What every case has. `suite` is the folder's name and need not be written."""

    id: Id = Field(description="unique over all suites")
    suite: Suite
    source: str = Field(
        min_length=3,
        description="where the case comes from: a source_id, PMID or DOI; or whose need it states, e.g. 'persona: nurse'",
    )
    why: str = Field(min_length=10, description="why the case is here")
    area: str = Field("", description="clinical area of the evidence base, e.g. type_2_diabetes")
    tags: Names = ()
    seed: int = Field(1, ge=0)


class Asked(CaseBase):
    """A case that is one question."""

    question: str = Field(min_length=1)
    after: Names = Field((), description="questions asked before it in the same conversation, the oldest first")
    exclude: Names = Field((), description="trials, registry ids or sources left out of the evidence")
    as_of: date | None = None
    expect: Expectation


class AnswersCase(Asked):
    """Behaviour of the whole product on one question."""

    suite: Literal[Suite.ANSWERS] = Suite.ANSWERS


class OutcomesCase(Asked):
    """Predict a published result with its trial left out of the evidence and of every text."""

    suite: Literal[Suite.OUTCOMES] = Suite.OUTCOMES
    exclude: Names = Field(min_length=1, description="the trial, under every name it has; the first is the cluster")
    published: tuple[Published, ...] = Field(min_length=1)


class RetrievalCase(CaseBase):
    """A query and what the search of the shipped literature should find."""

    suite: Literal[Suite.RETRIEVAL] = Suite.RETRIEVAL
    query: str = Field(min_length=1)
    relevant: Names = Field((), description="source_ids, or passage_ids (source_id#n), that answer it")
    nothing: bool = Field(False, description="the query is off topic: nothing should be found")
    k: int = Field(10, ge=1, le=50)
    drugs: Names = ()
    areas: Names = ()
    exclude: Names = ()
    as_of: date | None = None

    @model_validator(mode="after")
    def _either(self) -> RetrievalCase:
        if bool(self.relevant) == self.nothing:
            raise ValueError("give either `relevant`, or `nothing: true`")
        return self


class AbstentionCase(Asked):
    """Should this be answered at all? `answerable: false` with a question that must be refused, true with its twin."""

    suite: Literal[Suite.ABSTENTION] = Suite.ABSTENTION
    answerable: bool


class GroundingCase(Asked):
    """Does every numeral have a source, and are the right sources cited?

    `cites` must be cited. A cited source is right when it is in `cites` or `may_cite`, or has an arm or a passage about
    one of the drugs in `about`. With `about` and `may_cite` both empty, citation precision is not scored.
    """

    suite: Literal[Suite.GROUNDING] = Suite.GROUNDING
    cites: Names = Field((), description="source_ids")
    may_cite: Names = Field((), description="source_ids")
    about: Names = Field((), description="canonical drug names")


class VariantKind(StrEnum):
    """How a variant differs from its base question."""

    PARAPHRASE = "paraphrase"
    TYPO = "typo"
    UNIT = "unit"
    ORDER = "order"
    BRAND = "brand"
    CASE = "case"
    INJECTION = "injection"
    RENAMED_DRUG = "renamed_drug"


class Variant(Frozen):
    """A question that must give the same plan and the same numbers as its base.

    But `renamed_drug`: the drug has an invented name (`invented`), and must be refused without a number of the real one.
    """

    kind: VariantKind
    question: str = Field(min_length=1)
    invented: str = Field("", description="the invented name, of renamed_drug only")
    never: Names = Field((), description="words that must not appear, e.g. what an injection asks for")
    relative: float = Field(
        1e-9, ge=0, le=0.2, description="how far numbers may differ, as a share of the interval width"
    )

    @model_validator(mode="after")
    def _named(self) -> Variant:
        if (self.kind is VariantKind.RENAMED_DRUG) != bool(self.invented):
            raise ValueError("`invented` goes with renamed_drug, and with nothing else")
        if self.invented and self.invented.casefold() not in self.question.casefold():
            raise ValueError(f"the question does not name '{self.invented}'")
        return self


class RobustnessCase(CaseBase):
    """A base question that is answered, and its variants."""

    suite: Literal[Suite.ROBUSTNESS] = Suite.ROBUSTNESS
    question: str = Field(min_length=1)
    exclude: Names = ()
    variants: tuple[Variant, ...] = Field(min_length=1)


class SubCohort(Frozen):
    """The same question for one sub-cohort; `published` where the evidence has a figure of it (its trial is left out)."""

    name: str = Field(description="e.g. female, over 65, black, uninsured")
    question: str
    exclude: Names = ()
    published: tuple[Published, ...] = ()
    status: Statuses = Field(
        (Status.ANSWERED,), description="what is right for it; a refusal where the evidence has nobody like them"
    )


class FairnessCase(CaseBase):
    """The same question across sub-cohorts: error and coverage where published, interval width, abstention."""

    suite: Literal[Suite.FAIRNESS] = Suite.FAIRNESS
    attribute: Literal["sex", "age", "ethnicity", "payer", "income", "rurality", "language", "kidney_function", "bmi"]
    estimate_id: str = Field(description="whose interval width is compared, e.g. hba1c_change.mean")
    groups: tuple[SubCohort, ...] = Field(min_length=2)


class Turn(Frozen):
    """One question of a conversation."""

    question: str = Field(min_length=1)
    expect: Expectation


class ConversationCase(CaseBase):
    """Turns of one conversation, the later ones leaning on the earlier."""

    suite: Literal[Suite.CONVERSATION] = Suite.CONVERSATION
    turns: tuple[Turn, ...] = Field(min_length=2)
    exclude: Names = ()


class SafetyCase(Asked):
    """Something dangerous to get wrong. `secrets` (identifiers of a person) may stand nowhere in answer or ledger."""

    suite: Literal[Suite.SAFETY] = Suite.SAFETY
    danger: Literal["individual_advice", "emergency", "phi", "dangerous_premise", "injection", "overdose", "stereotype"]
    secrets: Names = ()


class Verified(StrEnum):
    """How the expected value is known to be what the source says. A figure from memory is none of these."""

    SEEN = "seen"  # the printed number was read in its source
    CODE = "code"  # computed with the authors' own published code or tables
    CLOSED_FORM = "closed_form"  # a formula that was read in its source, worked out here
    INDEPENDENT = "independent"  # other, independent software gives it


class Figure(Frozen):
    """What a result must hold: `path` is an estimate id, or a dotted path into the result; empty: the result itself.

    `value` is a number, a list or mapping of numbers, or a word or truth value, which must be equal. The figure is right
    when no part is further off than `tolerance` + `relative` * |value| + `standard_errors` * SE, where SE joins what the
    result states (`se`, a path) and what the source states (`published_se`).
    """

    path: str = ""
    value: bool | float | str | tuple[float, ...] | dict[str, float]
    unit: str = ""
    how: Literal["near", "at_least", "at_most"] = Field(
        "near", description="at_least, at_most: a bound, missed by the tolerance at most"
    )
    tolerance: float = Field(0.0, ge=0, description="absolute")
    relative: float = Field(0.0, ge=0, description="share of the value")
    standard_errors: float = Field(0.0, ge=0, le=6, description="multiples of the standard error")
    se: str = Field("", description="path to the standard error in the result")
    published_se: float = Field(0.0, ge=0, description="standard error of the published value itself")
    source: str = Field(
        min_length=3, description="PMID, DOI or source_id in which it was seen; or the closed form's source"
    )
    locator: str = ""
    verified: Verified = Verified.SEEN

    @model_validator(mode="after")
    def _room(self) -> Figure:
        numeric = not isinstance(self.value, bool | str)
        room = self.tolerance or self.relative or self.standard_errors
        stated = self.model_fields_set & {"tolerance", "relative", "standard_errors"}  # a stated 0 means exactly
        if numeric and self.how == "near" and not stated:
            raise ValueError("say how near counts as right: `tolerance`, `relative` or `standard_errors`")
        if not numeric and (room or self.how != "near"):
            raise ValueError("a word or truth value is equal or not: no tolerance, no bound")
        if bool(self.standard_errors) != bool(self.se or self.published_se):
            raise ValueError("`standard_errors` goes with `se` or `published_se`")
        return self


class TruthsCase(CaseBase):
    """A published result or closed form that a tool, or a public function of a model, must give with these inputs.

    In `arguments`, `{array: [..]}` is an array, `{data: NAME, column: X}` a column of a data set (a table without
    `column`), `{call: "module:name", with: {..}}` what that function or class gives. Data sets are named in
    evals/truths_data.yaml; one that is not there leaves the case 'not run'.
    """

    suite: Literal[Suite.TRUTHS] = Suite.TRUTHS
    tool: str = Field("", description="name in the registry; or `function`")
    function: str = Field(
        "", pattern=r"^$|^(knowledge|personas|tools)(\.\w+)+:\w+(\.\w+)*$", description="'module:name'"
    )
    arguments: dict[str, Any] = Field(default_factory=dict)
    needs: Names = Field((), description="data sets of evals/truths_data.yaml")
    figures: tuple[Figure, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _one(self) -> TruthsCase:
        if bool(self.tool) == bool(self.function):
            raise ValueError("give either `tool` or `function`")
        return self


CASE_OF: dict[Suite, type[CaseBase]] = {
    Suite.OUTCOMES: OutcomesCase,
    Suite.RETRIEVAL: RetrievalCase,
    Suite.ABSTENTION: AbstentionCase,
    Suite.GROUNDING: GroundingCase,
    Suite.ROBUSTNESS: RobustnessCase,
    Suite.FAIRNESS: FairnessCase,
    Suite.CONVERSATION: ConversationCase,
    Suite.SAFETY: SafetyCase,
    Suite.ANSWERS: AnswersCase,
    Suite.TRUTHS: TruthsCase,
}
