"""The figures of `settings.yaml`: how much an archetype is believed before anything is observed."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import yaml
from pydantic import Field, ValidationError

from knowledge.errors import PersonaError
from knowledge.schemas import Frozen
from personas.schemas import Provenanced

_FILE = Path(__file__).parent / "settings.yaml"


class Stated(Frozen):
    """A figure with its unit and the reason for it."""

    value: float = Field(gt=0)
    unit: str
    reason: str = Field(min_length=20)


class People(Frozen):
    """How many people a source's figure rests on, and which archetype prints that number."""

    n: int = Field(ge=1)
    where: str


class UpdatingSettings(Frozen):
    """Everything the file says."""

    interval_level: Stated
    between_settings_sd: Stated
    unknown_n: Stated
    assumed_value: Stated
    prior_events: Stated
    drift_threshold: Stated
    people: dict[str, People]

    def people_worth(self, item: Provenanced) -> tuple[float, str]:
        """People a stated value is worth as a belief about another place, and why, in words."""
        if item.source is None:
            return self.assumed_value.value, "assumed value"
        known = self.people.get(item.source.source_id)
        n = known.n if known else self.unknown_n.value
        worth = n / (1 + n * self.between_settings_sd.value**2)
        return worth, f"{item.source.source_id}, n = {known.n:,}" if known else f"{item.source.source_id}, n not listed"


@lru_cache(maxsize=1)
def updating_settings() -> UpdatingSettings:
    """The shipped settings. PersonaError when the file is damaged."""
    try:
        return UpdatingSettings.model_validate(yaml.load(_FILE.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader))
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise PersonaError(f"{_FILE.name} cannot be read: {error}", "Restore the file.") from error
