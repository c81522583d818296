"""Who may sign in to the chat: names and passwords, kept as scrypt hashes.

scrypt with N=2^14, r=8, p=1 as C. Percival and S. Josefsson describe it in RFC 7914: about 50 ms and 16 MB a guess.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from pathlib import Path

from assistant.secrets_file import HashFile, check_owner_name
from assistant.settings import Settings
from knowledge.errors import InvalidInput

FILE_NAME = "chat_users.txt"
SHORTEST_PASSWORD = 10
LONGEST_PASSWORD = 1000
_N, _R, _P = 2**14, 8, 1
_LARGEST_N, _LARGEST_R, _LARGEST_P = 2**16, 16, 4
_KIND = "scrypt"
# Compared with where nobody has the name, so that an answer takes as long.
_NOBODY = f"{_KIND}${_N}${_R}${_P}${'00' * 16}${'00' * 32}"


class UserBook:
    """Whether a name and a password belong together."""

    def __init__(self, settings: Settings) -> None:
        self.file = _file(settings)

    @property
    def configured(self) -> bool:
        """Whether there is any user: then nobody chats without signing in."""
        return bool(self.file.pairs())

    def check(self, name: str, password: str) -> bool:
        """True when the password is this user's."""
        if len(password) > LONGEST_PASSWORD:
            return False
        kept = dict(self.file.pairs())
        return _matches(password, kept.get(name, _NOBODY)) and name in kept


def add_user(settings: Settings, name: str, password: str) -> None:
    """Add a user, or give one a new password (InvalidInput when it is too short)."""
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise InvalidInput(
            f"A password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters; this one has {len(password)}.",
            "Several words in a row are easy to keep in mind.",
        )
    file = _file(settings)
    kept = dict(file.pairs()) | {check_owner_name(name): _hash(password)}
    file.write(kept.items())


def list_users(settings: Settings) -> list[str]:
    """The names of all users."""
    return [name for name, _ in _file(settings).pairs()]


def remove_user(settings: Settings, name: str) -> None:
    """Take a user out (InvalidInput when there is none). What the user asked stays in the data directory."""
    file = _file(settings)
    kept = dict(file.pairs())
    if name not in kept:
        raise InvalidInput(f"There is no user '{name[:80]}'.", "List the users with: cohort users list")
    del kept[name]
    file.write(kept.items())


def _file(settings: Settings) -> HashFile:
    given = settings.chat_users.strip()
    return HashFile(Path(given) if given else settings.data_dir / FILE_NAME)


def _hash(password: str) -> str:
    salt = secrets.token_bytes(16)
    return f"{_KIND}${_N}${_R}${_P}${salt.hex()}${_scrypt(password, salt, _N, _R, _P).hex()}"


def _matches(password: str, kept: str) -> bool:
    try:
        kind, n, r, p, salt, digest = kept.split("$")
        cost = int(n), int(r), int(p)
        expected, salted = bytes.fromhex(digest), bytes.fromhex(salt)
    except ValueError:
        return False
    if kind != _KIND or cost[0] > _LARGEST_N or cost[1] > _LARGEST_R or cost[2] > _LARGEST_P:
        return False
    return hmac.compare_digest(_scrypt(password, salted, *cost), expected)


def _scrypt(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    memory = 256 * n * r
    return hashlib.scrypt(password.encode("utf-8", "surrogatepass"), salt=salt, n=n, r=r, p=p, maxmem=memory, dklen=32)
