"""Publishing: a folder into a repository of the Hub, whole, once, and again and again. The one place that writes there.

What the repository lacks is uploaded first, where nobody sees it; then one commit on the head that was looked at makes
all of it visible, and takes away what an earlier release had and this one has not. So a repository has the old release
or the new one, whatever breaks in between; and what was uploaded before a break is not sent again.

Which files of a repository are ours to replace and delete: `curation.hub_plan`. What was pushed is recorded outside of
the release: `curation.hub_record`. Models are pushed as data sets are.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import Final

from huggingface_hub import errors

from curation.errors import BadInputError, MarkupmillError, UnreachableError
from curation.hub_calls import HubRepo, PushRefusedError, RepoState, RepoType, Upload, client_that_asks_once, status_of
from curation.hub_files import MANIFEST, LocalFile, RemoteFile, local_files, local_folder, read_manifest
from curation.hub_gate import Verdict, gate_verdict
from curation.hub_plan import InTheWayError, PushPlan, changed_by_others, named, plan_push
from curation.hub_record import record_push
from curation.sources.hub_client import hub_token
from curation.sources.remote import is_passing

__all__ = ["InTheWayError", "MovedOnError", "PushRefusedError", "PushResult", "push_folder"]

DEFAULT_BRANCH: Final = "main"

MAX_NEW_PLANS: Final = 8
"""How often others may commit between our look and our commit before the push gives up."""

MAX_MANIFEST_BYTES: Final = 64 << 20
"""A larger `manifest.json` in the repository is somebody else's: ours have 150 bytes for each file."""

Progress = Callable[[int, int], None]
"""Is told how many bytes of large files went out, and how many there are to send at most."""


class MovedOnError(MarkupmillError):
    """Somebody else pushed to the same files while this push was under way."""


@dataclass(frozen=True)
class PushResult:
    """What a push did, or with `dry_run` would do.

    `bytes_sent` counts file bytes that went out in this run, without those sent again after a break in the connection;
    through the Hub's Xet storage, where only chunks that it lacks go out, the sizes of the files.
    """

    repo_id: str
    repo_type: RepoType
    branch: str
    url: str
    revision: str
    """The commit that holds the release; empty in a dry run for a repository that is not there."""
    n_files: int
    n_files_sent: int
    bytes_sent: int
    n_deleted: int
    made_commit: bool
    made_repo: bool
    tag: str | None
    gate: str
    """What became of the gate, in a few words."""
    deleted: tuple[str, ...] = ()
    sent: tuple[str, ...] = ()
    record: str | None = None
    """Where the push is recorded."""


def push_folder(
    folder: str | os.PathLike[str],
    repo_id: str,
    *,
    repo_type: RepoType = "dataset",
    private: bool = False,
    tag: str | None = None,
    branch: str = DEFAULT_BRANCH,
    message: str | None = None,
    gate: bool = True,
    overwrite: bool = False,
    dry_run: bool = False,
    token: str | None = None,
    progress: Progress | None = None,
    record: bool = True,
) -> PushResult:
    """Make `repo_id` hold what is in `folder`, in one commit; in none where it does already.

    Args:
        folder: A release (`<workspace>/releases/<name>`), or the folder of a model; any fsspec path.
        repo_id: `org/name`, or `name` for the token's own user. Made where it is not there.
        repo_type: What kind of repository it is.
        private: A new repository is private; one that is there must be.
        tag: Let this name the commit, too. One that names another commit stays, and stops the push.
        branch: Push to this one; made from `main` where it is not there.
        message: First line of the commit's message.
        gate: False pushes in spite of failed checks; the message and the record say so.
        overwrite: Replace and delete files of others that are in the way, too.
        dry_run: Look, and say what would be done; nothing is written anywhere.
        token: Of an account that may write; else the one in `HF_TOKEN`.
        progress: Is told of bytes as they go out, from several threads.
        record: Note the push outside of the release.

    Raises:
        GateFailedError: checks of the release failed (exit code 3). Nothing was sent.
        BadInputError: there is no release or no token; the Hub refuses (`PushRefusedError`); files of others are in
            the way (`InTheWayError`); the tag is taken.
        MovedOnError: others pushed to the same files at the same time. Their push stands.
        UnreachableError: the Hub did not answer by the deadline. The same push again sends what is missing.
        StoreError: the folder is not what its manifest says, or changes while it is pushed.
    """
    token = token or hub_token() or None
    if token is None:
        raise BadInputError("there is no token to push with", "Set HF_TOKEN to one that may write")
    name = os.fspath(folder)
    with local_folder(name) as path:
        verdict = gate_verdict(path, asked=gate)
        files = local_files(path)
        repo = HubRepo(repo_id, repo_type, branch, token)
        with client_that_asks_once(), repo.refusals():
            repo.complete_id()
            note = CommitNote.of(path, _last_name(name), message, verdict)
            push = _Push(repo, files, note, overwrite=overwrite, progress=progress or _silent)
            result = push.run(private=private, tag=tag, dry_run=dry_run)
    result = replace(result, gate=verdict.said)
    if dry_run or not record:
        return result
    entry = {
        "repo_type": repo_type, "repo_id": result.repo_id, "branch": branch, "revision": result.revision, "tag": tag,
        "private": private, "gate": verdict.said, "no_gate": not gate, "made_commit": result.made_commit,
        "n_files_sent": result.n_files_sent, "bytes_sent": result.bytes_sent, "n_deleted": len(result.deleted),
    }  # fmt: skip
    return replace(result, record=record_push(name, entry))


@dataclass(frozen=True)
class CommitNote:
    """A commit's message: a line, and what else there is to say."""

    title: str
    body: str

    @classmethod
    def of(cls, folder: Path, name: str, message: str | None, verdict: Verdict) -> CommitNote:
        """The message of a folder's commit; it says so where the gate was left out."""
        manifest = read_manifest((folder / MANIFEST).read_bytes()) if (folder / MANIFEST).is_file() else None
        rows = manifest.get("rows_kept") if manifest else None
        title = message or (f"Release {name}: {rows:,} rows" if isinstance(rows, int) else f"Push {name}")
        left_out = " (no gate)" if verdict.kind == "skipped" else ""
        return cls(f"{title}{left_out}", f"Pushed by markupmill. Gate: {verdict.said}.")


class _HeadMovedError(Exception):
    """The branch is at another commit than the one that ours was to follow."""

    def __init__(self, head: str, *, may_be_ours: bool) -> None:
        super().__init__(head)
        self.head, self.may_be_ours = head, may_be_ours


@dataclass
class _Push:
    """One push under way."""

    repo: HubRepo
    files: Sequence[LocalFile]
    note: CommitNote
    overwrite: bool
    progress: Progress
    uploads: dict[str, Upload] = field(default_factory=dict)
    """By path, the latest of each; kept where a file has to be planned again."""
    n_sent: int = 0
    made_commit: bool = False

    def run(self, *, private: bool, tag: str | None, dry_run: bool) -> PushResult:
        """All of it, in the order in which it can fail: what costs nothing first."""
        state, made_repo = self._open(private=private, dry_run=dry_run)
        remote = self.repo.files(state.head) if state else {}
        plan = self._plan(remote, state.head if state else "")
        tagged = self.repo.tagged(tag) if tag and state else None
        if tagged and (not plan.is_empty or state is None or tagged != state.head):
            raise BadInputError(
                f"the tag {tag!r} of {self.repo.repo_id} names another commit ({tagged[:12]})", "Choose another --tag"
            )
        revision = state.head if state else ""
        if state and not dry_run:
            if not plan.is_empty:
                for file in plan.send:
                    file.verify()
                revision, plan = self._bring(plan, remote, state.head)
            if tag and not tagged:
                self._tag(tag, revision)
        return self._result(plan, revision, tag, made_repo=made_repo, dry_run=dry_run)

    def _open(self, *, private: bool, dry_run: bool) -> tuple[RepoState | None, bool]:
        """The repository and the branch, made where they are not there, and whether the repository was."""
        repo, made_repo = self.repo, False
        state = repo.state(DEFAULT_BRANCH)
        if state is None:
            made_repo = True
            if dry_run:
                return None, made_repo
            repo.create(private=private)
            state = repo.state(DEFAULT_BRANCH)
            if state is None:
                mend = (
                    f"Check that the token in HF_TOKEN may read and write repositories of {repo.repo_id.split('/')[0]}"
                )
                raise PushRefusedError(f"{repo.repo_id} is there, but not for this token", mend)
        if private and not state.is_private:
            mend = "Make it private on its settings page, or push without --private"
            raise BadInputError(f"{repo.repo_id} is public, and the push is to be private", mend)
        if repo.branch == DEFAULT_BRANCH:
            return state, made_repo
        try:
            return repo.state(), made_repo
        except errors.RevisionNotFoundError:
            if not dry_run:
                repo.create_branch()
                return repo.state(), made_repo
            return state, made_repo  # where the branch would start

    def _plan(self, remote: Mapping[str, RemoteFile], head: str) -> PushPlan:
        there = remote.get(MANIFEST)
        is_read = there is not None and there.n_bytes <= MAX_MANIFEST_BYTES
        manifest = read_manifest(self.repo.content(MANIFEST, head)) if is_read else None

        def sha256_at(path: str) -> str:
            return hashlib.sha256(self.repo.content(path, head)).hexdigest()

        return plan_push(self.files, remote, manifest, sha256_at, overwrite=self.overwrite)

    def _bring(self, plan: PushPlan, remote: Mapping[str, RemoteFile], head: str) -> tuple[str, PushPlan]:
        """Upload and commit until the branch holds the release; the commit, and what was to do in the end.

        After an error nobody knows whether there is a commit. The parent lets only one of ours through, and the head
        tells: it has the release, or others moved it, or all is as it was and can be asked again.
        """
        may_be_there = False
        for _ in range(MAX_NEW_PLANS):
            try:
                commit = self._commit(plan, head)
            except _HeadMovedError as moved:
                before, remote, head = remote, self.repo.files(moved.head), moved.head
                may_be_there |= moved.may_be_ours
            else:
                self.made_commit = True
                return commit, plan
            if touched := changed_by_others(self.files, before, remote):
                raise _moved_on(self.repo.repo_id, f"changed {named(touched)}", head)
            fresh = self._plan(remote, head)
            if fresh.is_empty:
                self.made_commit = may_be_there
                return head, plan
            plan = fresh
        raise _moved_on(self.repo.repo_id, "keeps making commits", head)

    def _commit(self, plan: PushPlan, head: str) -> str:
        """The commit of a plan on `head`, asked for until it is there.

        Raises:
            _HeadMovedError: the branch is elsewhere now, by this commit or by another.
        """
        uploads, patience, may_be_ours = self._upload(plan), self.repo.patience(), False
        while True:
            for file in plan.send:
                file.require_untouched()
            try:
                return self.repo.commit(uploads, plan.delete, head, self.note.title, self.note.body)
            except Exception as error:
                status = status_of(error)
                is_conflict = status in {409, 412}
                if status is not None and not is_conflict and not is_passing(error):
                    raise  # it was refused, and so was not made
                may_be_ours |= not is_conflict
                now = self.repo.state()
                if now is not None and now.head != head:
                    raise _HeadMovedError(now.head, may_be_ours=may_be_ours) from None
                try:
                    patience.wait(ConnectionError() if is_conflict else error)
                except UnreachableError:
                    if not is_conflict:
                        raise
                    problem = f"{self.repo.repo_id} stays busy: a conflict (HTTP {status}), but nobody else's commit"
                    raise UnreachableError(problem, "Push again later: nothing is sent twice") from None

    def _upload(self, plan: PushPlan) -> list[Upload]:
        uploads = self.repo.upload(plan.send, self._count_to(plan.n_bytes))
        for upload in uploads:  # planned again, a file may need nothing more: what went out before counts
            known = self.uploads.get(upload.path_in_repo)
            upload.n_sent += known.n_sent if known else 0
            self.uploads[upload.path_in_repo] = upload
        self.progress(plan.n_bytes, plan.n_bytes)
        return uploads

    def _count_to(self, total: int) -> Callable[[int], None]:
        lock = Lock()

        def count(n_bytes: int) -> None:
            with lock:
                self.n_sent += n_bytes
                self.progress(min(self.n_sent, total), total)

        return count

    def _tag(self, tag: str, revision: str) -> None:
        for _ in range(3):  # an answer that says so does not make it there
            self.repo.tag(tag, revision)
            if names := self.repo.tagged(tag):
                break
        if names != revision:  # somebody else's, since we looked
            mend = f"The release is pushed as {revision[:12]}; choose another --tag"
            raise BadInputError(f"the tag {tag!r} of {self.repo.repo_id} names another commit", mend)

    def _result(self, plan: PushPlan, revision: str, tag: str | None, *, made_repo: bool, dry_run: bool) -> PushResult:
        if dry_run:
            sent = {file.path: file.n_bytes for file in plan.send}
        else:
            went = {path: upload.bytes_gone(committed=self.made_commit) for path, upload in self.uploads.items()}
            sent = {path: n_bytes for path, n_bytes in went.items() if n_bytes is not None}
        return PushResult(
            self.repo.repo_id, self.repo.repo_type, self.repo.branch, self.repo.url, revision,
            n_files=len(self.files), n_files_sent=len(sent), bytes_sent=sum(sent.values()), n_deleted=len(plan.delete),
            made_commit=self.made_commit, made_repo=made_repo, tag=tag, gate="",
            deleted=plan.delete, sent=tuple(sorted(sent)),
        )  # fmt: skip


def _moved_on(repo_id: str, what: str, head: str) -> MovedOnError:
    mend = "Look at it, then push again to put this release on top of it"
    return MovedOnError(
        f"{repo_id} moved on during the push: somebody else {what} ({head[:12]}). Nothing was overwritten", mend
    )


def _last_name(folder: str) -> str:
    return Path(folder).resolve().name if "://" not in folder else folder.rstrip("/").rpartition("/")[2]


def _silent(_n_sent: int, _n_bytes: int) -> None:
    """Tell nobody."""
