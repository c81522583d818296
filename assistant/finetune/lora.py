"""A base model with low-rank adapters (LoRA: Hu et al. 2021, arXiv:2106.09685) beside its frozen weights, by `peft`."""

from __future__ import annotations

import hashlib
import importlib.util
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from assistant.finetune.schemas import TrainOptions
from knowledge.errors import ModelNotInstalled, ModelUnavailable

ADAPTER_CONFIG = "adapter_config.json"
TRAINING = "training.json"


def require_peft(why: str) -> None:
    """ModelNotInstalled, with the pip command, when the package for adapters is missing."""
    if importlib.util.find_spec("peft") is None:
        raise ModelNotInstalled(
            f"{why}, and the package for adapters is not installed.",
            "Install it with: .venv/bin/python -m pip install -c constraints.txt peft",
        )


def load_base(folder: Path) -> tuple[Any, Any]:
    """Model and tokenizer of a folder, as `save_pretrained` of transformers writes them.

    Raises
    ------
    ModelUnavailable
        The folder, its weights, its tokenizer or its chat template is missing or cannot be read.
    """
    if not folder.is_dir():
        raise ModelUnavailable(f"There is no folder '{folder}' with a base model.", "Name one with --base FOLDER.")
    if (folder / ADAPTER_CONFIG).exists():
        raise ModelUnavailable(
            f"'{folder}' holds an adapter, not a base model.", "Name the model that it was made for."
        )
    from transformers import AutoModelForCausalLM, AutoTokenizer

    what = "tokenizer"
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        what = "causal language model"
        model = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True, dtype="auto")
    except (OSError, ValueError, KeyError, TypeError) as error:
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelUnavailable(
            f"The folder '{folder}' holds no {what} that transformers can read ({said[:200]}).",
            "It needs config.json, weights and a tokenizer.",
        ) from error
    if tokenizer.chat_template is None:
        raise ModelUnavailable(
            f"The tokenizer in '{folder}' has no chat template, so nobody knows how its conversations are written.",
            "Use a model that was made for chats, often called 'instruct'.",
        )
    return model, tokenizer


def fingerprint(folder: Path) -> str:
    """16 hex digits of a base model: its configuration, and the names and sizes of its weights."""
    total = hashlib.sha256((folder / "config.json").read_bytes())
    for file in sorted([*folder.glob("*.safetensors"), *folder.glob("*.bin")]):
        total.update(f"{file.name} {file.stat().st_size}\n".encode())
    return total.hexdigest()[:16]


def with_adapters(model: Any, options: TrainOptions) -> Any:
    """The model with adapters at all its linear layers but the last; only these are trained."""
    import torch
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(options.seed)
    config = LoraConfig(
        r=options.rank,
        lora_alpha=options.alpha,
        lora_dropout=0.0,  # nothing is drawn during training, so that a resumed run goes on exactly
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    with _without_deprecation():
        adapted = get_peft_model(model, config)
    adapted.config.use_cache = False
    if options.save_memory:
        adapted.enable_input_require_grads()
        adapted.activation_checkpointing_enable()
    return adapted


def load_adapter(folder: Path) -> tuple[Any, Any]:
    """Model and tokenizer of an adapter folder: the base model it names, with the adapter worked into its weights.

    The base is looked for where the adapter's configuration says, then beside the adapter under the same name.

    Raises
    ------
    ModelNotInstalled
        The package for adapters is missing.
    ModelUnavailable
        The adapter cannot be read, or its base model is gone or has become another.
    """
    require_peft("The folder holds an adapter")
    from peft import PeftConfig, PeftModel
    from safetensors import SafetensorError

    try:
        named = PeftConfig.from_pretrained(str(folder)).base_model_name_or_path
        base = _base_of(folder, named)
        model, tokenizer = load_base(base)
        _check_base(folder, base)
        with _without_deprecation():
            model = PeftModel.from_pretrained(model, str(folder)).merge_and_unload()
        if (folder / "tokenizer_config.json").exists():
            tokenizer = type(tokenizer).from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelUnavailable(
            f"The folder '{folder}' holds no adapter that peft can read ({said[:200]}).",
            "It needs adapter_config.json and adapter_model.safetensors.",
        ) from error
    return model, tokenizer


@contextmanager
def _without_deprecation() -> Iterator[None]:
    """The package asks transformers 5 for a property by its former name, which is nothing to tell a user."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*gradient_checkpointing.* is deprecated", category=FutureWarning)
        yield


def _base_of(folder: Path, named: str | None) -> Path:
    for place in (Path(named or ""), folder.parent / Path(named or "").name):
        if named and place.is_dir():
            return place
    raise ModelUnavailable(
        f"The adapter in '{folder}' was made for the base model '{named or '(none named)'}', which is not there.",
        f"Put it back, or correct base_model_name_or_path in {ADAPTER_CONFIG}.",
    )


def _check_base(folder: Path, base: Path) -> None:
    """An adapter of ours knows its base; on another one it would load and write nonsense."""
    from assistant.finetune.schemas import TrainReport

    if not (folder / TRAINING).exists():
        return
    report = TrainReport.model_validate_json((folder / TRAINING).read_text(encoding="utf-8"))
    if report.base_fingerprint != fingerprint(base):
        raise ModelUnavailable(
            f"The base model in '{base}' is not the one that the adapter in '{folder}' was trained on.",
            "Put the former base model back, or train again.",
        )
