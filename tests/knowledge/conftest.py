"""A knowledge folder in miniature, written by each test as it needs it."""

from __future__ import annotations

import csv
import re
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


class PdfMaker:
    """Makes a PDF from the lines of its pages, in Helvetica."""

    def __call__(self, *pages: str, **info: str) -> bytes:
        objects = [b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
        parent, kids = 2 * len(pages) + 2, []
        for page in pages:
            escaped = [re.sub(r"([\\()])", r"\\\1", line).encode("cp1252") for line in page.splitlines()]
            drawn = b"".join(b"(" + line + b") Tj T*\n" for line in escaped)
            stream = b"BT /F1 10 Tf 50 780 Td 12 TL\n" + drawn + b"ET"
            objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream))
            objects.append(
                b"<< /Type /Page /Parent %d 0 R /MediaBox [0 0 595 842] /Contents %d 0 R"
                b" /Resources << /Font << /F1 1 0 R >> >> >>" % (parent, len(objects))
            )
            kids.append(b"%d 0 R" % len(objects))
        objects.append(b"<< /Type /Pages /Kids [%s] /Count %d >>" % (b" ".join(kids), len(kids)))
        objects.append(b"<< /Type /Catalog /Pages %d 0 R >>" % parent)
        objects.append(b"<< %s >>" % b" ".join(b"/%s (%s)" % (k.encode(), v.encode()) for k, v in info.items()))
        written, offsets = b"%PDF-1.4\n", []
        for number, body in enumerate(objects, start=1):
            offsets.append(b"%010d 00000 n \n" % len(written))
            written += b"%d 0 obj\n%s\nendobj\n" % (number, body)
        head = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
        tail = b"trailer << /Size %d /Root %d 0 R /Info %d 0 R >>\nstartxref\n%d\n%%%%EOF\n"
        sizes = (len(objects) + 1, len(objects) - 1, len(objects), len(written))
        return written + head + b"".join(offsets) + tail % sizes


@pytest.fixture(scope="session")
def make_pdf() -> PdfMaker:
    return PdfMaker()


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
