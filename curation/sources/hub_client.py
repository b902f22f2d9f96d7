"""Asking the Hub over HTTP: JSON of its API and bytes of its files, each once (`remote` tries again).

Not through `HfApi` and `HfFileSystem`: some of their calls try again by rules of their own, others not at all.
The client library's session and errors are used. The token comes from the environment only, and goes to
the Hub only: the session drops it where an answer redirects to another host.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Literal
from urllib.parse import quote, urlsplit

from huggingface_hub import constants, errors, get_session
from huggingface_hub.utils import hf_raise_for_status  # type: ignore[attr-defined]

from curation.errors import AddressError, MarkupmillError
from curation.sources.files import shown
from curation.sources.remote import GarbledAnswerError, is_passing, persistently, unreachable

SILENT_AFTER_S: Final = 20.0
"""An answer of which nothing comes for so long is given up, and asked for again."""

_FILE_URL: Final = re.compile(
    r"hf://datasets/(?P<repo>[^/@]+/[^/@]+)(?:@(?P<revision>refs/(?:convert|pr)/[^/]+|[^/]+))?/(?P<path>.+)"
)


def hub_endpoint() -> str:
    """Where the Hub is: `HF_ENDPOINT`, else the client's own default."""
    return (os.environ.get("HF_ENDPOINT") or constants.ENDPOINT).rstrip("/")


def hub_token() -> str | Literal[False]:
    """The token in the environment; False (which tells the client to look nowhere else) where there is none."""
    tokens = (os.environ.get(name, "").strip() for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"))
    return next((token for token in tokens if token), False)


def ask_json(route: str) -> Any:
    """The Hub's JSON answer to GET `route` (from `/api/` on), asked for once."""
    return _page(f"{hub_endpoint()}{route}")[0]


def pages_of_json(route: str, what: str) -> Iterator[Any]:
    """The entries of all pages of a list, each page asked for persistently."""
    url: str | None = f"{hub_endpoint()}{route}"
    while url:
        entries, url = persistently(what, partial(_page, url))
        yield from entries


@dataclass(frozen=True)
class HubFile:
    """A file of a dataset at a commit, as `curation.sources.ranges.Store`."""

    repo: str
    revision: str
    path: str

    @classmethod
    def of(cls, url: str) -> HubFile | None:
        """The file of `hf://datasets/org/name[@revision]/path`; None for any other address."""
        parts = _FILE_URL.fullmatch(url)
        return cls(parts["repo"], parts["revision"] or "main", parts["path"]) if parts else None

    @property
    def what(self) -> str:
        """Its address, for messages."""
        return shown(f"hf://datasets/{self.repo}@{self.revision}/{self.path}")

    def size_bytes(self) -> int:
        """Size of the file, by a request for its first byte."""
        with self._answer(0, 1) as (_, total):
            return total

    def stream(self, start: int, end: int) -> Iterator[bytes]:
        """See `Store`. Raises FileNotFoundError where the dataset has no such file."""
        with self._answer(start, end) as (parts, total):
            missing = min(end, total) - start
            for part in parts:
                missing -= len(part)
                yield part
            if missing > 0:
                raise ConnectionError("the answer was cut")

    @contextmanager
    def _answer(self, start: int, end: int) -> Iterator[tuple[Iterator[bytes], int]]:
        """The answer's parts, and the size of the whole file."""
        url = f"{hub_endpoint()}/datasets/{self.repo}/resolve/{quote(self.revision, safe='')}/{quote(self.path)}"
        headers = {**_headers(), "Range": f"bytes={start}-{end - 1}", "Accept-Encoding": "identity"}
        try:
            with get_session().stream("GET", url, headers=headers, timeout=SILENT_AFTER_S) as response:
                if response.status_code == 416:  # nothing from `start` on
                    yield iter(()), _total_of(response.headers.get("Content-Range", ""))
                    return
                if response.status_code >= 400:
                    response.read()  # the error's message is in it
                    hf_raise_for_status(response)
                yield self._parts(response, start, end)
        except errors.EntryNotFoundError as error:
            raise FileNotFoundError(self.what) from error
        except errors.HfHubHTTPError as error:
            raise error if is_passing(error) else hub_error(self.repo, self.revision, error) from error

    @staticmethod
    def _parts(response: Any, start: int, end: int) -> tuple[Iterator[bytes], int]:
        content_range = response.headers.get("Content-Range", "")
        if response.status_code == 206 and content_range.startswith(f"bytes {start}-"):
            return response.iter_raw(), _total_of(content_range)
        # A store may send all of a small file. A log-in page does so too, but without what names a file's content.
        if response.status_code == 200 and "ETag" in response.headers and "Content-Length" in response.headers:
            return _cut_out(response.iter_raw(), start, end), int(response.headers["Content-Length"])
        kind = response.headers.get("Content-Type", "something")
        raise GarbledAnswerError(f"it answers with {kind} where bytes of a file were asked for")


def hub_error(repo: str, revision: str, error: Exception) -> MarkupmillError:
    """What a person can do about a Hub error. The Hub's own message is not shown: it repeats the request.

    Raises `error` itself where it is no such error.
    """
    if isinstance(error, MarkupmillError):
        return error
    if isinstance(error, errors.GatedRepoError):
        mend = "Ask for access on its page, then set HF_TOKEN to a token that may read it"
        return AddressError(f"The dataset {repo} is gated", mend)
    if isinstance(error, errors.RevisionNotFoundError):
        return AddressError(f"The dataset {repo} has no revision {revision!r}", "Give a branch, tag or commit of it")
    if isinstance(error, errors.RepositoryNotFoundError):
        mend = "Check the name; a private dataset needs HF_TOKEN to be set"
        return AddressError(f"There is no folder and no dataset on the Hub named {repo}", mend)
    if isinstance(error, errors.HfHubHTTPError):
        status = error.response.status_code
        if status in {401, 403}:
            return AddressError(f"The Hub refuses to show {repo} (HTTP {status})", "Check the token in HF_TOKEN")
        if not is_passing(error):
            return AddressError(f"The Hub cannot show {repo} (HTTP {status})", "Check the address and HF_ENDPOINT")
    if isinstance(error, errors.HFValidationError):
        return AddressError(f"{repo!r} names no dataset of the Hub", "Write org/name or org/name@revision")
    if isinstance(error, OSError | GarbledAnswerError) or type(error).__module__.startswith("httpx"):
        return unreachable(f"The Hub (for {repo})", error)
    raise error


def _page(url: str) -> tuple[Any, str | None]:
    """A JSON answer, and the address of the next page at this endpoint, if there is one."""
    response = get_session().get(url, headers=_headers(), timeout=SILENT_AFTER_S)
    hf_raise_for_status(response)
    try:
        answer = response.json()
    except ValueError as error:
        kind = response.headers.get("Content-Type", "something").partition(";")[0]
        raise GarbledAnswerError(f"it answers with {kind} where JSON was asked for") from error
    following = response.links.get("next", {}).get("url")
    if following is None:
        return answer, None
    parts = urlsplit(following)  # a mirror may repeat the Hub's own host here; the token goes to the endpoint only
    return answer, f"{hub_endpoint()}{parts.path}?{parts.query}"


def _headers() -> dict[str, str]:
    """Our own: the client's come with a request of theirs, once a day, and tell the Hub what runs here."""
    token = hub_token()
    return {"User-Agent": "markupmill", **({"Authorization": f"Bearer {token}"} if token else {})}


def _total_of(content_range: str) -> int:
    """Size of the whole file, out of `bytes 0-9/100`."""
    total = content_range.rpartition("/")[2]
    if not total.isdigit():
        raise GarbledAnswerError("its answer does not tell the file's size")
    return int(total)


def _cut_out(parts: Iterator[bytes], start: int, end: int) -> Iterator[bytes]:
    position = 0
    for part in parts:
        wanted = part[max(0, start - position) : max(0, end - position)]
        position += len(part)
        if wanted:
            yield wanted
        if position >= end:
            return
