"""LoRA training of a local model on a training set: small steps, held-out loss, checkpoints to go on from.

Nothing is drawn but the order of the replies and the adapters' first weights, both from the seed: on one machine the same
call gives the same adapter, interrupted or not.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from assistant.finetune.checkpoints import Begun
from assistant.finetune.dataset import read_training_set
from assistant.finetune.encoding import Reply, encode_replies
from assistant.finetune.lora import TRAINING, fingerprint, load_base, require_peft, with_adapters
from assistant.finetune.schemas import Losses, TrainOptions, TrainReport
from knowledge.errors import InvalidInput, ModelMisbehaved

EVALUATED = 64  # replies of each split on which the loss is measured, at most
WARM_UP = 0.05  # share of the steps in which the learning rate rises
LONGEST_GRADIENT = 1.0

Progress = Callable[[float, str], None]


def train_adapter(
    training_set: Path,
    base: Path,
    out: Path,
    options: TrainOptions | None = None,
    *,
    progress: Progress = lambda _fraction, _message: None,
) -> TrainReport:
    """Train an adapter for a base model; use it with `COHORT_MODEL=hf:OUT`.

    A run that was cut short goes on from its last checkpoint when it is called again with the same arguments.

    Parameters
    ----------
    training_set : a file of `write_training_set`.
    base : folder of a causal language model of transformers with a chat template. It is not changed.
    out : folder for the adapter.

    Raises
    ------
    ModelNotInstalled
        The package for adapters is missing.
    ModelUnavailable
        The base model cannot be used.
    InvalidInput
        The set cannot be used, `out` exists, or no conversation fits into `max_tokens`.
    ModelMisbehaved
        The loss is no longer a number.
    """
    require_peft("Training makes an adapter")
    import torch

    options = options or TrainOptions()
    if out.exists():
        raise InvalidInput(f"'{out}' exists already.", "Name another folder, or remove it first.")
    examples = read_training_set(training_set)
    set_hash = hashlib.sha256(training_set.read_bytes()).hexdigest()[:16]
    base = base.expanduser().resolve()
    model, tokenizer = load_base(base)
    train, validation, too_long = encode_replies(examples, model, tokenizer, options.max_tokens)
    if not train:
        raise InvalidInput(
            f"None of the conversations fits into {options.max_tokens:,} tokens.",
            "Raise --max-tokens, or use a base model that reads more.",
        )
    begun = Begun(out, set_hash, fingerprint(base), options)
    adapted = with_adapters(model, options).to("cuda" if torch.cuda.is_available() else "cpu")
    run = _Training(adapted, train, validation, options, begun)
    run.go(progress)
    trained, everything = adapted.get_nb_trainable_parameters()
    report = TrainReport(
        area=examples[0].origin.area,
        base=base.name,
        base_fingerprint=fingerprint(base),
        set_hash=set_hash,
        evidence_hash=examples[0].origin.evidence_hash,
        options=options,
        replies={"train": len(train), "validation": len(validation)},
        left_out_too_long=too_long,
        trained_weights=int(trained),
        all_weights=int(everything),
        steps=run.steps,
        resumed_at=run.resumed_at,
        losses=tuple(run.losses),
    )
    begun.finish(adapted, tokenizer, {TRAINING: report.model_dump_json(indent=2) + "\n"})
    return report


class _Training:
    """The loop, from the last checkpoint on."""

    def __init__(
        self,
        model: Any,
        train: Sequence[Reply],
        validation: Sequence[Reply],
        options: TrainOptions,
        begun: Begun,
    ) -> None:
        import torch

        self._model, self._train, self._validation = model, train, validation
        self._options, self._begun = options, begun
        self._weights = [weight for weight in model.parameters() if weight.requires_grad]
        self._optimizer = torch.optim.AdamW(self._weights, lr=options.learning_rate, weight_decay=0.0)
        self._per_epoch = -(-len(train) // options.turns_per_step)
        self.steps = self._per_epoch * options.epochs
        self.losses: list[Losses] = []
        self.resumed_at = 0
        self._resume()

    def go(self, progress: Progress) -> None:
        """Train to the end."""
        if not self.losses:
            self._measure(0)
        for step in range(self.resumed_at, self.steps):
            self._step(step)
            done = step + 1
            if done % self._per_epoch == 0:
                self._measure(done)
            if done % self._options.save_every == 0 or done == self.steps:
                self._save(done)
            last = self.losses[-1]
            held_out = f", held out {last.validation:.3f}" if last.validation is not None else ""
            progress(done / self.steps, f"step {done} of {self.steps}, loss {last.train:.3f}{held_out}")

    def _step(self, step: int) -> None:
        import torch

        epoch, place = divmod(step, self._per_epoch)
        order = list(range(len(self._train)))
        random.Random(f"{self._options.seed} {epoch}").shuffle(order)
        size = self._options.turns_per_step
        batch = [self._train[number] for number in order[place * size : (place + 1) * size]]
        tokens = sum(len(one.reply) for one in batch)
        self._model.train()
        for one in batch:
            (self._loss(one) / tokens).backward()
        length = torch.nn.utils.clip_grad_norm_(self._weights, LONGEST_GRADIENT)
        if not torch.isfinite(length):
            raise ModelMisbehaved(f"The loss is no longer a number after {step} steps.", "Lower --learning-rate.")
        warm = max(1, round(WARM_UP * self.steps))
        share = min(1.0, (step + 1) / warm) * (1.0 - step / self.steps)
        for group in self._optimizer.param_groups:
            group["lr"] = self._options.learning_rate * share
        self._optimizer.step()
        self._optimizer.zero_grad()

    def _loss(self, one: Reply) -> Any:
        """Summed cross-entropy of the reply's tokens; logits of the prompt, which are many, are never made."""
        import torch

        device = self._model.device
        tokens = torch.tensor([[*one.prompt, *one.reply]], device=device)
        kept = len(one.reply) + 1
        logits = self._model(input_ids=tokens, logits_to_keep=kept, use_cache=False).logits[0, :-1]
        wanted = torch.tensor(one.reply, device=device)
        return torch.nn.functional.cross_entropy(logits.float(), wanted, reduction="sum")

    def _measure(self, step: int) -> None:
        validation = self._mean_loss(self._validation) if self._validation else None
        self.losses.append(Losses(step=step, train=self._mean_loss(self._train), validation=validation))

    def _mean_loss(self, replies: Sequence[Reply]) -> float:
        """Nats a token, over a fixed part of the replies."""
        import torch

        some = replies[:: -(-len(replies) // EVALUATED)]
        self._model.eval()
        with torch.inference_mode():
            total = sum(float(self._loss(one)) for one in some)
        return total / sum(len(one.reply) for one in some)

    def _save(self, step: int) -> None:
        from peft import get_peft_model_state_dict

        self._begun.save(
            {
                "step": step,
                "adapter": get_peft_model_state_dict(self._model, save_embedding_layers=False),
                "optimizer": self._optimizer.state_dict(),
                "losses": [loss.model_dump() for loss in self.losses],
            }
        )

    def _resume(self) -> None:
        from peft import set_peft_model_state_dict

        state = self._begun.load()
        if state is None:
            return
        set_peft_model_state_dict(self._model, state["adapter"])
        self._optimizer.load_state_dict(state["optimizer"])
        self.losses = [Losses.model_validate(loss) for loss in state["losses"]]
        self.resumed_at = int(state["step"])
