"""Speed of refill adherence, by turns with a pandas implementation on the same records, and how it grows.

Peer: CMA7 and the proportion of days covered in plain pandas, one `groupby(...).apply` over patients, as analysts write it;
the results are compared first.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from evals.bench_cost_effectiveness import report_rates
from evals.growth import SIZES, Growth
from tools.adherence.model import Windows, adherence_of, arrange

Floats = npt.NDArray[np.float64]
Records = tuple[npt.NDArray[np.int64], Floats, Floats]
EACH = 10  # records of a patient
OURS, THEIRS = 1_000_000, 10_000
WINDOWS = Windows(0, 730, 182, 365)


def records_of(n: int, seed: int = 1) -> Records:
    """Patient, day and days' supply of `n` records or a few fewer, in order."""
    rng = np.random.default_rng(seed)
    patients = max(n // EACH, 1)
    each = min(n, EACH)
    gaps = rng.integers(10, 110, (patients, each)).astype(float)
    gaps[:, 0] = 0
    supply = rng.choice([30.0, 60.0], (patients, each))
    return np.repeat(np.arange(patients), each), np.cumsum(gaps, axis=1).ravel(), supply.ravel()


def compiled(records: Records) -> Floats:
    """(P, 2) CMA7 and PDC, from arrays in order to measures; all other measures are computed with them."""
    found = adherence_of(arrange(*records), WINDOWS)
    return np.column_stack([found.of("CMA7"), found.of("PDC")])


def one_patient(group: Any) -> tuple[float, float]:
    """CMA7 and PDC of one patient's rows."""
    day, supply = group["day"].to_numpy(), group["supply"].to_numpy()
    begin = day[0] + WINDOWS.observation_start
    end = begin + (WINDOWS.observation_days or 0.0)
    inside = (day >= begin) & (day <= end)
    dry, carry = 0.0, 0.0
    for i in np.flatnonzero(day <= end):
        until = day[i + 1] if i + 1 < len(day) and day[i + 1] <= end else end
        out = day[i] + supply[i] + carry
        dry += max(0.0, until - max(out, begin))
        carry = max(0.0, out - until)
    covered, until = 0.0, -np.inf
    for start, days in zip(day[inside], supply[inside], strict=True):
        start = max(start, until)
        until = start + days
        covered += max(0.0, min(until, end) - start)
    cover = covered / (end - day[inside][0]) if inside.any() and end > day[inside][0] else np.nan
    return 1 - dry / (end - begin), cover


def with_pandas(frame: Any) -> Floats:
    """(P, 2) the same in plain pandas."""
    found = frame.groupby("patient", sort=True)[["day", "supply"]].apply(one_patient)
    return np.array(found.tolist())


def lines(runs: int) -> Iterator[str]:
    """Yield the lines of the report."""
    import pandas as pd

    many, few = records_of(OURS), records_of(THEIRS)
    frame = pd.DataFrame(dict(zip(("patient", "day", "supply"), few, strict=True)))
    np.testing.assert_allclose(compiled(few), with_pandas(frame), atol=1e-12)
    yield f"{runs} runs by turns; CMA7 and PDC from refill records; median records per second (lowest to highest)"
    yield from report_rates(
        {
            "refill adherence, all measures": (OURS, lambda _seed: compiled(many)),
            "peer: pandas groupby and apply": (THEIRS, lambda _seed: with_pandas(frame)),
        },
        runs,
    )


def growth() -> Growth:
    """All measures of a table of refill records, by the number of records."""
    held = {n: records_of(n) for n in SIZES}  # made beforehand, so that only measuring is timed
    return Growth("refill records measured", "events", lambda n: compiled(held[n]))
