"""The controlled vocabulary: which drugs and endpoints exist, and what people call them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from rapidfuzz import fuzz, process

from knowledge.errors import DataError, UnknownDrug, UnknownEndpoint
from knowledge.faults import Fault, describe, raise_faults
from knowledge.phrases import PhraseMatcher, tokens_of
from knowledge.schemas import Drug, Endpoint
from knowledge.unknown_drugs import find_candidates
from knowledge.yaml_files import read_mapping

M = TypeVar("M", bound=BaseModel)
NEAR = 55.0  # similarity in % from which a name is worth suggesting


@dataclass(frozen=True)
class Mention:
    """A drug named in a text: `text[start:end]` is the surface; `score` is 100 unless it was mistyped."""

    start: int
    end: int
    surface: str
    drug: str
    score: float


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """Drugs and endpoints by canonical name, and everything people call them."""

    drugs: Mapping[str, Drug]
    endpoints: Mapping[str, Endpoint]

    def drug(self, name: str) -> Drug:
        """The drug with this canonical name, brand or synonym, without regard to case; else UnknownDrug."""
        canonical = self._drug_names.get(tokens_of(name))
        if canonical is None:
            surfaces = [surface for drug in self.drugs.values() for surface in drug_surfaces(drug)]
            shown = name.strip() or "(nothing)"
            raise UnknownDrug(f"There is no drug called '{shown}' in the vocabulary.", _suggest(name, surfaces))
        return self.drugs[canonical]

    def endpoint(self, name: str) -> Endpoint:
        """The endpoint with this id, label or synonym, without regard to case; else UnknownEndpoint."""
        endpoint_id = self._endpoint_names.get(tokens_of(name))
        if endpoint_id is None:
            surfaces = [*self.endpoints, *(s for endpoint in self.endpoints.values() for s in endpoint.synonyms)]
            shown = name.strip() or "(nothing)"
            raise UnknownEndpoint(f"There is no endpoint called '{shown}' in the vocabulary.", _suggest(name, surfaces))
        return self.endpoints[endpoint_id]

    def find_drugs(self, text: str) -> list[Mention]:
        """Drugs named in `text`, in order; the longest name wins, typing errors in long words are forgiven."""
        return [
            Mention(match.start, match.end, match.surface, match.value, match.score)
            for match in self._drug_matcher.find(text)
        ]

    def find_endpoints(self, text: str) -> list[str]:
        """Endpoint ids named in `text` by id or synonym, in order of first appearance."""
        return list(dict.fromkeys(match.value for match in self._endpoint_matcher.find(text)))

    def unknown_drug_candidates(self, text: str) -> list[str]:
        """Words of `text` that look like a drug which the vocabulary does not have, in order, as written."""
        return find_candidates(text, [(mention.start, mention.end) for mention in self.find_drugs(text)])

    @cached_property
    def _drug_names(self) -> dict[tuple[str, ...], str]:
        names = {tokens_of(name): name for name in self.drugs}
        for drug in self.drugs.values():
            for surface in drug_surfaces(drug):
                names.setdefault(tokens_of(surface), drug.name)
        return names

    @cached_property
    def _endpoint_names(self) -> dict[tuple[str, ...], str]:
        names = {tokens_of(endpoint_id): endpoint_id for endpoint_id in self.endpoints}
        for endpoint in self.endpoints.values():
            for synonym in endpoint.synonyms:
                names.setdefault(tokens_of(synonym), endpoint.endpoint_id)
        for endpoint in self.endpoints.values():
            names.setdefault(tokens_of(endpoint.label), endpoint.endpoint_id)
        return names

    @cached_property
    def _drug_matcher(self) -> PhraseMatcher:
        phrases = {name: name for name in self.drugs}
        others = {surface: drug.name for drug in self.drugs.values() for surface in (*drug.brands, *drug.synonyms)}
        return PhraseMatcher({**others, **phrases}, guarded=others.keys() - phrases.keys())

    @cached_property
    def _endpoint_matcher(self) -> PhraseMatcher:
        phrases = {synonym: e.endpoint_id for e in self.endpoints.values() for synonym in e.synonyms}
        return PhraseMatcher({**phrases, **{name: name for name in self.endpoints}}, plural=True)


def drug_surfaces(drug: Drug) -> tuple[str, ...]:
    """Everything the drug is called, the canonical name first."""
    return (drug.name, *drug.brands, *drug.synonyms)


def load_vocabulary(root: Path) -> Vocabulary:
    """Read `vocabulary/drugs/*.yaml` and `vocabulary/endpoints/*.yaml` under `root`.

    Raises
    ------
    DataError
        naming file and line: a field that does not fit, a name that appears twice, a brand or synonym that stands
        for two drugs or two endpoints.
    """
    faults: list[Fault] = []
    vocabulary = read_vocabulary(root, faults)
    raise_faults(sorted(faults), DataError, "vocabulary files")
    return vocabulary


def read_vocabulary(root: Path, faults: list[Fault]) -> Vocabulary:
    """As `load_vocabulary`, but what is wrong goes into `faults` and the rest is returned."""
    drugs = _read_folder(root / "vocabulary" / "drugs", Drug, "name", {"class": "drug_class"}, faults)
    endpoints = _read_folder(root / "vocabulary" / "endpoints", Endpoint, "endpoint_id", {}, faults)
    _check_surfaces({n: (place, drug_surfaces(drug)) for n, (place, drug) in drugs.items()}, faults)
    _check_surfaces({n: (place, (n, *e.synonyms)) for n, (place, e) in endpoints.items()}, faults)
    for endpoint_id, ((file, line), endpoint) in endpoints.items():
        low, high = endpoint.limits
        if not low < high:
            faults.append(Fault(file, line, endpoint_id, "limits need the lower one first"))
    return Vocabulary(
        {name: drug for name, (_, drug) in drugs.items()},
        {name: endpoint for name, (_, endpoint) in endpoints.items()},
    )


def _read_folder(
    folder: Path, model: type[M], key_field: str, renamed: Mapping[str, str], faults: list[Fault]
) -> dict[str, tuple[tuple[str, int], M]]:
    """Name → ((file, line), entry) for all YAML files of a folder."""
    entries: dict[str, tuple[tuple[str, int], M]] = {}
    for path in sorted(folder.glob("*.yaml")):
        file = f"{folder.name}/{path.name}"
        mapping, lines = read_mapping(path, file, faults)
        for name, fields in mapping.items():
            line = lines.get(name, 0)
            if not isinstance(fields, dict):
                faults.append(Fault(file, line, str(name), "needs fields below its name"))
                continue
            values = {renamed.get(key, key): value for key, value in fields.items() if value is not None}
            try:
                entry = model.model_validate({**values, key_field: name})
            except ValidationError as error:
                faults += [Fault(file, line, f"{name}.{field}", text) for field, text in describe(error)]
                continue
            if name in entries:
                (other, other_line), _ = entries[name]
                faults.append(Fault(file, line, name, f"is already defined in {other}:{other_line}; keep one"))
                continue
            entries[name] = ((file, line), entry)
    return entries


def _check_surfaces(entries: Mapping[str, tuple[tuple[str, int], Iterable[str]]], faults: list[Fault]) -> None:
    """A name, brand or synonym must stand for one entry only."""
    owner: dict[tuple[str, ...], str] = {tokens_of(name): name for name in entries}
    for name, ((file, line), surfaces) in entries.items():
        for surface in surfaces:
            key = tokens_of(surface)
            if not key:
                faults.append(Fault(file, line, name, f"'{surface}' has no letters or digits"))
            elif owner.setdefault(key, name) != name:
                (other, other_line), _ = entries[owner[key]]
                faults.append(
                    Fault(file, line, name, f"'{surface}' also stands for {owner[key]} ({other}:{other_line})")
                )


def _suggest(name: str, surfaces: list[str]) -> str:
    """Up to three near names, or how to see all of them."""
    near = process.extract(
        name.casefold(), surfaces, scorer=fuzz.ratio, processor=str.casefold, score_cutoff=NEAR, limit=3
    )
    if near:
        return f"Did you mean {' or '.join(dict.fromkeys(surface for surface, _, _ in near))}?"
    return "The vocabulary is in knowledge/vocabulary; add an entry there to teach a new name."
