"""From what the user gave to the setting and the drawn parameters of the epidemic."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from knowledge.errors import InvalidInput
from personas.cohort import Cohort
from personas.library import PersonaLibrary
from tools.epidemic.course import contact_matrix, reciprocal
from tools.epidemic.schemas import EpidemicInput, Group
from tools.epidemic.stochastic import NAIVE, RECOVERED, VACCINATED, Biology, Setting
from tools.quantities import Quantity, as_uncertain

FloatArray = npt.NDArray[np.float64]
PATIENTS = 4000
UNEVEN = 0.01  # contacts that disagree by more than this share are made reciprocal with a warning


@dataclass(frozen=True)
class Drawn:
    """(D,) draws of everything uncertain, by name, and (D, G) draws of the groups' shares."""

    values: Mapping[str, FloatArray]
    groups: Mapping[str, FloatArray]
    certain: bool

    def __len__(self) -> int:
        return len(next(iter(self.values.values())))


@dataclass(frozen=True)
class Scene:
    """Everything that does not vary between draws."""

    request: EpidemicInput
    groups: tuple[Group, ...]
    contacts: FloatArray
    places: tuple[str, ...]
    mobility: FloatArray
    people: npt.NDArray[np.int64]
    steps_per_day: int
    population: str
    assumptions: tuple[str, ...]
    warnings: tuple[str, ...]


def scene_of(request: EpidemicInput, library: PersonaLibrary, steps_per_day: int, seed: int) -> Scene:
    """Groups, contacts and places (InvalidInput when they do not fit)."""
    said, warned = [], []
    groups, label = _groups(request, library, seed)
    counts = np.array([one.people for one in groups])
    if not request.contacts:
        contacts = np.tile(counts / counts.sum(), (len(groups), 1))
        if len(groups) > 1:
            said.append("Everybody meets everybody alike: no contact matrix was given.")
    else:
        if any(len(row) != len(groups) for row in request.contacts):
            raise InvalidInput("The contact matrix needs one row and one column for each group.")
        contacts, _ = contact_matrix(request.contacts, counts)
        even = reciprocal(contacts, counts)
        off = float(np.max(np.abs(contacts - even)) / np.max(even))
        if off > UNEVEN:
            warned.append(
                "The contact matrix was not reciprocal and was made so: contacts of a with b are as many as of b with a."
            )
        contacts = even
    places = tuple(one.name for one in request.places) or ("everywhere",)
    shares = np.array([one.share for one in request.places] or [1.0])
    mobility = np.asarray(request.mobility, dtype=np.float64) if request.mobility else np.eye(len(places))
    if request.mobility and {len(row) for row in request.mobility} != {len(places)}:
        raise InvalidInput("Mobility needs one row and one column for each place.")
    if len(places) > 1 and not request.mobility:
        raise InvalidInput("How do people move between the places?", "Give 'mobility', one row for each place.")
    people = np.floor(shares[:, None] * counts[None, :]).astype(np.int64)
    people[0] += counts - people.sum(axis=0)
    if request.dispersion is None:
        said.append("Dispersion k = 1, what an exponential infectious period with constant infectivity implies.")
    if request.immunity_days is None:
        said.append("Immunity after infection lasts for the whole time.")
    if request.vaccine is not None and request.vaccine.protection_days is None:
        said.append("Protection by the vaccine does not wane.")
    said += [
        "Births, deaths from other causes and moves for good are left out; who dies of the infection counts as immune.",
        "Hospital stays and deaths follow infection without delay, and depend on the group only.",
    ]
    return Scene(request, groups, contacts, places, mobility, people, steps_per_day, label, tuple(said), tuple(warned))


def _groups(request: EpidemicInput, library: PersonaLibrary, seed: int) -> tuple[tuple[Group, ...], str]:
    if request.groups:
        return request.groups, "the groups given"
    if request.population is None:
        raise InvalidInput("Who may be infected?", "Give 'groups' or 'population'.")
    if request.cohort is None or not request.group_by:
        label = Cohort.build(request.cohort, library, n=200, seed=seed).label if request.cohort else "everybody"
        return (Group(name=label[:60], people=request.population),), label
    cohort = Cohort.build(request.cohort, library, n=PATIENTS, seed=seed)
    names, counts = np.unique(cohort.patients.labels(request.group_by), return_counts=True)
    whole = np.floor(counts / counts.sum() * request.population).astype(int)
    whole[0] += request.population - whole.sum()
    groups = tuple(Group(name=str(n)[:60], people=int(c)) for n, c in zip(names, whole, strict=True) if c)
    return groups, cohort.label


def draw_parameters(scene: Scene, seed: int) -> Drawn:
    """Draw everything uncertain; one draw when nothing is (InvalidInput on impossible values)."""
    request = scene.request
    # Without the periods only the final size is computed, which does not depend on them.
    latent = 0.0 if request.latent_days is None else request.latent_days
    infectious = 1.0 if request.infectious_days is None else request.infectious_days
    single: dict[str, Quantity] = {
        "r0": request.reproduction_number, "latent": latent, "infectious": infectious,
        "k": 1.0 if request.dispersion is None else request.dispersion,
    }  # fmt: skip
    if request.immunity_days is not None:
        single["immunity"] = request.immunity_days
    if request.vaccine is not None:
        single |= {f"vaccine.{what}": getattr(request.vaccine, what) for what in _VACCINE}
        if request.vaccine.protection_days is not None:
            single["protection"] = request.vaccine.protection_days
    single |= {f"measure.{i}": one.contacts_kept for i, one in enumerate(request.measures)}
    for i, one in enumerate(request.variants):
        single |= {f"transmissibility.{i}": one.transmissibility, f"escape.{i}": one.escape}
    grouped = {what: [0.0 if getattr(g, what) is None else getattr(g, what) for g in scene.groups] for what in _GROUPED}
    all_of = [*single.values(), *(one for row in grouped.values() for one in row)]
    certain = all(as_uncertain(one).certain for one in all_of)
    n = 1 if certain else request.draws
    rng = np.random.default_rng(np.random.SeedSequence(seed).spawn(7)[6])
    values = {name: as_uncertain(one).draw(rng, n) for name, one in single.items()}
    groups = {what: np.stack([as_uncertain(q).draw(rng, n) for q in row], axis=1) for what, row in grouped.items()}
    for name, drawn in [*values.items(), *groups.items()]:
        share = name in groups or name.startswith(("vaccine.", "measure.", "escape."))
        if not np.isfinite(drawn).all() or (drawn < 0).any() or (share and (drawn > 1).any()):
            raise InvalidInput(
                f"{name.replace('.', ' ').replace('_', ' ')}: a value is not possible.",
                "Shares lie between 0 and 1; other numbers are not negative.",
            )
    if (groups["immune"] + groups["vaccinated"] > 1 + 1e-9).any():
        raise InvalidInput("Immune and vaccinated people are more than the whole group.")
    return Drawn(values, groups, certain)


_VACCINE = ("against_infection", "against_hospital", "against_death")
_GROUPED = ("immune", "vaccinated", "hospitalised", "died")


def biology_of(scene: Scene, drawn: Drawn, d: int) -> Biology:
    """The infection under draw d."""
    value = {name: float(draws[d]) for name, draws in drawn.values.items()}
    number = 1 + len(scene.request.variants)
    escape = np.array([0.0, *(value[f"escape.{i}"] for i in range(number - 1))])
    relative = np.zeros((RECOVERED + number, number))
    relative[NAIVE] = 1.0
    relative[VACCINATED] = 1 - value.get("vaccine.against_infection", 0.0) * (1 - escape)
    for last in range(number):
        relative[RECOVERED + last] = np.where(np.arange(number) > last, escape, 0.0)
    return Biology(
        reproduction_number=value["r0"], latent=value["latent"], infectious=value["infectious"], dispersion=value["k"],
        transmissibility=np.array([1.0, *(value[f"transmissibility.{i}"] for i in range(number - 1))]),
        relative=relative, wane_vaccine=value.get("protection", math.inf), wane_infection=value.get("immunity", math.inf),
    )  # fmt: skip


def setting_of(scene: Scene, drawn: Drawn, d: int, *, act: bool = True, protected: FloatArray | None = None) -> Setting:
    """The setting under draw d; `act`: with measures and vaccination; protected: (G,) doses before the outbreak."""
    request, people = scene.request, scene.people
    places, groups = people.shape
    variants = 1 + len(request.variants)
    start = np.zeros((places, groups, RECOVERED + variants), dtype=np.int64)
    start[..., RECOVERED] = np.floor(people * drawn.groups["immune"][d])
    start[..., VACCINATED] = np.floor(people * drawn.groups["vaccinated"][d])
    start[..., NAIVE] = people - start[..., RECOVERED] - start[..., VACCINATED]
    if protected is not None:
        moved = np.minimum(np.floor(protected * people / people.sum(axis=0)).astype(np.int64), start[..., NAIVE])
        start[..., NAIVE] -= moved
        start[..., VACCINATED] += moved
    names = [one.name for one in scene.groups]
    factors = np.ones((request.days, groups))
    for i, measure in enumerate(request.measures if act else ()):
        members = [_position(names, name, "group") for name in measure.groups] or list(range(groups))
        factors[measure.start_day : measure.end_day, members] *= drawn.values[f"measure.{i}"][d]
    doses = _doses(scene, names, start) if act else np.zeros((request.days, groups), dtype=np.int64)
    seeds = np.zeros((variants, places, groups), dtype=np.int64)
    where = _position(list(scene.places), request.first_place, "place") if request.first_place else 0
    weights = people[where] / max(people[where].sum(), 1)
    if request.first_group:
        weights = np.eye(groups)[_position(names, request.first_group, "group")]
    for v, cases in enumerate([request.first_cases, *(one.cases for one in request.variants)]):
        whole = np.floor(cases * weights).astype(np.int64)
        whole[int(np.argmax(weights))] += cases - whole.sum()
        seeds[v, where] = whole
    return Setting(
        people=people, start=start, contacts=scene.contacts, factors=factors, doses=doses, mobility=scene.mobility,
        seeds=seeds, seed_days=np.array([0, *(one.day for one in request.variants)], dtype=np.int64),
        susceptibility=np.array([one.susceptibility for one in scene.groups]),
        infectivity=np.array([one.infectivity for one in scene.groups]), steps_per_day=scene.steps_per_day,
    )  # fmt: skip


def _doses(scene: Scene, names: list[str], start: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """(T, G) doses a day: in the given order, or in proportion to those who still want one."""
    request = scene.request
    doses = np.zeros((request.days, len(names)), dtype=np.int64)
    vaccine = request.vaccine
    if vaccine is None or not vaccine.doses_per_day:
        return doses
    wanted = np.floor(vaccine.coverage * scene.people.sum(axis=0)) - start[..., VACCINATED].sum(axis=0)
    wanted = np.maximum(wanted, 0).astype(np.int64)
    order = [_position(names, name, "group") for name in vaccine.order]
    order += [i for i in range(len(names)) if i not in order] if vaccine.order else []
    for day in range(vaccine.start_day, request.days):
        left = min(vaccine.doses_per_day, int(wanted.sum()))
        if left <= 0:
            break
        today = np.zeros(len(names), dtype=np.int64)
        if order:
            for i in order:
                today[i] = min(left - today.sum(), wanted[i])
        else:
            today = np.floor(left * wanted / wanted.sum()).astype(np.int64)
            spare = int(left - today.sum())
            today[np.argsort(today - wanted)[:spare]] += 1
        doses[day] = np.minimum(today, wanted)
        wanted = wanted - doses[day]
    return doses


def _position(names: list[str], name: str, what: str) -> int:
    if name not in names:
        raise InvalidInput(f"There is no {what} called '{name}'.", f"There are: {', '.join(names)}.")
    return names.index(name)
