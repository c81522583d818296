"""The report of a fit in plain lines for the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from assistant.persona_fitting import FitReport

_STRONGEST_SHOWN = 8


def report_lines(report: FitReport) -> Iterator[str]:
    """Everything a person needs to judge the fit, most important first."""
    if report.quality is not None:
        yield from quality_lines(report.quality, report.unusual)
        yield ""
    yield from _fit_lines(report)
    if report.representativeness is not None:
        yield ""
        yield from _representativeness_lines(report.representativeness)
    if report.privacy is not None:
        yield ""
        yield from _privacy_lines(report.privacy)
    yield ""


def quality_lines(quality: Any, unusual: int) -> Iterator[str]:
    """What was read, and what was set aside."""
    yield f"DATA  {', '.join(quality.files[:4])}{' …' if len(quality.files) > 4 else ''}"
    yield f"  {quality.people_read:,} rows of people read, {quality.people:,} people belong to the cohort."
    for number, what in (
        (quality.repeated_ids, "repeat the id of an earlier row and were left out" + _at(quality.repeated_at)),
        (quality.dead, "had died by the day looked at"),
        (quality.not_included, "have none of the conditions under 'include'"),
        (quality.not_members, "do not meet the restrictions"),
        (quality.membership_unknown, "lack a value that the restrictions need"),
        (quality.contradictions, "contradict themselves (a disease older than the person)"),
        (quality.same_rows, "have the same values as somebody before: check for duplicates (they were kept)"),
        (unusual, "are unlike everybody else and were left out, so that nobody can be told from an average"),
    ):
        if number:
            yield f"  {number:,} {what}."
    for item in quality.unchecked_restrictions:
        yield f"  {item} could not be checked: the mapping file does not name that attribute."
    for item in quality.attributes:
        if item.impossible:
            yield f"  {item.attribute}: {item.impossible:,} impossible values taken as missing{_at(item.impossible_at)}."
    gaps = [f"{item.attribute} {item.missing_share:.1%}" for item in quality.attributes if item.missing]
    yield f"  Missing: {', '.join(gaps)}." if gaps else "  Missing: nothing."


def _at(places: tuple[str, ...]) -> str:
    return f" (first: {'; '.join(places[:3])})" if places else ""


def _fit_lines(report: FitReport) -> Iterator[str]:
    fit = report.fit
    yield f"ARCHETYPE  {report.identity.id}, from {fit.people:,.0f} people; missing values: {report.missing_method}"
    if report.epsilon is not None:
        yield f"  Differential privacy with epsilon {report.epsilon:g}: every count carries noise."
    for name, item in fit.attributes.items():
        yield f"  {name:<26}{_margin(item)}"
    for name in report.misfits:
        yield f"  No family fits {name} well: up to {fit.attributes[name].misfit:.0%} of people stand on the wrong side of a value."
    for name, item in fit.attributes.items():
        for merged in item.merged:
            yield f"  Levels of {name} merged, too few people: {merged}."
    for name, why in fit.left_out.items():
        yield f"  Not fitted: {name} ({why.rstrip('.')})."
    strongest = sorted(fit.correlations, key=lambda item: -abs(item.spearman))[:_STRONGEST_SHOWN]
    if strongest:
        yield f"  {len(fit.correlations)} rank correlations; the strongest:"
    for pair in strongest:
        yield f"    {pair.spearman:+.2f}  {' and '.join(pair.between)}"
    if fit.moved > 0.0:
        yield f"  Not all correlations can hold together; the nearest that can moved {' and '.join(fit.moved_pair)} by {fit.moved:.3f}."
    if report.parent_gave_way:
        yield "  Correlations that the parent states with attributes not in the data contradicted the data and were dropped."


def _margin(item: Any) -> str:
    attribute = item.attribute
    if attribute.levels is not None:
        text = ", ".join(f"{level} {share:.1%}" for level, share in attribute.levels.items())
    elif attribute.probability is not None:
        text = f"{attribute.probability:.1%} yes"
    elif attribute.mean is None:
        text = f"uniform from {attribute.lower:g} to {attribute.upper:g} {attribute.unit}"
    else:
        bounds = f" from {attribute.lower:g} to {attribute.upper:g}" if attribute.lower is not None else ""
        zeros = f", {attribute.zeros:.1%} zeros" if attribute.zeros is not None else ""
        family = attribute.distribution.value.replace("_", " ")
        text = f"{family}{bounds}, mean {attribute.mean:.4g}, SD {attribute.sd:.3g} {attribute.unit}{zeros}"
    lead = (
        f"  [AIC {item.aic_gap:.0f} better than {item.runner_up.replace('_', ' ')}]" if item.aic_gap is not None else ""
    )
    return text + lead


def _representativeness_lines(compared: Any) -> Iterator[str]:
    verdict = "no difference found" if compared.representative else "NOT REPRESENTATIVE"
    yield f"AGAINST {compared.reference}  {verdict} ({len(compared.differences)} attributes, {compared.compared} groups compared)"
    yield f"  {'attribute':<26}{'data':<22}{'reference':<22}standardised difference (95 %)"
    for item in compared.differences:
        flag = "  differs" if item.flagged else ""
        yield (
            f"  {item.attribute:<26}{item.data:<22}{item.reference:<22}"
            f"{item.difference:+.2f} ({item.lower:+.2f} to {item.upper:+.2f}){flag}"
        )
    for title, groups in (("Under-represented", compared.under), ("Over-represented", compared.over)):
        for item in groups:
            yield f"  {title}: {item.group}: {item.share:.1%} instead of {item.expected:.1%}, {_times(item)}"
    if compared.hidden:
        yield "  Hidden in combinations (beyond what single attributes explain):"
    for item in compared.hidden:
        yield f"    {item.group}: {item.share:.1%} instead of {item.expected:.1%}, {_times(item)}"
    if compared.missing:
        yield f"  Not compared, not in the data: {', '.join(compared.missing)}."


def _times(item: Any) -> str:
    return f"{item.ratio:.2f} times ({item.lower:.2f} to {item.upper:.2f})."


def _privacy_lines(privacy: Any) -> Iterator[str]:
    verdict = "passed" if privacy.passed else "REFUSED"
    yield f"PRIVACY  {verdict} (control: a fifth of the people not fitted to, {privacy.splits} times at random)"
    if privacy.category_attributes:
        yield (
            f"  {privacy.small_combinations} of {privacy.combinations} combinations of {len(privacy.category_attributes)} categories "
            f"are held by fewer than {privacy.smallest_cell} people ({privacy.people_in_small} people; smallest "
            f"{privacy.smallest_combination}). The archetype names none of them."
        )
    rows = (
        (
            "Attack on membership, everybody",
            privacy.attack,
            f"0.50 is a coin; refused if surely above {privacy.tolerance:.2f}",
        ),
        (
            "  the most unusual people",
            privacy.attack_unusual,
            f"refused if surely above {privacy.tolerance_unusual:.2f}",
        ),
        ("Strongest attacker, everybody", privacy.strongest, "knows all but membership"),
        ("  the most unusual people", privacy.strongest_unusual, ""),
        ("Distance to nearest virtual patient", privacy.nearest_ratio, "members over control; 1.00 is none"),
    )
    for name, item, note in rows:
        yield f"  {name:<37}{item.value:.3f} ({item.lower:.3f} to {item.upper:.3f})  {note}".rstrip()
    if privacy.warned:
        yield (
            "  The strongest attacker gains something from these exact averages. Before sharing the archetype widely, use more "
            "people, fewer attributes, or --epsilon."
        )
