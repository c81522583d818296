"""`cohort finetune`: a training set for one therapeutic area, and an adapter trained on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ui.console import JsonFlag, open_assistant, write, write_json

if TYPE_CHECKING:
    from assistant.finetune.schemas import SetReport, TrainReport

finetune_app = typer.Typer(
    name="finetune",
    help="Teach a local chat model one therapeutic area.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@finetune_app.command("write-set")
def write_set(
    area: Annotated[str, typer.Option(help="Therapeutic area, for example obesity or type_2_diabetes.")],
    out: Annotated[Path, typer.Option(help="File for the conversations (JSON lines); a report goes beside it.")],
    n: Annotated[int, typer.Option("-n", min=2, max=100_000, help="How many conversations.")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the split, the questions and the virtual patients.")] = 1,
    as_json: JsonFlag = False,
) -> None:
    """Write conversations whose answers the offline planner made with the real tools."""
    from assistant.finetune.dataset import write_training_set

    with open_assistant() as assistant, _bar() as progress:
        report = write_training_set(assistant, area, out, n=n, seed=seed, progress=progress)
    if as_json:
        write_json(report.model_dump(mode="json"))
    else:
        print_set(report, out)


@finetune_app.command("train")
def train(
    training_set: Annotated[Path, typer.Option("--set", help="File that `write-set` wrote.")],
    base: Annotated[Path, typer.Option(help="Folder of a Hugging Face chat model; it is not changed.")],
    out: Annotated[Path, typer.Option(help="Folder for the adapter.")],
    epochs: Annotated[int, typer.Option(min=1, max=1000)] = 3,
    rank: Annotated[int, typer.Option(min=1, max=1024, help="Rank of the adapters.")] = 16,
    learning_rate: Annotated[float, typer.Option(min=1e-9, max=1.0)] = 2e-4,
    max_tokens: Annotated[int, typer.Option(min=64, help="Longest conversation; longer ones are left out.")] = 32_768,
    save_every: Annotated[int, typer.Option(min=1, help="Steps between two checkpoints.")] = 20,
    save_memory: Annotated[bool, typer.Option("--save-memory", help="Less memory, about a third slower.")] = False,
    seed: Annotated[int, typer.Option(min=0)] = 1,
    as_json: JsonFlag = False,
) -> None:
    """Train an adapter (LoRA); the same command again goes on where it was cut short.

    Use the adapter with COHORT_MODEL=hf:FOLDER.
    """
    from assistant.finetune.schemas import TrainOptions
    from assistant.finetune.train import train_adapter

    options = TrainOptions(
        epochs=epochs,
        rank=rank,
        alpha=2.0 * rank,
        learning_rate=learning_rate,
        max_tokens=max_tokens,
        save_every=save_every,
        save_memory=save_memory,
        seed=seed,
    )
    with _bar() as progress:
        report = train_adapter(training_set, base, out, options, progress=progress)
    if as_json:
        write_json(report.model_dump(mode="json"))
    else:
        print_training(report, out)


def print_set(report: SetReport, out: Path) -> None:
    """The report as text."""
    write(f"{report.written} conversations on {report.area.replace('_', ' ')} in {out} (asked for: {report.asked_for})")
    train, held_out = report.counts["train"], report.counts["validation"]
    write(f"{'':<20}{'train':>8}{'held out':>10}")
    for intent in sorted({*train, *held_out}):
        write(f"{intent.replace('_', ' '):<20}{train.get(intent, 0):>8}{held_out.get(intent, 0):>10}")
    write("Held-out conversations have templates and cohorts of their own.")
    write(f"Held-out cohorts: {', '.join(report.validation_cohorts)}.")
    if report.trimmed:
        write(f"Sentences that a chat model's answer is not allowed were left out of {report.trimmed} answers.")
    if report.left_out:
        write("Questions that were drawn and left out:")
        for why, count in sorted(report.left_out.items(), key=lambda item: -item[1]):
            write(f"{count:>6}  {why.replace('_', ' ')}")


def print_training(report: TrainReport, out: Path) -> None:
    """The report as text."""
    share = report.trained_weights / report.all_weights
    write(
        f"{report.steps} steps over {report.replies['train']:,} replies; {report.trained_weights:,} weights trained "
        f"({share:.2%} of the model's)"
    )
    if report.resumed_at:
        write(f"Went on from step {report.resumed_at}.")
    if report.left_out_too_long:
        write(f"{report.left_out_too_long:,} replies were too long and were left out.")
    write(f"{'step':>8}{'loss':>10}{'held out':>10}   nats a token")
    for loss in report.losses:
        held_out = f"{loss.validation:.3f}" if loss.validation is not None else "none"
        write(f"{loss.step:>8}{loss.train:>10.3f}{held_out:>10}")
    write(f"Use it with COHORT_MODEL=hf:{out}")


@contextmanager
def _bar() -> Iterator[Callable[[float, str], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, transient=True, console=Console(stderr=True)) as bar:
        task = bar.add_task("reading", total=1.0)
        yield lambda share, text: bar.update(task, completed=share, description=text[:60])
