"""The offline planner's prose for an interview and a focus group. Every line of a simulated person is marked as such."""

from __future__ import annotations

import json
from collections.abc import Sequence

from assistant import language
from knowledge.schemas import RetrievedPassage
from tools.cohort.tool import Statement
from tools.schemas import ToolResult
from tools.voice import wording
from tools.voice.schemas import ExperimentShares, FocusGroupResult, InterviewResult

Voice = FocusGroupResult | InterviewResult
STATEMENTS = 3
PASSAGES = 2


def voice_here(results: Sequence[ToolResult]) -> Voice | None:
    """The first result that this module writes about."""
    return next((one for one in results if isinstance(one, FocusGroupResult | InterviewResult)), None)


def compose_voice(result: Voice, population: str, left_out: Sequence[str], told: Sequence[str]) -> str:
    """Markdown with a headline, the shares or the talk, and what real people said.

    Parameters
    ----------
    told : lines about what was published of such people, as Markdown.
    """
    group = isinstance(result, FocusGroupResult)
    subject = "a focus group" if group else f"an interview{_about(result)}"
    parts = [f"## {language.sentence_case(population)} · {subject}"]
    if left_out:
        words = language.joined([f"“{words}”" for words in left_out])
        parts.append(f"**Left out: {words} could not be placed, so this answer is for the cohort without it.**")
    parts += _group(result) if isinstance(result, FocusGroupResult) else _talk(result)
    voiced = {line.said for person in result.participants for line in person.lines if line.source_id}
    unsaid = [one for one in result.preferences if one.statement not in voiced]
    lines = [_statement(one) for one in unsaid[:STATEMENTS]] + list(told)
    if lines:
        parts.append("### What real people like them said and did\n\n" + "\n".join(dict.fromkeys(lines)))
    return "\n\n".join(parts)


def refused_voice(failures: Sequence[str]) -> str:
    """What the tool said when nothing published tells how such people choose."""
    reasons = []
    for failure in failures:
        try:
            reasons.append(str(json.loads(failure)["message"]))
        except (ValueError, KeyError, TypeError):
            reasons.append(failure[:300])
    return "## How they would choose is not known here\n\n" + " ".join(dict.fromkeys(reasons))


def passage_lines(passages: Sequence[RetrievedPassage], first_sentences: Sequence[str]) -> list[str]:
    """Quoted beginnings of passages, each with its source."""
    pairs = zip(passages[:PASSAGES], first_sentences, strict=False)
    return [f"- {text} [{hit.source.source_id}]" for hit, text in pairs]


def _group(result: FocusGroupResult) -> list[str]:
    first, *others = result.by_experiment
    shares = [f"{wording.in_100(share.point)} in 100 would choose {share.option}" for share in first.shares]
    parts = [f"**About {language.joined(shares)} ({first.name}).**"]
    if others:
        parts.append(wording.spread_sentence(result.by_experiment))
    named = " | ".join(language.sentence_case(option) for option in result.options)
    head = f"| Asked how | {named} |\n|{'---|' * (1 + len(result.options))}\n"
    rows = "\n".join(_row(one) for one in result.by_experiment)
    parts.append(f"### What they would choose\n\n{head}{rows}")
    parts.append(
        "In brackets: 90 % intervals from the sampling error of the published weights, not from the step to other people."
    )
    who = "\n".join(f"- {line}" for line in result.who_chooses)
    parts.append(f"### Who chooses what\n\n{who}")
    counted = wording.counts_sentence(
        result.people, result.options, result.counts, result.counts_lower, result.counts_upper
    )
    lines = "\n".join(f"- {wording.participant_line(one)}" for one in result.participants)
    parts.append(
        f"### One simulated group\n\n{counted} Their choices come from the published weights; nobody said these lines.\n\n{lines}"
    )
    return parts


def _row(one: ExperimentShares) -> str:
    cells = [
        f"{wording.in_100(s.point)} % ({wording.in_100(s.lower)} to {wording.in_100(s.upper)} %)" for s in one.shares
    ]
    return f"| {language.sentence_case(one.name)} [{one.source_id}] | {' | '.join(cells)} |"


def _talk(result: InterviewResult) -> list[str]:
    people = wording.people_sentence(len(result.participants))
    parts = [f"**{people}; nobody said these lines.** {result.choice_note}"]
    for person in result.participants:
        lines = "\n".join(f"- {line}" for line in wording.person_lines(person))
        parts.append(f"### {wording.person_heading(person)}\n\n{lines}")
    return parts


def _about(result: Voice) -> str:
    about = getattr(result, "about", "")
    return f" about {about}" if about else ""


def _statement(one: Statement) -> str:
    return f"- {one.statement.rstrip('.')} [{one.source_id}]."
