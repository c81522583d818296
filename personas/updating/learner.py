"""Update, history and roll back: the thread of an archetype and the library that serves what was learned."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from knowledge.errors import CohortTwinError, InvalidInput
from knowledge.schemas import Source
from personas.copula import REPAIR_TOLERANCE
from personas.restrictions import parse_restrictions
from personas.sampling import latent_structure, prevalence_of
from personas.schemas import Attribute, LifeEvent, Persona, Provenanced
from personas.updating.beliefs import base_digest
from personas.updating.layered import LayeredLibrary
from personas.updating.learning import Prior, learn
from personas.updating.observed import observations_of
from personas.updating.reading import read_table_of_observations
from personas.updating.schemas import Entry, Freshness, History, Learned, ObservationSet, UpdateReport
from personas.updating.settings import updating_settings

# Margins are those of members; a restriction that cuts more than rounding away would make observed and stated differ.
_WHOLE = 0.999


def today() -> date:
    """The day, in UTC."""
    return datetime.now(UTC).date()


@dataclass(frozen=True)
class Learner:
    """Learning for one data directory, whose lock the caller holds.

    Attributes
    ----------
    library : which serves what was learned.
    sources : source id → publication, for the dates of the archetypes' own values.
    today : dates after it are in the future.
    """

    library: LayeredLibrary
    sources: Mapping[str, Source]
    today: Callable[[], date] = today

    def update(
        self,
        persona_id: str,
        observations: Path,
        *,
        on: date | None = None,
        source: str = "",
        prior_weight: float | None = None,
        half_life_years: float | None = None,
        dry_run: bool = False,
    ) -> UpdateReport:
        """Learn from a file of observations; nothing is kept when anything is wrong with it.

        Parameters
        ----------
        on : date of rows that state none.
        source : where the observations are from.
        prior_weight : people the archetype's own values are worth, instead of what `settings.yaml` says.
        half_life_years : after which what is believed has half its weight; never without it.
        dry_run : only say what would change.

        Raises
        ------
        UnknownPersona : no such archetype.
        InvalidInput : see `observed.observations_of` and `learning.learn`; the same set a second time.
        LedgerTampered : the thread was changed from outside.
        """
        persona = self.library.get(persona_id)
        self._check_options(prior_weight, half_life_years)
        _check_whole(persona)
        table = read_table_of_observations(observations)
        entries = self.library.threads.entries(persona_id)
        self._refuse_again(table.digest, table.name, entries)
        observed = observations_of(table, persona, on=on, source=source, today=self.today())
        settings = updating_settings()
        prior = Prior(
            stated=self.library.without_learning(persona_id),
            held=self.library.learned(persona_id),
            weight_of=lambda name, item: self._weight(persona_id, name, item),
            dated=self._dated,
            weight=prior_weight,
            half_life_years=half_life_years,
        )
        changes, learned, skipped = learn(observed, prior, settings)
        self._check_family(persona_id, learned)
        entry = Entry(
            seq=len(entries) + 1,
            kind="update",
            recorded=datetime.now(UTC),
            observation_set=observed.name,
            source=observed.source,
            digest=observed.digest,
            people=observed.people,
            on=_newest(observed),
            half_life_years=half_life_years,
            changes=changes,
            learned=tuple(learned.values()),
        )
        if not dry_run:
            self.library.threads.append(persona_id, entry)
            self.library.refresh()
        return UpdateReport(
            persona_id=persona_id,
            name=persona.name,
            entry=entry,
            dry_run=dry_run,
            threshold=settings.drift_threshold.value,
            skipped=skipped,
        )

    def rollback(self, persona_id: str, to: int) -> Entry:
        """Go back to what was believed after entry `to`, 0 for the archetype as it was. Nothing is deleted.

        Raises
        ------
        UnknownPersona, LedgerTampered : see `update`.
        InvalidInput : no such entry, or nothing to go back from.
        """
        self.library.get(persona_id)
        entries = self.library.threads.entries(persona_id)
        if not entries:
            raise InvalidInput(f"'{persona_id}' has learned nothing, so there is nothing to roll back.")
        if not 0 <= to <= len(entries):
            raise InvalidInput(
                f"The thread of '{persona_id}' has no entry {to}.", f"Give 0 (as shipped) to {len(entries) - 1}."
            )
        learned = entries[to - 1].learned if to else ()
        if learned == entries[-1].learned:
            raise InvalidInput(f"'{persona_id}' already stands as after entry {to}.", "Nothing was changed.")
        self._check_family(persona_id, {item.name: item for item in learned})
        entry = Entry(seq=len(entries) + 1, kind="rollback", recorded=datetime.now(UTC), to=to, learned=learned)
        self.library.threads.append(persona_id, entry)
        self.library.refresh()
        return entry

    def history(self, persona_id: str) -> History:
        """The thread, its chain checked, and how well the archetype keeps up."""
        persona = self.library.get(persona_id)
        entries = self.library.threads.entries(persona_id)
        return History(
            persona_id=persona_id, name=persona.name, entries=entries, freshness=self._freshness(persona_id, entries)
        )

    def _freshness(self, persona_id: str, entries: tuple[Entry, ...]) -> Freshness:
        active = active_sets(entries)
        dates = sorted({entry.on for entry in active if entry.on is not None})
        learned = entries[-1].learned if entries else ()
        newest = max((item.on for item in learned), default=None)
        stated = self.library.without_learning(persona_id)
        values: dict[str, Attribute | LifeEvent] = dict(stated.attributes)
        values |= {event.event: event for event in stated.life_events}
        stale = [
            item.name for item in learned if item.name not in values or base_digest(values[item.name]) != item.base
        ]
        return Freshness(
            entries=len(entries),
            sets=len(active),
            last_update=max((entry.recorded for entry in active), default=None),
            newest_observation=newest,
            lag_days=(self.today() - newest).days if newest else None,
            days_between_updates=(dates[-1] - dates[0]).days / (len(dates) - 1) if len(dates) > 1 else None,
            learned=learned,
            stale=tuple(stale),
        )

    def _weight(self, persona_id: str, name: str, item: Provenanced) -> tuple[float, str]:
        """People a stated value is worth; one inherited from a parent that has learned rests on what that learned."""
        for ancestor in self.library.ancestors(persona_id):
            held = self.library.learned(ancestor).get(name)
            if held is not None and item in (held.attribute, held.event):
                n = held.prior_weight + held.data_weight
                spread = updating_settings().between_settings_sd.value
                return n / (1 + n * spread**2), f"learned by {ancestor}, n = {n:,.0f}"
        return updating_settings().people_worth(item)

    def _dated(self, item: Provenanced) -> date | None:
        source = self.sources.get(item.source.source_id) if item.source else None
        # A source of this year is dated its last day, which has not come yet.
        return min(source.published_by, self.today()) if source else None

    def _check_family(self, persona_id: str, learned: Mapping[str, Learned]) -> None:
        """The archetype and everybody who inherits from it must still be a population somebody can have."""
        candidate = self.library.variant({**self.library.all_learned(), persona_id: learned})
        family = [other for other in self.library.ids() if other == persona_id or self._inherits(other, persona_id)]
        try:
            for member in family:
                persona = candidate.get(member)
                prevalence_of(persona, ())
                latent = latent_structure(persona)[1]
                if latent.moved > REPAIR_TOLERANCE:
                    pair = " and ".join(latent.moved_pair)
                    raise InvalidInput(f"nobody can have the correlation of {pair} in '{member}'.")
        except CohortTwinError as error:
            raise InvalidInput(
                f"With these observations the archetype, or one that inherits from it, is impossible: {error.message}",
                "Nothing was changed. Check the observations.",
            ) from error

    def _inherits(self, other: str, persona_id: str) -> bool:
        """False as well for an archetype whose file cannot be read: that is not the doing of an update."""
        with suppress(CohortTwinError):
            return persona_id in self.library.ancestors(other)
        return False

    @staticmethod
    def _check_options(prior_weight: float | None, half_life_years: float | None) -> None:
        for name, value in (("prior weight", prior_weight), ("half-life", half_life_years)):
            if value is not None and not (math.isfinite(value) and value > 0):
                raise InvalidInput(f"A {name} of {value:g} is not above 0.", "Leave it out, or give a positive number.")

    @staticmethod
    def _refuse_again(digest: str, name: str, entries: tuple[Entry, ...]) -> None:
        """The same people must not count twice."""
        for entry in active_sets(entries):
            if entry.digest == digest:
                raise InvalidInput(
                    f"{name} was already learned from, as entry {entry.seq} ('{entry.observation_set}').",
                    "Its people would count twice.",
                )


def active_sets(entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    """The updates that what is believed now rests on: a rollback takes those after its goal out."""
    active: list[Entry] = []
    after: dict[int, list[Entry]] = {0: []}
    for entry in entries:
        active = list(after[entry.to or 0]) if entry.kind == "rollback" else [*active, entry]
        after[entry.seq] = active
    return tuple(active)


def _newest(observed: ObservationSet) -> date:
    return max(seen.on for seen in observed.observations)


def _check_whole(persona: Persona) -> None:
    """Stated margins must be those of members, or what members show could not be compared with them."""
    restrictions = parse_restrictions(persona.restrictions)
    if restrictions and prevalence_of(persona.model_copy(update={"restrictions": ()}), restrictions) < _WHOLE:
        raise InvalidInput(
            f"The restrictions of '{persona.id}' ({', '.join(persona.restrictions)}) cut its stated distributions, so "
            "observations of its members cannot be compared with them.",
            "State its distributions as those of members first.",
        )
