"""Made-up evidence with a known truth, for the tools that stand on the response engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from knowledge.arms import EvidenceTable
from knowledge.base import KnowledgeBase
from knowledge.schemas import (
    ArmRole,
    Baseline,
    Design,
    Direction,
    Drug,
    Endpoint,
    Family,
    Seen,
    Source,
    Statistic,
    TrialArm,
)
from knowledge.vocabulary import Vocabulary
from personas.library import PersonaLibrary
from tools.context import ToolContext

CLASSES = {
    "placebo": "placebo", "ace": "first", "bee": "second", "cee": "third", "dee": "first", "eff": "fourth", "gee": "fifth",
}  # fmt: skip
DRUGS = {
    name: Drug(name=name, drug_class=group, dose_unit="" if name == "placebo" else "mg", frequency="once daily")
    for name, group in CLASSES.items()
}


def _endpoint(name: str, label: str, family: Family, unit: str, **fields: Any) -> Endpoint:
    fields.setdefault("direction", Direction.LOWER_IS_BETTER)
    return Endpoint(endpoint_id=name, label=label, family=family, unit=unit, limits=(-100, 100), **fields)


ENDPOINTS = {
    one.endpoint_id: one
    for one in (
        _endpoint("hba1c_change", "HbA1c change", Family.CONTINUOUS, "%-points", baseline="hba1c", mcid=0.5, mcid_source="s"),
        _endpoint("nausea", "nausea", Family.PROPORTION, "%"),
        _endpoint("steps", "steps walked", Family.CONTINUOUS, "1/day", direction=Direction.NEUTRAL),
    )
}  # fmt: skip
SD = 1.0
N = 200

Truth = Callable[[str, Baseline], float]


@dataclass(frozen=True)
class MadeUp:
    """Trials to make.

    Attributes
    ----------
    trials : the active drug of each trial; it gets trials of these drugs in turn, each against placebo.
    effect : true effect beside placebo on HbA1c, by drug and baseline.
    nausea : true share (%) by drug; drugs without one do not report it.
    spread : SD of a trial's own deviation of the effect. seed : of the figures.
    surprises : added to what the active arm of a trial (by number) reports.
    without_hba1c : drugs whose trials do not report it.
    """

    trials: tuple[str, ...]
    effect: Truth
    nausea: Mapping[str, float]
    spread: float = 0.05
    seed: int = 1
    surprises: Mapping[int, float] | None = None
    without_hba1c: tuple[str, ...] = ()


def _rows(made: MadeUp) -> list[TrialArm]:
    generator = np.random.default_rng(made.seed)
    rows: list[TrialArm] = []
    for index, active in enumerate(made.trials):
        baseline = Baseline(
            hba1c=round(6.6 + 0.15 * float(generator.integers(0, 18)), 2),
            age=round(float(generator.uniform(50, 70)), 1),
            bmi=round(float(generator.uniform(27, 36)), 1),
            egfr=round(float(generator.uniform(45, 95)), 1),
        )
        own, background = made.spread * generator.standard_normal(), 0.1 * generator.standard_normal()
        for name in ("placebo", active):
            effect = 0.0 if name == "placebo" else made.effect(name, baseline) + own
            effect += (made.surprises or {}).get(index, 0.0) if name != "placebo" else 0.0
            value = -0.1 + background + effect + SD / N**0.5 * generator.standard_normal()
            common: dict[str, Any] = {
                "row_id": f"x:{index}", "area": "type_2_diabetes", "trial": f"TRIAL {index}", "source_id": f"s-{index}",
                "arm": name, "arm_role": ArmRole.PLACEBO if name == "placebo" else ArmRole.ACTIVE, "intervention": name,
                "drug_class": CLASSES[name], "dose": None if name == "placebo" else 10.0,
                "dose_unit": "" if name == "placebo" else "mg", "frequency": "once daily", "n": N, "weeks": 26.0,
                "locator": "table 1", "seen": Seen.FULL_TEXT, "published": "2019", "tags": ("t2d",), "baseline": baseline,
                "se_from": "sd",
            }  # fmt: skip
            if active in made.without_hba1c:
                pass
            elif active != "gee":
                rows.append(
                    TrialArm(
                        **common, endpoint="hba1c_change", statistic=Statistic.MEAN_CHANGE, value=round(value, 4),
                        se=SD / N**0.5, sd=SD,
                    )
                )  # fmt: skip
            else:
                rows.append(
                    TrialArm(
                        **common, endpoint="steps", statistic=Statistic.MEAN_CHANGE, value=100.0 + 10.0 * effect,
                        se=20.0, sd=20.0 * N**0.5,
                    )
                )  # fmt: skip
            if active in made.nausea:
                share = made.nausea[name] + generator.standard_normal()
                rows.append(
                    TrialArm(
                        **common, endpoint="nausea", statistic=Statistic.PROPORTION, value=round(max(share, 0.5), 2),
                        se=None,
                    )
                )  # fmt: skip
    return rows


def _context(made: MadeUp) -> ToolContext:
    sources = {
        f"s-{i}": Source(source_id=f"s-{i}", title="made up", published="2019", design=Design.RCT, seen=Seen.FULL_TEXT)
        for i in range(len(made.trials))
    }
    rows = tuple(_rows(made))
    knowledge = KnowledgeBase(Path("."), Vocabulary(DRUGS, ENDPOINTS), sources, EvidenceTable(rows, sources))

    def no_retriever() -> Any:
        raise AssertionError("the response tools read no passages")

    return ToolContext(knowledge=knowledge, personas=PersonaLibrary(), retriever=no_retriever)


@pytest.fixture(scope="session")
def made_up() -> Callable[..., ToolContext]:
    """Makes a context from the fields of `MadeUp`."""

    def make(**fields: Any) -> ToolContext:
        return _context(MadeUp(**fields))

    return make
