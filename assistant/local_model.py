"""A chat model of transformers in a folder on this machine, with tool calls that always fit the tools' schemas.

Calls are written in the form that most open models have learned: `<tool_call>{"name": …, "arguments": …}</tool_call>`.
What a model writes of its own accord in that form or as bare JSON is read as a call too.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage, InvalidToolCall, SystemMessage, ToolCall, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import ConfigDict, Field, PrivateAttr

from assistant.constrained import Grammar
from assistant.local_decoding import Decoder
from knowledge.errors import ModelUnavailable

_BLOCK = re.compile(r"<tool_call>\s*(.*?)\s*(?:</tool_call>|\Z)|\[TOOL_CALLS\]\s*(\[.*\])", re.DOTALL)
_FORCED = ("any", "required", "tool")
_HOW_TO_CALL = (
    "You may call these tools. To call one, write only\n"
    '<tool_call>\n{"name": NAME, "arguments": {…}}\n</tool_call>\nTools, one a line:\n'
)


def load_local_model(folder: Path, *, max_reply_tokens: int, seconds: float) -> LocalChatModel:
    """The model in a folder, as `save_pretrained` of transformers writes it.

    Parameters
    ----------
    max_reply_tokens, seconds : limits of one reply.

    Raises
    ------
    ModelUnavailable
        There is no such folder, or no model in it that transformers can read.
    ModelNotInstalled
        The folder holds an adapter of LoRA, and the package for adapters is missing.
    """
    if not folder.is_dir():
        raise ModelUnavailable(f"There is no folder '{folder}' with a model.", "Set COHORT_MODEL=hf:FOLDER.")
    import torch

    call_first = True
    if (folder / "adapter_config.json").exists():
        from assistant.finetune.lora import TRAINING, load_adapter

        model, tokenizer = load_adapter(folder)
        # One that was trained here has learned to write its plan first, and when no tool is needed.
        call_first = not (folder / TRAINING).exists()
    else:
        model, tokenizer = _load(folder)
    model = model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
    decoder = Decoder(model, tokenizer, f"hf:{folder.name}")
    return LocalChatModel(decoder=decoder, max_reply_tokens=max_reply_tokens, seconds=seconds, call_first=call_first)


def _load(folder: Path) -> tuple[Any, Any]:
    """Model and tokenizer of a folder that holds both (ModelUnavailable)."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True, dtype="auto")
    except (OSError, ValueError, KeyError) as error:
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelUnavailable(
            f"The folder '{folder}' holds no chat model that transformers can read ({said[:200]}).",
            "It needs config.json, weights and a tokenizer.",
        ) from error
    return model, tokenizer


class LocalChatModel(BaseChatModel):
    """Greedy decoding of a local model.

    Attributes
    ----------
    call_first : whether a conversation in which no tool has answered yet begins with a tool call: without one there is
        no number to speak of, and weak models forget to call.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    decoder: Decoder = Field(repr=False)
    max_reply_tokens: int = 1024
    seconds: float = 30.0
    call_first: bool = True
    tools: tuple[dict[str, Any], ...] = Field((), repr=False)
    tool_choice: str = "auto"
    # One reply at a time: two would only make each other late.
    _busy: threading.Lock = PrivateAttr(default_factory=threading.Lock)

    @property
    def _llm_type(self) -> str:
        return "cohort-twin-local"

    def bind_tools(
        self, tools: Sequence[Any], *, tool_choice: str | None = None, **kwargs: Any
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """The model with these tools; `tool_choice` as in OpenAI's interface ('auto', 'any', 'none' or a name)."""
        bound = tuple(convert_to_openai_tool(tool) for tool in tools)
        return self.model_copy(update={"tools": bound, "tool_choice": tool_choice or "auto"})

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        usable = [tool["function"] for tool in self.tools if self.tool_choice != "none"]
        named = [tool for tool in usable if tool["name"] == self.tool_choice]
        grammar = Grammar({tool["name"]: tool["parameters"] for tool in named or usable}) if usable else None
        answered = any(isinstance(message, ToolMessage) for message in messages)
        must_call = bool(named) or self.tool_choice in _FORCED or (self.call_first and not answered)
        with self._busy:
            reply = self.decoder.write(
                self.decoder.encode(self.prompt(messages)),
                grammar=grammar,
                must_call=must_call,
                max_tokens=self.max_reply_tokens,
                seconds=self.seconds,
            )
        text, calls, broken = parse_calls(reply.text, reply.calls, _calls_before(messages))
        for special in self.decoder.tokenizer.all_special_tokens:
            text = text.replace(special, "")
        message = AIMessage(
            content=text.strip(),
            tool_calls=calls,
            invalid_tool_calls=broken,
            response_metadata={"model_name": self.decoder.name},
            usage_metadata={
                "input_tokens": reply.read,
                "output_tokens": reply.written,
                "total_tokens": reply.read + reply.written,
            },
        )
        return ChatResult(generations=[ChatGeneration(message=message)])

    def prompt(self, messages: Sequence[BaseMessage]) -> str:
        """The conversation in the model's own chat template, tools included; a plain form where it has none."""
        from jinja2.exceptions import TemplateError

        rows = [chat_row(message) for message in messages]
        tools = [_without_titles(tool) for tool in self.tools] if self.tool_choice != "none" else []
        if self.decoder.tokenizer.chat_template is None:
            return _plain_prompt(_told(rows, tools))
        try:
            text = self._templated(rows, tools)
            if all(tool["function"]["name"] in text for tool in tools):
                return text
        except TemplateError:
            pass  # some templates know no system text or no tools
        return self._templated(_told(rows, tools), [])

    def _templated(self, rows: list[dict[str, Any]], tools: list[Any]) -> str:
        return str(
            self.decoder.tokenizer.apply_chat_template(
                rows, tools=tools or None, add_generation_prompt=True, tokenize=False
            )
        )


def parse_calls(text: str, calls: Sequence[str], before: int) -> tuple[str, list[ToolCall], list[InvalidToolCall]]:
    """Text without its calls, the calls, and those that are no JSON; `before` calls were made earlier.

    `calls` are those written under the grammar; in `text` the model may have written others.
    """
    written = list(calls)
    if not written:
        for match in _BLOCK.finditer(text):
            written.append(match[1] or match[2])
        text = _BLOCK.sub("", text)
        if not written and re.fullmatch(r"\s*\{\s*\"name\".*\}\s*", text, re.DOTALL):
            written, text = [text], ""
    good: list[ToolCall] = []
    bad: list[InvalidToolCall] = []
    for raw in written:
        for call in _read(raw):
            call_id = f"call-{before + len(good) + len(bad) + 1}"
            if call is None:
                bad.append(InvalidToolCall(type="invalid_tool_call", name=None, args=raw, id=call_id, error="no JSON"))
            else:
                good.append(ToolCall(type="tool_call", name=call[0], args=call[1], id=call_id))
    return text, good, bad


def _read(raw: str) -> list[tuple[str, dict[str, Any]] | None]:
    """Name and arguments of each call; None for what cannot be read."""
    try:
        found = json.loads(raw)
    except ValueError:
        return [None]
    read: list[tuple[str, dict[str, Any]] | None] = []
    for item in found if isinstance(found, list) else [found]:
        fields = item if isinstance(item, dict) else {}
        name, arguments = fields.get("name"), fields.get("arguments", fields.get("parameters", {}))
        read.append((name, arguments) if isinstance(name, str) and isinstance(arguments, dict) else None)
    return read


def _calls_before(messages: Sequence[BaseMessage]) -> int:
    return sum(len(message.tool_calls) for message in messages if isinstance(message, AIMessage))


def chat_row(message: BaseMessage) -> dict[str, Any]:
    """A message in the form that chat templates expect."""
    text = str(message.text)
    if isinstance(message, ToolMessage):
        return {"role": "tool", "content": text, "tool_call_id": message.tool_call_id, "name": message.name or "tool"}
    if isinstance(message, AIMessage):
        calls = [
            {"type": "function", "id": call["id"], "function": {"name": call["name"], "arguments": call["args"]}}
            for call in message.tool_calls
        ]
        return {"role": "assistant", "content": text, **({"tool_calls": calls} if calls else {})}
    return {"role": "system" if isinstance(message, SystemMessage) else "user", "content": text}


def _told(rows: Sequence[dict[str, Any]], tools: Sequence[Any]) -> list[dict[str, Any]]:
    """The same conversation for templates that know users and assistants only: the rest is told in words."""
    opening = [row["content"] for row in rows if row["role"] == "system"]
    if tools:
        opening.append(_HOW_TO_CALL + "\n".join(json.dumps(tool["function"], ensure_ascii=False) for tool in tools))
    told: list[dict[str, Any]] = [{"role": "user", "content": "\n\n".join(opening)}] if opening else []
    for row in rows:
        if row["role"] == "system":
            continue
        role, text = row["role"], row["content"]
        for call in row.get("tool_calls", ()):
            text += f"\n<tool_call>\n{json.dumps(call['function'], ensure_ascii=False)}\n</tool_call>"
        if role == "tool":
            role, text = "user", f"<tool_response>\n{text}\n</tool_response>"
        if told and told[-1]["role"] == role:  # such templates also want the two to take turns
            told[-1] = {"role": role, "content": f"{told[-1]['content']}\n\n{text}"}
        else:
            told.append({"role": role, "content": text})
    return told


def _plain_prompt(rows: Sequence[dict[str, Any]]) -> str:
    return "".join(f"### {row['role']}\n{row['content']}\n\n" for row in rows) + "### assistant\n"


def _without_titles(value: Any) -> Any:
    """A schema without the titles that repeat its names: fewer tokens to read."""
    if isinstance(value, dict):
        kept = {key: item for key, item in value.items() if key != "title" or not isinstance(item, str)}
        return {key: _without_titles(item) for key, item in kept.items()}
    return [_without_titles(item) for item in value] if isinstance(value, list) else value
