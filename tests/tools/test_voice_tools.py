"""`focus_group` and `interview` on the shipped archetypes and experiments."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from knowledge.base import KnowledgeBase
from knowledge.errors import InvalidInput, NoEvidence
from knowledge.schemas import EvidenceView
from personas.library import PersonaLibrary
from tools.context import ToolContext
from tools.schemas import Validation
from tools.voice.focus_group_tool import focus_group
from tools.voice.interview_tool import interview
from tools.voice.schemas import FocusGroupResult, InterviewResult

TABLET, INJECTION = "a daily tablet", "a weekly injection"


def no_retriever() -> Any:
    raise AssertionError("these tools read no passages")


@pytest.fixture(scope="module")
def context(shipped: KnowledgeBase, library: PersonaLibrary) -> ToolContext:
    return ToolContext(knowledge=shipped, personas=library, retriever=no_retriever, seed=5)


def group(context: ToolContext, persona: str, *options: str, **fields: Any) -> FocusGroupResult:
    return focus_group(focus_group.parse({"cohort": {"persona_id": persona}, "options": options, **fields}), context)


def talk(context: ToolContext, persona: str, **fields: Any) -> InterviewResult:
    return interview(interview.parse({"cohort": {"persona_id": persona}, **fields}), context)


class TestFocusGroup:
    def test_a_direct_question_gives_back_its_published_shares(self, context: ToolContext) -> None:
        found = group(context, "t2d_older", TABLET, INJECTION)
        published = {one.name: one.shares[0].point for one in found.by_experiment}
        assert published["direct question, without detail"] == pytest.approx(76.5)
        assert published["direct question, after videos of how each is taken"] == pytest.approx(52.5)
        assert any("disagree" in warning for warning in found.warnings)

    def test_shares_sum_to_all_and_lie_in_their_intervals(self, context: ToolContext) -> None:
        found = group(context, "smokers_adults", "cigarettes", "a pod e-cigarette", "a disposable e-cigarette")
        for one in found.by_experiment:
            assert sum(share.point for share in one.shares) == pytest.approx(100.0, abs=0.2)
            assert all(share.lower < share.point < share.upper for share in one.shares)

    def test_every_participant_chooses_one_of_the_options(self, context: ToolContext) -> None:
        found = group(context, "t2d_adults", TABLET, INJECTION, people=40, quotes=20)
        assert sum(found.counts) == 40
        assert {person.choice for person in found.participants} <= {TABLET, INJECTION}
        for person in found.participants:
            assert f"I would choose {person.choice}." in person.lines[0].said
            assert person.lines[0].rests_on == "preference model"
            assert person.simulated
            assert all(line.simulated for line in person.lines)

    def test_counts_of_large_groups_follow_the_share(self, context: ToolContext) -> None:
        made = [group(replace(context, seed=seed), "t2d_adults", TABLET, INJECTION, people=200) for seed in range(20)]
        assert sum(one.counts[0] for one in made) / (20 * 200) == pytest.approx(0.765, abs=0.03)
        inside = [one.counts_lower[0] <= one.counts[0] <= one.counts_upper[0] for one in made]
        assert 14 <= sum(inside) <= 20  # nine of ten such groups

    def test_the_order_of_the_options_does_not_matter(self, context: ToolContext) -> None:
        one, other = group(context, "t2d_adults", TABLET, INJECTION), group(context, "t2d_adults", INJECTION, TABLET)
        assert one.by_experiment[0].shares[0].point == other.by_experiment[0].shares[1].point

    def test_the_same_seed_gives_the_same_result_and_quotes_change_no_choice(self, context: ToolContext) -> None:
        first = group(context, "t2d_adults", TABLET, INJECTION)
        assert first == group(context, "t2d_adults", TABLET, INJECTION)
        assert first.counts == group(context, "t2d_adults", TABLET, INJECTION, quotes=0).counts
        other = replace(context, seed=context.seed + 1)
        assert first.participants != group(other, "t2d_adults", TABLET, INJECTION).participants

    def test_cost_counts_against_an_option(self, context: ToolContext) -> None:
        cheap, dear = "an injection once a week for AUD 10 a month", "an injection once a week for AUD 60 a month"
        found = group(context, "t2d_adults", cheap, dear)
        assert found.by_experiment[0].shares[0].lower > 50

    def test_fewer_flare_ups_and_inhalers_are_preferred(self, context: ToolContext) -> None:
        found = group(
            context, "copd_adults", "one inhaler and one flare-up a year", "two inhalers and two flare-ups a year"
        )
        assert found.by_experiment[0].shares[0].point == pytest.approx(100 * 1.82 * 1.17 / (1 + 1.82 * 1.17), abs=0.1)

    def test_subgroups_differ_only_where_the_experiment_tells_them_apart(self, context: ToolContext) -> None:
        smokers = group(context, "smokers_adults", "cigarettes", "a pod e-cigarette").who_chooses
        assert any("Asian people" in line and "chance" not in line for line in smokers)
        assert any("women" in line and "may be chance" in line for line in smokers)
        assert "every subgroup the same chances" in group(context, "t2d_adults", TABLET, INJECTION).who_chooses[0]

    def test_loosely_worded_options_are_read_and_said_so(self, context: ToolContext) -> None:
        found = group(context, "t2d_adults", "a tablet", "an injection")
        assert any("“a tablet” as how it is taken: a tablet once a day" in note for note in found.assumptions)

    def test_words_that_nothing_weighs_are_named(self, context: ToolContext) -> None:
        found = group(context, "t2d_adults", "a daily tablet of semaglutide", "a weekly injection of semaglutide")
        assert found.not_weighed == ("semaglutide",)
        assert any("semaglutide" in warning for warning in found.warnings)

    def test_numbers_are_scenarios_with_sources(self, context: ToolContext) -> None:
        found = group(context, "t2d_adults", TABLET, INJECTION)
        assert all(one.validation is Validation.SCENARIO and one.source_ids for one in found.estimates)
        assert set(found.source_ids) == {"pmid-33140575", "doi-10.1007-s12325-020-01561-1"}


class TestRefusals:
    def test_a_cohort_without_experiments_names_those_with(self, context: ToolContext) -> None:
        with pytest.raises(NoEvidence, match="rheumatoid") as caught:
            group(context, "ra_adults", TABLET, INJECTION)
        assert "Adults with type 2 diabetes" in caught.value.hint

    def test_options_without_weights_name_what_is_weighed(self, context: ToolContext) -> None:
        with pytest.raises(NoEvidence) as caught:
            group(context, "obesity_adults", TABLET, INJECTION)
        assert "healthy eating" in caught.value.hint

    def test_what_only_one_option_says_is_asked_of_all(self, context: ToolContext) -> None:
        with pytest.raises(InvalidInput, match="the cost"):
            group(context, "t2d_adults", "a weekly injection for AUD 40", "an injection twice a day")

    def test_the_same_option_twice_is_refused(self, context: ToolContext) -> None:
        with pytest.raises(InvalidInput, match="same"):
            group(context, "t2d_adults", TABLET, TABLET)

    @pytest.mark.parametrize("people", [1, 201])
    def test_group_sizes_out_of_range_are_refused(self, context: ToolContext, people: int) -> None:
        with pytest.raises(InvalidInput):
            group(context, "t2d_adults", TABLET, INJECTION, people=people)

    def test_an_evidence_view_hides_experiments(self, context: ToolContext) -> None:
        early = context.with_view(EvidenceView(as_of=date(2018, 1, 1)))
        with pytest.raises(NoEvidence):
            group(early, "t2d_adults", TABLET, INJECTION)
        without = context.with_view(EvidenceView(exclude=("pmid-33140575",)))
        assert [one.source_id for one in group(without, "t2d_adults", TABLET, INJECTION).by_experiment] == [
            "doi-10.1007-s12325-020-01561-1"
        ]


class TestInterview:
    def test_people_speak_from_their_own_attributes_and_published_statements(self, context: ToolContext) -> None:
        found = talk(context, "obesity_adults", about="stopping semaglutide", people=4)
        assert [person.name for person in found.participants] == ["A", "B", "C", "D"]
        for person in found.participants:
            assert "stay on" in person.lines[1].asked
            assert not person.choice
            for line in person.lines:
                assert line.simulated
                assert (line.rests_on == "published statement") == bool(line.source_id)
        assert "no choice" in found.choice_note

    def test_a_choice_is_that_of_the_preference_model(self, context: ToolContext) -> None:
        found = talk(context, "t2d_adults", options=[TABLET, INJECTION], people=8)
        chosen = group(context, "t2d_adults", TABLET, INJECTION, people=8, quotes=8)
        assert [person.choice for person in found.participants] == [person.choice for person in chosen.participants]

    def test_what_is_said_is_what_was_drawn(self, context: ToolContext) -> None:
        found = talk(context, "obesity_adults", people=8)
        drawn = {one.id: one.point for one in found.estimates}
        for person in found.participants:
            assert f"{drawn[f'bmi.person_{person.name}']:.1f} kg/m²" in person.lines[0].said

    def test_a_cohort_without_experiments_may_still_speak(self, context: ToolContext) -> None:
        assert talk(context, "ra_adults").participants
        with pytest.raises(NoEvidence):
            talk(context, "ra_adults", options=[TABLET, INJECTION])

    def test_one_option_is_no_choice(self, context: ToolContext) -> None:
        with pytest.raises(InvalidInput, match="no choice"):
            talk(context, "t2d_adults", options=[TABLET])
