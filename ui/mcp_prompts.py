"""Prompt templates by role, for MCP hosts that offer them to people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mcp import types

from knowledge.errors import InvalidInput, UsageError

if TYPE_CHECKING:
    from assistant.service import Assistant

_RULES = (
    "Use the tools of Cohort Twin; repeat their numbers as they stand, with interval, unit and source, and add none of your "
    "own. Say how sure the answer is in the words of its confidence sentence, and what was assumed or is not covered. "
    "End with the run id."
)
_LONGEST = 500  # characters of an argument

_COHORT = ("cohort", "who: age, disease, other conditions", True)
_TREATMENT = ("treatment", "drug, dose and how often", True)
_WEEKS = ("weeks", "over how many weeks", False)


class UnknownPrompt(UsageError):
    """There is no prompt template of this name."""


@dataclass(frozen=True)
class _Template:
    title: str
    description: str
    arguments: tuple[tuple[str, str, bool], ...]
    text: str


PROMPTS = {
    "clinician": _Template(
        "Clinician: what to expect",
        "How a cohort would respond to a treatment, what to tell people, what speaks against it.",
        (_COHORT, _TREATMENT, _WEEKS),
        "How would {cohort} react to {treatment}{weeks}? Give the expected change and its interval, the share who respond, "
        "side effects and stopping, and what kind of evidence it stands on.",
    ),
    "trial_designer": _Template(
        "Trial designer: what a new trial would find",
        "The predicted difference between two treatments and how much trials vary.",
        (_COHORT, _TREATMENT, ("comparator", "what it is compared with", True), _WEEKS),
        "How does {treatment} compare with {comparator} in {cohort}{weeks}? Give the difference, where 90 % of new trials "
        "would fall, and which published trials carry the prediction.",
    ),
    "health_economist": _Template(
        "Health economist: who gains, who stays on it",
        "Response, adherence, stopping and what is published about cost.",
        (_COHORT, _TREATMENT, _WEEKS),
        "What share of {cohort} would respond to {treatment}{weeks}, what share would stop, and what is published about "
        "adherence and cost? Keep predictions and quoted figures apart.",
    ),
    "public_health_planner": _Template(
        "Public-health planner: which sub-cohort gains most",
        "How the response differs between sub-cohorts, and how surely.",
        (_COHORT, _TREATMENT),
        "Which sub-cohort of {cohort} gains most from {treatment}, and how surely does it gain more than the others? Name the "
        "sub-cohorts about whom nothing is published.",
    ),
    "market_access": _Template(
        "Market access: rank the alternatives",
        "All treatments that have trials, ranked for a cohort and an outcome.",
        (_COHORT, ("outcome", "for example HbA1c change or body-weight change", True)),
        "Rank the treatments for {cohort} by {outcome}. Give the probability that each is best, and say which comparisons "
        "stand on few trials.",
    ),
}  # fmt: skip


def list_prompts(_assistant: Assistant, _request: Any) -> types.ServerResult:
    """The templates with their arguments."""
    prompts = [
        types.Prompt(
            name=name,
            title=template.title,
            description=template.description,
            arguments=[
                types.PromptArgument(name=key, description=told, required=needed)
                for key, told, needed in template.arguments
            ],
        )
        for name, template in PROMPTS.items()
    ]
    return types.ServerResult(types.ListPromptsResult(prompts=prompts))


def get_prompt(_assistant: Assistant, request: types.GetPromptRequest) -> types.ServerResult:
    """A template filled in (UnknownPrompt; InvalidInput names what is missing)."""
    template = PROMPTS.get(request.params.name)
    if template is None:
        raise UnknownPrompt(
            f"There is no prompt called '{request.params.name[:80]}'.", f"There are: {', '.join(PROMPTS)}."
        )
    given = {key: " ".join(value.split())[:_LONGEST] for key, value in (request.params.arguments or {}).items()}
    missing = [key for key, _, needed in template.arguments if needed and not given.get(key)]
    if missing:
        raise InvalidInput(f"The prompt needs: {', '.join(missing)}.")
    strange = sorted(set(given) - {key for key, _, _ in template.arguments})
    if strange:
        raise InvalidInput(f"The prompt has no argument '{strange[0][:40]}'.")
    given["weeks"] = f" over {given['weeks']} weeks" if given.get("weeks") else ""
    message = types.PromptMessage(
        role="user", content=types.TextContent(type="text", text=f"{template.text.format_map(given)}\n\n{_RULES}")
    )
    return types.ServerResult(types.GetPromptResult(description=template.description, messages=[message]))
