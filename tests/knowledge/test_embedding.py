"""Embeddings: the exported model gives the vectors of the original, without a network."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from structlog.testing import capture_logs

from knowledge.embedding import (
    BULK,
    MANIFEST,
    MODEL_FILE,
    TOKENIZER_FILE,
    Embedder,
    OnnxEmbedder,
    SentenceTransformerEmbedder,
    model_name,
    model_path,
    open_embedder,
)
from knowledge.errors import ModelNotInstalled, StoreDamaged

REPOSITORY = Path(__file__).parents[2]
TEXTS = [
    "",
    " ",
    ".",
    "\n\t",
    "semaglutide",
    "Größe, naïve, café; ½ ≥ −1.5 %",
    "体重が減少した。",
    "Снижение массы тела",
    "وزن الجسم",
    "🙂🙂 👩‍⚕️",
    "a\u0301\u200b\ufeffb",
    "word " * 400,
    "HbA1c −1.45 %-points (95 % CI −1.65 to −1.26); " * 40,
    "x" * 3000,
    "[CLS] [SEP] [MASK] [PAD] special",
    *[
        f"In trial {i} weight fell by {i / 7:.1f} % over {4 * i} weeks in adults with type 2 diabetes"
        + " and chronic kidney disease" * (i % 9)
        for i in range(35)
    ],
]


@pytest.fixture(scope="session")
def exported(models_dir: Path, embedder: Embedder) -> Path:
    """The folder into which the session's embedder was exported."""
    return models_dir / embedder.name


def test_export_has_the_vectors_of_sentence_transformers(embedder: Embedder) -> None:
    assert len(TEXTS) == 50
    ours, theirs = embedder.embed(TEXTS), SentenceTransformerEmbedder().embed(TEXTS)
    assert ours.shape == theirs.shape == (50, 384)
    assert ours.dtype == np.float32
    assert np.allclose(np.linalg.norm(ours, axis=1), 1.0, atol=1e-5)
    assert float((ours * theirs).sum(axis=1).min()) >= 0.9999


def test_a_text_has_the_same_vector_alone_among_others_and_in_bulk(embedder: Embedder) -> None:
    many = [f"{text[:40]} {number}" for number in range(BULK // len(TEXTS) + 1) for text in TEXTS]
    assert len(many) > BULK
    together = embedder.embed(many)
    for index in (0, 5, 12, 77, len(many) - 1):
        assert float(embedder.embed([many[index]])[0] @ together[index]) > 0.99999
    assert embedder.embed([]).shape == (0, 384)


def test_lone_surrogates_are_embedded_like_anything_else(embedder: Embedder) -> None:
    assert np.isfinite(embedder.embed(["broken \ud800 text"])).all()


def test_both_forms_of_a_model_have_one_name(embedder: Embedder) -> None:
    assert embedder.name == SentenceTransformerEmbedder().name == model_name(model_path())
    assert model_path("sentence-transformers/all-MiniLM-L6-v2") == model_path()


def test_another_model_has_another_name(tmp_path: Path) -> None:
    copy = shutil.copytree(model_path(), tmp_path / "mine")
    before = model_name(copy)
    assert before.startswith("mine-")
    weights = copy / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert model_name(copy) != before


def test_a_model_that_is_not_there_is_explained() -> None:
    with pytest.raises(ModelNotInstalled, match="no embedding model in 'somewhere/else'"):
        model_path("somewhere/else")


@pytest.mark.parametrize("change", ["missing", "not json", "no name", "other tokenizer"])
def test_a_damaged_export_is_named(exported: Path, tmp_path: Path, change: str) -> None:
    folder = tmp_path / "export"
    folder.mkdir()
    manifest = json.loads((exported / MANIFEST).read_text())
    if change == "no name":
        del manifest["name"]
    (folder / TOKENIZER_FILE).write_text("{}" if change == "other tokenizer" else "")
    if change != "missing":
        (folder / MANIFEST).write_text("{" if change == "not json" else json.dumps(manifest))
    with pytest.raises(StoreDamaged, match="Delete that folder"):
        OnnxEmbedder(folder)


@pytest.mark.slow
def test_a_flipped_byte_in_the_weights_is_found_and_mended(exported: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(exported, tmp_path / exported.name)
    weights = folder / MODEL_FILE
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)
    with pytest.raises(StoreDamaged, match="does not match its manifest"):
        OnnxEmbedder(folder).embed(["semaglutide"])
    with capture_logs() as logs:
        mended = open_embedder(tmp_path).embed(["semaglutide"])
    assert [(log["event"], log["what"]) for log in logs] == [("rebuilding", "embedding model")]
    assert float(mended[0] @ OnnxEmbedder(exported).embed(["semaglutide"])[0]) > 0.99999
    assert [path.name for path in tmp_path.iterdir()] == [exported.name]


def test_questions_need_neither_torch_nor_the_network(exported: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom knowledge.embedding import open_embedder\n"
        "open_embedder(Path(sys.argv[1])).embed(['semaglutide'])\n"
        "import os\n"
        "print([m for m in ('torch', 'transformers', 'sentence_transformers', 'scipy') if m in sys.modules],"
        " os.environ['HF_HUB_OFFLINE'])\n"
    )
    environment = {key: value for key, value in os.environ.items() if key != "HF_HUB_OFFLINE"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(exported.parent)],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.split("\n")[0] == "[] 1"
