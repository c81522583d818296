"""A tiny, randomly initialised model of transformers, made here: its tool calls must fit the tools' schemas all the same."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage

from assistant.constrained import Grammar
from assistant.local_model import LocalChatModel, load_local_model, parse_calls
from assistant.models import build_provider_model
from assistant.schemas import Status
from assistant.service import Assistant
from assistant.settings import load_settings
from knowledge.errors import ModelMisbehaved, ModelNotInstalled, ModelUnavailable
from tools.catalog import build_registry

WORDS = "How would adults with type 2 diabetes react to semaglutide 1 mg weekly over 30 weeks?"
HERMES = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}"
    "{% for c in m.tool_calls or [] %}\n<tool_call>\n{{ c.function | tojson }}\n</tool_call>{% endfor %}<|im_end|>\n"
    "{% if loop.first and tools %}{% for t in tools %}{{ t | tojson }}\n{% endfor %}{% endif %}{% endfor %}"
    "<|im_start|>assistant\n"
)
STRICT = (
    "{% for m in messages %}{% if m.role not in ('user', 'assistant') %}{{ raise_exception('unknown role') }}{% endif %}"
    "[{{ m.role }}]{{ m.content }}{% endfor %}[assistant]"
)


def _texts() -> list[str]:
    schemas = [json.dumps(tool.input_model.model_json_schema()) for tool in build_registry()]
    return [WORDS, *schemas]


def make_model(folder: Path, *, seed: int = 0, template: str | None = HERMES, window: int = 16_384) -> Path:
    """Save a Llama of a few thousand weights, drawn at random, with a tokenizer trained on the tools' schemas."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    plain = Tokenizer(models.BPE())
    plain.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    plain.decoder = decoders.ByteLevel()
    plain.train_from_iterator(
        _texts(),
        trainers.BpeTrainer(
            vocab_size=1_200,
            special_tokens=["<|im_start|>", "<|im_end|>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=plain, eos_token="<|im_end|>", model_max_length=window)
    tokenizer.chat_template = template
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=2, max_position_embeddings=window, initializer_range=0.6,
        eos_token_id=tokenizer.eos_token_id, bos_token_id=None, pad_token_id=None,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """A model this small is slower on two threads than on one."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def tiny(folder: Path) -> LocalChatModel:
    return load_local_model(folder, max_reply_tokens=400, seconds=60)


def _functions(names: Sequence[str] = ()) -> list[dict[str, Any]]:
    return [
        {"type": "function", "function": {"name": tool.name, "description": tool.description,
                                          "parameters": tool.input_model.model_json_schema()}}
        for tool in build_registry() if tool.offered and (not names or tool.name in names)
    ]  # fmt: skip


def _ask(model: LocalChatModel, words: str, choice: str = "any", names: Sequence[str] = ()) -> AIMessage:
    return model.bind_tools(_functions(names), tool_choice=choice).invoke([HumanMessage(words)])


def _assert_valid(message: AIMessage) -> None:
    schemas = {tool.name: tool.input_model.model_json_schema() for tool in build_registry() if tool.offered}
    assert message.tool_calls
    assert not message.invalid_tool_calls
    for call in message.tool_calls:
        jsonschema.Draft202012Validator(schemas[call["name"]]).validate(call["args"])


@pytest.mark.parametrize("name", [tool.name for tool in build_registry() if tool.offered])
def test_calls_of_a_random_model_fit_the_schemas(tiny: LocalChatModel, name: str) -> None:
    """Every tool by name, with other words each time: all calls are valid."""
    for turn in range(4):
        message = _ask(tiny, f"{turn} {WORDS[turn:]}", choice=name, names=[name])
        _assert_valid(message)
        assert {call["name"] for call in message.tool_calls} == {name}


def test_another_random_model_chooses_among_all_tools(tmp_path: Path) -> None:
    other = load_local_model(make_model(tmp_path, seed=7), max_reply_tokens=300, seconds=60)
    for words in (WORDS, "Hello", "nausea?"):
        _assert_valid(_ask(other, words))


def test_random_characters_under_the_grammar_fit_the_schemas() -> None:
    """Without any model: at each place a random one of the characters that may come."""
    draw = random.Random(3)
    schemas = {tool.name: tool.input_model.model_json_schema() for tool in build_registry() if tool.offered}
    grammar = Grammar(schemas)
    for _ in range(40):
        stacks, text = grammar.start, ""
        while () not in stacks:
            may, free = grammar.first_characters(stacks)
            options = sorted(may | set("aµ\\" if free else ""))
            after = {character: grammar.advance(stacks, character) for character in options}
            left = 600 - len(text)
            fits = [c for c in options if after[c] and grammar.shortest(after[c]) < left]
            assert fits, (text, options)
            character = draw.choice(fits)
            stacks, text = after[character], text + character
        call = json.loads(text)
        jsonschema.Draft202012Validator(schemas[call["name"]]).validate(call["arguments"])


def test_the_same_messages_give_the_same_reply(tiny: LocalChatModel) -> None:
    one, other = (_ask(tiny, WORDS, names=["describe_cohort"]) for _ in range(2))
    assert (one.content, one.tool_calls, one.usage_metadata) == (other.content, other.tool_calls, other.usage_metadata)


def test_without_tools_it_writes_text_and_counts_tokens(tiny: LocalChatModel) -> None:
    reply = tiny.model_copy(update={"max_reply_tokens": 12}).invoke([HumanMessage(WORDS)])
    assert reply.tool_calls == []
    assert reply.usage_metadata is not None
    assert 0 < reply.usage_metadata["output_tokens"] <= 12


def test_a_tool_must_answer_before_it_may_write(tiny: LocalChatModel) -> None:
    bound = tiny.model_copy(update={"max_reply_tokens": 300}).bind_tools(_functions(["describe_cohort"]))
    first = bound.invoke([HumanMessage(WORDS)])
    _assert_valid(first)
    second = bound.invoke([HumanMessage(WORDS), first, ToolMessage("{}", tool_call_id=first.tool_calls[0]["id"] or "")])
    assert {call["id"] for call in first.tool_calls}.isdisjoint(call["id"] for call in second.tool_calls)


def test_the_conversation_is_written_in_the_template_of_the_model(tmp_path: Path, tiny: LocalChatModel) -> None:
    call = {"name": "describe_cohort", "args": {"text": "adults"}, "id": "c1", "type": "tool_call"}
    messages = [
        SystemMessage("Be brief."),
        HumanMessage(WORDS),
        AIMessage(content="", tool_calls=[call]),
        ToolMessage("1,234 patients", tool_call_id="c1", name="describe_cohort"),
    ]
    tools = _functions(["describe_cohort"])
    prompts = []
    for template in (HERMES, STRICT, None):
        tiny.decoder.tokenizer.chat_template = template
        prompts.append(tiny.model_copy(update={"tools": tuple(tools)}).prompt(messages))
    tiny.decoder.tokenizer.chat_template = HERMES
    for prompt in prompts:
        assert all(part in prompt for part in ("Be brief.", WORDS, "1,234 patients", "describe_cohort", "<tool_call>"))
    assert prompts[0].startswith("<|im_start|>system")
    assert prompts[1].startswith("[user]Be brief.")
    assert prompts[2].endswith("### assistant\n")


@pytest.mark.parametrize(
    ("text", "good", "bad"),
    [
        ('Look. <tool_call>{"name": "a", "arguments": {"x": 1}}</tool_call>', [("a", {"x": 1})], 0),
        ('{"name": "a", "parameters": {"x": 1}}', [("a", {"x": 1})], 0),
        ('[TOOL_CALLS] [{"name": "a", "arguments": {}}, {"name": "b", "arguments": {}}]', [("a", {}), ("b", {})], 0),
        ("<tool_call>{not json", [], 1),
        ('<tool_call>{"name": 3}</tool_call>', [], 1),
        ("HbA1c falls.", [], 0),
    ],
)
def test_calls_in_free_text_are_read(text: str, good: list[tuple[str, dict[str, Any]]], bad: int) -> None:
    _, calls, broken = parse_calls(text, (), before=4)
    assert [(call["name"], call["args"]) for call in calls] == good
    assert len(broken) == bad
    assert [call["id"] for call in [*calls, *broken]] == [f"call-{5 + n}" for n in range(len(good) + bad)]


def test_the_graph_runs_on_it_and_ends_in_a_typed_answer(
    folder: Path, assistant_with: Callable[..., Assistant]
) -> None:
    settings = {"model": f"hf:{folder}", "max_reply_tokens": 160, "max_model_calls": 4}
    built = assistant_with(build_provider_model(load_settings(**settings)), **settings)
    answer = built.ask(WORDS)
    assert answer.status in Status
    assert answer.model == f"hf:{folder}"
    assert answer.steps or answer.limits
    usage = built.ledger.get(answer.run_id).body["usage"]
    assert usage["cost"] == 0.0
    assert usage["input_tokens"] > usage["output_tokens"] > 0


def test_it_stops_in_time(tiny: LocalChatModel) -> None:
    with pytest.raises(TimeoutError):
        _ask(tiny.model_copy(update={"seconds": 0.0}), WORDS)


def test_a_prompt_that_is_too_long_is_said(tmp_path: Path) -> None:
    small = load_local_model(make_model(tmp_path, window=256), max_reply_tokens=400, seconds=60)
    with pytest.raises(ModelUnavailable, match="can read 256"):
        _ask(small, WORDS)


def test_a_call_that_could_not_be_finished_is_not_begun(tiny: LocalChatModel) -> None:
    with pytest.raises(ModelMisbehaved, match="COHORT_MAX_REPLY_TOKENS"):
        _ask(tiny.model_copy(update={"max_reply_tokens": 30}), WORDS)


def test_folders_that_hold_no_model_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelUnavailable, match="no folder"):
        build_provider_model(load_settings(model=f"hf:{tmp_path / 'nothing'}"))
    with pytest.raises(ModelUnavailable, match="holds no chat model"):
        build_provider_model(load_settings(model=f"hf:{tmp_path}"))
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(ModelUnavailable, match="made for the base model"):
        build_provider_model(load_settings(model=f"hf:{tmp_path}"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ModelNotInstalled, match=r"pip install .*peft"):
        build_provider_model(load_settings(model=f"hf:{tmp_path}"))
