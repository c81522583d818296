"""The folder in which a training run is begun: it holds the last checkpoint until the adapter is whole."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

from assistant.finetune.schemas import TrainOptions
from knowledge.errors import InvalidInput, StoreDamaged

_RUN, _CHECKPOINT = "run.txt", "checkpoint.pt"


class Begun:
    """`OUT.begun`, beside the folder that the adapter goes to.

    Raises
    ------
    InvalidInput
        `out` exists, or a run with another set, base model or options was begun for it.
    """

    def __init__(self, out: Path, set_hash: str, base_fingerprint: str, options: TrainOptions) -> None:
        if out.exists():
            raise InvalidInput(f"'{out}' exists already.", "Name another folder, or remove it first.")
        self._out = out
        self.folder = out.with_name(f"{out.name}.begun")
        what = f"{set_hash} {base_fingerprint} {options.model_dump_json()}"
        identity = hashlib.sha256(what.encode()).hexdigest()
        run = self.folder / _RUN
        if run.exists() and run.read_text(encoding="utf-8") != identity:
            raise InvalidInput(
                f"Training into '{out.name}' was begun with another set, base model or options.",
                f"Go on with those, name another folder, or remove '{self.folder.name}'.",
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        run.write_text(identity, encoding="utf-8")

    def load(self) -> dict[str, Any] | None:
        """The last checkpoint, or None (StoreDamaged when it cannot be read)."""
        import pickle

        import torch

        file = self.folder / _CHECKPOINT
        if not file.exists():
            return None
        try:
            state: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
        except (RuntimeError, OSError, EOFError, pickle.UnpicklingError) as error:
            raise StoreDamaged(
                f"The checkpoint in '{self.folder.name}' cannot be read.", "Remove that folder and train again."
            ) from error
        return state

    def save(self, state: dict[str, Any]) -> None:
        """Keep a checkpoint; the former one stays until this one is whole."""
        import torch

        written = self.folder / f"{_CHECKPOINT}.new"
        torch.save(state, written)
        written.replace(self.folder / _CHECKPOINT)

    def finish(self, model: Any, tokenizer: Any, files: dict[str, str]) -> None:
        """Write the adapter, its tokenizer and other files, and put them in their place at once."""
        whole = self.folder / "adapter"
        shutil.rmtree(whole, ignore_errors=True)
        model.save_pretrained(str(whole), save_embedding_layers=False)
        tokenizer.save_pretrained(str(whole))
        for name, text in files.items():
            (whole / name).write_text(text, encoding="utf-8")
        whole.rename(self._out)
        shutil.rmtree(self.folder)
