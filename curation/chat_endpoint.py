"""Many requests to an OpenAI-compatible chat endpoint: concurrent, rate-limited, retried, cached, within a budget.

The answers are a stranger's: nothing is believed of their shape. The key is read from the environment, goes into the
request's header, and nowhere else.
"""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from curation.errors import BadInputError, StoreError, UnreachableError
from curation.keys import content_key

if TYPE_CHECKING:
    import httpx

ADDRESS, KEY, MODEL = "OPENAI_BASE_URL", "OPENAI_API_KEY", "OPENAI_MODEL"
"""What the OpenAI clients call them, and the model."""

PASSING: Final = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
"""Answers after which it is worth to ask again."""

_REFUSED: Final = frozenset({400, 413, 422, 451})
"""Answers about one request, not about all: its content or length is not taken."""

MOST_FAILURES: Final = 12
LONGEST_WAIT_S: Final = 30.0
LONGEST_ANSWER_BYTES: Final = 4_000_000
CHARS_PER_TOKEN: Final = 3.0
"""Fewer than any tokenizer has for markup: tokens are over-estimated where the endpoint does not count them."""

Sleep = Callable[[float], None]


@dataclass(frozen=True)
class Endpoint:
    """Where the model is. The key is in no text that is made of this."""

    address: str
    model: str
    key: str = field(default="", repr=False)

    @classmethod
    def from_environment(cls, model: str = "", environment: Mapping[str, str] = os.environ) -> Endpoint:
        """The endpoint that the environment names. Raises `BadInputError` where it does not."""
        told = {ADDRESS: environment.get(ADDRESS, ""), MODEL: model or environment.get(MODEL, "")}
        if missing := [name for name, value in told.items() if not value]:
            problem = f"the environment does not say which model to ask ({' and '.join(missing)} not set)"
            raise BadInputError(problem, f"Set {ADDRESS}, {MODEL}, and {KEY} if it wants one")
        if not told[ADDRESS].startswith(("http://", "https://")) or "@" in told[ADDRESS]:
            raise BadInputError(f"{ADDRESS} is no address", f"It is something like https://host/v1; a key is in {KEY}")
        return cls(told[ADDRESS].rstrip("/"), told[MODEL], environment.get(KEY, ""))


@dataclass(frozen=True)
class Limits:
    """How an endpoint is treated. A request is given up after `n_tries` or `deadline_s`, whichever is first."""

    n_at_once: int = 4
    per_minute: float = 0.0
    n_tries: int = 5
    timeout_s: float = 120.0
    deadline_s: float = 300.0
    first_wait_s: float = 1.0


@dataclass(frozen=True)
class Prices:
    """What a million tokens cost, in any currency."""

    per_million_in: float = 0.0
    per_million_out: float = 0.0


class Budget:
    """Tokens and cost of the run, counted as answers come; what would go over the limits is not asked.

    A request is reserved at what it may cost at most, so that requests under way together stay below the limits, too.
    """

    def __init__(
        self, prices: Prices = Prices(), most_tokens: int | None = None, most_cost: float | None = None
    ) -> None:
        self.prices, self.most_tokens, self.most_cost = prices, most_tokens, most_cost
        self.n_in = self.n_out = self.n_requests = 0
        self._reserved: tuple[int, int] = (0, 0)
        self._settled = threading.Condition()
        self.spent = ""

    def cost(self, n_in: int, n_out: int) -> float:
        """What so many tokens cost."""
        return (n_in * self.prices.per_million_in + n_out * self.prices.per_million_out) / 1e6

    def reserve(self, n_in: int, n_out: int) -> bool:
        """Whether a request of at most so many tokens may be made; then it counts as under way.

        Where it could go over only with what is under way, it waits: most answers are shorter than they may be.
        """
        with self._settled:
            while why := self._over(n_in, n_out):
                if self._reserved == (0, 0):
                    self.spent = why
                    return False
                self._settled.wait()
            self._reserved = (self._reserved[0] + n_in, self._reserved[1] + n_out)
            return True

    def _over(self, n_in: int, n_out: int) -> str:
        total_in, total_out = self.n_in + self._reserved[0] + n_in, self.n_out + self._reserved[1] + n_out
        if self.most_tokens is not None and total_in + total_out > self.most_tokens:
            return f"the budget of {self.most_tokens:,} tokens is spent"
        if self.most_cost is not None and self.cost(total_in, total_out) > self.most_cost:
            return f"the budget of {self.most_cost:g} is spent"
        return ""

    def settle(self, reserved: tuple[int, int], used: tuple[int, int] | None) -> None:
        """A request is over: what it used, None where nothing came that could be counted."""
        with self._settled:
            self._reserved = (self._reserved[0] - reserved[0], self._reserved[1] - reserved[1])
            self._settled.notify_all()
            if used is not None:
                self.n_in, self.n_out = self.n_in + used[0], self.n_out + used[1]
                self.n_requests += 1

    def facts(self) -> dict[str, float | int]:
        """Requests that were answered now, their tokens, and what they cost."""
        cost = round(self.cost(self.n_in, self.n_out), 6)
        return {"requests": self.n_requests, "tokens_in": self.n_in, "tokens_out": self.n_out, "cost": cost}


@dataclass(frozen=True)
class Request:
    """One question. `sample` tells apart several answers to the same one; it is part of what an answer is kept by."""

    system: str
    user: str
    temperature: float = 0.7
    max_tokens: int = 4_096
    sample: int = 0

    def body(self, model: str) -> dict[str, Any]:
        """As the API takes it."""
        messages = [{"role": "system", "content": self.system}, {"role": "user", "content": self.user}]
        return {
            "model": model,
            "messages": messages,
            "temperature": self.temperature,
            "max_tokens": self.max_tokens,
            "seed": self.sample,
        }


@dataclass(frozen=True)
class Answer:
    """What the model said. `why` is empty, or says why there is nothing (`text` is empty then)."""

    text: str
    why: str = ""
    is_cut_off: bool = False
    is_refusal: bool = False
    from_cache: bool = False


class Sender:
    """Sends one request after another: at its pace, again where it may help, never beyond its deadline."""

    def __init__(self, endpoint: Endpoint, limits: Limits, sleep: Sleep = time.sleep) -> None:
        self._endpoint, self._limits, self._sleep = endpoint, limits, sleep
        self._next_s = 0.0
        self._lock = threading.Lock()

    def post(
        self,
        client: httpx.Client,
        path: str,
        body: Mapping[str, Any],
        shape: Callable[[Any], dict[str, Any] | None],
        most_bytes: int = LONGEST_ANSWER_BYTES,
    ) -> tuple[dict[str, Any] | None, str]:
        """What `shape` takes out of the answer, or None and why there is none.

        Raises `BadInputError` where the endpoint refuses the key, or knows no such model or address.
        """
        import httpx  # noqa: PLC0415 - only who asks a model pays for it

        limits, started_s, why = self._limits, time.monotonic(), ""
        for attempt in range(limits.n_tries):
            wait = min(limits.first_wait_s * 2 ** (attempt - 1), LONGEST_WAIT_S) if attempt else 0.0
            if attempt and time.monotonic() - started_s + wait > limits.deadline_s:
                return None, f"{why}; no time is left for another try"
            self._sleep(wait)
            self._pace()
            left_s = limits.deadline_s - (time.monotonic() - started_s)
            if left_s <= 0:
                return None, why or "no answer by the deadline"
            try:
                status, headers, content = _send(
                    client, "POST", self._endpoint.address + path, body, min(left_s, limits.timeout_s), most_bytes
                )
            except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
                raise BadInputError(f"{ADDRESS} is no address", "It is something like https://host/v1") from error
            except (httpx.TransportError, httpx.DecodingError, TimeoutError) as error:
                why = f"no answer: {type(error).__name__}"
                continue
            if status in PASSING:
                why = f"no answer: HTTP {status}"
                asked_s = _asked_to_wait(headers.get("retry-after", ""))
                if asked_s > limits.deadline_s - (time.monotonic() - started_s):
                    return None, f"{why}; it asks for {asked_s:.0f} s"
                self._sleep(asked_s)
                continue
            if status in _REFUSED:
                return None, f"HTTP {status}: it does not take the request"
            if status != httpx.codes.OK:
                problem = f"{self._endpoint.address} answers HTTP {status} for model {self._endpoint.model}"
                raise BadInputError(problem, f"Check {ADDRESS}, {KEY} and {MODEL}")
            found = shape(_json(content))
            if found is not None:
                return found, ""
            why = "no answer: not of the shape that it should be"
        return None, why

    def get(self, client: httpx.Client, url: str, most_bytes: int) -> bytes | str:
        """A file of the endpoint's own host, or why it cannot be had. No redirect is followed."""
        import httpx  # noqa: PLC0415 - as above

        try:
            status, _, content = _send(client, "GET", url, None, self._limits.timeout_s, most_bytes)
        except (httpx.InvalidURL, httpx.TransportError, httpx.DecodingError, TimeoutError) as error:
            return f"the file does not come: {type(error).__name__}"
        return content if status == httpx.codes.OK else f"the file does not come: HTTP {status}"

    def _pace(self) -> None:
        """Wait for this request's turn: `per_minute` of them, evenly."""
        if not self._limits.per_minute:
            return
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next_s)
            self._next_s = turn + 60.0 / self._limits.per_minute
        self._sleep(max(0.0, turn - now))


class ChatEndpoint:
    """Asks one model; what it answered once is found again in `cache`, a folder (None: nothing is kept)."""

    def __init__(
        self,
        endpoint: Endpoint,
        limits: Limits = Limits(),
        budget: Budget | None = None,
        cache: Path | None = None,
        sleep: Sleep = time.sleep,
    ) -> None:
        self.endpoint, self.limits, self.budget = endpoint, limits, budget or Budget()
        self._cache, self._sender = cache, Sender(endpoint, limits, sleep)
        self._failures = 0
        self._lock = threading.Lock()

    def ask_all(self, requests: Sequence[Request]) -> list[Answer]:
        """An answer to each request, in order.

        Raises:
            BadInputError: the endpoint refuses the key, or knows no such model or address.
            UnreachableError: it gives no answer, after all tries, to `MOST_FAILURES` requests in a row.
            StoreError: an answer cannot be kept.
        """
        import httpx  # noqa: PLC0415 - only who asks a model pays for it

        headers = {"Authorization": f"Bearer {self.endpoint.key}"} if self.endpoint.key else {}
        with (
            httpx.Client(timeout=self.limits.timeout_s, headers=headers, follow_redirects=False) as client,
            ThreadPoolExecutor(self.limits.n_at_once) as pool,
        ):
            try:
                return list(pool.map(lambda one: self._answer(client, one), requests))
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

    def _answer(self, client: httpx.Client, request: Request) -> Answer:
        body = request.body(self.endpoint.model)
        kept = self._kept(body)
        if kept is not None:
            return kept
        n_in = int((len(request.system) + len(request.user)) / CHARS_PER_TOKEN) + 16
        reserved = (n_in, request.max_tokens)
        if not self.budget.reserve(*reserved):
            return Answer("", self.budget.spent)
        used: tuple[int, int] | None = None
        try:
            found, why = self._sender.post(client, "/chat/completions", body, completion)
            self._note(failed=found is None, why=why)
            if found is None:
                return Answer("", why)
            answer = read_answer(found)
            used = _used(found, n_in, answer.text)
            if not answer.why:
                self._keep(body, answer, used)
            return answer
        finally:
            self.budget.settle(reserved, used)

    def _note(self, *, failed: bool, why: str) -> None:
        """Give the endpoint up after many requests in a row without an answer."""
        with self._lock:
            self._failures = self._failures + 1 if failed and not why.startswith("HTTP") else 0
            if self._failures >= MOST_FAILURES:
                problem = f"{self.endpoint.address} gave no answer to {self._failures} requests in a row ({why})"
                raise UnreachableError(problem, "Try again later: what was answered is kept")

    def _path(self, body: Mapping[str, Any]) -> Path | None:
        if self._cache is None:
            return None
        key = content_key(address=self.endpoint.address, body=json.dumps(body, sort_keys=True))
        return self._cache / key[:2] / f"{key}.json"

    def _kept(self, body: Mapping[str, Any]) -> Answer | None:
        path = self._path(body)
        try:
            if path is None or not path.is_file():
                return None
            found = json.loads(path.read_text("utf-8"))
            is_cut_off, is_refusal = bool(found["is_cut_off"]), bool(found["is_refusal"])
            return Answer(str(found["text"]), "", is_cut_off, is_refusal, from_cache=True)
        except (OSError, ValueError, KeyError, TypeError):
            return None  # damaged: asked again

    def _keep(self, body: Mapping[str, Any], answer: Answer, used: tuple[int, int]) -> None:
        path = self._path(body)
        if path is None:
            return
        told = {"text": answer.text, "is_cut_off": answer.is_cut_off, "is_refusal": answer.is_refusal}
        told |= {"model": self.endpoint.model, "tokens_in": used[0], "tokens_out": used[1]}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            new = path.with_name(f".{path.name}.{threading.get_ident()}")
            new.write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")
            new.replace(path)
        except OSError as error:
            problem = f"{path} cannot be written: {error.strerror or error}"
            raise StoreError(problem, "Choose another --workspace") from error


def _send(
    client: httpx.Client, method: str, url: str, body: Mapping[str, Any] | None, left_s: float, most_bytes: int
) -> tuple[int, Mapping[str, str], bytes]:
    """Status, headers and content. Raises `TimeoutError` for a body that drips, or has no end."""
    stop_s = time.monotonic() + left_s
    content = bytearray()
    with client.stream(method, url, json=body, timeout=left_s) as answer:
        for chunk in answer.iter_bytes():
            content += chunk
            if time.monotonic() > stop_s or len(content) > most_bytes:
                raise TimeoutError
        return answer.status_code, answer.headers, bytes(content)


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def completion(found: Any) -> dict[str, Any] | None:
    """A chat completion; None for anything else."""
    try:
        message = found["choices"][0]["message"]
    except (KeyError, IndexError, TypeError):
        return None
    is_one = isinstance(message, dict) and (
        isinstance(message.get("content"), str) or isinstance(message.get("refusal"), str)
    )
    return dict(found) if is_one else None


def read_answer(found: Mapping[str, Any]) -> Answer:
    """What a chat completion says."""
    choice = found["choices"][0]
    message, finish = choice["message"], choice.get("finish_reason")
    text = message.get("content")
    refusal = message.get("refusal")
    is_refusal = (isinstance(refusal, str) and bool(refusal)) or finish == "content_filter"
    said = text if isinstance(text, str) else refusal if isinstance(refusal, str) else ""
    # json.loads accepts half surrogate pairs, which no file can hold
    return Answer(said.encode("utf-8", "replace").decode("utf-8"), is_cut_off=finish == "length", is_refusal=is_refusal)


def _used(found: Mapping[str, Any], n_in: int, text: str) -> tuple[int, int]:
    """Tokens of an answer as the endpoint counts them, and not fewer than none; estimated where it does not."""
    usage = found.get("usage")
    told = usage if isinstance(usage, dict) else {}

    def count(name: str, otherwise: int) -> int:
        value = told.get(name)
        return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else otherwise

    return count("prompt_tokens", n_in), count("completion_tokens", int(len(text) / CHARS_PER_TOKEN) + 1)


def _asked_to_wait(said: str) -> float:
    return float(said) if re.fullmatch(r"\d{1,6}(?:\.\d+)?", said) else 0.0
