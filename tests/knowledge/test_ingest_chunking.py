"""Passages of 60 to 220 words, at sentence ends, with every word in exactly one of them."""

from __future__ import annotations

import time

from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge.ingest.chunking import MAX_WORDS, MIN_WORDS, chunk
from knowledge.ingest.records import Block, Section
from knowledge.ingest.sentences import split_sentences

sentences = st.integers(1, 260).map(lambda count: " ".join(["Word", *["word"] * (count - 1)]) + ".")
blocks = st.lists(sentences, min_size=1, max_size=6).map(lambda parts: Block(" ".join(parts), "line 1"))
sections = st.lists(
    st.builds(Section, st.sampled_from(["", "Methods", "Results"]), st.lists(blocks, max_size=5).map(tuple)), max_size=6
)


def words(text: str) -> list[str]:
    return text.split()


@settings(max_examples=100, deadline=None)
@given(sections)
def test_no_word_is_lost_or_doubled_and_no_passage_is_too_long(parts: list[Section]) -> None:
    passages = chunk(parts)
    all_words = [word for part in parts for block in part.blocks for word in words(block.text)]
    assert [word for passage in passages for word in words(passage.text)] == all_words
    assert all(0 < len(words(passage.text)) <= MAX_WORDS for passage in passages)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.integers(1, 100), min_size=1, max_size=60))
def test_no_passage_is_too_short_when_sentences_have_at_most_100_words(lengths: list[int]) -> None:
    """With sentences of at most 100 words a cut into 60 to 220 words always exists, so it must be found."""
    text = " ".join(" ".join(["Word", *["word"] * (length - 1)]) + "." for length in lengths)
    passages = chunk([Section("Results", (Block(text, "line 1"),))])
    if sum(lengths) >= MIN_WORDS:
        assert all(len(words(passage.text)) >= MIN_WORDS for passage in passages)
    else:
        assert len(passages) == 1


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="abc. ,;!?XYZ()\"'19", max_size=400))
def test_sentences_joined_are_the_text(text: str) -> None:
    line = " ".join(text.split())
    assert " ".join(split_sentences(line)) == line


def test_sentences_end_where_a_reader_ends_them() -> None:
    text = (
        'HbA1c fell by 1.5 points vs. placebo (P < 0.001). Smith et al. reported more. "It works." See Fig. 2 and p. 3. '
        "J. Doe agreed, e.g. Dr. Roe did not. 12 people left! Did 3?"
    )
    assert split_sentences(text) == [
        "HbA1c fell by 1.5 points vs. placebo (P < 0.001).",
        "Smith et al. reported more.",
        '"It works."',
        "See Fig. 2 and p. 3.",
        "J. Doe agreed, e.g. Dr. Roe did not.",
        "12 people left!",
        "Did 3?",
    ]


def test_sections_are_kept_apart_unless_they_are_too_short() -> None:
    long = " ".join(["Long word word word word word word word word word."] * 10)
    parts = [
        Section("Methods", (Block(long, "page 1"),)),
        Section("Results", (Block(long, "page 2"), Block("Short end.", "page 3"))),
        Section("Conclusion", (Block("It works.", "page 4"),)),
    ]
    assert [(one.heading, one.locator) for one in chunk(parts)] == [
        ("Methods", "page 1"),
        ("Results; Conclusion", "page 2"),
    ]
    short = [Section(name, (Block(f"{name} are few.", "abstract"),)) for name in ("Aims", "Methods", "Results")]
    assert [(one.heading, one.text) for one in chunk(short)] == [
        ("Aims to Results", "Aims are few. Methods are few. Results are few.")
    ]


def test_a_sentence_without_end_is_divided_at_commas_and_one_without_blanks_at_all() -> None:
    endless = ", ".join(["and so it goes on for a while"] * 100)
    passages = chunk([Section("", (Block(endless, "line 1"),))])
    assert len(passages) > 3
    assert all(one.text.endswith((",", "while")) for one in passages)
    encoded = chunk([Section("", (Block("x" * 100_000, "line 1"),))])
    assert all(len(one.text) <= 201 * MAX_WORDS for one in encoded)
    assert sum(one.text.count("x") for one in encoded) == 100_000


def test_a_megabyte_takes_seconds() -> None:
    text = "Weight fell by 4.2 kg (95% CI 3.1 to 5.3) vs. placebo in A. B. Smith's trial. " * 13_000
    start = time.perf_counter()
    passages = chunk([Section("", (Block(text, "line 1"),))])
    assert time.perf_counter() - start < 10
    assert len(passages) > 1000


def test_nothing_comes_of_nothing() -> None:
    assert chunk([]) == []
    assert chunk([Section("Results", ())]) == []
