"""Reader of FHIR R4: bundles of Patient, Observation and Condition resources as JSON (hl7.org/fhir/R4)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from knowledge.errors import PatientDataError
from personas.fitting.csv_rows import file_hash
from personas.fitting.mapping import Mapping
from personas.fitting.records import Condition, Observation, Person, Place, Records, read_date

_MEASURED = ("final", "amended", "corrected")
_RULED_OUT = ("refuted", "entered-in-error")
_US_CORE = {"us-core-race": "race", "us-core-ethnicity": "ethnicity", "us-core-birthsex": "birthsex"}


def read_fhir(path: Path, mapping: Mapping) -> Records:
    """A bundle, or a folder of bundles (`*.json`).

    Columns of the mapping are fields of Patient: gender, birthdate, race, ethnicity and birthsex (US Core extensions),
    marital_status, country, state. Only final, amended and corrected observations count, and no refuted condition.

    Raises
    ------
    PatientDataError : not JSON, not a bundle, a resource without what it needs; names file and entry.
    """
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    if not files or not files[0].is_file():
        raise PatientDataError(f"There is no JSON file at '{path.name}'.", "Give a bundle or a folder of bundles.")
    records = Records(files=[file.name for file in files])
    entries = [entry for file in files for entry in _entries(file)]
    people: dict[str, str] = {}
    for place, address, resource in entries:
        if resource["resourceType"] == "Patient":
            _patient(records, people, place, address, resource)
    if not records.people:
        raise PatientDataError(f"There is no Patient in '{path.name}'.", "Export the patients together with the rest.")
    for place, _address, resource in entries:
        if resource["resourceType"] == "Observation":
            _observation(records, people, place, resource, mapping)
        elif resource["resourceType"] == "Condition":
            _condition(records, people, place, resource, mapping)
    records.content = file_hash(files)
    return records


def _entries(file: Path) -> Iterator[tuple[Place, str, dict[str, Any]]]:
    try:
        bundle: Any = json.loads(file.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise PatientDataError(f"{file.name} is not UTF-8 (byte {error.start}).", "Save it as UTF-8.") from error
    except (json.JSONDecodeError, RecursionError) as error:
        where = f"line {error.lineno}: {error.msg}" if isinstance(error, json.JSONDecodeError) else "nested too deeply"
        raise PatientDataError(f"{file.name} is not JSON ({where}).", "Export it again.") from error
    if not isinstance(bundle, dict) or bundle.get("resourceType") != "Bundle":
        raise PatientDataError(f"{file.name} is not a FHIR bundle.", "Its resourceType must be Bundle.")
    entries = bundle.get("entry", [])
    if not isinstance(entries, list) or not entries:
        raise PatientDataError(f"{file.name} is a bundle without entries.", "Export it again.")
    for number, entry in enumerate(entries, start=1):
        place = Place(file.name, number, "entry")
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
            raise PatientDataError(f"{place} has no resource with a resourceType.", "Export it again.")
        yield place, str(entry.get("fullUrl", "")), resource


def _patient(records: Records, people: dict[str, str], place: Place, address: str, resource: dict[str, Any]) -> None:
    identity = str(resource.get("id", "")) or address
    if not identity:
        raise PatientDataError(f"{place}: the Patient has no id.", "Export it again.")
    known = f"Patient/{identity}" in people
    for name in (f"Patient/{identity}", f"urn:uuid:{identity}", address):
        if name:
            people.setdefault(name, identity)
    if known:
        records.repeated_ids.append(place)
        return
    born, died = resource.get("birthDate"), resource.get("deceasedDateTime")
    fields = _patient_fields(resource)
    records.people.append(
        Person(
            identity,
            place,
            fields,
            read_date(str(born), place, "birthDate") if born else None,
            read_date(str(died), place, "deceasedDateTime") if died else None,
        )
    )


def _patient_fields(resource: dict[str, Any]) -> dict[str, str]:
    addresses = resource.get("address") or [{}]
    first = addresses[0] if isinstance(addresses, list) and isinstance(addresses[0], dict) else {}
    marital = next(iter(_codes(resource.get("maritalStatus"))), "")
    fields = {
        "gender": str(resource.get("gender", "")),
        "birthdate": str(resource.get("birthDate", "")),
        "marital_status": marital,
        "country": str(first.get("country", "")),
        "state": str(first.get("state", "")),
        "race": "",
        "ethnicity": "",
        "birthsex": "",
    }
    for extension in resource.get("extension") or []:
        if not isinstance(extension, dict):
            continue
        name = _US_CORE.get(str(extension.get("url", "")).rsplit("/", 1)[-1])
        if name:
            fields[name] = _us_core(extension)
    return fields


def _us_core(extension: dict[str, Any]) -> str:
    """The OMB category of a US Core race or ethnicity extension, else its text; the code of birth sex."""
    if "valueCode" in extension:
        return str(extension["valueCode"])
    parts = [part for part in extension.get("extension") or [] if isinstance(part, dict)]
    for part in parts:
        coding = part.get("valueCoding")
        if part.get("url") == "ombCategory" and isinstance(coding, dict):
            return str(coding.get("display") or coding.get("code", ""))
    return next((str(part.get("valueString", "")) for part in parts if part.get("url") == "text"), "")


def _codes(concept: Any) -> list[str]:
    codings = concept.get("coding") if isinstance(concept, dict) else None
    return [str(item.get("code", "")) for item in codings or [] if isinstance(item, dict)]


def _subject(resource: dict[str, Any], people: dict[str, str], place: Place) -> str:
    subject = resource.get("subject")
    reference = str(subject.get("reference", "")) if isinstance(subject, dict) else ""
    short = "/".join(reference.split("/")[-2:])
    if reference not in people and short not in people:
        what = f"refers to '{reference[:60]}', which no bundle holds" if reference else "names no subject"
        raise PatientDataError(f"{place}: the {resource['resourceType']} {what}.", "Export the patients as well.")
    return people.get(reference) or people[short]


def _observation(
    records: Records, people: dict[str, str], place: Place, resource: dict[str, Any], mapping: Mapping
) -> None:
    if resource.get("status") not in _MEASURED:
        return
    components = [part for part in resource.get("component") or [] if isinstance(part, dict)]
    for part in (resource, *components):  # blood pressure holds its two values as components
        wanted = [code for code in _codes(part.get("code")) if code in mapping.observation_codes]
        if not wanted:
            continue
        quantity = part.get("valueQuantity")
        if not isinstance(quantity, dict) or "value" not in quantity:
            if part is resource and components:
                continue
            if "dataAbsentReason" in part:
                continue
            raise PatientDataError(
                f"{place}: the Observation {wanted[0]} has no valueQuantity.value.", "Map a code that is measured."
            )
        period = resource.get("effectivePeriod")
        start = period.get("start", "") if isinstance(period, dict) else ""
        when = read_date(str(resource.get("effectiveDateTime") or start), place, "effectiveDateTime")
        unit = str(quantity.get("code") or quantity.get("unit") or "")
        found = Observation(_subject(resource, people, place), when, str(quantity["value"]), unit, place)
        records.observations.setdefault(wanted[0], []).append(found)


def _condition(
    records: Records, people: dict[str, str], place: Place, resource: dict[str, Any], mapping: Mapping
) -> None:
    wanted = [code for code in _codes(resource.get("code")) if code in mapping.condition_codes]
    if not wanted or any(code in _RULED_OUT for code in _codes(resource.get("verificationStatus"))):
        return
    began, ended = resource.get("onsetDateTime"), resource.get("abatementDateTime")
    found = Condition(
        _subject(resource, people, place),
        read_date(str(began), place, "onsetDateTime") if began else None,
        read_date(str(ended), place, "abatementDateTime") if ended else None,
    )
    records.conditions.setdefault(wanted[0], []).append(found)
