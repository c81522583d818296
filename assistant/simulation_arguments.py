"""From the values of a question to the arguments of a simulation tool, or to what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from assistant import simulation_operations, simulation_rules
from assistant.simulation_pages import Form, Page, words
from assistant.simulation_rules import Made

_GONE = object()


@dataclass(frozen=True)
class Filled:
    """A form with the arguments it leads to; `missing` slots and `faults` (whole sentences) stand in the way."""

    form: Form
    arguments: dict[str, Any] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def fill(page: Page, values: Mapping[str, Any], text: str, units: Mapping[str, str], currency: str) -> Filled:
    """The calculation that the values allow, or the one that is nearest to it.

    Parameters
    ----------
    values : by slot; of slots that take many a list.
    units : of the times among them.
    currency : that the question names; empty for none.
    """
    form = chosen(page, values, text)
    missing = lacking(form, values)
    known = dict(values) | ({"currency": currency} if currency else {})
    made = Made(placed(form.arguments, known), dict(values), dict(units), text, currency)
    if not missing and form.rule:
        rules = simulation_rules if hasattr(simulation_rules, form.rule) else simulation_operations
        getattr(rules, form.rule)(made)
    missing += [slot for slot in made.missing if slot not in missing]
    return Filled(form, made.arguments, tuple(missing), tuple(made.faults), (*form.notes, *made.notes))


def chosen(page: Page, values: Mapping[str, Any], text: str) -> Form:
    """The form that the words ask for; else the one that lacks least, and of those the one that uses most."""
    named = [form for form in page.forms if form.when and words(form.when).search(text)]
    complete = [form for form in named if not lacking(form, values)]
    if complete or named:
        return (complete or named)[0]

    def rank(form: Form) -> tuple[int, bool, int]:
        there = sum(any(name in values for name in group.split("|")) for group in form.required)
        return len(lacking(form, values)), bool(form.when), -there

    return min(page.forms, key=rank)


def lacking(form: Form, values: Mapping[str, Any]) -> list[str]:
    """Required slots without a value, of alternatives the first; and those that go along with what was given."""
    missing = [group.split("|")[0] for group in form.required if not any(name in values for name in group.split("|"))]
    for name, others in form.along.items():
        missing += [other for other in others if name in values and other not in values and other not in missing]
    return missing


def placed(template: Any, values: Mapping[str, Any]) -> Any:
    """The template with its '$slot's replaced; what has no value falls away, and what is left empty with it."""
    found = _placed(template, values)
    return {} if found is _GONE else found


def _placed(template: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(template, str) and template.startswith("$"):
        value = values.get(template[1:], _GONE)
        return plain(value) if value is not _GONE else _GONE
    if isinstance(template, dict):
        made = {key: _placed(item, values) for key, item in template.items()}
        made = {key: item for key, item in made.items() if item is not _GONE}
        return made or _GONE
    if isinstance(template, list):
        items = [item for one in template if (item := _placed(one, values)) is not _GONE]
        return items or _GONE
    return template


def plain(value: Any) -> Any:
    """As a tool takes it: whole numbers as such, 'between 2 and 3' as a uniform distribution."""
    if isinstance(value, tuple):
        return {"distribution": "uniform", "a": value[0], "b": value[1]}
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return int(value)
    return value
