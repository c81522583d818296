"""On what a chat model may have a tool work, once it has read what others wrote: a second line behind `quoting`.

A drug or an archetype that it names must have been named by the person who asks, by the question's own plan, or by an
identifier or arm of a result. A name that only a passage holds may be what somebody planted there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from assistant.topics import classes_of
from assistant.understanding import CONTROLS
from knowledge.base import KnowledgeBase
from knowledge.errors import CohortTwinError
from personas.library import PersonaLibrary
from personas.resolve import resolve_cohort
from tools.schemas import ToolResult


class Bounds:
    """What may be named in the tool calls of one run.

    Parameters
    ----------
    said : the question and the conversation before it.
    planned : arguments of the calls that the question's own plan makes.
    """

    def __init__(
        self,
        said: Sequence[str],
        planned: Sequence[dict[str, Any]],
        knowledge: KnowledgeBase,
        personas: PersonaLibrary,
    ) -> None:
        self._vocabulary, self._personas = knowledge.vocabulary, personas
        spoken = "\n".join(said)
        self._drugs = self._drugs_of(spoken) | self._drugs_of("\n".join(_texts(planned))) | set(CONTROLS)
        classes = set(classes_of(spoken))
        self._drugs |= {name for name, drug in self._vocabulary.drugs.items() if drug.drug_class in classes}
        self._archetypes = set(_archetypes(planned)) | {name for name in personas.ids() if name in spoken}

    def strange(self, arguments: dict[str, Any], results: Sequence[ToolResult]) -> str:
        """The drug or archetype of a call that nobody but a text could have named; nothing when the call may run.

        Parameters
        ----------
        results : what the model has read; before it has read a text of others it may name what it likes.
        """
        if not any(result.passages or getattr(result, "preferences", ()) for result in results):
            return ""
        arms = "\n".join(estimate.arm for result in results for estimate in result.estimates)
        drugs = self._drugs | self._drugs_of(arms)
        strange = sorted(self._drugs_of("\n".join(_texts(arguments))) - drugs)
        return strange[0] if strange else self._strange_cohort(arguments, results)

    def _strange_cohort(self, arguments: dict[str, Any], results: Sequence[ToolResult]) -> str:
        known = set(self._archetypes)
        for result in results:
            known |= set(_archetypes(result.model_dump(mode="json", include={"cohort"})))
        for name in [name for name in known if name in self._personas]:
            known |= set(self._personas.ancestors(name))
        wanted = [name for name in _archetypes(arguments) if name in self._personas]
        described = arguments.get("text")
        if isinstance(described, str):
            try:
                spec = resolve_cohort(described, self._personas)
            except CohortTwinError:
                return ""  # the tool says what is wrong with it
            wanted += _archetypes(spec.model_dump(mode="json")) if spec else []
        return next((name for name in wanted if name not in known), "")

    def _drugs_of(self, text: str) -> set[str]:
        return {mention.drug for mention in self._vocabulary.find_drugs(text)}


def _archetypes(value: Any) -> list[str]:
    """Each `persona_id` of a JSON-like value."""
    if isinstance(value, dict):
        own = value.get("persona_id")
        rest = [name for item in value.values() for name in _archetypes(item)]
        return [own, *rest] if isinstance(own, str) and own else rest
    if isinstance(value, list | tuple):
        return [name for item in value for name in _archetypes(item)]
    return []


def _texts(value: Any) -> Iterator[str]:
    """Each text of a JSON-like value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
