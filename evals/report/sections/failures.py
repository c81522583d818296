"""Every case that failed, and the trace of as many as a file of modest size can hold."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from evals.report.blocks import Block, Bullets, Cell, Fold, Part, Pre, Section, Table, Text
from evals.report.contents import Contents, Failure
from evals.report.numbers import count
from evals.report.words import suite_name
from evals.schemas import Suite

MOST_CHARACTERS = 5_000  # of one answer
MOST_IN_SUITE = 10  # traces
BUDGET = 600_000  # characters of all traces


def failures(contents: Contents) -> Section:
    """By suite: traces first, then a table of the rest."""
    if not contents.failures:
        return Section("failures", "Failures", (Text("No case failed."),))
    blocks: list[Block] = [
        Text(
            f"{count(len(contents.failures), 'case')} failed. Open one to see the question, what was planned and done, the answer, "
            "and the check that failed. Long answers are cut here; the stored run holds them whole."
        )
    ]
    left = BUDGET
    for suite in dict.fromkeys(one.suite for one in contents.failures):
        mine = [one for one in contents.failures if one.suite is suite]
        folds: list[tuple[Failure, Fold]] = []
        for one in [one for one in mine if one.trace][:MOST_IN_SUITE]:
            fold = _trace(one)
            left -= _size(fold)
            if left < 0:
                break
            folds.append((one, fold))
        told = {id(one) for one, _ in folds}
        rest = [one for one in mine if id(one) not in told]
        parts: list[Block] = [fold for _, fold in folds]
        if rest:
            parts.append(_table(suite, rest, after=bool(folds)))
        blocks.append(Part(f"failures-{suite}", f"{suite_name(suite)}: {count(len(mine), 'failure')}", tuple(parts)))
    return Section("failures", "Failures", tuple(blocks))


def _trace(one: Failure) -> Fold:
    model = "" if one.model == "offline" else f" · {one.model}"
    return Fold(f"{one.case_id}{model}: {_short('; '.join(one.failed), 160)}", tuple(_story(one)))


def _story(one: Failure) -> Iterator[Block]:
    yield Bullets(tuple(_short(text, MOST_CHARACTERS) for text in one.failed))
    if one.question:
        yield Text("Question", muted=True)
        yield Pre(_short(one.question, MOST_CHARACTERS))
    answer = one.trace.get("answer")
    if isinstance(answer, Mapping):
        yield from _answer(answer, one.question)
        also = one.trace.get("also")
        if isinstance(also, Sequence) and not isinstance(also, str):
            for number, other in enumerate((o for o in also if isinstance(o, Mapping)), start=2):
                yield Fold(f"Answer {number}", tuple(_answer(other, one.question)))
    elif one.trace:
        yield Text("Trace", muted=True)
        yield Pre(_dump(one.trace))


def _answer(answer: Mapping[str, Any], asked: str) -> Iterator[Block]:
    if answer.get("question") and answer["question"] != asked:
        yield Text(f"Asked: {_short(str(answer['question']), MOST_CHARACTERS)}")
    yield Text(f"Ended as: {answer.get('status', 'unknown')}. Seed {answer.get('seed', 'unknown')}.")
    plan = answer.get("plan")
    if isinstance(plan, Mapping):
        rows = tuple(
            (name.replace("_", " "), _short(_dump(value), 400))
            for name, value in plan.items()
            if value not in ("", [], (), None)
        )
        if rows:
            yield Table("Plan", ("Part", "Read as"), rows)
    steps = [step for step in answer.get("steps") or () if isinstance(step, Mapping)]
    if steps:
        yield Table("Steps", ("Tool", "Arguments", "Result"), tuple(_step(step) for step in steps))
    text = "\n\n".join([str(answer.get("headline", "")), *_sections(answer)]).strip()
    if text:
        yield Text("Answer", muted=True)
        yield Pre(_short(text, MOST_CHARACTERS))


def _step(step: Mapping[str, Any]) -> tuple[Cell | str, ...]:
    ended = "done" if step.get("ok") else f"failed: {step.get('error', '')}"
    return (
        Cell(str(step.get("tool", "")), code=True),
        Cell(_short(_dump(step.get("arguments", {})), 600), code=True),
        _short(ended, 400),
    )


def _sections(answer: Mapping[str, Any]) -> Iterator[str]:
    for section in answer.get("sections") or ():
        if isinstance(section, Mapping):
            yield f"{section.get('title', '')}\n{section.get('body', '')}"


def _table(suite: Suite, rest: Sequence[Failure], *, after: bool) -> Table:
    rows = tuple(
        (Cell(one.case_id, code=True), _short(one.question, 200), _short("; ".join(one.failed), 240), one.status or "–")
        for one in rest
    )
    caption = (
        f"{suite_name(suite)}: {'the other failures' if after else 'failures'}. Their traces are in the stored run."
    )
    return Table(caption, ("Case", "Question", "What failed", "Ended as"), rows)


def _dump(value: object) -> str:
    if isinstance(value, str):
        return value
    return _short(json.dumps(value, ensure_ascii=False, sort_keys=True, default=str), MOST_CHARACTERS)


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]} … ({len(text) - most:,} more characters)"


def _size(block: Block) -> int:
    if isinstance(block, Fold | Part):
        return sum(_size(one) for one in block.blocks)
    if isinstance(block, Table):
        return sum(len(cell if isinstance(cell, str) else cell.text) + 40 for row in block.rows for cell in row)
    return len(block.text) if isinstance(block, Text | Pre) else 200
