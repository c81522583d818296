"""Writes the figures of the README from the committed report, between its markers; nothing is typed there by hand."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from evals.report import REPORTS, Contents
from evals.report.numbers import interval, measure
from evals.report.words import metric_words, suite_name
from knowledge.errors import DataError

README = Path(__file__).parent.parent / "README.md"
BEGIN, END = "<!-- eval: begin -->", "<!-- eval: end -->"


def block(contents: Contents) -> str:
    """What stands between the markers: the headline sentences and the headline table."""
    lines = [*(f"- {sentence}" for sentence in contents.headline), ""]
    lines += ["| suite | figure | value | 95 % interval | n |", "|---|---|--:|--:|--:|"]
    lines += [
        f"| {suite_name(one.suite)} | {metric_words(one.name).name} | {measure(one.value, one.unit)} | "
        f"{interval(one.lower, one.upper, one.unit)} | {one.n:,} |"
        for one in contents.headlines()
    ]
    lines += [
        "",
        f"Measured on {contents.created:%Y-%m-%d}, evidence `{contents.evidence_hash}`, code `{contents.code_hash}`.",
    ]
    return "\n".join(lines)


def filled(text: str, contents: Contents) -> str:
    """The README with the block renewed (DataError when the markers are not there, once each and in order)."""
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise DataError(
            "The README has no place for the figures.", f"Put {BEGIN} and {END} on lines of their own, once each."
        )
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{BEGIN}\n{block(contents)}\n{END}{after}"


def committed(folder: Path = REPORTS) -> Contents:
    """The committed report (DataError when it is missing or of another version)."""
    path = folder / "report.json"
    try:
        return Contents.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValidationError) as error:
        raise DataError(f"{path.name} cannot be read as a report.", "Make it again with: make eval") from error


def update(readme: Path = README, folder: Path = REPORTS) -> str:
    """Renew the README from the committed report; what happened, in a sentence."""
    text = readme.read_text(encoding="utf-8")
    made = filled(text, committed(folder))
    if made == text:
        return f"{readme.name} says what the report says."
    readme.write_text(made, encoding="utf-8")
    return f"{readme.name} now says what the report says."
