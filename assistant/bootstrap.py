"""The composition root: the only place that builds an `Assistant`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import lru_cache
from typing import TYPE_CHECKING

from assistant.accounting import UsageBook
from assistant.circuit import Backing
from assistant.ledger import Ledger
from assistant.memory import Memory
from assistant.persona_bank import PersonaBank, open_library
from assistant.service import Assistant, Parts
from assistant.settings import Settings, load_settings
from knowledge.base import load_knowledge
from knowledge.ingest.library import read_library
from knowledge.lock import DataDirLock
from tools.catalog import build_registry
from tools.response.engine import keep_fits
from tools.response.fit import DirectoryFitCache

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from knowledge.embedding import Embedder
    from knowledge.retrieval import LiteratureRetriever


EXACT_BELOW = 20_000  # passages; an exact scan of that many takes a few milliseconds


def _silent(_fraction: float, _message: str) -> None:
    """Nobody is listening."""


def build_assistant(
    settings: Settings | None = None,
    *,
    model: BaseChatModel | None = None,
    progress: Callable[[float, str], None] | None = None,
    one_question: bool = False,
) -> Assistant:
    """Put the house together.

    Parameters
    ----------
    settings : default from the environment.
    model : a chat model to use instead of the one that the settings name (tests: a scripted one).
    progress : told what takes long while the literature index is built for the first time.

    one_question : the process ends after one question: once the index is built, its vectors are scanned exactly, which
        spares the import of Chroma.

    Raises
    ------
    StoreInUse
        Another process owns the data directory.
    DataError
        Shipped data is wrong.
    """
    settings = settings or load_settings()
    owner = ExitStack()
    owner.enter_context(DataDirLock(settings.data_dir))
    try:
        library = read_library(settings.data_dir)
        knowledge = load_knowledge(extra_arms=library.arms, extra_sources=library.sources)
        personas = open_library(settings.data_dir)
        keep_fits(knowledge, DirectoryFitCache(settings.data_dir / "fits"))

        @lru_cache(maxsize=1)
        def retriever() -> LiteratureRetriever:
            from knowledge.retrieval import LiteratureRetriever

            built = (settings.data_dir / "index" / "manifest.json").exists()
            opened = LiteratureRetriever.open(
                knowledge,
                settings.data_dir,
                model=settings.embedder,
                exact_below=EXACT_BELOW if one_question and built else 0,
                progress=_silent if built or progress is None else progress,
            )
            owner.callback(opened.close)
            return opened

        @lru_cache(maxsize=1)
        def planner() -> BaseChatModel:
            from assistant.planner import OfflinePlanner

            @lru_cache(maxsize=1)
            def embedder() -> Embedder:  # opened by the first question that no rule decides
                from knowledge.embedding import open_embedder

                return open_embedder(settings.data_dir / "models", settings.embedder)

            return OfflinePlanner(
                knowledge=knowledge, personas=personas, embed=lambda sentences: embedder().embed(sentences)
            )

        @lru_cache(maxsize=1)
        def chat_model() -> BaseChatModel:
            if model is not None:
                return model
            if settings.model == "offline":
                return planner()
            from assistant.models import build_provider_model

            return build_provider_model(settings)

        registry = build_registry()
        chosen = model is not None or settings.model != "offline"
        return Assistant(
            Parts(
                settings=settings,
                knowledge=knowledge,
                personas=personas,
                registry=registry,
                retriever=retriever,
                model=chat_model,
                backing=Backing(
                    fallback=planner if chosen and settings.fallback else None,
                    book=UsageBook(settings.data_dir / "usage.sqlite"),
                ),
                ledger=Ledger(settings.data_dir / "ledger.sqlite"),
                memory=Memory(settings.data_dir / "conversations.sqlite", registry),
                owner=owner,
                bank=PersonaBank(settings.data_dir, personas, knowledge, settings.embedder),
            )
        )
    except BaseException:
        owner.close()
        raise
