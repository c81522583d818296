"""From questions to an adapter: real tools teach a tiny, randomly initialised model; its loss falls, also on what is held out."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from typer.testing import CliRunner

from assistant.constrained import Grammar
from assistant.finetune import lora
from assistant.finetune.dataset import read_training_set, write_training_set
from assistant.finetune.encoding import encode_replies, reply_text
from assistant.finetune.questions import QuestionSource
from assistant.finetune.schemas import Example, TrainOptions, TrainReport
from assistant.finetune.teacher import misread, teach, without
from assistant.finetune.train import train_adapter
from assistant.local_model import LocalChatModel, load_local_model, parse_calls
from assistant.models import build_provider_model
from assistant.planner import OfflinePlanner
from assistant.schemas import Status
from assistant.service import Assistant
from assistant.settings import load_settings
from knowledge.base import KnowledgeBase
from knowledge.errors import InvalidInput, ModelNotInstalled, ModelUnavailable, NoEvidence, StoreDamaged
from personas.library import PersonaLibrary
from ui.cli_finetune import finetune_app

AREA = "obesity"
OPTIONS = TrainOptions(epochs=2, rank=4, alpha=8, learning_rate=0.02, turns_per_step=4, save_every=1)
CHATML = (
    "{% if tools %}<|im_start|>tools\n{% for t in tools %}{{ t | tojson }}\n{% endfor %}<|im_end|>\n{% endif %}"
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}"
    "{% for c in m.tool_calls or [] %}\n<tool_call>\n{{ c.function | tojson }}\n</tool_call>{% endfor %}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """A model this small is slower on two threads than on one."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def planner(assistant: Assistant) -> OfflinePlanner:
    return OfflinePlanner(knowledge=assistant.knowledge, personas=assistant.personas)


@pytest.fixture(scope="module")
def examples(assistant: Assistant, planner: OfflinePlanner) -> list[Example]:
    """A small real set of the kinds that need no literature index; called tools and the start of results only, for speed."""
    source = QuestionSource(AREA, assistant.knowledge, assistant.personas, seed=1)
    draw, made = random.Random(1), {}  # type: random.Random, dict[str, Example]
    for split, many in (("train", 9), ("validation", 3)):
        for intent in ("describe", "individual_advice", "describe"):
            had = len(made)
            for _ in range(30):
                if len(made) >= had + many // 3:
                    break
                drawn = source.draw(intent, split, draw)  # type: ignore[arg-type]
                taught = teach(drawn, assistant, planner, AREA, seed=1)
                if isinstance(taught, Example):
                    made[drawn.text] = taught
    return [_shortened(example) for example in made.values()]


@pytest.fixture(scope="module")
def set_file(examples: list[Example], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _write(tmp_path_factory.mktemp("set") / "set.jsonl", examples)


@pytest.fixture(scope="module")
def base(examples: list[Example], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_base(tmp_path_factory.mktemp("base") / "tiny", [example.model_dump_json() for example in examples])


@pytest.fixture(scope="module")
def trained(set_file: Path, base: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TrainReport]:
    out = tmp_path_factory.mktemp("out") / "adapter"
    return out, train_adapter(set_file, base, out, OPTIONS)


def _shortened(example: Example) -> Example:
    called = {call["function"]["name"] for row in example.messages for call in row.get("tool_calls", ())}
    tools = tuple(tool for tool in example.tools if tool["function"]["name"] in called)
    rows = tuple({**row, "content": row["content"][:300]} if row["role"] == "tool" else row for row in example.messages)
    return example.model_copy(update={"tools": tools, "messages": rows})


def _write(path: Path, examples: list[Example]) -> Path:
    path.write_text("".join(f"{example.model_dump_json()}\n" for example in examples), encoding="utf-8")
    return path


def make_base(folder: Path, texts: list[str], template: str | None = CHATML, seed: int = 0) -> Path:
    """Save a Llama of some hundred thousand random weights, with a tokenizer trained on the texts."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    plain = Tokenizer(models.BPE())
    plain.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    plain.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=2_000, special_tokens=["<|im_start|>", "<|im_end|>"], initial_alphabet=alphabet, show_progress=False
    )
    plain.train_from_iterator(texts, trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=plain, eos_token="<|im_end|>", model_max_length=65_536)
    tokenizer.chat_template = template
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2, max_position_embeddings=65_536, initializer_range=0.15,
        eos_token_id=tokenizer.eos_token_id, bos_token_id=None, pad_token_id=None,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_validation_shares_no_template_and_no_cohort_with_training(
    shipped: KnowledgeBase, library: PersonaLibrary
) -> None:
    areas = sorted({arm.area for arm in shipped.arms.arms} & {persona.area for persona in library})
    assert len(areas) > 8
    for area in areas:
        source, draw = QuestionSource(area, shipped, library, seed=3), random.Random(3)
        train, held_out = (
            [source.draw(intent, split, draw) for intent in source.wheel * 4] for split in ("train", "validation")
        )
        assert {one.template for one in train}.isdisjoint(one.template for one in held_out), area
        assert {one.persona_id for one in train if one.cohort}.isdisjoint(o.persona_id for o in held_out if o.cohort)
        assert {one.intent for one in held_out} == set(source.wheel)
        assert {one.text for one in train}.isdisjoint(one.text for one in held_out)


def test_the_same_seed_draws_the_same_questions(shipped: KnowledgeBase, library: PersonaLibrary) -> None:
    def some(seed: int) -> list[str]:
        source, draw = QuestionSource(AREA, shipped, library, seed), random.Random(seed)
        return [source.draw(intent, "train", draw).text for intent in source.wheel]

    assert some(1) == some(1)
    assert some(1) != some(2)


def test_every_template_is_read_as_what_it_stands_for(planner: OfflinePlanner) -> None:
    """At least one question of each template must be usable, or it would only cost time."""
    source, draw = QuestionSource(AREA, planner.knowledge, planner.personas, seed=1), random.Random(1)
    used: set[str] = set()
    drawn: set[str] = set()
    for split in ("train", "validation"):
        for intent in sorted(set(source.wheel)):
            for _ in range(25):
                one = source.draw(intent, split, draw)
                drawn.add(one.template)
                if one.template not in used and not misread(one, planner):
                    used.add(one.template)
    assert drawn - used == set()


@pytest.mark.parametrize(("area", "error"), [("astrology", InvalidInput), ("critical_care", NoEvidence)])
def test_areas_that_cannot_teach_are_said(
    shipped: KnowledgeBase, library: PersonaLibrary, area: str, error: type[Exception]
) -> None:
    with pytest.raises(error, match=r"Areas with both archetypes and trials: .*obesity"):
        QuestionSource(area, shipped, library, 1)


def test_a_conversation_holds_plan_calls_results_and_answer(examples: list[Example]) -> None:
    described = next(example for example in examples if example.origin.intent == "describe")
    assert [row["role"] for row in described.messages] == ["system", "user", "assistant", "tool", "assistant"]
    assert described.messages[2]["content"].startswith("Plan\n- cohort: ")
    called = described.messages[2]["tool_calls"][0]["function"]
    assert called["name"] == "describe_cohort"
    assert called["arguments"]["cohort"]["persona_id"] == described.origin.persona_id
    assert described.messages[-1]["content"].startswith("## ")
    advice = next(example for example in examples if example.origin.intent == "individual_advice")
    assert [row["role"] for row in advice.messages] == ["system", "user", "assistant"]
    assert advice.origin.status == Status.REDIRECTED
    assert not any(character.isdigit() for character in advice.messages[-1]["content"])


def test_taught_calls_are_those_that_the_decoder_allows_and_reads(examples: list[Example]) -> None:
    for example in examples:
        grammar = Grammar({tool["function"]["name"]: tool["function"]["parameters"] for tool in example.tools})
        for row in example.messages:
            text = reply_text(row) if row["role"] == "assistant" else ""
            _, calls, broken = parse_calls(text, (), 0)
            assert broken == []
            assert [(call["name"], call["args"]) for call in calls] == [
                (call["function"]["name"], call["function"]["arguments"]) for call in row.get("tool_calls", ())
            ] or row["role"] != "assistant"
            for call in calls:
                assert () in grammar.advance(
                    grammar.start, json.dumps({"name": call["name"], "arguments": call["args"]})
                )


def test_the_prompt_of_training_is_the_prompt_of_use(examples: list[Example], base: Path) -> None:
    model, tokenizer = lora.load_base(base)
    train, validation, too_long = encode_replies(examples, model, tokenizer, 60_000)
    assert too_long == 0
    assert train
    assert validation
    first = examples[0]
    used = load_local_model(base, max_reply_tokens=10, seconds=10)
    question = HumanMessage(first.messages[1]["content"])
    shown = used.model_copy(update={"tools": first.tools}).prompt([_system(first), question])
    assert tokenizer.decode(train[0].prompt) == shown
    assert train[0].reply[-1] == tokenizer.eos_token_id
    assert tokenizer.decode(train[0].reply[:-1]) == reply_text(first.messages[2])


def _system(example: Example) -> Any:
    from langchain_core.messages import SystemMessage

    return SystemMessage(example.messages[0]["content"])


def test_loss_falls_also_on_what_is_held_out(trained: tuple[Path, TrainReport]) -> None:
    _, report = trained
    assert [loss.step for loss in report.losses] == [0, report.steps // 2, report.steps]
    first, last = report.losses[0], report.losses[-1]
    assert last.train < 0.85 * first.train
    assert first.validation is not None
    assert last.validation is not None
    assert last.validation < 0.9 * first.validation
    assert 0 < report.trained_weights < 0.2 * report.all_weights


def test_the_adapter_loads_through_the_same_settings(
    trained: tuple[Path, TrainReport], examples: list[Example], base: Path
) -> None:
    out, report = trained
    built = build_provider_model(load_settings(model=f"hf:{out}"))
    assert isinstance(built, LocalChatModel)
    assert built.decoder.name == "hf:adapter"
    assert not built.call_first
    assert load_local_model(base, max_reply_tokens=10, seconds=10).call_first
    held_out = encode_replies(examples, built.decoder.model, built.decoder.tokenizer, 60_000)[1]
    assert _loss(built.decoder.model, held_out) == pytest.approx(report.losses[-1].validation, abs=2e-3)
    replied = built.model_copy(update={"max_reply_tokens": 20}).invoke([HumanMessage("Describe adults with obesity.")])
    assert isinstance(replied, AIMessage)


def _loss(model: Any, replies: list[Any]) -> float:
    import torch

    total = 0.0
    for one in replies:
        with torch.inference_mode():
            logits = model(input_ids=torch.tensor([[*one.prompt, *one.reply]])).logits[0, len(one.prompt) - 1 : -1]
        total += float(torch.nn.functional.cross_entropy(logits, torch.tensor(one.reply), reduction="sum"))
    return total / sum(len(one.reply) for one in replies)


def test_a_run_that_was_cut_short_goes_on_to_the_same_adapter(
    trained: tuple[Path, TrainReport], set_file: Path, base: Path, tmp_path: Path
) -> None:
    out, whole = trained
    again = tmp_path / "adapter"

    def stop(share: float, _text: str) -> None:
        if share > 0.4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_adapter(set_file, base, again, OPTIONS, progress=stop)
    assert not again.exists()
    with pytest.raises(InvalidInput, match="begun with another set"):
        train_adapter(set_file, base, again, OPTIONS.model_copy(update={"rank": 8}))
    report = train_adapter(set_file, base, again, OPTIONS)
    assert 0 < report.resumed_at < report.steps
    assert report.losses == whole.losses
    name = "adapter_model.safetensors"
    assert (again / name).read_bytes() == (out / name).read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["adapter"]


def test_a_damaged_checkpoint_is_said(set_file: Path, base: Path, tmp_path: Path) -> None:
    def stop(_share: float, _text: str) -> None:
        raise KeyboardInterrupt

    one = OPTIONS.model_copy(update={"epochs": 1, "turns_per_step": 64})
    with pytest.raises(KeyboardInterrupt):
        train_adapter(set_file, base, tmp_path / "a", one, progress=stop)
    (tmp_path / "a.begun" / "checkpoint.pt").write_bytes(b"nothing")
    with pytest.raises(StoreDamaged, match="train again"):
        train_adapter(set_file, base, tmp_path / "a", one)


def test_what_cannot_be_trained_is_said(
    set_file: Path, base: Path, examples: list[Example], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    with pytest.raises(InvalidInput, match="exists already"):
        train_adapter(set_file, base, tmp_path)
    with pytest.raises(InvalidInput, match="no training set"):
        train_adapter(tmp_path / "none", base, out)
    broken = tmp_path / "broken.jsonl"
    broken.write_text('{"messages": []}\n')
    with pytest.raises(InvalidInput, match=r"Line 1 of 'broken\.jsonl'"):
        train_adapter(broken, base, out)
    held_out = [example for example in examples if example.origin.split == "validation"]
    with pytest.raises(InvalidInput, match="no conversation to train on"):
        train_adapter(_write(tmp_path / "held.jsonl", held_out), base, out)
    with pytest.raises(ModelUnavailable, match="no folder"):
        train_adapter(set_file, tmp_path / "none", out)
    with pytest.raises(InvalidInput, match="fits into 64 tokens"):
        train_adapter(set_file, base, out, OPTIONS.model_copy(update={"max_tokens": 64}))
    dumb = make_base(tmp_path / "dumb", ["some text"], template=None)
    with pytest.raises(ModelUnavailable, match="chat template"):
        train_adapter(set_file, dumb, out)
    for file in dumb.glob("tokenizer*"):
        file.unlink()
    with pytest.raises(ModelUnavailable, match="no tokenizer"):
        train_adapter(set_file, dumb, out)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ModelNotInstalled, match=r"pip install .*peft"):
        train_adapter(set_file, base, out)
    assert not out.exists()


def test_adapters_that_cannot_be_loaded_are_said(trained: tuple[Path, TrainReport], base: Path, tmp_path: Path) -> None:
    adapter = shutil.copytree(trained[0], tmp_path / "adapter")
    (adapter / "adapter_model.safetensors").write_bytes(b"nothing")
    with pytest.raises(ModelUnavailable, match="no adapter that peft can read"):
        build_provider_model(load_settings(model=f"hf:{adapter}"))
    shutil.rmtree(adapter)
    shutil.copytree(trained[0], adapter)
    config = json.loads((adapter / lora.ADAPTER_CONFIG).read_text())
    (adapter / lora.ADAPTER_CONFIG).write_text(json.dumps(config | {"base_model_name_or_path": "/gone/tiny"}))
    with pytest.raises(ModelUnavailable, match="which is not there"):
        build_provider_model(load_settings(model=f"hf:{adapter}"))
    shutil.copytree(base, tmp_path / "tiny")
    build_provider_model(load_settings(model=f"hf:{adapter}"))  # found beside the adapter
    with (tmp_path / "tiny" / "config.json").open("a") as file:
        file.write("\n")
    with pytest.raises(ModelUnavailable, match="not the one that the adapter"):
        build_provider_model(load_settings(model=f"hf:{adapter}"))


def test_the_command_trains_and_tells_the_losses(set_file: Path, base: Path, tmp_path: Path) -> None:
    options = ["--epochs", "1", "--rank", "2", "--learning-rate", "0.01", "--save-memory"]
    arguments = ["train", "--set", str(set_file), "--base", str(base), "--out", str(tmp_path / "a"), *options]
    told = CliRunner().invoke(finetune_app, arguments, catch_exceptions=False)
    assert told.exit_code == 0
    assert "held out" in told.stdout
    assert f"COHORT_MODEL=hf:{tmp_path / 'a'}" in told.stdout


@pytest.mark.slow
def test_from_the_real_tools_to_an_answer(
    assistant: Assistant, assistant_with: Callable[..., Assistant], tmp_path: Path
) -> None:
    """All kinds of questions; written twice it is the same file; a model is trained on it, and the graph runs on that."""
    path = tmp_path / "set.jsonl"
    report = write_training_set(assistant, AREA, path, n=20, seed=2)
    assert report.written >= 15
    assert set(report.counts["train"]) >= {"respond", "compare", "rank", "describe", "literature", "individual_advice"}
    assert report.counts["validation"]
    again = write_training_set(assistant, AREA, tmp_path / "again.jsonl", n=20, seed=2)
    assert again == report
    assert path.read_bytes() == (tmp_path / "again.jsonl").read_bytes()
    with pytest.raises(InvalidInput, match="exists already"):
        write_training_set(assistant, AREA, path, n=20)
    examples = read_training_set(path)
    for example in examples:
        for row in example.messages:
            if row.get("tool_calls"):
                grammar = Grammar({tool["function"]["name"]: tool["function"]["parameters"] for tool in example.tools})
                for call in row["tool_calls"]:
                    written = {"name": call["function"]["name"], "arguments": call["function"]["arguments"]}
                    assert () in grammar.advance(grammar.start, json.dumps(written, ensure_ascii=False))
    short = sorted((_shortened(example) for example in examples), key=lambda one: len(one.model_dump_json()))
    chosen = [one for one in short if one.origin.split == "train"][:6]
    chosen += [one for one in short if one.origin.split == "validation"][:2]
    base = make_base(tmp_path / "base", [example.model_dump_json() for example in examples])
    out = tmp_path / "adapter"
    longer = OPTIONS.model_copy(update={"epochs": 5, "turns_per_step": 2})
    losses = train_adapter(_write(tmp_path / "short.jsonl", chosen), base, out, longer).losses
    assert losses[-1].train < 0.85 * losses[0].train
    settings = {"model": f"hf:{out}", "max_reply_tokens": 60, "max_model_calls": 3}
    answer = assistant_with(build_provider_model(load_settings(**settings)), **settings).ask("Describe obese adults.")
    assert answer.status in Status
    assert answer.model == f"hf:{out}"


def test_sentences_that_may_not_be_taught_are_left_out_and_no_empty_section_stays() -> None:
    text = "## Cohort\n\nMean age is known.\n\n### Spread\n\n- Nine in ten are adults.\n\n### Behaviour\n\n- They take it, as most do."
    left = without(text, ["Nine in ten are adults."])
    assert left == "## Cohort\n\nMean age is known.\n\n### Behaviour\n\n- They take it, as most do."
    assert without(text, ["## Cohort"]) == ""
    assert without(text, ["Mean age is known.", "They take it, as most do."]) == ""
    assert without(text, []) == text
