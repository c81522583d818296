"""Exact results of queueing theory, and the rate of a varying arrival process. Any unit of time, the same throughout.

Erlang 1917; Pollaczek 1930 and Khinchine 1932; Jackson 1957; Cobham 1954; Palm 1946. The textbook is Gross, Shortle, Thompson
and Harris, Fundamentals of Queueing Theory; each formula is held by a test against balance equations or against simulation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from knowledge.errors import InvalidInput

FloatArray = npt.NDArray[np.float64]


def _positive(**values: float) -> None:
    for name, value in values.items():
        if not (np.isfinite(value) and value > 0):
            raise InvalidInput(f"{name.replace('_', ' ')} lies above 0, not at {value:g}.")


def _whole(servers: int) -> int:
    if servers != int(servers) or not 1 <= servers <= 1_000_000:
        raise InvalidInput("The number of servers is a whole number from 1 to a million.")
    return int(servers)


def erlang_b(servers: int, load: float) -> float:
    """Share of arrivals that find all `servers` busy and leave; M/G/c/c, for any distribution of service.

    Parameters
    ----------
    servers : 1 or more. load : arrival rate × mean service, in servers (erlang).

    Raises
    ------
    InvalidInput
        No server, or a load of 0 or below.
    """
    _positive(load=load)
    blocked = 1.0
    for k in range(1, _whole(servers) + 1):
        blocked = load * blocked / (k + load * blocked)
    return blocked


def erlang_c(servers: int, load: float) -> float:
    """Share of arrivals that wait in M/M/c (InvalidInput when `load` reaches the servers: the queue grows for ever)."""
    blocked = erlang_b(servers, load)
    if load >= servers:
        raise InvalidInput(
            f"A load of {load:g} is too much for {servers} servers: the queue grows for ever.",
            "Add servers, or simulate the time until it matters.",
        )
    return servers * blocked / (servers - load * (1 - blocked))


@dataclass(frozen=True)
class Queue:
    """A first-come, first-served M/M/c queue in steady state.

    Attributes
    ----------
    wait_probability : share that waits. wait_mean : mean wait of all. queue_length : mean number waiting.
    utilisation : share of the servers' time that is busy. decay : rate at which long waits become rare.
    sojourn_mean : wait and service. in_system : mean number waiting or served.
    """

    wait_probability: float
    wait_mean: float
    queue_length: float
    utilisation: float
    decay: float
    sojourn_mean: float
    in_system: float

    def wait_over(self, t: float) -> float:
        """Share that waits longer than `t` (0 or more)."""
        if not t >= 0:
            raise InvalidInput("A wait is 0 or more.")
        return float(self.wait_probability * np.exp(-self.decay * t))

    def wait_quantile(self, share: float) -> float:
        """Wait that `share` (0 to 1, 1 excluded) of the arrivals do not exceed."""
        if not 0 <= share < 1:
            raise InvalidInput("A share lies between 0 and 1.")
        return max(0.0, float(np.log(self.wait_probability / (1 - share)) / self.decay))


def mmc(arrival_rate: float, service_rate: float, servers: int) -> Queue:
    """M/M/c: Poisson arrivals, exponential service of rate `service_rate` each, `servers` of them."""
    _positive(arrival_rate=arrival_rate, service_rate=service_rate)
    load = arrival_rate / service_rate
    probability = erlang_c(servers, load)
    decay = servers * service_rate - arrival_rate
    wait = probability / decay
    sojourn = wait + 1 / service_rate
    return Queue(probability, wait, arrival_rate * wait, load / servers, decay, sojourn, arrival_rate * sojourn)


def mg1_wait(arrival_rate: float, service_mean: float, service_sd: float) -> float:
    """Mean wait in M/G/1, λ·E[S²] / (2·(1 − ρ)) (Pollaczek-Khinchine); service mean and standard deviation in time."""
    _positive(arrival_rate=arrival_rate, service_mean=service_mean)
    if not (np.isfinite(service_sd) and service_sd >= 0):
        raise InvalidInput("A standard deviation is 0 or more.")
    busy = arrival_rate * service_mean
    if busy >= 1:
        raise InvalidInput("The server is busy all the time: the queue grows for ever.")
    return arrival_rate * (service_mean**2 + service_sd**2) / (2 * (1 - busy))


def mg1_priority_waits(
    arrival_rates: npt.ArrayLike, service_means: npt.ArrayLike, service_sds: npt.ArrayLike
) -> FloatArray:
    """(P,) mean waits in M/G/1 with non-preemptive priorities, the first class first (Cobham 1954).

    Parameters
    ----------
    arrival_rates, service_means, service_sds : (P,) of each class.
    """
    rates, means, sds = (np.atleast_1d(np.asarray(x, dtype=np.float64)) for x in (arrival_rates, service_means, service_sds))  # fmt: skip
    if not rates.shape == means.shape == sds.shape or not np.isfinite([rates, means, sds]).all():
        raise InvalidInput("Each class has an arrival rate, a mean and a standard deviation.")
    if (rates <= 0).any() or (means <= 0).any() or (sds < 0).any():
        raise InvalidInput("Rates and means lie above 0, standard deviations at 0 or above.")
    reached = np.concatenate([[0.0], np.cumsum(rates * means)])
    if reached[-1] >= 1:
        raise InvalidInput("The server is busy all the time: the queue grows for ever.")
    residual = float((rates * (means**2 + sds**2)).sum()) / 2
    return np.asarray(residual / ((1 - reached[:-1]) * (1 - reached[1:])))


def mmc_priority_waits(arrival_rates: npt.ArrayLike, service_rate: float, servers: int) -> FloatArray:
    """(P,) mean waits in M/M/c with non-preemptive priorities and one service rate, the first class first (Cobham 1954)."""
    rates = np.atleast_1d(np.asarray(arrival_rates, dtype=np.float64))
    if not np.isfinite(rates).all() or (rates <= 0).any():
        raise InvalidInput("Arrival rates lie above 0.")
    whole = mmc(float(rates.sum()), service_rate, servers)
    reached = np.concatenate([[0.0], np.cumsum(rates)]) / (servers * service_rate)
    first = whole.wait_probability / (servers * service_rate)
    return np.asarray(first / ((1 - reached[:-1]) * (1 - reached[1:])))


@dataclass(frozen=True)
class Impatient:
    """M/M/c+M in steady state: waiting patients leave after an exponential patience (Erlang-A, Palm 1946).

    Attributes
    ----------
    lost_share : share that leaves unserved. wait_probability : share that finds all servers busy and joins.
    queue_length : mean number waiting. wait_mean : mean wait of all, those who leave included.
    """

    lost_share: float
    wait_probability: float
    queue_length: float
    wait_mean: float


def erlang_a(arrival_rate: float, service_rate: float, servers: int, patience_mean: float) -> Impatient:
    """M/M/c with reneging, from the balance equations of the number in the system (truncated where it no longer matters)."""
    _positive(arrival_rate=arrival_rate, service_rate=service_rate, patience_mean=patience_mean)
    count = _whole(servers)
    top = int(count + 40 + (arrival_rate + 12 * arrival_rate**0.5) * max(patience_mean, 1 / service_rate))
    if top > 5_000_000:
        raise InvalidInput("Patience is too long for this formula.", "Use mmc, without reneging.")
    k = np.arange(1, top + 1)
    death = np.minimum(k, count) * service_rate + np.maximum(k - count, 0) / patience_mean
    log = np.concatenate([[0.0], np.cumsum(np.log(arrival_rate / death))])
    share = np.exp(log - log.max())
    share /= share.sum()
    queue = float((np.maximum(np.arange(top + 1) - count, 0) * share).sum())
    return Impatient(
        lost_share=queue / patience_mean / arrival_rate,
        wait_probability=float(share[count:].sum()),
        queue_length=queue,
        wait_mean=queue / arrival_rate,
    )


@dataclass(frozen=True)
class Network:
    """An open Jackson network in steady state.

    Attributes
    ----------
    throughput : (J,) visits per time. stations : queue of each. in_system : mean number in the whole network.
    sojourn_mean : mean time from entering to leaving.
    """

    throughput: FloatArray
    stations: tuple[Queue, ...]
    in_system: float
    sojourn_mean: float


def jackson(
    arrival_rates: npt.ArrayLike, routing: npt.ArrayLike, service_rates: npt.ArrayLike, servers: npt.ArrayLike
) -> Network:
    """Open network of M/M/c stations (Jackson 1957): each behaves as if alone at its throughput.

    Parameters
    ----------
    arrival_rates : (J,) from outside. routing : (J, J) probability of going from row to column; the rest leaves.
    service_rates : (J,) of one server. servers : (J,).

    Raises
    ------
    InvalidInput
        Sizes that do not fit, rows above one, nobody can leave, or a station that cannot keep up.
    """
    outside, moves = np.asarray(arrival_rates, dtype=np.float64), np.asarray(routing, dtype=np.float64)
    rates, counts = np.asarray(service_rates, dtype=np.float64), np.asarray(servers)
    size = outside.size
    if moves.shape != (size, size) or rates.shape != (size,) or counts.shape != (size,):
        raise InvalidInput("A network of J stations has J rates and a routing table of J by J.")
    if not (np.isfinite(moves).all() and np.isfinite(outside).all()) or (moves < 0).any() or (outside < 0).any():
        raise InvalidInput("Rates and probabilities are 0 or more.")
    if (moves.sum(axis=1) > 1 + 1e-9).any():
        raise InvalidInput("The probabilities of leaving a station add up to at most one.")
    if np.abs(np.linalg.eigvals(moves)).max() >= 1 - 1e-12:
        raise InvalidInput("Some patients never leave this network.", "Let the routing probabilities add up to less.")
    throughput = np.asarray(np.linalg.solve(np.eye(size) - moves.T, outside), dtype=np.float64)
    if not (throughput > 0).all():
        raise InvalidInput("Nobody comes to one of the stations.")
    queues = tuple(mmc(float(a), float(m), int(c)) for a, m, c in zip(throughput, rates, counts, strict=True))
    inside = float(sum(one.in_system for one in queues))
    return Network(throughput, queues, inside, inside / float(outside.sum()))


def expected_arrivals(rates: npt.ArrayLike, period: float = 1.0) -> float:
    """Mean number of arrivals over consecutive periods of length `period` with these rates (Poisson, any variation)."""
    given = np.asarray(rates, dtype=np.float64)
    _positive(period=period)
    if given.ndim != 1 or given.size == 0 or not np.isfinite(given).all() or (given < 0).any():
        raise InvalidInput("Rates are numbers of 0 or more, one for each period.")
    return float(given.sum() * period)
