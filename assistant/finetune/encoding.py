"""Conversations as tokens: what a local model is shown, and the reply it learns to write.

Both are made by the parts that are used when it answers later (`LocalChatModel.prompt`, `<tool_call>` as the decoder
writes it), so that training and use differ in nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolCall, ToolMessage

from assistant.finetune.schemas import Example
from assistant.finetune.teacher import written_calls
from assistant.local_decoding import CLOSE, OPEN, Decoder
from assistant.local_model import LocalChatModel


@dataclass(frozen=True)
class Reply:
    """Tokens of a conversation so far, and of the reply to it with the token that ends it."""

    prompt: tuple[int, ...]
    reply: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.prompt) + len(self.reply)


def encode_replies(
    examples: Iterable[Example], model: Any, tokenizer: Any, max_tokens: int
) -> tuple[list[Reply], list[Reply], int]:
    """All replies of the assistant: of the training conversations, of the held-out ones, and how many were too long."""
    decoder = Decoder(model, tokenizer)
    longest = min(max_tokens, decoder.window)
    end = _end_token(model, tokenizer)
    train: list[Reply] = []
    validation: list[Reply] = []
    too_long = 0
    for example in examples:
        chat = LocalChatModel(decoder=decoder, tools=example.tools)
        messages = [_message(row) for row in example.messages]
        for place, message in enumerate(messages):
            if not isinstance(message, AIMessage):
                continue
            written = decoder.encode(reply_text(example.messages[place]))
            prompt = decoder.encode(chat.prompt(messages[:place]))
            if len(prompt) + len(written) + 1 > longest:
                too_long += 1
                continue
            one = Reply(tuple(prompt), (*written, end))
            (train if example.origin.split == "train" else validation).append(one)
    return train, validation, too_long


def reply_text(row: dict[str, Any]) -> str:
    """What the model is to write: text, and behind it the calls in the form that its decoder writes and reads."""
    calls = "".join(f"\n{OPEN}\n{call}\n{CLOSE}" for call in written_calls(row))
    return f"{row['content']}{calls}"


def _message(row: dict[str, Any]) -> BaseMessage:
    role, text = row["role"], row["content"]
    if role == "tool":
        return ToolMessage(text, tool_call_id=row["tool_call_id"], name=row["name"])
    if role == "assistant":
        calls = [
            ToolCall(name=c["function"]["name"], args=c["function"]["arguments"], id=c["id"], type="tool_call")
            for c in row.get("tool_calls", ())
        ]
        return AIMessage(text, tool_calls=calls)
    return SystemMessage(text) if role == "system" else HumanMessage(text)


def _end_token(model: Any, tokenizer: Any) -> int:
    """The token that ends a turn in the chat template, of those at which the model stops writing."""
    ends = model.generation_config.eos_token_id
    ends = tokenizer.eos_token_id if ends is None else ends
    stops: Sequence[int] = [ends] if isinstance(ends, int) else list(ends)
    turns = [{"role": "user", "content": "?"}, {"role": "assistant", "content": "END OF TURN"}]
    closing = str(tokenizer.apply_chat_template(turns, tokenize=False)).rpartition("END OF TURN")[2]
    for token in tokenizer.encode(closing, add_special_tokens=False):
        if token in stops:
            return int(token)
    return int(stops[0])
