"""Reliability as it was measured, and the evaluation report as far as it can be read."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from assistant.trust import latest_report, reliabilities
from knowledge.base import KnowledgeBase
from knowledge.errors import DataError
from tools.response.confidence import calibrations


def test_every_curve_has_its_reliability(shipped: KnowledgeBase) -> None:
    found = {one.endpoint: one for one in reliabilities(shipped.vocabulary)}
    assert set(found) == set(calibrations())
    for name, curve in calibrations().items():
        assert [(step.n, step.hits) for step in found[name].steps] == [(step.n, step.hits) for step in curve.steps]
        for step in found[name].steps:
            assert 0 <= step.lower <= step.share <= step.upper <= 1


def test_the_null_band_is_what_chance_gives(shipped: KnowledgeBase) -> None:
    one = next(one for one in reliabilities(shipped.vocabulary) if one.endpoint == "hba1c_change")
    drawn = np.random.default_rng(5).binomial(one.n_arms, one.said, 40_000) / one.n_arms
    inside = np.mean((drawn >= one.null_lower) & (drawn <= one.null_upper))
    assert 0.94 <= inside <= 0.975
    assert one.verdict == ("as said" if one.null_lower <= one.found <= one.null_upper else one.verdict)


def test_only_what_is_asked_for_and_has_a_curve(shipped: KnowledgeBase) -> None:
    found = reliabilities(shipped.vocabulary, ["nausea", "no_such_thing", "nausea", "hba1c_change"])
    assert [one.endpoint for one in found] == ["nausea", "hba1c_change"]


def test_a_report_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    assert latest_report(tmp_path) is None
    file = tmp_path / "report.json"
    file.write_text(json.dumps([{"case": {}}]))
    old = latest_report(tmp_path)
    assert old is not None
    assert (old.headline, old.metrics, old.page) == ((), (), None)
    row = {"suite": "outcomes", "name": "covered_90", "value": 0.9, "headline": True}
    file.write_text(
        json.dumps({"created": "2026-11-21", "headline": ["Nine in ten."], "summaries": {"offline": [row, 3]}})
    )
    (tmp_path / "report.html").write_text("<p>all of it</p>")
    found = latest_report(tmp_path)
    assert found is not None
    assert found.headline == ("Nine in ten.",)
    assert (found.model, found.metrics) == ("offline", (row,))
    assert found.page == tmp_path / "report.html"
    file.write_text("{")
    with pytest.raises(DataError):
        latest_report(tmp_path)
