"""Main outcomes of areas whose trials count events: for each, names of one outcome under several definitions.

Trials of one area define what is nearly the same outcome in several ways (heart-failure hospitalisation or cardiovascular
death, with or without urgent visits). Of each group the definition that most trials of the drug report is predicted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from personas.cohort import Cohort

Groups = tuple[tuple[str, ...], ...]

_DEATH = ("all_cause_death", "cardiovascular_death")
HEART_FAILURE: Groups = (
    ("hf_hospitalization_cv_death", "worsening_hf_cv_death", "total_hf_events_cv_death", "hf_hospitalization"),
    _DEATH,
    ("kccq_change",),
)
KIDNEY: Groups = (
    (
        "kidney_composite_cv_death", "kidney_composite_50", "kidney_composite_40", "kidney_composite_57",
        "end_stage_kidney_disease",
    ),
    _DEATH,
    ("egfr_slope",),
)  # fmt: skip
COPD: Groups = (("copd_exacerbation_rate", "copd_exacerbation_first"), ("trough_fev1_change",), ("sgrq_change",))
ASTHMA: Groups = (("asthma_exacerbation_rate", "asthma_exacerbation_any"), ("trough_fev1_change",), ("acq_change",))
IN_HOSPITAL: Groups = (("mortality_28_day", "mortality_14_day", "mortality_60_day", "in_hospital_mortality"),)
OUTPATIENT: Groups = (
    (
        "covid_hospitalisation_or_death", "hospitalisation_or_death_any", "covid_hospitalisation",
        "covid_emergency_hospitalisation_or_death", "covid_emergency_or_hospitalisation",
    ),
    ("mortality_28_day",),
)  # fmt: skip
ONCOLOGY: Groups = (
    ("overall_survival",),
    ("progression_free_survival", "disease_free_survival", "event_free_survival"),
    ("objective_response", "pathological_complete_response"),
)


def _named(cohort: Cohort, word: str) -> bool:
    return word in cohort.persona.id.split("_")


def _infection(cohort: Cohort) -> Groups:
    if not _named(cohort, "covid"):
        return ()
    return IN_HOSPITAL if _named(cohort, "hospitalised") else OUTPATIENT


BY_AREA: Mapping[str, Callable[[Cohort], Groups]] = {
    "heart_failure_ckd": lambda cohort: HEART_FAILURE if (cohort.mean("heart_failure") or 0.0) >= 0.5 else KIDNEY,
    "copd_asthma": lambda cohort: ASTHMA if _named(cohort, "asthma") else COPD if _named(cohort, "copd") else (),
    "infection": _infection,
    "oncology": lambda _cohort: ONCOLOGY,
}


def groups_of(area: str, cohort: Cohort) -> Groups:
    """Groups of endpoint ids for a cohort asked about in an area; none where the area has no such list."""
    return BY_AREA[area](cohort) if area in BY_AREA else ()
