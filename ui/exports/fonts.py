"""The DejaVu fonts that come with matplotlib (free licence): they know −, ≥, µ, Greek, Cyrillic and superscripts."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from knowledge.errors import CohortTwinError

FACES = {
    "regular": "DejaVuSans.ttf",
    "bold": "DejaVuSans-Bold.ttf",
    "italic": "DejaVuSans-Oblique.ttf",
    "bold italic": "DejaVuSans-BoldOblique.ttf",
    "mono": "DejaVuSansMono.ttf",
}


def font_file(face: str) -> Path:
    """Path of a face, found without importing matplotlib (CohortTwinError when it is not installed)."""
    found = find_spec("matplotlib")
    places = found.submodule_search_locations if found else None
    path = Path(next(iter(places))) / "mpl-data" / "fonts" / "ttf" / FACES[face] if places else None
    if path is None or not path.is_file():
        raise CohortTwinError(
            "The font DejaVu Sans is not installed.", "It comes with matplotlib: pip install matplotlib"
        )
    return path
