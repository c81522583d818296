"""Words of clinicians for composite and percent outcomes, and questions after a change that are no questions after subgroups."""

from __future__ import annotations

import pytest

from assistant.intents import says
from assistant.outcomes import read_outcomes
from knowledge.base import KnowledgeBase

HEART = ("hfref_adults", "hf_adults", "heart_failure_ckd")
COPD = ("copd_frequent_exacerbators", "copd_adults", "copd_asthma")
LIPIDS = ("dyslipidaemia_primary_prevention", "dyslipidaemia")


@pytest.mark.parametrize(
    ("text", "kinds", "endpoint"),
    [
        ("hazard ratio for worsening heart failure or CV death", HEART, "worsening_hf_cv_death"),
        ("HR for hospitalisation for heart failure or cardiovascular death", HEART, "hf_hospitalization_cv_death"),
        ("total HF events plus CV death", ("t2d_ckd", "type_2_diabetes"), "total_hf_events_cv_death"),
        ("moderate or severe exacerbations", COPD, "copd_exacerbation_rate"),
        ("a severe exacerbation", COPD, "copd_exacerbation_severe_first"),
        ("LDL change in percent", LIPIDS, "ldl_percent_change"),
        ("LDL change at week 12", LIPIDS, "ldl_percent_change"),
        ("LDL change in mg/dL", LIPIDS, "ldl_change"),
        ("BMI change in %", ("obesity_adolescents", "obesity"), "bmi_percent_change"),
        ("BMI change at week 68", ("obesity_adolescents", "obesity"), "bmi_change"),
        ("how common are GI adverse events", ("obesity_t2d", "obesity"), "gastrointestinal_adverse_event"),
        ("stopping for adverse events", ("t2d_adults", "type_2_diabetes"), "discontinuation_adverse_event"),
        ("discontinuing owing to adverse events", ("alzheimers_early",), "discontinuation_adverse_event"),
        ("share losing at least 5 % of body weight", ("obesity_adults", "obesity"), "weight_loss_5_percent"),
        ("share losing at least 5% of body weight", ("obesity_adults", "obesity"), "weight_loss_5_percent"),
        ("how many lose 10 percent or more", ("obesity_adults", "obesity"), "weight_loss_10_percent"),
        ("lose more than 15 per cent of their weight", ("obesity_adults", "obesity"), "weight_loss_15_percent"),
        ("hospitalised or dead at 28 days", ("covid_outpatients", "infection"), "covid_hospitalisation_or_death"),
        ("urate responders at month 12", ("gout_adults", "musculoskeletal"), "serum_urate_response"),
        (
            "grade 3 or worse treatment-related adverse events",
            ("nsclc_advanced", "oncology"),
            "grade3_treatment_related_adverse_event",
        ),
        ("percent of their body weight", ("t2d_adults", "type_2_diabetes"), "weight_percent_change"),
    ],
)
def test_an_outcome_is_read_as_the_field_means_it(
    text: str, kinds: tuple[str, ...], endpoint: str, shipped: KnowledgeBase
) -> None:
    assert [found.endpoint for found in read_outcomes(text, shipped.vocabulary, kinds)] == [endpoint]


@pytest.mark.parametrize(
    "text",
    [
        "How does HbA1c change over 26 weeks in women with type 2 diabetes on dulaglutide 1.5 mg?",
        "By what percent does LDL change at 12 weeks on rosuvastatin 10 mg?",
        "what fraction of adults with obesity lose more than 15 per cent of their weight on liraglutide 3 mg",
        "What share of adults with obesity lose at least 5 % on semaglutide 2.4 mg?",
        "What LDL lowering would inclisiran give in patients with ASCVD?",
    ],
)
def test_a_question_after_a_figure_is_not_one_after_subgroups(text: str) -> None:
    assert not says("responders", text)


@pytest.mark.parametrize(
    "text",
    [
        "Does age change the effect of semaglutide 1 mg?",
        "Which patients benefit most?",
        "what kind of adults lose more weight on it",
        "Which BMI responds best to tirzepatide?",
        "What HbA1c predicts a good response?",
        "which baseline weight gains most",
    ],
)
def test_questions_after_subgroups_are_still_read_as_such(text: str) -> None:
    assert says("responders", text)


def test_what_a_trial_or_a_survey_found_is_a_question_of_literature() -> None:
    assert says("literature", "What did CREOLE find about two-drug combinations?")
    assert says("literature", "What do surveys say about rationing insulin?")
    assert not says("literature", "What would adults with obesity find on semaglutide 2.4 mg?")
