"""A small Hub on 127.0.0.1 for tests: what reading a dataset needs of the protocol, and the bytes that it cost.

What writing needs is in `tests.hub.writing`. Datasets are given as `{path: bytes}`; each `publish` is a commit on
`main`. Lists come in pages; large files can be redirected to a second host, as the Hub does to its storage; answers can
be late, and can be made to fail.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from tests.hub import writing
from tests.hub.faults import LOG_IN_PAGE, Fault, Faults

LFS_SUFFIXES = (".parquet", ".jsonl", ".png", ".safetensors")


@dataclass
class Repo:
    """A dataset: its commits by id, the latest one of `main`, and who may see it.

    `log` holds the commits that clients made, as (id, parent, summary, description), the first first.
    """

    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    head: str = ""
    private: bool = False
    gated: bool = False
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    log: list[tuple[str, str, str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Request:
    """What was asked of which host, what was answered, and how many bytes of body went out."""

    method: str
    path: str
    status: int
    bytes_sent: int
    authorization: str | None
    range: str | None = None
    host: str = ""
    bytes_received: int = 0


class FakeHub:
    """The server's state. `token` is the one that opens private and gated datasets, and that may write.

    `latency_s` is waited before each answer. With `has_storage`, bytes of large files come from another host.
    `stored` is what was uploaded of large files, by SHA-256. No repositories of `closed` owners can be made.
    """

    token = "hf_test_token"
    reading_token = "hf_reading_token"
    user = "me"

    def __init__(self, *, latency_s: float = 0.0, page_size: int = 1000, has_storage: bool = False) -> None:
        self.latency_s, self.page_size, self.has_storage = latency_s, page_size, has_storage
        self.repos: dict[str, Repo] = {}
        self.requests: list[Request] = []
        self.faults = Faults()
        self.endpoint = self.storage = ""
        self.stored: dict[str, bytes] = {}
        self.closed: set[str] = set()
        self.writing = threading.Lock()

    def publish(self, repo_id: str, files: Mapping[str, bytes], *, private: bool = False, gated: bool = False) -> str:
        """Make a commit that holds exactly `files`; its id."""
        repo = self.repos.setdefault(repo_id, Repo())
        repo.private, repo.gated = private, gated
        listing = [[path, _sha256(data)] for path, data in sorted(files.items())]
        commit = hashlib.sha1(json.dumps([repo.head, listing]).encode()).hexdigest()
        repo.commits[commit] = dict(files)
        repo.head = commit
        return commit

    def fail(self, pattern: str, status: int, times: int = 1, headers: Mapping[str, str] | None = None) -> None:
        """Let the next `times` requests whose path matches `pattern` fail with `status`."""
        self.faults.planned.append(Fault(pattern, "status", status, times, headers or {}))

    def bytes_sent(self, pattern: str = "") -> int:
        """Bytes of body sent for requests whose path matches `pattern`."""
        return sum(request.bytes_sent for request in self.requests if re.search(pattern, request.path))

    def bytes_received(self, pattern: str = "") -> int:
        """Bytes of body that came with requests whose path matches `pattern`."""
        return sum(request.bytes_received for request in self.requests if re.search(pattern, request.path))

    @contextmanager
    def serve(self) -> Iterator[FakeHub]:
        """Answer on a free port of 127.0.0.1 (and the storage on another of localhost) while the context lasts."""
        handler = type("Handler", (_Handler,), {"hub": self})
        with ExitStack() as stack:
            self.endpoint = f"http://127.0.0.1:{stack.enter_context(_serving(handler))}"
            self.storage = f"http://localhost:{stack.enter_context(_serving(handler))}"
            yield self


@contextmanager
def _serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    """The port of a server that lasts as long as the context."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    hub: FakeHub
    fault: Fault | None = None
    n_received = 0

    def handle(self) -> None:
        with suppress(ConnectionResetError):  # of a client that was killed
            super().handle()

    def handle_one_request(self) -> None:
        super().handle_one_request()
        if self.fault is not None:
            self.fault.over.set()

    def log_message(self, *_: Any) -> None:
        """Say nothing: `hub.requests` is the log."""

    def do_GET(self) -> None:
        self._route()

    def do_HEAD(self) -> None:
        self._route()

    def do_POST(self) -> None:
        self._route()

    def do_PUT(self) -> None:
        self._route()

    def _route(self) -> None:
        url = urlsplit(self.path)
        path = unquote(url.path)
        self.fault = self.hub.faults.next_for(path)
        body = self._body()
        if body is None:
            return self._send(0, b"", {})
        time.sleep(self.hub.latency_s)
        if self.fault and self.fault.kind == "status":
            return self._error(self.fault.status, self.fault.message, headers=self.fault.headers)
        if self.fault and self.fault.kind == "html":
            return self._send(200, LOG_IN_PAGE, {"Content-Type": "text/html; charset=utf-8"})
        if self.fault and self.fault.kind == "drop":
            return self._send(0, b"", {})
        if self.command in {"POST", "PUT"} and writing.answer(self, self.hub, path, body):
            return None
        if match := re.fullmatch(r"/api/(?:datasets|models)/([^/]+/[^/]+)(?:/([\w-]+)(?:/(.*))?)?", path):
            return self._api(match[1], match[2] or "revision", match[3] or "main", parse_qs(url.query), body)
        if match := re.fullmatch(r"(?:/datasets)?/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            return self._resolve(match[1], match[2], match[3])
        if match := re.fullmatch(r"/storage/([^/]+/[^/]+)/([0-9a-f]+)/(.+)", path):  # as good as a signed address
            return self._send_range(self.hub.repos[match[1]].commits[match[2]][match[3]], {"ETag": '"storage"'})
        if path == "/api/whoami-v2":
            return self._json(writing.who_am_i(self.hub))
        return self._error(404, "no such route")

    def _body(self) -> bytes | None:
        """What came with the request; None where the connection is to end, or has ended, before all of it."""
        size, fault = int(self.headers.get("Content-Length") or 0), self.fault
        if fault is None or fault.kind not in {"hang-up", "stall"}:
            body = self.rfile.read(size)
        else:
            first = size // 2 if fault.cut_after is None else min(size, fault.cut_after)
            body = self.rfile.read(first)
            fault.reached.set()
            if fault.kind == "stall":
                fault.go_on.wait(30)
                body += self.rfile.read(size - first)
        self.n_received = len(body)
        is_whole = len(body) == size and not (fault and fault.kind == "hang-up")
        return body if is_whole else None

    def _api(self, repo_id: str, verb: str, tail: str, query: dict[str, list[str]], body: bytes) -> None:
        repo = self._repo(repo_id)
        if repo is None:
            return None
        if verb == "auth-check":
            return self._refuse_gated() if repo.gated and not self._is_authorized() else self._json({})
        if verb == "refs":
            return self._json(writing.refs(repo))
        revision, _, folder = tail.partition("/")
        commit = self._commit(repo, revision)
        if commit is None:
            return None
        files = repo.commits[commit]
        if verb == "revision":
            siblings = [{"rfilename": path} for path in sorted(files)]
            gated = "auto" if repo.gated else False
            info = {"_id": "0" * 24, "id": repo_id, "sha": commit, "private": repo.private, "gated": gated}
            return self._json({**info, "disabled": False, "tags": [], "downloads": 0, "likes": 0, "siblings": siblings})
        if verb == "paths-info":
            is_json = "json" in self.headers.get("Content-Type", "")
            paths = json.loads(body)["paths"] if is_json else parse_qs(body.decode())["paths"]
            entries = [_file_entry(path, files[path]) for path in paths if path in files]
            folders = [path for path in paths if path not in files and any(f.startswith(path + "/") for f in files)]
            return self._json(entries + [_folder_entry(path) for path in folders])
        if verb == "tree":
            recursive = query.get("recursive", [""])[0].lower() in {"true", "1"}
            return self._send_page(_tree(files, folder, recursive=recursive), query)
        return self._error(404, "no such verb")

    def _resolve(self, repo_id: str, revision: str, path: str) -> None:
        repo = self._repo(repo_id)
        if repo is None:
            return None
        if repo.gated and not self._is_authorized():
            return self._refuse_gated()
        commit = self._commit(repo, revision)
        if commit is None:
            return None
        data = repo.commits[commit].get(path)
        if data is None:
            return self._error(404, "Entry not found", "EntryNotFound")
        headers = {"X-Repo-Commit": commit, "Accept-Ranges": "bytes", "ETag": f'"{_entry_id(path, data)}"'}
        if self.hub.has_storage and path.endswith(LFS_SUFFIXES):
            location = f"{self.hub.storage}/storage/{repo_id}/{commit}/{path}?signature=abc"
            return self._send(302, b"", {**headers, "Location": location, "X-Linked-Size": str(len(data))})
        return self._send_range(data, headers)

    def _send_page(self, entries: list[dict[str, Any]], query: dict[str, list[str]]) -> None:
        start, size = int(query.get("cursor", ["0"])[0]), self.hub.page_size
        headers = {"Content-Type": "application/json"}
        if start + size < len(entries):
            others = {name: values[0] for name, values in query.items()}
            following = urlencode({**others, "cursor": start + size})
            headers["Link"] = f'<{self.hub.endpoint}{urlsplit(self.path).path}?{following}>; rel="next"'
        self._send(200, json.dumps(entries[start : start + size]).encode(), headers)

    def _send_range(self, data: bytes, headers: Mapping[str, str]) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        if not asked:
            return self._send(200, data, headers)
        start, end = int(asked[1]), min(int(asked[2]) + 1 if asked[2] else len(data), len(data))
        if start >= len(data):
            return self._send(416, b"", {**headers, "Content-Range": f"bytes */{len(data)}"})
        return self._send(206, data[start:end], {**headers, "Content-Range": f"bytes {start}-{end - 1}/{len(data)}"})

    def _repo(self, repo_id: str) -> Repo | None:
        repo = self.hub.repos.get(repo_id)
        if repo is None or (repo.private and not self._is_authorized()):
            # The Hub does not tell a stranger a private dataset from none.
            self._error(401, "Repository not found", "RepoNotFound")
            return None
        return repo

    def _commit(self, repo: Repo, revision: str) -> str | None:
        commit = repo.head if revision == "main" else {**repo.tags, **repo.branches}.get(revision, revision)
        if commit not in repo.commits:
            self._error(404, f"Invalid rev id: {revision}", "RevisionNotFound")
            return None
        return commit

    def _is_authorized(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {self.hub.token}"

    def _refuse_gated(self) -> None:
        self._error(403, "Access to this dataset is restricted", "GatedRepo")

    def _error(self, status: int, message: str, code: str = "", headers: Mapping[str, str] | None = None) -> None:
        told = {"X-Error-Message": message, **({"X-Error-Code": code} if code else {}), **(headers or {})}
        self._send(status, json.dumps({"error": message}).encode(), told)

    def _json(self, value: Any) -> None:
        self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _send(self, status: int, data: bytes, headers: Mapping[str, str]) -> None:
        body = b"" if self.command == "HEAD" else data
        is_cut = self.fault is not None and self.fault.kind == "cut"
        if self.fault is not None and self.fault.kind == "lost":
            status = 0
        if self.fault is not None and is_cut:
            body = body[: len(body) // 2 if self.fault.cut_after is None else self.fault.cut_after]
        asked = self.headers
        self.hub.requests.append(
            Request(
                self.command, unquote(self.path), status, len(body),
                asked.get("Authorization"), asked.get("Range"), asked.get("Host", ""), self.n_received,
            )
        )  # fmt: skip
        if status:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(data)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                self.wfile.write(body)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True
        if is_cut or not status:
            self.close_connection = True


@lru_cache(maxsize=256)
def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@lru_cache(maxsize=256)
def _git_oid(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def _entry_id(path: str, data: bytes) -> str:
    return _sha256(data) if path.endswith(LFS_SUFFIXES) else _git_oid(data)


def _file_entry(path: str, data: bytes) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": "file", "path": path, "size": len(data), "oid": _git_oid(data)}
    if path.endswith(LFS_SUFFIXES):
        entry["lfs"] = {"oid": _sha256(data), "size": len(data), "pointerSize": 134}
    return entry


def _folder_entry(path: str) -> dict[str, Any]:
    return {"type": "directory", "path": path, "size": 0, "oid": hashlib.sha1(path.encode()).hexdigest()}


def _tree(files: Mapping[str, bytes], folder: str, *, recursive: bool) -> list[dict[str, Any]]:
    prefix = f"{folder.rstrip('/')}/" if folder else ""
    entries: dict[str, dict[str, Any]] = {}
    for path in sorted(files):
        if not path.startswith(prefix):
            continue
        parts = path[len(prefix) :].split("/")
        for depth in range(1, len(parts) if recursive else min(2, len(parts))):
            parent = prefix + "/".join(parts[:depth])
            entries[parent] = _folder_entry(parent)
        if recursive or len(parts) == 1:
            entries[path] = _file_entry(path, files[path])
    return list(entries.values())
