from __future__ import annotations

import hashlib
import itertools
import os
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from knowledge.errors import EmptyCohort, InvalidInput, PersonaError
from personas.library import PersonaLibrary
from personas.margins import level_shares, margin_of
from personas.restrictions import parse_restrictions
from personas.sampling import VirtualPatients, draw, prevalence_of
from personas.schemas import Attribute, Distribution, Persona, Restriction

LARGE = 100_000


@pytest.fixture(scope="module")
def large(people: Persona) -> VirtualPatients:
    return draw(people, (), LARGE, seed=7)


@pytest.mark.parametrize("name", ["age", "visits", "bmi", "hba1c", "egfr", "sbp", "adherence_pdc"])
def test_measured_margins(people: Persona, large: VirtualPatients, name: str) -> None:
    """Kolmogorov-Smirnov against the stated distribution, written out once more with scipy.stats."""
    from scipy import stats

    attribute = people.attributes[name]
    mean, sd = attribute.mean or 0.0, attribute.sd or 1.0
    lower, upper = attribute.lower or 0.0, attribute.upper or 0.0
    spread = np.sqrt(np.log1p((sd / mean) ** 2)) if mean else 1.0
    size = mean * (1 - mean) / sd**2 - 1
    stated = {
        Distribution.NORMAL: lambda: stats.norm(mean, sd),
        Distribution.TRUNCATED_NORMAL: lambda: stats.truncnorm((lower - mean) / sd, (upper - mean) / sd, mean, sd),
        Distribution.LOGNORMAL: lambda: stats.lognorm(spread, scale=mean / np.exp(spread**2 / 2)),
        Distribution.BETA: lambda: stats.beta(mean * size, (1 - mean) * size),
        Distribution.UNIFORM: lambda: stats.uniform(lower, upper - lower),
    }[attribute.distribution]()
    assert stats.kstest(large.columns[name], stated.cdf).pvalue > 1e-3
    assert large.columns[name].mean() == pytest.approx(stated.mean(), abs=5 * stated.std() / np.sqrt(LARGE))


@pytest.mark.parametrize("name", ["sex", "ethnicity", "hypertension", "ckd", "nyha"])
def test_shares_of_levels(people: Persona, large: VirtualPatients, name: str) -> None:
    from scipy.stats import chisquare

    shares = level_shares(people.attributes[name])
    counts = np.bincount(large.columns[name].astype(int), minlength=len(shares))
    assert chisquare(counts, np.array(shares) * LARGE).pvalue > 1e-3


def test_rank_correlations(people: Persona, large: VirtualPatients) -> None:
    from scipy.stats import spearmanr

    for item in people.correlations:
        first, second = (large.columns[name].astype(float) for name in item.between)
        assert spearmanr(first, second).statistic == pytest.approx(item.spearman, abs=0.02), item.between


def test_unstated_pairs_of_the_uncorrelated_are_independent(large: VirtualPatients) -> None:
    from scipy.stats import spearmanr

    for first, second in itertools.combinations(("sex", "ethnicity", "visits", "sbp", "age"), 2):
        assert abs(spearmanr(large.columns[first], large.columns[second]).statistic) < 0.02


def test_types_units_and_levels(people: Persona, large: VirtualPatients) -> None:
    assert list(large.columns) == list(people.attributes)
    assert large.columns["age"].dtype == np.float64
    assert large.columns["hypertension"].dtype == np.bool_
    assert large.columns["sex"].dtype == np.int64
    assert large.units["egfr"] == "mL/min/1.73m2"
    assert large.levels["nyha"] == ("I", "II", "III", "IV")
    assert set(large.labels("sex")) == {"female", "male"}
    assert set(large.labels("hypertension")) == {"yes", "no"}
    assert (large.n, large.prevalence, large.effective_sample_size) == (LARGE, 1.0, LARGE)
    with pytest.raises(InvalidInput, match="is a number"):
        large.labels("age")
    with pytest.raises(InvalidInput, match="no attribute 'income'"):
        large.labels("income")


RARE = ["age>=75", "egfr<45", "hba1c>=7.5", "hypertension=no", "sex=female"]


def test_a_rare_cohort_agrees_with_brute_force(people: Persona) -> None:
    """One in some thousand: rejection from a million draws against conditioning."""
    restrictions = parse_restrictions(["age>=70", "egfr<50", "hba1c>=6.8", "sex=female"])
    crowd = draw(people, (), 1_000_000, seed=11)
    meets = (crowd.columns["age"] >= 70) & (crowd.columns["egfr"] < 50) & (crowd.columns["hba1c"] >= 6.8)
    meets &= crowd.columns["sex"] == 0
    kept = {name: column[meets].astype(float) for name, column in crowd.columns.items()}
    count = int(meets.sum())
    assert 1000 < count < 10_000
    cohort = draw(people, restrictions, 50_000, seed=12)
    assert cohort.prevalence == pytest.approx(count / 1e6, abs=4 * np.sqrt(count) / 1e6)
    for name, rejected in kept.items():
        drawn = cohort.columns[name].astype(float)
        error = np.sqrt(rejected.var() / len(rejected) + drawn.var() / len(drawn)) + 1e-12
        assert abs(drawn.mean() - rejected.mean()) < 4.5 * error, name
        assert drawn.std() == pytest.approx(rejected.std(), rel=0.12, abs=1e-9), name
    names = [name for name in kept if kept[name].std() > 0]
    drawn_correlations = np.corrcoef([cohort.columns[name].astype(float) for name in names])
    rejected_correlations = np.corrcoef([kept[name] for name in names])
    assert np.abs(drawn_correlations - rejected_correlations).max() < 5 / np.sqrt(count)


CONDITIONS = st.sampled_from(
    [
        "age>=65", "age>70", "age<40", "age<=80", "egfr<60", "egfr>=30", "bmi>=35", "bmi<24", "hba1c>9", "hba1c<=6",
        "sbp>=150", "visits<3", "adherence_pdc>=0.9", "sex=female", "ethnicity=black", "hypertension=yes", "ckd=no",
        "nyha>=II", "nyha<III", "nyha=IV", "obesity=yes",
    ]
)  # fmt: skip


@given(st.lists(CONDITIONS, min_size=1, max_size=5, unique=True), st.integers(0, 1000))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_row_meets_every_restriction(people: Persona, texts: list[str], seed: int) -> None:
    try:
        cohort = draw(people, parse_restrictions(texts), 400, seed)
    except EmptyCohort:
        return  # contradictory or too rare; the errors have tests of their own
    assert 1e-5 <= cohort.prevalence <= 1
    assert (cohort.columns["age"] >= 18).all()  # the archetype's own restriction
    order = {level: position for position, level in enumerate(cohort.levels["nyha"])}
    compare = {">=": np.greater_equal, "<=": np.less_equal, ">": np.greater, "<": np.less, "=": np.equal}
    for item in parse_restrictions(texts):
        if item.attribute == "obesity":
            assert (cohort.columns["bmi"] >= 30).all()
        elif item.attribute == "nyha":
            assert compare[item.operator](cohort.columns["nyha"], order[str(item.value).upper()]).all()
        elif isinstance(item.value, str):
            assert (cohort.labels(item.attribute) == item.value).all()
        else:
            assert compare[item.operator](cohort.columns[item.attribute], item.value).all()
    assert all(np.isfinite(column.astype(float)).all() for column in cohort.columns.values())


def test_prevalence_multiplies_for_independent_attributes(people: Persona) -> None:
    share = prevalence_of(people, parse_restrictions(["sex=female", "visits<3", "ethnicity=black"]))
    assert share == pytest.approx(0.52 * 0.25 * 0.13, rel=1e-9)


def test_prevalence_is_relative_to_the_archetype(library: PersonaLibrary) -> None:
    older = library.get("people_older")
    assert prevalence_of(older, parse_restrictions(["age>=60"])) == pytest.approx(1.0, abs=1e-3)
    people = library.get("people")
    both = prevalence_of(people, parse_restrictions(["age>=65", "hypertension=yes"]))
    assert both / prevalence_of(people, parse_restrictions(["age>=65"])) < 1
    frail = draw(library.get("people_frail"), (), 2000, 1)
    assert set(frail.labels("nyha")) == {"III", "IV"}
    assert frail.columns["age"].min() >= 65
    assert frail.prevalence == 1.0


def test_prevalence_needs_no_luck(people: Persona) -> None:
    restrictions = parse_restrictions(RARE)
    first = draw(people, restrictions, 10, seed=1).prevalence
    assert first == draw(people, restrictions, 5000, seed=2).prevalence


def test_nobody_left_names_the_binding_restriction(people: Persona) -> None:
    texts = parse_restrictions(["sex=female", "age<30", "egfr<6", "hypertension=yes"])
    with pytest.raises(EmptyCohort, match=r"Fewer than 1 in 100,000.*'People'.*drop egfr<6"):
        draw(people, texts, 100, 1)
    with pytest.raises(EmptyCohort, match="drop age>=96"):
        draw(people, parse_restrictions(["sex=female", "age>=96"]), 100, 1)


def test_contradictions_with_the_archetype_name_both(library: PersonaLibrary) -> None:
    with pytest.raises(EmptyCohort, match="both age>=65 and age<50"):
        draw(library.get("people_older"), parse_restrictions(["age<50"]), 100, 1)


def test_an_archetype_of_nobody_is_a_fault_of_its_file(people: Persona) -> None:
    impossible = people.model_copy(update={"restrictions": ("age>=96",)})
    with pytest.raises(PersonaError, match="Nobody meets the restrictions of archetype people"):
        draw(impossible, (), 10, 1)


@pytest.mark.parametrize(("n", "seed"), [(0, 1), (-5, 1), (1_000_001, 1), (10, -1)])
def test_numbers_that_make_no_sense_are_refused(people: Persona, n: int, seed: int) -> None:
    with pytest.raises(InvalidInput):
        draw(people, (), n, seed)


def test_an_attribute_that_follows_from_another_never_contradicts_it(people: Persona) -> None:
    made = Attribute(distribution=Distribution.BERNOULLI, unit="yes/no", probability=0.4, assumption="made up")
    persona = people.model_copy(update={"comorbidities": {**people.comorbidities, "obesity": made}})
    cohort = draw(persona, (), 5000, 3)
    assert (cohort.columns["obesity"] == (cohort.columns["bmi"] >= 30)).all()
    lean = draw(persona, [Restriction(attribute="obesity", operator="=", value="no")], 500, 3)
    assert lean.columns["bmi"].max() < 30
    assert not lean.columns["obesity"].any()


def test_tails_end_where_no_person_is() -> None:
    """HbA1c 8.4 (2.3): the stated lognormal has 5 in 10,000 below 3 or above 20; what is left keeps its shape."""
    from scipy import stats

    wide = Attribute(distribution=Distribution.LOGNORMAL, unit="%", mean=8.4, sd=2.3, assumption="made up")
    margin = margin_of(wide, (3.0, 20.0))
    z = np.random.default_rng(1).standard_normal(200_000)
    values = np.asarray(margin.values(z))
    assert 3.0 <= values.min() < values.max() <= 20.0
    spread = np.sqrt(np.log1p((2.3 / 8.4) ** 2))
    stated = stats.lognorm(spread, scale=8.4 / np.exp(spread**2 / 2))
    below, above = stated.cdf([3.0, 20.0])
    assert 1 - (above - below) > 1e-4
    assert stats.kstest(values, lambda x: (stated.cdf(x) - below) / (above - below)).pvalue > 1e-3
    assert [margin.deviate(float(x)) for x in margin.values(np.array([-3.0, 0.0, 3.0]))] == pytest.approx([-3, 0, 3])
    assert margin.box(2.0, 25.0) == (-np.inf, np.inf)


def test_no_disease_is_older_than_its_patient(people: Persona) -> None:
    years = Attribute(distribution=Distribution.LOGNORMAL, unit="years", mean=20, sd=15, assumption="made up")
    persona = people.model_copy(update={"biomarkers": {**people.biomarkers, "diabetes_duration": years}})
    cohort = draw(persona, parse_restrictions(["age<40"]), 20_000, 1)
    assert (cohort.columns["diabetes_duration"] <= cohort.columns["age"]).all()
    assert (cohort.columns["age"] < 40).all()
    with pytest.raises(EmptyCohort, match="diabetes_duration above age"):
        draw(persona, parse_restrictions(["age<25", "diabetes_duration>=40"]), 100, 1)


def _digest(cohort: VirtualPatients) -> str:
    total = hashlib.sha256()
    for name, column in cohort.columns.items():
        total.update(name.encode() + np.ascontiguousarray(column).tobytes())
    return total.hexdigest()


SCRIPT = """
import hashlib, sys
from pathlib import Path
import numpy as np
from personas.library import PersonaLibrary
from personas.restrictions import parse_restrictions
from personas.sampling import draw
cohort = draw(PersonaLibrary(Path(sys.argv[1])).get("people"), parse_restrictions(["age>=75", "egfr<45"]), 70_000, 42)
total = hashlib.sha256()
for name, column in cohort.columns.items():
    total.update(name.encode() + np.ascontiguousarray(column).tobytes())
print(total.hexdigest())
"""


def test_the_same_seed_gives_the_same_rows_in_another_process(library: PersonaLibrary, people: Persona) -> None:
    here = _digest(draw(people, parse_restrictions(["age>=75", "egfr<45"]), 70_000, 42))
    root = library.file_of("people").parent.parent
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(root)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONHASHSEED": "99"},
    )
    assert done.stdout.strip() == here
    assert _digest(draw(people, parse_restrictions(["age>=75", "egfr<45"]), 70_000, 43)) != here


def test_importing_the_sampler_loads_no_statistics_package() -> None:
    code = (
        "import sys, personas.sampling, personas.library, personas.cohort, personas.resolve;"
        "print([m for m in ('scipy', 'pandas', 'torch', 'rapidfuzz') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    assert done.stdout.strip() == "[]"


# The zero-inflated one is no inverse at zero; it has tests of its own (test_zero_inflated.py).
@pytest.mark.parametrize(
    "distribution", [kind for kind in Distribution if kind is not Distribution.ZERO_INFLATED_LOGNORMAL]
)
def test_a_margin_and_its_deviate_are_inverse(people: Persona, distribution: Distribution) -> None:
    attribute = next(a for a in people.attributes.values() if a.distribution is distribution)
    margin = margin_of(attribute)
    if margin.discrete:
        for position in range(len(level_shares(attribute))):
            low, high = margin.box(position, position)
            middle = np.array([max(low, -9.0) / 2 + min(high, 9.0) / 2])
            assert margin.values(middle) == position
    else:
        deviates = np.linspace(-3, 3, 25)
        values = margin.values(deviates)
        assert (np.diff(values) > 0).all()
        assert [margin.deviate(float(x)) for x in values] == pytest.approx(list(deviates), abs=2e-3)


@pytest.mark.slow
def test_a_hundred_thousand_patients_take_less_than_half_a_second(people: Persona) -> None:
    extra = {f"marker_{index}": people.biomarkers["egfr"] for index in range(8)}
    wide = people.model_copy(update={"biomarkers": {**people.biomarkers, **extra}})
    draw(wide, (), 1000, 1)
    seconds = []
    for restrictions in ((), parse_restrictions(["age>=75", "egfr<45"])):
        best = min(_timed(wide, restrictions) for _ in range(3))
        seconds.append(best)
    assert max(seconds) < 0.5, seconds


def _timed(persona: Persona, restrictions: tuple[Restriction, ...]) -> float:
    start = time.perf_counter()
    draw(persona, restrictions, LARGE, 1)
    return time.perf_counter() - start


@pytest.mark.slow
def test_a_million_patients_need_little_more_memory_than_their_columns(people: Persona) -> None:
    tracemalloc.start()
    cohort = draw(people, parse_restrictions(["age>=75", "egfr<45"]), 1_000_000, 1)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    columns = sum(column.nbytes for column in cohort.columns.values())
    assert peak < columns + 100e6
