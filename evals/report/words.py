"""What suites and metrics are called (words.yaml)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import yaml
from pydantic import ValidationError

from evals.schemas import Suite
from knowledge.errors import DataError
from knowledge.schemas import Frozen

FILE = Path(__file__).with_name("words.yaml")


class SuiteWords(Frozen):
    """Name of a suite and the question it asks."""

    name: str
    asks: str


class MetricWords(Frozen):
    """Name of a metric and what it means."""

    name: str
    means: str


class Words(Frozen):
    """The whole file."""

    suites: Mapping[Suite, SuiteWords]
    metrics: Mapping[str, MetricWords]
    verdicts: Mapping[str, str]
    marks: Mapping[str, str]


@lru_cache(maxsize=1)
def words() -> Words:
    """The words of the report (DataError when the file is damaged)."""
    try:
        return Words.model_validate(yaml.safe_load(FILE.read_text(encoding="utf-8")))
    except (ValidationError, yaml.YAMLError) as error:
        raise DataError(f"{FILE.name}: {error}") from error


def suite_name(suite: Suite) -> str:
    """'Published outcomes' for outcomes; the bare name where the file has none."""
    found = words().suites.get(suite)
    return found.name if found else suite.value


def metric_words(name: str) -> MetricWords:
    """The words of a metric: 'covered_90' is 'covered' with 90 filled in; an unknown one is called by its name."""
    known = words().metrics
    if name in known:
        return known[name]
    stem, _, rest = name.rpartition("_") if re.search(r"_\d+$", name) else name.partition("_")
    if stem not in known:
        return MetricWords(name=name.replace("_", " "), means="")
    filled = {"n": rest, "word": rest.replace("_", " ")}
    return MetricWords(name=known[stem].name.format_map(filled), means=known[stem].means.format_map(filled))


def model_name(model: str) -> str:
    """'the offline planner', or the name of a chat model."""
    return "the offline planner" if model == "offline" else model


def group_name(group: str) -> str:
    """'area=type_2_diabetes|method=drug mean' as 'type 2 diabetes, drug mean'."""
    return ", ".join(part.partition("=")[2].replace("_", " ") for part in group.split("|")) if group else "all"
