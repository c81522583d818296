"""`python -m knowledge.shipped_vectors`: write the vectors of the shipped passages to `literature/vectors.npz`.

The file is optional and may be out of date: vectors are kept by the hash of their text and the name of the model, so
what fits is used and the rest is embedded. It spares a fresh machine half a minute before its first answer.
"""

from __future__ import annotations

import io
import sys
import tempfile
import zipfile
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Final

from knowledge.base import load_knowledge
from knowledge.embedding import Embedder, open_embedder
from knowledge.store import embedded_text, text_hash

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FILE: Final = Path("literature") / "vectors.npz"
NORM_TOLERANCE: Final = 0.01  # half precision keeps a unit vector's length to about 0.001


def read_shipped(root: Path, embedder_name: str, wanted: Collection[str]) -> dict[str, NDArray[np.float32]]:
    """Text hash → unit vector (d,) for those of `wanted` that the file under `root` holds for this model.

    A file that is missing, cannot be read or was made by another model holds none: it is only a cache.
    """
    import numpy as np

    if not (root / FILE).is_file():
        return {}
    try:
        with np.load(io.BytesIO((root / FILE).read_bytes()), allow_pickle=False) as content:
            if str(content["embedder"]) != embedder_name:
                return {}
            keys = [bytes(row).hex() for row in content["hashes"]]
            matrix = content["vectors"].astype(np.float32)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return {}
    if matrix.ndim != 2 or len(keys) != len(matrix):
        return {}
    norms = np.linalg.norm(matrix, axis=1)
    return {
        key: row / norm
        for key, row, norm in zip(keys, matrix, norms, strict=True)
        if key in wanted and abs(norm - 1.0) < NORM_TOLERANCE
    }


def write_shipped(root: Path, embedder: Embedder) -> int:
    """Embed what the file under `root` lacks and write it anew; the number of vectors in it."""
    import numpy as np

    texts = {text_hash(text): text for text in map(embedded_text, load_knowledge(root).passages)}
    keys = sorted(texts)
    known = read_shipped(root, embedder.name, texts.keys())
    missing = [key for key in keys if key not in known]
    known.update(zip(missing, embedder.embed([texts[key] for key in missing]), strict=True))
    partial = (root / FILE).with_suffix(".partial.npz")
    np.savez(
        partial,
        embedder=np.array(embedder.name),
        hashes=np.array([list(bytes.fromhex(key)) for key in keys], dtype=np.uint8),
        vectors=np.array([known[key] for key in keys], dtype=np.float16),
    )
    partial.replace(root / FILE)
    return len(keys)


def main() -> int:
    """Write the file of the packaged folder, or of the one given as argument."""
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    with tempfile.TemporaryDirectory() as models:
        count = write_shipped(root, open_embedder(Path(models)))
    sys.stdout.write(f"{count} vectors in {FILE}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
