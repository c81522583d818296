"""Reading public retrieval sets: questions, the documents they should find, and the documents to search.

PubMedQA (Jin et al. 2019, EMNLP, doi:10.18653/v1/D19-1259): 1,000 questions that are titles of abstracts; each should
find its own abstract. The abstract is held without title and conclusion.

BioASQ (Tsatsaronis et al. 2015, BMC Bioinformatics 16:138; Krithara et al. 2023, Scientific Data 10:170): questions
of biomedical experts with the PubMed articles they judged relevant. The file holds only the sentences that the experts
marked, so an article is its marked sentences, and every article to search is relevant to some question: the figures
compare ways of searching, and are higher than on all of PubMed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from knowledge.errors import DataError

SHORTEST_DOCUMENT: Final = 20  # characters; the shortest text that a passage may have

Key = Annotated[str, Field(pattern=r"^\d{1,9}$", description="PMID")]


@dataclass(frozen=True)
class Question:
    """A question and the ids of all documents that answer it (at least one)."""

    question_id: str
    text: str
    relevant: frozenset[str]

    @property
    def development(self) -> bool:
        """Whether the question belongs to the half on which the search may be tuned; decided by its id alone."""
        return hashlib.sha256(self.question_id.encode()).digest()[0] % 2 == 0


@dataclass(frozen=True)
class RetrievalSet:
    """Questions and the documents to search.

    Attributes
    ----------
    name : as the report calls it.
    documents : PMID → paragraphs, in order.
    questions : each with the documents that answer it, among `documents`.
    left_out : relevant documents, counted over all questions, of which the file holds no text.
    """

    name: str
    documents: Mapping[str, tuple[str, ...]]
    questions: tuple[Question, ...]
    left_out: int


class _PubMedQA(BaseModel):
    question: str = Field(alias="QUESTION", min_length=3)
    contexts: list[str] = Field(alias="CONTEXTS", min_length=1)


class _Snippet(BaseModel):
    pmid: Key
    text: str


class _BioASQ(BaseModel):
    id: str = Field(min_length=1)
    body: str = Field(min_length=3)
    pmids: list[Key]
    snippets: list[_Snippet]


_PUBMEDQA: Final = TypeAdapter(dict[Key, _PubMedQA])


def read_set(path: Path) -> RetrievalSet:
    """The set in `path`: PubMedQA's labelled questions (`.json`) or BioASQ's golden questions (`.jsonl`).

    Raises
    ------
    DataError
        the file cannot be read or is neither; names the record.
    """
    readers = {".json": _read_pubmedqa, ".jsonl": _read_bioasq}
    reader = readers.get(path.suffix.casefold())
    if reader is None:
        raise DataError(
            f"'{path.name}' is no retrieval set.",
            "Give ori_pqal.json of PubMedQA, or questions of BioASQ as one JSON object a line (.jsonl).",
        )
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"The retrieval set '{path}' cannot be read ({error}).", "Check its path.") from error
    found = reader(path.name, text)
    if not found.questions:
        raise DataError(f"{path.name} holds no question with a document to find.", "Check that it is the whole file.")
    return found


def _read_pubmedqa(name: str, text: str) -> RetrievalSet:
    try:
        records = _PUBMEDQA.validate_python(json.loads(text))
    except (json.JSONDecodeError, ValidationError) as error:
        raise _unreadable(name, "", error) from error
    documents = {pmid: tuple(record.contexts) for pmid, record in records.items()}
    wanted = [(pmid, record.question, {pmid}) for pmid, record in records.items()]
    return _assemble("PubMedQA", documents, wanted)


def _read_bioasq(name: str, text: str) -> RetrievalSet:
    snippets: dict[str, dict[str, None]] = {}
    wanted: dict[str, tuple[str, str, set[str]]] = {}
    for number, raw in _lines(name, text):
        try:
            record = _BioASQ.model_validate(raw)
        except ValidationError as error:
            raise _unreadable(name, f", line {number}", error) from error
        for snippet in record.snippets:
            snippets.setdefault(snippet.pmid, {})[" ".join(snippet.text.split())] = None
        relevant = {*record.pmids, *(snippet.pmid for snippet in record.snippets)}
        # A question that comes again, in another year's file, wants the articles of both.
        known = wanted.setdefault(record.body.strip().casefold(), (record.id, record.body.strip(), set()))
        known[2].update(relevant)
    documents = {pmid: tuple(_distinct(texts)) for pmid, texts in snippets.items()}
    return _assemble("BioASQ", documents, list(wanted.values()))


def _assemble(
    name: str, documents: Mapping[str, tuple[str, ...]], wanted: list[tuple[str, str, set[str]]]
) -> RetrievalSet:
    """Drop what cannot be searched: documents without text, and questions all of whose documents are such."""
    usable = {
        key: paragraphs
        for key, paragraphs in sorted(documents.items())
        if len(" ".join(paragraphs)) >= SHORTEST_DOCUMENT
    }
    questions = tuple(
        Question(question_id, text, frozenset(relevant & usable.keys()))
        for question_id, text, relevant in sorted(wanted)
        if relevant & usable.keys()
    )
    return RetrievalSet(name, usable, questions, sum(len(relevant - usable.keys()) for _, _, relevant in wanted))


def _distinct(texts: Mapping[str, None]) -> Iterator[str]:
    """The texts, in order, without those that are part of another."""
    for text in texts:
        if text and not any(text in other and text != other for other in texts):
            yield text


def _lines(name: str, text: str) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(text.split("\n"), start=1):  # not at U+2028, which JSON allows inside strings
        if line.strip():
            try:
                yield number, json.loads(line)
            except json.JSONDecodeError as error:
                raise _unreadable(name, f", line {number}", error) from error


def _unreadable(name: str, where: str, error: Exception) -> DataError:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        return DataError(f"{name}{where}: {field or 'the record'} is wrong ({first['msg']}).")
    return DataError(f"{name}{where} is not JSON ({error}).")
