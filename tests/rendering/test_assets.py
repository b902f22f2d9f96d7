"""Style sheets and fonts: from one lock, without addresses, all there or a mend."""

import json
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from PIL import ImageFont

from rendering import assets
from rendering.assets import (
    FONT_FOLDERS,
    LOCK_FILE,
    MODULES_DIR,
    assets_fingerprint,
    fontconfig_file,
    katex_css,
    require_assets,
)
from rendering.errors import AssetsMissingError

ROOT = Path(__file__).resolve().parents[2]


def test_the_lock_has_hashes_and_no_addresses() -> None:
    text = LOCK_FILE.read_text(encoding="utf-8")
    packages = {name: entry for name, entry in json.loads(text)["packages"].items() if name}
    assert "node_modules/katex" in packages
    assert all(entry["integrity"].startswith("sha512-") for entry in packages.values())
    assert "http" not in text


def test_all_is_installed() -> None:
    require_assets()


def test_what_is_missing_is_named_with_the_mend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assets, "TAILWIND_CSS", assets.MODULES_DIR / "no/such.css")
    with pytest.raises(AssetsMissingError, match="no/such.css.*make setup"):
        require_assets()


def test_the_browser_sees_pinned_fonts_only() -> None:
    folders = re.findall(r"<dir>(.*?)</dir>", fontconfig_file().read_text(encoding="utf-8"))
    assert len(folders) == len(assets.FONT_FOLDERS)
    assert all(Path(folder).is_dir() and Path(folder).is_relative_to(assets.MODULES_DIR) for folder in folders)


def test_katex_asks_for_no_file() -> None:
    assert "url(" not in katex_css()
    assert 'src:local("KaTeX_Math-Italic")' in katex_css()


def test_the_fingerprint_moves_with_lock_and_fonts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = assets_fingerprint()
    monkeypatch.setattr(assets, "FONT_FALLBACK", ("Tinos",))
    other_fonts = assets_fingerprint()
    changed = tmp_path / "package-lock.json"
    changed.write_text(LOCK_FILE.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    monkeypatch.setattr(assets, "LOCK_FILE", changed)
    assert len({before, other_fonts, assets_fingerprint()}) == 3


def test_installing_again_says_and_does_nothing() -> None:
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "rendering.install"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert (done.stdout, done.stderr) == ("", "")
    assert time.monotonic() - began < 5


def test_no_two_font_files_are_the_same_face() -> None:
    """Which of them was met first would decide, and folders have no order."""
    conf = fontconfig_file().read_text(encoding="utf-8")
    assert "<rejectfont><glob>*.woff*</glob></rejectfont>" in conf
    files = [path for folder in FONT_FOLDERS for path in (MODULES_DIR / folder).rglob("*") if path.is_file()]
    faces = Counter(ImageFont.truetype(path).getname() for path in files if path.suffix in {".ttf", ".otf", ".ttc"})
    assert {face: n for face, n in faces.items() if n > 1} == {}
