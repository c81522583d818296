"""Fits by content: the same evidence is fitted once, and never under another evidence view's name."""

from __future__ import annotations

import hashlib
import io
import os
from collections import OrderedDict
from pathlib import Path
from tempfile import NamedTemporaryFile
from threading import Lock
from typing import Protocol

import numpy as np

from tools.response.assemble import Prepared
from tools.response.features import FloatArray
from tools.response.parameters import Link, load_priors, priors_hash
from tools.response.posterior import Posterior

# Changes whenever the same rows may give another fit.
MODEL_VERSION = "2"
# Fits kept in memory, about 5 MB each.
FITS_IN_MEMORY = 48


class FitCache(Protocol):
    """Where fits are kept. A key names endpoint, evidence and model version, so that entries never go stale."""

    def get(self, key: str) -> bytes | None:
        """The bytes stored under the key, or None."""

    def put(self, key: str, value: bytes) -> None:
        """Store bytes under the key."""


class MemoryFitCache:
    """The most recently used fits, in memory; safe to share between threads."""

    def __init__(self, size: int = FITS_IN_MEMORY) -> None:
        self._size = size
        self._fits: OrderedDict[str, bytes] = OrderedDict()
        self._lock = Lock()

    def get(self, key: str) -> bytes | None:
        """The bytes stored under the key, or None."""
        with self._lock:
            if key in self._fits:
                self._fits.move_to_end(key)
            return self._fits.get(key)

    def put(self, key: str, value: bytes) -> None:
        """Store bytes under the key, and forget the least recently used beyond the size."""
        with self._lock:
            self._fits[key] = value
            self._fits.move_to_end(key)
            while len(self._fits) > self._size:
                self._fits.popitem(last=False)


class DirectoryFitCache:
    """Fits as files of a folder, one each, with a checksum: a file that is damaged counts as absent.

    Parameters
    ----------
    folder : made when the first fit is stored.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, key: str) -> bytes | None:
        """The bytes stored under the key, or None."""
        try:
            stored = (self._folder / f"{key}.fit").read_bytes()
        except FileNotFoundError:
            return None
        checksum, value = stored[:32], stored[32:]
        return value if hashlib.sha256(value).digest() == checksum else None

    def put(self, key: str, value: bytes) -> None:
        """Store bytes under the key; a reader sees the whole file or none."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=self._folder, suffix=".part", delete=False) as stream:
            stream.write(hashlib.sha256(value).digest() + value)
        os.replace(stream.name, self._folder / f"{key}.fit")


def fit_key(prepared: Prepared) -> str:
    """Key of a fit: endpoint, hash of the rows in use, priors and model version; fit for a file name."""
    return f"response-{prepared.endpoint.endpoint_id}-{prepared.evidence_hash}-{priors_hash()}-{MODEL_VERSION}"


def link_of(prepared: Prepared) -> Link:
    """The scale of an endpoint: changes as they are, proportions in logits, hazards and rates in logarithms."""
    if prepared.layout.immediate:
        return "log"
    return "identity" if prepared.layout.starts_at_zero else "logit"


def fit_prepared(prepared: Prepared, cache: FitCache | None = None, start: FloatArray | None = None) -> Posterior:
    """The fit of one endpoint, from the cache when it is there.

    Parameters
    ----------
    prepared : rows and arrays of the endpoint.
    cache : where to look and to store; None fits afresh.
    start : (H,) start of the optimiser.
    """
    key = fit_key(prepared)
    stored = cache.get(key) if cache is not None else None
    if stored is not None:
        return load_fit(stored, prepared)
    # SciPy's optimiser takes a while to import, and a cached fit needs none of it.
    from tools.response.solve import fit

    posterior = fit(prepared.data, prepared.layout, load_priors(link_of(prepared), prepared.data.individual_sd), start)
    if cache is not None:
        cache.put(key, dump_fit(posterior))
    return posterior


def dump_fit(posterior: Posterior) -> bytes:
    """The numbers of a fit as a NumPy archive; exact, without pickled objects."""
    rows, columns = np.tril_indices(posterior.covariances.shape[1])
    stream = io.BytesIO()
    np.savez(
        stream,
        names=np.array(posterior.names),
        eta=posterior.eta,
        weights=posterior.weights,
        means=posterior.means,
        covariances=posterior.covariances[:, rows, columns],
        mode=posterior.mode,
        gain=posterior.gain,
        residual=posterior.residual,
        residual_sd=posterior.residual_sd,
        widening=np.array(posterior.widening),
    )
    return stream.getvalue()


def load_fit(stored: bytes, prepared: Prepared) -> Posterior:
    """The fit that `dump_fit` wrote, with the layout and responses of the rows it was fitted to."""
    with np.load(io.BytesIO(stored), allow_pickle=False) as archive:
        size = archive["means"].shape[1]
        rows, columns = np.tril_indices(size)
        covariances = np.empty((len(archive["weights"]), size, size))
        packed = archive["covariances"]
        covariances[:, rows, columns] = packed
        covariances[:, columns, rows] = packed
        return Posterior(
            layout=prepared.layout,
            scale=prepared.data.scale,
            names=tuple(str(name) for name in archive["names"]),
            eta=archive["eta"],
            weights=archive["weights"],
            means=archive["means"],
            covariances=covariances,
            mode=archive["mode"],
            gain=archive["gain"],
            y=prepared.data.y,
            residual=archive["residual"],
            residual_sd=archive["residual_sd"],
            widening=float(archive["widening"]),
        )
