"""The documentation says what the code does: its blocks run; names, defaults and links agree."""

import inspect
import json
import re
import runpy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import nearer.callbacks as shipped
import nearer.errors as errors
from nearer.cli.loop import drawing
from nearer.cli.main import COMMANDS, make_app, run
from nearer.encoder import catalog
from nearer.evaluation import retrieval
from nearer.evaluation.metric import METRICS
from nearer.loop.context import Context
from nearer.loop.events import Event
from nearer.loop.state import StopKind
from nearer.run.spec import RunSpec

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted(DOCS.rglob("*.md")),
]
BUILT_IN = tuple(n for n, m in METRICS.items() if m.compute.__module__ == retrieval.__name__)
MOST_NOT_RUN = 3


@dataclass(frozen=True)
class Block:
    """A fenced block of Python on a page."""

    page: Path
    line: int
    code: str
    runs: bool

    @property
    def name(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks() -> Iterator[Block]:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for found in re.finditer(
            r"^(<!-- not run: [^\n]+ -->\n)?```python\n(.*?)^```$", text, re.M | re.S
        ):
            line = text.count("\n", 0, found.start(2)) + 1
            yield Block(page, line, found[2], runs=found[1] is None)


BLOCKS = list(blocks())


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def section(text: str, title: str) -> str:
    """What stands under a heading, up to the next one of the same level."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    assert found, f"no section {title}"
    return found[1]


def rows(text: str) -> dict[str, list[str]]:
    """Rows of all tables whose first cell begins with code; the code is the key."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        cells = [c.strip() for c in re.split(r"(?<!\\)\|", line)[1:-1]]
        if cells and (name := re.match(r"`([^`]+)`", cells[0])):
            found[name[1]] = cells[1:]
    return found


@pytest.fixture
def workplace(
    tmp_path: Path, toy_files: dict[str, str], tiny_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """A folder with the files that the pages speak of, where "minilm" is a tiny model."""
    (tmp_path / "pairs.csv").write_bytes((tmp_path / "train.csv").read_bytes())
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NEARER_RUNS", raising=False)
    monkeypatch.setattr(
        catalog, "packaged_weights", lambda entry: tiny_bert if entry.name == "minilm" else None
    )
    registered = dict(METRICS)
    yield tmp_path
    METRICS.clear()
    METRICS.update(registered)


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.runs], ids=lambda b: b.name)
def test_every_block_of_python_runs_by_itself(block: Block, workplace: Path) -> None:
    code = compile("\n" * (block.line - 1) + block.code, str(block.page), "exec")
    exec(code, {"__name__": "a_block_of_the_documentation"})


def test_few_blocks_are_not_run() -> None:
    assert len([b for b in BLOCKS if not b.runs]) <= MOST_NOT_RUN < len(BLOCKS) / 8


@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*.py")), ids=lambda p: p.name)
def test_every_example_runs_quickly(
    example: Path, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", [str(example), "--quick"])
    runpy.run_path(str(example), run_name="__main__")
    assert not (workplace / "runs").exists()  # what it leaves is its own to clear away


@pytest.mark.parametrize("at", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_resolve(at: Path) -> None:
    text = re.sub(r"```.*?```", "", at.read_text(encoding="utf-8"), flags=re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("https://", "http://")):
            continue
        name, _, anchor = target.partition("#")
        to = (at.parent / name).resolve() if name else at
        assert to.exists(), f"{at.relative_to(ROOT)} links to {target}"
        if anchor:
            heads = re.findall(r"^#+ (.+)$", to.read_text(encoding="utf-8"), re.M)
            known = {re.sub(r"[^\w -]", "", head).lower().replace(" ", "-") for head in heads}
            assert anchor in known, f"{at.relative_to(ROOT)} links to {target}"


def test_every_page_is_in_the_contents() -> None:
    linked = set(re.findall(r"\]\(([^)#]+\.md)\)", page("index.md")))
    there = {p.relative_to(DOCS).as_posix() for p in DOCS.rglob("*.md")} - {"index.md"}
    assert there <= linked


def test_the_two_commands_of_the_readme_are_in_the_makefile() -> None:
    commands = re.findall(r"^    make (\w+)", (ROOT / "README.md").read_text("utf-8"), re.M)
    assert commands == ["demo", "test"]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in commands:
        assert re.search(rf"^{target}:", makefile, re.M), f"make {target}"


def test_the_source_tree_of_the_readme_has_every_package() -> None:
    tree = section((ROOT / "README.md").read_text("utf-8"), "The source")
    named = set(re.findall(r"^ {6}(\w+)/", tree, re.M))
    source = ROOT / "src" / "nearer"
    assert named == {p.parent.name for p in source.glob("*/__init__.py")}


def test_the_loop_is_drawn_as_in_the_docstring() -> None:
    drawn = "\n".join(f"    {line}".rstrip() for line in drawing({}).splitlines())
    assert drawn in page("the-loop.md")


def test_every_event_has_its_row() -> None:
    table = rows(section(page("the-loop.md"), "Events"))
    assert list(table) == [event.value for event in Event]


def test_every_member_of_the_context_has_its_row() -> None:
    text = section(page("the-loop.md"), "The context")
    cells = " ".join(line.split("|")[1] for line in text.splitlines() if line.startswith("| `"))
    named = set(re.findall(r"`(\w+)", cells))
    assert named == {name for name in vars(Context) if not name.startswith("_")}


def test_every_reason_to_stop_has_its_row() -> None:
    assert set(rows(section(page("the-loop.md"), "Stopping"))) == {k.value for k in StopKind}


def test_every_option_of_a_run_has_its_row_with_its_default() -> None:
    table = rows(page("options.md"))
    assert set(table) == set(RunSpec.model_fields)
    for name, info in RunSpec.model_fields.items():
        said = table[name][0]
        if info.is_required():
            assert said == "required", name
        elif info.default in (None, (), {}):
            # Words say where the value comes from; a name in code is one among several.
            assert not re.fullmatch(r"`[^`]*`", said), f"{name}: {said}"
        else:
            assert said == f"`{info.default}`", name


@pytest.mark.parametrize("name", shipped.__all__)
def test_every_callback_has_its_section_with_every_option(name: str) -> None:
    text = section(page("callbacks.md"), name)
    takes = list(inspect.signature(getattr(shipped, name)).parameters.values())
    table = rows(text)
    assert set(table) == {p.name for p in takes}
    for parameter in takes:
        said, default = table[parameter.name][0], parameter.default
        if default is inspect.Parameter.empty:
            assert said in ("required", "none"), parameter.name
        elif default is not None and default != ():
            shown = json.dumps(default)
            assert said in (shown, shown.removesuffix(".0")), parameter.name


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_metric_is_named(name: str) -> None:
    assert f"`{name}`" in page("evaluation.md")
    assert f"`{name}`" in page("callbacks.md")


def test_there_are_nine_metrics() -> None:
    assert len(BUILT_IN) == 9


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_its_section_with_every_option(command: str) -> None:
    text = section(page("cli.md"), command)
    assert f"`{command}`" in page("cli.md").split("## Exit codes")[0]
    if command == "fit":
        names = [f"--{n.replace('_', '-')}" for n in rows(page("options.md"))]
        text += " ".join(f"`{n}`" for n in names)
    app = make_app()[command]
    subcommands = [name for name in app if not name.startswith("-")]
    for name in subcommands:
        assert f"nearer {command} {name}" in text
    for one in [app[name] for name in subcommands] or [app]:
        for argument in one.assemble_argument_collection():
            for option in argument.names:
                if option.startswith("-") and not option.startswith("--no-"):
                    assert f"`{option}`" in text, f"nearer {command}: {option}"


def test_every_error_stands_at_its_exit_code() -> None:
    table = section(page("cli.md"), "Exit codes")
    named = {
        int(code): set(re.findall(r"`(\w+)`", rest))
        for code, rest in re.findall(r"^\| (\d+) \| (.+) \|$", table, re.M)
    }
    tree = {
        n: c for n, c in vars(errors).items() if inspect.isclass(c) and issubclass(c, Exception)
    }
    for name, cls in tree.items():
        if cls is not errors.Interrupted:
            assert name in named[cls.exit_code], name
    for signal in ("SIGINT", "SIGTERM"):
        assert "Interrupted" in named[errors.Interrupted(signal).exit_code]
    assert set(named) == {0, 1, 2, 130, 143}


def test_every_variable_of_the_environment_is_named() -> None:
    source = "".join(p.read_text("utf-8") for p in (ROOT / "src").rglob("*.py"))
    read = set(re.findall(r"environ[^\n]*?\"(NEARER_\w+)\"", source))
    assert read == {
        n for n in rows(section(page("cli.md"), "Environment")) if n.startswith("NEARER")
    }


def test_fit_and_evaluate_print_the_objects_of_the_page(
    workplace: Path, toy_files: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    data = [f"--{n.replace('_', '-')}={p}" for n, p in toy_files.items() if n != "train_data"]
    fit = ["fit", "--model", "minilm", "--train-data", toy_files["train_data"], *data]
    assert run([*fit, "--epochs", "1", "--name", "first", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert set(printed) == keys(section(page("cli.md"), "fit").split("`--json` prints")[1], 1)
    assert set(printed["history"][0]) == {"epoch", "step", "metrics"}
    for command in (["evaluate", "minilm", *data], ["runs", "list"], ["models"]):
        assert run([*command, "--json"]) == 0
        printed = json.loads(capsys.readouterr().out)
        text = next(
            line
            for line in section(page("cli.md"), command[0]).splitlines()
            if line.startswith("| `--json`")
        )
        assert set(printed) == keys(text, 1)
        if command[0] != "evaluate":
            (entries,) = printed.values()
            assert set(entries[0]) == keys(text, 2)


def keys(text: str, depth: int) -> set[str]:
    """Names in quotes at a depth of braces, in the first object of a text."""
    start, level, found = text.index("{"), 0, set()
    for token in re.findall(r'[{}]|"\w+"', text[start:]):
        level += {"{": 1, "}": -1}.get(token, 0)
        if level == 0:
            break
        if level == depth and token.startswith('"'):
            found.add(token.strip('"'))
    return found
