"""Runs the funnel for all draws, in pieces that any executor may compute; and draws of choices and diffusion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from knowledge.errors import InvalidInput
from tools.context import ToolContext
from tools.execution import Piece, pieces
from tools.quantities import as_uncertain
from tools.uptake import bass, choice, funnel
from tools.uptake.filling import Shares
from tools.uptake.schemas import Choice, Diffusion, FittedCoefficient, UptakeInput

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
# Numbers that one piece of the funnel may hold: draws × replicates × payers × months.
PIECE_NUMBERS = 2_000_000


@dataclass(frozen=True)
class Job:
    """One piece of draws, picklable; arrays (d, G) and monthly probabilities (d, G, M)."""

    piece: Piece
    people: IntArray
    eligible: FloatArray
    covered: FloatArray
    start: FloatArray
    stay: FloatArray
    replicates: int


def run_job(job: Job) -> funnel.Counts:
    """Counts (d, R, G[, M]) of one piece."""
    shape = (job.piece.size, job.replicates, job.people.shape[1])
    return funnel.run_funnel(
        job.piece.rng(),
        np.broadcast_to(job.people[:, None], shape),
        job.eligible[:, None],
        job.covered[:, None],
        job.start[:, None],
        job.stay[:, None],
    )


def simulate(request: UptakeInput, shares: Shares, context: ToolContext, *, before: bool = False) -> funnel.Counts:
    """All draws; `before`: without the plan, from the same random streams."""
    draws, groups = shares.people.shape
    months = request.months
    if request.diffusion is not None:
        p, q, ceiling, _ = diffusion_draws(request.diffusion, draws, context.seed)
        if (ceiling > 1).any():
            raise InvalidInput(
                "Within a population the market of a diffusion is a share of the covered.", "Give 0 to 1."
            )
        one = funnel.diffusion_start(ceiling, p, q, months)
        start = np.repeat(one[:, None], groups, axis=1)
    else:
        start = funnel.monthly_start(shares.yearly_before if before else shares.yearly, months)
    stay = funnel.monthly_stay(shares.persistence, months, request.persistence_shape)
    covered = shares.covered_before if before else shares.covered
    size = max(1, min(250, PIECE_NUMBERS // (request.replicates * groups * months)))
    jobs = []
    for piece in pieces(draws, context.seed, size=size):
        rows = slice(piece.start, piece.stop)
        jobs.append(
            Job(
                piece=piece,
                people=shares.people[rows],
                eligible=shares.eligible[rows],
                covered=covered[rows],
                start=start[rows],
                stay=stay[rows],
                replicates=request.replicates,
            )
        )
    parts = context.executor.map(run_job, jobs)
    names = ("eligible", "covered", "started", "on_treatment")
    return funnel.Counts(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def diffusion_draws(
    given: Diffusion, draws: int, seed: int
) -> tuple[FloatArray, FloatArray, FloatArray, tuple[FittedCoefficient, ...]]:
    """(D,) draws of p, q and the market, and what was fitted."""
    rng = np.random.default_rng(np.random.SeedSequence(seed).spawn(3)[2])
    if not given.adopters:
        if given.p is None or given.q is None:
            raise InvalidInput("A diffusion needs p and q.")
        market = as_uncertain(given.market).draw(rng, draws)
        return as_uncertain(given.p).draw(rng, draws), as_uncertain(given.q).draw(rng, draws), market, ()
    known = as_uncertain(given.market).point if given.market_known else None
    fitted = bass.fit_bass(given.adopters, market=known)
    rows = [("p", fitted.p, fitted.p_error), ("q", fitted.q, fitted.q_error), ("market", fitted.m, fitted.m_error)]
    values = [
        value * np.exp(min(error / value, 2.0) * rng.standard_normal(draws)) if value > 0 else np.zeros(draws)
        for _, value, error in rows
    ]
    told = tuple(FittedCoefficient(name=name, value=value, standard_error=error) for name, value, error in rows)
    return values[0], values[1], values[2], told


@dataclass(frozen=True)
class Chosen:
    """Draws of a choice: shares (D, J) before and after, gain (D,) in money or None, and the fit."""

    names: tuple[str, ...]
    before: FloatArray
    after: FloatArray
    surplus: FloatArray | None
    fitted: tuple[FittedCoefficient, ...]
    log_likelihood: float | None


def choose(given: Choice, draws: int, seed: int) -> Chosen:
    """Draws of choice shares and consumer surplus (InvalidInput on attributes or coefficients that do not fit)."""
    rng = np.random.default_rng(np.random.SeedSequence(seed).spawn(2)[1])
    told: tuple[FittedCoefficient, ...] = ()
    likelihood = None
    if given.data is not None:
        data = given.data
        fit = choice.fit_logit(
            _array(data.values), np.asarray(data.chosen), data.attributes,
            np.asarray(data.available) if data.available else None,
            random=data.random, panel=np.asarray(data.person) if data.person else None,
        )  # fmt: skip
        told = tuple(
            FittedCoefficient(name=name, value=float(value), standard_error=float(error))
            for name, value, error in zip(fit.names, fit.coefficients, fit.errors, strict=True)
        )
        likelihood = fit.log_likelihood
        names = data.attributes
        means = rng.multivariate_normal(
            fit.coefficients[: len(names)], fit.covariance[: len(names), : len(names)], draws
        )
        sds = np.array([fit.by_name[f"sd_{name}"] if name in data.random else 0.0 for name in names])
    else:
        names = tuple(one.attribute for one in given.coefficients)
        means = np.stack([as_uncertain(one.mean).draw(rng, draws) for one in given.coefficients], axis=1)
        sds = np.array([one.sd for one in given.coefficients])
        if all(as_uncertain(one.mean).certain for one in given.coefficients):
            means = means[:1]
    if not given.options:
        return Chosen((), np.zeros((1, 0)), np.zeros((1, 0)), None, told, likelihood)
    unknown = {a for one in given.options for a in (*one.attributes, *(one.attributes_after or ()))} - set(names)
    if unknown:
        raise InvalidInput(
            f"No coefficient is given for: {', '.join(sorted(unknown))}.", "Give one for each attribute."
        )
    x_before = np.array([[_attribute(one.attributes, name) for name in names] for one in given.options])
    x_after = np.array(
        [[_attribute(one.attributes_after or one.attributes, name) for name in names] for one in given.options]
    )
    open_before = np.array([one.available for one in given.options])
    open_after = np.array([one.available_after for one in given.options])
    people = np.zeros((1, len(names))) if not sds.any() else choice.halton_normal(1, 500, len(names))[0]
    betas = means[:, None, :] + sds * people[None]
    v_before, v_after = betas @ x_before.T, betas @ x_after.T
    surplus = None
    if given.cost:
        if given.cost not in names:
            raise InvalidInput(f"'{given.cost}' is not one of the attributes.", f"There are: {', '.join(names)}.")
        price = betas[..., list(names).index(given.cost)]
        if (price >= 0).any():
            raise InvalidInput("The coefficient of cost must lie below 0 for everybody.", "Give it without spread.")
        gain = choice.logsum(v_after, _like(open_after, v_after)) - choice.logsum(
            v_before, _like(open_before, v_before)
        )
        surplus = (gain / -price).mean(axis=1)
    return Chosen(
        tuple(one.name for one in given.options),
        choice.probabilities(v_before, _like(open_before, v_before)).mean(axis=1),
        choice.probabilities(v_after, _like(open_after, v_after)).mean(axis=1),
        surplus,
        told,
        likelihood,
    )


def _like(available: npt.NDArray[np.bool_], utilities: FloatArray) -> npt.NDArray[np.bool_]:
    return np.broadcast_to(available, utilities.shape)


def _attribute(attributes: dict[str, float], name: str) -> float:
    return float(attributes.get(name, 0.0))


def _array(values: tuple[tuple[tuple[float, ...], ...], ...]) -> FloatArray:
    if len({(len(one), len(row)) for one in values for row in one}) != 1:
        raise InvalidInput("Each choice has the same options, and each option the same attributes.")
    return np.asarray(values, dtype=np.float64)
