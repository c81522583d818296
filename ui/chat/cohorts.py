"""The Cohorts tab: the archetypes, who they are, a sub-cohort built with controls, and two beside each other."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import gradio as gr

from assistant.cohort_views import CohortView, Shown, controls, view
from knowledge.errors import CohortTwinError
from ui.charts import gauge, histogram
from ui.charts.rows import capital
from ui.charts.scale import short
from ui.chat.markup import area_words, figure, folded, grid, notice
from ui.chat.visitor import visitor_of

if TYPE_CHECKING:
    from assistant.owners import Owners
    from assistant.schemas import PersonaNode
    from assistant.service import Assistant

EVERY = "all areas"
FIRST = "t2d_adults"
LIMITED = ("age", "bmi", "egfr")  # controls of their own; everything else goes into the line below them
PATIENTS_LIVE = 2000


class CohortsTab:
    """Builds the tab; `fill` loads it when it is first opened."""

    def __init__(self, owners: Owners, question: gr.Textbox, tabs: gr.Tabs) -> None:
        self._owners = owners
        with gr.Row(elem_classes="two-columns"):
            with gr.Column(scale=2, min_width=280):
                search = gr.Textbox(
                    label="Search archetypes", placeholder="e.g. kidney disease", elem_id="cohort-search"
                )
                area = gr.Dropdown([EVERY], value=EVERY, label="Area", elem_id="cohort-area")
                self.chosen = gr.Radio([], label="Archetypes", elem_id="cohort-list", elem_classes="ct-list")
            with gr.Column(scale=5, min_width=320):
                with gr.Accordion("Build a sub-cohort", open=True, elem_id="builder"):
                    with gr.Row():
                        sex = gr.Radio(["any"], value="any", label="Sex", elem_id="build-sex")
                        conditions = gr.CheckboxGroup([], label="With these conditions", elem_id="build-with")
                    bounds: list[gr.Number] = []
                    with gr.Row():
                        for name, label in (("age", "Age"), ("bmi", "BMI"), ("egfr", "eGFR")):
                            with gr.Row():
                                for end in ("from", "to"):
                                    bounds.append(
                                        gr.Number(
                                            label=f"{label} {end}",
                                            value=None,
                                            elem_id=f"build-{name}-{end}",
                                            min_width=90,
                                        )
                                    )
                    more = gr.Textbox(
                        label="More restrictions", placeholder="hba1c >= 8; diabetes_duration < 10", elem_id="build-more",
                        info="Any attribute of the table below, with its value, parted by semicolons.",
                    )  # fmt: skip
                    size = gr.HTML(elem_id="cohort-size")
                    ask = gr.Button("Ask about this cohort", variant="primary", size="sm", elem_id="cohort-ask")
                profile = gr.HTML(elem_id="cohort-profile", elem_classes="ct-panel")
                with gr.Accordion("Compare two archetypes", open=False, elem_id="comparing"):
                    with gr.Row():
                        first = gr.Dropdown([], label="First", filterable=True, elem_id="compare-first")
                        second = gr.Dropdown([], label="Second", filterable=True, elem_id="compare-second")
                    beside = gr.HTML(elem_id="comparison", elem_classes="ct-panel")
        label = gr.State("")
        current = gr.State("")  # a search may take the chosen archetype off the list
        built = [sex, conditions, *bounds, more]
        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}

        def listed(query: str, wanted: str, request: gr.Request) -> Any:
            return gr.update(choices=_choices(visitor_of(owners, request).assistant, query or "", wanted))

        def chosen(persona_id: str | None, request: gr.Request) -> list[Any]:
            assistant = visitor_of(owners, request).assistant
            if not persona_id:
                return [gr.skip()] * (len(built) + 4)
            can = controls(persona_id, assistant.personas)
            measured = {measure.name: measure for measure in can.measures}
            ends = []
            for name, words in (("age", "Age"), ("bmi", "BMI"), ("egfr", "eGFR")):
                unit = f" ({measured[name].unit})" if name in measured else ""
                ends += [
                    gr.update(value=None, label=f"{words} {end}{unit}", visible=name in measured)
                    for end in ("from", "to")
                ]
            return [
                gr.update(choices=["any", *can.sexes], value="any", visible=bool(can.sexes)),
                gr.update(choices=[(text, name) for name, text in can.conditions.items()], value=[], visible=bool(can.conditions)),
                *ends, "", *_shown(assistant, persona_id, []), persona_id,
            ]  # fmt: skip

        def change(
            persona_id: str | None,
            sex: str,
            conditions: list[str],
            a: Any, b: Any, c: Any, d: Any, e: Any, f: Any,
            more: str,
            request: gr.Request,
        ) -> list[Any]:  # fmt: skip
            if not persona_id:
                return [gr.skip()] * 3
            said = _restrictions(sex, conditions or [], [a, b, c, d, e, f], more or "")
            return _shown(visitor_of(owners, request).assistant, persona_id, said)

        def compared(one: str | None, other: str | None, request: gr.Request) -> str:
            if not one or not other:
                return ""
            return _comparison(visitor_of(owners, request).assistant, one, other)

        def fill(request: gr.Request) -> list[Any]:
            assistant = visitor_of(owners, request).assistant
            areas = sorted({row.area for row in assistant.bank.listed()})
            names = [(row.name, row.id) for row in sorted(assistant.bank.listed(), key=lambda row: row.name)]
            start = FIRST if FIRST in assistant.personas.ids() else names[0][1]
            return [
                gr.update(choices=[EVERY, *[(area_words(one), one) for one in areas]]),
                gr.update(choices=_choices(assistant, "", EVERY), value=start),
                gr.update(choices=names), gr.update(choices=names),
            ]  # fmt: skip

        self.fill = fill
        self.filled: list[Any] = [area, self.chosen, first, second]
        for trigger in (search.change, area.change):
            trigger(listed, [search, area], [self.chosen], trigger_mode="always_last", **quiet)
        self.chosen.change(chosen, [self.chosen], [*built, size, profile, label, current], **quiet)
        gr.on(
            [sex.input, conditions.input, *[number.input for number in bounds], more.change],
            change, [current, *built], [size, profile, label], trigger_mode="always_last", **quiet,
        )  # fmt: skip
        for box in (first, second):
            box.change(compared, [first, second], [beside], **quiet)
        ask.click(
            lambda words: [f"How would {words[:1].lower() + words[1:]} react to ", gr.update(selected="ask")],
            [label], [question, tabs], **quiet,
        ).then(None, js="() => window.cohort.focus('#question textarea')")  # fmt: skip


def _restrictions(sex: str, conditions: list[str], bounds: list[float | None], more: str) -> list[str]:
    said = [f"sex={sex}"] if sex and sex != "any" else []
    said += [f"{name}=yes" for name in conditions]
    for position, name in enumerate(LIMITED):
        low, high = bounds[2 * position : 2 * position + 2]
        said += [f"{name}>={low:g}"] if low is not None else []
        said += [f"{name}<={high:g}"] if high is not None else []
    return [*said, *[part for part in more.split(";") if part.strip()]]


def _choices(assistant: Assistant, query: str, area: str) -> list[tuple[str, str]]:
    """Archetypes as a tree of one area after the other, or those nearest to a description."""
    if len(query.strip()) >= 3:
        words = query.casefold().split()
        rows = [
            row for row in assistant.bank.listed() if all(word in f"{row.name} {row.area}".casefold() for word in words)
        ]
        areas = {row.id: row.area for row in assistant.bank.listed()}
        found = [(row.name, row.id) for row in rows] or [(hit.name, hit.id) for hit in assistant.bank.search(query, 8)]
        return [(name, one) for name, one in found if area in (EVERY, areas[one])]
    areas = {row.id: row.area for row in assistant.bank.listed()}
    choices: list[tuple[str, str]] = []

    def add(node: PersonaNode, depth: int) -> None:
        if area in (EVERY, areas[node.id]):
            choices.append((f"{'– ' * depth}{node.name}", node.id))
            depth += 1
        for child in node.children:
            add(child, depth)

    for root in assistant.persona_tree():
        add(root, 0)
    return choices


def _shown(assistant: Assistant, persona_id: str, restrictions: list[str]) -> list[Any]:
    try:
        cohort = view(persona_id, restrictions, assistant.personas, n=PATIENTS_LIVE)
    except CohortTwinError as error:
        return [notice(error.message, hint=error.hint, alarm=True), gr.skip(), gr.skip()]
    return [_size(cohort), profile(cohort), cohort.label]


def _size(cohort: CohortView) -> str:
    percent = f"{100 * cohort.prevalence:.3g} %"
    who = "The whole of" if cohort.one_in == "all" else f"{cohort.one_in} in"
    return (
        f'<p class="ct-size" role="status"><strong>{escape(cohort.label)}</strong><br>{who} the archetype “{escape(cohort.name)}” '
        f"({percent}). {gauge(cohort.prevalence, f'{percent} of the archetype')}</p>"
    )


def profile(cohort: CohortView) -> str:
    """Who they are: a picture an attribute, and the table."""
    measured = [shown for shown in cohort.attributes if shown.bins]
    pictures = "".join(_picture(shown) for shown in measured)
    levels = grid(
        ["Attribute", "Shares", "Where it is from"],
        [[capital(row.label), _levels(row.shares), _origin(shown)]
         for shown in cohort.attributes for row in [shown.row] if row.shares],
        "Conditions, groups and behaviours",
    )  # fmt: skip
    numbers = grid(
        ["Attribute", "Mean", "5th to 95th percentile", "Unit", "Where it is from"],
        [[capital(shown.row.label), short(shown.row.mean or 0.0), f"{short(shown.row.lower or 0.0)} to {short(shown.row.upper or 0.0)}",
          shown.row.unit, _origin(shown)] for shown in measured],
        "Measured attributes",
    )  # fmt: skip
    bins = grid(
        ["Attribute", "From", "To", "Share (%)"],
        [[capital(shown.row.label), short(one.low), short(one.high), f"{100 * one.share:.1f}"] for shown in measured for one in shown.bins],
        "Numbers of the pictures",
    )  # fmt: skip
    wants = "".join(
        f'<li>{escape(words)} <span class="soft">({escape(source)})</span></li>' for words, source in cohort.preferences
    )
    about = f"The archetype: {cohort.summary}" if cohort.spec.restrictions else cohort.summary
    return (
        f'<h2>{escape(cohort.label)}</h2><p>{escape(about)}</p><div class="ct-small">{pictures}</div>'
        f"{folded('Numbers of these pictures', bins)}{numbers}{levels}"
        + (folded("What they want, fear and do", f"<ul>{wants}</ul>") if wants else "")
        + f'<p class="soft">Drawn from {cohort.patients:,} virtual patients.</p>'
    )


def _picture(shown: Shown) -> str:
    row = shown.row
    between = f"{short(row.lower or 0.0)} and {short(row.upper or 0.0)} {row.unit}"
    said = f"{row.label}: mean {short(row.mean or 0.0)}, nine in ten between {between}"
    drawn = histogram([(one.low, one.high, one.share) for one in shown.bins], said)
    caption = f'{escape(capital(row.label))} <span class="soft">({escape(row.unit)})</span>'
    return f'<figure class="ct-figure"><figcaption>{caption}</figcaption>{drawn}</figure>'


def _origin(shown: Shown) -> str:
    row = shown.row
    if row.source_ids:
        return f"{', '.join(row.source_ids)} ({row.grade})" if row.grade else ", ".join(row.source_ids)
    return f"assumed: {row.assumption}" if row.assumption else ""


def _comparison(assistant: Assistant, first: str, second: str) -> str:
    try:
        shown = assistant.bank.compare(first, second)
    except CohortTwinError as error:
        return notice(error.message, hint=error.hint, alarm=True)
    result = shown.comparison
    rows = [
        [
            f"{row.label} ({row.unit})" if row.first_mean is not None and row.unit else row.label,
            _side(row.first_mean, row.first_sd, row.first_shares),
            _side(row.second_mean, row.second_sd, row.second_shares),
            "" if row.difference is None else short(row.difference),
        ]
        for row in result.rows
    ]
    table = grid(
        ["Attribute", result.first_name, result.second_name, "Standardised difference"],
        rows,
        "Two archetypes side by side",
    )
    distance = f"<p>Their distributions share {100 * (1 - result.distance):.0f} % on average.</p>"
    return distance + figure(shown.chart) + table


def _side(mean: float | None, sd: float | None, shares: dict[str, float]) -> str:
    if mean is not None:
        return f"{short(mean)} (SD {short(sd or 0.0)})"
    return _levels(shares)


def _levels(shares: dict[str, float]) -> str:
    if set(shares) == {"no", "yes"}:
        return f"{100 * shares['yes']:.0f} %"
    return "; ".join(f"{name.replace('_', ' ')} {100 * share:.0f} %" for name, share in shares.items())
