"""Probabilities of being right within a tolerance, and how they are judged."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from tools.response.tables.scoring import PROBABILITIES
from tools.response.tables.within import (
    auroc,
    brier,
    calibration_error,
    excess_calibration_error,
    probability_within,
)


def test_probability_of_a_normal() -> None:
    sd = np.array([0.5, 1.0, 2.0])
    quantiles = 3.0 + sd * ndtri(PROBABILITIES)[:, None]
    assert probability_within(quantiles, 1.0) == pytest.approx(2 * ndtr(1 / sd) - 1, abs=0.012)


def test_brier_and_auroc_by_hand() -> None:
    probability, hit = np.array([0.9, 0.8, 0.4, 0.4]), np.array([1.0, 0.0, 1.0, 0.0])
    assert brier(probability, hit) == pytest.approx((0.01 + 0.64 + 0.36 + 0.16) / 4)
    # Of the four pairs (hit, miss): two won, one lost, one tied.
    assert auroc(probability, hit) == pytest.approx(2.5 / 4)
    assert np.isnan(auroc(probability, np.ones(4)))


def test_an_honest_forecaster_has_no_excess_and_a_boastful_one_has() -> None:
    generator = np.random.default_rng(2)
    probability = generator.uniform(0.3, 0.95, 600)
    hit = (generator.random(600) < probability).astype(float)
    _, honest = excess_calibration_error(probability, hit)
    assert abs(honest) < 0.02
    error, boastful = excess_calibration_error(np.clip(probability + 0.15, 0, 1), hit)
    assert error > 0.1
    assert boastful > 0.08
    assert calibration_error(np.full(10, 0.5), np.r_[np.ones(5), np.zeros(5)], bins=1) == 0.0
