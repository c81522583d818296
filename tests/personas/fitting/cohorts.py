"""Synthetic people for the tests of the fit."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from personas.fitting.design import Design, make_design
from personas.fitting.mapping import Mapping
from personas.fitting.table import PatientTable
from personas.library import PersonaLibrary
from personas.sampling import draw
from personas.schemas import Persona

NAMES = ("age", "sex", "ethnicity", "bmi", "weight", "egfr", "hba1c", "ckd", "hypertension", "adherence_pdc")


def persona() -> Persona:
    return PersonaLibrary().get("t2d_adults")


def design_of(names: Sequence[str] = NAMES) -> Design:
    return make_design(Mapping.model_validate({"attributes": {name: {"column": name} for name in names}}), persona())


def people(n: int, seed: int, names: Sequence[str] = NAMES, source: Persona | None = None) -> PatientTable:
    drawn = draw(source or persona(), (), n, seed)
    return PatientTable({name: drawn.columns[name].astype(np.float64) for name in names}, n)


def stacked(parts: Sequence[PatientTable]) -> PatientTable:
    columns = {name: np.concatenate([part.columns[name] for part in parts]) for name in parts[0].columns}
    return PatientTable(columns, sum(part.n for part in parts))


def write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as lines:
        csv.writer(lines).writerows([header, *rows])
    return path


def clinic(path: Path, n: int = 400, seed: int = 1, keep: NDArray[np.bool_] | None = None) -> Path:
    """A CSV file as a clinic would export it: HbA1c in mmol/mol, sex as F and M, gaps as empty cells."""
    drawn = draw(persona(), (), n, seed)
    ifcc = np.round((drawn.columns["hba1c"] - 2.152) / 0.09148).astype(int)
    sex, ethnicity = drawn.labels("sex"), drawn.labels("ethnicity")
    rows = [
        [
            f"p{row}",
            int(drawn.columns["age"][row]),
            sex[row][0].upper(),
            ethnicity[row],
            "" if row % 17 == 3 else ifcc[row],
            round(float(drawn.columns["bmi"][row]), 1),
            round(float(drawn.columns["egfr"][row])),
            int(drawn.columns["hypertension"][row]),
        ]
        for row in range(n)
        if keep is None or keep[row]
    ]
    return write_csv(path, ["nr", "age", "sex", "race", "a1c", "bmi", "egfr", "htn"], rows)


CLINIC_MAP = """
format: csv
id: nr
attributes:
  age: {column: age}
  sex: {column: sex, values: {F: female, M: male}}
  ethnicity: {column: race}
  hba1c: {column: a1c, unit: mmol/mol}
  bmi: {column: bmi}
  egfr: {column: egfr}
  hypertension: {column: htn, values: {'1': 'yes', '0': 'no'}}
"""
