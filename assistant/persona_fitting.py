"""Archetypes from a user's own data, for the faces: fit, share a site's statistics, merge sites, write the result."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from knowledge.errors import InvalidInput, PrivacyRefused
from personas.fitting.archetype import Identity
from personas.fitting.learn import (
    FitReport,
    FitRequest,
    Progress,
    SiteReport,
    fit_data,
    merge_sites,
    site_statistics,
)
from personas.fitting.mapping import Format
from personas.fitting.statistics import write_statistics
from personas.library import PersonaLibrary


class PersonaFitting:
    """Fits over the archetypes of an assistant. Keeps nothing between calls."""

    def __init__(self, personas: PersonaLibrary) -> None:
        self._personas = personas

    def fit(
        self, request: FitRequest, identity: Identity, progress: Progress = lambda _share, _text: None
    ) -> FitReport:
        """Learn an archetype; nothing is written. Errors as `personas.fitting.learn.fit_data`."""
        return fit_data(request, identity, self._personas, progress)

    def site(self, request: FitRequest, out: Path | None) -> SiteReport:
        """Statistics of one site, written to `out` unless it is None. Errors as `site_statistics`."""
        report = site_statistics(request, self._personas)
        if out is not None:
            write_statistics(report.statistics, out)
        return report

    def merge(
        self,
        paths: Sequence[Path],
        identity: Identity,
        *,
        reference: str | None = None,
        smallest_cell: int | None = None,
    ) -> FitReport:
        """Learn an archetype from several sites' files; nothing is written. Errors as `merge_sites`."""
        return merge_sites(paths, identity, self._personas, reference=reference, smallest_cell=smallest_cell)

    def write(self, report: FitReport, out: Path) -> None:
        """Write the archetype.

        Raises
        ------
        PrivacyRefused : the checks found that it must not be stored.
        InvalidInput : the file is not named after the archetype, or exists.
        """
        if report.refused:
            raise PrivacyRefused(
                report.refused, "Use more people, fewer attributes, or --epsilon. Nothing was written."
            )
        if out.name != f"{report.identity.id}.yaml":
            raise InvalidInput(f"The file is called '{out.name}'.", f"Call it {report.identity.id}.yaml, after the id.")
        if out.exists():
            raise InvalidInput(f"'{out.name}' exists already.", "Move it away, or choose another id.")
        if not out.parent.is_dir():
            raise InvalidInput(f"There is no folder '{out.parent}'.", "Make it first.")
        out.write_text(report.text, encoding="utf-8")


__all__ = ["FitReport", "FitRequest", "Format", "Identity", "PersonaFitting", "SiteReport"]
