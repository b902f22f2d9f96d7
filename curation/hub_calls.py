"""Asking the Hub to change a repository: each call once, tried again by `curation.sources.remote` alone.

The Hub's client tries some calls again and others not, and waits for as long as a server asks. Here an answer that
says "later" ends every call at once, so that there is one deadline for all of them. Only a connection that breaks is
still tried again by the client itself first, where it does so (five times, 23 s together).

No error that leaves here has another one behind it: what a server answered could repeat what it was asked.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from io import BufferedReader, FileIO
from json import JSONDecodeError
from logging import CRITICAL
from threading import Lock
from typing import Any, Final, Literal, TypeVar

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, errors, get_session, hf_hub_url
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils import (  # type: ignore[attr-defined]
    are_progress_bars_disabled,
    disable_progress_bars,
    enable_progress_bars,
    hf_raise_for_status,
    logging,
)
from huggingface_hub.utils._runtime import is_xet_available

from curation.errors import BadInputError, MarkupmillError, StoreError
from curation.hub_files import LocalFile, RemoteFile
from curation.sources.hub_client import hub_endpoint
from curation.sources.remote import GarbledAnswerError, Patience, is_passing, persistently, unreachable

RepoType = Literal["dataset", "model"]

SILENT_AFTER_S: Final = 120.0
"""An answer of which nothing comes for so long is given up. A commit of thousands of files takes a while."""

FILES_AT_ONCE: Final = 64
"""Files to a call of the client, which asks for all of them how to send them, then sends those that are missing."""

N_THREADS: Final = 5
"""Files that are sent at the same time; the client's own default."""

Counted = Callable[[int], None]
"""Is told of bytes of large files as they go out; less than 0 where some have to go out again."""

_Answer = TypeVar("_Answer")


class PushRefusedError(BadInputError):
    """The Hub does not do what it is asked: no right to, no such thing, or not like this."""


@dataclass(frozen=True)
class RepoState:
    """A repository as it is: its latest commit on a branch, and whether all the world sees it."""

    head: str
    is_private: bool


@dataclass
class HubRepo:
    """One branch of one repository on the Hub. All methods raise `UnreachableError` and `PushRefusedError`."""

    repo_id: str
    repo_type: RepoType
    branch: str
    token: str = field(repr=False)

    def __post_init__(self) -> None:
        self._api = HfApi(endpoint=hub_endpoint(), token=self.token)
        self._what = f"The Hub (for {self.repo_id})"

    @property
    def url(self) -> str:
        """Its page."""
        return f"{hub_endpoint()}/{'datasets/' if self.repo_type == 'dataset' else ''}{self.repo_id}"

    def complete_id(self) -> None:
        """Put the user's own name before a `repo_id` without one."""
        if "/" not in self.repo_id:
            self.repo_id = f"{self._ask(self._api.whoami)['name']}/{self.repo_id}"
            self._what = f"The Hub (for {self.repo_id})"

    def state(self, revision: str | None = None) -> RepoState | None:
        """The head of `revision`, else of the branch; None where there is no such repository or none to be seen."""
        asked = partial(self._api.repo_info, self.repo_id, repo_type=self.repo_type, revision=revision or self.branch)
        try:
            info = self._ask(asked)
        except errors.GatedRepoError:
            raise
        except errors.RepositoryNotFoundError:
            return None
        return RepoState(str(info.sha), bool(info.private))

    def create(self, *, private: bool | None) -> None:
        """Make the repository; nothing happens where it is there."""
        make = partial(self._api.create_repo, self.repo_id, repo_type=self.repo_type, private=private, exist_ok=True)
        self._ask(make)

    def create_branch(self) -> None:
        """Make the branch from the head of `main`; nothing happens where it is there."""
        make = partial(self._api.create_branch, self.repo_id, branch=self.branch, repo_type=self.repo_type)
        self._ask(partial(make, revision="main", exist_ok=True))

    def files(self, commit: str) -> dict[str, RemoteFile]:
        """All files at a commit, by path."""

        def read() -> dict[str, RemoteFile]:
            tree = self._api.list_repo_tree(self.repo_id, repo_type=self.repo_type, revision=commit, recursive=True)
            entries = [entry for entry in tree if isinstance(entry, RepoFile)]
            return {e.path: RemoteFile(e.size, e.blob_id, e.lfs.sha256 if e.lfs else None) for e in entries}

        return self._ask(read)

    def content(self, path: str, commit: str) -> bytes:
        """The bytes of a small file at a commit."""
        url = hf_hub_url(self.repo_id, path, repo_type=self.repo_type, revision=commit, endpoint=hub_endpoint())

        def read() -> bytes:
            response = get_session().get(url, headers={"Authorization": f"Bearer {self.token}"})
            hf_raise_for_status(response)
            return bytes(response.content)

        return self._ask(read)

    def tagged(self, tag: str) -> str | None:
        """The commit that a tag names; None where there is no such tag."""
        refs = self._ask(partial(self._api.list_repo_refs, self.repo_id, repo_type=self.repo_type))
        return next((ref.target_commit for ref in refs.tags if ref.name == tag), None)

    def tag(self, tag: str, commit: str) -> None:
        """Let `tag` name `commit`; nothing happens where there is such a tag."""
        make = partial(self._api.create_tag, self.repo_id, tag=tag, revision=commit, repo_type=self.repo_type)
        self._ask(partial(make, exist_ok=True))

    def upload(self, files: Sequence[LocalFile], count: Counted) -> list[Upload]:
        """Send the bytes of large files that the Hub lacks; nobody sees them before a commit names them."""
        uploads = [Upload.of(file, count) for file in files]
        for start in range(0, len(uploads), FILES_AT_ONCE):
            self._upload_some(uploads[start : start + FILES_AT_ONCE])
        return uploads

    def commit(self, uploads: Sequence[Upload], delete: Sequence[str], parent: str, title: str, body: str) -> str:
        """Make the commit, asked for once: its id. Raises whatever the client raises.

        After an error the commit may be there all the same.
        """
        operations = [*uploads, *(CommitOperationDelete(path, is_folder=False) for path in delete)]
        send = partial(
            self._api.create_commit, self.repo_id, operations, commit_message=title, commit_description=body,
            repo_type=self.repo_type, revision=self.branch, parent_commit=parent, num_threads=N_THREADS,
        )  # fmt: skip
        return str(_once(send).oid)

    @contextmanager
    def refusals(self) -> Iterator[None]:
        """Turns the client's errors in the block into ours, with nothing of what a server said behind them."""
        try:
            yield
        except MarkupmillError as error:
            raise error from None
        except Exception as error:
            mended = self._refusal(error)
            if mended is None:
                raise
            raise mended from None

    def patience(self) -> Patience:
        """Pauses between tries of what is not asked for by a method here."""
        return Patience(self._what)

    def _upload_some(self, uploads: Sequence[Upload]) -> None:
        patience, best = self.patience(), 0
        send = partial(
            self._api.preupload_lfs_files, self.repo_id, uploads, repo_type=self.repo_type, revision=self.branch,
            num_threads=N_THREADS, free_memory=False,
        )  # fmt: skip
        while True:
            try:
                _once(send)
            except Exception as error:  # noqa: BLE001  # raised again by `wait` where it does not pass
                reached = sum(upload.n_sent for upload in uploads)
                if reached > best:  # a cut that is always at the same place reaches nothing new
                    best = reached
                    patience.renew()
                patience.wait(error)
            else:
                return

    def _ask(self, call: Callable[[], _Answer]) -> _Answer:
        return persistently(self._what, partial(_once, call))

    def _refusal(self, error: Exception) -> MarkupmillError | None:
        """What a person can do about the client's error."""
        owner = self.repo_id.partition("/")[0]
        said = self._said(error)
        if isinstance(error, errors.GatedRepoError):
            mend = "Ask for access on its page, with the account of the token in HF_TOKEN"
            return PushRefusedError(f"{self.repo_id} is gated, and the token in HF_TOKEN has no access", mend)
        if isinstance(error, errors.RevisionNotFoundError):
            return PushRefusedError(f"{self.repo_id} has no branch {self.branch!r}", "It was there: push again")
        if isinstance(error, errors.RepositoryNotFoundError):
            mend = f"Check the name, and that the token in HF_TOKEN may write to repositories of {owner}"
            return PushRefusedError(f"there is no {self.repo_type} {self.repo_id} on the Hub for this token", mend)
        if isinstance(error, errors.HFValidationError):
            return PushRefusedError(f"{self.repo_id!r} names no repository of the Hub", "Write it as org/name")
        if isinstance(error, errors.HfHubHTTPError):
            status = error.response.status_code
            if status == 401:
                mend = f"Set HF_TOKEN to a valid token that may write to repositories of {owner}"
                return PushRefusedError(f"the Hub does not take the token in HF_TOKEN (HTTP 401){said}", mend)
            if status == 403:
                mend = f"Give it write access to {owner} (Settings > Access Tokens), or ask {owner} for a writer's role"
                return PushRefusedError(f"the token in HF_TOKEN may not write to {self.repo_id} (HTTP 403){said}", mend)
            return PushRefusedError(f"the Hub refuses the push to {self.repo_id} (HTTP {status}){said}", _CHECK)
        if isinstance(error, FileNotFoundError | PermissionError):
            return StoreError(f"{error.filename} is gone, or may not be read any more", "Build the release again")
        if isinstance(error, OSError) or type(error).__module__.startswith("httpx"):
            return unreachable(self._what, error)
        if isinstance(error, ValueError):
            return PushRefusedError(f"the Hub refuses the push to {self.repo_id}{said}", _CHECK)
        return None

    def _said(self, error: Exception) -> str:
        """The server's own words, in brackets: of quotas and card metadata nothing else tells. Without the token."""
        said = getattr(error, "server_message", None) or (str(error) if isinstance(error, ValueError) else "")
        said = " ".join(said.replace(self.token, "***").split())[:200]
        return f": it says {said!r}" if said else ""


_CHECK: Final = "Check the repository's page, the card's metadata and HF_ENDPOINT"


def status_of(error: Exception) -> int | None:
    """The HTTP status of an answer that was an error."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    return status if isinstance(status, int) else None


class Upload(CommitOperationAdd):
    """A file on its way, which tells how many of its bytes have gone out."""

    n_sent = 0
    _count: Counted

    @classmethod
    def of(cls, file: LocalFile, count: Counted) -> Upload:
        """The upload of a file. Its SHA-256 is known already."""
        upload = cls(path_in_repo=file.path, path_or_fileobj=file.source)
        upload.upload_info.sha256 = bytes.fromhex(file.sha256)
        upload._count = count
        return upload

    @contextmanager
    def as_file(self, with_tqdm: bool = False) -> Iterator[Any]:
        """The bytes; counted where the client would show a bar for them, which is where it sends them."""
        if not with_tqdm or not isinstance(self.path_or_fileobj, str):
            with super().as_file() as file:
                yield file
            return
        with _CountedFile(self.path_or_fileobj, self._reached) as file:
            yield file

    def bytes_gone(self, *, committed: bool) -> int | None:
        """How many bytes of it were sent; None where none had to be: the Hub stored them before."""
        size = int(self.upload_info.size)
        if self._upload_mode == "regular":
            return size if committed else None
        return self.n_sent or (size if is_xet_available() else None)

    def _reached(self, position: int) -> None:
        if position > self.n_sent:
            self._count(position - self.n_sent)
            self.n_sent = position


class _CountedFile(BufferedReader):
    """A file that tells how far it was read."""

    def __init__(self, path: str, reached: Callable[[int], None]) -> None:
        super().__init__(FileIO(path))
        self._tell_reached = reached

    def read(self, size: int | None = -1) -> bytes:
        part = super().read(size)
        self._tell_reached(self.tell())
        return part


@contextmanager
def client_that_asks_once() -> Iterator[None]:
    """The Hub's client for the block: "later" ends a call, silence ends one too, and it neither logs nor draws.

    It logs addresses that are as good as a password for a while. One client serves the whole process; what other
    threads ask of the Hub in the meantime is asked once, too.
    """
    from huggingface_hub.utils import _http  # noqa: PLC0415 - for the user's own factory, which nothing else tells

    made_before = _http._GLOBAL_CLIENT_FACTORY  # noqa: SLF001

    def make() -> Any:
        client = made_before()
        client.timeout = SILENT_AFTER_S
        client.event_hooks = {**client.event_hooks, "response": [*client.event_hooks["response"], _end_if_passing]}
        return client

    verbosity, drew = logging.get_verbosity(), not are_progress_bars_disabled()
    with _ONE_AT_A_TIME, warnings.catch_warnings():
        # It warns of its own HTTP library, of cards without metadata, of data files in a model: all as asked for.
        warnings.filterwarnings("ignore", module=r"huggingface_hub|httpx2")
        _http.set_client_factory(make)
        logging.set_verbosity(CRITICAL)
        if drew:
            disable_progress_bars()
        try:
            yield
        finally:
            _http.set_client_factory(made_before)
            logging.set_verbosity(verbosity)
            if drew:
                enable_progress_bars()


_ONE_AT_A_TIME: Final = Lock()


def _end_if_passing(response: Any) -> None:
    """Raises the error of an answer that says "later": the client would wait for as long as it is told to."""
    if response.status_code >= 400:
        response.read()
        try:
            hf_raise_for_status(response)
        except errors.HfHubHTTPError as error:
            if is_passing(error):
                raise


def _once(call: Callable[[], _Answer]) -> _Answer:
    """The answer of `call`, or the error that is under what the client makes of it."""
    try:
        return call()
    except JSONDecodeError as error:
        raise GarbledAnswerError("it answers with something else where JSON was asked for") from error
    except RuntimeError as error:
        if isinstance(error.__cause__, Exception):  # "Error while uploading ..."
            raise error.__cause__ from None
        raise
