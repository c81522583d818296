"""Any table of arms: read as it is, refused where it cannot be, held out without leaks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from knowledge.errors import DataError
from tools.response.tables.forecasts import ENGINE, METHODS
from tools.response.tables.holdout import hold_out
from tools.response.tables.read import read_tables
from tools.response.tables.recipe import make_recipe
from tools.response.tables.report import make_report
from tools.response.tables.scoring import MEDIAN, interval

HEADER = "study,treatment,agent,dose,class,n,time_weeks,value,se,sd,events,year,endpoint,unit,statistic,bl_other\n"


def continuous(count: int = 8) -> str:
    generator = np.random.default_rng(11)
    lines = []
    for index in range(count):
        shift = 0.3 * generator.standard_normal()
        for dose, effect in ((0, 0.0), (10, -1.0), (20, -1.5)):
            agent = "alpha" if dose else "placebo"
            for weeks in (12, 26):
                value = shift - 0.5 + effect * (1 - np.exp(-0.1 * weeks)) + 0.05 * generator.standard_normal()
                lines.append(
                    f"S{index},{agent} {dose},{agent},{dose},{'first' if dose else ''},100,{weeks},{value:.3f},0.1,,,"
                    f"{2000 + index},pain,points,,severity={3 + index}; blinding={'yes' if index % 2 else 'no'}"
                )
    return HEADER + "\n".join(lines) + "\n"


def counts(count: int = 8) -> str:
    lines = []
    for index in range(count):
        for agent, events in (("placebo", 10 + index), ("beta", 22 + index % 3)):
            lines.append(f"S{index},{agent},{agent},,,100,,,,,{events},{2000 + index},response,,,")
    return HEADER + "\n".join(lines) + "\n"


def written(folder: Path, text: str, name: str = "arms.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_reads_what_the_packages_write(tmp_path: Path) -> None:
    (table,) = read_tables(written(tmp_path, continuous()))
    assert (len(table), len(table.studies), table.unit, table.proportion) == (48, 8, "points", False)
    assert table.control.sum() == 16
    assert set(table.covariates) == {"year", "severity", "blinding yes"} or set(table.covariates) == {
        "year", "severity", "blinding no",
    }  # fmt: skip
    (table,) = read_tables(written(tmp_path, counts()))
    assert table.proportion
    assert table.value[0] == 10.0


def test_names_of_columns_may_be_mapped(tmp_path: Path) -> None:
    text = "Trial Name;drug".replace(";", ",") + ",size,resp,severe\n"
    text += "".join(f"S{i},{d},50,{20 + i},{i}\n" for i in range(6) for d in ("placebo", "beta"))
    mapping = written(
        tmp_path,
        "columns: {study: Trial Name, agent: drug, n: size, events: resp}\ncovariates: {severity: severe}\n",
        "map.yaml",
    )
    (table,) = read_tables(written(tmp_path, text), mapping)
    assert len(table.studies) == 6
    assert table.covariates["severity"][2] == 1.0
    for wrong, message in (
        ("columns: {study: Nope}\n", "no column 'Nope'"),
        ("columns: {wonder: drug}\n", "knows no 'wonder'"),
        ("just words\n", "not a mapping"),
        ("columns: [\n", "not readable YAML"),
    ):
        with pytest.raises(DataError, match=message):
            read_tables(written(tmp_path, text), written(tmp_path, wrong, "map.yaml"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("-0.", "minus ", 1), r"row \d+: 'minus .*' in column 'value' is not a number"),
        (("study,", "x,", 1), "no column for the study"),
        ((",points,", ",mm,", 1), "are in mm and points"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, change: tuple[str, str, int], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_tables(written(tmp_path, continuous().replace(*change)))


def test_no_file_no_rows_no_text(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="There is no file"):
        read_tables(tmp_path / "none.csv")
    with pytest.raises(DataError, match="no rows"):
        read_tables(written(tmp_path, HEADER))
    (tmp_path / "latin.csv").write_bytes("study,treatment,n,events\nS,\xe9t\xe9,5,1\n".encode("latin-1"))
    with pytest.raises(DataError, match="not a readable CSV"):
        read_tables(tmp_path / "latin.csv")
    with pytest.raises(DataError, match="no arm that a backtest can use"):
        read_tables(written(tmp_path, "study,treatment\nS,placebo\n"))


def test_rows_that_cannot_be_used_are_left_out_and_counted(tmp_path: Path) -> None:
    extra = (
        "S0,alpha 10,alpha,10,first,100,12,-1,0.1,,,,pain,points,,\n"  # there already
        "S1,alpha 40,alpha,40,first,100,12,-1,0,,,,pain,points,,\n"  # no error
        "S1,alpha 80,alpha,80,first,100,12,,0.1,,,,pain,points,,\n"  # no result
        "S1,alpha 90,alpha,90,first,100,12,-1,0.1,,,,pain,points,mean difference,\n"
    )
    (table,) = read_tables(written(tmp_path, continuous() + extra))
    assert len(table) == 48
    assert len(table.notes) == 4
    (table,) = read_tables(written(tmp_path, counts() + "S9,beta,beta,,,10,,,,,12,,response,,,\n"))
    assert table.notes == ("1 rows with more events than participants, or none of them were left out.",)


def test_one_participant_and_no_events_are_forecast(tmp_path: Path) -> None:
    text = counts() + "S9,placebo,placebo,,,1,,,,,0,,response,,,\nS9,beta,beta,,,40,,,,,0,,response,,,\n"
    (table,) = read_tables(written(tmp_path, text))
    found = hold_out(table)
    for quantiles in found.arms.quantiles.values():
        assert np.isfinite(quantiles).all()
        assert (quantiles >= 0).all()
        assert (quantiles <= 100).all()


@pytest.mark.parametrize("text", [continuous(), counts()])
def test_a_held_out_study_s_results_do_not_reach_its_forecast(tmp_path: Path, text: str) -> None:
    (table,) = read_tables(written(tmp_path, text))
    out = table.study == "S3"
    from dataclasses import replace

    events = np.where(out, 3.0, table.events)
    lie = replace(table, value=np.where(out, 50.0, table.value), events=events)
    true, false = hold_out(table), hold_out(lie)
    for part in ("arms", "contrasts"):
        first, second = getattr(true, part), getattr(false, part)
        at = first.study == "S3"
        assert at.any()
        for method in METHODS:
            np.testing.assert_array_equal(first.quantiles[method][:, at], second.quantiles[method][:, at])


def test_the_engine_beats_the_grand_mean_where_there_is_an_effect(tmp_path: Path) -> None:
    (table,) = read_tables(written(tmp_path, continuous(10)))
    report = make_report("trial", [("pain", hold_out(table))])
    for section in report.tables[0].sections:
        assert section.skill["grand_mean"].ratio < 0.9
        assert section.scores[ENGINE].coverage[0.9] > 0.7
    assert [pooled.tables for pooled in report.pooled] == [1, 1]


def test_cold_start_by_drug_and_by_class(tmp_path: Path) -> None:
    text = continuous() + continuous(6).split("\n", 1)[1].replace("S", "R").replace("alpha", "gamma")
    (table,) = read_tables(written(tmp_path, text))
    usual, by_drug, by_class = (hold_out(table, by=by) for by in ("trial", "drug", "class"))
    assert set(by_drug.arms.group) == {"alpha", "gamma"}
    assert set(by_class.arms.group) == {"first"} or by_class.not_predicted

    def width(found: object, name: str) -> float:
        arms = found.arms  # type: ignore[attr-defined]
        lower, upper = interval(arms.quantiles[ENGINE][:, arms.arm == name], 0.9)
        return float(np.mean(upper - lower))

    assert width(by_drug, "gamma 10") > width(usual, "gamma 10")


def test_values_at_visits_become_changes(tmp_path: Path) -> None:
    lines = [
        f"S{i},{a},{a},,,50,{w},{8 - i * 0.1 - (w > 0) * (1 + (a == 'beta'))},0.2,,,,pain,points,,"
        for i in range(4) for a in ("placebo", "beta") for w in (0, 12)
    ]  # fmt: skip
    (table,) = read_tables(written(tmp_path, HEADER + "\n".join(lines) + "\n"))
    assert table.value == pytest.approx([-1.0, -2.0] * 4)
    assert table.covariates["baseline"][:2] == pytest.approx([8.0, 8.0])
    assert "changes from the value at the start" in table.notes[0]


def test_scales_come_from_the_rows_of_the_fit(tmp_path: Path) -> None:
    (table,) = read_tables(written(tmp_path, continuous()))
    recipe = make_recipe(table.take(table.study != "S7"))
    severity = next(scale for scale in recipe.scales if scale.name == "severity")
    assert severity.mean == pytest.approx(np.mean(np.arange(3, 10)))
    assert recipe.reference == {"alpha": 15.0}
    far = recipe.arms(table.take(table.study == "S7"))
    assert np.isfinite(far.background).all()
    assert MEDIAN == 20
