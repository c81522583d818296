from __future__ import annotations

import pytest

from assistant.conversation import understand_conversation
from assistant.intents import Intent
from assistant.plans import draft_plan
from knowledge.base import KnowledgeBase
from personas.library import PersonaLibrary


@pytest.mark.parametrize(
    ("question", "asked_about", "had"),
    [
        (
            "What ACR20 share do RA patients with inadequate response to methotrexate reach on baricitinib 4 mg?",
            ["baricitinib 4 mg"],
            ["methotrexate"],
        ),
        ("In adults with T2DM on metformin, nausea on sitagliptin 100 mg", ["sitagliptin 100 mg"], ["metformin"]),
        ("pegloticase 8 mg plus methotrexate in gout", ["pegloticase 8 mg"], ["methotrexate"]),
        ("pegloticase 8 mg with methotrexate in gout", ["pegloticase 8 mg"], ["methotrexate"]),
        ("tofacitinib 5 mg twice daily without methotrexate in RA", ["tofacitinib 5 mg twice daily"], []),
        ("adalimumab 40 mg in RA despite methotrexate", ["adalimumab 40 mg"], ["methotrexate"]),
        (
            "adults with type 2 diabetes taking dapagliflozin 10 mg on top of metformin",
            ["dapagliflozin 10 mg"],
            ["metformin"],
        ),
        ("T2D, dapagliflozin 10 mg, background metformin", ["dapagliflozin 10 mg"], ["metformin"]),
        ("pembrolizumab plus chemotherapy in early TNBC", ["pembrolizumab"], ["chemotherapy (any)"]),
        ("dapagliflozin 10 mg plus saxagliptin 2.5 mg in T2D", ["dapagliflozin/saxagliptin 10 mg"], []),
        ("telmisartan/HCTZ 80/25 mg in hypertension", ["telmisartan/hydrochlorothiazide 80 mg"], []),
        ("dextromethorphan-bupropion 45/105 mg in depression", ["dextromethorphan/bupropion 45 mg"], []),
        ("Seretide 50/500 twice daily in COPD", ["salmeterol/fluticasone 50 ug twice daily"], []),
        ("Advair 250/50 in COPD", ["salmeterol/fluticasone 50 ug"], []),
        ("Entresto 97/103 mg twice daily in HFrEF", ["sacubitril/valsartan 200 mg twice daily"], []),
        ("varenicline 1 mg plus nicotine patch in smokers", ["varenicline/nicotine patch"], []),
        ("How do adults with T2D on semaglutide fare?", ["semaglutide"], []),
        ("deaths with vs without dapagliflozin 10 mg in HFrEF", ["dapagliflozin 10 mg"], []),
        (
            "Adults with T2D are on metformin 2000 mg. HbA1c on semaglutide 1 mg?",
            ["semaglutide 1 mg"],
            ["metformin 2000 mg"],
        ),
        (
            "pembrolizumab plus chemotherapy versus nivolumab in advanced NSCLC, overall survival",
            ["pembrolizumab", "nivolumab"],
            ["chemotherapy (any)"],
        ),
        ("cariprazine 4.5 mg and on placebo in depression", ["cariprazine 4.5 mg"], []),
    ],
)
def test_what_is_asked_about_and_what_people_have(
    question: str, asked_about: list[str], had: list[str], shipped: KnowledgeBase, library: PersonaLibrary
) -> None:
    asked = understand_conversation([question], shipped.vocabulary, library)
    assert [one.label for one in asked.active] == asked_about
    assert [one.label for one in asked.background] == had


def test_a_sham_is_the_placebo_of_a_procedure(shipped: KnowledgeBase, library: PersonaLibrary) -> None:
    question = "radiofrequency renal denervation versus sham, systolic pressure in resistant hypertension at 26 weeks"
    asked = understand_conversation([question], shipped.vocabulary, library)
    assert [one.name for one in asked.treatments] == ["radiofrequency renal denervation", "placebo"]
    assert asked.intent is Intent.RESPOND
    assert "comparator" not in draft_plan(asked, shipped, library).calls[1].arguments
