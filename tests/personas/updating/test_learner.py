"""Learning end to end: what is served afterwards, the thread, what is refused."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest

from knowledge.errors import InvalidInput, LedgerTampered, UnknownPersona
from personas.cohort import Cohort
from personas.library import PersonaLibrary
from personas.schemas import CohortSpec
from personas.updating.beliefs import recall
from personas.updating.conjugate import MeanBelief, ShareBelief
from personas.updating.layered import LayeredLibrary
from personas.updating.learner import Learner
from personas.updating.moments import cut_normal, member_moments

Write = Callable[..., Path]
ROOT = Path(__file__).parents[1] / "archetypes"
HEADER = "attribute,unit,n,mean,sd,count,share,level,person_years,date"


def test_a_mean_and_sd_are_the_textbook_posterior(learner: Learner, write: Write) -> None:
    """Normal-inverse-gamma by hand: prior 128 (15) worth 20 people, 60 people with 136 (12)."""
    report = learner.update("people", write(HEADER, "sbp,mmHg,60,136,12,,,,,2026-01-15"), prior_weight=20)
    mean, sd = report.entry.changes[0].figures
    assert mean.after == pytest.approx((20 * 128 + 60 * 136) / 80)
    squares = 20 * 15**2 + 59 * 12**2 + 20 * 60 / 80 * 8**2
    assert sd.after == pytest.approx((squares / 80) ** 0.5)
    assert mean.lower < mean.after < mean.upper
    served = learner.library.get("people").biomarkers["sbp"]
    assert served.mean == pytest.approx(mean.after, rel=1e-5)
    assert served.source is None
    assert "clinic.csv" in (served.assumption or "")


def test_all_kinds_are_learned_and_served(learner: Learner, write: Write, overlay: Path) -> None:
    rows = [
        "age,years,200,58,14,,,,,", "hba1c,mmol/mol,200,53,9,,,,,", "egfr,,200,80,20,,,,,", "adherence,,150,0.6,0.25,,,,,",
        "hypertension,,200,,,120,,,,", "ckd,,200,,,,0.2,,,", "sex,,,,,110,,female,,", "sex,,,,,90,,male,,",
        "nyha,,,,,60,,I,,", "nyha,,,,,40,,II,,", "death,,,,,9,,,400,",
    ]  # fmt: skip
    report = learner.update("people", write(HEADER, *rows), on=date(2026, 3, 1), source="our clinic")
    assert {change.name for change in report.entry.changes} == {
        "age", "hba1c", "egfr", "adherence_pdc", "hypertension", "ckd", "sex", "nyha", "death"
    }  # fmt: skip
    fresh = LayeredLibrary(overlay, ROOT).get("people")
    assert member_moments(fresh.demographics["age"])[0] == pytest.approx(
        report.entry.changes[1].figures[0].after, rel=1e-3
    )
    # 53 mmol/mol is 7.0 %; the archetype says 6.2.
    assert 6.2 < (fresh.biomarkers["hba1c"].mean or 0) < 7.05
    assert 0.45 < (fresh.comorbidities["hypertension"].probability or 0) < 0.6
    assert sum((fresh.demographics["sex"].levels or {}).values()) == pytest.approx(1)
    assert (fresh.comorbidities["nyha"].levels or {})["I"] < 0.7
    # 9 in 400 person-years are 2.25 a hundred; the archetype says 1.0 as if from ten events in 1,000.
    assert fresh.life_events[0].rate == pytest.approx(100 * 19 / 1400, rel=1e-5)
    drawn = Cohort.build(CohortSpec(persona_id="people"), learner.library, n=4000)
    assert drawn.mean("age") == pytest.approx(58, abs=1.5)
    untouched = PersonaLibrary(ROOT).get("people")
    assert untouched.life_events[0].rate == 1.0


def test_children_inherit_what_their_parent_learned(learner: Learner, write: Write) -> None:
    learner.update("people", write(HEADER, "bmi,kg/m2,500,33,6,,,,,2026-03-01", "egfr,,500,99,10,,,,,2026-03-01"))
    parent, child = (learner.library.get(name) for name in ("people", "people_older"))
    assert child.biomarkers["bmi"] == parent.biomarkers["bmi"]
    assert child.biomarkers["egfr"].mean == 66, "what the child states itself stays"


def test_people_and_their_summary_teach_the_same(overlay: Path, tmp_path: Path, write: Write) -> None:
    values = [112.0, 120, 131, 140, 155, 127]
    people = write("SBP [mmHg],_name", *(f"{v},x" for v in values), name="people.csv")
    mean = sum(values) / 6
    sd = (sum((v - mean) ** 2 for v in values) / 5) ** 0.5
    summary = write(HEADER, f"sbp,mmHg,6,{mean!r},{sd!r},,,,,", name="summary.csv")
    learned = []
    for number, file in enumerate((people, summary)):
        one = Learner(LayeredLibrary(tmp_path / str(number), ROOT), {}, today=lambda: date(2026, 6, 30))
        learned.append(one.update("people", file, on=date(2026, 5, 1)).entry.learned[0].belief)
    first, second = (recall(item) for item in learned)
    assert isinstance(first, MeanBelief)
    assert isinstance(second, MeanBelief)
    assert first.mean == pytest.approx(second.mean)
    assert first.variance == pytest.approx(second.variance)


def test_the_order_of_sets_does_not_matter_even_with_a_half_life(tmp_path: Path, write: Write) -> None:
    old = write(HEADER, "hypertension,,80,,,30,,,,2024-01-01", name="old.csv")
    new = write(HEADER, "hypertension,,50,,,40,,,,2026-01-01", name="new.csv")
    found = []
    for number, order in enumerate(((old, new), (new, old))):
        one = Learner(LayeredLibrary(tmp_path / str(number), ROOT), {}, today=lambda: date(2026, 6, 30))
        for file in order:
            one.update("people", file, half_life_years=2.0, prior_weight=10)
        belief = recall(one.library.learned("people")["hypertension"].belief)
        assert isinstance(belief, ShareBelief)
        found.append(belief)
    # The two differ only in when the archetype's own value, which has no date, begins to fade.
    late, early = found
    half = 2 ** (-(date(2026, 1, 1) - date(2024, 1, 1)).days / 365.25 / 2)
    assert late.yes == pytest.approx((4.5 + 30) * half + 40)
    assert early.yes == pytest.approx(4.5 + 30 * half + 40)


def test_an_old_source_fades_from_its_date_on(learner: Learner, write: Write) -> None:
    """HbA1c is from a source of 2016-06-30; ten years later, with a half-life of five, a quarter of it is left."""
    before = learner.update("people", write(HEADER, "hba1c,%,40,7,1,,,,,2026-06-28"), dry_run=True)
    after = learner.update("people", write(HEADER, "hba1c,%,40,7,1,,,,,2026-06-28"), half_life_years=5, dry_run=True)
    left = after.entry.changes[0].prior_weight / before.entry.changes[0].prior_weight
    assert left == pytest.approx(0.25, rel=0.01)
    assert learner.history("people").entries == ()


def test_history_rollback_and_freshness(learner: Learner, write: Write) -> None:
    first = write(HEADER, "sbp,mmHg,60,136,12,,,,,2026-01-15", name="a.csv")
    second = write(HEADER, "sbp,mmHg,90,139,14,,,,,2026-03-15", name="b.csv")
    learner.update("people", first)
    kept = learner.library.get("people").biomarkers["sbp"].mean
    learner.update("people", second)
    fresh = learner.history("people").freshness
    assert (fresh.sets, fresh.lag_days, fresh.days_between_updates) == (
        2,
        (date(2026, 6, 30) - date(2026, 3, 15)).days,
        59,
    )
    assert fresh.learned[0].data_weight == 150
    assert 0.9 < fresh.learned[0].data_share < 1
    with pytest.raises(InvalidInput, match="already learned from, as entry 2"):
        learner.update("people", second)
    learner.rollback("people", 1)
    assert learner.library.get("people").biomarkers["sbp"].mean == kept
    learner.update("people", second)  # after a rollback the set is free again
    learner.rollback("people", 0)
    assert learner.library.get("people").biomarkers["sbp"].mean == 128
    history = learner.history("people")
    assert [entry.kind for entry in history.entries] == ["update", "update", "rollback", "update", "rollback"]
    assert history.freshness.newest_observation is None
    with pytest.raises(InvalidInput, match="already stands as after entry 0"):
        learner.rollback("people", 0)
    with pytest.raises(InvalidInput, match="no entry 9"):
        learner.rollback("people", 9)
    with pytest.raises(InvalidInput, match="nothing to roll back"):
        learner.rollback("people_older", 0)


def test_drift_is_told(learner: Learner, write: Write) -> None:
    calm = learner.update("people", write(HEADER, "sbp,mmHg,60,131,15,,,,,2026-01-15"), dry_run=True)
    assert calm.entry.drift == ()
    alarm = learner.update("people", write(HEADER, "sbp,mmHg,60,190,15,,,,,2026-01-15", "ckd,,60,,,9,,,,2026-01-15"))
    assert alarm.entry.drift == ("systolic blood pressure",)
    assert alarm.entry.changes[1].p_values["mean 2026-01-15"] < 0.01


def test_a_thread_that_was_changed_is_not_believed(learner: Learner, write: Write, overlay: Path) -> None:
    learner.update("people", write(HEADER, "sbp,mmHg,60,136,12,,,,,2026-01-15", name="a.csv"))
    learner.update("people", write(HEADER, "sbp,mmHg,60,138,12,,,,,2026-02-15", name="b.csv"))
    file = overlay / "threads.sqlite"
    with closing(sqlite3.connect(file)) as connection, connection:
        with pytest.raises(sqlite3.IntegrityError, match="never changed"):
            connection.execute("UPDATE entries SET body = replace(body, '136', '120')")
        with pytest.raises(sqlite3.IntegrityError, match="never deleted"):
            connection.execute("DELETE FROM entries WHERE seq = 2")
        connection.execute("DROP TRIGGER kept")
        connection.execute("UPDATE entries SET body = replace(body, '\"n\":60', '\"n\":61')")
    with pytest.raises(LedgerTampered, match="Entry 2"):
        LayeredLibrary(overlay, ROOT).get("people")
    with pytest.raises(LedgerTampered, match=r"Entry [12]"):
        learner.history("people")


def test_entries_cut_from_the_end_are_missed(learner: Learner, write: Write, overlay: Path) -> None:
    learner.update("people", write(HEADER, "sbp,mmHg,60,136,12,,,,,2026-01-15"))
    with closing(sqlite3.connect(overlay / "threads.sqlite")) as connection, connection:
        connection.execute("DROP TRIGGER stay")
        connection.execute("DELETE FROM entries")
    with pytest.raises(LedgerTampered, match="should hold 1 entries but holds 0"):
        learner.history("people")


def test_a_new_value_in_the_file_is_noticed(tmp_path: Path, write: Write) -> None:
    root = tmp_path / "root"
    root.mkdir()
    text = (ROOT / "general" / "people.yaml").read_text(encoding="utf-8").replace("area: general", "area: '.'")
    (root / "people.yaml").write_text(text, encoding="utf-8")
    learner = Learner(LayeredLibrary(tmp_path / "user", root), {}, today=lambda: date(2026, 6, 30))
    learner.update("people", write(HEADER, "sbp,mmHg,60,136,12,,,,,2026-01-15"))
    (root / "people.yaml").write_text(text.replace("mean: 128", "mean: 126"), encoding="utf-8")
    learner.library.refresh()
    assert learner.history("people").freshness.stale == ("sbp",)
    assert learner.library.get("people").biomarkers["sbp"].mean != 126


def test_nothing_learned_costs_nothing(overlay: Path) -> None:
    LayeredLibrary(overlay, ROOT).get("people")
    assert not overlay.exists()


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (["hba1c,%,0,7,1,,,,,2026-01-01"], r"row 2: nobody was observed \(n = 0\)"),
        (["hba1c,%,40,nan,1,,,,,2026-01-01"], "mean is 'nan', which is not a finite number"),
        (["hba1c,%,40,seven,1,,,,,2026-01-01"], "'seven', which is not a number"),
        (["hba1c,%,40,7,1,,,,,2031-01-01"], "the date 2031-01-01 is in the future"),
        (["hba1c,%,40,7,1,,,,,"], "the date of the observation is missing"),
        (["hba1c,%,40,7,1,,,,,yesterday"], "'yesterday' is not a date"),
        (["hba1c,furlongs,40,7,1,,,,,2026-01-01"], "'furlongs' is not a unit of HbA1c"),
        (["hba1c,%,40,53,1,,,,,2026-01-01"], "Nobody has an HbA1c of 53 %"),
        (["hba1c,%,40,7,0,,,,,2026-01-01"], "an SD of 0 of 40 people says that all are alike"),
        (["hba1c,%,40,7,,,,,,2026-01-01"], "sd is missing"),
        (["hba1c,%,2.5,7,1,,,,,2026-01-01"], "n is 2.5, which is not a number of people"),
        (["hba1k,%,40,7,1,,,,,2026-01-01"], "'People' has no attribute 'hba1k'.*hba1c"),
        (["hba1c,%,40,7,1,,,,,2026-01-01", "hba1c,%,40,9,1,,,,,2026-01-01"], "row 3: hba1c on 2026-01-01 was already given in row 2"),
        (["ckd,,40,,,41,,,,2026-01-01"], "41 of 40 people is a contradiction"),
        (["ckd,,40,,,20,0.1,,,2026-01-01"], "a share of 0.1 of 40 people contradicts 20"),
        (["ckd,,40,,,,29,,,2026-01-01"], "29 is not between 0 and 1"),
        (["ckd,,40,,,,,,,2026-01-01"], "neither count nor share"),
        (["sex,,,,,20,,other,,2026-01-01"], "sex has no level 'other'.*female, male"),
        (["sex,,50,,,20,,female,,2026-01-01", "sex,,50,,,20,,male,,2026-01-01"], "n is 50, and the levels of sex count 40"),
        (["sex,,,,,0,,female,,2026-01-01"], r"nobody was observed \(n = 0\)"),
        (["stroke,,,,,3,,,50,2026-01-01"], "has no life event 'stroke'.*death"),
        (["death,,,,,3,,,-5,2026-01-01"], "-5 person-years"),
        (["age,years,40,12,3,,,,,2026-01-01"], "a mean age of 12 contradicts age>=18"),
        (["age,years,40,20,30,,,,,2026-01-01"], "cannot have an SD of 30; 14.1 at most"),
        (["visits,per year,40,3,2,,,,,2026-01-01"], "uniform, which has no conjugate update"),
        (["visits,per month,40,3,2,,,,,2026-01-01"], "'per month' is not the unit of visits"),
    ],
)  # fmt: skip
def test_wrong_observations_are_refused_with_the_reason(
    learner: Learner, write: Write, overlay: Path, rows: list[str], said: str
) -> None:
    with pytest.raises(InvalidInput, match=said) as caught:
        _show(lambda: learner.update("people", write(HEADER, *rows)))
    assert len(str(caught.value)) < 400
    assert not overlay.exists(), "nothing is kept of a set that was refused"


def _show(call: Callable[[], object]) -> None:
    """Message and hint together, as a user reads them."""
    try:
        call()
    except InvalidInput as error:
        raise InvalidInput(str(error)) from error


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["age,sex", "54,femal"], "sex has no level 'femal'"),
        (["age,weight of the soul", "54,21"], "no attribute 'weight of the soul'.*begins with '_'"),
        (["age", "12"], "row 2: age 12 contradicts age>=18"),
        (["hypertension", "perhaps"], "hypertension is yes or no, not 'perhaps'"),
        (["age", "NaN"], "not a finite number"),
        (["age,age", "54,54"], "the column 'age' twice"),
        (["age", ""], "holds no observation"),
        (["age,sex", "NA,"], r"holds no value of any attribute \(n = 0\)"),
        (["age,sex", "54"], "1 cells under 2 columns"),
        (["Age [parsecs]", "54"], "'parsecs' is not a unit of age"),
    ],
)
def test_wrong_tables_of_people_are_refused(learner: Learner, write: Write, lines: list[str], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        _show(lambda: learner.update("people", write(*lines), on=date(2026, 1, 1)))


def test_wrong_files_and_options(learner: Learner, write: Write, tmp_path: Path) -> None:
    good = write(HEADER, "sbp,mmHg,60,136,12,,,,,2026-01-15")
    with pytest.raises(UnknownPersona, match="no archetype 'peopel'"):
        learner.update("peopel", good)
    with pytest.raises(InvalidInput, match="There is no file"):
        learner.update("people", tmp_path / "nowhere.csv")
    with pytest.raises(InvalidInput, match="in the future"):
        learner.update("people", good, on=date(2027, 1, 1))
    for option in ({"prior_weight": 0.0}, {"prior_weight": float("nan")}, {"half_life_years": -1.0}):
        with pytest.raises(InvalidInput, match="is not above 0"):
            learner.update("people", good, **option)
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidInput, match="not UTF-8"):
        learner.update("people", tmp_path / "binary.csv")
    bad = write('[{"attribute": "sbp", "n": 60, "mean": NaN, "sd": 12}]', name="nan.json")
    with pytest.raises(InvalidInput, match="holds NaN"):
        learner.update("people", bad, on=date(2026, 1, 1))


def test_observations_of_a_cut_archetype_are_refused(learner: Learner, write: Write) -> None:
    """Older people restrict an age that their file states for everybody: members and margin are not the same."""
    with pytest.raises(InvalidInput, match=r"age>=65.*cut its stated distributions"):
        learner.update("people_older", write(HEADER, "sbp,mmHg,60,136,12,,,,,2026-01-15"))


def test_what_holds_by_definition_learns_nothing(tmp_path: Path, write: Write) -> None:
    root = tmp_path / "root"
    root.mkdir()
    text = (ROOT / "general" / "people.yaml").read_text(encoding="utf-8").replace("area: general", "area: '.'")
    (root / "people.yaml").write_text(text.replace("probability: 0.15", "probability: 1.0"), encoding="utf-8")
    learner = Learner(LayeredLibrary(tmp_path / "user", root), {}, today=lambda: date(2026, 6, 30))
    with pytest.raises(
        InvalidInput, match=r"Everybody in this archetype has chronic kidney disease by definition, and 3 of"
    ):
        learner.update("people", write(HEADER, "ckd,,60,,,57,,,,2026-01-15"))
    report = learner.update("people", write(HEADER, "ckd,,60,,,60,,,,2026-01-15", "sbp,,60,131,15,,,,,2026-01-15"))
    assert report.skipped == ("Everybody in this archetype has chronic kidney disease by definition.",)
    assert [change.name for change in report.entry.changes] == ["sbp"]


def test_json_observations(learner: Learner, write: Write) -> None:
    file = write(
        '{"source": "registry", "date": "2026-02-01", "observations":'
        ' [{"attribute": "systolic blood pressure", "n": 60, "mean": 136, "sd": 12}]}', name="set.json",
    )  # fmt: skip
    entry = learner.update("people", file).entry
    assert (entry.source, entry.on, entry.people) == ("registry", date(2026, 2, 1), 60)


@pytest.mark.parametrize(("mean", "sd"), [(40.0, 9.0), (66.0, 12.0), (20.0, 1.5), (90.0, 4.0)])
def test_a_cut_normal_has_the_moments_asked_for(library: PersonaLibrary, mean: float, sd: float) -> None:
    cut = cut_normal(mean, sd, 18, 95)
    age = library.get("people").demographics["age"].model_copy(update={"mean": cut.mean, "sd": cut.sd})
    assert member_moments(age) == pytest.approx((mean, sd), rel=1e-3)


def test_a_cut_normal_wider_than_can_be_is_said(learner: Learner, write: Write) -> None:
    report = learner.update("people", write(HEADER, "age,years,300,40,30,,,,,2026-01-15"), prior_weight=1)
    assert any("can have an SD of" in note for note in report.entry.changes[0].notes)
