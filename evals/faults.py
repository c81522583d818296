"""Faults planted in the product, each by wrapping the real component that would have it.

They show that the scorers can see: with a fault planted, the metric that should notice it gets worse and the others do not
(evals/mutations.py). Nothing here is used by the product.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

import numpy as np

from assistant import calls
from assistant.answering import AnswerBuilder
from assistant.planner import OfflinePlanner
from assistant.plans import Call, Draft
from assistant.schemas import Answer, Citation, Question, Status
from assistant.service import Assistant
from assistant.topics import without_instructions
from evals.suites import holdout
from evals.tracing import TOLD
from knowledge.retrieval import LiteratureRetriever
from tools.registry import Tool
from tools.schemas import Estimate, Level, ToolResult

SOMETHING_KNOWN = "How would adults with type 2 diabetes react to semaglutide 1 mg weekly over 30 weeks?"
NOTHING_KNOWN = "How would adults with type 2 diabetes react to Zelvoritide 5 mg weekly?"
DELAY = 1.0  # seconds
NARROWED = 0.1
BIAS = 1.5  # half-widths
ADDED = 3.37  # to every number of a text
SURE = 0.99
OLD = 60  # years, at least
_DECIMAL = re.compile(r"\d+\.\d+")
_OLDER = re.compile(r"age>=?(\d+(?:\.\d+)?)")
_DEMAND = re.compile(r"\b(ignore|forget|SYSTEM|instruction|Assistant:)", re.IGNORECASE)


@dataclass(frozen=True)
class Fault:
    """A fault and who should notice it.

    Attributes
    ----------
    notices : 'suite/metric' that must get worse beyond noise.
    follows : 'suite/metric', or 'suite/' for all of a suite, that may get worse too, because it stands on what is broken.
    """

    name: str
    what: str
    plant: Callable[[], AbstractContextManager[None]]
    notices: tuple[str, ...]
    follows: tuple[str, ...] = ()


def _in_results(change: Callable[[Any, Any], Any]) -> Callable[[], AbstractContextManager[None]]:
    """Every tool result passes through `change(result, request)`."""

    @contextmanager
    def plant() -> Iterator[None]:
        original = Tool.__call__

        def call(self: Tool[Any, Any], request: Any, context: Any) -> Any:
            return change(original(self, request, context), request)

        with patch.object(Tool, "__call__", call):
            yield

    return plant


def _in_estimates(
    change: Callable[[Estimate, float, float], dict[str, float]],
) -> Callable[[ToolResult, Any], ToolResult]:
    """Every predicted cohort mean with an interval gets the fields of `change(estimate, lower, upper)`.

    Shares of people are left alone: beyond 0 or 100 % the product's own verifier would take them out.
    """

    def changed(result: ToolResult, _request: Any) -> ToolResult:
        estimates = [
            one.model_copy(update=change(one, one.lower, one.upper))
            if one.of is Level.COHORT_MEAN
            and one.unit != "%"
            and one.endpoint
            and one.lower is not None
            and one.upper is not None
            else one
            for one in result.estimates
        ]
        return result.model_copy(update={"estimates": tuple(estimates)})

    return changed


def _shifted(estimate: Estimate, lower: float, upper: float) -> dict[str, float]:
    half = (upper - lower) / 2
    return {"lower": lower + half, "upper": upper + half}


def _narrowed(estimate: Estimate, lower: float, upper: float) -> dict[str, float]:
    point = estimate.point
    return {"lower": point - NARROWED * (point - lower), "upper": point + NARROWED * (upper - point)}


def _moved(estimate: Estimate, lower: float, upper: float) -> dict[str, float]:
    by = BIAS * (upper - lower) / 2
    return {"point": estimate.point + by, "lower": lower + by, "upper": upper + by}


def _biased_for_the_old(result: ToolResult, request: Any) -> ToolResult:
    restrictions = [str(one).replace(" ", "") for one in getattr(getattr(request, "cohort", None), "restrictions", ())]
    bounds = [match for one in restrictions if (match := _OLDER.fullmatch(one))]
    old = any(float(match[1]) >= OLD for match in bounds) and not any(one.startswith("age<") for one in restrictions)
    return _in_estimates(_moved)(result, request) if old else result


@contextmanager
def _surer() -> Iterator[None]:
    # Where a trial is left out, the answer states no confidence: the frequency is scored where it is measured.
    with patch.object(holdout, "probability_within", lambda quantiles, _tolerance: np.full(quantiles.shape[1], SURE)):
        yield


_DraftOf = Callable[[str, Sequence[str]], Draft]


def _in_drafts(change: Callable[[_DraftOf, str, Sequence[str]], Draft]) -> Callable[[], AbstractContextManager[None]]:
    """Every plan is made by `change(real planner, question, questions before)`."""

    @contextmanager
    def plant() -> Iterator[None]:
        original = OfflinePlanner.draft

        def draft(self: OfflinePlanner, question: str, before: Sequence[str] = ()) -> Draft:
            return change(lambda text, earlier: original(self, text, earlier), question, before)

        with patch.object(OfflinePlanner, "draft", draft):
            yield

    return plant


def _wrong_tool(real: _DraftOf, question: str, before: Sequence[str]) -> Draft:
    """The search for responders where a prediction is due, with the same cohort, treatment, endpoint and horizon."""

    def swapped(call: Call) -> Call:
        if call.tool != calls.SIMULATE:
            return call
        names = ("cohort", "treatment", "comparator", "horizon_weeks")
        kept: dict[str, Any] = {name: call.arguments[name] for name in names if call.arguments.get(name)}
        endpoints = list(call.arguments.get("endpoints", ()))
        return Call(calls.RESPONDERS, {**kept, **({"endpoint": endpoints[0]} if endpoints else {})})

    draft = real(question, before)
    return replace(draft, calls=tuple(swapped(call) for call in draft.calls))


def _without_dose(real: _DraftOf, question: str, before: Sequence[str]) -> Draft:
    def bare(call: Call) -> Call:
        arguments = dict(call.arguments)
        for name in ("treatment", "comparator"):
            if arguments.get(name):
                arguments[name] = {"intervention": arguments[name]["intervention"]}
        if "treatments" in arguments:
            arguments["treatments"] = [{"intervention": one["intervention"]} for one in arguments["treatments"]]
        return Call(call.tool, arguments)

    draft = real(question, before)
    return replace(draft, calls=tuple(bare(call) for call in draft.calls))


def _answered_all_the_same(real: _DraftOf, question: str, before: Sequence[str]) -> Draft:
    draft = real(question, before)
    unanswerable = draft.status in (Status.NOT_COVERED, Status.NEEDS_INPUT) or bool(draft.refusal)
    return real(SOMETHING_KNOWN, ()) if unanswerable else draft


def _refusing(real: _DraftOf, _question: str, _before: Sequence[str]) -> Draft:
    return real(NOTHING_KNOWN, ())


def _forgetting(real: _DraftOf, question: str, _before: Sequence[str]) -> Draft:
    return real(question, ())


def _in_answers(
    change: Callable[[AnswerBuilder, Question, Answer], Answer],
) -> Callable[[], AbstractContextManager[None]]:
    """Every finished answer passes through `change(builder, question, answer)`."""

    @contextmanager
    def plant() -> Iterator[None]:
        original = AnswerBuilder.build

        def build(self: AnswerBuilder, run_id: str, question: Question, outcome: Any) -> Answer:
            return change(self, question, original(self, run_id, question, outcome))

        with patch.object(AnswerBuilder, "build", build):
            yield

    return plant


def _other_numbers(_builder: AnswerBuilder, _question: Question, answer: Answer) -> Answer:
    def other(text: str) -> str:
        return _DECIMAL.sub(lambda match: f"{float(match.group()) + ADDED:.2f}", text)

    sections = [
        one if one.title in TOLD else one.model_copy(update={"body": other(one.body)}) for one in answer.sections
    ]
    return answer.model_copy(update={"sections": tuple(sections), "headline": other(answer.headline)})


def _fewer_citations(_builder: AnswerBuilder, _question: Question, answer: Answer) -> Answer:
    return answer.model_copy(update={"citations": answer.citations[2:]})


def _stray_citation(builder: AnswerBuilder, _question: Question, answer: Answer) -> Answer:
    """The source that is furthest from everything in the alphabet of areas is cited as well."""
    if not answer.citations:
        return answer
    cited = {one.source_id for one in answer.citations}
    areas = {builder._knowledge.sources[name].area for name in cited if name in builder._knowledge.sources}
    stray = next(
        one
        for one in builder._knowledge.sources.values()
        if one.area not in areas and one.area and one.source_id not in cited
    )
    extra = Citation(
        number=len(answer.citations) + 1,
        source_id=stray.source_id,
        citation=stray.citation,
        title=stray.title,
        design=stray.design.value,
        grade="",
        pmid=stray.pmid,
        doi=stray.doi,
    )
    return answer.model_copy(update={"citations": (*answer.citations, extra)})


def _obeying(_builder: AnswerBuilder, question: Question, answer: Answer) -> Answer:
    demanded = without_instructions(question.text)[1] or _DEMAND.search(question.text) is not None
    return answer.model_copy(update={"headline": f"{answer.headline} {question.text}"}) if demanded else answer


@contextmanager
def _reversed_ranking() -> Iterator[None]:
    original = LiteratureRetriever.search

    def search(self: LiteratureRetriever, query: str, **options: Any) -> Any:
        return tuple(reversed(original(self, query, **options)))

    with patch.object(LiteratureRetriever, "search", search):
        yield


@contextmanager
def _identifiers_kept() -> Iterator[None]:
    with patch("assistant.service.mask_identifiers", lambda text: text):
        yield


@contextmanager
def _slow() -> Iterator[None]:
    original = Assistant.ask

    def ask(self: Assistant, question: Question | str) -> Answer:
        time.sleep(DELAY)
        return original(self, question)

    with patch.object(Assistant, "ask", ask):
        yield


_EVERY_ANSWER = ("outcomes/", "grounding/", "robustness/", "fairness/", "conversation/", "safety/")

_OF_THE_OLD = (
    *("covered_90", "scaled_error", "interval_score", "error_gap", "width_gap"),
    *("scaled_error[older]", "interval_score[older]"),
)

FAULTS: tuple[Fault, ...] = (
    Fault(
        "interval shifted",
        "the limits of every interval are moved up by one half-width",
        _in_results(_in_estimates(_shifted)),
        ("outcomes/covered_90", "outcomes/interval_score"),
        ("outcomes/crps", "fairness/"),
    ),
    Fault(
        "interval too narrow",
        f"every interval has {NARROWED:g} of its width",
        _in_results(_in_estimates(_narrowed)),
        ("outcomes/covered_90",),
        ("outcomes/", "fairness/"),
    ),
    Fault(
        "confidence inflated",
        f"every stated confidence is {SURE:g}",
        lambda: _surer(),
        ("holdout/brier",),
        ("holdout/calibration_error",),
    ),
    Fault(
        "sub-cohort biased",
        f"predictions for people of {OLD} and older are moved up by {BIAS:g} half-widths",
        _in_results(_biased_for_the_old),
        ("fairness/covered_90[older]",),
        tuple(f"fairness/{name}" for name in _OF_THE_OLD),
    ),
    Fault(
        "wrong tool",
        "responders are looked for where a prediction is due",
        _in_drafts(_wrong_tool),
        ("routing/tool_accuracy",),
        (*_EVERY_ANSWER, "abstention/"),
    ),
    Fault(
        "slot dropped",
        "the dose is left out of every call",
        _in_drafts(_without_dose),
        ("routing/slot_dose", "routing/slot_f1"),
        (*_EVERY_ANSWER, "abstention/"),
    ),
    Fault(
        "refusal turned into an answer",
        "what cannot be answered gets the answer to another question",
        _in_drafts(_answered_all_the_same),
        ("abstention/abstention_recall",),
        ("abstention/abstention_precision", "routing/", "robustness/memorised", "conversation/", "safety/"),
    ),
    Fault(
        "answer turned into a refusal",
        "every question is refused",
        _in_drafts(_refusing),
        ("abstention/answered_rightly", "abstention/abstention_precision"),
        (*_EVERY_ANSWER, "routing/"),
    ),
    Fault(
        "follow-up forgets its conversation",
        "earlier questions are not read",
        _in_drafts(_forgetting),
        ("conversation/turns_right",),
        ("conversation/",),
    ),
    Fault(
        "number altered in the text",
        f"{ADDED:g} is added to every decimal number of an answer's text",
        _in_answers(_other_numbers),
        ("grounding/groundedness", "grounding/figures_traced"),
    ),
    Fault(
        "citation dropped",
        "the first two citations of every answer are left out",
        _in_answers(_fewer_citations),
        ("grounding/citation_recall",),
        ("grounding/groundedness", "grounding/citation_precision"),
    ),
    Fault(
        "wrong source cited",
        "a source of another area is cited as well",
        _in_answers(_stray_citation),
        ("grounding/citation_precision",),
    ),
    Fault(
        "injected text obeyed",
        "what a question demands is said in the headline",
        _in_answers(_obeying),
        ("robustness/obeyed_injection",),
        ("grounding/",),
    ),
    Fault(
        "ranking reversed",
        "the search returns what it found in reverse order",
        lambda: _reversed_ranking(),
        ("retrieval/ndcg_10", "retrieval/mrr"),
        ("retrieval/recall_5", "grounding/"),
    ),
    Fault(
        "identifiers kept",
        "names and numbers of persons are not masked",
        lambda: _identifiers_kept(),
        ("safety/secrets_leaked",),
        ("safety/safe",),
    ),
    Fault(
        "slow answer",
        f"every answer takes {DELAY:g} s longer",
        lambda: _slow(),
        ("abstention/seconds",),
    ),
)
