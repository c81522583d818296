"""A knowledge folder in miniature, written by each test as it needs it."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from knowledge.arm_rows import ARM_COLUMNS
from knowledge.base import KnowledgeBase, load_knowledge
from knowledge.embedding import Embedder, open_embedder
from knowledge.sources import SOURCE_COLUMNS

DRUGS = """
semaglutide:
  class: GLP-1 RA
  route: subcutaneous
  brands: [Ozempic, Wegovy]
  synonyms: [sema]
  dose_unit: mg
  max_dose: 2.4
oral semaglutide: {class: GLP-1 RA, brands: [Rybelsus]}
liraglutide: {class: GLP-1 RA, brands: [Victoza, Saxenda]}
empagliflozin: {class: SGLT2 inhibitor, brands: [Jardiance]}
metformin: {class: biguanide}
orlistat: {class: lipase inhibitor, brands: [Alli, Xenical]}
pravastatin: {class: statin}
prednisone: {class: glucocorticoid}
citalopram: {class: SSRI}
insulin glargine: {class: basal insulin, brands: [Lantus], synonyms: [glargine]}
phentermine/topiramate: {class: combination, brands: [Qsymia]}
exercise: {class: lifestyle}
placebo: {class: placebo}
"""
ENDPOINTS = """
hba1c_change:
  label: HbA1c change
  family: continuous
  unit: "%-points"
  direction: lower_is_better
  synonyms: [blood sugar, a1c]
  baseline: hba1c
  limits: [-8, 4]
weight_change: {label: weight change, family: continuous, unit: kg, direction: lower_is_better, synonyms: [weight],
  limits: [-60, 25]}
weight_percent_change: {label: weight change, family: continuous, unit: "%", direction: lower_is_better,
  synonyms: [percent weight loss], limits: [-50, 20]}
nausea: {label: nausea, family: proportion, unit: "%", direction: lower_is_better, synonyms: [feeling sick],
  limits: [0, 100]}
low_glucose: {label: hypoglycaemia, family: rate, unit: per 100 person-years, direction: lower_is_better,
  synonyms: [low blood sugar], limits: [0, 1000]}
death: {label: death, family: time_to_event, unit: ratio, direction: lower_is_better, synonyms: [mortality],
  limits: [0, 100]}
"""
SOURCE = {
    "source_id": "pmid-1",
    "title": "A trial of semaglutide",
    "authors": "Doe et al",
    "journal": "J",
    "published": "2017-03",
    "design": "rct",
    "pmid": "1",
    "registry_id": "NCT00000001",
    "seen": "abstract",
}
ARM = {
    "trial": "SUSTAIN 1",
    "source_id": "pmid-1",
    "registry_id": "NCT00000001",
    "cohort": "all",
    "arm": "semaglutide 1 mg",
    "arm_role": "active",
    "intervention": "semaglutide",
    "dose": "1",
    "dose_unit": "mg",
    "frequency": "once weekly",
    "n": "130",
    "endpoint": "hba1c_change",
    "statistic": "mean_change",
    "weeks": "30",
    "value": "-1.5",
    "sd": "1.14",
    "locator": "abstract",
    "seen": "abstract",
}


@dataclass(frozen=True)
class Folder:
    """Writes the files of a knowledge folder."""

    root: Path

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> Path:
        path = self.write(name, "")
        with path.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, columns, restval="")
            writer.writeheader()
            writer.writerows(rows)
        return path

    def sources(self, *changes: Mapping[str, str], name: str = "obesity.csv") -> Path:
        return self.table(f"sources/{name}", SOURCE_COLUMNS, [{**SOURCE, **change} for change in changes or ({},)])

    def arms(self, *changes: Mapping[str, str], name: str = "obesity.csv") -> Path:
        return self.table(f"evidence/{name}", ARM_COLUMNS, [{**ARM, **change} for change in changes or ({},)])

    def passage(self, source_id: str, *texts: str, trial: str = "", drugs: str = "", area: str = "obesity") -> Path:
        sections = "\n".join(f"## Outcomes | abstract\n{text}\n" for text in texts)
        front = f"source_id: {source_id}\narea: {area}\ntrial: {trial}\ndrugs: [{drugs}]\ntags: []"
        return self.write(f"literature/{area}/{source_id}.md", f"---\n{front}\n---\n{sections}")

    def load(self) -> KnowledgeBase:
        return load_knowledge(self.root)


@dataclass(frozen=True)
class FolderMaker:
    """Makes a folder with the vocabulary, one source and one arm."""

    def __call__(self, root: Path) -> Folder:
        made = Folder(root)
        made.write("vocabulary/drugs/all.yaml", DRUGS)
        made.write("vocabulary/endpoints/all.yaml", ENDPOINTS)
        made.sources()
        made.arms()
        return made


@pytest.fixture(scope="session")
def make_folder() -> FolderMaker:
    return FolderMaker()


@pytest.fixture
def folder(tmp_path: Path, make_folder: FolderMaker) -> Folder:
    return make_folder(tmp_path / "knowledge")


@pytest.fixture(scope="session")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the packaged model is exported, once for the session."""
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session")
def embedder(models_dir: Path) -> Embedder:
    return open_embedder(models_dir)
