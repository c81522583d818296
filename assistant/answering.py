"""From a run's outcome to the typed answer: headline and sections, citations, confidence, assumptions, limits.

The parts that must never depend on what a model wrote (confidence, evidence list, assumptions, limits) are made here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from assistant import language
from assistant.confidence import assess
from assistant.grades import grade
from assistant.runner import Outcome
from assistant.schemas import Answer, Citation, Question, Section, Status
from assistant.settings import Settings
from knowledge.base import KnowledgeBase
from tools.schemas import ToolResult

_MARK = re.compile(r"\[((?:pmid|doi|nct|web)-[a-z0-9.\-]+)\]", re.IGNORECASE)
NOT_ADVICE = "Not advice for an individual: this is about groups of people."
MAX_SOURCES = 12


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
        confidence = assess(results)
        assumptions = _unique(note for result in results for note in result.assumptions) + _planner_notes(outcome)
        limits = _unique(warning for result in results for warning in result.warnings) + outcome.notes + (NOT_ADVICE,)
        if outcome.status in (Status.ANSWERED, Status.PARTIAL):
            sections = [*sections, Section(title="How sure?", body=confidence.sentence)]
            evidence = _evidence_table(results, citations)
            if evidence:
                sections.append(Section(title="Evidence", body=evidence))
            if assumptions:
                sections.append(Section(title="Assumed", body=_list(assumptions)))
        if outcome.removed:
            sections.append(
                Section(title="Removed", body=f"{len(outcome.removed)} sentence(s) held a number that no tool computed and no source states; they were taken out.")
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
            charts=tuple(chart for result in results for chart in result.charts),
            confidence=confidence,
            citations=tuple(citations),
            assumptions=assumptions,
            limits=limits,
            removed=outcome.removed,
            next_questions=_next_questions(outcome),
            steps=outcome.steps,
            model=outcome.model,
            seed=question.seed,
            evidence_hash=self._knowledge.evidence_hash(question.view),
        )

    def _cite(self, text: str, results: Sequence[ToolResult]) -> tuple[str, list[Citation]]:
        """Number the sources in the order they carry the answer, then those the text cites; drop unknown marks."""
        available = dict.fromkeys(
            weight.source_id for result in results for weight in getattr(result, "evidence", ()) if weight.source_id
        )
        named = [match.lower() for match in _MARK.findall(text)]
        returned = {source_id for result in results for source_id in result.source_ids}
        returned |= {hit.source.source_id for result in results for hit in result.passages} | set(available)
        returned |= {s.source_id for result in results for s in getattr(result, "preferences", ()) if s.source_id}
        order = [*list(available)[:MAX_SOURCES], *(name for name in named if name in returned)]
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
    title, body = "In short", []
    for line in lines[1:]:
        if line.startswith("### ") or line.startswith("## "):
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
        return f"## Stopped before the answer was written\n\nThe tools had computed this much.\n\n### Computed\n\n{rows}"
    return "## No answer\n\nThe question ended before any prediction was made. Ask again, or ask something narrower."


def _evidence_table(results: Sequence[ToolResult], citations: Sequence[Citation]) -> str:
    """The trials that carry the prediction, heaviest first; then the other sources cited."""
    weights = [weight for result in results for weight in getattr(result, "evidence", ())]
    by_id = {citation.source_id: citation for citation in citations}
    heaviest: dict[str, float] = {}
    for weight in weights:
        heaviest[weight.source_id] = max(heaviest.get(weight.source_id, 0.0), float(getattr(weight, "weight", 0.0)))
    lines = []
    for citation in sorted(citations, key=lambda c: (-heaviest.get(c.source_id, 0.0), c.number)):
        trial = next((w.trial for w in weights if w.source_id == citation.source_id), "")
        share = heaviest.get(citation.source_id)
        carried = f", carries {100 * share:.0f} % of a prediction" if share and share >= 0.005 else ""
        identifier = f"PMID {citation.pmid}" if citation.pmid else f"doi:{citation.doi}" if citation.doi else citation.source_id
        name = f"**{trial}** – " if trial else ""
        where = f", {citation.locator}" if citation.locator else ""
        lines.append(f"- [{citation.number}] {name}{citation.title.rstrip('.')}. {identifier}{where}. {by_id[citation.source_id].grade}{carried}.")
    return "\n".join(lines)


def _planner_notes(outcome: Outcome) -> tuple[str, ...]:
    return tuple(outcome.plan.notes) if outcome.plan is not None else ()


def _next_questions(outcome: Outcome) -> tuple[str, ...]:
    """What a reader would ask next; each can be typed as it stands."""
    plan = outcome.plan
    if plan is None or outcome.status is not Status.ANSWERED or not plan.interventions or not plan.population:
        return ()
    drug = plan.interventions[0]
    who = plan.population
    return (
        f"How would women among {who} react to {drug}?",
        f"What is published about adherence to {drug.split(' ')[0]}?",
        f"How does {drug} compare with empagliflozin 25 mg in {who}?",
    )


def _unique(items: object) -> tuple[str, ...]:
    return tuple(dict.fromkeys(items))  # type: ignore[call-overload]


def _list(items: Sequence[str]) -> str:
    return "\n".join(f"- {language.sentence_case(item.rstrip('.'))}." for item in items)
