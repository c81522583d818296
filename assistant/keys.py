"""API keys: made once, shown once, kept as SHA-256.

A key is 32 random bytes, so a fast hash is enough: there is nothing to guess (for passwords see `sign_in`).
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from pathlib import Path

from assistant.secrets_file import HashFile, check_owner_name
from assistant.settings import Settings
from knowledge.errors import InvalidInput

FILE_NAME = "api_keys.txt"
_PREFIX = "ct_"
_DIGEST = re.compile(r"[0-9a-f]{64}")
_IN_PLACE = re.compile(r"[^:,/\\]+:[0-9a-f]{64}(?:,[^:,/\\]+:[0-9a-f]{64})*")


class KeyBook:
    """Whose a key is."""

    def __init__(self, settings: Settings) -> None:
        self.file = _file(settings)

    @property
    def configured(self) -> bool:
        """Whether there is any key: then nobody gets in without one."""
        return bool(self.file.pairs())

    def owner_of(self, key: str) -> str | None:
        """The name behind a key, or None. All hashes are compared, each in constant time."""
        digest = _hash(key)
        found = None
        for name, known in self.file.pairs():
            if hmac.compare_digest(digest, known):
                found = name
        return found


def new_key(settings: Settings, name: str) -> str:
    """Make a key for `name` and keep its hash; the key itself cannot be shown again. A name may have several keys."""
    file = _file(settings)
    key = _PREFIX + secrets.token_urlsafe(32)
    file.write([*file.pairs(), (check_owner_name(name), _hash(key))])
    return key


def list_keys(settings: Settings) -> list[str]:
    """The names that have keys, one for each key."""
    return [name for name, _ in _file(settings).pairs()]


def revoke_key(settings: Settings, name: str) -> int:
    """Take out all keys of a name; their number (InvalidInput when there is none)."""
    file = _file(settings)
    pairs = file.pairs()
    kept = [pair for pair in pairs if pair[0] != name]
    if len(kept) == len(pairs):
        raise InvalidInput(f"'{name[:80]}' has no key.", "List the names with: cohort keys list")
    file.write(kept)
    return len(pairs) - len(kept)


def _file(settings: Settings) -> HashFile:
    given = settings.api_keys.strip()
    if _IN_PLACE.fullmatch(given):
        return HashFile(settings.data_dir / FILE_NAME, given.split(","))
    file = HashFile(Path(given) if given else settings.data_dir / FILE_NAME)
    for name, digest in file.pairs():
        if not _DIGEST.fullmatch(digest):
            raise InvalidInput(f"The key of '{name}' is not kept as a SHA-256.", "Make one with: cohort keys new NAME")
    return file


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
