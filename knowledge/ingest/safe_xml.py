"""Reading XML that somebody else wrote: no entities, no foreign files, bounded depth and size.

The dangers are those of the defusedxml documentation (entity expansion, external entities, DTD retrieval). PubMed and
JATS files begin with a DOCTYPE, so that one is let through; its own declarations and anything it points to are not.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from html.entities import html5
from typing import Final
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from knowledge.errors import LiteratureError

MAX_DEPTH: Final = 200
MAX_ELEMENTS: Final = 5_000_000  # a PubMed file of 50 MB has about two million
MAX_RECORD_ELEMENTS: Final = 1_000_000  # an article of 500 pages has some fifty thousand; these are held in memory
_ENCODING: Final = re.compile(rb"<\?xml[^>]*encoding\s*=\s*[\"']([A-Za-z0-9._-]+)")
_CHUNK: Final = 4_000_000  # expat scans a long token again for each chunk, so chunks must not be small


def read_records(
    content: bytes, name: str, roots: Collection[str], records: Collection[str]
) -> Iterator[tuple[Element, int]]:
    """(element, its line) of each outermost element named in `records`; names are without their prefix.

    Parameters
    ----------
    content : the file.
    name : under which it is reported.
    roots : names the root element may have.
    records : names of the elements to yield; each is forgotten once it has been yielded.

    Raises
    ------
    LiteratureError
        naming the line: XML that is not well-formed, declarations in the DOCTYPE, an unknown root, too deep, too large.
    """
    reader = _Reader(name, frozenset(roots), frozenset(records))
    for start in range(0, len(content), _CHUNK):
        reader.feed(content[start : start + _CHUNK], last=start + _CHUNK >= len(content), content=content)
        yield from reader.found
        reader.found.clear()


class _Reader:
    def __init__(self, name: str, roots: frozenset[str], records: frozenset[str]) -> None:
        self.found: list[tuple[Element, int]] = []
        self._name, self._roots, self._records = name, roots, records
        self._depth = self._count = self._record_depth = self._record_count = self._record_line = 0
        self._builder: TreeBuilder | None = None
        self._parser = parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
        parser.StartDoctypeDeclHandler = self._doctype
        parser.EntityDeclHandler = self._entity
        parser.ExternalEntityRefHandler = self._external
        parser.SkippedEntityHandler = self._skipped
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text

    def feed(self, chunk: bytes, *, last: bool, content: bytes) -> None:
        try:
            self._parser.Parse(chunk, last)
        except expat.ExpatError as error:
            raise self._malformed(error, content) from error
        except (LookupError, ValueError) as error:  # an encoding that the declaration names and Python does not know
            raise self._error(f"cannot be decoded ({error})", "Save it as UTF-8.") from error

    def _malformed(self, error: expat.ExpatError, content: bytes) -> LiteratureError:
        declared = _ENCODING.search(content[:200])
        if declared is None or declared.group(1).lower() == b"utf-8":
            try:
                content.decode("utf-8-sig")
            except UnicodeDecodeError as wrong:
                place = f"byte {wrong.start} is 0x{content[wrong.start]:02x}"
                return self._error(f"is not UTF-8 ({place}) and declares nothing else", "Save it as UTF-8.")
        what = expat.errors.messages[error.code]
        return LiteratureError(
            f"{self._name}:{error.lineno}: is not well-formed XML ({what}, column {error.offset}).",
            "Download or export it again.",
        )

    def _error(self, what: str, hint: str) -> LiteratureError:
        return LiteratureError(f"{self._name}:{self._parser.CurrentLineNumber}: {what}.", hint)

    def _doctype(self, _root: str, _system: str | None, _public: str | None, internal: int) -> None:
        if internal:
            raise self._error("declares entities or a DTD of its own, which is refused", "Remove its internal DTD.")

    def _entity(self, *_: object) -> None:
        raise self._error("declares an entity, which is refused", "Remove the declaration.")

    def _external(self, *_: object) -> int:
        raise self._error("refers to an external entity, which is refused", "Remove the reference.")

    def _skipped(self, entity: str, is_parameter: int) -> None:
        """A named character of a DTD that is not read: HTML's names mean what they mean everywhere."""
        character = html5.get(f"{entity};")
        if is_parameter or character is None:
            raise self._error(f"uses the entity &{entity};, which is not known", "Write the character itself.")
        self._text(character)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        tag = _local(name)
        self._depth += 1
        self._count += 1
        if self._depth == 1 and tag not in self._roots:
            raise self._error(f"is neither PubMed nor JATS XML (its root element is <{tag[:60]}>)", "Export it as one.")
        if self._depth > MAX_DEPTH:
            raise self._error(f"is nested more than {MAX_DEPTH} elements deep", "Download or export it again.")
        if self._count > MAX_ELEMENTS:
            raise self._error(f"has more than {MAX_ELEMENTS} elements", "Split it.")
        if self._builder is None and tag in self._records:
            self._builder, self._record_depth, self._record_count = TreeBuilder(), self._depth, self._count
            self._record_line = self._parser.CurrentLineNumber
        if self._builder is not None:
            if self._count - self._record_count > MAX_RECORD_ELEMENTS:
                raise self._error(f"has an article of more than {MAX_RECORD_ELEMENTS} elements", "Split it.")
            self._builder.start(tag, {_local(key): value for key, value in attributes.items()})

    def _end(self, name: str) -> None:
        if self._builder is not None:
            self._builder.end(_local(name))
            if self._depth == self._record_depth:
                self.found.append((self._builder.close(), self._record_line))
                self._builder = None
        self._depth -= 1

    def _text(self, text: str) -> None:
        if self._builder is not None:
            self._builder.data(text)


def _local(name: str) -> str:
    return name.rpartition(":")[2]
