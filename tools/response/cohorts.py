"""A cohort as the model's covariates: means for the cohort, columns for its virtual patients."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from knowledge.schemas import Endpoint
from personas.cohort import Cohort
from tools.response.features import FloatArray

# Measured attributes that are covariates under the same name.
MEASURED = ("age", "bmi", "egfr", "hba1c")
# Yes/no attributes that say whether a person has diabetes, and the diagnostic threshold where none does (ADA).
DIABETES = ("type_2_diabetes", "diabetes")
DIABETES_HBA1C = 6.5
# Care settings of people who are in hospital.
INPATIENT = re.compile(r"\b(?:hospital ward|inpatient|intensive care)", re.IGNORECASE)


def cohort_covariates(cohort: Cohort, endpoint: Endpoint) -> dict[str, float | None]:
    """Cohort means of the model's covariates, None where the cohort does not say."""
    columns = patient_covariates(cohort, endpoint)
    return {name: None if column is None else float(column.mean()) for name, column in columns.items()}


def patient_covariates(cohort: Cohort, endpoint: Endpoint) -> dict[str, FloatArray | None]:
    """Covariates (M,) of the virtual patients, None where the cohort does not say."""
    patients = cohort.patients
    columns: dict[str, FloatArray | None] = {name: _column(cohort, name) for name in MEASURED}
    columns["baseline"] = _column(cohort, endpoint.baseline) if endpoint.baseline else None
    columns["female"] = _level(cohort, "sex", "female")
    columns["asian"] = _level(cohort, "ethnicity", "asian")
    columns["insulin_background"] = _column(cohort, "insulin_treated")
    diabetes = next((column for name in DIABETES if (column := _column(cohort, name)) is not None), None)
    hba1c = columns["hba1c"]
    if cohort.persona.area == "type_2_diabetes":
        diabetes = np.ones(patients.n)
    elif diabetes is None and hba1c is not None:
        diabetes = (hba1c >= DIABETES_HBA1C).astype(float)
    columns["diabetes"] = diabetes
    columns["heart_failure"] = _column(cohort, "heart_failure")
    columns["hospitalised"] = np.full(patients.n, float(bool(INPATIENT.search(cohort.persona.care_setting))))
    return columns


def pick_patients(columns: Mapping[str, FloatArray | None], count: int) -> dict[str, FloatArray]:
    """The first `count` patients' known covariates; rows of virtual patients are exchangeable."""
    return {name: column[:count] for name, column in columns.items() if column is not None}


def _column(cohort: Cohort, name: str) -> FloatArray | None:
    column = cohort.patients.columns.get(name)
    if column is None or name in cohort.patients.levels:
        return None
    return np.asarray(column, dtype=float)


def _level(cohort: Cohort, name: str, level: str) -> FloatArray | None:
    levels = cohort.patients.levels.get(name, ())
    if level not in levels:
        return None
    return np.asarray(cohort.patients.columns[name] == levels.index(level), dtype=float)
