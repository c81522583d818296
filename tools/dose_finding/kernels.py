"""Compiled loops over simulated trials. Imported where they are used, as numba loads slowly."""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(nogil=True, cache=True)
def boin_trials(rng, rates, escalate, deescalate, eliminate, target, cohorts, size, start, enough, chosen, n, y):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Run len(chosen) trials under `rates` (J,); fills chosen (T,), n and y (T, J).

    enough : people at a dose at which a trial that would stay there ends.
    """
    doses = rates.size
    estimate, weight, length = np.empty(doses), np.empty(doses), np.empty(doses, dtype=np.int64)
    for trial in range(chosen.size):
        dose, open_doses, stopped = start, doses, False
        people, toxic = n[trial], y[trial]
        for cohort in range(cohorts):
            for _ in range(size):
                if rng.random() < rates[dose]:
                    toxic[dose] += 1
            people[dose] += size
            row = people[dose] - 1
            if toxic[dose] >= eliminate[row]:
                open_doses = dose
                if dose == 0:
                    stopped = True
                    break
            if cohort == cohorts - 1:
                break
            up, down = toxic[dose] <= escalate[row], toxic[dose] >= deescalate[row]
            stays = (not up and not down) or (dose == 0 and down) or (dose + 1 >= open_doses and up)
            if people[dose] >= enough and stays:
                break
            if up:
                if dose + 1 < open_doses:
                    dose += 1
            elif down and dose > 0:
                dose -= 1
        chosen[trial] = -1
        if stopped:
            continue
        # Isotonic estimate over the doses given and not left for good.
        last = doses
        for d in range(doses):
            if people[d] >= 3 and toxic[d] >= eliminate[people[d] - 1]:
                last = d
                break
        blocks = 0
        for d in range(last):
            if people[d] == 0:
                continue
            a, b = people[d] + 0.1, toxic[d] + 0.05
            estimate[blocks], weight[blocks], length[blocks] = b / a, a * a * (a + 1) / (b * (a - b)), 1
            blocks += 1
            while blocks > 1 and estimate[blocks - 2] > estimate[blocks - 1]:
                total = weight[blocks - 2] + weight[blocks - 1]
                estimate[blocks - 2] = (
                    estimate[blocks - 2] * weight[blocks - 2] + estimate[blocks - 1] * weight[blocks - 1]
                ) / total
                weight[blocks - 2] = total
                length[blocks - 2] += length[blocks - 1]
                blocks -= 1
        best, block, inside, rank = np.inf, 0, 0, 0
        for d in range(last):
            if people[d] == 0:
                continue
            rank += 1
            distance = abs(estimate[block] + 1e-10 * rank - target)
            if distance < best:
                best = distance
                chosen[trial] = d
            inside += 1
            if inside == length[block]:
                block += 1
                inside = 0


@numba.njit(nogil=True, cache=True)
def escalation_trials(rng, rates, chosen, n, y):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Run len(chosen) 3+3 trials without confirmation; fills chosen (T,), n and y (T, J)."""
    doses = rates.size
    for trial in range(chosen.size):
        dose = 0
        while dose < doses:
            found = 0
            for _ in range(3):
                if rng.random() < rates[dose]:
                    found += 1
            n[trial, dose] = 3
            if found == 1:
                for _ in range(3):
                    if rng.random() < rates[dose]:
                        found += 1
                n[trial, dose] = 6
            y[trial, dose] = found
            if found > 1 or (found == 1 and n[trial, dose] == 3):
                break
            dose += 1
        chosen[trial] = dose - 1
