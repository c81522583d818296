"""Scores the three ways of searching on public sets, side by side, and writes the report."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from evals.report import REPORTS
from evals.retrieval.corpus import Corpus
from evals.retrieval.metrics import RESAMPLES, Difference, ndcg, paired_bootstrap, recall
from evals.retrieval.sets import Question, RetrievalSet, read_set
from knowledge.base import KnowledgeBase, load_knowledge
from knowledge.embedding import Embedder, open_embedder
from knowledge.store import FILE_NAME, Store

HYBRID: Final = "hybrid"
WAYS: Final = ("BM25", "dense", HYBRID)
METRICS: Final = ("recall@1", "recall@10", "nDCG@10")
HALVES: Final = ("all", "development", "held out")
SEED: Final = 20_240_601


@dataclass(frozen=True)
class SetScores:
    """Scores of one set.

    Attributes
    ----------
    scores : way of searching → metric → score of each question, 0-1, in the order of `questions`.
    development : of each question, whether it belongs to the half on which the search may be tuned.
    silenced : of each question, whether the product finds nothing unless told where to look.
    """

    name: str
    documents: int
    passages: int
    left_out: int
    questions: tuple[str, ...]
    development: tuple[bool, ...]
    scores: dict[str, dict[str, list[float]]]
    silenced: tuple[bool, ...]

    def of(self, way: str, metric: str, half: str) -> list[float]:
        """Scores of the questions of one half ("all" for both)."""
        wanted = self.scores[way][metric]
        if half == "all":
            return wanted
        return [score for score, dev in zip(wanted, self.development, strict=True) if dev == (half == "development")]


@dataclass(frozen=True)
class Comparison:
    """One metric on one set: the mean of each way, and hybrid minus each of the others."""

    name: str
    half: str
    metric: str
    means: dict[str, float]
    over: dict[str, Difference]
    n: int

    @property
    def gain(self) -> float:
        """Hybrid minus the better of the other two."""
        return self.means[HYBRID] - max(mean for way, mean in self.means.items() if way != HYBRID)


def score_set(
    found: RetrievalSet,
    base: KnowledgeBase,
    store: Store,
    embedder: Embedder,
    progress: Callable[[str], None] = lambda _line: None,
) -> SetScores:
    """Search every question in every way.

    Parameters
    ----------
    found : the set.
    base, store, embedder : as for `Corpus`.
    progress : told a sentence now and then.
    """
    progress(f"{found.name}: embedding {len(found.documents)} documents and {len(found.questions)} questions")
    corpus = Corpus(found, base, store, embedder)
    progress(f"{found.name}: searching {len(corpus.passages)} passages")
    ways = dict(zip(WAYS, (corpus.by_words, corpus.by_meaning, corpus.by_both), strict=True))
    scores: dict[str, dict[str, list[float]]] = {way: {metric: [] for metric in METRICS} for way in WAYS}
    silenced = []
    for question in found.questions:
        for way, search in ways.items():
            ranking = search(question.text)
            for metric, value in _judge(question, ranking).items():
                scores[way][metric].append(value)
        silenced.append(corpus.silenced(question.text))
    return SetScores(
        found.name,
        len(found.documents),
        len(corpus.passages),
        found.left_out,
        tuple(question.question_id for question in found.questions),
        tuple(question.development for question in found.questions),
        scores,
        tuple(silenced),
    )


def compare(result: SetScores, half: str = "all") -> list[Comparison]:
    """One comparison a metric; none when the half has no question."""
    comparisons = []
    for metric in METRICS:
        columns = {way: result.of(way, metric, half) for way in WAYS}
        n = len(columns[HYBRID])
        if n:
            over = {way: paired_bootstrap(columns[HYBRID], columns[way], seed=SEED) for way in WAYS if way != HYBRID}
            means = {way: sum(column) / n for way, column in columns.items()}
            comparisons.append(Comparison(result.name, half, metric, means, over, n))
    return comparisons


def run_retrieval(
    paths: Sequence[Path],
    *,
    data_dir: Path | None = None,
    progress: Callable[[str], None] = lambda _line: None,
) -> list[SetScores]:
    """Score the sets in `paths`.

    Parameters
    ----------
    paths : files of sets.
    data_dir : where the exported model and vectors are kept for the next time; a temporary folder when not given.
    progress : told a sentence now and then.

    Raises
    ------
    DataError
        a file is no set, or wrong.
    """
    found = [read_set(path) for path in paths]
    with TemporaryDirectory() as temporary:
        folder = data_dir or Path(temporary)
        with Store(folder / FILE_NAME) as store:
            base, embedder = load_knowledge(), open_embedder(folder / "models")
            return [score_set(one, base, store, embedder, progress) for one in found]


def headline(results: Sequence[SetScores]) -> str:
    """One paragraph: where hybrid is worse than the better of the two, and by how much it is better on average."""
    comparisons = [comparison for result in results for comparison in compare(result)]
    worse = [comparison for comparison in comparisons if comparison.gain < 0]
    average = sum(comparison.gain for comparison in comparisons) / len(comparisons)
    text = (
        "Hybrid is nowhere worse than the better of BM25 and dense"
        if not worse
        else "Hybrid is worse than the better of BM25 and dense in "
        + ", ".join(f"{one.metric} on {one.name} ({one.gain:+.4f})" for one in worse)
    )
    return f"{text}; on average over sets and metrics it differs from the better of the two by {average:+.4f}."


def passed(results: Sequence[SetScores]) -> bool:
    """Hybrid is nowhere worse than the better of the two, and better on average."""
    gains = [comparison.gain for result in results for comparison in compare(result)]
    return min(gains) >= 0 and sum(gains) > 0


def markdown(results: Sequence[SetScores]) -> str:
    """The report as Markdown."""
    return "\n".join(_lines(results)) + "\n"


def write(results: Sequence[SetScores], folder: Path = REPORTS) -> tuple[Path, Path]:
    """Write retrieval.md and retrieval.json (means, intervals, the score of each question); return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    text, data = folder / "retrieval.md", folder / "retrieval.json"
    text.write_text(markdown(results), encoding="utf-8")
    content = [
        {
            **asdict(result),
            "comparisons": [asdict(one) for half in HALVES for one in compare(result, half)],
        }
        for result in results
    ]
    data.write_text(json.dumps(content, ensure_ascii=False) + "\n", encoding="utf-8")
    return text, data


def _judge(question: Question, ranking: Sequence[str]) -> dict[str, float]:
    values = (
        recall(ranking, question.relevant, 1),
        recall(ranking, question.relevant, 10),
        ndcg(ranking, question.relevant, 10),
    )
    return dict(zip(METRICS, values, strict=True))


def _lines(results: Sequence[SetScores]) -> Iterator[str]:
    yield from ("# Retrieval on public sets", "", headline(results), "")
    for result in results:
        yield (
            f"{result.name}: {len(result.questions)} questions, {result.documents} documents in {result.passages} "
            f"passages; {result.left_out} relevant documents without text in the file are left out. " + _silence(result)
        )
        yield ""
    yield (
        f"Differences are hybrid minus the other, with 95 % intervals of a paired bootstrap over questions "
        f"({RESAMPLES} resamples). The search may be tuned on the development half only."
    )
    for half in HALVES:
        heading = {"all": "All questions", "development": "Development half", "held out": "Held-out half"}[half]
        yield from ("", f"## {heading}", "")
        yield "| Set | n | Metric | BM25 | dense | hybrid | hybrid − BM25 | hybrid − dense |"
        yield "|---|---|---|---|---|---|---|---|"
        for result in results:
            for one in compare(result, half):
                means = " | ".join(f"{one.means[way]:.4f}" for way in WAYS)
                over = " | ".join(_interval(one.over[way]) for way in WAYS if way != HYBRID)
                yield f"| {one.name} | {one.n} | {one.metric} | {means} | {over} |"


def _silence(result: SetScores) -> str:
    """What not being told where to look costs."""
    means = []
    for metric, column in result.scores[HYBRID].items():
        kept = [0.0 if mute else score for score, mute in zip(column, result.silenced, strict=True)]
        means.append(f"{metric} {sum(kept) / len(kept):.4f}")
    return (
        f"Not told where to look, the search refuses {sum(result.silenced)} of them as off its topic; with those as "
        f"misses hybrid has {', '.join(means)}."
    )


def _interval(difference: Difference) -> str:
    return f"{difference.mean:+.4f} ({difference.lower:+.4f} to {difference.upper:+.4f})"
