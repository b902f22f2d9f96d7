"""A real local server that speaks the OpenAI API, as `answer(body, nth request)` says: a status and an answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from time import monotonic, sleep
from typing import Any

Reply = tuple[int, object]
Answering = Callable[[dict[str, Any], int], Reply]


def saying(text: object, *, finish: str = "stop", tokens: tuple[int, int] | None = (100, 50)) -> Reply:
    usage = {"usage": {"prompt_tokens": tokens[0], "completion_tokens": tokens[1]}} if tokens else {}
    message = {"role": "assistant", "content": text}
    return 200, {"choices": [{"message": message, "finish_reason": finish}], **usage}


class ChatServer:
    """What was asked is in `bodies`, when in `times_s`, with which keys in `keys`; `most_at_once` were under way."""

    def __init__(self, answer: Answering, files: dict[str, bytes]) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.times_s: list[float] = []
        self.keys: set[str] = set()
        self.got: list[str] = []
        self.most_at_once = 0
        n_at_once = 0
        lock, server = Lock(), self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                nonlocal n_at_once
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with lock:
                    n_at_once += 1
                    server.most_at_once = max(server.most_at_once, n_at_once)
                    server.bodies.append(body)
                    server.times_s.append(monotonic())
                    server.keys.add(self.headers.get("Authorization", ""))
                    nth = len(server.bodies)
                status, said = answer(body, nth)
                with lock:
                    n_at_once -= 1
                headers = {"Retry-After": "0"}
                if isinstance(said, dict) and "headers" in said:
                    headers |= said.pop("headers")
                self._send(status, said.encode() if isinstance(said, str) else json.dumps(said).encode(), headers)

            def do_GET(self) -> None:
                server.got.append(self.path)
                self._send(200 if self.path in files else 404, files.get(self.path, b""), {})

            def _send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
                try:
                    self.send_response(status)
                    for name, value in headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(content)))
                    self.end_headers()
                    self.wfile.write(content)
                except (BrokenPipeError, ConnectionResetError):  # who asked has gone
                    pass

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"http://127.0.0.1:{self.http.server_port}"
        self.address = f"{self.host}/v1"


@contextmanager
def serving(answer: Answering, files: dict[str, bytes] | None = None) -> Iterator[ChatServer]:
    server = ChatServer(answer, files or {})
    thread = Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.http.shutdown()
        server.http.server_close()
        thread.join()


def slowly(reply: Reply, delay_s: float) -> Reply:
    sleep(delay_s)
    return reply
