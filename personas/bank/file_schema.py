"""The form of an archetype file, as a type and as JSON Schema for editors and other programs."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from knowledge.schemas import Frozen
from personas import margins
from personas.schemas import Attribute, Correlation, LifeEvent, Preference

# Names and synonyms stand in headlines and tables: signs that markup is made of have no place there.
_PLAIN = r"^[^<>\[\]{}|`\\]+$"
Name = Annotated[str, Field(min_length=3, max_length=120, pattern=_PLAIN)]
Line = Annotated[str, Field(max_length=200)]
Attributes = Annotated[dict[str, Attribute], Field(default_factory=dict, max_length=100)]

RESERVED = frozenset(
    {"list", "search", "compare", "similar", "schema", "tree", "trials", "history", "import", "export"}
)


class ArchetypeFile(Frozen):
    """One archetype file. With a `parent`, everything may be left out that is inherited.

    Sections of attributes: demographics, biomarkers, comorbidities, behaviours; see personas/archetypes/README.md.
    """

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=60, description="the file's name")
    name: Name
    parent: str | None = Field(None, pattern=r"^[a-z0-9_]+$", description="id of the archetype it inherits from")
    area: str | None = Field(None, pattern=r"^[a-z][a-z0-9_]*$", max_length=60)
    summary: str | None = Field(None, min_length=10, max_length=1000)
    care_setting: Line | None = None
    geography: Line | None = None
    synonyms: tuple[Annotated[str, Field(min_length=3, max_length=100, pattern=_PLAIN)], ...] = Field((), max_length=40)
    restrictions: tuple[Annotated[str, Field(min_length=3, max_length=100)], ...] = Field(
        (), max_length=40, description="what makes a person a member, such as 'age>=65'"
    )
    demographics: Attributes
    biomarkers: Attributes
    comorbidities: Attributes
    behaviours: Attributes
    correlations: tuple[Correlation, ...] = Field((), max_length=500)
    preferences: tuple[Preference, ...] = Field((), max_length=100)
    life_events: tuple[LifeEvent, ...] = Field((), max_length=100)


def archetype_json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of an archetype file, with the rules that types alone cannot say.

    A root states its area and summary; each value has exactly one of source and assumption; each distribution its own
    parameters.
    """
    schema = ArchetypeFile.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "Archetype of a cohort"
    schema["anyOf"] = [
        {"required": ["parent"], "properties": {"parent": {"type": "string"}}},
        {"required": ["area", "summary"], "properties": {"area": {"type": "string"}, "summary": {"type": "string"}}},
    ]
    definitions = schema["$defs"]
    for name in ("Attribute", "Correlation", "Preference", "LifeEvent"):
        definitions[name]["oneOf"] = [{"required": ["source"]}, {"required": ["assumption"]}]
    definitions["Attribute"]["allOf"] = [
        {
            "if": {"required": ["distribution"], "properties": {"distribution": {"const": kind.value}}},
            "then": {
                "required": list(needed),
                "properties": {other: False for other in margins._ALL_PARAMETERS if other not in needed},
            },
        }
        for kind, needed in margins._PARAMETERS.items()
    ]
    return schema
