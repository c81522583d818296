"""Readers against small files of each format, and an error that names file and row for each way to be wrong."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from knowledge.errors import PatientDataError
from personas.fitting.design import make_design
from personas.fitting.fhir import read_fhir
from personas.fitting.mapping import Mapping, read_mapping_file
from personas.fitting.records import Records
from personas.fitting.table import PatientTable, QualityReport, build_table, found_levels
from personas.fitting.tables import read_csv, read_omop, read_synthea
from tests.personas.fitting.cohorts import CLINIC_MAP, clinic, write_csv


def mapping(tmp_path: Path, text: str) -> Mapping:
    file = tmp_path / "map.yaml"
    file.write_text(text, encoding="utf-8")
    return read_mapping_file(file)


def table(records: Records, rules: Mapping) -> tuple[PatientTable, QualityReport]:
    return build_table(records, rules, make_design(rules, found_levels=found_levels(records, rules)))


def test_csv_converts_units_and_names_gaps(tmp_path: Path) -> None:
    rules = mapping(tmp_path, CLINIC_MAP)
    made, quality = table(read_csv(clinic(tmp_path / "clinic.csv", 60), rules), rules)
    assert made.n == 60
    known = made.columns["hba1c"][~np.isnan(made.columns["hba1c"])]
    assert 5.0 < known.mean() < 9.5  # mmol/mol would be 30 to 90
    assert quality.attributes[3].missing == np.isnan(made.columns["hba1c"]).sum() == 4


def test_units_by_row_duplicates_and_impossible_values(tmp_path: Path) -> None:
    rules = mapping(
        tmp_path,
        "id: nr\nmissing: ['-9']\nattributes:\n  age: {column: age}\n  diabetes_duration: {column: years}\n"
        "  ldl: {column: ldl, unit_column: unit}\n  smoker: {column: smoker, values: {Y: 'yes', N: 'no'}}\n"
        "restrictions: [age>=18]\n",
    )
    rows = [
        ["a", 50, 5, 100, "mg/dL", "Y"],
        ["b", 60, 4, 3.0, "mmol/L", "N"],
        ["b", 61, 4, 3.1, "mmol/L", "N"],  # the second row of b
        ["c", 70, 80, 90, "mg/dL", "N"],  # ill before birth
        ["d", 17, 1, 90, "mg/dL", "N"],  # no member
        ["e", 70, "-9", 9000, "mg/dL", "N"],  # nobody has such an LDL
        ["f", "", 3, 90, "mg/dL", "N"],  # unknown age
        ["g", 50, 5, 100, "mg/dL", "Y"],  # the same as a
    ]
    path = write_csv(tmp_path / "labs.csv", ["nr", "Age", "years", "LDL", "unit", "smoker"], rows)
    made, quality = table(read_csv(path, rules), rules)
    assert made.columns["ldl"][1] == pytest.approx(3.0 * 38.67)
    assert made.columns["smoker"].tolist()[:2] == [1.0, 0.0]
    assert np.isnan(made.columns["ldl"][2])
    assert np.isnan(made.columns["diabetes_duration"][2])
    assert (quality.people_read, quality.people, quality.repeated_ids) == (8, 4, 1)
    assert (quality.contradictions, quality.not_members, quality.membership_unknown) == (1, 1, 1)
    assert quality.same_rows == 1
    assert quality.repeated_at == ("labs.csv, row 4",)
    ldl = next(item for item in quality.attributes if item.attribute == "ldl")
    assert (ldl.impossible, ldl.impossible_at) == (1, ("labs.csv, row 7",))


WRONG_CELLS: dict[str, tuple[str, str]] = {
    "text": ("high", r"labs.csv, row 3: hba1c is 'high', not a number"),
    "comma": ("7,1", r"row 3: hba1c is '7,1'.*Write decimals with a point"),
    "infinite": ("inf", r"row 3: hba1c is 'inf', not a finite number"),
    "level": ("x", r"row 3: sex is 'x'.*Add it under 'values'"),
}


@pytest.mark.parametrize("case", WRONG_CELLS)
def test_a_wrong_cell_is_named_with_file_and_row(tmp_path: Path, case: str) -> None:
    rules = mapping(
        tmp_path, "attributes:\n  hba1c: {column: a1c}\n  sex: {column: sex, values: {F: female, M: male}}\n"
    )
    cell, message = WRONG_CELLS[case]
    last = ["7.0", cell] if case == "level" else [cell, "M"]
    path = write_csv(tmp_path / "labs.csv", ["a1c", "sex"], [["NaN", "F"], last])
    with pytest.raises(PatientDataError, match=message):
        table(read_csv(path, rules), rules)


def test_an_unknown_unit_is_named(tmp_path: Path) -> None:
    rules = mapping(tmp_path, "attributes:\n  hba1c: {column: a1c, unit: furlong}\n")
    path = write_csv(tmp_path / "labs.csv", ["a1c"], [["7.0"]])
    with pytest.raises(PatientDataError, match=r"labs.csv, row 2: 'furlong' is not a unit of HbA1c.*mmol/mol"):
        table(read_csv(path, rules), rules)


WRONG_FILES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "labs.csv is empty"),
    "header only": (b"a1c\n", "labs.csv has a header and no rows"),
    "no column": (b"glucose\n5\n", "labs.csv has no column 'a1c'"),
    "twice": (b"a1c,a1c\n5,6\n", "'a1c' stands in the header twice"),
    "ragged": (b"a1c,b\n5,6\n7\n", "labs.csv, row 3 has 1 cells where the header has 2"),
    "quote": (b'a1c\n"5\n', "labs.csv, line .* cannot be read as CSV"),
    "latin": ("a1c\n5\xb5\n".encode("latin-1"), "labs.csv is not UTF-8"),
}


@pytest.mark.parametrize("case", WRONG_FILES)
def test_a_broken_csv_is_named(tmp_path: Path, case: str) -> None:
    content, message = WRONG_FILES[case]
    (tmp_path / "labs.csv").write_bytes(content)
    rules = mapping(tmp_path, "attributes:\n  hba1c: {column: a1c}\n")
    with pytest.raises(PatientDataError, match=message):
        read_csv(tmp_path / "labs.csv", rules)


WRONG_MAPS: dict[str, tuple[str, str]] = {
    "not yaml": ("attributes: [", "map.yaml:.* is not valid YAML"),
    "no source": ("attributes:\n  bmi: {unit: kg/m2}\n", "attributes.bmi: .*exactly one of column"),
    "unknown key": ("atributes:\n  bmi: {column: b}\n", "map.yaml: "),
    "no date": ("attributes:\n  age: {birth_date: true}\n", "as_of is missing, and age depends on it"),
    "range": ("attributes:\n  score: {column: s, unit: points, range: [5, 1]}\n", "from the smaller to the larger"),
}


@pytest.mark.parametrize("case", WRONG_MAPS)
def test_a_wrong_mapping_file_is_named(tmp_path: Path, case: str) -> None:
    text, message = WRONG_MAPS[case]
    with pytest.raises(PatientDataError, match=message):
        mapping(tmp_path, text)


def test_an_attribute_nobody_describes_is_refused(tmp_path: Path) -> None:
    rules = mapping(tmp_path, "attributes:\n  mood: {column: m}\n")
    with pytest.raises(PatientDataError, match="does not say what mood is"):
        make_design(rules)


SYNTHEA_MAP = """
format: synthea
as_of: 2024-06-30
include: {condition: '44054006'}
attributes:
  age: {birth_date: true}
  sex: {column: GENDER, values: {F: female, M: male}}
  hba1c: {observation: 4548-4}
  sbp: {observation: [8480-6], take: mean}
  hypertension: {condition: ['59621000']}
"""


def synthea(folder: Path) -> Path:
    folder.mkdir()
    write_csv(
        folder / "patients.csv",
        ["Id", "BIRTHDATE", "DEATHDATE", "RACE", "ETHNICITY", "GENDER"],
        [
            ["u1", "1960-06-30", "", "white", "nonhispanic", "F"],
            ["u2", "1950-01-01", "", "black", "nonhispanic", "M"],
            ["u3", "1940-01-01", "2020-02-02", "white", "hispanic", "M"],
            ["u4", "1990-01-01", "", "asian", "nonhispanic", "F"],
        ],
    )
    write_csv(
        folder / "conditions.csv",
        ["START", "STOP", "PATIENT", "ENCOUNTER", "SYSTEM", "CODE", "DESCRIPTION"],
        [
            ["2010-01-01", "", "u1", "e", "http://snomed.info/sct", "44054006", "Diabetes"],
            ["2010-01-01", "", "u2", "e", "http://snomed.info/sct", "44054006", "Diabetes"],
            ["2010-01-01", "", "u3", "e", "http://snomed.info/sct", "44054006", "Diabetes"],
            ["2011-01-01", "2012-01-01", "u1", "e", "http://snomed.info/sct", "59621000", "Hypertension"],
            ["2011-01-01", "", "u2", "e", "http://snomed.info/sct", "59621000", "Hypertension"],
        ],
    )
    write_csv(
        folder / "observations.csv",
        ["DATE", "PATIENT", "ENCOUNTER", "CATEGORY", "CODE", "DESCRIPTION", "VALUE", "UNITS", "TYPE"],
        [
            ["2023-01-01T09:00:00Z", "u1", "e", "laboratory", "4548-4", "HbA1c", "8.1", "%", "numeric"],
            ["2024-01-01T09:00:00Z", "u1", "e", "laboratory", "4548-4", "HbA1c", "7.3", "%", "numeric"],
            ["2024-12-01T09:00:00Z", "u1", "e", "laboratory", "4548-4", "HbA1c", "6.0", "%", "numeric"],
            ["2024-01-01T09:00:00Z", "u2", "e", "vital-signs", "8480-6", "SBP", "140", "mm[Hg]", "numeric"],
            ["2024-02-01T09:00:00Z", "u2", "e", "vital-signs", "8480-6", "SBP", "150", "mm[Hg]", "numeric"],
            ["2024-02-01T09:00:00Z", "u2", "e", "survey", "9999-9", "Mood", "fine", "{score}", "text"],
        ],
    )
    return folder


def test_synthea(tmp_path: Path) -> None:
    rules = mapping(tmp_path, SYNTHEA_MAP)
    made, quality = table(read_synthea(synthea(tmp_path / "csv"), rules), rules)
    assert made.n == 2
    assert (quality.dead, quality.not_included) == (1, 1)
    assert made.columns["age"] == pytest.approx([64.0, 74.5], abs=0.02)
    assert made.columns["hba1c"][0] == 7.3  # the latest before the day looked at
    assert np.isnan(made.columns["hba1c"][1])
    assert made.columns["sbp"][1] == 145
    assert made.columns["hypertension"].tolist() == [0.0, 1.0]


def test_synthea_without_its_unit_or_its_people(tmp_path: Path) -> None:
    folder = synthea(tmp_path / "csv")
    rules = mapping(tmp_path, SYNTHEA_MAP)
    path = folder / "observations.csv"
    path.write_text(path.read_text().replace("150,mm[Hg]", "15,cubit"))
    with pytest.raises(PatientDataError, match=r"observations.csv, row 6: 'cubit' is not a unit.*under 'units'"):
        table(read_synthea(folder, rules), rules)
    with (folder / "conditions.csv").open("a") as lines:
        lines.write("2010-01-01,,ghost,e,x,44054006,Diabetes\n")
    with pytest.raises(PatientDataError, match=r"conditions\.csv, row 7: the person 'ghost'"):
        read_synthea(folder, rules)
    (folder / "conditions.csv").unlink()
    with pytest.raises(PatientDataError, match=r"There is no file 'conditions\.csv'"):
        read_synthea(folder, rules)


def patient(number: str, born: str, gender: str, race: str = "White") -> dict[str, Any]:
    us_core = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race"
    omb = {"url": "ombCategory", "valueCoding": {"system": "urn:oid:2.16.840.1.113883.6.238", "display": race}}
    resource = {
        "resourceType": "Patient",
        "id": number,
        "gender": gender,
        "birthDate": born,
        "extension": [{"url": us_core, "extension": [omb, {"url": "text", "valueString": race}]}],
    }
    return {"fullUrl": f"urn:uuid:{number}", "resource": resource}


def observation(subject: str, code: str, value: float, unit: str, **more: Any) -> dict[str, Any]:
    coding = {"coding": [{"system": "http://loinc.org", "code": code}]}
    resource = {
        "resourceType": "Observation",
        "status": "final",
        "code": coding,
        "subject": {"reference": subject},
        "effectiveDateTime": "2024-01-05T10:00:00+01:00",
        "valueQuantity": {"value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit},
    }
    return {"resource": {**resource, **more}}


def blood_pressure(subject: str) -> dict[str, Any]:
    def part(code: str, value: float) -> dict[str, Any]:
        return {"code": {"coding": [{"code": code}]}, "valueQuantity": {"value": value, "unit": "mmHg"}}

    entry = observation(subject, "85354-9", 0, "")
    del entry["resource"]["valueQuantity"]
    entry["resource"]["component"] = [part("8480-6", 131), part("8462-4", 82)]
    return entry


def condition(subject: str, code: str, **more: Any) -> dict[str, Any]:
    resource = {
        "resourceType": "Condition",
        "subject": {"reference": subject},
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": code}]},
        "onsetDateTime": "2015",
    }
    return {"resource": {**resource, **more}}


FHIR_MAP = """
format: fhir
as_of: 2024-06-30
attributes:
  age: {birth_date: true}
  sex: {column: gender, values: {female: female, male: male}}
  ethnicity: {column: race, values: {White: white, Asian: asian}}
  hba1c: {observation: 4548-4}
  sbp: {observation: 8480-6}
  hypertension: {condition: '59621000'}
"""


def bundle(path: Path, entries: list[dict[str, Any]]) -> Path:
    path.write_text(json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}), encoding="utf-8")
    return path


def test_fhir(tmp_path: Path) -> None:
    refuted = {"verificationStatus": {"coding": [{"code": "refuted"}]}}
    folder = tmp_path / "bundles"
    folder.mkdir()
    bundle(
        folder / "a.json",
        [
            observation("urn:uuid:p1", "4548-4", 7.4, "%"),
            patient("p1", "1960-06-30", "female"),
            condition("urn:uuid:p1", "59621000"),
            blood_pressure("urn:uuid:p1"),
            observation("urn:uuid:p1", "4548-4", 12.0, "%", status="entered-in-error"),
        ],
    )
    bundle(
        folder / "b.json",
        [
            patient("p2", "1950-01", "male", "Asian"),
            observation("Patient/p2", "4548-4", 60, "mmol/mol"),
            condition("Patient/p2", "59621000", **refuted),
        ],
    )
    rules = mapping(tmp_path, FHIR_MAP)
    made, quality = table(read_fhir(folder, rules), rules)
    assert quality.people == 2
    assert made.columns["hba1c"] == pytest.approx([7.4, 0.09148 * 60 + 2.152])
    assert made.columns["sbp"][0] == 131
    assert made.columns["hypertension"].tolist() == [1.0, 0.0]
    assert made.columns["age"] == pytest.approx([64.0, 74.5], abs=0.02)


WRONG_BUNDLES: dict[str, tuple[str, str]] = {
    "not json": ('{"resourceType": "Bundle", ', r"b.json is not JSON \(line 1"),
    "no bundle": ('{"resourceType": "Patient"}', "b.json is not a FHIR bundle"),
    "empty": ('{"resourceType": "Bundle", "entry": []}', "b.json is a bundle without entries"),
    "no resource": ('{"resourceType": "Bundle", "entry": [{}]}', "b.json, entry 1 has no resource"),
    "no patient": (
        json.dumps({"resourceType": "Bundle", "entry": [observation("Patient/x", "4548-4", 7, "%")]}),
        "no Patient",
    ),
    "stranger": (
        json.dumps(
            {
                "resourceType": "Bundle",
                "entry": [patient("p", "1960-01-01", "male"), observation("Patient/x", "4548-4", 7, "%")],
            }
        ),
        "b.json, entry 2: the Observation refers to 'Patient/x'",
    ),
    "bad date": (
        json.dumps({"resourceType": "Bundle", "entry": [patient("p", "long ago", "male")]}),
        "b.json, entry 1: birthDate is 'long ago', not a date",
    ),
}


@pytest.mark.parametrize("case", WRONG_BUNDLES)
def test_a_broken_bundle_is_named(tmp_path: Path, case: str) -> None:
    text, message = WRONG_BUNDLES[case]
    (tmp_path / "b.json").write_text(text, encoding="utf-8")
    with pytest.raises(PatientDataError, match=message):
        read_fhir(tmp_path / "b.json", mapping(tmp_path, FHIR_MAP))


OMOP_MAP = """
format: omop
as_of: 2024-07-01
units: {'8554': '%', '9579': mmol/mol}
attributes:
  age: {birth_date: true}
  sex: {column: gender_concept_id, values: {'8532': female, '8507': male}}
  hba1c: {observation: '3004410'}
  hypertension: {condition: '320128'}
"""


def test_omop(tmp_path: Path) -> None:
    folder = tmp_path / "cdm"
    folder.mkdir()
    person = ["person_id", "gender_concept_id", "year_of_birth", "month_of_birth", "day_of_birth", "race_concept_id"]
    write_csv(
        folder / "person.csv", person, [[1, 8532, 1960, 7, 1, 0], [2, 8507, 1950, "", "", 0], [3, 8507, 1930, 1, 1, 0]]
    )
    write_csv(folder / "death.csv", ["person_id", "death_date"], [[3, "2020-01-01"]])
    measured = [
        "measurement_id",
        "person_id",
        "measurement_concept_id",
        "measurement_date",
        "value_as_number",
        "unit_concept_id",
    ]
    write_csv(
        folder / "measurement.csv",
        measured,
        [
            [1, 1, 3004410, "2024-01-01", 7.5, 8554],
            [2, 2, 3004410, "2024-01-01", 60, 9579],
            [3, 2, 3004410, "2024-02-01", "", 9579],
        ],
    )
    ill = ["condition_occurrence_id", "person_id", "condition_concept_id", "condition_start_date", "condition_end_date"]
    write_csv(folder / "condition_occurrence.csv", ill, [[1, 2, 320128, "2015-01-01", "2015-01-01"]])
    rules = mapping(tmp_path, OMOP_MAP)
    made, quality = table(read_omop(folder, rules), rules)
    assert (made.n, quality.dead) == (2, 1)
    assert made.columns["age"] == pytest.approx([64.0, 74.0], abs=0.02)
    assert made.columns["sex"].tolist() == [0.0, 1.0]
    assert made.columns["hba1c"] == pytest.approx([7.5, 0.09148 * 60 + 2.152])
    assert made.columns["hypertension"].tolist() == [0.0, 1.0]
    assert rules.as_of == date(2024, 7, 1)
