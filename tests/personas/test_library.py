from __future__ import annotations

from pathlib import Path

import pytest

from knowledge.errors import PersonaError, UnknownPersona
from personas.library import PersonaLibrary, PersonaNode, provenance_summary

MADE = Path(__file__).parent / "archetypes" / "general"
PEOPLE, OLDER, FRAIL = (
    (MADE / f"{name}.yaml").read_text("utf-8") for name in ("people", "people_older", "people_frail")
)


def write(root: Path, text: str, area: str = "") -> Path:
    """Put an archetype where the library looks for it."""
    name = next(line.removeprefix("id:").strip() for line in text.splitlines() if line.startswith("id:"))
    folder = root / area
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_ids_tree_children_and_ancestors(library: PersonaLibrary) -> None:
    assert library.ids() == ("people", "people_frail", "people_older")
    assert len(library) == 3
    assert "people" in library
    assert "nobody" not in library
    assert [persona.id for persona in library] == list(library.ids())
    leaf = PersonaNode("people_frail", "Frail older people")
    assert library.tree() == (PersonaNode("people", "People", (PersonaNode("people_older", "Older people", (leaf,)),)),)
    assert library.children("people") == ("people_older",)
    assert library.children("people_frail") == ()
    assert library.ancestors("people_frail") == ("people_older", "people")
    assert library.ancestors("people") == ()


def test_a_child_inherits_overrides_and_joins(library: PersonaLibrary) -> None:
    people, older, frail = (library.get(name) for name in ("people", "people_older", "people_frail"))
    assert older.area == "general"
    assert older.summary == people.summary
    assert older.care_setting == "anywhere"
    assert older.restrictions == ("age>=18", "age>=65")
    assert frail.restrictions == ("age>=18", "age>=65", "nyha>=III")
    assert older.biomarkers["egfr"].mean == 66  # replaced whole, with its own provenance
    assert older.biomarkers["egfr"].assumption is None
    assert older.biomarkers["hba1c"] == people.biomarkers["hba1c"]
    assert list(older.biomarkers) == list(people.biomarkers)
    assert {item.between: item.spearman for item in older.correlations}[("egfr", "age")] == -0.4
    assert sum(set(item.between) == {"age", "egfr"} for item in older.correlations) == 1
    assert len(older.correlations) == len(people.correlations)
    assert [item.topic for item in older.preferences] == ["route", "visits"]
    assert [item.rate for item in older.life_events] == [5.0]
    assert older.synonyms == ("seniors of the test",)
    assert frail.synonyms == ()
    assert frail.parent == "people_older"


def test_an_unknown_id_names_the_nearest(library: PersonaLibrary) -> None:
    with pytest.raises(UnknownPersona, match=r"no archetype 'people_oldr'.*people_older"):
        library.get("people_oldr")


def test_files_are_read_once_and_only_when_asked_for(tmp_path: Path) -> None:
    file = write(tmp_path, PEOPLE)
    broken = tmp_path / "broken.yaml"
    broken.write_text("id: [", encoding="utf-8")
    library = PersonaLibrary(tmp_path)
    first = library.get("people")  # the broken neighbour does not matter
    file.unlink()
    assert library.get("people") is first
    with pytest.raises(PersonaError, match="broken"):
        library.get("broken")


def test_provenance_is_counted(library: PersonaLibrary) -> None:
    sourced, assumed, share = provenance_summary(library.get("people"))
    assert (sourced, assumed) == (1, 12 + 8 + 1 + 1 - 1)
    assert share == pytest.approx(1 / 22)
    assert provenance_summary(library.get("people_older"))[0] == 2


def _with(old: str, new: str) -> str:
    assert old in PEOPLE
    return PEOPLE.replace(old, new)


FAULTS = {
    "malformed YAML": ("id: people\nname: [", "not readable YAML"),
    "a list": ("- id: people", "not a mapping"),
    "a key twice": (PEOPLE + "name: Again\n", "'name' is written twice"),
    "an unknown key": (PEOPLE + "colour: red\n", "colour: Extra inputs"),
    "another id": (_with("id: people", "id: persons"), "the id is 'persons'"),
    "another area": (_with("area: general", "area: asthma"), "the area is 'asthma'"),
    "no name": (_with("name: People\n", ""), "name: Field required"),
    "an unknown parent": (PEOPLE + "parent: peple\n", "the parent 'peple' does not exist"),
    "its own parent": (PEOPLE + "parent: people\n", "inherit in a circle: people → people"),
    "source and assumption": (
        _with("table 1}}", "table 1}, assumption: made up}"),
        "hba1c: Value error, needs exactly one",
    ),
    "neither": (_with(", source: {source_id: pmid-1, locator: table 1}", ""), "needs exactly one"),
    "shares above one": (_with("female: 0.52", "female: 0.62"), "sex: shares of the levels sum to 1.1"),
    "a beta mean above one": (_with("mean: 0.72", "mean: 1.2"), "adherence_pdc: a beta mean must lie between 0 and 1"),
    "a beta too wide": (_with("sd: 0.22", "sd: 0.5"), "cannot have sd 0.5"),
    "limits upside down": (_with("lower: 18, upper: 95", "lower: 95, upper: 18"), "lower 95 is not below upper 18"),
    "nothing between the limits": (_with("lower: 18, upper: 95", "lower: 180, upper: 195"), "nothing between"),
    "a missing parameter": (_with("mean: 128, sd: 15", "mean: 128"), "sbp: normal needs sd"),
    "a parameter too many": (_with("mean: 128, sd: 15", "mean: 128, sd: 15, upper: 200"), "normal takes no upper"),
    "a negative lognormal": (_with("mean: 29.5", "mean: -29.5"), "lognormal mean must be above 0"),
    "no spread": (_with("mean: 128, sd: 15", "mean: 128, sd: 0"), "biomarkers.sbp.sd"),
    "not a number": (_with("mean: 128, sd: 15", "mean: .nan, sd: 15"), "biomarkers.sbp.mean"),
    "another unit": (_with('unit: "%"', "unit: mmol/mol"), "hba1c is in 'mmol/mol'"),
    "an unknown attribute": (_with("[age, egfr]", "[age, creatinine]"), "unknown attribute 'creatinine'"),
    "an attribute with itself": (_with("[age, egfr]", "[age, age]"), "of an attribute with itself"),
    "a perfect correlation": (_with("spearman: -0.5", "spearman: -1"), "correlations.0.spearman"),
    "an unreachable correlation": (_with("[egfr, ckd], spearman: -0.4", "[egfr, ckd], spearman: -0.8"), "egfr and ckd.*out of reach"),
    "a correlation of categories": (_with("[age, egfr]", "[age, ethnicity]"), "ethnicity have no order"),
    "impossible together": (
        PEOPLE.replace("preferences:", "  - {between: [age, sbp], spearman: 0.9, assumption: made up}\n"
        "  - {between: [sbp, egfr], spearman: 0.9, assumption: made up}\npreferences:"),
        "no population can have all of these correlations",
    ),
    "a restriction on nothing": (_with('["age>=18"]', '["income>=5"]'), "no attribute 'income'"),
    "restrictions that exclude each other": (_with('["age>=18"]', '["age>=18", "age<12"]'), "age>=18 and age<12"),
    "an attribute in two sections": (
        _with("comorbidities:", "comorbidities:\n  sbp: {distribution: normal, mean: 1, sd: 1, unit: mmHg, assumption: made up}"),
        "an attribute stands in two sections",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=list(FAULTS))
def test_a_fault_names_the_file(tmp_path: Path, fault: str) -> None:
    text, message = FAULTS[fault]
    folder = tmp_path / "general"
    folder.mkdir()
    (folder / "people.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(PersonaError, match=f"general/people.yaml.*{message}") as caught:
        PersonaLibrary(tmp_path).get("people")
    assert caught.value.hint


def test_a_circle_over_several_files(tmp_path: Path) -> None:
    write(tmp_path, PEOPLE + "parent: people_frail\n")
    write(tmp_path, OLDER)
    write(tmp_path, FRAIL)
    with pytest.raises(PersonaError, match="in a circle: people → people_frail → people_older → people"):
        PersonaLibrary(tmp_path).get("people")


def test_a_fault_of_the_parent_is_the_parents(tmp_path: Path) -> None:
    write(tmp_path, _with("mean: 0.72", "mean: 1.2"))
    write(tmp_path, OLDER)
    with pytest.raises(PersonaError, match=r"^people\.yaml"):
        PersonaLibrary(tmp_path).get("people_older")


def test_two_files_of_one_name(tmp_path: Path) -> None:
    write(tmp_path, PEOPLE, "general")
    write(tmp_path, PEOPLE, "asthma")
    with pytest.raises(PersonaError, match="Two archetypes are called 'people'"):
        PersonaLibrary(tmp_path)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PersonaError, match="no folder of archetypes"):
        PersonaLibrary(tmp_path / "nowhere")


def test_shares_that_are_rounded_are_accepted(tmp_path: Path) -> None:
    write(tmp_path, _with("other: 0.03", "other: 0.034"))
    assert PersonaLibrary(tmp_path).get("people").demographics["ethnicity"].levels is not None


def test_an_inherited_correlation_out_of_reach_is_weakened_and_says_so(tmp_path: Path) -> None:
    write(tmp_path, PEOPLE)
    rare = (
        OLDER
        + "comorbidities:\n  ckd: {distribution: bernoulli, probability: 0.005, unit: yes/no, assumption: made up}\n"
    )
    write(tmp_path, rare)
    (item,) = [c for c in PersonaLibrary(tmp_path).get("people_older").correlations if c.between == ("egfr", "ckd")]
    assert -0.2 < item.spearman < 0
    assert item.assumption is not None
    assert "-0.4 in 'people'" in item.assumption
