"""Writes and reads a training set: one JSON line a conversation, and its report beside it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from assistant.finetune.questions import QuestionSource
from assistant.finetune.schemas import Example, SetReport, Split
from knowledge.errors import InvalidInput, NoEvidence

if TYPE_CHECKING:
    from assistant.service import Assistant

VALIDATION = 0.15  # share of the examples that are held out
TRIES = 12  # draws for one place in the set before it stays empty


def write_training_set(
    assistant: Assistant,
    area: str,
    out: Path,
    *,
    n: int,
    seed: int = 1,
    progress: Callable[[float, str], None] = lambda _fraction, _message: None,
) -> SetReport:
    """Write about `n` conversations on one therapeutic area; the same arguments give the same file.

    Every answer comes from the offline planner over the real tools, and has passed the checks of a chat model's text.

    Parameters
    ----------
    out : file for the examples (JSON lines); the report goes beside it, with `.report.json` behind its name.
    n : conversations, at least 2; of these 15 % are held out, with templates and cohorts of their own.
    seed : of the split, the questions and the virtual patients.

    Raises
    ------
    InvalidInput
        There is no such area, `n` is too small, or `out` exists.
    NoEvidence
        The area has no archetype or no trial, or no question of it could be answered.
    """
    from assistant.finetune.teacher import teach
    from assistant.planner import OfflinePlanner

    if n < 2:
        raise InvalidInput(f"A training set of {n} cannot be split.", "Ask for 2 conversations at least.")
    if out.exists():
        raise InvalidInput(f"'{out}' exists already.", "Name another file, or remove it first.")
    source = QuestionSource(area, assistant.knowledge, assistant.personas, seed)
    planner = OfflinePlanner(knowledge=assistant.knowledge, personas=assistant.personas)
    generator = random.Random(f"questions {area} {seed}")
    held_out = max(1, round(VALIDATION * n))
    places: list[Split] = ["train" if place < n - held_out else "validation" for place in range(n)]
    turns: Counter[Split] = Counter()
    examples: list[Example] = []
    seen: set[str] = set()
    left_out: Counter[str] = Counter()
    for place, split in enumerate(places):
        progress(place / n, f"{len(examples)} conversations")
        intent = source.wheel[turns[split] % len(source.wheel)]
        turns[split] += 1
        for _ in range(TRIES):
            drawn = source.draw(intent, split, generator)
            if drawn.text in seen:
                continue
            seen.add(drawn.text)
            taught = teach(drawn, assistant, planner, area, seed)
            if isinstance(taught, Example):
                examples.append(taught)
                break
            left_out[f"{intent}: {taught}"] += 1
        else:
            left_out[f"{intent}: no further question was found"] += 1
    if not examples:
        raise NoEvidence(f"No question about '{area}' could be answered, so there is nothing to learn from.")
    report = _report(assistant, source, examples, n, seed, left_out)
    out.parent.mkdir(parents=True, exist_ok=True)
    _write(out, "".join(f"{example.model_dump_json()}\n" for example in examples))
    _write(out.with_name(f"{out.name}.report.json"), report.model_dump_json(indent=2) + "\n")
    return report


def read_training_set(path: Path) -> list[Example]:
    """The examples of a file.

    Raises
    ------
    InvalidInput
        There is no such file, a line cannot be read, or there is nothing to train on.
    """
    if not path.is_file():
        raise InvalidInput(f"There is no training set '{path}'.", "Write one with `cohort finetune write-set`.")
    examples = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            examples.append(Example.model_validate_json(line))
        except ValidationError as error:
            fault = error.errors()[0]
            where = ".".join(str(part) for part in fault["loc"])
            raise InvalidInput(
                f"Line {number} of '{path.name}' is no conversation ({f'{where}: ' if where else ''}{fault['msg']})."
            ) from error
    if not any(example.origin.split == "train" for example in examples):
        raise InvalidInput(f"'{path.name}' holds no conversation to train on.")
    return examples


def _report(
    assistant: Assistant,
    source: QuestionSource,
    examples: list[Example],
    n: int,
    seed: int,
    left_out: Counter[str],
) -> SetReport:
    counts: dict[Split, Counter[str]] = {"train": Counter(), "validation": Counter()}
    for example in examples:
        counts[example.origin.split][example.origin.intent] += 1
    templates, cohorts = source.held_out()
    return SetReport(
        area=source.area,
        seed=seed,
        evidence_hash=assistant.knowledge.evidence_hash(),
        asked_for=n,
        counts={split: dict(sorted(kinds.items())) for split, kinds in counts.items()},
        statuses=dict(sorted(Counter(example.origin.status for example in examples).items())),
        trimmed=sum(example.origin.trimmed > 0 for example in examples),
        left_out=dict(sorted(left_out.items())),
        validation_templates=templates,
        validation_cohorts=cohorts,
    )


def _write(path: Path, text: str) -> None:
    """Whole or not at all."""
    begun = path.with_name(f"{path.name}.begun")
    begun.write_text(text, encoding="utf-8")
    begun.replace(path)
