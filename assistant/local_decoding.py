"""Writes one reply of a local model token by token; tool calls only as the tools' schemas allow.

Greedy, so the same messages give the same reply. Where a tool call is being written, of all tokens only those may come
that the grammar allows, and only while there is room left to finish the call.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from assistant.constrained import Grammar
from assistant.constrained_frames import Stack
from knowledge.errors import ModelMisbehaved, ModelUnavailable

OPEN, CLOSE = "<tool_call>", "</tool_call>"
MAX_CALLS = 6  # of one reply
MAX_CALL_CHARACTERS = 2_000
_ASCII = [chr(code) for code in range(0x20, 0x7F)]
_CLOSING_TOKENS = len(CLOSE) + 1
_LOOK_BACK = 32  # tokens in which the mark of a tool call is looked for


@dataclass(frozen=True)
class Reply:
    """What was written: text outside of the calls, the JSON of each call, tokens read and written."""

    text: str
    calls: tuple[str, ...]
    read: int
    written: int


@dataclass
class Decoder:
    """A causal language model of transformers with its tokenizer."""

    model: Any = field(repr=False)
    tokenizer: Any = field(repr=False)
    name: str = ""

    @cached_property
    def texts(self) -> list[str]:
        """The text that each token adds; empty for special tokens and for parts of a letter.

        Raises
        ------
        ModelUnavailable
            The tokenizer lacks a token for a plain character, so not every call could be finished.
        """
        # Behind another token, because some tokenizers swallow the space at the start of a text.
        anchor = self.encode("{")[-1]
        lead = self._decode([anchor])
        special = set(self.tokenizer.all_special_ids)
        texts = [
            "" if number in special else self._decode([anchor, number])[len(lead) :]
            for number in range(len(self.tokenizer))
        ]
        texts = ["" if "\ufffd" in text else text for text in texts]
        missing = [character for character in _ASCII if character not in set(texts)]
        if missing:
            raise ModelUnavailable(
                f"The tokenizer of {self.name} has no token for {' '.join(missing[:5])}, so it cannot write tool calls.",
                "Use a model with a byte-level tokenizer.",
            )
        return texts

    @cached_property
    def _by_first(self) -> dict[str, list[int]]:
        tokens: dict[str, list[int]] = {}
        for number, text in enumerate(self.texts):
            if text:
                tokens.setdefault(text[0], []).append(number)
        return tokens

    @property
    def window(self) -> int:
        """Tokens that the model can read and write together."""
        config = self.model.config.get_text_config()
        return int(getattr(config, "max_position_embeddings", None) or min(self.tokenizer.model_max_length, 10**6))

    def encode(self, text: str) -> list[int]:
        """Tokens of a text, without those that open or close it."""
        return list(self.tokenizer.encode(text, add_special_tokens=False))

    def _decode(self, tokens: list[int]) -> str:
        return str(self.tokenizer.decode(tokens, skip_special_tokens=False, clean_up_tokenization_spaces=False))

    def write(
        self, prompt: list[int], *, grammar: Grammar | None, must_call: bool, max_tokens: int, seconds: float
    ) -> Reply:
        """Write a reply.

        Parameters
        ----------
        grammar : of the tools that may be called; None when there are none.
        must_call : the reply is a tool call and nothing else.

        Raises
        ------
        ModelUnavailable
            The prompt does not fit into what the model can read.
        ModelMisbehaved
            A call was begun, and there is no room to finish it.
        TimeoutError
            It took longer than `seconds`.
        """
        room = min(max_tokens, self.window - len(prompt))
        if room < 1:
            raise ModelUnavailable(
                f"The question with all that was found takes {len(prompt):,} tokens; {self.name} can read {self.window:,}.",
                "Use a model with a longer context, or the offline planner with COHORT_MODEL=offline.",
            )
        session = _Session(self, prompt, time.monotonic() + seconds, room)
        calls: list[str] = []
        if grammar is not None and must_call:
            session.feed(OPEN + "\n")
            calls = list(self._calls(session, grammar))
        text_tokens: list[int] = []
        while not calls and session.room > 0:
            token = session.best()
            if token in session.ends:
                break
            text_tokens.append(token)
            session.take(token)
            if grammar is not None and self._decode(text_tokens[-_LOOK_BACK:]).rstrip().endswith(OPEN):
                session.feed("\n")
                calls = list(self._calls(session, grammar))
        return Reply(self._decode(text_tokens).replace(OPEN, ""), tuple(calls), len(prompt), session.written)

    def _calls(self, session: _Session, grammar: Grammar) -> Iterator[str]:
        """Calls one after the other, as long as the model goes on to another."""
        for _ in range(MAX_CALLS):
            yield self._call(session, grammar)
            session.feed("\n" + CLOSE)
            begun = (
                self.texts[session.best()].lstrip() if session.room > 0 and session.best() not in session.ends else ""
            )
            again = "\n" + OPEN + "\n"
            if (
                not begun
                or not OPEN.startswith(begun)
                or session.room <= grammar.shortest(grammar.start) + 2 * len(again)
            ):
                return
            session.feed(again)

    def _call(self, session: _Session, grammar: Grammar) -> str:
        stacks, written = grammar.start, ""
        while () not in stacks:
            token, stacks = self._next(session, grammar, stacks, MAX_CALL_CHARACTERS - len(written))
            written += self.texts[token]
            session.take(token)
        return written

    def _next(
        self, session: _Session, grammar: Grammar, stacks: frozenset[Stack], characters_left: int
    ) -> tuple[int, frozenset[Stack]]:
        """The likeliest token that may come, and what is to be written after it.

        A character takes one token at most, so a call whose shortest end fits into the tokens left can be finished.
        """
        tokens_left = session.room - _CLOSING_TOKENS
        characters, free = grammar.first_characters(stacks)
        allowed = None if free else [token for character in characters for token in self._by_first.get(character, ())]
        for token in session.ranked(allowed):
            text = self.texts[token] if token < len(self.texts) else ""
            if not text:
                continue
            after = grammar.advance(stacks, text)
            if after and grammar.shortest(after) <= min(tokens_left - 1, characters_left - len(text)):
                return token, after
        raise ModelMisbehaved(
            f"{self.name} began a tool call that does not fit into the {session.room:,} tokens it has left.",
            "Raise COHORT_MAX_REPLY_TOKENS, or use a model with a longer context.",
        )


class _Session:
    """The state of the model between tokens."""

    def __init__(self, decoder: Decoder, prompt: list[int], deadline: float, room: int) -> None:
        self.room = room
        self.written = 0
        self._decoder = decoder
        self._deadline = deadline
        self._past: Any = None
        self._logits: Any = None
        config = decoder.model.generation_config
        ends = config.eos_token_id if config.eos_token_id is not None else decoder.tokenizer.eos_token_id
        self.ends = {ends} if isinstance(ends, int) else set(ends or ())
        self._read(prompt)

    def feed(self, text: str) -> None:
        """Write a given text."""
        tokens = self._decoder.encode(text)
        self._count(len(tokens))
        self._read(tokens)

    def take(self, token: int) -> None:
        """Write a token."""
        self._count(1)
        self._read([token])

    def best(self) -> int:
        """The likeliest token."""
        return int(self._logits.argmax())

    def ranked(self, allowed: list[int] | None) -> Iterator[int]:
        """Tokens from the likeliest on, of all or of those allowed."""
        logits = self._logits if allowed is None else self._logits[allowed]
        order = logits.argsort(descending=True, stable=True).tolist()
        yield from order if allowed is None else (allowed[place] for place in order)

    def _count(self, tokens: int) -> None:
        self.room -= tokens
        self.written += tokens

    def _read(self, tokens: list[int]) -> None:
        import torch

        if time.monotonic() > self._deadline:
            raise TimeoutError("the local model took too long")
        model = self._decoder.model
        with torch.inference_mode():
            output = model(
                input_ids=torch.tensor([tokens], device=model.device),
                past_key_values=self._past,
                use_cache=True,
                logits_to_keep=1,
            )
        self._past = output.past_key_values
        self._logits = output.logits[0, -1].float().cpu()
