from __future__ import annotations

import pytest

from assistant.calls import trials_named
from assistant.conversation import understand_conversation
from assistant.intents import Intent
from assistant.plans import draft_plan
from assistant.understanding import Understanding
from knowledge.base import KnowledgeBase
from personas.library import PersonaLibrary


def _read(question: str, shipped: KnowledgeBase, library: PersonaLibrary) -> Understanding:
    return understand_conversation([question], shipped.vocabulary, library)


@pytest.mark.parametrize(
    ("question", "intent", "endpoints"),
    [
        (
            "7-day point-prevalence abstinence at 12 weeks on varenicline 1 mg twice daily in adult smokers",
            Intent.RESPOND,
            ("point_prevalence_abstinence",),
        ),
        (
            "semaglutide 2.4 mg in adults with obesity, percent weight change at 68 weeks, treatment policy estimand",
            Intent.RESPOND,
            ("weight_percent_change",),
        ),
        ("share reaching A1c <7% on sitagliptin 100 mg in adults with T2D", Intent.RESPOND, ("hba1c_below_7",)),
        ("sitagliptin 100 mg in adults with T2D: % with A1c <7% at 24 weeks", Intent.RESPOND, ("hba1c_below_7",)),
        ("proportion with HbA1c less than 7 % on liraglutide 1.8 mg in T2D", Intent.RESPOND, ("hba1c_below_7",)),
        ("sitagliptin 100 mg in T2D: proportion below 7 at 24 weeks", Intent.RESPOND, ("hba1c_below_7",)),
        ("share with LDL-C <70 mg/dL on evolocumab in adults with ASCVD", Intent.RESPOND, ("ldl_below_70",)),
    ],
)
def test_the_outcome_decides(
    question: str, intent: Intent, endpoints: tuple[str, ...], shipped: KnowledgeBase, library: PersonaLibrary
) -> None:
    asked = _read(question, shipped, library)
    assert (asked.intent, asked.endpoints) == (intent, endpoints)


def test_a_window_is_no_horizon(shipped: KnowledgeBase, library: PersonaLibrary) -> None:
    asked = _read("7-day point prevalence abstinence at 12 weeks on varenicline in smokers", shipped, library)
    assert asked.horizon_weeks == 12


def test_a_value_of_the_cohort_is_no_outcome(shipped: KnowledgeBase, library: PersonaLibrary) -> None:
    asked = _read("adults with type 2 diabetes and HbA1c <7% on semaglutide 1 mg", shipped, library)
    assert asked.cohort is not None
    assert [str(item) for item in asked.cohort.restrictions] == ["hba1c<7"]


@pytest.mark.parametrize(
    ("question", "intent"),
    [
        ("Describe adults with type 2 diabetes: age, sex, HbA1c, payer", Intent.DESCRIBE),
        ("Would payers reimburse semaglutide for adults with obesity?", Intent.NOT_PREDICTED),
        ("What would a sugar policy do to adults with obesity?", Intent.NOT_PREDICTED),
        ("What is the prevalence of type 2 diabetes?", Intent.NOT_PREDICTED),
    ],
)
def test_topics_that_remain(question: str, intent: Intent, shipped: KnowledgeBase, library: PersonaLibrary) -> None:
    assert _read(question, shipped, library).intent is intent


@pytest.mark.parametrize(
    ("text", "trials"),
    [
        ("How many participants stayed to the end in XENDOS?", ("XENDOS",)),
        ("What did STEP UP report for semaglutide 7.2 mg?", ("STEP UP",)),
        ("start low and step up semaglutide", ()),
        ("what impact does it have", ()),
        ("In IMPACT, what share had an exacerbation?", ("IMPACT",)),
        ("Bunck 2009 exenatide", ()),
    ],
)
def test_trials_are_known_by_their_names(text: str, trials: tuple[str, ...], shipped: KnowledgeBase) -> None:
    assert trials_named(shipped, text) == trials


@pytest.mark.parametrize(
    ("question", "tool"),
    [
        ("How many participants stayed to the end in XENDOS, and what does it mean?", "search_literature"),
        ("In IMPACT, what share of patients had at least one exacerbation in each arm?", "search_literature"),
        ("adults with type 2 diabetes on semaglutide 1 mg as in SUSTAIN 7, HbA1c", "describe_cohort"),
    ],
)
def test_a_named_trial_is_looked_up(question: str, tool: str, shipped: KnowledgeBase, library: PersonaLibrary) -> None:
    calls = draft_plan(_read(question, shipped, library), shipped, library).calls
    assert calls[0].tool == tool
    if tool == "search_literature":
        assert calls[0].arguments["query"].startswith(trials_named(shipped, question)[0])


@pytest.mark.parametrize(
    ("written", "label"),
    [
        ("exenatide 2 mg once weekly", "exenatide ER 2 mg once weekly"),
        ("exenatide once weekly 2 mg", "exenatide ER 2 mg"),
        ("exenatide 10 µg twice daily", "exenatide 10 ug twice daily"),
    ],
)
def test_weekly_exenatide_is_the_one_in_milligrams(
    written: str, label: str, shipped: KnowledgeBase, library: PersonaLibrary
) -> None:
    asked = _read(f"{written} in adults with type 2 diabetes: HbA1c", shipped, library)
    assert [one.label for one in asked.active] == [label]


def test_the_end_of_a_word_is_no_part_of_a_drug(shipped: KnowledgeBase, library: PersonaLibrary) -> None:
    asked = _read("the country's amlodipine 5 mg effect in adults with hypertension", shipped, library)
    assert [one.name for one in asked.active] == ["amlodipine"]


@pytest.mark.parametrize(
    "question",
    [
        "What has been published on infusion reactions with pegloticase with and without methotrexate?",
        "Published reasons for discontinuing GLP-1 receptor agonists: what do patients say?",
        "What do surveys say about US adults rationing insulin because of cost?",
    ],
)
def test_what_is_published_is_searched_in_its_own_words(
    question: str, shipped: KnowledgeBase, library: PersonaLibrary
) -> None:
    asked = _read(question, shipped, library)
    assert asked.intent is Intent.LITERATURE
    assert draft_plan(asked, shipped, library).calls[0].arguments["query"] == asked.text


def test_a_remedy_without_trials_is_named(shipped: KnowledgeBase, library: PersonaLibrary) -> None:
    asked = _read("How would adults with hypertension react to moonroot tea three times a day?", shipped, library)
    assert asked.unknown_drugs == ("moonroot tea",)
