"""README's commands run as they stand and print what it shows; what the documents name exists."""

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer.main
import yaml

from cdp_lib.errors import ConfigError
from cdp_lib.io.yaml_files import load_pack
from jobs.__main__ import app
from jobs.compose import conf_folder, sql_functions

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
OURS = (
    README,
    *(
        ROOT / "docs" / f"{name}.md"
        for name in ("architecture", "decisions", "marketer", "data_scientist", "operator", "packs")
    ),
)
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]  # a group, for there are several

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")
TARGET = re.compile(r"\bmake ([a-z][a-z-]*)")
RUNS_WITHOUT_SPARK = ("--help", "validate", "simulate", "docs")
LONGEST_SECONDS = 600
DOTS = "..."


@dataclass(frozen=True)
class Example:
    """A `sh` block of README, and the `text` block right behind it: what standard output shows."""

    commands: tuple[str, ...]
    shown: str | None

    @property
    def is_cheap(self) -> bool:
        """Nothing in it starts Spark, or needs what Spark has made."""
        return all(command.split()[3] in RUNS_WITHOUT_SPARK for command in self.commands)


def examples() -> Iterator[Example]:
    text = README.read_text(encoding="utf-8")
    fences = list(FENCE.finditer(text))
    for place, fence in enumerate(fences):
        if fence[1] != "sh":
            continue
        after = fences[place + 1] if place + 1 < len(fences) else None
        is_answered = after is not None and after[1] == "text" and not text[fence.end() : after.start()].strip()
        yield Example(tuple(fence[2].strip().splitlines()), after[2] if after is not None and is_answered else None)


EXAMPLES = [example for example in examples() if not example.commands[0].startswith("make")]


def is_shown(shown: str, printed: str) -> bool:
    """A line `...` stands for any lines, `...` in a line for any text of it; the width of gaps means nothing."""
    wanted, said = _lines(shown), _lines(printed)
    at, given, dots, resume = 0, 0, -1, 0
    while given < len(said):
        if at < len(wanted) and wanted[at] == DOTS:
            dots, resume, at = at, given, at + 1
        elif at < len(wanted) and _is_line(wanted[at], said[given]):
            at, given = at + 1, given + 1
        elif dots >= 0:
            # Whatever failed, the last dots stand for one line more.
            resume += 1
            at, given = dots + 1, resume
        else:
            return False
    return all(line == DOTS for line in wanted[at:])


def _is_line(wanted: str, said: str) -> bool:
    return re.fullmatch(".*?".join(map(re.escape, wanted.split(DOTS))), said) is not None


def _lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def assert_prints_as_shown(example: Example, folder: Path) -> None:
    printed = "".join(_run(command, folder) for command in example.commands)
    assert example.shown is None or is_shown(example.shown, printed), f"{example.commands} printed\n{printed}"


def _run(command: str, folder: Path) -> str:
    """Standard output of the command in a folder that stands for the checkout; no network, no change of packages."""
    path = os.pathsep.join([os.environ["PATH"], str(ROOT / ".cache" / "uv" / "bin")])
    environment = os.environ | {
        "PATH": path,
        "UV_PROJECT": str(ROOT),
        "UV_NO_SYNC": "1",
        "COLUMNS": "100",
        "PYTHONUTF8": "1",
        "SPARK_LOCAL_IP": "127.0.0.1",
    }
    assert shutil.which("uv", path=path), "uv is neither on PATH nor in .cache/uv: run `make setup`"
    answer = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=LONGEST_SECONDS,
        check=False,
    )
    assert answer.returncode == 0, (
        f"{command} ended with {answer.returncode}:\n{answer.stdout}\n{answer.stderr[-3000:]}"
    )
    return answer.stdout


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder where nothing lies but the jars of `make setup`."""
    (tmp_path / ".jars").symlink_to(ROOT / ".jars")
    return tmp_path


@pytest.mark.parametrize("example", [one for one in EXAMPLES if one.is_cheap], ids=lambda one: one.commands[0])
def test_commands_without_spark_print_what_readme_shows(example: Example, checkout: Path) -> None:
    assert_prints_as_shown(example, checkout)


@pytest.mark.slow
def test_all_commands_in_the_order_of_readme_print_what_it_shows(checkout: Path) -> None:
    for example in EXAMPLES:
        assert_prints_as_shown(example, checkout)


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ("rows read\npos 1\nall 2\nall 1,003\nend\n", True),
        ("rows   read\nall 123\nend", True),
        ("rows read\npos 1\nall 124\nend\n", False),
        ("rows read\nall 123\n", False),
        ("rows read\nall 123\nend\nmore\n", False),
    ],
)
def test_dots_stand_for_what_changes_and_for_nothing_else(printed: str, expected: bool) -> None:
    assert is_shown("rows   read\n...\nall  1...3\nend\n", printed) is expected


def test_every_shell_block_of_readme_is_a_command_that_a_test_knows() -> None:
    commands = [command for example in examples() for command in example.commands]
    strange = [command for command in commands if not command.startswith(("uv run cdp ", "make "))]
    assert commands
    assert strange == []


def _documented_calls() -> Iterator[tuple[str, list[str]]]:
    """(document, words behind `cdp`) of every call in a shell block."""
    for document in OURS:
        for kind, body in FENCE.findall(document.read_text(encoding="utf-8")):
            for line in body.replace("\\\n", " ").splitlines() if kind in ("sh", "console") else ():
                words = shlex.split(line, comments=True)
                if "cdp" in words:
                    yield document.name, words[words.index("cdp") + 1 :]


def test_every_call_in_the_documents_has_options_that_exist() -> None:
    calls = list(_documented_calls())
    assert len({document for document, _ in calls}) > 2
    for document, words in calls:
        if "--help" in words:
            continue
        assert words[0] in COMMANDS, f"{document}: cdp {' '.join(words)}"
        COMMANDS[words[0]].make_context(words[0], list(words[1:]))


def test_readme_tells_every_command() -> None:
    text = README.read_text(encoding="utf-8")
    assert [name for name in COMMANDS if f"| `cdp {name}" not in text] == []


def test_make_targets_in_the_documents_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))
    code = re.compile(r"`([^`\n]+)`|^```(?:sh|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    for document in OURS:
        pieces = ["".join(found) for found in code.findall(document.read_text(encoding="utf-8"))]
        named = {target for piece in pieces for target in TARGET.findall(piece)}
        assert named <= targets, f"{document.name}: {sorted(named - targets)}"
    assert {"demo", "test", "setup"} <= targets


def test_links_in_the_documents_lead_somewhere() -> None:
    for document in OURS:
        links = LINK.findall(document.read_text(encoding="utf-8"))
        missing = [link for link in links if not (document.parent / link).exists()]
        assert missing == [], document.name


def test_readme_answers_for_every_requirement_row() -> None:
    wanted = {
        *(f"P{number}" for number in range(1, 12)),
        *(f"C{number}" for number in range(1, 13)),
        *(f"D{number}" for number in range(1, 7)),
        *(f"R{number}" for number in range(1, 4)),
        *("N1", "N2"),
    }
    rows = re.findall(r"^\| ([A-Z][0-9][^|]*) \|", README.read_text(encoding="utf-8"), re.MULTILINE)
    assert wanted - {row for cell in rows for row in cell.split(", ")} == set()


def _yaml_of(document: str) -> Iterator[str]:
    text = (ROOT / "docs" / document).read_text(encoding="utf-8")
    yield from (body for kind, body in FENCE.findall(text) if kind == "yaml")


@pytest.fixture
def gym(tmp_path: Path) -> Path:
    """The pack of docs/packs.md, each block in the file that its first line names."""
    folder = tmp_path / "gym"
    folder.mkdir()
    for body in _yaml_of("packs.md"):
        name = body.splitlines()[0].removeprefix("# ")
        (folder / name).write_text(body, encoding="utf-8")
    return folder


def test_the_pack_written_from_nothing_has_no_faults(gym: Path) -> None:
    pack = load_pack(str(gym), conf_folder() / "packs", sql_functions())
    assert (pack.name, len(pack.sources), len(pack.traits), len(pack.exports)) == ("gym", 2, 4, 1)


def test_the_fault_that_the_pack_manual_shows_is_told_so(gym: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    traits = gym / "traits.yml"
    traits.write_text(traits.read_text(encoding="utf-8").replace("event_type =", "event_typ ="), encoding="utf-8")
    monkeypatch.chdir(gym.parent)
    shown = next(body for kind, body in FENCE.findall((ROOT / "docs/packs.md").read_text("utf-8")) if kind == "text")
    with pytest.raises(ConfigError, match=re.escape(shown.strip())):
        load_pack("gym", conf_folder() / "packs", sql_functions())


def test_the_marketers_examples_fit_the_coffee_shop(tmp_path: Path) -> None:
    folder = tmp_path / "coffee_shop"
    shutil.copytree(conf_folder() / "packs" / "coffee_shop", folder)
    for place, body in enumerate(_yaml_of("marketer.md")):
        documents = [document for document in yaml.safe_load_all(body) if document]
        assert {document["kind"] for document in documents} <= {"trait", "export", "audience", "activation"}
        (folder / f"added_{place}.yml").write_text(body, encoding="utf-8")
    pack = load_pack(str(folder), conf_folder() / "packs", sql_functions())
    assert [export.id for export in pack.exports] == ["birthdays_next_month"]
