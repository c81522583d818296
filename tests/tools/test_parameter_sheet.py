"""Parameter rows: drawn as they say, refused when they do not say where they are from."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from knowledge.errors import DataError
from tools.parameter_sheet import Parameter, read_parameters

BASIC = {"unit": "per year", "source_id": "pmid-1", "locator": "table 1"}


@pytest.mark.parametrize(
    ("distribution", "value", "lower", "upper"),
    [("normal", 5, 3, 7), ("lognormal", 2, 1, 4), ("beta", 0.3, 0.2, 0.4), ("gamma", 900, 700, 1100)],
)
def test_draws_have_the_stated_interval(distribution, value, lower, upper):
    row = Parameter(**BASIC, value=value, lower=lower, upper=upper, distribution=distribution)
    drawn = row.draw(np.random.default_rng(1), 200_000)
    low, high = np.percentile(drawn, [2.5, 97.5])
    assert low == pytest.approx(lower, rel=0.03)
    assert high == pytest.approx(upper, rel=0.03)
    centre = np.median(drawn) if distribution == "lognormal" else drawn.mean()
    assert centre == pytest.approx(value, rel=0.01)


def test_uniform_and_fixed():
    uniform = Parameter(**BASIC, value=1, lower=0, upper=4, distribution="uniform")
    drawn = uniform.draw(np.random.default_rng(1), 50_000)
    assert drawn.min() >= 0
    assert drawn.max() <= 4
    assert drawn.mean() == pytest.approx(2, abs=0.03)
    assert set(Parameter(**BASIC, value=7).draw(np.random.default_rng(1), 3)) == {7.0}


@pytest.mark.parametrize(
    "bad",
    [
        {"value": 1, "unit": "x"},
        {"value": 1, "unit": "x", "source_id": "pmid-1"},
        {**BASIC, "value": 1, "distribution": "normal"},
        {**BASIC, "value": 5, "lower": 1, "upper": 4, "distribution": "normal"},
        {**BASIC, "value": 1, "lower": 1, "upper": 1, "distribution": "normal"},
        {**BASIC, "value": 1, "lower": -1, "upper": 4, "distribution": "lognormal"},
        {**BASIC, "value": 1.5, "lower": 1, "upper": 2, "distribution": "beta"},
        {**BASIC, "value": 0.5, "lower": -3, "upper": 4, "distribution": "beta"},
        {**BASIC, "value": 0, "lower": -1, "upper": 4, "distribution": "gamma"},
        {**BASIC, "value": 1, "odd": 2},
    ],
)
def test_rows_that_cannot_be_used_are_refused(bad):
    with pytest.raises(ValidationError):
        Parameter(**bad)


def test_a_sheet_names_the_faulty_row(tmp_path):
    path = tmp_path / "parameters.yaml"
    path.write_text("rate: {value: 1, unit: per year}\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"parameters\.yaml, rate .*source_id or an assumption"):
        read_parameters(path)


def test_a_sheet_lists_sources_and_assumptions(tmp_path):
    path = tmp_path / "parameters.yaml"
    path.write_text(
        "rate: {value: 1, unit: per year, source_id: pmid-1, locator: abstract}\n"
        "share: {value: 0.5, unit: share, assumption: Half by symmetry.}\n",
        encoding="utf-8",
    )
    sheet = read_parameters(path)
    assert sheet.source_ids == ("pmid-1",)
    assert sheet.assumed == ("share: 0.5 share. Half by symmetry.",)
