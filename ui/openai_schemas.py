"""Bodies of the OpenAI-compatible endpoint: what is read of a request, and the shapes of replies and errors."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt

from knowledge.errors import CohortTwinError, QuestionTooLong
from ui.faults import fault_of

MODEL = "cohort-twin"
OWNER = "cohort-twin"


class Part(BaseModel):
    """A piece of a message's content; only text can be read."""

    type: str
    text: str | None = None


class Message(BaseModel):
    """A message of the conversation; only what users asked is taken from it."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[Part] | None = None

    @property
    def text(self) -> str:
        """Its text parts, joined."""
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content if part.text)
        return self.content or ""


class StreamOptions(BaseModel):
    """What a stream ends with."""

    include_usage: bool | None = None


class ChatRequest(BaseModel):
    """A request for a chat completion. Fields that no answer depends on (temperature, user, …) are read over."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "model": MODEL,
                    "messages": [
                        {
                            "role": "user",
                            "content": "How would adults with type 2 diabetes react to semaglutide 1 mg weekly over 30 weeks?",
                        }
                    ],
                }
            ]
        }
    )

    model: str = Field(description=f"'{MODEL}'")
    messages: list[Message] = Field(min_length=1, max_length=2000)
    stream: StrictBool | None = None
    stream_options: StreamOptions | None = None
    seed: StrictInt | None = Field(None, ge=0, le=2**31 - 1, description="seed of the virtual patients")
    n: StrictInt | None = None
    stop: Any = None
    tools: Any = None
    functions: Any = None
    tool_choice: Any = None
    response_format: Any = None
    logprobs: Any = None
    modalities: Any = None
    audio: Any = None


class Refusal(CohortTwinError):
    """A request that this endpoint cannot carry out, with OpenAI's words for it."""

    def __init__(self, message: str, hint: str = "", *, param: str | None = None, code: str = "", status: int = 400):
        super().__init__(message, hint)
        self.param, self.code, self.status = param, code, status


class ErrorDetail(BaseModel):
    """What went wrong, in OpenAI's shape."""

    message: str
    type: str
    param: str | None = None
    code: str | None = None


class ErrorBody(BaseModel):
    """The body of every error of /v1."""

    error: ErrorDetail


class Reply(BaseModel):
    """The one message of a completion."""

    role: Literal["assistant"] = "assistant"
    content: str
    refusal: str | None = None


class Choice(BaseModel):
    """There is always exactly one."""

    index: int = 0
    message: Reply
    finish_reason: Literal["stop"] = "stop"
    logprobs: None = None


class Usage(BaseModel):
    """Tokens as the chat model's provider counted them; the offline planner reads and writes none."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Made(BaseModel):
    """What made the answer: enough to see it again and to compute it again."""

    run_id: str
    status: str
    confidence: float | None = Field(description="calibrated probability, or null where there is none")
    confidence_sentence: str
    evidence_hash: str


class Completion(BaseModel):
    """A chat completion."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str = MODEL
    choices: list[Choice]
    usage: Usage
    system_fingerprint: str
    cohort_twin: Made


class Model(BaseModel):
    """A model as listed."""

    id: str = MODEL
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = OWNER


class ModelList(BaseModel):
    """All models: one."""

    object: Literal["list"] = "list"
    data: list[Model] = [Model()]


_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


def error_of(error: CohortTwinError) -> tuple[int, ErrorBody, int | None]:
    """HTTP status, body, and seconds after which another try may help: `ui.faults`, with 400 where OpenAI says 400."""
    if isinstance(error, Refusal):
        return error.status, _body(error.status, str(error), error.param, error.code), None
    fault = fault_of(error)
    too_long = isinstance(error, QuestionTooLong)
    status = 400 if too_long or fault.http_status == 422 else fault.http_status
    code = "context_length_exceeded" if too_long else ""
    return status, _body(status, str(error), "messages" if too_long else None, code), fault.retry_after


def _body(status: int, message: str, param: str | None, code: str) -> ErrorBody:
    """An error in OpenAI's shape, in text that can always be encoded."""
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    clean = message.encode("utf-8", "replace").decode()
    return ErrorBody(error=ErrorDetail(message=clean, type=kind, param=param, code=code or None))
