"""Files that mean no good, or have met with an accident: each is refused with a reason, and nothing else suffers."""

from __future__ import annotations

import gzip
import io
import os
import re
import tarfile
import time
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from knowledge.errors import DataError, LiteratureError
from knowledge.ingest.documents import read_documents
from knowledge.ingest.files import decode, detect_format, find_files, read_bytes
from knowledge.ingest.ingestor import Ingestor, open_ingestor
from knowledge.ingest.schemas import FileFormat, FileReport, FileStatus
from knowledge.ingest.user_yaml import read_user_yaml

GOOD = "# A good note\n\nSemaglutide lowered HbA1c by 1.5 points in adults with type 2 diabetes.\n"
LAUGHS = "<!DOCTYPE article [\n<!ENTITY a 'ha'>\n<!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;'>]>\n<article>&b;</article>"


@pytest.fixture
def ingestor(folder, tmp_path: Path) -> Iterator[Ingestor]:
    with open_ingestor(tmp_path / "data", folder.load()) as opened:
        yield opened


@pytest.fixture
def library(tmp_path: Path) -> Path:
    path = tmp_path / "library"
    path.mkdir()
    (path / "good.md").write_text(GOOD)
    return path


def refused(ingestor: Ingestor, library: Path, name: str, content: bytes) -> FileReport:
    """The report of a bad file that lies beside a good one, which is imported all the same."""
    (library / name).write_bytes(content)
    report = ingestor.import_paths([library])
    by_name = {Path(one.path).name: one for one in report.files}
    assert by_name["good.md"].status is FileStatus.TAKEN
    assert (report.taken, report.skipped) == (1, 1)
    assert len(ingestor.library.sources()) == 1
    bad = by_name[name]
    assert bad.status is FileStatus.SKIPPED
    assert name in bad.reason
    assert bad.faults
    return bad


def xml(text: str) -> bytes:
    return text.encode()


BAD_FILES = [
    ("laughs.xml", xml(LAUGHS), r"laughs\.xml:1: declares entities"),
    (
        "outside.xml",
        xml("<!DOCTYPE article [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><article>&x;</article>"),
        "refused",
    ),
    ("parameter.xml", xml("<!DOCTYPE article [<!ENTITY % x SYSTEM 'file:///etc/passwd'> %x;]><article/>"), "refused"),
    ("default.xml", xml("<!DOCTYPE article [<!ATTLIST a b CDATA 'x'>]><article><a/></article>"), "refused"),
    ("named.xml", xml("<!DOCTYPE article PUBLIC 'a' 'b'><article>&passwd;</article>"), "entity &passwd;"),
    ("deep.xml", xml("<article>" + "<a>" * 100_000), "more than 200 elements deep"),
    ("open.xml", xml("<article>\n<front>\n"), r"open\.xml:3: is not well-formed XML"),
    ("other.xml", xml("<html><body/></html>"), r"root element is <html>"),
    ("empty_set.xml", xml("<PubmedArticleSet/>"), "holds no article"),
    ("bytes.xml", b"<article>\xff</article>", "byte 9 is 0xff"),
    ("klingon.xml", b'<?xml version="1.0" encoding="klingon"?><article/>', "cannot be decoded"),
    ("cut.pdf", b"%PDF-1.4\n1 0 obj\n<< /Type /Cata", "damaged"),
    ("letter.pdf", b"Dear reader, " * 100, "does not begin as a PDF"),
    ("latin.md", "caf\xe9 ".encode("latin-1") * 9, r"byte 3 is 0xe9"),
    ("wide.txt", "text of a note".encode("utf-16"), "UTF-16"),
    ("zero.txt", b"text\0text", "binary"),
    ("empty.md", b"", "is empty"),
    ("blank.md", b"\n\n---\n", "has no text"),
    ("program.exe", b"MZ\x90", "not a kind of file"),
    ("blank.nbib", b"\n", "no MEDLINE record"),
    ("bomb.md", b"---\na: &a [x,x]\nb: &b [*a,*a]\n---\ntext", "anchor or alias"),
    ("deep.md", b"---\na: " + b"[" * 5000 + b"\n---\ntext", "more than 20 deep"),
    ("long.md", b"---\na: " + b"x" * 300_000 + b"\n---\ntext", "characters of YAML"),
    ("header.csv", b"a,b\n1,2\n", "has no column for trial"),
    ("quote.csv", b'trial,intervention\n"open,placebo\n', "CSV"),
]


@pytest.mark.parametrize(("name", "content", "reason"), [pytest.param(*one, id=one[0]) for one in BAD_FILES])
def test_a_bad_file_is_named_and_passed_over(
    ingestor: Ingestor, library: Path, name: str, content: bytes, reason: str
) -> None:
    start = time.perf_counter()
    report = refused(ingestor, library, name, content)
    assert re.search(reason, report.reason), report.reason
    assert time.perf_counter() - start < 5


def archives() -> Iterator[tuple[str, bytes]]:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("paper.xml", "<article/>")
    yield "papers.zip", inner.getvalue()
    outer = io.BytesIO()
    with zipfile.ZipFile(outer, "w") as archive:
        archive.writestr("nested.zip", inner.getvalue())
    yield "nested.docx", outer.getvalue()
    yield "renamed.pdf", outer.getvalue()
    yield "baseline.xml.gz", gzip.compress(b"<PubmedArticleSet/>")
    yield "renamed.xml", gzip.compress(b"<PubmedArticleSet/>")
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as made:
        made.addfile(tarfile.TarInfo("x"))
    yield "papers.txt", tar.getvalue()


@pytest.mark.parametrize(("name", "content"), [pytest.param(*one, id=one[0]) for one in archives()])
def test_archives_are_not_opened_whatever_they_are_called(
    ingestor: Ingestor, library: Path, name: str, content: bytes
) -> None:
    assert "archive" in refused(ingestor, library, name, content).reason


def test_an_encrypted_pdf_is_refused_and_one_that_opens_without_password_is_read(
    ingestor: Ingestor, library: Path, make_pdf
) -> None:
    from pypdf import PdfReader, PdfWriter

    text = "\n".join(f"Sentence {number} says that semaglutide was given." for number in range(8))

    def encrypted(user: str) -> bytes:
        writer = PdfWriter(clone_from=PdfReader(io.BytesIO(make_pdf(text))))
        writer.encrypt(user, "owner", algorithm="RC4-128")
        written = io.BytesIO()
        writer.write(written)
        return written.getvalue()

    assert (
        "is encrypted. Save it without a password." in refused(ingestor, library, "a.pdf", encrypted("secret")).reason
    )
    (library / "b.pdf").write_bytes(encrypted(""))
    assert ingestor.import_paths([library / "b.pdf"]).taken == 1


def test_a_pdf_without_text_is_refused(ingestor: Ingestor, library: Path, make_pdf) -> None:
    assert "has no text on its 2 pages" in refused(ingestor, library, "scan.pdf", make_pdf("", "Stamp")).reason


def test_a_pdf_that_unpacks_to_very_much_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch, make_pdf) -> None:
    packed = zlib.compress(b"BT /F1 10 Tf " + b"(a) Tj " * 700_000 + b"ET", 9)
    start, end = make_pdf("x").split(b"stream\n", 1)
    start = re.sub(rb"/Length \d+", b"/Filter /FlateDecode /Length %d" % len(packed), start)
    bomb = start + b"stream\n" + packed + b"\nendstream" + end.split(b"endstream", 1)[1]
    began = time.perf_counter()
    with pytest.raises(LiteratureError, match="has no text on its 1 pages"):
        read_documents(bomb, Path("x.pdf"), FileFormat.PDF, "utf-8", [])
    assert time.perf_counter() - began < 60
    from knowledge.ingest import pdf

    monkeypatch.setattr(pdf, "MAX_SECONDS", 0.0)
    with pytest.raises(LiteratureError, match="takes more than 0 s"):
        read_documents(make_pdf("a b c\n" * 50), Path("x.pdf"), FileFormat.PDF, "utf-8", [])


def test_a_file_of_200_mb_is_refused_before_it_is_read(ingestor: Ingestor, library: Path) -> None:
    with (library / "huge.txt").open("wb") as stream:
        stream.truncate(200_000_000)
    start = time.perf_counter()
    report = ingestor.import_paths([library / "huge.txt"])
    assert time.perf_counter() - start < 1.0
    assert "is 200.0 MB, more than the limit of 50 MB" in report.files[0].reason


def test_the_size_limit_is_an_argument(folder, library: Path, tmp_path: Path) -> None:
    with open_ingestor(tmp_path / "data", folder.load(), max_bytes=20) as ingestor:
        assert "limit of 2e-05 MB" in ingestor.import_paths([library]).files[0].reason


def test_what_is_no_regular_file_is_refused_at_once(ingestor: Ingestor, library: Path) -> None:
    os.mkfifo(library / "pipe.txt")
    (library / "device.txt").symlink_to("/dev/zero")
    (library / "nowhere.txt").symlink_to(library / "missing")
    start = time.perf_counter()
    report = ingestor.import_paths([library, library / "not_there.pdf"])
    assert time.perf_counter() - start < 5
    reasons = {Path(one.path).name: one.reason for one in report.of(FileStatus.SKIPPED)}
    assert "not a regular file" in reasons["pipe.txt"]
    assert "not a regular file" in reasons["device.txt"]
    assert "no such file" in reasons["nowhere.txt"]
    assert "no such file" in reasons["not_there.pdf"]
    assert report.taken == 1


def test_a_file_that_may_not_be_read_is_refused(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object, **__: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", denied)
    with pytest.raises(LiteratureError, match=r"cannot be read \(Permission denied\)"):
        read_bytes(library / "good.md")


def test_loops_of_folders_hidden_files_and_odd_names(ingestor: Ingestor, library: Path) -> None:
    (library / "loop").symlink_to(library)
    (library / ".hidden.md").write_text(GOOD)
    (library / ".git").mkdir()
    (library / ".git" / "x.md").write_text(GOOD)
    (library / "mapping.yaml").write_text("columns: {}")
    odd = os.fsencode(library) + b"/odd-\xff-name.md"
    with open(odd, "w") as stream:
        stream.write(GOOD.replace("good", "odd").replace("lowered", "raised"))
    assert len(find_files([library, library / "good.md"])) == 2
    report = ingestor.import_paths([library])
    assert report.taken == 2
    assert any("odd-\\xff-name.md" in one.path for one in report.files)
    assert ingestor.import_paths([library]).duplicates == 2


def test_text_in_another_encoding_is_read_only_when_that_is_declared(folder, library: Path, tmp_path: Path) -> None:
    (library / "good.md").write_bytes(
        "# Caf\xe9 diet\n\nPeople at the caf\xe9 ate less and lost weight.".encode("latin-1")
    )
    base = folder.load()
    with open_ingestor(tmp_path / "data", base) as ingestor:
        assert "byte 5 is 0xe9" in ingestor.import_paths([library]).files[0].reason
    with open_ingestor(tmp_path / "data", base, encoding="latin-1") as ingestor:
        assert ingestor.import_paths([library]).taken == 1
        assert next(iter(ingestor.library.sources().values())).source.title == "Café diet"
    with open_ingestor(tmp_path / "data", base, encoding="klingon") as ingestor:
        assert "no encoding 'klingon'" in ingestor.import_paths([library]).files[0].reason


def test_a_byte_order_mark_is_no_text() -> None:
    assert decode("\ufeffPMID- 1".encode(), Path("x.nbib")) == "PMID- 1"
    assert detect_format(Path("x.txt"), "\ufeffPMID- 1".encode()) is FileFormat.MEDLINE


@pytest.mark.parametrize(
    "line",
    [
        "**a " * 20_000,
        "![" * 40_000,
        "[[" * 40_000,
        "<!-- " * 20_000,
        "# " + " " * 80_000 + "x",
        "| " * 40_000,
        "- " * 40_000 + "x",
        "10.1234/" + ")" * 80_000,
        "A. " * 30_000,
        '. """' * 20_000,
        "1.1 A" + "b " * 40_000,
    ],
)
@pytest.mark.parametrize("name", ["x.md", "x.txt"])
def test_no_line_makes_a_parser_slow(line: str, name: str) -> None:
    kind = FileFormat.MARKDOWN if name == "x.md" else FileFormat.TEXT
    start = time.perf_counter()
    try:
        read_documents(f"{line}\n\nSome text.\n{line[:15_000]}\n".encode(), Path(name), kind, "utf-8", [])
    except DataError:
        pytest.fail("a strange line is still text")
    assert time.perf_counter() - start < 5


@pytest.mark.parametrize(
    "text", ["a: &x 1", "a: *x", "a:\n  - b: {c: [d, {e: " * 10, "? [a]\n: b", "a: 1\n? a\n: 2", "\x07: 1", "a: !!python/object:os.x 1 2"]
)  # fmt: skip
def test_yaml_of_a_user_is_plain_text_or_refused(text: str) -> None:
    try:
        found = read_user_yaml(text, "x.yaml")
    except LiteratureError as error:
        assert error.message.startswith("x.yaml:")  # noqa: PT017 - refusing is one of two right answers
    else:
        assert all(isinstance(value, str) for value in found.values())


def test_yaml_keeps_what_looks_like_something_else_as_text() -> None:
    found = read_user_yaml("a: no\nb: 2017-13-45\nc: 007\nd: [1, x]\ne:\n", "x.yaml")
    assert found == {"a": "no", "b": "2017-13-45", "c": "007", "d": ["1", "x"], "e": ""}
