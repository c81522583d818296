"""Each format, read back: what stands in a small file is what the record says."""

from __future__ import annotations

from pathlib import Path

import pytest

from knowledge.errors import LiteratureError
from knowledge.faults import Fault
from knowledge.ingest.designs import guess_design, is_retracted
from knowledge.ingest.documents import read_documents
from knowledge.ingest.records import Record, doi_of, earliest, medline_date, pmid_of, publication_date
from knowledge.ingest.schemas import FileFormat
from knowledge.ingest.text import clean, join_lines, shortened
from knowledge.schemas import Design, Seen

NBIB = """PMID- 28110911
OWN - NLM
STAT- MEDLINE
DP  - 2017 Apr
TI  - Efficacy and safety of once-weekly semaglutide
      in type 2 diabetes (SUSTAIN 1).
LID - S2213-8587(17)30013-X [pii]
LID - 10.1016/S2213-8587(17)30013-X [doi]
AB  - BACKGROUND: Semaglutide is a GLP-1 analogue. METHODS: We did a double-blind trial
      (NCT02054897). RESULTS: HbA1c fell by 1.45% with 0.5 mg and by 1.55% with 1.0 mg.
FAU - Sorli, Christopher
AU  - Sorli C
AU  - Harashima SI
PT  - Journal Article
PT  - Randomized Controlled Trial
SI  - ClinicalTrials.gov/NCT02054897
DEP - 20170117
TA  - Lancet Diabetes Endocrinol
JT  - The lancet. Diabetes & endocrinology

PMID- 2
TI  - A withdrawn study
AB  - Weight fell.
DP  - 2015 Spring
PT  - Journal Article
PT  - Retracted Publication

PMID- 3
TI  - Retraction: A withdrawn study
DP  - 2016 Nov-Dec
PT  - Retraction of Publication
ROF - J Test. 2015;1:1. doi: 10.1000/withdrawn. PMID: 2
"""

PUBMED = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE PubmedArticleSet PUBLIC "-//NLM//DTD PubMedArticle, 1st January 2025//EN" "https://dtd.nlm.nih.gov/x.dtd">
<PubmedArticleSet>
<PubmedArticle>
 <MedlineCitation><PMID Version="1">38000001</PMID>
  <Article>
   <Journal><JournalIssue><PubDate><Year>2024</Year><Month>Mar</Month><Day>15</Day></PubDate></JournalIssue>
    <Title>Nature medicine</Title><ISOAbbreviation>Nat Med</ISOAbbreviation></Journal>
   <ArticleTitle>Editing <i>PCSK9</i> in 10<sup>3</sup> adults.</ArticleTitle>
   <Abstract>
    <AbstractText Label="BACKGROUND">LDL drives disease in m<sup>2</sup>.</AbstractText>
    <AbstractText Label="RESULTS">LDL fell by <b>60&#x2009;%</b>.</AbstractText>
   </Abstract>
   <AuthorList><Author><LastName>Doudna</LastName><Initials>JA</Initials></Author>
    <Author><CollectiveName>The Consortium</CollectiveName></Author></AuthorList>
   <DataBankList><DataBank><AccessionNumberList><AccessionNumber>NCT01234567</AccessionNumber>
    </AccessionNumberList></DataBank></DataBankList>
   <PublicationTypeList><PublicationType>Meta-Analysis</PublicationType></PublicationTypeList>
   <ArticleDate DateType="Electronic"><Year>2024</Year><Month>01</Month><Day>02</Day></ArticleDate>
  </Article>
 </MedlineCitation>
 <PubmedData>
  <ArticleIdList><ArticleId IdType="doi">10.1038/s41591-024-0001-x</ArticleId></ArticleIdList>
  <ReferenceList><Reference><ArticleIdList><ArticleId IdType="doi">10.1000/other</ArticleId></ArticleIdList>
  </Reference></ReferenceList>
 </PubmedData>
</PubmedArticle>
<PubmedArticle>
 <MedlineCitation><PMID>9</PMID><Article>
   <Journal><Title>J</Title><JournalIssue><PubDate><MedlineDate>2019 Nov-Dec</MedlineDate></PubDate></JournalIssue></Journal>
   <ArticleTitle>Notice</ArticleTitle>
   <PublicationTypeList><PublicationType>Retraction of Publication</PublicationType></PublicationTypeList></Article>
  <CommentsCorrectionsList><CommentsCorrections RefType="RetractionOf"><RefSource>J</RefSource><PMID>8</PMID>
  </CommentsCorrections></CommentsCorrectionsList></MedlineCitation>
</PubmedArticle>
<PubmedBookArticle><BookDocument><PMID>10</PMID></BookDocument></PubmedBookArticle>
</PubmedArticleSet>
"""

JATS = """<?xml version="1.0"?>
<!DOCTYPE article PUBLIC "-//NLM//DTD JATS 1.3//EN" "JATS-archivearticle1-3.dtd">
<article article-type="research-article" xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:mml="http://www.w3.org/1998/Math/MathML">
<front>
 <journal-meta><journal-title-group><journal-title>Diabetes Care</journal-title></journal-title-group></journal-meta>
 <article-meta>
  <article-id pub-id-type="pmid">123456</article-id>
  <article-id pub-id-type="doi">10.2337/dc20-0001</article-id>
  <title-group><article-title>Semaglutide in older adults: a randomized trial<fn><p>funding</p></fn></article-title></title-group>
  <contrib-group><contrib contrib-type="author"><name><surname>Müller</surname><given-names>Anna-Maria K</given-names></name></contrib>
   <contrib contrib-type="author"><collab>The Group</collab></contrib></contrib-group>
  <pub-date pub-type="ppub"><month>6</month><year>2020</year></pub-date>
  <pub-date pub-type="epub"><day>02</day><month>05</month><year>2020</year></pub-date>
  <abstract><sec><title>Objective</title><p>To test it.</p></sec><sec><title>Results</title><p>HbA1c fell.</p></sec></abstract>
  <abstract abstract-type="graphical"><p>A picture.</p></abstract>
 </article-meta>
</front>
<body>
 <sec><title>Introduction</title><p>Diabetes is common <xref ref-type="bibr" rid="b1">[1</xref>,<xref ref-type="bibr">2]</xref>
  and costly<sup><xref ref-type="bibr">3</xref>,<xref ref-type="bibr">4</xref></sup>.</p></sec>
 <sec><title>Results</title><p>Of 10<sup>3</sup> people, 12.5&#160;% stopped
  [<xref ref-type="bibr">4</xref>&#x2013;<xref ref-type="bibr">6</xref>].</p>
  <sec><title>Weight</title><p>Weight fell by 4 kg (<xref ref-type="table" rid="t1">Table 1</xref>).</p>
   <table-wrap id="t1"><label>Table 1.</label><caption><p>Change in weight</p></caption>
    <table><tr><th>Arm</th><th>kg</th></tr><tr><td>semaglutide</td><td>-4.1</td></tr></table></table-wrap></sec></sec>
</body>
<back><ref-list><ref><mixed-citation>Smith. A reference.</mixed-citation></ref></ref-list></back>
</article>
"""


def read(content: str | bytes, name: str, kind: FileFormat, faults: list[Fault] | None = None) -> list[Record]:
    data = content.encode() if isinstance(content, str) else content
    found: list[Fault] = []
    records = read_documents(data, Path(name), kind, "utf-8", found if faults is None else faults)
    assert faults is not None or not found
    return records


def texts(record: Record) -> dict[str, list[str]]:
    return {section.heading: [block.text for block in section.blocks] for section in record.sections}


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_medline(newline: str) -> None:
    trial, withdrawn, notice = read(NBIB.replace("\n", newline), "refs.nbib", FileFormat.MEDLINE)
    assert trial.title == "Efficacy and safety of once-weekly semaglutide in type 2 diabetes (SUSTAIN 1)"
    assert (trial.pmid, trial.doi) == ("28110911", "10.1016/S2213-8587(17)30013-X")
    assert (trial.authors, trial.journal, trial.published) == (
        "Sorli C et al",
        "Lancet Diabetes Endocrinol",
        "2017-01-17",
    )
    assert trial.registry_ids == ("NCT02054897",)
    assert trial.bibliographic
    assert trial.seen is Seen.ABSTRACT
    assert texts(trial) == {
        "Background": ["Semaglutide is a GLP-1 analogue."],
        "Methods": ["We did a double-blind trial (NCT02054897)."],
        "Results": ["HbA1c fell by 1.45% with 0.5 mg and by 1.55% with 1.0 mg."],
    }
    assert guess_design(trial.publication_types, trial.title) is Design.RCT
    assert (trial.line, withdrawn.line) == (1, 21)
    assert not trial.retracted
    assert withdrawn.retracted
    assert withdrawn.published == "2015"
    assert texts(withdrawn) == {"Abstract": ["Weight fell."]}
    assert notice.retracted
    assert notice.retracts == ("2", "10.1000/withdrawn")
    assert notice.published == "2016-12"


def test_a_review_that_names_several_trials_is_of_none_of_them() -> None:
    def ids(*fields: str) -> tuple[str, ...]:
        (record,) = read("\n".join(("PMID- 1", "TI  - A title", *fields)), "x.nbib", FileFormat.MEDLINE)
        return record.registry_ids

    assert ids("AB  - Text on NCT00000001 and NCT00000002.") == ()
    assert ids("AB  - Text (NCT00000001).") == ("NCT00000001",)
    assert ids("AB  - Text on NCT00000001.", "SI  - ClinicalTrials.gov/NCT00000002") == ("NCT00000002",)


def test_medline_saved_as_text_is_known_by_its_first_line(tmp_path: Path) -> None:
    from knowledge.ingest.files import detect_format

    assert detect_format(Path("pubmed-set.txt"), NBIB.encode()) is FileFormat.MEDLINE
    assert detect_format(Path("note.txt"), b"PMID 5 is nice") is FileFormat.TEXT


def test_a_broken_medline_record_is_named_by_line_and_the_others_are_read() -> None:
    faults: list[Fault] = []
    broken = "PMID- 1\nTI  - First one\n\nPMID- 2\nnot a field\nTI  - Second\n\nTI  - \n\nPMID- 4\nTI  - Fourth\n"
    records = read(broken, "refs.nbib", FileFormat.MEDLINE, faults)
    assert [record.pmid for record in records] == ["1", "4"]
    assert [fault.row for fault in faults] == [5, 8]
    assert "refs.nbib:5: 'not a field'" in str(faults[0])
    with pytest.raises(LiteratureError, match=r"refs\.nbib: holds no MEDLINE record"):
        read("\n\n", "refs.nbib", FileFormat.MEDLINE)


def test_pubmed_xml() -> None:
    faults: list[Fault] = []
    article, notice = read(PUBMED, "set.xml", FileFormat.XML, faults)
    assert article.title == "Editing PCSK9 in 10^3 adults"
    assert (article.pmid, article.doi, article.journal) == ("38000001", "10.1038/s41591-024-0001-x", "Nat Med")
    assert (article.authors, article.published) == ("Doudna JA et al", "2024-01-02")
    assert article.registry_ids == ("NCT01234567",)
    assert texts(article) == {"Background": ["LDL drives disease in m2."], "Results": ["LDL fell by 60 %."]}
    assert guess_design(article.publication_types, article.title) is Design.META_ANALYSIS
    assert notice.retracted
    assert (notice.retracts, notice.published) == (("8",), "2019-12")
    line = PUBMED[: PUBMED.index("<PubmedBookArticle>")].count("\n") + 1
    assert [str(fault) for fault in faults] == [
        f"set.xml:{line}: PubmedBookArticle: is not a journal article; book records are not imported"
    ]


def test_jats() -> None:
    (article,) = read(JATS, "paper.nxml", FileFormat.XML)
    assert article.title == "Semaglutide in older adults: a randomized trial"
    assert (article.pmid, article.doi, article.journal) == ("123456", "10.2337/dc20-0001", "Diabetes Care")
    assert (article.authors, article.published, article.seen) == ("Müller AMK et al", "2020-05-02", Seen.FULL_TEXT)
    assert guess_design(article.publication_types, article.title) is Design.RCT
    headings = [section.heading for section in article.sections]
    assert headings == ["Objective", "Results", "Introduction", "Results", "Results: Weight"]
    body = [[block.text for block in section.blocks] for section in article.sections]
    assert body[2] == ["Diabetes is common and costly."]
    assert body[3] == ["Of 10^3 people, 12.5 % stopped."]
    assert body[4] == ["Weight fell by 4 kg (Table 1).", "Table 1. Change in weight. Arm; kg. semaglutide; -4.1."]
    assert [block.locator for block in article.sections[4].blocks] == ["Results: Weight, para 1", "table 1"]
    assert article.sections[0].blocks[0].locator == "abstract"


@pytest.mark.parametrize(
    ("change", "retracts"),
    [
        ('<related-article related-article-type="retraction-forward" xlink:href="10.1000/notice"/>', ()),
        ('<related-article related-article-type="retracted-article" xlink:href="10.1000/bad"/>', ("10.1000/bad",)),
    ],
)
def test_jats_retraction(change: str, retracts: tuple[str, ...]) -> None:
    (article,) = read(JATS.replace("<title-group>", f"{change}<title-group>", 1), "paper.xml", FileFormat.XML)
    assert article.retracted
    assert article.retracts == retracts


def test_jats_without_body_is_an_abstract_and_without_title_a_fault() -> None:
    start, end = JATS.index("<body>"), JATS.index("</body>") + len("</body>")
    (article,) = read(JATS[:start] + JATS[end:], "a.xml", FileFormat.XML)
    assert article.seen is Seen.ABSTRACT
    faults: list[Fault] = []
    assert read("<article>\n<front><article-meta/></front></article>", "a.xml", FileFormat.XML, faults) == []
    assert str(faults[0]) == "a.xml:1: article-title: the article has no title"


PAGES = (
    "J Test 2020;1:1 page 1\nSemaglutide in older adults: a randomised trial\nhttps://doi.org/10.1000/xyz123\nAbstract\n"
    "Semaglutide lowered HbA1c by 1.5 points. The treat-\nment was safe in 3 (2 %) of them. A sentence that runs",
    "J Test 2020;1:1 page 2\non over two pages ends here.\nMETHODS\nPatients were randomised.\n2.1 Study population\nAdults over 65.",
    "J Test 2020;1:1 page 3\nResults\nIt worked well.\nReferences\n1. Smith A. Another. 10.1000/other",
)


def test_pdf(make_pdf) -> None:
    (paper,) = read(make_pdf(*PAGES, Title="Microsoft Word - draft.doc", Author="Doe J"), "a_b.pdf", FileFormat.PDF)
    assert paper.title == "Semaglutide in older adults: a randomised trial"
    assert (paper.doi, paper.authors, paper.published, paper.seen) == ("10.1000/xyz123", "Doe J", "", Seen.FULL_TEXT)
    assert not paper.bibliographic
    by_heading = {section.heading: [(b.text, b.locator) for b in section.blocks] for section in paper.sections}
    assert by_heading["Abstract"] == [
        ("Semaglutide lowered HbA1c by 1.5 points. The treatment was safe in 3 (2 %) of them.", "page 1"),
        ("A sentence that runs on over two pages ends here.", "page 2"),
    ]
    assert by_heading["Study population"] == [("Adults over 65.", "page 2")]
    assert by_heading["Results"] == [("It worked well.", "page 3")]
    assert "References" not in by_heading
    assert "J Test" not in str(paper.sections)


def test_pdf_title_and_doi_are_only_taken_when_they_are_sure(make_pdf) -> None:
    text = "\n".join(f"Line {n} of a document that has enough words to be read." for n in range(5))
    (stated,) = read(make_pdf(text, Title="The effect of time on trials"), "x.pdf", FileFormat.PDF)
    assert stated.title == "The effect of time on trials"
    (cites,) = read(make_pdf(f"{text}\n10.1000/first and 10.1000/second"), "x.pdf", FileFormat.PDF)
    assert cites.doi == ""
    (nameless,) = read(make_pdf("\n".join(["a few words."] * 10)), "my_paper.pdf", FileFormat.PDF)
    assert nameless.title == "my paper"


MARKDOWN = """---
title: Notes on tirzepatide
authors: [Doe J, Roe R]
published: 2023-05-01
pmid: 777
design: observational
seen: full text
trial: SURMOUNT-1
tags: [notes, weight]
created: whenever
---
# Ignored title

Tirzepatide **15 mg** lowered _weight_ by 20 % in [SURMOUNT-1](https://example.org/x).
It was *liked*.

## Harms

- Nausea was common.
- Vomiting was `rare`.

| arm | n |
|-----|---|
| low | 5 |

```
code = 1
```

Conclusion
----------

> It works, 2 * 3 * 4 = 24 and snake_case_name stays.
"""


def test_markdown() -> None:
    (note,) = read(MARKDOWN, "note.md", FileFormat.MARKDOWN)
    assert (note.title, note.authors, note.published) == ("Notes on tirzepatide", "Doe J et al", "2023-05-01")
    assert (note.pmid, note.design, note.seen) == ("777", Design.OBSERVATIONAL, Seen.FULL_TEXT)
    assert (note.trial, note.tags) == ("SURMOUNT-1", ("notes", "weight"))
    assert [(section.heading, section.blocks[0].locator) for section in note.sections] == [
        ("", "line 14"),
        ("Harms", "line 19"),
        ("Conclusion", "line 33"),
    ]
    assert texts(note)[""] == ["Tirzepatide 15 mg lowered weight by 20 % in SURMOUNT-1. It was liked."]
    assert texts(note)["Harms"] == ["Nausea was common. Vomiting was rare.", "arm; n. low; 5."]
    assert texts(note)["Conclusion"] == ["It works, 2 * 3 * 4 = 24 and snake_case_name stays."]


def test_markdown_without_front_matter_takes_its_first_heading() -> None:
    (note,) = read("# A title\n\nSome text.\n", "x.md", FileFormat.MARKDOWN)
    assert (note.title, note.published, note.bibliographic) == ("A title", "", False)
    (rule,) = read("---\nSome text under a rule.\n", "my_note.md", FileFormat.MARKDOWN)
    assert rule.title == "my note"
    assert "Some text" in str(rule.sections)


@pytest.mark.parametrize(
    ("front", "message"),
    [
        ("published: soon", r"note\.md:1: published: 'soon' is none"),
        ("pmid: PMC12", r"pmid: 'PMC12' is none"),
        ("design: guess", r"design: 'guess' is not one of meta_analysis"),
        ("a: [1", r"note\.md:\d: is not valid YAML"),
        ("a: &x 1\nb: *x", r"note\.md:2: uses a YAML anchor"),
        ("a: 1\nb: 2\na: 3", r"note\.md:4: has the key 'a' twice"),
        ("- a list", r"note\.md:2: is not a mapping"),
    ],
)
def test_markdown_front_matter_that_cannot_be_used_is_named_by_line(front: str, message: str) -> None:
    with pytest.raises(LiteratureError, match=message):
        read(f"---\n{front}\n---\nText.\n", "note.md", FileFormat.MARKDOWN)


TEXT = """A short history of metformin

Background
Metformin has been used for
sixty years. It is cheap.

Much is known.

RESULTS
HbA1c fell by 1 point.

References
1. Somebody.
"""


def test_plain_text() -> None:
    (document,) = read(TEXT, "history.txt", FileFormat.TEXT)
    assert document.title == "A short history of metformin"
    assert texts(document) == {
        "Background": ["Metformin has been used for sixty years. It is cheap.", "Much is known."],
        "Results": ["HbA1c fell by 1 point."],
    }
    assert document.sections[0].blocks[0].locator == "line 4"
    (plain,) = read("Just a sentence of text.", "a_note.txt", FileFormat.TEXT)
    assert plain.title == "a note"


@pytest.mark.parametrize(
    ("types", "title", "design"),
    [
        (["Journal Article", "Meta-Analysis", "Review"], "", Design.META_ANALYSIS),
        (["Randomized Controlled Trial"], "A trial", Design.RCT),
        (["Randomized Controlled Trial"], "A post hoc analysis", Design.SUBGROUP),
        (["Randomized Controlled Trial"], "Pooled analysis of two trials", Design.POOLED_RCT),
        (["Observational Study"], "A study", Design.OBSERVATIONAL),
        (["Clinical Trial, Phase III"], "A randomised trial", Design.RCT),
        (["Review"], "An overview", Design.REVIEW),
        (["Practice Guideline"], "Standards", Design.GUIDELINE),
        (["Editorial"], "Time to act", Design.PRESS),
        (["Journal Article"], "A cohort study", Design.OBSERVATIONAL),
        ([], "", Design.REVIEW),
    ],
)
def test_design_is_guessed_from_publication_types_and_title(types: list[str], title: str, design: Design) -> None:
    assert guess_design(types, title) is design


@pytest.mark.parametrize("title", ["RETRACTED: A study", "Retraction notice: x", "WITHDRAWN: x", "[Retracted] A study"])
def test_a_title_may_say_that_a_paper_was_retracted(title: str) -> None:
    assert is_retracted([], title)


def test_a_paper_about_retraction_is_not_retracted() -> None:
    assert not is_retracted(["Journal Article"], "Retracted papers and how they are cited")


def test_identifiers_and_dates() -> None:
    assert doi_of("see https://doi.org/10.1056/NEJMoa1607141.") == "10.1056/NEJMoa1607141"
    assert doi_of("(10.1016/S2213-8587(17)30013-X)") == "10.1016/S2213-8587(17)30013-X"
    assert doi_of("no doi") == ""
    assert pmid_of(" 123 ") == "123"
    assert pmid_of("0123") == pmid_of("PMC1") == pmid_of("1" * 10) == ""
    assert publication_date("2017", "Feb", "31") == "2017-02"
    assert publication_date("2017", "4", "5") == "2017-04-05"
    assert publication_date("17") == publication_date("", "4") == ""
    assert medline_date("2016 Dec-2017 Jan") == "2017-01"
    assert medline_date("2017 Apr 5") == "2017-04-05"
    assert medline_date("2017 Spring") == "2017"
    assert earliest("2018-04", "2017-07-28", "") == "2017-07-28"
    assert earliest("2017", "2017-07-28") == "2017-07-28"
    assert earliest("", "") == ""


def test_text_is_cleaned_without_changing_a_figure() -> None:
    assert clean(" a\u200bb\u00adc \x07d\n10² m² ½ ") == "abc d 10² m² ½"
    assert clean("e\u0301ﬁnal") == "éfinal"
    assert join_lines("treat-\nment of GLP-\n1 and non-\nSmokers") == "treatment of GLP- 1 and non- Smokers"
    assert shortened("one two three", 9) == "one two…"
    assert shortened("one", 9) == "one"
