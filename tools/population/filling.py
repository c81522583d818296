"""From what the user gave to draws of rates, people at the start and new cases."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from knowledge.errors import InvalidInput
from tools.population.panel import PanelFit, fit_panel
from tools.population.schemas import PopulationInput
from tools.quantities import Quantity, as_uncertain

FloatArray = npt.NDArray[np.float64]
LARGEST = 4e7  # numbers kept of rates, and of outcomes


@dataclass(frozen=True)
class Drawn:
    """Draws: start (D, S), inflow (D, T, S), rates (D, T, S, S), resource use (D, S) each; and what was fitted."""

    start: FloatArray
    inflow: FloatArray
    rates: FloatArray
    per_person_year: dict[str, FloatArray]
    per_entry: dict[str, FloatArray]
    certain: bool
    fit: PanelFit | None
    assumptions: tuple[str, ...]
    warnings: tuple[str, ...]


class _Drawer:
    """Draws quantities in a fixed order and remembers whether any of them varies."""

    def __init__(self, request: PopulationInput, seed: int) -> None:
        self.rng = np.random.default_rng(np.random.SeedSequence(seed).spawn(5)[4])
        self.n = request.draws
        self.certain = True

    def __call__(self, quantity: Quantity, what: str) -> FloatArray:
        given = as_uncertain(quantity)
        self.certain = self.certain and given.certain
        drawn = given.draw(self.rng, self.n)
        if not np.isfinite(drawn).all() or (drawn < 0).any():
            raise InvalidInput(f"{what}: numbers of 0 or more are needed.", "Choose a distribution that stays above 0.")
        return drawn


def draw_everything(request: PopulationInput, seed: int) -> Drawn:
    """All draws (InvalidInput when names, shares or numbers do not fit)."""
    names = [one.name for one in request.states]
    states, years, draw = len(names), request.years, _Drawer(request, seed)
    if request.draws * years * states**2 > LARGEST or request.draws * request.replicates * years * states * 3 > LARGEST:
        raise InvalidInput("This forecast is too large.", "Lower draws, replicates, years or the number of states.")
    rates = np.zeros((request.draws, states, states))
    fit, said, warned = None, [], []
    if request.panel is not None:
        fit = _fit(request, names)
        rates += fit.draw_rates(draw.rng, request.draws)
        rates[:, range(states), range(states)] = 0.0
        draw.certain = False
        said.append("Rates are fitted to the panel data given and stay as they were then.")
    for move in request.moves:
        a, b = position(names, move.source), position(names, move.target)
        if a == b or rates[:, a, b].any():
            raise InvalidInput(f"The move from {move.source} to {move.target} is given twice, or leads nowhere.")
        rates[:, a, b] = draw(move.rate, f"rate from {move.source} to {move.target}")
    for stay in request.stays:
        a = position(names, stay.state)
        if rates[:, a].any():
            raise InvalidInput(f"How people leave {stay.state} is given twice.", "Give moves or a stay.")
        length = draw(stay.mean_years, f"mean stay in {stay.state}")
        if (length <= 0).any():
            raise InvalidInput(f"The mean stay in {stay.state} lies above 0 years.")
        shares = np.stack([draw(share, f"share from {stay.state} to {to}") for to, share in stay.goes_to.items()])
        total = shares.sum(axis=0)
        sure = all(as_uncertain(share).certain for share in stay.goes_to.values())
        if (total <= 0).any() or (sure and abs(total[0] - 1) > 1e-6):
            raise InvalidInput(f"The shares that leave {stay.state} sum to {total[0]:.4g}, not to 1.")
        for to, share in zip(stay.goes_to, shares, strict=True):
            if position(names, to) == a:
                raise InvalidInput(f"People who leave {stay.state} go to another state.")
            rates[:, a, position(names, to)] = share / total / length
        if not sure:
            said.append(f"The shares that leave {stay.state} are scaled to sum to 1 in each draw.")
    start = np.stack([draw(one.people, f"people in {one.name}") for one in request.states], axis=1)
    new = np.stack([draw(one.new_per_year, f"new cases in {one.name}") for one in request.states], axis=1)
    if not (start.any() or new.any()):
        raise InvalidInput("There is nobody to follow.", "Give 'people' or 'new_per_year' of a state.")
    by_year, inflow = np.repeat(rates[:, None], years, axis=1), np.repeat(new[:, None], years, axis=1)
    for change in request.changes:
        factor = draw(change.factor, "factor of a change")[:, None]
        until = years if change.until_year is None else min(change.until_year, years)
        when = slice(change.from_year - 1, until)
        place = position(names, change.target) if change.target else -1
        columns = slice(place, place + 1) if change.target else slice(None)
        if change.source:
            by_year[:, when, position(names, change.source), columns] *= factor[:, :, None]
        else:
            inflow[:, when, columns] *= factor[:, :, None]
    dead = [i for i, one in enumerate(request.states) if one.dead]
    if not dead:
        said.append("Nobody dies: no state was marked as dead.")
    if any(by_year[:, :, i].any() for i in dead):
        raise InvalidInput("Nobody comes back from a state that is marked as dead.")
    if by_year.max(initial=0) > 365:
        warned.append("A rate lies above 365 a year: people would leave the state within a day.")
    if not request.changes:
        said.append("Rates and new cases stay the same in all years.")
    said.append("How long somebody has been in a state does not change where they go next (Markov model).")
    used, entered = {}, {}
    for resource in request.resources:
        used[resource.name] = _use(resource.per_person_year, names, draw, resource.name)
        entered[resource.name] = _use(resource.per_entry, names, draw, resource.name)
    keep = slice(0, 1) if draw.certain else slice(None)
    return Drawn(
        start[keep], inflow[keep], by_year[keep], {k: v[keep] for k, v in used.items()},
        {k: v[keep] for k, v in entered.items()}, draw.certain, fit, tuple(said), tuple(warned),
    )  # fmt: skip


def _use(given: dict[str, Quantity], names: list[str], draw: _Drawer, what: str) -> FloatArray:
    found = np.zeros((draw.n, len(names)))
    for state, quantity in given.items():
        found[:, position(names, state)] = draw(quantity, f"{what} in {state}")
    return found


def _fit(request: PopulationInput, names: list[str]) -> PanelFit:
    panel = request.panel
    if panel is None:
        raise InvalidInput("There are no panel data to fit.")
    allowed = np.zeros((len(names), len(names)))
    for source, target in panel.moves:
        allowed[position(names, source), position(names, target)] = 1
    return fit_panel(
        panel.subject, panel.time, [position(names, one) for one in panel.state], allowed,
        exact=[position(names, one) for one in panel.exact], first_state=0,
    )  # fmt: skip


def position(names: list[str], name: str) -> int:
    """Number of the state called `name` (InvalidInput when there is none)."""
    if name not in names:
        raise InvalidInput(f"There is no state called '{name}'.", f"There are: {', '.join(names)}.")
    return names.index(name)
