"""Is everything here that an answer needs? Each check says what it found and what to do; none changes anything of value."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from knowledge.errors import CohortTwinError, StoreInUse
from knowledge.schemas import Frozen

if TYPE_CHECKING:
    from assistant.service import Assistant
    from assistant.settings import Settings

PACKAGE = "cohort-twin"
ENOUGH_DISK = 500_000_000  # bytes; the index, the model and room for runs
_PIN = re.compile(r"([A-Za-z0-9._-]+)==(\S+)")
_REQUIREMENT = re.compile(r"[A-Za-z0-9._-]+")
_SERVERS = {
    "openai": "https://api.openai.com/v1",
    "anthropic": "https://api.anthropic.com/v1",
    "ollama": "http://127.0.0.1:11434/v1",
}


class State(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Check(Frozen):
    """One line of the report."""

    name: str
    state: State
    found: str
    what_to_do: str = ""


Findings = Iterator[Check]


def examine(
    build: Callable[[Settings], Assistant], *, timeout: float = 5.0, constraints: Path | None = None
) -> Findings:
    """All checks, each as soon as it is done.

    Parameters
    ----------
    build : opens the assistant over the settings (the composition root's business, so it is passed in).
    timeout : seconds that a chat model's server may take to answer.
    constraints : the file of pinned versions; the checkout's own when None.
    """
    yield _python()
    yield from _packages(constraints or Path(__file__).resolve().parent.parent / "constraints.txt")
    from assistant.settings import load_settings

    try:
        settings = load_settings()
    except CohortTwinError as error:
        yield _failed("settings", error)
        return
    yield Check(name="settings", state=State.OK, found=f"model {settings.model}, data in {settings.data_dir}")
    yield _disk(settings.data_dir)
    yield from _store(settings, build)
    yield _embedding(settings)
    yield from _access(settings)
    yield chat_model(settings, timeout)


def _failed(name: str, error: CohortTwinError, state: State = State.FAIL) -> Check:
    return Check(name=name, state=state, found=error.message, what_to_do=error.hint)


def _python() -> Check:
    version = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info[:2] == (3, 11):
        return Check(name="python", state=State.OK, found=f"Python {version}")
    return Check(
        name="python", state=State.FAIL, found=f"Python {version}", what_to_do="Set the project up with Python 3.11."
    )


def _packages(constraints: Path) -> Findings:
    """What the project requires is installed, in the versions it was tested with."""
    try:
        required = importlib.metadata.requires(PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        yield Check(
            name="packages", state=State.FAIL, found=f"{PACKAGE} is not installed.", what_to_do="Run: make setup"
        )
        return
    names = [match[0] for line in required if "extra ==" not in line and (match := _REQUIREMENT.match(line))]
    installed = {name: _version(name) for name in names}
    missing = sorted(name for name, version in installed.items() if version is None)
    if missing:
        yield Check(
            name="packages",
            state=State.FAIL,
            found=f"Not installed: {', '.join(missing)}.",
            what_to_do="Run: make setup",
        )
        return
    pins = dict(_PIN.findall(constraints.read_text(encoding="utf-8"))) if constraints.is_file() else {}
    other = [
        f"{name} {found} (tested with {pin})"
        for name, pin in pins.items()
        if (found := _version(name)) is not None and found.partition("+")[0] != pin  # '+cpu' is the same version
    ]
    if other:
        told = "; ".join(other[:5]) + (f"; and {len(other) - 5} more" if len(other) > 5 else "")
        yield Check(
            name="packages",
            state=State.WARN,
            found=told,
            what_to_do="Set up again with: make setup (it keeps to constraints.txt)",
        )
        return
    known = f", as in {constraints.name}" if pins else "; no list of tested versions is here"
    yield Check(name="packages", state=State.OK, found=f"{len(names)} required packages are installed{known}")


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _disk(folder: Path) -> Check:
    there = next((parent for parent in (folder, *folder.parents) if parent.exists()), Path("/"))
    if not os.access(there, os.W_OK):
        return Check(
            name="data folder", state=State.FAIL, found=f"{there} cannot be written.",
            what_to_do="Make it writable, or set COHORT_DATA_DIR to another folder.",
        )  # fmt: skip
    free = shutil.disk_usage(there).free
    if free < ENOUGH_DISK:
        return Check(
            name="data folder", state=State.WARN, found=f"Only {free / 1e6:,.0f} MB are free.",
            what_to_do="Free some space, or set COHORT_DATA_DIR to another disk.",
        )  # fmt: skip
    return Check(name="data folder", state=State.OK, found=f"writable, {free / 1e9:,.0f} GB free")


def _store(settings: Settings, build: Callable[[Settings], Assistant]) -> Findings:
    """The evidence, the ledger, the conversations and the index, through the assistant itself."""
    try:
        opened = build(settings)
    except StoreInUse as error:
        yield _failed("store", error, State.WARN)
        return
    except CohortTwinError as error:
        yield _failed("store", error)
        return
    with opened as assistant:
        arms = assistant.knowledge.arms
        yield Check(
            name="evidence",
            state=State.OK,
            found=f"{len(arms.trials()):,} trials, {len(arms.arms):,} figures, {len(assistant.knowledge.passages):,} passages",
        )
        yield _tried("run ledger", lambda: f"{assistant.verify_runs():,} runs, hash chain intact")
        yield _tried("conversations", lambda: f"{len(assistant.memory.recent(100_000)):,} kept")
        yield _index(assistant, settings.data_dir / "index" / "manifest.json")


def _tried(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name=name, state=State.OK, found=look())
    except CohortTwinError as error:
        return _failed(name, error)


def _index(assistant: Assistant, manifest: Path) -> Check:
    """The literature index; opening it verifies it, and builds it again when anything is off."""
    if not manifest.is_file():
        return Check(
            name="literature index", state=State.WARN, found="It is not built yet.",
            what_to_do="The first question builds it (about a minute), or build it now: cohort index",
        )  # fmt: skip
    before = manifest.stat().st_mtime_ns
    try:
        report = assistant.index_report()
    except CohortTwinError as error:
        return _failed("literature index", error)
    found = f"{report['indexed_passages']:,} passages, {report['embedder']}"
    if manifest.stat().st_mtime_ns != before:
        return Check(
            name="literature index", state=State.WARN, found=f"It was out of date or damaged; built again. {found}"
        )
    return Check(name="literature index", state=State.OK, found=found)


def _embedding(settings: Settings) -> Check:
    from knowledge.embedding import model_name, model_path

    try:
        path = model_path(settings.embedder)
    except CohortTwinError as error:
        return _failed("embedding model", error)
    return Check(name="embedding model", state=State.OK, found=f"{model_name(path)}, on this machine")


def _access(settings: Settings) -> Findings:
    from assistant.keys import list_keys
    from assistant.sign_in import list_users

    try:
        keys, users = len(list_keys(settings)), len(list_users(settings))
    except CohortTwinError as error:
        yield _failed("keys and users", error)
        return
    told = f"{keys} API keys, {users} chat users" if keys or users else "none: only this machine can be served"
    yield Check(name="keys and users", state=State.OK, found=told)


def chat_model(settings: Settings, timeout: float) -> Check:
    """Whether the chat model can be used; its server is asked for its list of models, which costs nothing."""
    name = "chat model"
    if settings.model == "offline":
        return Check(name=name, state=State.OK, found="the offline planner: nothing to reach")
    down = State.WARN if settings.fallback else State.FAIL
    instead = " Until then the offline planner answers." if settings.fallback else ""
    provider, _, model = settings.model.partition(":")
    if provider == "hf":
        folder = Path(model).expanduser()
        if (folder / "config.json").is_file():
            return Check(name=name, state=State.OK, found=f"local model in {folder}")
        return Check(
            name=name,
            state=down,
            found=f"There is no model in {folder}.",
            what_to_do=f"Set COHORT_MODEL to hf:FOLDER.{instead}",
        )
    try:
        from assistant.models import build_provider_model

        build_provider_model(settings)
    except CohortTwinError as error:
        return Check(name=name, state=down, found=error.message, what_to_do=f"{error.hint}{instead}")
    server = settings.base_url or _SERVERS.get(provider, "")
    if not server:
        return Check(name=name, state=State.OK, found=f"{settings.model} can be loaded; its server was not asked")
    return _reach(settings, server.rstrip("/"), provider, timeout, down, instead)


def _reach(settings: Settings, server: str, provider: str, timeout: float, down: State, instead: str) -> Check:
    import httpx

    key = settings.api_key.get_secret_value() or os.environ.get(f"{provider.upper()}_API_KEY", "")
    headers = {"x-api-key": key, "anthropic-version": "2023-06-01"} if provider == "anthropic" else {}
    if key and provider != "anthropic":
        headers = {"Authorization": f"Bearer {key}"}
    try:
        status = httpx.get(f"{server}/models", headers=headers, timeout=timeout).status_code
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        return Check(
            name="chat model", state=down, found=f"{server} does not answer within {timeout:g} s ({type(error).__name__}).",
            what_to_do=f"Start it, or correct COHORT_BASE_URL.{instead}",
        )  # fmt: skip
    if status in (401, 403):
        return Check(
            name="chat model", state=down, found=f"{server} refuses the key ({status}).",
            what_to_do=f"Set COHORT_API_KEY to a key of {provider}.{instead}",
        )  # fmt: skip
    if status >= 500:
        return Check(
            name="chat model", state=down, found=f"{server} has a fault of its own ({status}).",
            what_to_do=f"Try again later.{instead}",
        )  # fmt: skip
    return Check(name="chat model", state=State.OK, found=f"{settings.model}: {server} answers")
