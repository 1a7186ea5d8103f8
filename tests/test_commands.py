"""Every command of the documentation: it parses, and what can run in a moment runs.

A block whose commands only parse here stands below `<!-- not run: why -->`. Blocks of Python are
in test_docs.py.
"""

import io
import re
import shlex
import shutil
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import write_toy_files

import nearer
from nearer.cli.main import make_app, run
from nearer.encoder import catalog
from nearer.run.spec import RunSpec

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
MOST_NOT_RUN = 12
BLOCK = (
    r"^(?P<mark><!-- not run: [^\n]+ -->\n\n?)?"
    r"(?P<code>```(?:sh|bash|console)\n[\s\S]*?^```$|(?:^    [^\n]*\n|^\n(?=    ))+)"
)
LAUNCHER = r"(?:(?:torchrun|accelerate launch|srun torchrun) .*?-m (?:-- )?)?"
NEARER = re.compile(rf"^(?:\$ )?{LAUNCHER}nearer ")
PROGRAMS = "make|pip|python|pre-commit"
OTHER = re.compile(rf"^(?:\$ )?(?:\.venv/bin/)?(?P<program>{PROGRAMS}) (?P<words>.+)")


@dataclass(frozen=True)
class Command:
    """One command line of a page, without comment and prompt."""

    page: Path
    line: int
    text: str
    runs: bool
    output: str

    @property
    def name(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def words(self) -> list[str]:
        """The arguments of nearer, whoever launches it, without what the shell takes."""
        return shlex.split(re.sub(r" [<>|] .*", "", NEARER.sub("", self.text)))

    @property
    def is_form(self) -> bool:
        """Whether it stands for many: `nearer runs show NAME [OPTIONS]`."""
        return bool(re.search(r"…|\[|(?<![\w-])[A-Z]{3,}(?![\w-])", self.text))


def commands() -> Iterator[Command]:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for block in re.finditer(BLOCK, text, re.M):
            code = block["code"].replace("\\\n", " \x00")
            lines = [re.sub(r" \x00 *", " ", line).strip() for line in code.split("\n")]
            first = text.count("\n", 0, block.start("code")) + 1
            for i, line in enumerate(lines):
                bare = re.sub(r"\s{2,}#.*", "", line)
                if NEARER.match(bare) or OTHER.match(bare):
                    at = first + i + "".join(code.split("\n")[:i]).count("\x00")
                    output = lines[i + 1] if i + 1 < len(lines) else ""
                    bare = bare.removeprefix("$ ")
                    yield Command(page, at, bare, runs=block["mark"] is None, output=output)


COMMANDS = list(commands())
OURS = [c for c in COMMANDS if NEARER.match(c.text) and not c.is_form]
RUN = {tuple(c.words): c for c in OURS if c.runs}  # the same behind a launcher runs once
FORMS = [c for c in COMMANDS if NEARER.match(c.text) and c.is_form]
OTHERS = [c for c in COMMANDS if not NEARER.match(c.text)]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, tiny_bert: Path) -> Path:
    """A folder with the files and the runs that the pages speak of."""
    folder = tmp_path_factory.mktemp("workplace")
    files = write_toy_files(folder)
    spec = re.search(r"```toml\n(model = .*?)```", PAGES[0].read_text("utf-8"), re.S)
    assert spec
    (folder / "spec.toml").write_text(spec[1])
    runs = folder / "runs" / "default"
    nearer.fit(model=tiny_bert, epochs=3, name="first", runs_dir=runs.parent, **files)
    for other in ("keen-otter", "calm-heron", "bold-lynx"):
        shutil.copytree(runs / "first", runs / other)
    return folder


@pytest.fixture
def workplace(
    finished: Path, tmp_path: Path, tiny_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A copy of it, where "minilm" is a tiny model; stdin has one line, browsers stay shut."""
    shutil.copytree(finished, tmp_path / "work")
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.delenv("NEARER_RUNS", raising=False)
    monkeypatch.setattr("webbrowser.open", lambda url: True)
    monkeypatch.setattr("sys.stdin", io.StringIO("cheap shoes in red\n"))
    monkeypatch.setattr(
        catalog, "packaged_weights", lambda entry: tiny_bert if entry.name == "minilm" else None
    )
    return tmp_path / "work"


def test_pages_have_commands() -> None:
    assert len(OURS) > 15
    assert len(FORMS) > 10
    assert len(OTHERS) > 5


@pytest.mark.parametrize("command", OURS, ids=lambda c: c.name)
def test_every_command_parses(command: Command) -> None:
    make_app().parse_args(command.words, exit_on_error=False, print_error=False)


@pytest.mark.parametrize("command", FORMS, ids=lambda c: c.name)
def test_every_form_names_a_command_and_options_that_are_there(command: Command) -> None:
    app = make_app()
    words = command.words
    names = [w for w in words if re.fullmatch(r"[a-z]+", w) and w in app]
    if not names:
        assert words[0] in ("COMMAND", "--version", "--help")
        return
    app = app[words[0]]
    if len(words) > 1 and words[1] in app:
        app = app[words[1]]
    there = {n for argument in app.assemble_argument_collection() for n in argument.names}
    given = {w for w in words if re.fullmatch(r"--?[a-z][a-z-]*", w)}
    assert given <= there | {"--help"}


@pytest.mark.parametrize("command", RUN.values(), ids=lambda c: c.name)
def test_every_command_runs(
    command: Command, workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if "--name" in command.words and "--resume" not in command.words:  # it must not be taken
        name = command.words[command.words.index("--name") + 1]
        shutil.rmtree(Path("runs/default", name), ignore_errors=True)
    code = run(command.words)
    printed = capsys.readouterr()
    fails = command.output.startswith("error:")
    assert code == (2 if fails else 0), printed.err
    if fails:
        assert printed.err.splitlines()[0] == command.output


def test_few_commands_are_not_run() -> None:
    assert len([c for c in OURS if not c.runs]) <= MOST_NOT_RUN < len(OURS) / 2


@pytest.mark.parametrize("command", OTHERS, ids=lambda c: c.name)
def test_what_other_commands_name_is_there(command: Command) -> None:
    found = OTHER.match(command.text)
    assert found
    words = shlex.split(found["words"])
    if found["program"] == "make":
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        assert re.search(rf"^{words[0]}:", makefile, re.M)
    if found["program"] == "pip":
        extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"][
            "optional-dependencies"
        ]
        assert {e for w in words for e in re.findall(r"\[(.+)\]", w)} <= set(extras)
    for path in words:
        if found["program"] == "python" and "/" in path and not path.startswith("-"):
            assert (ROOT / path).exists(), path


SPECS = {
    f"{page.relative_to(ROOT)}:{text.count(chr(10), 0, block.start()) + 1}": block[1]
    for page in PAGES
    for text in [page.read_text(encoding="utf-8")]
    for block in re.finditer(r"^```toml\n(.*?)^```$", text, re.M | re.S)
}


@pytest.mark.parametrize("block", SPECS.values(), ids=SPECS.keys())
def test_every_spec_is_one(block: str) -> None:
    RunSpec(**{"model": "minilm", "train_data": "train.csv", **tomllib.loads(block)})
