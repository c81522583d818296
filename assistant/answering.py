"""From a run's outcome to the typed answer: headline and sections, citations, confidence, assumptions, limits.

The parts that must never depend on what a model wrote (confidence, evidence list, assumptions, limits) are made here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from assistant import language
from assistant.confidence import assess
from assistant.grades import grade
from assistant.outcome import Outcome
from assistant.schemas import Answer, Citation, Question, Section, Status
from assistant.settings import Settings
from assistant.simulation_pages import GIVEN
from assistant.suggestions import next_questions
from knowledge.base import KnowledgeBase
from knowledge.schemas import Endpoint
from tools.response.schemas import EvidenceWeight
from tools.schemas import Chart, ToolResult

_MARK = re.compile(r"\[((?:pmid|doi|nct|web)-[a-z0-9.\-]+)\]", re.IGNORECASE)
NOT_ADVICE = "Not advice for an individual: this is about groups of people."
CARRYING = 3  # trials shown for each endpoint: those that carry its prediction


class AnswerBuilder:
    """Builds answers over one knowledge base."""

    def __init__(self, knowledge: KnowledgeBase, settings: Settings) -> None:
        self._knowledge = knowledge
        self._settings = settings

    def build(self, run_id: str, question: Question, outcome: Outcome) -> Answer:
        """The typed answer of a finished run."""
        results = [result for _, result in outcome.results]
        text = outcome.text or _fallback(outcome)
        text, citations = self._cite(text, results)
        headline, sections = parse_markdown(text)
        confidence = assess(results, self._knowledge.vocabulary.endpoints)
        assumptions = _unique(note for result in results for note in result.assumptions) + _planner_notes(outcome)
        limits = _unique(warning for result in results for warning in result.warnings) + outcome.notes + (NOT_ADVICE,)
        if outcome.status in (Status.ANSWERED, Status.PARTIAL):
            sections = [*sections, Section(title="How sure?", body=confidence.sentence)]
            evidence = _evidence_table(results, citations, self._knowledge)
            if evidence:
                sections.append(Section(title="Evidence", body=evidence))
            if assumptions:
                sections.append(Section(title="Assumed", body=_list(assumptions)))
        if outcome.removed:
            sections.append(
                Section(
                    title="Removed",
                    body=f"{len(outcome.removed)} sentence(s) held a number that no tool computed and no source states, "
                    "and were taken out.",
                )
            )
        sections.append(Section(title="Not covered", body=_list(limits)))
        return Answer(
            run_id=run_id,
            question=question.text,
            status=outcome.status,
            headline=headline,
            sections=tuple(sections),
            plan=outcome.plan,
            estimates=tuple(estimate for result in results for estimate in result.estimates),
            charts=_ordered_charts(results),
            confidence=confidence,
            citations=tuple(citations),
            assumptions=assumptions,
            limits=limits,
            removed=outcome.removed,
            next_questions=next_questions(outcome, self._knowledge),
            steps=outcome.steps,
            model=outcome.model,
            seed=question.seed,
            evidence_hash=self._knowledge.evidence_hash(question.view),
        )

    def _cite(self, text: str, results: Sequence[ToolResult]) -> tuple[str, list[Citation]]:
        """Number the sources in the order they carry the answer, then those the text cites; drop unknown marks."""
        available = dict.fromkeys(carried.figure.source_id for carried in _carrying(results))
        named = [match.lower() for match in _MARK.findall(text)]
        returned = {source_id for result in results for source_id in result.source_ids}
        returned |= {hit.source.source_id for result in results for hit in result.passages} | set(available)
        returned |= {s.source_id for result in results for s in getattr(result, "preferences", ()) if s.source_id}
        order = [*available, *(name for name in named if name in returned)]
        numbers = {name: position for position, name in enumerate(dict.fromkeys(order), start=1)}
        locators = _locators(results)
        citations = [self._citation(name, number, locators.get(name, "")) for name, number in numbers.items()]

        def replace(match: re.Match[str]) -> str:
            number = numbers.get(match.group(1).lower())
            return f"[{number}]" if number else "[source not found]"

        return _MARK.sub(replace, text), citations

    def _citation(self, source_id: str, number: int, locator: str) -> Citation:
        source = self._knowledge.source(source_id)
        url = f"https://doi.org/{source.doi}" if source.doi else ""
        if source.pmid:
            url = f"https://pubmed.ncbi.nlm.nih.gov/{source.pmid}/"
        return Citation(
            number=number,
            source_id=source_id,
            citation=source.citation,
            title=source.title,
            design=source.design.value,
            grade=grade(source),
            pmid=source.pmid,
            doi=source.doi,
            url=url,
            seen=source.seen.value,
            locator=locator,
        )


def _ordered_charts(results: Sequence[ToolResult]) -> tuple[Chart, ...]:
    """What is predicted comes first, who the cohort is last."""
    predicted = [result for result in results if any(estimate.endpoint for estimate in result.estimates)]
    others = [result for result in results if result not in predicted]
    return tuple(chart for result in (*predicted, *others) for chart in result.charts)


def _locators(results: Sequence[ToolResult]) -> dict[str, str]:
    found = {hit.source.source_id: hit.passage.locator for result in results for hit in result.passages}
    for result in results:
        for weight in getattr(result, "evidence", ()):
            locator = getattr(weight, "locator", "")
            if locator:
                found[weight.source_id] = locator
    return found


def parse_markdown(text: str) -> tuple[str, list[Section]]:
    """Split a model's Markdown into the headline and its '### ' sections; text before the first one is 'In short'."""
    lines = text.strip().splitlines()
    headline = lines[0].lstrip("# ").strip() if lines else "No answer"
    sections: list[Section] = []
    title = "In short"
    body: list[str] = []
    for line in lines[1:]:
        if line.startswith(("### ", "## ")):
            if "\n".join(body).strip():
                sections.append(Section(title=title, body="\n".join(body).strip()))
            title, body = line.lstrip("# ").strip(), []
        else:
            body.append(line)
    if "\n".join(body).strip():
        sections.append(Section(title=title, body="\n".join(body).strip()))
    return headline, sections


def _fallback(outcome: Outcome) -> str:
    """What is said when a limit was hit before the model wrote."""
    if any(estimate.endpoint for _, result in outcome.results for estimate in result.estimates):
        rows = "\n".join(
            f"- {e.quantity} ({e.arm or e.population}): {language.number(e.point, language.decimals(e))} {language.unit(e)}"
            for _, result in outcome.results
            for e in result.estimates
            if e.endpoint
        )
        return (
            f"## Stopped before the answer was written\n\nThe tools had computed this much.\n\n### Computed\n\n{rows}"
        )
    return "## No answer\n\nThe question ended before any prediction was made. Ask again, or ask something narrower."


def _evidence_table(results: Sequence[ToolResult], citations: Sequence[Citation], knowledge: KnowledgeBase) -> str:
    """The trials that carry each prediction and one that disagrees, with their figures; then the other sources."""
    by_id = {citation.source_id: citation for citation in citations}
    lines: list[str] = []
    told: set[str] = set()
    for carried in _carrying(results):
        weight = carried.figure
        citation = by_id[weight.source_id]
        told.add(citation.source_id)
        endpoint = knowledge.vocabulary.endpoints[weight.endpoint]
        where = f" ({weight.cohort})" if weight.cohort != "all" else ""
        when = f" at {language.weeks(weight.weeks)}" if weight.weeks else ""
        share = f"carries {carried.share:.0f} % of that prediction" if carried.share >= 1 else "carries less than 1 %"
        disagrees = "" if weight.agrees else "; **disagrees with the other trials**"
        lines.append(
            f"- [{citation.number}] **{weight.trial}**{where}, {weight.arm}{when}: {published_figure(weight, endpoint)}; "
            f"{share}{disagrees}. {_identifier(citation)}, {citation.grade}."
        )
    for citation in citations:
        if citation.source_id not in told:
            lines.append(
                f"- [{citation.number}] {citation.title.rstrip('.')}. {_identifier(citation)}, {citation.grade}."
            )
    return "\n".join(lines)


def published_figure(weight: EvidenceWeight, endpoint: Endpoint) -> str:
    """'HbA1c change −1.4 %-points', or of a ratio 'death from any cause, hazard ratio 0.83 against placebo'."""
    if weight.unit.endswith("ratio"):
        figure = f"{endpoint.label}, {weight.unit} {language.number(weight.value, 2)}"
    else:
        figure = f"{endpoint.label} {language.number(weight.value, 1)} {weight.unit or endpoint.unit}"
    return f"{figure} against {weight.against}" if weight.against else figure


@dataclass(frozen=True)
class _Carried:
    """A trial's share of a prediction (%), and its heaviest figure."""

    figure: EvidenceWeight
    share: float


def _carrying(results: Sequence[ToolResult]) -> list[_Carried]:
    """For each endpoint the trials that carry most of it, and the heaviest that disagrees."""
    chosen: list[_Carried] = []
    for result in results:
        groups: dict[tuple[str, str], list[EvidenceWeight]] = {}
        for weight in getattr(result, "evidence", ()):
            groups.setdefault((weight.endpoint, weight.trial), []).append(weight)
        trials = [
            _Carried(max(group, key=lambda w: w.weight), sum(w.weight for w in group)) for group in groups.values()
        ]
        for endpoint in dict.fromkeys(name for name, _ in groups):
            ranked = sorted((t for t in trials if t.figure.endpoint == endpoint), key=lambda t: -t.share)
            chosen += ranked[:CARRYING] + [t for t in ranked[CARRYING:] if not t.figure.agrees][:1]
    return chosen


def _identifier(citation: Citation) -> str:
    if citation.pmid:
        return f"PMID {citation.pmid}"
    return f"doi:{citation.doi}" if citation.doi else citation.source_id


def _planner_notes(outcome: Outcome) -> tuple[str, ...]:
    notes = outcome.plan.notes if outcome.plan is not None else ()
    return tuple(note for note in notes if not note.startswith(GIVEN))


def _unique(items: object) -> tuple[str, ...]:
    return tuple(dict.fromkeys(items))  # type: ignore[call-overload]


def _list(items: Sequence[str]) -> str:
    return "\n".join(f"- {language.sentence_case(item.rstrip('.'))}." for item in items)
