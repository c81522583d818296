"""Chat models from settings: any provider that LangChain can load, or a model in a folder of this machine."""

from __future__ import annotations

import importlib.util
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.settings import Settings
from knowledge.errors import ModelNotInstalled, ModelUnavailable

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

_PACKAGES = {
    "openai": ("langchain_openai", "openai"),
    "anthropic": ("langchain_anthropic", "anthropic"),
    "ollama": ("langchain_ollama", "ollama"),
}
LOCAL = "hf"
_KEYS = {"openai": ("OPENAI_API_KEY",), "anthropic": ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN")}
_NAMED = re.compile(r"(langchain-[a-z0-9-]+)")  # LangChain names the package that it misses


def build_provider_model(settings: Settings) -> BaseChatModel:
    """The chat model that `settings.model` names, with a request timeout that is never None.

    Raises
    ------
    ModelNotInstalled
        The provider's package is missing; the message holds the pip command.
    ModelUnavailable
        No key, or the name is not one that can be loaded.
    """
    name = settings.model
    provider, _, model_name = name.partition(":")
    if not model_name:
        raise ModelUnavailable(
            f"'{name}' is not a model that can be loaded.",
            "Use 'offline', provider:model, such as openai:gpt-4o-mini, anthropic:claude-haiku-4-5 or ollama:llama3.1, "
            "or hf: and the folder of a local model.",
        )
    if provider == LOCAL:
        from assistant.local_model import load_local_model

        return load_local_model(
            Path(model_name).expanduser(),
            max_reply_tokens=settings.max_reply_tokens,
            seconds=settings.request_timeout,
        )
    if provider in _PACKAGES:
        package, extra = _PACKAGES[provider]
        if importlib.util.find_spec(package) is None:
            raise ModelNotInstalled(
                f"The package for {provider} models is not installed.",
                f"Install it with: .venv/bin/python -m pip install -c constraints.txt -e '.[{extra}]'",
            )
    known = settings.api_key.get_secret_value() or settings.base_url or _keys_of_environment(provider)
    if not known:  # asked here, because not every provider's class asks before its first request
        raise _no_key(provider)
    from langchain.chat_models import init_chat_model

    options = _options(settings, provider, model_name)
    try:
        model: BaseChatModel = init_chat_model(name, **options)
    except ImportError as error:
        named = _NAMED.search(str(error))
        raise ModelNotInstalled(
            f"The package for '{provider}' models is not installed.",
            f"Install it with: .venv/bin/python -m pip install -c constraints.txt {named[1] if named else provider}",
        ) from error
    except ValueError as error:
        raise ModelUnavailable(f"The model '{name}' cannot be loaded: {str(error).splitlines()[0]}") from error
    except Exception as error:
        # Each provider raises its own class when its key is missing; all derive from Exception alone.
        if "api_key" in str(error) or "API key" in str(error) or "credentials" in str(error).lower():
            raise _no_key(provider) from error
        raise
    return model


def _keys_of_environment(provider: str) -> bool:
    """Whether a key is set, or none is known to be needed."""
    return provider not in _KEYS or any(os.environ.get(name) for name in _KEYS[provider])


def _no_key(provider: str) -> ModelUnavailable:
    return ModelUnavailable(f"There is no key for {provider}.", f"Set COHORT_API_KEY or {provider.upper()}_API_KEY.")


def _options(settings: Settings, provider: str, model_name: str) -> dict[str, Any]:
    """What the provider's class is told; retries are ours (`attempts`), so that each counts against the limits."""
    key = settings.api_key.get_secret_value()
    # Newer hosted models refuse a temperature; servers of one's own would otherwise draw at random.
    own_server = bool(settings.base_url) and "claude" not in model_name.lower()
    options: dict[str, Any] = {"temperature": 0} if own_server or provider == "ollama" else {}
    if provider == "ollama":
        # Ollama's client takes its timeout through the HTTP client it builds.
        options["client_kwargs"] = {"timeout": settings.request_timeout}
        options["num_predict"] = settings.max_reply_tokens
    else:
        options |= {"timeout": settings.request_timeout, "max_retries": 0, "max_tokens": settings.max_reply_tokens}
    if settings.base_url:
        options["base_url"] = settings.base_url
        key = key or "not-needed"  # OpenAI-compatible servers on one's own machine ask for none
    if key and provider != "ollama":
        options["api_key"] = key
    return options
