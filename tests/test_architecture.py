"""The rules of the house, held by tests: rooms, imports, sizes, dependencies, and how light `--help` is."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import click
import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("flows", "training", "curation", "rendering")
FOLDERS = {*ROOMS, "tests", "docs", "benchmarks", "requirements", ".ci"}
HEAVY = {"torch", "transformers", "datasets", "playwright", "prefect", "ray"}
HELP_CPU_LIMIT_S = 0.5
# In pieces, so that this file does not name what it looks for.
REGISTRY_HOSTS = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("yarnpkg", "com"),
        ("download", "pytorch", "org"),
    )
]


def project_files() -> list[Path]:
    """What a clone holds, and what is new and not ignored, relative to the root."""
    # CI may run as another user than the one who owns the checkout: git is told that this is fine.
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return sorted(Path(name) for name in listing.split("\0") if name and (ROOT / name).is_file())


def modules(*folders: str) -> list[Path]:
    """The Python files under `folders`, relative to the root."""
    return [path for path in project_files() if path.suffix == ".py" and path.parts[0] in folders]


def imported_packages(path: Path) -> set[str]:
    """The top-level packages that a file imports anywhere in it, in functions and for type checking too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


# Rooms


def test_top_level_folders_are_the_rooms_and_the_allowed_extras() -> None:
    assert {path.parts[0] for path in project_files() if len(path.parts) > 1} == FOLDERS


def test_layers_and_independence_contracts_hold() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize(("package", "room"), [("prefect", "flows"), ("playwright", "rendering")])
def test_one_room_alone_knows(package: str, room: str) -> None:
    users = [path for path in modules(*ROOMS, "tests", "benchmarks") if package in imported_packages(path)]
    assert [path for path in users if room not in path.parts[:2]] == []


def test_modules_stay_small() -> None:
    n_lines = {path: len((ROOT / path).read_text(encoding="utf-8").splitlines()) for path in modules(*ROOMS)}
    assert {path: n for path, n in n_lines.items() if n > 600} == {}
    assert sum(n < 300 for n in n_lines.values()) > 0.75 * len(n_lines), "most modules are under 300 lines"


def test_there_is_no_utils_module() -> None:
    assert [path for path in project_files() if path.stem in {"utils", "util"}] == []


# What no file says


def texts() -> Iterator[tuple[Path, str]]:
    """Every project file that is text, with its text."""
    for path in project_files():
        try:
            yield path, (ROOT / path).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def test_no_file_names_a_package_registry() -> None:
    assert [(path, host) for path, text in texts() for host in REGISTRY_HOSTS if host in text] == []


def test_no_file_names_a_path_of_the_machine_it_was_written_on() -> None:
    absolute = re.compile(r"(?<![\w.:/-])/(?:work|root)/[\w.]+")
    assert [(path, match[0]) for path, text in texts() for match in absolute.finditer(text)] == []


def test_locks_name_no_address() -> None:
    for path in [*sorted((ROOT / "requirements").iterdir()), ROOT / "Makefile", ROOT / ".ci/run"]:
        found = re.findall(r"\w+://\S+|--(?:extra-)?index-url|--find-links", path.read_text(encoding="utf-8"))
        assert found == [], path
    npm = json.loads((ROOT / "rendering/assets/package-lock.json").read_text(encoding="utf-8"))
    packages = {name: entry for name, entry in npm["packages"].items() if name}
    assert packages
    assert {name for name, entry in packages.items() if "resolved" in entry} == set()
    assert {name for name, entry in packages.items() if "integrity" not in entry} == set()


# Dependencies


def pins(lock: str) -> dict[str, str]:
    """Name to version of every package in a lock; each must have hashes."""
    text = (ROOT / "requirements" / lock).read_text(encoding="utf-8")
    entries = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
    assert all("--hash=sha256:" in entry for entry in entries), f"every pin in {lock} has hashes"
    return {entry.split("==")[0]: re.split(r"[ ;\\]", entry.split("==")[1])[0] for entry in entries}


def direct_dependencies(*sources: str) -> dict[str, str]:
    """Normalised name to the reason written beside it, from the given `.in` files."""
    reasons: dict[str, str] = {}
    for source in sources:
        for line in (ROOT / "requirements" / source).read_text(encoding="utf-8").splitlines():
            requirement, _, reason = line.partition("#")
            if requirement.strip() and not requirement.startswith("-"):
                reasons[normalised(re.split(r"[=<>~\[ ]", requirement)[0])] = reason.strip()
    return reasons


def third_party_imports(*folders: str) -> dict[str, set[Path]]:
    """Normalised distribution name to the files that import it."""
    distributions = packages_distributions()
    used: dict[str, set[Path]] = {}
    for path in modules(*folders):
        for package in imported_packages(path) - set(sys.stdlib_module_names) - set(FOLDERS):
            for distribution in distributions.get(package, [package]):
                used.setdefault(normalised(distribution), set()).add(path)
    return used


@pytest.mark.parametrize(
    ("sources", "folders"),
    [(("base.in", "uv.in"), ROOMS), (("all.in",), (*ROOMS, "tests", "benchmarks"))],
    ids=["base", "all"],
)
def test_every_direct_dependency_is_imported_or_says_why_not(
    sources: tuple[str, ...], folders: tuple[str, ...]
) -> None:
    used = third_party_imports(*folders)
    reasons = direct_dependencies(*sources)
    assert {name for name, reason in reasons.items() if not reason} == set(), "a reason stands beside each name"
    unused = {name for name in reasons if name not in used}
    excused = {name for name, reason in reasons.items() if reason.startswith("not imported: ")}
    assert unused - excused == set(), "imported nowhere: take it out, or say why it is there"
    assert excused - unused == set(), "'not imported' is no longer true"


def test_every_import_of_the_rooms_is_a_direct_dependency() -> None:
    undeclared = set(third_party_imports(*ROOMS)) - set(direct_dependencies("base.in", "all.in"))
    assert undeclared == set()


def test_one_environment_can_serve_both_sets() -> None:
    base, everything = pins("base.txt"), pins("all.txt")
    assert base.items() <= everything.items()
    assert pins("uv.txt").items() <= base.items()
    assert not {"torch", "torchvision"} & base.keys()


# The command line


def commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command under `command`, itself included."""
    yield path
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None, name
            yield from commands(found, (*path, name))


HELP = """
import json, resource, sys
sys.argv = ["markupmill", *sys.argv[1:], "--help"]
from flows.cli import main
try:
    main()
finally:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    loaded = sorted({name.partition(".")[0] for name in sys.modules})
    print(json.dumps({"cpu_s": usage.ru_utime + usage.ru_stime, "loaded": loaded}), file=sys.stderr)
"""


def test_every_help_is_light() -> None:
    from flows.cli import main

    for words in commands(main):
        best_cpu_s = float("inf")
        # CPU, not wall time, and the best of three: another process on the machine must not decide.
        for _ in range(3):
            run = subprocess.run(
                [sys.executable, "-c", HELP, *words], cwd=ROOT, capture_output=True, text=True, check=False
            )
            assert run.returncode == 0, run.stderr
            assert "Usage: markupmill" in run.stdout
            measured = json.loads(run.stderr.splitlines()[-1])
            assert HEAVY & set(measured["loaded"]) == set(), f"markupmill {' '.join(words)} --help"
            best_cpu_s = min(best_cpu_s, measured["cpu_s"])
            if best_cpu_s < HELP_CPU_LIMIT_S:
                break
        assert best_cpu_s < HELP_CPU_LIMIT_S, f"markupmill {' '.join(words)} --help took {best_cpu_s:.2f} s of CPU"
