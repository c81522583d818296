"""Literature files: `literature/<area>/<source_id>.md` → `Passage`, one for each `## Heading | locator`."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from knowledge.errors import LiteratureError
from knowledge.faults import Fault, describe, raise_faults
from knowledge.schemas import Passage, Source
from knowledge.vocabulary import Vocabulary
from knowledge.yaml_files import parse_mapping

FIELDS = frozenset({"source_id", "area", "trial", "drugs", "tags"})
_LISTS = ("drugs", "tags")
_FENCE = "---"
_PLAIN = re.compile(r"[A-Za-z][^:#\[\]{}&*!|>'\"%@`,\n]*")
_FLOW_LIST = re.compile(r"\[([^\[\]{}:#'\"&*!|>%@`]*)\]")


def load_passages(root: Path, sources: Mapping[str, Source]) -> tuple[Passage, ...]:
    """Read `literature/*/*.md` under `root`, ordered by file and position.

    Raises
    ------
    LiteratureError
        naming file and line of the first 20 faults.
    """
    faults: list[Fault] = []
    passages = read_passages(root, sources, faults)
    raise_faults(faults, LiteratureError, "literature files")
    return passages


def read_passages(
    root: Path,
    sources: Mapping[str, Source],
    faults: list[Fault],
    *,
    vocabulary: Vocabulary | None = None,
) -> tuple[Passage, ...]:
    """As `load_passages`, but what is wrong goes into `faults`; drug names are checked given a vocabulary."""
    passages: list[Passage] = []
    owners: dict[str, str] = {}
    for path in literature_files(root):
        file = f"literature/{path.parent.name}/{path.name}"
        try:
            text = path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            faults.append(Fault(file, 0, "", f"is not UTF-8 (byte {error.start}); save it as UTF-8"))
            continue
        found = _parse_file(text, path, file, sources, faults)
        if found and owners.setdefault(found[0].source_id, file) != file:
            other = owners[found[0].source_id]
            faults.append(Fault(file, 0, "source_id", f"already has its passages in {other}; join the two files"))
            continue
        for name in sorted({drug for passage in found for drug in passage.drugs}):
            if vocabulary is not None and name not in vocabulary.drugs:
                faults.append(Fault(file, 0, "drugs", f"'{name}' is not a canonical name of the drug vocabulary"))
        passages += found
    return tuple(passages)


def literature_files(root: Path) -> list[Path]:
    """The passage files under `root`, sorted; README files are not passages."""
    return sorted(path for path in (root / "literature").glob("*/*.md") if path.stem != "README")


def corpus_hash(root: Path) -> str:
    """SHA-256 of the literature and source files, so that an unchanged corpus need not be parsed again."""
    total = hashlib.sha256()
    for path in [*sorted((root / "sources").glob("*.csv")), *literature_files(root)]:
        content = path.read_bytes()
        total.update(f"{path.parent.name}/{path.name}\0{len(content)}\0".encode())
        total.update(content)
    return total.hexdigest()


def _parse_file(text: str, path: Path, file: str, sources: Mapping[str, Source], faults: list[Fault]) -> list[Passage]:
    lines = text.splitlines()
    if not lines or lines[0].strip() != _FENCE or _FENCE not in (line.strip() for line in lines[1:]):
        faults.append(Fault(file, 1, "", "must begin with front matter between two lines of ---"))
        return []
    end = next(number for number, line in enumerate(lines[1:], start=1) if line.strip() == _FENCE)
    before = len(faults)
    front = _front_matter(lines[1:end], file, faults)
    if len(faults) > before:
        return []
    source = _check_front(front, path, file, sources, faults)
    sections = _sections(lines, end + 1, file, faults)
    if source is None or len(faults) > before:
        return []
    passages = []
    for position, (line, heading, locator, body) in enumerate(sections, start=1):
        fields = {**front, "passage_id": f"{source.source_id}#{position}", "published": source.published}
        try:
            passages.append(Passage.model_validate({**fields, "heading": heading, "locator": locator, "text": body}))
        except ValidationError as error:
            faults += [Fault(file, line, field, message) for field, message in describe(error)]
    return passages


def _front_matter(lines: list[str], file: str, faults: list[Fault]) -> dict[str, object]:
    """Front matter as a mapping. Plain `key: value` lines, nearly all there are, need no YAML parser."""
    simple: dict[str, object] = {}
    for line in lines:
        key, colon, value = line.partition(":")
        value = value.strip()
        names = _FLOW_LIST.fullmatch(value)
        if not colon or key not in FIELDS or key in simple:
            break
        if names is not None:
            simple[key] = [name for name in map(str.strip, names.group(1).split(",")) if name]
        elif key not in _LISTS and (_PLAIN.fullmatch(value) or not value):
            simple[key] = value
        else:
            break
    else:
        return simple
    mapping, _ = parse_mapping("\n".join(lines), file, faults, first_line=2)
    return {key: value for key, value in mapping.items() if value is not None}


def _check_front(
    front: dict[str, object], path: Path, file: str, sources: Mapping[str, Source], faults: list[Fault]
) -> Source | None:
    faults += [Fault(file, 1, str(key), "is not a field of the front matter") for key in front if key not in FIELDS]
    for name in _LISTS:
        if not isinstance(front.get(name, []), list):
            faults.append(Fault(file, 1, name, "must be a list: [first, second]"))
    if front.get("area") != path.parent.name:
        faults.append(Fault(file, 1, "area", f"must be the folder's name, {path.parent.name}"))
    source_id = str(front.get("source_id", ""))
    if source_id != path.stem:
        faults.append(Fault(file, 1, "source_id", f"must be the file's name, {path.stem}"))
    source = sources.get(source_id)
    if source is None:
        faults.append(Fault(file, 1, "source_id", f"'{source_id}' has no row in the source tables"))
    return source


def _sections(lines: list[str], start: int, file: str, faults: list[Fault]) -> list[tuple[int, str, str, str]]:
    """(line number, heading, locator, text) of each `## Heading | locator`."""
    sections: list[tuple[int, str, str, list[str]]] = []
    for number, line in enumerate(lines[start:], start=start + 1):
        if line.startswith("## "):
            heading, bar, locator = (part.strip() for part in line[3:].partition("|"))
            if not (heading and bar and locator):
                faults.append(Fault(file, number, "", "a heading reads '## Heading | locator'"))
            sections.append((number, heading, locator, []))
        elif sections:
            sections[-1][3].append(line)
        elif line.strip():
            faults.append(Fault(file, number, "", "text before the first '## Heading | locator'"))
    if not sections:
        faults.append(Fault(file, len(lines), "", "has no '## Heading | locator'"))
    return [
        (number, heading, locator, " ".join("\n".join(body).split())) for number, heading, locator, body in sections
    ]
