"""The bank of archetypes in the terminal, with rich. Cells are plain text: what a file says is never markup."""

from __future__ import annotations

from collections.abc import Iterable

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from assistant.persona_views import (
    Change,
    Comparison,
    Entry,
    Figure,
    Found,
    History,
    Listed,
    Similar,
    TrialMatch,
    TrialMatches,
    UpdateReport,
)
from ui.console import terminal

_BAR = 6  # characters on each side of the middle of a bar
_FULL = 2.0  # SDs that fill it
_ALARM = "bold yellow"


def _table(*columns: str, right: Iterable[str] = ()) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, expand=False)
    numbers = set(right)
    for column in columns:
        table.add_column(column, justify="right" if column in numbers else "left", no_wrap=column in numbers)
    return table


def _add(table: Table, *cells: str, style: str = "") -> None:
    table.add_row(*(Text(cell) for cell in cells), style=style)


def print_list(rows: list[Listed]) -> None:
    """All archetypes, by area."""
    console = terminal()
    table = _table("Archetype", "Name", "Sourced", "Learned", right=("Sourced", "Learned"))
    area = ""
    for row in rows:
        if row.area != area:
            area = row.area
            table.add_row(Text(area.replace("_", " "), style="bold"))
        mark = " (yours)" if row.origin == "imported" else ""
        _add(table, row.id, row.name + mark, f"{100 * row.sourced_share:.0f} %", str(row.learned or ""))
    console.print(table)
    console.print(f"{len(rows)} archetypes. 'Sourced' is the share of their values that was seen in a publication.")


def print_found(found: list[Found]) -> None:
    """What a search found, best first."""
    console = terminal()
    if not found:
        console.print("No archetype shares a word with that. Say it in other words.")
        return
    meaning = found[0].by == "meaning"
    table = _table("Archetype", "Name", "Likeness" if meaning else "Rank", "Nearest text", right=("Likeness", "Rank"))
    for position, item in enumerate(found, start=1):
        _add(table, item.id, item.name, f"{item.score:.2f}" if meaning else str(position), item.matched)
    console.print(table)
    console.print("Likeness is the cosine between the meanings, at most 1." if meaning else "Found by words (BM25).")


def print_comparison(result: Comparison) -> None:
    """Two archetypes side by side, with a bar for each standardised difference."""
    console = terminal()
    console.print(Text(f"A  {result.first_name}", style="bold"))
    console.print(Text(f"B  {result.second_name}", style="bold"))
    table = _table("Attribute", "A", "B", "B − A", "in SDs", "Overlap", right=("A", "B", "B − A", "Overlap"))
    table.columns[4].no_wrap = True
    for row in sorted(result.rows, key=lambda row: row.overlap):
        signed = row.first_mean is not None or "yes" in row.first_shares
        if row.first_mean is not None and row.second_mean is not None:
            a = f"{_short(row.first_mean)} ({_short(row.first_sd or 0.0)})"
            b = f"{_short(row.second_mean)} ({_short(row.second_sd or 0.0)})"
        else:
            a, b = _shares(row.first_shares, row.second_shares)
        difference, bar = "–", ""
        if row.difference is not None:
            difference = _signed(row.difference, 2) if signed else f"{row.difference:.2f}"
            bar = _bar(row.difference, signed)
        _add(table, row.label, a, b, difference, bar, f"{100 * row.overlap:.0f} %")
    console.print(table)
    console.print(
        f"Distance {result.distance:.2f}: the mean of 1 − overlap over {len(result.rows)} attributes (0 alike, 1 nothing in "
        "common). Measured values are mean (SD), others shares; a difference of levels has no sign."
    )
    for name, only in ((result.first, result.only_first), (result.second, result.only_second)):
        if only:
            console.print(Text(f"Only {name} has: {', '.join(only)}."))


def print_similar(persona_id: str, rows: list[Similar]) -> None:
    """The nearest archetypes."""
    console = terminal()
    table = _table("Archetype", "Name", "Distance", "Shared", "Differs most in", right=("Distance", "Shared"))
    for row in rows:
        _add(table, row.id, row.name, f"{row.distance:.2f}", str(row.shared), row.farthest_attribute)
    console.print(table)
    console.print(Text(f"Distance from {persona_id}: the mean of 1 − overlap over the shared attributes, 0 to 1."))


def print_trials(found: TrialMatches) -> None:
    """Trials whose population is nearest, and the farthest."""
    console = terminal()
    console.print(Text(f"Trials whose people are most like: {found.name}", style="bold"))
    table = _table("Trial", "n", "Distance", "Compared on, in SDs of the archetype", right=("n", "Distance"))
    for match in found.nearest:
        _trial(table, match)
    if found.farthest is not None and found.farthest not in found.nearest:
        table.add_section()
        table.add_row(Text("Farthest of all", style="bold"))
        _trial(table, found.farthest)
    console.print(table)
    areas = ", ".join(area.replace("_", " ") for area in found.areas)
    console.print(
        Text(
            f"{found.compared} trial populations compared ({areas}); {found.too_few} print fewer than {found.at_least} baseline "
            "figures. Distance is the root mean square of the differences of means, in SDs of the archetype's people; the "
            "spread inside a trial is not in the evidence."
        )
    )


def _trial(table: Table, match: TrialMatch) -> None:
    cohort = "" if match.cohort == "all" else f", {match.cohort}"
    fields = ", ".join(f"{field.label} {_signed(field.distance, 1)}" for field in match.fields)
    name = f"{match.trial}{cohort}\n{match.citation}"
    _add(table, name, f"{match.n:,}" if match.n else "?", f"{match.distance:.2f}", fields)


def print_update(report: UpdateReport) -> None:
    """What was learned, figure by figure, and what contradicted the belief."""
    console = terminal()
    entry = report.entry
    done = "Would learn" if report.dry_run else f"Learned (entry {entry.seq})"
    console.print(Text(f"{report.name}", style="bold"))
    source = f", {entry.source}" if entry.source else ""
    console.print(Text(f"{done} from {entry.observation_set}{source}: {entry.people:,} people, {entry.on}."))
    console.print(_changes(entry.changes))
    _after_changes(console, entry, report.threshold)
    for sentence in report.skipped:
        console.print(Text(f"Left as it is: {sentence}"))
    if report.dry_run:
        console.print("Nothing was changed (dry run).")


def _changes(changes: tuple[Change, ...]) -> Table:
    table = _table(
        "Attribute", "", "Before", "After", "90 % interval", "n", "Data", right=("Before", "After", "n", "Data")
    )
    for change in changes:
        weight = change.data_weight / (change.data_weight + change.prior_weight)
        for position, figure in enumerate(change.figures):
            first = position == 0
            _add(
                table,
                (change.label + (" !" if change.drift else "")) if first else "",
                f"{figure.what}{'' if figure.what == 'SD' else _unit(figure)}",
                _short(figure.before),
                _short(figure.after),
                f"{_short(figure.lower)} to {_short(figure.upper)}",
                f"{change.n:,.0f}" if first else "",
                f"{100 * weight:.0f} %" if first else "",
                style=_ALARM if change.drift else "",
            )
    return table


def _after_changes(console: Console, entry: Entry, threshold: float) -> None:
    console.print(
        "'Data' is the weight of all observations in what is believed now; the rest is the archetype's own value."
    )
    for change in entry.changes:
        alarms = {test: p for test, p in change.p_values.items() if p < threshold}
        for day in sorted({test.rsplit(" ", 1)[1] for test in alarms}):
            tests = [test for test in alarms if test.endswith(day)]
            smallest = min(alarms[test] for test in tests)
            probability = "below 0.0001" if smallest < 0.0001 else f"{smallest:.4f}"
            console.print(
                Text(
                    f"! {change.label}: the {' and the '.join(test.rsplit(' ', 1)[0] for test in tests)} observed on {day} "
                    f"contradict{'s' if len(tests) == 1 else ''} what was believed (probability {probability}, threshold "
                    f"{threshold:g}). Check unit and population; roll back if they are not this cohort.",
                    style=_ALARM,
                )
            )
        for note in change.notes:
            console.print(Text(note))


def print_history(history: History) -> None:
    """The thread, and how well the archetype keeps up."""
    console = terminal()
    console.print(Text(history.name, style="bold"))
    if not history.entries:
        console.print("Nothing was learned yet; all values are the archetype's own.")
        console.print(
            Text(f"Learn from observations with: cohort personas update {history.persona_id} --observations FILE")
        )
        return
    table = _table("No.", "Recorded", "What", "Changed", right=("No.",))
    for entry in history.entries:
        _add(table, str(entry.seq), f"{entry.recorded:%Y-%m-%d %H:%M}", _what(entry), _changed(entry))
    console.print(table)
    fresh = history.freshness
    labels = {change.name: change.label for entry in history.entries for change in entry.changes}
    if fresh.learned:
        weights = _table(
            "Learned now",
            "Observed up to",
            "Own value",
            "Data",
            "Data share",
            right=("Own value", "Data", "Data share"),
        )
        for item in fresh.learned:
            _add(
                weights,
                labels.get(item.name, item.name.replace("_", " ")),
                str(item.on),
                f"{item.prior_weight:,.0f}",
                f"{item.data_weight:,.0f}",
                f"{100 * item.data_share:.0f} %",
            )
        console.print(weights)
        console.print("Weights are in people, of life events in person-years.")
    if fresh.newest_observation is None:
        console.print("It stands as shipped.")
    else:
        pace = f", one every {fresh.days_between_updates:.0f} days" if fresh.days_between_updates else ""
        console.print(
            f"Twinning: {fresh.sets} set{'s' if fresh.sets != 1 else ''} of observations in use{pace}; last update "
            f"{fresh.last_update:%Y-%m-%d}; the newest observation is {fresh.lag_days} days old."
        )
    if fresh.stale:
        console.print(
            Text(
                f"The archetype's own value changed since it was learned from: {', '.join(fresh.stale)}. Learn again.",
                style=_ALARM,
            )
        )


def _what(entry: Entry) -> str:
    if entry.kind == "rollback":
        return "back to the archetype as shipped" if entry.to == 0 else f"back to entry {entry.to}"
    source = f", {entry.source}" if entry.source else ""
    return f"{entry.observation_set}{source}, n = {entry.people:,}, observed {entry.on}"


def _changed(entry: Entry) -> str:
    told = []
    for change in entry.changes:
        figure = change.figures[0]
        mark = " !" if change.drift else ""
        told.append(f"{change.label}{mark} {_short(figure.before)} → {_short(figure.after)}{_unit(figure)}")
    return "; ".join(told)


def _unit(figure: Figure) -> str:
    silent = figure.unit in ("category", "yes/no", "")
    return "" if silent else f" {figure.unit}" if len(figure.unit) < 8 else ""


def _shares(first: dict[str, float], second: dict[str, float]) -> tuple[str, str]:
    """Yes/no as one share, levels by the one that differs most."""
    level = "yes" if "yes" in first else max(first, key=lambda name: abs(first[name] - second.get(name, 0.0)))
    name = "" if level == "yes" else f"{level.replace('_', ' ')} "
    return f"{name}{100 * first[level]:.0f} %", f"{name}{100 * second.get(level, 0.0):.0f} %"


def _bar(difference: float, signed: bool) -> str:
    """A bar to the left or right of the middle; without a sign to the right."""
    length = min(_BAR, round(abs(difference) / _FULL * _BAR))
    if signed and difference < 0:
        return f"{'█' * length:>{_BAR}}│{'':<{_BAR}}"
    return f"{'':<{_BAR}}│{'█' * length:<{_BAR}}"


def _signed(value: float, decimals: int) -> str:
    """With its sign; what rounds to nothing has none."""
    text = f"{value:+.{decimals}f}"
    return text[1:] if float(text) == 0 else text


def _short(value: float) -> str:
    """Three significant digits, without an exponent for everyday sizes."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
