"""What a training set holds, and what was reported of making it and of training on it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from knowledge.schemas import Frozen

Split = Literal["train", "validation"]


class Origin(Frozen):
    """Where an example comes from; what the split goes by."""

    area: str
    split: Split
    intent: str
    template: str
    cohort: str
    persona_id: str
    status: str
    trimmed: int = Field(0, description="sentences of the planner's answer that were left out")
    seed: int
    evidence_hash: str


class Example(Frozen):
    """One conversation in the form that chat templates of transformers read, and its origin."""

    messages: tuple[dict[str, Any], ...] = Field(min_length=2)
    tools: tuple[dict[str, Any], ...] = ()
    origin: Origin


class SetReport(Frozen):
    """What a training set holds. Counts by split and intent; `left_out`: why drawn questions did not enter, and how many."""

    area: str
    seed: int
    evidence_hash: str
    asked_for: int
    counts: dict[Split, dict[str, int]]
    statuses: dict[str, int]
    trimmed: int = Field(description="answers from which sentences were left out")
    left_out: dict[str, int]
    validation_templates: tuple[str, ...]
    validation_cohorts: tuple[str, ...]

    @property
    def written(self) -> int:
        """Examples in the set."""
        return sum(sum(kinds.values()) for kinds in self.counts.values())


class TrainOptions(Frozen):
    """How to train. `rank` and `alpha` as in Hu et al. 2021 (LoRA, arXiv:2106.09685)."""

    epochs: int = Field(3, ge=1, le=1000)
    rank: int = Field(16, ge=1, le=1024)
    alpha: float = Field(32.0, gt=0)
    learning_rate: float = Field(2e-4, gt=0, le=1)
    turns_per_step: int = Field(8, ge=1, le=1024, description="replies whose gradients make one step")
    max_tokens: int = Field(32_768, ge=64, description="longest conversation; longer ones are left out and counted")
    save_every: int = Field(20, ge=1, description="steps between two checkpoints")
    save_memory: bool = Field(False, description="compute activations again instead of keeping them")
    seed: int = Field(1, ge=0, le=2**31 - 1)


class Losses(Frozen):
    """Mean cross-entropy (nats a token of the replies) after a number of steps."""

    step: int
    train: float
    validation: float | None


class TrainReport(Frozen):
    """What training did; written beside the adapter as `training.json`."""

    area: str
    base: str
    base_fingerprint: str
    set_hash: str
    evidence_hash: str
    options: TrainOptions
    replies: dict[Split, int]
    left_out_too_long: int
    trained_weights: int
    all_weights: int
    steps: int
    resumed_at: int
    losses: tuple[Losses, ...]
