"""A logit fitted to a table with one row a choice ("wide"), as surveys come: terms are arithmetic in its columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from knowledge.errors import InvalidInput
from tools.expressions import evaluate
from tools.uptake.choice import LogitFit, fit_logit


def fit_logit_table(
    rows: Sequence[Mapping[str, float]],
    choice: str,
    options: Sequence[Mapping[str, object]],
    *,
    keep: str = "1",
    random: Sequence[str] = (),
    person: str = "",
    draws: int = 200,
) -> LogitFit:
    """Fit a multinomial or mixed logit.

    Parameters
    ----------
    rows : the table, one mapping from column to number for each choice.
    choice : column that says which option was taken.
    options : for each option `value` (in the choice column), `available` (expression, 1 by default) and `terms`: the
        coefficient's name → expression in the columns, such as {"ASC_CAR": 1, "B_TIME": "CAR_TT / 100"}.
    keep : expression; rows in which it is 0 are left out.
    random, draws : see `fit_logit`. person : column that tells whose choice it is, for panels.

    Raises
    ------
    InvalidInput
        A column that is not there, a choice that is none of the options, or what `fit_logit` refuses.
    """
    if not rows or not options:
        raise InvalidInput("A logit needs choices and options.")
    names = set(rows[0])
    columns = {name: np.array([float(row[name]) for row in rows]) for name in names}
    kept = np.broadcast_to(evaluate(keep, columns), (len(rows),)) != 0
    columns = {name: values[kept] for name, values in columns.items()}
    n = int(kept.sum())
    if choice not in columns or (person and person not in columns):
        raise InvalidInput("The table has no such column.", f"There are: {', '.join(sorted(names))}.")
    terms: list[str] = []
    for option in options:
        own = option.get("terms", {})
        if not isinstance(own, Mapping):
            raise InvalidInput("An option's terms are named expressions.")
        terms += [name for name in own if name not in terms]
    x = np.zeros((n, len(options), len(terms)))
    available = np.ones((n, len(options)), dtype=np.bool_)
    taken = np.full(n, -1, dtype=np.int64)
    for place, option in enumerate(options):
        for name, cell in dict(option.get("terms", {})).items():  # type: ignore[call-overload]
            x[:, place, terms.index(name)] = evaluate(cell, columns)
        available[:, place] = np.broadcast_to(evaluate(_cell(option.get("available", 1.0)), columns), (n,)) != 0
        taken[columns[choice] == float(str(option["value"]))] = place
    if (taken < 0).any():
        raise InvalidInput("Some rows chose what is none of the options.", "Leave them out with 'keep'.")
    panel = columns[person] if person else None
    return fit_logit(x, taken, terms, available, random=random, panel=panel, draws=draws)


def _cell(value: object) -> float | str:
    return value if isinstance(value, str) else float(str(value))
