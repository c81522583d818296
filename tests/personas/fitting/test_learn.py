"""The whole way through the service and the commands."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from assistant.persona_fitting import FitReport, FitRequest, Identity, PersonaFitting
from assistant.service import Assistant
from knowledge.errors import InvalidInput, PatientDataError, PrivacyRefused, UnknownPersona
from personas.library import PersonaLibrary
from personas.sampling import draw
from tests.personas.fitting.cohorts import CLINIC_MAP, clinic, persona
from ui.persona_fit_report import report_lines

IDENTITY = Identity(id="our_clinic", name="Our clinic", area="type_2_diabetes", parent="t2d_adults")


@pytest.fixture(scope="module")
def fitting() -> PersonaFitting:
    return PersonaFitting(PersonaLibrary())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("clinic")
    (made / "map.yaml").write_text(CLINIC_MAP, encoding="utf-8")
    clinic(made / "clinic.csv", 1200)
    for site in (1, 2, 3):
        clinic(made / f"site{site}.csv", 500, seed=site)
    return made


def request(folder: Path, **more: object) -> FitRequest:
    given = {"data": folder / "clinic.csv", "mapping": folder / "map.yaml", "parent": "t2d_adults", **more}
    return FitRequest.model_validate(given)


@pytest.fixture(scope="module")
def report(fitting: PersonaFitting, folder: Path) -> FitReport:
    return fitting.fit(request(folder, reference="t2d_adults"), IDENTITY)


def test_the_archetype_is_written_and_can_be_drawn_from(
    fitting: PersonaFitting, report: FitReport, folder: Path
) -> None:
    fitting.write(report, folder / "our_clinic.yaml")
    text = (folder / "our_clinic.yaml").read_text(encoding="utf-8")
    assert "p17" not in text  # no person
    archetypes = folder / "archetypes"
    archetypes.mkdir()
    shipped = PersonaLibrary()
    for name in ("our_clinic", "t2d_adults", *shipped.ancestors("t2d_adults")):
        source = folder / "our_clinic.yaml" if name == "our_clinic" else shipped.file_of(name)
        (archetypes / f"{name}.yaml").write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
    made = PersonaLibrary(archetypes).get("our_clinic")
    drawn = draw(made, (), 4000, 1)
    assert drawn.columns["hba1c"].mean() == pytest.approx(7.2, abs=0.15)
    assert "adherence_pdc" in drawn.columns  # inherited
    assert all(item.assumption for item in made.attributes.values() if item.source is None)
    with pytest.raises(InvalidInput, match="exists already"):
        fitting.write(report, folder / "our_clinic.yaml")
    with pytest.raises(InvalidInput, match=r"Call it our_clinic\.yaml"):
        fitting.write(report, folder / "another.yaml")


def test_the_report_reads_well(report: FitReport) -> None:
    text = "\n".join(report_lines(report))
    for needed in (
        "1,200 rows of people read",
        "Missing: hba1c",
        "multiple imputation",
        "rank correlations",
        "AGAINST t2d_adults",
        "PRIVACY",
        "0.50 is a coin",
        "Not compared",
    ):
        assert needed in text, needed
    assert "nan" not in text.split()


def test_a_refused_archetype_is_not_written(fitting: PersonaFitting, report: FitReport, tmp_path: Path) -> None:
    refused = report.model_copy(update={"refused": "An attack succeeds."})
    with pytest.raises(PrivacyRefused, match="An attack succeeds"):
        fitting.write(refused, tmp_path / "our_clinic.yaml")
    assert not list(tmp_path.iterdir())


def test_wrong_requests_are_named(fitting: PersonaFitting, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownPersona):
        fitting.fit(request(folder, parent="nobody"), IDENTITY)
    with pytest.raises(InvalidInput, match="There is nothing at"):
        fitting.fit(request(folder, data=folder / "none.csv"), IDENTITY)
    with pytest.raises(InvalidInput, match="archetype 't2d_adults' already"):
        fitting.fit(request(folder), IDENTITY.model_copy(update={"id": "t2d_adults"}))
    with pytest.raises(PatientDataError, match="no mapping file"):
        fitting.fit(request(folder, mapping=folder / "none.yaml"), IDENTITY)
    small = clinic(tmp_path / "few.csv", 20)
    with pytest.raises(PrivacyRefused, match="20 people"):
        fitting.fit(request(folder, data=small), IDENTITY)


def test_sites_merge_to_the_fit_of_their_pool(fitting: PersonaFitting, folder: Path) -> None:
    lines = [(folder / f"site{site}.csv").read_text(encoding="utf-8").splitlines() for site in (1, 2, 3)]
    rows = [f"s{site}{row}" for site, file in enumerate(lines) for row in file[1:]]
    (folder / "pool.csv").write_text("\n".join([lines[0][0], *rows]) + "\n", encoding="utf-8")
    files = []
    for name in ("site1", "site2", "site3", "pool"):
        asked = request(folder, data=folder / f"{name}.csv", smallest_cell=1)
        site = fitting.site(asked, folder / f"{name}.json")
        assert site.unusual == 0
        files.append(folder / f"{name}.json")
    merged, pooled = (fitting.merge(chosen, IDENTITY, smallest_cell=10) for chosen in (files[:3], files[3:]))
    assert merged.fit.people == pooled.fit.people
    for name, item in pooled.fit.attributes.items():
        other = merged.fit.attributes[name].attribute.model_dump(exclude_none=True)
        for key, value in item.attribute.model_dump(exclude_none=True).items():
            assert other[key] == pytest.approx(value, abs=1e-9) if isinstance(value, float) else other[key] == value
    for one, two in zip(pooled.fit.correlations, merged.fit.correlations, strict=True):
        assert one.between == two.between
        assert abs(one.spearman - two.spearman) < 1e-9


def test_a_site_file_holds_no_row_and_a_damaged_one_is_named(
    fitting: PersonaFitting, folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "site.json"
    fitting.site(request(folder), out)
    written = json.loads(out.read_text(encoding="utf-8"))
    assert written["smallest_cell"] == 10
    assert "site.json" not in json.dumps(written)
    counts = [value for item in written["attributes"].values() for value in item["counts"]]
    assert all(value == 0 or value >= 10 for value in counts)
    written["attributes"]["age"]["counts"].pop()
    out.write_text(json.dumps(written), encoding="utf-8")
    with pytest.raises(PatientDataError, match=r"site\.json: the counts of age do not fit its bins"):
        fitting.merge([out], IDENTITY)
    out.write_text("{", encoding="utf-8")
    with pytest.raises(PatientDataError, match=r"site\.json is not JSON"):
        fitting.merge([out], IDENTITY)


def test_noise_leaves_a_usable_archetype(fitting: PersonaFitting, folder: Path) -> None:
    report = fitting.fit(request(folder, epsilon=20.0), IDENTITY)
    assert "epsilon 20" in report.text
    assert report.fit.attributes["bmi"].attribute.mean == pytest.approx(32, abs=3)


def test_the_commands(assistant: Assistant, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ui import cli_personas_fit
    from ui.cli_personas import personas_app

    class Shared:
        """The session's assistant, which stays open."""

        def __enter__(self) -> Assistant:
            return assistant

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr(cli_personas_fit, "open_assistant", Shared)
    base = ["fit", "--data", str(folder / "clinic.csv"), "--map", str(folder / "map.yaml"), "--parent", "t2d_adults"]
    runner = CliRunner()
    shown = runner.invoke(personas_app, [*base, "--id", "ours", "--reference", "t2d_adults", "--dry-run"])
    assert shown.exit_code == 0, shown.output
    assert "Nothing was written (dry run)." in shown.output
    site = runner.invoke(personas_app, [*base, "--statistics-out", str(folder / "cli.json")])
    assert site.exit_code == 0, site.output
    assert "no cell below 10" in site.output
    out = folder / "merged.yaml"
    options = ["--id", "merged", "--area", "type_2_diabetes", "--out", str(out)]
    merged = runner.invoke(personas_app, ["merge", str(folder / "cli.json"), *options])
    assert merged.exit_code == 0, merged.output
    assert out.is_file()
    nameless = runner.invoke(personas_app, base)
    assert isinstance(nameless.exception, InvalidInput)


def test_the_seed_decides_everything(fitting: PersonaFitting, folder: Path, report: FitReport) -> None:
    again = fitting.fit(request(folder, reference="t2d_adults"), IDENTITY)
    assert again == report
    assert np.isfinite(again.privacy.attack.value if again.privacy else np.nan)
    assert persona().id == "t2d_adults"
