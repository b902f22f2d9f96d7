"""Captions by a model behind a real local server that speaks the OpenAI API: it answers, is slow, fails and lies."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from time import sleep

import pytest

from curation.chat_endpoint import Endpoint, Limits
from curation.debias import endpoint as debias
from curation.debias.endpoint import GUIDELINES, Rewritten
from curation.errors import BadInputError, UnreachableError

Answer = tuple[int, object]


def saying(text: object) -> Answer:
    return 200, {"choices": [{"message": {"role": "assistant", "content": text}}]}


class Server:
    """Answers each request with what `answer(caption, nth time it is asked)` says, and keeps what was asked."""

    def __init__(self, answer: Callable[[str, int], Answer]) -> None:
        self.asked: Counter[str] = Counter()
        self.bodies: list[dict[str, object]] = []
        self.keys: set[str] = set()
        lock, server = Lock(), self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                caption = body["messages"][1]["content"]
                with lock:
                    server.asked[caption] += 1
                    server.bodies.append(body)
                    server.keys.add(self.headers.get("Authorization", ""))
                    nth = server.asked[caption]
                status, said = answer(caption, nth)
                content = said.encode() if isinstance(said, str) else json.dumps(said).encode()
                try:
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(content)))
                    self.send_header("Retry-After", "0")
                    self.end_headers()
                    self.wfile.write(content)
                except (BrokenPipeError, ConnectionResetError):  # who asked has gone
                    pass

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.http.server_port}/v1"


def rewrite_all(captions: list[str], endpoint: Endpoint) -> list[Rewritten]:
    return debias.rewrite_all(captions, endpoint, Limits(n_tries=3, timeout_s=0.4, first_wait_s=0.01))


@contextmanager
def serving(answer: Callable[[str, int], Answer]) -> Iterator[tuple[Server, Endpoint]]:
    server = Server(answer)
    thread = Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server, Endpoint(server.address, "tiny", "secret")
    finally:
        server.http.shutdown()
        server.http.server_close()
        thread.join()


def test_a_good_answer_is_taken_and_only_what_says_something_is_asked() -> None:
    with serving(lambda *_: saying(' "A rider on a horse."\n')) as (server, endpoint):
        made = rewrite_all(["A man on a horse. ", "A dog.", "A man on a horse. "], endpoint)
    assert [(one.caption, one.made_by, one.note) for one in made] == [
        ("A rider on a horse. ", "tiny", ""), ("A dog.", "tiny", ""), ("A rider on a horse. ", "tiny", ""),
    ]  # fmt: skip
    assert server.asked == {"A man on a horse. ": 1}
    assert server.keys == {"Bearer secret"}
    assert server.bodies[0]["model"] == "tiny"
    assert server.bodies[0]["messages"][0] == {"role": "system", "content": GUIDELINES}  # type: ignore[index]
    assert "secret" not in repr(endpoint)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("", "empty"),
        ("I'm sorry, but I cannot help with that.", "a refusal"),
        ("A person.\nA rider.", "several lines"),
        ("A person " + "who is very happy " * 20, "words for"),
        ("A young man on a horse.", "still says age:young, gender:man"),
    ],
)
def test_an_answer_that_cannot_be_used_is_made_by_rule(said: str, why: str) -> None:
    with serving(lambda *_: saying(said)) as (_, endpoint):
        [made] = rewrite_all(["A man on a horse."], endpoint)
    assert (made.caption, made.made_by) == ("A person on a horse.", "rules")
    assert why in made.note


@pytest.mark.parametrize(
    "failure", [(429, "later"), (503, ""), (200, "not json"), (200, {"choices": []}), saying(None)]
)
def test_what_fails_is_tried_again_a_bounded_number_of_times(failure: Answer) -> None:
    good = saying("A rider on a horse.")
    with serving(lambda _, nth: failure if nth < 3 else good) as (server, endpoint):
        [made] = rewrite_all(["A man on a horse."], endpoint)
    assert (made.made_by, server.asked.total()) == ("tiny", 3)
    with serving(lambda *_: failure) as (server, endpoint):
        [made] = rewrite_all(["A man on a horse."], endpoint)
    assert (made.made_by, server.asked.total()) == ("rules", 3)
    assert made.note.startswith("no answer")


def slow(_: str, nth: int) -> Answer:
    if nth == 1:
        sleep(0.6)
    return saying("A rider on a horse.")


def test_a_slow_server_is_asked_again() -> None:
    with serving(slow) as (server, endpoint):
        [made] = rewrite_all(["A man on a horse."], endpoint)
    assert (made.made_by, server.asked.total()) == ("tiny", 2)


def test_one_that_never_answers_ends_the_run_and_one_that_refuses_the_key_at_once() -> None:
    many = [f"A man with {n} dogs." for n in range(30)]
    with serving(lambda *_: (503, "")) as (server, endpoint):
        with pytest.raises(UnreachableError, match="10 captions in a row"):
            rewrite_all(many, endpoint)
        assert server.asked.total() == 30  # ten captions, three times each
    with serving(lambda *_: (401, "bad key secret")) as (_, endpoint):
        with pytest.raises(BadInputError, match="HTTP 401") as raised:
            rewrite_all(many[:1], endpoint)
    assert "secret" not in str(raised.value)


def test_the_environment_says_where_the_model_is() -> None:
    named = {"OPENAI_BASE_URL": "http://host/v1/", "OPENAI_MODEL": "m", "OPENAI_API_KEY": "k"}
    assert Endpoint.from_environment(environment=named) == Endpoint("http://host/v1", "m", "k")
    with pytest.raises(BadInputError, match="OPENAI_MODEL not set"):
        Endpoint.from_environment(environment={"OPENAI_BASE_URL": "http://host/v1"})
