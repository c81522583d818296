"""Settings: defaults, then `COHORT_…` environment variables. A name nobody knows is refused, not ignored."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from rapidfuzz import process

from knowledge.errors import InvalidInput

PREFIX = "COHORT_"


def default_data_dir() -> Path:
    """`.cohort` beside the packages: one checkout, one store."""
    return Path(__file__).resolve().parent.parent / ".cohort"


class Settings(BaseSettings):
    """All that can be set, with its default. README lists the same table."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    data_dir: Path = Field(default_factory=default_data_dir, description="where store, index and run ledger live")
    model: str = Field(
        "offline", description="'offline', a chat model name such as 'openai:gpt-4o-mini', or 'hf:' and a local folder"
    )
    fallback: bool = Field(True, description="whether the offline planner answers when the chat model is down")
    base_url: str = Field("", description="address of an OpenAI-compatible server")
    api_key: SecretStr = Field(SecretStr(""), description="key for the chat model's provider")
    embedder: str = Field("", description="a sentence-transformers name or path; empty: the packaged MiniLM")
    max_model_calls: int = Field(12, ge=1, le=100, description="model calls a question may take")
    max_seconds: float = Field(60.0, gt=0, le=3600, description="seconds a question may take")
    request_timeout: float = Field(30.0, gt=0, le=600, description="seconds one request to a chat model may take")
    max_reply_tokens: int = Field(8192, ge=16, le=200_000, description="tokens one reply of a chat model may have")
    max_run_tokens: int = Field(200_000, ge=0, description="tokens a question may use (0: no limit)")
    max_day_tokens: int = Field(0, ge=0, description="tokens all questions of a day (UTC) may use (0: no limit)")
    max_run_cost: float = Field(
        0.0, ge=0, description="cost of a question, in the currency of the prices (0: no limit)"
    )
    max_day_cost: float = Field(0.0, ge=0, description="cost of all questions of a day (UTC) (0: no limit)")
    price_input: float | None = Field(None, ge=0, description="price of a million tokens sent to the chat model")
    price_output: float | None = Field(None, ge=0, description="price of a million tokens written by the chat model")
    max_question_characters: int = Field(4000, ge=100, le=100_000, description="longest question")
    api_keys: str = Field(
        "", description="file of API keys, or 'name:sha256' pairs; empty: api_keys.txt in the data directory"
    )
    chat_users: str = Field(
        "", description="file of those who may sign in to the chat; empty: chat_users.txt in the data directory"
    )
    log_level: str = Field("WARNING", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="what is logged to stderr")


def load_settings(**overrides: object) -> Settings:
    """Settings from the environment and `overrides`.

    Raises
    ------
    InvalidInput
        A value is wrong, or an environment variable starts with COHORT_ but names no setting.
    """
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    for variable in os.environ:
        if variable.startswith(PREFIX) and variable not in known:
            near = process.extractOne(variable, sorted(known))
            raise InvalidInput(
                f"The environment variable {variable} is not a setting.",
                f"Did you mean {near[0]}? Unset it or correct its name." if near else "",
            )
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        faults = "; ".join(
            f"{PREFIX}{'.'.join(str(part) for part in fault['loc']).upper()}: {fault['msg']}"
            for fault in error.errors()
        )
        raise InvalidInput(f"A setting is wrong. {faults}.") from error
