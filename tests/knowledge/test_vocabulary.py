"""Names: what resolves, what is found in free text, what is refused."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from knowledge.errors import DataError, UnknownDrug, UnknownEndpoint
from knowledge.phrases import is_typing_error
from knowledge.vocabulary import Vocabulary, load_vocabulary


@pytest.fixture
def vocabulary(folder) -> Vocabulary:
    return load_vocabulary(folder.root)


def named(vocabulary: Vocabulary, text: str) -> list[str]:
    return [mention.drug for mention in vocabulary.find_drugs(text)]


@pytest.mark.parametrize("name", ["semaglutide", "SEMAGLUTIDE", " Ozempic ", "wegovy", "sema"])
def test_drug_resolves_names_brands_and_synonyms(vocabulary: Vocabulary, name: str) -> None:
    assert vocabulary.drug(name).name == "semaglutide"


@pytest.mark.parametrize(
    "name", ["phentermine/topiramate", "Phentermine-Topiramate", "phentermine + topiramate", "Qsymia"]
)
def test_combination_is_one_drug_however_it_is_joined(vocabulary: Vocabulary, name: str) -> None:
    assert vocabulary.drug(name).name == "phentermine/topiramate"


def test_unknown_drug_names_up_to_three_near_ones(vocabulary: Vocabulary) -> None:
    with pytest.raises(UnknownDrug) as caught:
        vocabulary.drug("semaglutid")
    assert "semaglutid" in caught.value.message
    assert "semaglutide" in caught.value.hint
    assert caught.value.hint.count(" or ") <= 2


@pytest.mark.parametrize("name", ["", "   ", "§§", "qqqqqqqq"])
def test_names_like_nothing_are_refused_with_advice(vocabulary: Vocabulary, name: str) -> None:
    with pytest.raises(UnknownDrug) as caught:
        vocabulary.drug(name)
    assert "vocabulary" in str(caught.value)


@pytest.mark.parametrize("name", ["hba1c_change", "HbA1c change", "blood sugar", "A1C", "blood-sugar"])
def test_endpoint_resolves_id_label_and_synonym(vocabulary: Vocabulary, name: str) -> None:
    assert vocabulary.endpoint(name).endpoint_id == "hba1c_change"


def test_unknown_endpoint_names_near_ones(vocabulary: Vocabulary) -> None:
    with pytest.raises(UnknownEndpoint, match="weight"):
        vocabulary.endpoint("weigth")


@pytest.mark.parametrize(
    ("text", "drugs"),
    [
        ("semaglutde", ["semaglutide"]),
        ("Would Ozempic help?", ["semaglutide"]),
        ("oral semaglutide", ["oral semaglutide"]),
        ("oral semaglutide or semaglutide", ["oral semaglutide", "semaglutide"]),
        ("phentermine/topiramate against placebo", ["phentermine/topiramate", "placebo"]),
        ("insulin glargin at night", ["insulin glargine"]),
        ("metfromin plus empaglifozin", ["metformin", "empagliflozin"]),
        ("Semaglutide's effect", ["semaglutide"]),
        ("semaglutide1mg", ["semaglutide"]),
        ("Exercise alone", ["exercise"]),
        ("Alli", ["orlistat"]),
        ("my ally", []),
        ("all in all, aspiring people reacted", []),
        ("insulin, glargine", ["insulin glargine"]),
    ],
)
def test_find_drugs(vocabulary: Vocabulary, text: str, drugs: list[str]) -> None:
    assert named(vocabulary, text) == drugs


@pytest.mark.parametrize(
    "other", ["pitavastatin", "prednisolone", "escitalopram", "exenatide", "dapagliflozin", "albiglutide"]
)
def test_another_substance_is_not_a_typing_error(vocabulary: Vocabulary, other: str) -> None:
    assert named(vocabulary, f"How would adults react to {other}?") == []


@pytest.mark.parametrize(
    "sentence",
    [
        "How would older adults with chronic kidney disease and high cholesterol respond over a year?",
        "The creator of a precise meridian imagined concord, and the victor felt precision.",
        "Compare weight loss, blood pressure, nausea and vomiting in young women and men from Japan or Spain.",
        "Patients stopped treatment because of side effects; insurance and price mattered more than efficacy.",
    ],
)
def test_plain_english_names_no_drug(sentence: str) -> None:
    shipped = load_vocabulary(Path(__file__).parents[2] / "knowledge")
    assert named(shipped, sentence) == []
    assert shipped.unknown_drug_candidates(sentence) == []


@given(st.integers(0, 10), st.sampled_from("abcdefghijklmnopqrstuvwxyz"), st.sampled_from(["drop", "swap", "put"]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_one_slip_of_the_pen_is_forgiven(vocabulary: Vocabulary, place: int, letter: str, slip: str) -> None:
    right = "semaglutide"
    wrong = {
        "drop": right[:place] + right[place + 1 :],
        "swap": right[:place] + letter + right[place + 1 :],
        "put": right[:place] + letter + right[place:],
    }[slip]
    assert named(vocabulary, f"react to {wrong} weekly") == ["semaglutide"]


@given(st.text(max_size=200))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_text_gives_ordered_spans_that_quote_it(vocabulary: Vocabulary, text: str) -> None:
    mixed = f"{text} semaglutide {text}"
    mentions = vocabulary.find_drugs(mixed)
    assert all(mixed[m.start : m.end] == m.surface and 0 < m.score <= 100 for m in mentions)
    assert all(before.end <= after.start for before, after in pairwise(mentions))
    assert {"semaglutide", "oral semaglutide"} & {mention.drug for mention in mentions}
    vocabulary.unknown_drug_candidates(mixed)
    vocabulary.find_endpoints(mixed)


@given(st.text("abcdefgh", min_size=6, max_size=14), st.text("abcdefgh", min_size=6, max_size=14))
def test_typing_error_is_never_far(word: str, known: str) -> None:
    if is_typing_error(word, known):
        assert abs(len(word) - len(known)) <= 2


@pytest.mark.parametrize(
    ("text", "candidates"),
    [
        ("How would adults with T2D react to Zelvoritide 5 mg?", ["Zelvoritide"]),
        ("zelvoritide against semaglutide", ["zelvoritide"]),
        ("How would they respond to Qulofra?", ["Qulofra"]),
        ("LY3502970 and AZD-1234 in NCT01234567", ["LY3502970", "AZD-1234"]),
        ("semaglutde 1 mg weekly", []),
        ("React to Medicare cuts in April with riptide peptides", []),
        ("weight fell and reached 3.4 mg weekly 5 mg", []),
        ("SURMOUNT-1 in COVID-19", []),
        ("adults on Qulofra, measured on the Rating scale", ["Qulofra"]),
        ("adults with T2D on tirzepitude 10", ["tirzepitude"]),
        ("adults on treatment 10 weeks, then on dialysis 10 years", []),
        ("Compare zelvorumab and Zelvorumab", ["zelvorumab"]),
    ],
)
def test_unknown_drug_candidates(vocabulary: Vocabulary, text: str, candidates: list[str]) -> None:
    assert vocabulary.unknown_drug_candidates(text) == candidates


@pytest.mark.parametrize(
    ("text", "endpoints"),
    [
        ("blood sugar and weight", ["hba1c_change", "weight_change"]),
        ("weight, then blood sugar, then weight", ["weight_change", "hba1c_change"]),
        ("low blood sugar", ["low_glucose"]),
        ("percent weight loss", ["weight_percent_change"]),
        ("A1C; feeling sick", ["hba1c_change", "nausea"]),
        ("mortalty", ["death"]),
        ("waiting", []),
    ],
)
def test_find_endpoints(vocabulary: Vocabulary, text: str, endpoints: list[str]) -> None:
    assert vocabulary.find_endpoints(text) == endpoints


def test_a_name_in_two_files_is_refused_naming_both(folder) -> None:
    folder.write("vocabulary/drugs/other.yaml", "metformin: {class: biguanide}\n")
    with pytest.raises(DataError) as caught:
        load_vocabulary(folder.root)
    assert "drugs/other.yaml:1" in str(caught.value)
    assert "drugs/all.yaml:12" in str(caught.value)


def test_a_brand_of_two_drugs_is_refused(folder) -> None:
    folder.write("vocabulary/drugs/other.yaml", "dulaglutide: {class: GLP-1 RA, brands: [wegovy]}\n")
    with pytest.raises(DataError, match="'wegovy' also stands for semaglutide"):
        load_vocabulary(folder.root)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: {class: x}\na: {class: y}\n", "other.yaml:2: a: appears twice"),
        ("a: {class: x, colour: red}\n", "a.colour"),
        ("a: {class: x, max_dose: -1}\n", "a.max_dose"),
        ("a: red\n", "needs fields"),
        ("a: {class: x\n", "not valid YAML"),
        ("- a\n", "needs a mapping"),
        ("1: {class: x}\n", "put it in quotes"),
        ("'§': {class: x}\n", "no letters or digits"),
    ],
)
def test_faulty_drug_files_name_file_and_place(folder, text: str, message: str) -> None:
    folder.write("vocabulary/drugs/other.yaml", text)
    with pytest.raises(DataError) as caught:
        load_vocabulary(folder.root)
    assert message in str(caught.value)
    assert "drugs/other.yaml" in str(caught.value)


def test_endpoint_limits_need_an_order(folder) -> None:
    folder.write(
        "vocabulary/endpoints/other.yaml",
        "x: {label: x, family: rate, unit: u, direction: neutral, limits: [5, 1]}\n",
    )
    with pytest.raises(DataError, match="limits need the lower one first"):
        load_vocabulary(folder.root)
