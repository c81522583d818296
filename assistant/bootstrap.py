"""The composition root: the only place that builds an `Assistant`, alone or for each owner of a served house."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from assistant.accounting import UsageBook
from assistant.circuit import Backing
from assistant.finished import Finished, Slots
from assistant.ledger import Ledger
from assistant.memory import Memory
from assistant.owners import LOCAL, Owners, folder_of
from assistant.persona_bank import PersonaBank, open_library
from assistant.service import Assistant, Parts
from assistant.settings import Settings, load_settings
from knowledge.base import KnowledgeBase, load_knowledge
from knowledge.ingest.library import read_library
from knowledge.lock import DataDirLock
from knowledge.store import FILE_NAME as STORE
from knowledge.store import Store
from tools.catalog import build_registry
from tools.response.engine import keep_fits
from tools.response.fit import DirectoryFitCache

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from knowledge.embedding import Embedder
    from knowledge.ingest.ingestor import Ingestor
    from knowledge.ingest.schemas import ImportReport, LibraryStats
    from knowledge.retrieval import LiteratureRetriever
    from personas.updating.layered import LayeredLibrary


OFFLINE_RUNS = 2  # computed at the same time; more only take turns at the interpreter
PROVIDER_RUNS = 32  # at the same time: they mostly wait for the provider
NOBODY = ""  # whose imports are none
MOST_PASSAGES = 10_000_000
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


def build_owners(
    settings: Settings | None = None,
    *,
    model: BaseChatModel | None = None,
    progress: Callable[[float, str], None] | None = None,
) -> Owners:
    """A house for several owners: `build_assistant`, with an assistant for each owner over what they share."""
    return Owners(_House(build_assistant(settings, model=model, progress=progress), model, mine=True))


def owners_over(assistant: Assistant) -> Owners:
    """Owners around an assistant that is open already, and stays open when they are closed."""
    return Owners(_House(assistant, None, mine=False))


class _House:
    """What all owners share, and how an owner's assistant is put together over it (see `owners.OwnersHouse`)."""

    def __init__(self, first: Assistant, model: BaseChatModel | None, *, mine: bool) -> None:
        self._first, self._parts, self._model, self._mine = first, first._parts, model, mine
        self.settings = first.settings
        self._offline = model is None and self.settings.model == "offline"
        self._slots = Slots(OFFLINE_RUNS if self._offline else PROVIDER_RUNS)
        self._shared = ExitStack()
        self._lock = threading.RLock()
        self._shipped: KnowledgeBase | None = None
        self._retriever: LiteratureRetriever | None = None
        self._opened: Embedder | None = None

    def open(self, name: str, before: Assistant | None = None) -> Assistant:
        folder = folder_of(self.settings.data_dir, name)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        settings = self.settings.model_copy(update={"data_dir": folder})
        knowledge, parts = self._knowledge(folder), self._parts
        personas = open_library(folder) if before is None else cast("LayeredLibrary", before.personas)
        if name == LOCAL:
            personas = cast("LayeredLibrary", parts.personas)

        @lru_cache(maxsize=1)
        def retriever() -> LiteratureRetriever:
            shared = self._shared_retriever()
            if not (folder / STORE).is_file():
                return shared
            with Store(folder / STORE) as store:
                return shared.with_library(knowledge, store)

        @lru_cache(maxsize=1)
        def planner() -> BaseChatModel:
            from assistant.planner import OfflinePlanner

            return OfflinePlanner(
                knowledge=knowledge, personas=personas, embed=lambda texts: self._embedder().embed(texts)
            )

        own = name == LOCAL
        ledger, memory = (parts.ledger, parts.memory) if own else self._books(folder, before)
        ledger.stay_open()
        return Assistant(
            replace(
                parts,
                settings=settings,
                knowledge=knowledge,
                personas=personas,
                retriever=retriever,
                model=planner if self._offline else parts.model,
                backing=replace(parts.backing, fallback=planner if parts.backing.fallback else None),
                ledger=ledger,
                memory=memory,
                owner=ExitStack(),
                bank=PersonaBank(folder, personas, knowledge, settings.embedder, self._embedder),
                finished=Finished() if self._offline else None,
                slots=self._slots,
            )
        )

    def import_files(self, name: str, paths: Sequence[Path], **options: Any) -> ImportReport:
        with self._ingestor(name, mapping=options["mapping"], area=options["area"]) as ingestor:
            return ingestor.import_paths(paths, dry_run=options["dry_run"], progress=options["progress"])

    def forget_files(self, name: str, paths: Sequence[Path]) -> int:
        with self._ingestor(name) as ingestor:
            return ingestor.forget(paths)

    def library(self, name: str) -> tuple[LibraryStats, list[str]]:
        with self._ingestor(name) as ingestor:
            return ingestor.stats(), ingestor.library.paths()

    def close(self) -> None:
        self._shared.close()
        if self._mine:
            self._first.close()

    def _ingestor(self, name: str, **options: Any) -> AbstractContextManager[Ingestor]:
        from knowledge.ingest.ingestor import open_ingestor

        return open_ingestor(folder_of(self.settings.data_dir, name), self._nobodys(), **options)

    def _books(self, folder: Path, before: Assistant | None) -> tuple[Ledger, Memory]:
        if before is not None:
            return before.ledger, before.memory
        return Ledger(folder / "ledger.sqlite"), Memory(folder / "conversations.sqlite", self._parts.registry)

    def _knowledge(self, folder: Path) -> KnowledgeBase:
        """The shipped knowledge, with what the owner of the folder imported; the very same object where that is nothing."""
        shipped, library = self._nobodys(), read_library(folder)
        if not library.arms and not library.sources:
            return shipped
        joined = shipped.with_arms(library.arms, library.sources)
        keep_fits(joined, DirectoryFitCache(self.settings.data_dir / "fits"))
        return joined

    def _nobodys(self) -> KnowledgeBase:
        """The knowledge without anybody's imports."""
        with self._lock:
            if self._shipped is None:
                found = self._parts.knowledge
                if found.shipped is not None:
                    found = load_knowledge()
                    keep_fits(found, DirectoryFitCache(self.settings.data_dir / "fits"))
                self._shipped = found
            return self._shipped

    def _embedder(self) -> Embedder:
        """Opened by the first question that no rule decides."""
        with self._lock:
            if self._opened is None:
                from knowledge.embedding import open_embedder

                self._opened = open_embedder(self.settings.data_dir / "models", self.settings.embedder)
            return self._opened

    def _shared_retriever(self) -> LiteratureRetriever:
        """The passages that were shipped. Where the index on disk holds the local owner's too, it is passed by."""
        with self._lock:
            if self._retriever is None:
                from knowledge.retrieval import LiteratureRetriever

                alone = self._parts.knowledge.shipped is None
                self._retriever = LiteratureRetriever.open(
                    self._nobodys(),
                    self.settings.data_dir,
                    model=self.settings.embedder,
                    exact_below=0 if alone else MOST_PASSAGES,
                    owner=NOBODY,
                )
                self._shared.callback(self._retriever.close)
            return self._retriever
