"""Panel models fitted from a table of rows, as data sets come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from knowledge.errors import InvalidInput
from tools.population.panel import PanelFit, fit_panel


def fit_panel_table(
    rows: Sequence[Mapping[str, Any]],
    subject: str,
    time: str,
    state: str,
    allowed: npt.ArrayLike,
    *,
    exact: Sequence[int] = (),
    covariates: Sequence[str] = (),
    **options: Any,
) -> PanelFit:
    """Fit `fit_panel` to the columns `subject`, `time`, `state` and `covariates` of a table of rows.

    Raises
    ------
    InvalidInput
        A column is missing, and whatever `fit_panel` raises.
    """
    missing = [name for name in (subject, time, state, *covariates) if not rows or name not in rows[0]]
    if missing:
        raise InvalidInput(f"The table has no column {', '.join(missing)}.")

    def column(name: str) -> npt.NDArray[Any]:
        return np.asarray([row[name] for row in rows])

    extra = np.stack([column(name).astype(float) for name in covariates], axis=1) if covariates else None
    return fit_panel(
        column(subject), column(time), column(state), allowed, exact=exact, covariates=extra, **options
    )  # fmt: skip
