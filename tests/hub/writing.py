"""What writing needs of the Hub's protocol: repositories, uploads to large storage, commits, branches, tags.

Learned from the requests of huggingface_hub 2.4; an upload's address is as good as a signed one and takes no token.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.hub.server import FakeHub, Repo

ATTRIBUTES = b"*.parquet filter=lfs diff=lfs merge=lfs -text\n"
"""What a new repository holds."""


def who_am_i(hub: FakeHub) -> dict[str, Any]:
    return {"type": "user", "name": hub.user, "orgs": [], "auth": {"type": "access_token"}}


def refs(repo: Repo) -> dict[str, Any]:
    def listed(kind: str, names: dict[str, str]) -> list[dict[str, str]]:
        return [{"name": n, "ref": f"refs/{kind}/{n}", "targetCommit": commit} for n, commit in names.items()]

    branches = {"main": repo.head, **repo.branches}
    return {"branches": listed("heads", branches), "tags": listed("tags", repo.tags), "converts": []}


def answer(handler: Any, hub: FakeHub, path: str, body: bytes) -> bool:
    """Answer a request that writes; False where this is none."""
    if match := re.fullmatch(r"/lfs/([0-9a-f]{64})", path):
        _store(handler, hub, match[1], body)
    elif match := re.fullmatch(r"/lfs-verify/([0-9a-f]{64})", path):
        handler._json({}) if match[1] in hub.stored else handler._error(404, "no such object")
    elif path == "/api/validate-yaml":
        handler._json({"errors": [], "warnings": []})
    elif path == "/api/repos/create":
        if _may_write(handler, hub):
            _create(handler, hub, json.loads(body))
    elif match := re.fullmatch(r"(?:/datasets)?/([^/]+/[^/]+)\.git/info/lfs/objects/batch", path):
        if _may_write(handler, hub):
            _batch(handler, hub, json.loads(body))
    elif match := re.fullmatch(r"/api/(?:datasets|models)/([^/]+/[^/]+)/(preupload|commit|tag|branch)/(.+)", path):
        repo = handler._repo(match[1])
        if repo is not None and _may_write(handler, hub):
            verbs = {"preupload": _preupload, "commit": _commit, "tag": _tag, "branch": _branch}
            with hub.writing:
                verbs[match[2]](handler, hub, repo, match[3], body)
    else:
        return False
    return True


def head_of(repo: Repo, branch: str) -> str | None:
    return repo.head if branch == "main" else repo.branches.get(branch)


def commit_files(repo: Repo, branch: str, files: dict[str, bytes], summary: str, description: str = "") -> str:
    """Make a commit on a branch that holds exactly `files`; its id."""
    parent = head_of(repo, branch) or ""
    listing = sorted((path, hashlib.sha256(data).hexdigest()) for path, data in files.items())
    commit = hashlib.sha1(json.dumps([parent, summary, listing]).encode()).hexdigest()
    repo.commits[commit] = files
    if branch == "main":
        repo.head = commit
    else:
        repo.branches[branch] = commit
    repo.log.append((commit, parent, summary, description))
    return commit


def _may_write(handler: Any, hub: FakeHub) -> bool:
    sent = handler.headers.get("Authorization")
    if sent == f"Bearer {hub.token}":
        return True
    if sent == f"Bearer {hub.reading_token}":
        handler._error(403, "You don't have the rights to write here")
    else:
        handler._error(401, "Invalid credentials in Authorization header")
    return False


def _create(handler: Any, hub: FakeHub, asked: dict[str, Any]) -> None:
    from tests.hub.server import Repo

    owner = asked.get("organization") or hub.user
    repo_id = f"{owner}/{asked['name']}"
    if owner in hub.closed:
        return handler._error(403, f"You don't have the rights to create a dataset under the namespace {owner!r}")
    kind = "datasets/" if asked.get("type") == "dataset" else ""
    url = {"url": f"{hub.endpoint}/{kind}{repo_id}", "id": repo_id, "name": repo_id}
    with hub.writing:
        if repo_id in hub.repos:
            return handler._send(409, json.dumps({"error": "You already created this repo", **url}).encode(), {})
        repo = hub.repos[repo_id] = Repo(private=asked.get("visibility") == "private")
        commit_files(repo, "main", {".gitattributes": ATTRIBUTES}, "initial commit")
    return handler._json(url)


def _store(handler: Any, hub: FakeHub, name: str, body: bytes) -> None:
    if hashlib.sha256(body).hexdigest() != name:
        return handler._error(400, "these are not the bytes of that name")
    hub.stored[name] = body
    return handler._send(200, b"", {"ETag": f'"{name}"'})


def _batch(handler: Any, hub: FakeHub, asked: dict[str, Any]) -> None:
    objects = []
    for one in asked["objects"]:
        told = {"oid": one["oid"], "size": one["size"]}
        if one["oid"] not in hub.stored:
            place = {"upload": "lfs", "verify": "lfs-verify"}
            told["actions"] = {do: {"href": f"{hub.endpoint}/{at}/{one['oid']}"} for do, at in place.items()}
        objects.append(told)
    headers = {"Content-Type": "application/vnd.git-lfs+json"}
    return handler._send(200, json.dumps({"transfer": "basic", "objects": objects}).encode(), headers)


def _preupload(handler: Any, hub: FakeHub, repo: Repo, branch: str, body: bytes) -> None:
    from tests.hub.server import LFS_SUFFIXES, _entry_id

    there = repo.commits[head_of(repo, branch) or repo.head]
    files = []
    for file in json.loads(body)["files"]:
        path = file["path"]
        mode = "lfs" if path.endswith(LFS_SUFFIXES) else "regular"
        oid = {"oid": _entry_id(path, there[path])} if path in there else {}
        files.append({"path": path, "uploadMode": mode, "shouldIgnore": False, **oid})
    return handler._json({"files": files})


def _commit(handler: Any, hub: FakeHub, repo: Repo, branch: str, body: bytes) -> None:
    lines = [json.loads(line) for line in body.splitlines() if line.strip()]
    head, told = head_of(repo, branch), lines[0]["value"]
    if head is None:
        return handler._error(404, f"Invalid rev id: {branch}", "RevisionNotFound")
    if told.get("parentCommit") not in (None, head):
        return handler._error(412, "A commit has happened since. Please refresh and try again.")
    files = dict(repo.commits[head])
    for line in lines[1:]:
        key, value = line["key"], line["value"]
        if key == "file":
            files[value["path"]] = base64.b64decode(value["content"])
        elif key == "lfsFile":
            if value["oid"] not in hub.stored:
                return handler._error(400, f"there is no object {value['oid']}")
            files[value["path"]] = hub.stored[value["oid"]]
        elif key == "deletedFile":
            if files.pop(value["path"], None) is None:
                return handler._error(404, "A file with this name doesn't exist", "EntryNotFound")
        else:
            return handler._error(400, f"no such operation: {key}")
    commit = commit_files(repo, branch, files, told["summary"], told["description"])
    url = f"{hub.endpoint}/{handler.path.split('/')[2]}/{_id_of(hub, repo)}/commit/{commit}"
    return handler._json({"success": True, "commitOid": commit, "commitUrl": url.replace("/models/", "/")})


def _id_of(hub: FakeHub, repo: Repo) -> str:
    return next(repo_id for repo_id, one in hub.repos.items() if one is repo)


def _tag(handler: Any, hub: FakeHub, repo: Repo, revision: str, body: bytes) -> None:
    tag, commit = json.loads(body)["tag"], handler._commit(repo, revision)
    if tag in repo.tags:
        return handler._error(409, f"Tag {tag} exists")
    if commit is not None:
        repo.tags[tag] = commit
        handler._json({})
    return None


def _branch(handler: Any, hub: FakeHub, repo: Repo, branch: str, body: bytes) -> None:
    commit = handler._commit(repo, json.loads(body or b"{}").get("startingPoint") or "main")
    if branch == "main" or branch in repo.branches:
        return handler._error(409, f"Branch {branch} exists")
    if commit is not None:
        repo.branches[branch] = commit
        handler._json({})
    return None
