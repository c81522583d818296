"""Scores the offline planner's plans: right tool, cohort, treatments, doses, endpoints and horizon; right refusals.

No prediction is made. Where the plan calls a prediction tool, the tool's own first step (does the dose exist, is there
any trial in such people) is run as well, because a call that the tool refuses ends as a refusal.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import yaml
from pydantic import Field

from assistant import calls
from assistant.planner import OfflinePlanner
from assistant.plans import Call, Draft
from assistant.prototypes import Embed
from assistant.schemas import Status
from assistant.understanding import DEFAULT_HORIZON_WEEKS, Intent
from evals.routing_cases import FIRST, Act, Cohort, Dosed, Half, RoutingCase, comparable
from evals.scorers import wilson
from knowledge.base import KnowledgeBase
from knowledge.errors import CohortTwinError
from knowledge.retrieval import LiteratureRetriever
from knowledge.schemas import Frozen
from personas.library import PersonaLibrary
from personas.schemas import CohortSpec
from tools.catalog import build_registry
from tools.context import ToolContext
from tools.response.asking import read_question
from tools.response.doses import convert_dose
from tools.response.engine import engine_for
from tools.response.schemas import TreatmentInput

SLOTS = ("cohort", "intervention", "dose", "endpoint", "horizon", "inputs")
ROUNDING = 0.02  # relative: '6 months' is 26 weeks, or 26.1
PREDICTS = {
    calls.SIMULATE: Act.SIMULATE,
    calls.COMPARE: Act.COMPARE,
    calls.RANK: Act.RANK,
    calls.RESPONDERS: Act.RESPONDERS,
    calls.EXPLAIN: Act.EXPLAIN,
    calls.STOP: Act.STOP,
}
OF_ONE_ENDPOINT = (Act.RESPONDERS, Act.EXPLAIN)


class Planned(Frozen):
    """What the planner would do with a question.

    `act` is what becomes of it, `chosen` what the planner chose: they differ where the tool refuses.
    `tool` and `given` are of a simulation: its name and its arguments.
    """

    act: Act
    chosen: Act
    cohort: Cohort | None = None
    treatments: tuple[Dosed, ...] = ()
    endpoints: frozenset[str] = frozenset()
    weeks: float | None = None
    refusal: str = ""
    tool: str = ""
    given: dict[str, Any] = Field(default_factory=dict)


class Verdict(Frozen):
    """A case and how its plan compares; `slots` holds only those that are scored.

    `answerable` is False where the tool refuses the right plan as well: the evidence base has no figure for it.
    """

    case: RoutingCase
    planned: Planned
    act_right: bool
    slots: dict[str, bool]
    answerable: bool = True

    @property
    def right(self) -> bool:
        """True when nothing is wrong."""
        return self.act_right and all(self.slots.values())


class Share(Frozen):
    """`k` of `n`, with the Wilson interval of 95 %."""

    name: str
    k: int
    n: int

    @property
    def value(self) -> float:
        """0-1; 0 of 0 is 1: nothing was wrong."""
        return self.k / self.n if self.n else 1.0

    @property
    def brief(self) -> str:
        """'95 of 100, 95.0 % (88.8 to 97.8 %)'."""
        low, high = wilson(self.k, self.n)
        return f"{self.k} of {self.n}, {100 * self.value:.1f} % ({100 * low:.1f} to {100 * high:.1f} %)"

    def __str__(self) -> str:
        return f"{self.name:<22}{self.brief}"


class FirstScore(Frozen):
    """How a set scored on the right tool when it was first seen."""

    name: str
    n: int = Field(ge=1)
    k: int = Field(ge=0)
    k_prototypes: int | None = None

    @property
    def rules(self) -> str:
        """By rules alone, with the Wilson interval."""
        return Share(name=self.name, k=self.k, n=self.n).brief

    @property
    def prototypes(self) -> str:
        """With the sentence prototypes; empty where that was not measured."""
        return "" if self.k_prototypes is None else Share(name=self.name, k=self.k_prototypes, n=self.n).brief


def load_first_scores() -> list[FirstScore]:
    """The first scores of the later sets, in file order."""
    content: dict[str, dict[str, int]] = yaml.safe_load(FIRST.read_text(encoding="utf-8"))
    return [FirstScore.model_validate({"name": name, **counts}) for name, counts in content.items()]


class Router:
    """Plans questions over one knowledge base."""

    def __init__(self, knowledge: KnowledgeBase, personas: PersonaLibrary, embed: Embed | None = None) -> None:
        tools = frozenset(declared.name for declared in build_registry())
        self._planner = OfflinePlanner(knowledge=knowledge, personas=personas, tools=tools, embed=embed)
        self._context = ToolContext(knowledge=knowledge, personas=personas, retriever=_no_search)
        self._drugs = knowledge.vocabulary.drugs

    def plan(self, question: str, after: Sequence[str] = ()) -> Planned:
        """The plan of a question as it is scored."""
        draft = self._planner.draft(question, after)
        simulation = draft.understood.simulation
        if draft.understood.intent is Intent.SIMULATION and simulation is not None:
            act = _act(draft)
            given = draft.calls[0].arguments if draft.calls else {}
            return Planned(act=act, chosen=act, tool=simulation.tool, given=given)
        return self.planned(_act(draft), draft.calls)

    def planned(self, chosen: Act, calls: Sequence[Call]) -> Planned:
        """The plan that these calls make."""
        call = next((call for call in calls if call.tool in PREDICTS), None)
        if call is None:
            about = next((call for call in calls if "cohort" in call.arguments), None)
            return Planned(act=chosen, chosen=chosen, cohort=_cohort_of(about) if about else None)
        arguments = call.arguments
        endpoints = arguments.get("endpoints", ()) or ([arguments["endpoint"]] if "endpoint" in arguments else ())
        refusal = self._refusal(arguments)
        return Planned(
            act=Act.ABSTAIN if refusal else chosen,
            chosen=chosen,
            cohort=_cohort_of(call),
            treatments=tuple(_dosed(one) for one in _treatments(arguments)),
            endpoints=frozenset(endpoints),
            weeks=arguments.get("horizon_weeks", arguments.get("weeks_off")),
            refusal=refusal,
        )

    def judge(self, case: RoutingCase, planned: Planned | None = None) -> Verdict:
        """Compare a plan with what is right: the offline planner's, or one that was made otherwise."""
        planned = planned or self.plan(case.question, case.after)
        answerable = not planned.refusal or not self._refuses_what_is_right(case)
        act = planned.act if answerable else planned.chosen
        slots: dict[str, bool] = {}
        if not case.refused and case.who:
            slots["cohort"] = planned.cohort in case.who
        if case.drugs and planned.treatments:
            slots |= {
                "intervention": _names(planned.treatments) == _names(case.drugs),
                "dose": self._doses_right(case.drugs, planned.treatments),
                "endpoint": _endpoints_right(case, planned),
            }
        elif case.drugs and Act.ABSTAIN not in case.do:
            slots |= dict.fromkeys(("intervention", "dose", "endpoint"), False)
        if (slots.keys() - {"cohort"} or (case.weeks and not case.refused)) and case.weeks != 0:
            slots["horizon"] = self._horizon_right(case, planned)
        right = act in case.do
        if case.tool and act in (Act.COMPUTE, Act.ASK):
            right = right and planned.tool in case.tool
        if case.given and act is Act.COMPUTE:
            slots["inputs"] = all(_same(argument(planned.given, path), value) for path, value in case.given.items())
        return Verdict(case=case, planned=planned, act_right=right, slots=slots, answerable=answerable)

    def _horizon_right(self, case: RoutingCase, planned: Planned) -> bool:
        """As it was said; where nobody said one, a time at which trials of these drugs do report."""
        if case.weeks is not None:
            return _close(planned.weeks, case.weeks)
        if planned.chosen is Act.STOP and planned.weeks is None:
            return True  # the tool's own time
        names = _names(case.drugs)
        studied = {arm.weeks for arm in self._context.knowledge.arms.arms if arm.intervention in names and arm.weeks}
        return planned.weeks in studied or (not studied and planned.weeks == DEFAULT_HORIZON_WEEKS)

    def _doses_right(self, wanted: Sequence[Dosed], planned: Sequence[Dosed]) -> bool:
        by_name = {one.name: one for one in planned}
        return all(self._same_dose(one, by_name.get(one.name)) for one in wanted if one.scored)

    def _same_dose(self, wanted: Dosed, planned: Dosed | None) -> bool:
        if planned is None or wanted.dose is None or planned.dose is None:
            return planned is not None and wanted.dose == planned.dose
        drug = self._drugs[wanted.name]
        return _close(
            convert_dose(planned.dose, planned.unit, drug.frequency, drug),
            convert_dose(wanted.dose, wanted.unit, drug.frequency, drug),
        )

    def _refuses_what_is_right(self, case: RoutingCase) -> bool:
        """Would the tool refuse the plan that the case calls right?"""
        if case.refused or not case.who or not case.drugs:
            return False
        right = case.who[0]
        treatments = [
            {"intervention": one.name} | ({"dose": one.dose, "dose_unit": one.unit} if one.dose is not None else {})
            for one in case.drugs
        ]
        endpoints = [sorted(wanted.names)[0] for wanted in case.see if not wanted.optional]
        if "+" in right.persona_id:
            return False  # the case does not say how large the parts of the mixture are
        cohort = {"persona_id": right.persona_id, "restrictions": sorted(right.restrictions)}
        return bool(self._refusal({"cohort": cohort, "treatments": treatments, "endpoints": endpoints}))

    def _refusal(self, arguments: dict[str, Any]) -> str:
        """What the tool would refuse for before it predicts anything; empty when it would go on."""
        try:
            engine = engine_for(self._context.knowledge, self._context.view)
            treatments = [TreatmentInput.model_validate(one) for one in _treatments(arguments)]
            if not treatments:
                return ""
            if len(treatments) == 1:
                treatments.append(TreatmentInput(intervention="placebo"))
            endpoints = arguments.get("endpoints", ()) or [e for e in (arguments.get("endpoint"),) if e]
            read_question(engine, treatments, endpoints, CohortSpec.model_validate(arguments["cohort"]), self._context)
        except CohortTwinError as error:
            return f"{type(error).__name__}: {error.message}"
        return ""


def scores(verdicts: Sequence[Verdict]) -> list[Share]:
    """Tool choice, each slot, all slots, refusals found, answers wrongly refused, and questions with nothing wrong."""
    shares = [Share(name="tool choice", k=sum(v.act_right for v in verdicts), n=len(verdicts))]
    for slot in SLOTS:
        scored = [v.slots[slot] for v in verdicts if slot in v.slots]
        shares.append(Share(name=f"slot {slot}", k=sum(scored), n=len(scored)))
    every = [right for v in verdicts for right in v.slots.values()]
    shares.append(Share(name="all slots", k=sum(every), n=len(every)))
    refused = [v for v in verdicts if v.case.refused]
    shares.append(Share(name="refuses where due", k=sum(v.planned.act.refuses for v in refused), n=len(refused)))
    answered = [v for v in verdicts if v.answerable and not any(act.refuses for act in v.case.do)]
    wrongly = sum(v.planned.act.refuses for v in answered)
    shares.append(Share(name="refuses wrongly", k=wrongly, n=len(answered)))
    shares.append(Share(name="nothing wrong", k=sum(v.right for v in verdicts), n=len(verdicts)))
    return shares


def of_half(verdicts: Sequence[Verdict], half: Half) -> list[Verdict]:
    """The verdicts of one half."""
    return [verdict for verdict in verdicts if verdict.case.half is half]


def failure(verdict: Verdict) -> str:
    """What is wrong with a plan, in two lines."""
    case, planned = verdict.case, verdict.planned
    wrong = [name for name, right in verdict.slots.items() if not right]
    if not verdict.act_right:
        wrong.insert(0, f"does {planned.act} instead of {'|'.join(case.do)}")
    got = f"{planned.cohort} {[(t.name, t.dose, t.unit) for t in planned.treatments]} {sorted(planned.endpoints)} {planned.weeks}"
    asked = " / ".join((*case.after, case.question))
    return f"{case.kind}: {asked}\n    wrong: {', '.join(wrong)}; got {got} {planned.refusal}"


def _act(draft: Draft) -> Act:
    if draft.reply:
        if draft.status is Status.REDIRECTED:
            return Act.EMERGENCY if draft.understood.intent is Intent.EMERGENCY else Act.REDIRECT
        return Act.ASK if draft.status is Status.NEEDS_INPUT else Act.ABSTAIN
    if draft.refusal:
        return Act.ABSTAIN
    return act_of([call.tool for call in draft.calls])


def act_of(tools: Sequence[str]) -> Act:
    """What is done by calling these tools."""
    if any(tool in calls.SIMULATIONS for tool in tools):
        return Act.COMPUTE
    predicted = next((PREDICTS[tool] for tool in tools if tool in PREDICTS), None)
    return predicted or (Act.DESCRIBE if "describe_cohort" in tools else Act.SEARCH)


def argument(arguments: Any, path: str) -> Any:
    """The value at 'groups.0.people'; None where there is none."""
    for part in path.split("."):
        if isinstance(arguments, list):
            arguments = arguments[int(part)] if part.isdigit() and int(part) < len(arguments) else None
        else:
            arguments = arguments.get(part) if isinstance(arguments, dict) else None
    return arguments


def _same(one: Any, other: float | str) -> bool:
    if isinstance(one, int | float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=1e-6)
    return bool(one == other)


def _cohort_of(call: Call) -> Cohort:
    cohort = call.arguments["cohort"]
    return Cohort(
        persona_id=cohort.get("persona_id") or "+".join(part["persona_id"] for part in cohort["mixture"]),
        restrictions=frozenset(comparable(text) for text in cohort["restrictions"]),
    )


def _treatments(arguments: dict[str, Any]) -> list[dict[str, Any]]:
    named = list(arguments.get("treatments", ()))
    return named or [arguments[key] for key in ("treatment", "comparator") if arguments.get(key)]


def _dosed(arguments: dict[str, Any]) -> Dosed:
    return Dosed(name=arguments["intervention"], dose=arguments.get("dose"), unit=arguments.get("dose_unit") or "")


def _names(treatments: Sequence[Dosed]) -> set[str]:
    return {one.name for one in treatments}


def _endpoints_right(case: RoutingCase, planned: Planned) -> bool:
    """None that nobody named, and at least one of each that was; of tools that take one endpoint, one of them."""
    accepted = {name for wanted in case.see for name in wanted.names}
    found = [wanted.optional or bool(planned.endpoints & wanted.names) for wanted in case.see]
    enough = any(found) or not found if planned.chosen in OF_ONE_ENDPOINT else all(found)
    return planned.endpoints <= accepted and enough


def _close(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return False
    return abs(one - other) <= ROUNDING * abs(other)


def _no_search() -> LiteratureRetriever:
    raise AssertionError("a plan is scored without a search")


def report(verdicts: Sequence[Verdict]) -> str:
    """Both halves side by side as Markdown, by measure and by kind; only failures of the development half are listed."""
    halves = {half: of_half(verdicts, half) for half in Half}
    counts = ", ".join(f"{len(found)} in the {half} half" for half, found in halves.items())
    lines = [
        "# Does the offline planner understand questions?",
        "",
        f"{len(verdicts)} questions as people type them: {counts} (by a hash of the text). Up to `later`, rules were "
        "changed only after looking at failures of the development half; of the sets after it all failures were looked at. "
        "In brackets: 95 % Wilson intervals. Questions and rules are by the same hands, so both halves flatter. What to "
        "expect of a question nobody has seen is in the second table.",
        "",
        "| Measure | " + " | ".join(f"{half} half" for half in halves) + " |",
        "|---|" + "---|" * len(halves),
    ]
    for shares in zip(*(scores(found) for found in halves.values()), strict=True):
        lines.append(f"| {shares[0].name} | " + " | ".join(share.brief for share in shares) + " |")
    lines += ["", "| Set, when it was first seen | Right tool by rules | With sentence prototypes |", "|---|---|---|"]
    lines += [f"| {one.name} | {one.rules} | {one.prototypes} |" for one in load_first_scores()]
    lines += ["", "| Kind | Questions | Nothing wrong |", "|---|---|---|"]
    for kind in dict.fromkeys(verdict.case.kind for verdict in verdicts):
        of_kind = [verdict for verdict in verdicts if verdict.case.kind == kind]
        lines.append(f"| {kind.replace('_', ' ')} | {len(of_kind)} | {sum(v.right for v in of_kind)} |")
    failed = [failure(verdict) for verdict in halves[Half.DEVELOPMENT] if not verdict.right]
    lines += ["", "## What fails in the development half", "", *(f"- {text}" for text in failed)]
    return "\n".join(lines) + "\n"
