"""Passage files."""

from __future__ import annotations

import pytest

from knowledge.check import check
from knowledge.errors import LiteratureError
from knowledge.literature import corpus_hash, load_passages
from knowledge.sources import load_sources

TEXT = "Weight fell by 14.9 % with semaglutide and by 2.4 % with placebo."


def test_each_heading_is_a_passage(folder) -> None:
    folder.write(
        "literature/obesity/pmid-1.md",
        "---\nsource_id: pmid-1\narea: obesity\ntrial: STEP 1\ndrugs: [semaglutide, placebo]\ntags: [women]\n---\n"
        f"## Population | abstract, para 1\n\n{TEXT}\nIt goes\non.\n\n## Harms | table 2\n{TEXT}\n",
    )
    first, second = folder.load().passages
    assert first.passage_id == "pmid-1#1"
    assert (first.heading, first.locator) == ("Population", "abstract, para 1")
    assert first.text == f"{TEXT} It goes on."
    assert (first.trial, first.area, first.published) == ("STEP 1", "obesity", "2017-03")
    assert first.drugs == ("semaglutide", "placebo")
    assert first.tags == ("women",)
    assert (second.passage_id, second.heading) == ("pmid-1#2", "Harms")


@pytest.mark.parametrize(
    "front",
    [
        'trial: "STEP: 1"\ndrugs: [semaglutide]',
        "trial: 'STEP: 1'\ndrugs:\n  - semaglutide",
    ],
)
def test_front_matter_may_be_any_yaml(folder, front: str) -> None:
    folder.write(
        "literature/obesity/pmid-1.md", f"---\nsource_id: pmid-1\narea: obesity\n{front}\n---\n## A | b\n{TEXT}\n"
    )
    (passage,) = folder.load().passages
    assert passage.trial == "STEP: 1"
    assert passage.drugs == ("semaglutide",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TEXT, "pmid-1.md:1: must begin with front matter"),
        ("---\nsource_id: pmid-1\n", "pmid-1.md:1: must begin with front matter"),
        ("---\nsource_id: pmid-2\narea: obesity\n---\n## A | b\n" + TEXT, "must be the file's name, pmid-1"),
        ("---\nsource_id: pmid-1\narea: smoking\n---\n## A | b\n" + TEXT, "must be the folder's name, obesity"),
        ("---\nsource_id: pmid-1\narea: obesity\ncolour: red\n---\n## A | b\n" + TEXT, "colour: is not a field"),
        ("---\nsource_id: pmid-1\narea: obesity\ndrugs: semaglutide\n---\n## A | b\n" + TEXT, "drugs: must be a list"),
        ("---\nsource_id: pmid-1\narea: [obesity\n---\n## A | b\n" + TEXT, "not valid YAML"),
        ("---\nsource_id: pmid-1\narea: obesity\n---\n## A\n" + TEXT, "pmid-1.md:5: a heading reads"),
        ("---\nsource_id: pmid-1\narea: obesity\n---\n## A |\n" + TEXT, "pmid-1.md:5: a heading reads"),
        ("---\nsource_id: pmid-1\narea: obesity\n---\nHello\n## A | b\n" + TEXT, "pmid-1.md:5: text before"),
        ("---\nsource_id: pmid-1\narea: obesity\n---\n", "has no '## Heading"),
        ("---\nsource_id: pmid-1\narea: obesity\n---\n## A | b\nshort\n", "pmid-1.md:5: text:"),
    ],
)
def test_a_faulty_file_is_refused_naming_file_and_line(folder, text: str, message: str) -> None:
    folder.write("literature/obesity/pmid-1.md", text)
    with pytest.raises(LiteratureError) as caught:
        load_passages(folder.root, load_sources(folder.root))
    assert message in str(caught.value)
    assert "literature/obesity/pmid-1.md" in str(caught.value)


def test_a_source_nobody_listed_is_refused(folder) -> None:
    folder.passage("pmid-404", TEXT)
    with pytest.raises(LiteratureError, match="'pmid-404' has no row in the source tables"):
        _ = folder.load().passages


def test_passages_of_one_source_in_two_areas_are_refused(folder) -> None:
    folder.passage("pmid-1", TEXT)
    folder.passage("pmid-1", TEXT, area="smoking")
    with pytest.raises(LiteratureError, match=r"already has its passages in literature/obesity/pmid-1\.md"):
        _ = folder.load().passages


def test_a_file_that_is_not_utf8_is_refused(folder) -> None:
    folder.passage("pmid-1", TEXT).write_bytes("---\nGröße".encode("latin-1"))
    with pytest.raises(LiteratureError, match="is not UTF-8"):
        _ = folder.load().passages


def test_check_also_refuses_drugs_nobody_knows(folder) -> None:
    folder.passage("pmid-1", TEXT, drugs="Ozempic")
    assert [fault.message for fault in check(folder.root).faults] == [
        "'Ozempic' is not a canonical name of the drug vocabulary"
    ]


def test_a_missing_folder_has_no_passages(folder) -> None:
    assert folder.load().passages == ()


def test_corpus_hash_changes_with_text_and_sources(folder) -> None:
    hashes = {corpus_hash(folder.root)}
    folder.passage("pmid-1", TEXT)
    hashes.add(corpus_hash(folder.root))
    folder.passage("pmid-1", TEXT + " ")
    hashes.add(corpus_hash(folder.root))
    folder.sources({"retracted": "yes"})
    hashes.add(corpus_hash(folder.root))
    assert len(hashes) == 4
    assert corpus_hash(folder.root) in hashes
