"""Chat models from settings: the offline planner, or any provider that LangChain can load."""

from __future__ import annotations

import importlib.util
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
            "Use 'offline', or provider:model, such as openai:gpt-4o-mini, anthropic:claude-sonnet-4-5 or ollama:llama3.1.",
        )
    if provider in _PACKAGES:
        package, extra = _PACKAGES[provider]
        if importlib.util.find_spec(package) is None:
            raise ModelNotInstalled(
                f"The package for {provider} models is not installed.",
                f"Install it with: .venv/bin/python -m pip install -c constraints.txt -e '.[{extra}]'",
            )
    from langchain.chat_models import init_chat_model

    options: dict[str, Any] = {"temperature": 0, "timeout": settings.request_timeout, "max_retries": 2}
    key = settings.api_key.get_secret_value()
    if provider == "ollama":
        # Ollama's client takes its timeout through the HTTP client it builds.
        options = {"temperature": 0, "client_kwargs": {"timeout": settings.request_timeout}}
    if settings.base_url:
        options["base_url"] = settings.base_url
        key = key or "not-needed"  # OpenAI-compatible servers on one's own machine ask for none
    if key and provider != "ollama":
        options["api_key"] = key
    try:
        model: BaseChatModel = init_chat_model(name, **options)
    except ImportError as error:
        raise ModelNotInstalled(
            f"The package for '{provider}' models is not installed.", f"Install it with pip: {error}"
        ) from error
    except ValueError as error:
        raise ModelUnavailable(f"The model '{name}' cannot be loaded: {str(error).splitlines()[0]}") from error
    except Exception as error:
        # Each provider raises its own class when its key is missing; all derive from Exception alone.
        if "api_key" in str(error) or "API key" in str(error) or "credentials" in str(error).lower():
            raise ModelUnavailable(
                f"There is no key for {provider}.", f"Set COHORT_API_KEY or {provider.upper()}_API_KEY."
            ) from error
        raise
    return model
