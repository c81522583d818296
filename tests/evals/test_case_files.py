"""The case files are sound: names exist, published values are those of the evidence, no answer stands in its question."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

import pytest

from evals.case_schemas import (
    AbstentionCase,
    Asked,
    CaseBase,
    ConversationCase,
    Expectation,
    FairnessCase,
    GroundingCase,
    OutcomesCase,
    Published,
    RetrievalCase,
    RobustnessCase,
    SafetyCase,
    VariantKind,
)
from evals.cases_io import read_cases
from evals.schemas import Suite
from knowledge.base import KnowledgeBase
from knowledge.schemas import EvidenceView, Family
from personas.library import PersonaLibrary
from tools.catalog import build_registry

CASES = read_cases()
MINE = [case for case in CASES if case.suite is not Suite.TRUTHS]
OWN = re.compile(r"persona: \S.{2,}|[a-z].{2,} suite")
CLINICAL = {
    "type_2_diabetes", "obesity", "hypertension", "dyslipidaemia", "heart_failure_ckd", "copd_asthma", "depression",
    "neurodegeneration", "musculoskeletal", "oncology", "smoking", "infection",
}  # fmt: skip


def of(kind: type[CaseBase]) -> list[CaseBase]:
    return [case for case in CASES if type(case) is kind]


def expectations(case: CaseBase) -> Iterator[Expectation]:
    if isinstance(case, Asked):
        yield case.expect
    if isinstance(case, ConversationCase):
        yield from (turn.expect for turn in case.turns)


def published_of(case: CaseBase) -> Iterator[tuple[str, tuple[str, ...], Published]]:
    """Question, what is excluded, and published figure."""
    if isinstance(case, OutcomesCase):
        yield from ((case.question, case.exclude, figure) for figure in case.published)
    if isinstance(case, FairnessCase):
        yield from ((group.question, group.exclude, figure) for group in case.groups for figure in group.published)


def questions(case: CaseBase) -> list[str]:
    """Everything that is asked in a case."""
    match case:
        case Asked():
            return [*case.after, case.question]
        case RetrievalCase():
            return [case.query]
        case ConversationCase():
            return [turn.question for turn in case.turns]
        case RobustnessCase():
            return [case.question, *(variant.question for variant in case.variants)]
        case FairnessCase():
            return [group.question for group in case.groups]
    return []


def test_there_are_enough_cases_of_every_suite() -> None:
    counts = Counter(case.suite for case in MINE)
    least = {
        Suite.OUTCOMES: 130, Suite.RETRIEVAL: 70, Suite.ABSTENTION: 60, Suite.GROUNDING: 35, Suite.ROBUSTNESS: 45,
        Suite.FAIRNESS: 40, Suite.CONVERSATION: 30, Suite.SAFETY: 40,
    }  # fmt: skip
    assert {suite: counts[suite] for suite, n in least.items() if counts[suite] < n} == {}
    assert sum(counts.values()) >= 450


def test_ids_are_unique_and_no_question_is_asked_twice_in_a_suite() -> None:
    assert len({case.id for case in CASES}) == len(CASES)
    asked = Counter((case.suite, text.casefold()) for case in MINE for text in questions(case)[-1:])
    assert [key for key, n in asked.items() if n > 1] == []


def test_every_case_says_where_it_comes_from(shipped: KnowledgeBase) -> None:
    strange = [
        (case.id, case.source)
        for case in MINE
        if case.source not in shipped.sources
        and not OWN.fullmatch(case.source)
        and not re.fullmatch(r"(pmid|doi|PMID|DOI)[-: ]?\S+", case.source)
    ]
    assert strange == []


def test_every_source_in_a_case_is_known(shipped: KnowledgeBase) -> None:
    passages = {passage.passage_id for passage in shipped.passages}
    named = {(case.id, name) for case in CASES if isinstance(case, RetrievalCase) for name in case.relevant}
    named |= {(c.id, name) for c in CASES if isinstance(c, GroundingCase) for name in (*c.cites, *c.may_cite)}
    assert [pair for pair in sorted(named) if pair[1] not in shipped.sources and pair[1] not in passages] == []


def test_every_trial_left_out_exists(shipped: KnowledgeBase) -> None:
    excluded = {
        (case.id, name) for case in CASES if hasattr(case, "exclude") for name in getattr(case, "exclude", ())
    } | {(case.id, name) for case in CASES if isinstance(case, FairnessCase) for g in case.groups for name in g.exclude}
    assert [pair for pair in sorted(excluded) if not shipped.arms.hidden_trials(EvidenceView(exclude=(pair[1],)))] == []


@pytest.mark.parametrize("case", [case for case in CASES if any(True for _ in published_of(case))], ids=lambda c: c.id)
def test_published_values_are_those_of_the_evidence_and_left_out_of_it(case: CaseBase, shipped: KnowledgeBase) -> None:
    for _question, exclude, figure in published_of(case):
        endpoint = figure.estimate_id.split(".")[0]
        rows = [
            arm
            for arm in shipped.arms.arms
            if arm.source_id == figure.source
            and arm.endpoint == endpoint
            and arm.value == pytest.approx(figure.value, abs=1e-9)
            and (figure.locator == arm.locator or arm.locator.startswith(figure.locator))
        ]
        assert rows, figure
        kept = {arm.row_id for arm in shipped.arms.view(EvidenceView(exclude=exclude)).arms}
        assert any(row.row_id not in kept for row in rows), "the published figure is still in the evidence"


def test_no_question_gives_its_answer_away() -> None:
    told = []
    for case in CASES:
        for question, _exclude, figure in published_of(case):
            digits = f"{abs(figure.value):g}"
            numbers = re.findall(r"\d+(?:\.\d+)?", question.replace(",", ""))
            if digits in numbers and not digits.isdigit():
                told.append((case.id, digits))
    assert told == []


def test_retrieval_queries_do_not_copy_the_passage(shipped: KnowledgeBase) -> None:
    texts: dict[str, str] = {}
    for passage in shipped.passages:
        texts[passage.source_id] = texts.get(passage.source_id, "") + " " + passage.text.casefold()
    copied = []
    for case in CASES:
        if not isinstance(case, RetrievalCase):
            continue
        words = re.findall(r"[\w/-]+", case.query.casefold())
        runs = {" ".join(words[start : start + 5]) for start in range(len(words) - 4)}
        copied += [(case.id, run) for run in runs for name in case.relevant if run in texts.get(name, "")]
    assert copied == []


def test_variants_and_groups_differ_from_each_other() -> None:
    for case in CASES:
        texts = questions(case)
        if isinstance(case, RobustnessCase | FairnessCase):
            assert len(set(texts)) == len(texts), case.id


def test_secrets_stand_in_the_question_and_invented_drugs_nowhere_in_the_evidence_base(shipped: KnowledgeBase) -> None:
    known = {
        name.casefold()
        for drug in shipped.vocabulary.drugs.values()
        for name in (drug.name, *drug.brands, *drug.synonyms)
    }
    for case in CASES:
        if isinstance(case, SafetyCase):
            squeezed = case.question.replace(" ", "")
            assert all(secret.replace(" ", "") in squeezed for secret in case.secrets), case.id
        if isinstance(case, RobustnessCase):
            invented = {variant.invented.casefold() for variant in case.variants if variant.invented}
            assert not invented & known, case.id


def test_names_of_archetypes_tools_and_endpoints_exist(shipped: KnowledgeBase, library: PersonaLibrary) -> None:
    tools = {tool.name for tool in build_registry()}
    for case in MINE:
        for expect in expectations(case):
            assert all(name in library for name in expect.persona_id), case.id
            assert set(expect.tools) <= tools, case.id
            for name in expect.endpoints:
                shipped.vocabulary.endpoint(name)
        if isinstance(case, FairnessCase):
            shipped.vocabulary.endpoint(case.estimate_id.split(".")[0])
        if isinstance(case, GroundingCase):
            assert all(shipped.vocabulary.drug(name).name == name for name in case.about), case.id


def test_refusals_refuse_and_the_rest_answers() -> None:
    refused = {"not_covered", "needs_input", "redirected"}
    for case in of(AbstentionCase):
        assert isinstance(case, AbstentionCase)
        wanted = {status.value for status in case.expect.status}
        assert (wanted <= refused) != case.answerable, case.id


def test_the_cases_are_spread(shipped: KnowledgeBase) -> None:
    outcomes = [case for case in CASES if isinstance(case, OutcomesCase)]
    per_area = Counter(case.area for case in outcomes)
    assert set(per_area) >= CLINICAL
    assert all(per_area[area] >= 8 for area in CLINICAL), per_area
    families = Counter(
        shipped.vocabulary.endpoint(figure.estimate_id.split(".")[0]).family
        for case in outcomes
        for figure in case.published
    )
    assert all(families[family] >= 4 for family in Family), families
    assert len({case.exclude[0] for case in outcomes}) >= 100
    abstention = [case for case in CASES if isinstance(case, AbstentionCase)]
    assert 0.4 <= sum(case.answerable for case in abstention) / len(abstention) <= 0.6
    kinds = Counter(v.kind for case in CASES if isinstance(case, RobustnessCase) for v in case.variants)
    assert set(kinds) == set(VariantKind)
    assert kinds[VariantKind.RENAMED_DRUG] >= 15
    attributes = Counter(case.attribute for case in CASES if isinstance(case, FairnessCase))
    assert set(attributes) >= {"sex", "age", "ethnicity", "payer", "kidney_function", "rurality", "income", "bmi"}
    dangers = Counter(case.danger for case in CASES if isinstance(case, SafetyCase))
    assert all(n >= 3 for n in dangers.values()), dangers
    assert len(dangers) == 7
    assert {len(case.turns) for case in CASES if isinstance(case, ConversationCase)} >= {2, 3, 5}
