"""Exporting a sentence-transformers model to ONNX, checked against the original before it is kept."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import warnings
from pathlib import Path
from typing import Any, Final

from knowledge.embedding import (
    MANIFEST,
    MODEL_FILE,
    TOKENIZER_FILE,
    OnnxEmbedder,
    SentenceTransformerEmbedder,
    go_offline,
    model_name,
)
from knowledge.errors import ModelNotInstalled

OPSET: Final = 17
PARITY: Final = 0.9999  # least cosine between exported and original vectors
_SAMPLE: Final = (
    "semaglutide",
    "How would adults over 65 with type 2 diabetes and chronic kidney disease react to semaglutide 1 mg weekly?",
    "HbA1c fell by −1.5 %-points; nausea in 20 %. Größe, naïve, 体重, 🙂",
    "mean change from baseline in body weight at 68 weeks " * 60,
)


class NotExportable(Exception):
    """The model has unknown layers, or its export gives other vectors; callers use the model itself instead."""


def export_onnx(path: Path, folder: Path) -> Path:
    """Export the model in `path` to `folder` and return `folder`; whole or not at all.

    Token vectors are pooled (mean over the attention mask, or the first token) and scaled to length 1 inside the
    graph. The result is compared with sentence-transformers on texts short, long and not English.

    Raises
    ------
    NotExportable
        unknown layers, or a cosine below 0.9999.
    ModelNotInstalled
        sentence-transformers cannot read the model.
    """
    go_offline()
    original = SentenceTransformerEmbedder(str(path))
    try:
        model = original.model
    except (OSError, ValueError) as error:
        raise ModelNotInstalled(f"The embedding model in {path} cannot be read ({error}).") from error
    pooling = _pooling_mode(model)
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        _write_graph(model, pooling, partial / MODEL_FILE)
        model.tokenizer.backend_tokenizer.save(str(partial / TOKENIZER_FILE))
        files = {
            name: hashlib.sha256((partial / name).read_bytes()).hexdigest() for name in (MODEL_FILE, TOKENIZER_FILE)
        }
        manifest = {
            "name": model_name(path),
            "dimension": int(original.embed(["size"]).shape[1]),
            "max_tokens": int(model.max_seq_length),
            "pad_id": int(model.tokenizer.pad_token_id),
            "pad_token": str(model.tokenizer.pad_token),
            "opset": OPSET,
            "files": files,
        }
        (partial / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
        cosine = float((OnnxEmbedder(partial).embed(_SAMPLE) * original.embed(_SAMPLE)).sum(axis=1).min())
        if not cosine >= PARITY:
            raise NotExportable(f"The export of {path} differs from the original (cosine {cosine:.5f}).")
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


def _pooling_mode(model: Any) -> str:
    """`mean` or `cls`; NotExportable for anything but Transformer, Pooling and Normalize."""
    kinds = [type(module).__name__ for module in model]
    if kinds[:2] != ["Transformer", "Pooling"] or kinds[2:] not in ([], ["Normalize"]):
        raise NotExportable(f"The model has the layers {', '.join(kinds)}.")
    mode = model[1].get_config_dict().get("pooling_mode", "")
    if isinstance(mode, list | tuple) and len(mode) == 1:
        mode = mode[0]
    if mode not in ("mean", "cls"):
        raise NotExportable(f"The model pools by {mode!r}.")
    return str(mode)


def _write_graph(model: Any, pooling: str, target: Path) -> None:
    import torch

    class PooledEncoder(torch.nn.Module):  # type: ignore[misc, unused-ignore]
        """Encoder, pooling and normalisation as one graph."""

        def __init__(self, encoder: Any) -> None:
            super().__init__()
            self.encoder = encoder

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            """Unit vectors, shape (batch, d)."""
            hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
            if pooling == "cls":
                pooled = hidden[:, 0]
            else:
                mask = attention_mask.unsqueeze(-1).to(hidden.dtype)
                pooled = (hidden * mask).sum(1) / mask.sum(1).clamp(min=1e-9)
            return torch.nn.functional.normalize(pooled, p=2.0, dim=1)

    ids = torch.ones((2, 8), dtype=torch.int64)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the tracer warns about constants it folds; parity is checked below
        torch.onnx.export(
            PooledEncoder(model[0].auto_model).eval(),
            (ids, torch.ones_like(ids)),
            str(target),
            dynamo=False,
            opset_version=OPSET,
            input_names=["input_ids", "attention_mask"],
            output_names=["embedding"],
            dynamic_axes={
                "input_ids": {0: "batch", 1: "tokens"},
                "attention_mask": {0: "batch", 1: "tokens"},
                "embedding": {0: "batch"},
            },
        )
