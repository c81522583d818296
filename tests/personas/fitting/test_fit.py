"""Fits against known truths: stability, sites against their pool, missing values, noise."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr

from knowledge.errors import InvalidInput, PrivacyRefused
from personas.fitting.archetype import Identity, settled_archetype
from personas.fitting.correlations import latent_of_table
from personas.fitting.design import make_design
from personas.fitting.families import Grouped, fit_families
from personas.fitting.fit import Fit, fit_statistics
from personas.fitting.grouping import common_groups, merge_small, regroup
from personas.fitting.latent import LatentModel
from personas.fitting.mapping import Mapping
from personas.fitting.missing import METHOD, impute
from personas.fitting.noise import add_noise, noise_sd
from personas.fitting.statistics import add, count, read_statistics, safe_to_share, write_statistics
from personas.fitting.table import PatientTable
from personas.fitting.unusual import without_unusual
from personas.library import PersonaLibrary
from personas.schemas import Distribution
from tests.personas.fitting.cohorts import NAMES, design_of, people, persona, stacked

CELL = 10


def numbers(fit: Fit) -> dict[str, float]:
    """Every fitted number by name."""
    found = {f"correlation {a} {b}": item.spearman for item in fit.correlations for a, b in [item.between]}
    for name, item in fit.attributes.items():
        dumped = item.attribute.model_dump(exclude_none=True)
        found |= {f"{name} {key}": value for key, value in dumped.items() if isinstance(value, float)}
        found |= {f"{name} {level}": share for level, share in (item.attribute.levels or {}).items()}
    return found


def test_the_truth_is_found_again_within_monte_carlo_error() -> None:
    n = 6000
    fit = fit_statistics(count(people(n, 5), design_of()), CELL)
    truth = persona()
    for name in ("bmi", "weight", "hba1c"):
        fitted, stated = fit.attributes[name].attribute, truth.attributes[name]
        assert fitted.distribution is Distribution.LOGNORMAL
        assert fitted.mean is not None
        assert stated.mean is not None
        assert stated.sd is not None
        assert fitted.sd is not None
        assert abs(fitted.mean - stated.mean) < 4 * stated.sd / math.sqrt(n)
        assert abs(fitted.sd / stated.sd - 1) < 4 * 1.5 / math.sqrt(2 * n)
    assert fit.attributes["adherence_pdc"].attribute.distribution is Distribution.BETA
    female = (fit.attributes["sex"].attribute.levels or {})["female"]
    assert abs(female - (truth.attributes["sex"].levels or {})["female"]) < 4 * 0.5 / math.sqrt(n)
    stated = {frozenset(item.between): item.spearman for item in truth.correlations}
    both = [
        (item.spearman, stated[frozenset(item.between)])
        for item in fit.correlations
        if frozenset(item.between) in stated
    ]
    assert len(both) > 6
    assert all(abs(found - known) < 4.5 / math.sqrt(n) for found, known in both)


def test_fit_sample_fit_is_stable() -> None:
    n = 6000
    design = design_of()
    first = fit_statistics(count(people(n, 7), design), CELL)
    identity = Identity(id="again", area="type_2_diabetes")
    text, made, _ = settled_archetype(first, design, identity, "test people", (), PersonaLibrary())
    assert "test people" in text
    second = fit_statistics(count(people(n, 8, source=made), design), CELL)
    before, after = numbers(first), numbers(second)
    models = [LatentModel.of(fit, design) for fit in (first, second)]
    for name in ("age", "bmi", "weight", "egfr", "hba1c", "adherence_pdc"):
        grid = np.array(design.axis(name).edges)
        shares = [ndtr(model.deviates(name, grid)) for model in models]
        assert np.abs(shares[0] - shares[1]).max() < 1.6 * math.sqrt(2 / n), name
    same = {
        name
        for name, item in first.attributes.items()
        if item.attribute.distribution is second.attributes[name].attribute.distribution
    }
    assert len(same) >= len(first.attributes) - 1  # a tail cut at a hardly used limit may or may not be told
    for name in before.keys() & after.keys():
        item = first.attributes.get(name.split()[0])
        if item is not None and name.split()[0] not in same:
            continue
        if name.startswith("correlation") or item is None:
            scale = 1.0
        else:
            scale = {"mean": 1.0, "sd": 1.6}.get(name.split()[-1], 0.0) * (item.attribute.sd or 0.0) or 1.0
        assert abs(before[name] - after[name]) < 4.5 * scale * math.sqrt(2 / n) + 0.002, name


def test_sites_together_equal_their_pool() -> None:
    design = design_of()
    sites = [people(n, seed) for n, seed in ((300, 1), (900, 2), (500, 3))]
    pooled = numbers(fit_statistics(count(stacked(sites), design), CELL))
    merged = numbers(fit_statistics(add([count(site, design) for site in sites]), CELL))
    assert pooled.keys() == merged.keys()
    assert len(pooled) > 50
    assert max(abs(pooled[name] - merged[name]) for name in pooled) < 1e-9


def test_a_file_without_small_cells_gives_nearly_the_same(tmp_path: Path) -> None:
    design = design_of()
    sites = [people(n, seed) for n, seed in ((900, 1), (1400, 2))]
    for number, site in enumerate(sites):
        safe = safe_to_share(count(site, design), CELL)
        for item in safe.attributes.values():
            assert all(value == 0 or value >= CELL for value in item.counts)
        for pair in safe.pairs:
            assert all(value == 0 or value >= CELL for row in pair.table for value in row)
        write_statistics(safe, tmp_path / f"{number}.json")
    merged = fit_statistics(add([read_statistics(tmp_path / f"{number}.json") for number in range(2)]), CELL)
    pooled = numbers(fit_statistics(count(stacked(sites), design), CELL))
    for name, value in numbers(merged).items():
        if name.startswith("correlation"):
            assert abs(value - pooled[name]) < 0.12, name
        elif name.endswith(" mean") and pooled[name] > 1:
            assert abs(value / pooled[name] - 1) < 0.01, name


def test_sites_of_another_design_or_named_twice_are_refused() -> None:
    one = count(people(200, 1), design_of())
    other = count(people(200, 2, ("age", "bmi")), design_of(("age", "bmi")))
    with pytest.raises(InvalidInput, match="another design"):
        add([one, other])
    with pytest.raises(InvalidInput, match="same counts"):
        add([one, one])


def gappy(n: int, seed: int) -> tuple[PatientTable, PatientTable]:
    """Complete people, and the same with kidney function missing the more often the older they are."""
    full = people(n, seed)
    rng = np.random.default_rng(seed)
    columns = {name: column.copy() for name, column in full.columns.items()}
    columns["egfr"][rng.random(n) < 1 / (1 + np.exp(-(columns["age"] - 62) / 5))] = np.nan
    columns["ckd"][rng.random(n) < 0.3] = np.nan
    return full, PatientTable(columns, n)


def test_values_missing_at_random_are_imputed_without_bias() -> None:
    n = 4000
    full, gaps = gappy(n, 3)
    design = design_of()
    oracle, available = (fit_statistics(count(table, design), CELL) for table in (full, gaps))
    imputed = fit_statistics(impute(gaps, design, CELL), CELL)

    def mean(fit: Fit) -> float:
        return fit.attributes["egfr"].attribute.mean or 0.0

    def correlation(fit: Fit) -> float:
        return next(item.spearman for item in fit.correlations if item.between == ("age", "egfr"))

    assert mean(available) - mean(oracle) > 5  # the known ones are the younger ones
    assert abs(mean(imputed) - mean(oracle)) < 1.2
    assert abs(correlation(imputed) - correlation(oracle)) < 0.04 < abs(correlation(available) - correlation(oracle))
    probability = imputed.attributes["ckd"].attribute.probability
    assert probability == pytest.approx(oracle.attributes["ckd"].attribute.probability, abs=0.02)
    assert imputed.attributes["egfr"].missing_share == pytest.approx(np.isnan(gaps.columns["egfr"]).mean())


def test_the_same_seed_imputes_the_same() -> None:
    _, gaps = gappy(400, 3)
    first, second = (impute(gaps, design_of(), CELL, seed=4) for _ in range(2))
    assert first == second
    assert first.missing_method == METHOD


def test_noise_has_the_stated_spread_and_touches_every_number() -> None:
    design = design_of(("age", "sex", "bmi", "ckd"))
    complete = count(people(20_000, 1, ("age", "sex", "bmi", "ckd")), design)
    noisy = add_noise(complete, 1.0, seed=1)
    share = 1.0 / (2 * 6)
    moved = np.concatenate(
        [
            np.array(n.table).ravel() - np.array(c.table).ravel()
            for n, c in zip(noisy.pairs, complete.pairs, strict=True)
        ]
    )
    large = np.concatenate([np.array(c.table).ravel() > 200 for c in complete.pairs])
    assert moved[large].std() == pytest.approx(noise_sd(share), rel=0.2)
    assert noisy.epsilon == 1.0
    assert noisy.files == ()
    assert noisy.people != complete.people
    again = fit_statistics(noisy, CELL)
    assert again.attributes["bmi"].attribute.mean == pytest.approx(32.0, abs=0.5)
    assert any(item.between == ("age", "bmi") for item in again.correlations)
    drowned = fit_statistics(add_noise(complete, 0.01, seed=1), CELL)
    assert "drowns" in drowned.left_out["age and bmi"]
    with pytest.raises(InvalidInput, match="epsilon"):
        add_noise(complete, 0.0)


def test_small_levels_are_merged_or_refused() -> None:
    table = people(500, 1, ("age", "ethnicity", "ckd"))
    design = design_of(("age", "ethnicity", "ckd"))
    table.columns["ethnicity"][:] = 3.0
    table.columns["ethnicity"][:4] = 0.0  # four people of one level
    table.columns["ethnicity"][4:40] = 4.0
    table.columns["ckd"][:] = 0.0
    table.columns["ckd"][:3] = 1.0
    fit = fit_statistics(count(table, design), CELL)
    assert fit.attributes["ethnicity"].merged == ("asian and other",)
    assert (fit.attributes["ethnicity"].attribute.levels or {})["other"] == pytest.approx(40 / 500)
    assert "fewer than 10" in fit.left_out["ckd"]
    with pytest.raises(PrivacyRefused, match="ethnicity"):
        fit_statistics(count(table, design), CELL, refuse=True)
    with pytest.raises(PrivacyRefused, match="too few"):
        fit_statistics(count(people(30, 1, ("age", "ckd")), design_of(("age", "ckd"))), CELL)


def test_people_unlike_everybody_are_left_out_and_nobody_else() -> None:
    table = people(800, 4)
    assert without_unusual(table, design_of(), CELL)[1] == 0
    for name, value in (("age", 118.0), ("bmi", 97.0), ("egfr", 199.0), ("hba1c", 19.5)):
        table.columns[name][0] = value
    kept, unusual = without_unusual(table, design_of(), CELL)
    assert unusual == 1
    assert kept.columns["bmi"].max() < 90


def draws(family: Distribution, rng: np.random.Generator, n: int) -> np.ndarray:
    return {
        Distribution.NORMAL: lambda: rng.normal(50, 9, n),
        Distribution.LOGNORMAL: lambda: rng.lognormal(3.5, 0.4, n),
        Distribution.UNIFORM: lambda: rng.uniform(40, 65, n),
        Distribution.TRUNCATED_NORMAL: lambda: (x := rng.normal(60, 15, 20 * n))[(x >= 65) & (x <= 80)][:n],
        Distribution.ZERO_INFLATED_LOGNORMAL: lambda: rng.lognormal(3.0, 0.5, n) * (rng.random(n) < 0.6),
    }[family]()


@pytest.mark.parametrize(
    "family",
    [
        Distribution.NORMAL,
        Distribution.LOGNORMAL,
        Distribution.UNIFORM,
        Distribution.TRUNCATED_NORMAL,
        Distribution.ZERO_INFLATED_LOGNORMAL,
    ],
)
def test_the_family_is_recognised(family: Distribution) -> None:
    values = draws(family, np.random.default_rng(1), 5000)
    mapping = Mapping.model_validate(
        {"attributes": {"score": {"column": "s", "range": [0, 200], "unit": "points", "recorded": "completed"}}}
    )
    design = make_design(mapping)
    fit = fit_statistics(count(PatientTable({"score": values}, len(values)), design), CELL)
    assert fit.attributes["score"].attribute.distribution is family
    if family is Distribution.UNIFORM:
        assert fit.attributes["score"].attribute.lower == pytest.approx(40, abs=1.01)


def test_restrictions_bound_the_margin() -> None:
    mapping = Mapping.model_validate({"attributes": {"age": {"column": "a"}}, "restrictions": ["age>=65"]})
    design = make_design(mapping)
    values = draws(Distribution.TRUNCATED_NORMAL, np.random.default_rng(1), 3000)
    item = fit_statistics(count(PatientTable({"age": values}, len(values)), design), CELL).attributes["age"].attribute
    assert item.distribution is Distribution.TRUNCATED_NORMAL
    assert item.lower == 65


def test_grouped_likelihood_equals_the_closed_form() -> None:
    """With fine groups the normal's estimates are the sample mean and sd."""
    values = np.random.default_rng(2).normal(10, 2, 20_000)
    edges = np.linspace(0, 20, 2001)
    counts = np.histogram(values, edges)[0].astype(float)
    best = fit_families(Grouped(edges, counts, 0, 20, False, 0, None), (Distribution.NORMAL,))[0]
    assert best.parameters["mean"] == pytest.approx(values.mean(), abs=1e-4)
    assert best.parameters["sd"] == pytest.approx(values.std(), abs=1e-3)


@pytest.mark.parametrize("latent", [-0.8, 0.0, 0.3, 0.9])
def test_coarse_bins_do_not_bias_the_latent_correlation(latent: float) -> None:
    from scipy.stats import multivariate_normal

    cuts = [-8.0, -0.7, 0.2, 1.1, 8.0]
    normal = multivariate_normal([0, 0], [[1, latent], [latent, 1]])
    table = np.array(
        [
            [
                normal.cdf([cuts[i + 1], cuts[j + 1]])
                - normal.cdf([cuts[i], cuts[j + 1]])
                - normal.cdf([cuts[i + 1], cuts[j]])
                + normal.cdf([cuts[i], cuts[j]])
                for j in range(4)
            ]
            for i in range(4)
        ]
    )
    assert latent_of_table(np.maximum(table, 0)) == pytest.approx(latent, abs=1e-3)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 40), min_size=2, max_size=30), st.integers(1, 20), st.booleans())
def test_merged_groups_are_empty_or_large_and_lose_nobody(counts: list[int], smallest: int, ordered: bool) -> None:
    values = np.array(counts, dtype=float)
    groups = merge_small(values, smallest, ordered=ordered)
    merged = regroup(values, groups)
    assert merged.sum() == values.sum()
    if values.sum() >= smallest:
        assert all(value == 0 or value >= smallest for value in merged)
    if ordered:
        assert list(groups) == sorted(groups)


def test_common_groups_are_the_finest_shared_ones() -> None:
    assert common_groups([(0, 0, 1, 2, 3), (0, 1, 1, 2, 3)]) == (0, 0, 0, 1, 2)
    assert common_groups([(0, 1, 2)]) == (0, 1, 2)
    assert len(NAMES) == 10
