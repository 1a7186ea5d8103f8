"""The arrows of DESIGN.md: who may import whom. Reads the imports with `ast`, runs nothing."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "nearer"
FILES = sorted(SOURCE.rglob("*.py"))

ALLOWED: dict[str, tuple[str, ...]] = {
    # Beside itself, a package may import these, and what lies under them.
    "errors": (),
    "importing": (),
    "data": ("errors",),
    "encoder": ("errors",),
    "losses": ("errors",),
    "loop": (
        # By protocol only: no reading of files, no adapter, no loss.
        "data.batch",
        "encoder.protocol",
        "encoder.embedding",
        "encoder.grouping",
        "encoder.heap",
        "encoder.packing",
        "encoder.quick",
        "encoder.sharing",
        "encoder.sizes",
        "losses.known",
        "losses.protocol",
        "errors",
    ),
    "evaluation": ("encoder", "data", "errors"),
    "callbacks": ("loop", "evaluation", "errors"),
    "artifact": ("encoder", "errors"),
    "report": ("evaluation", "errors"),
    "run": (
        "report",
        "callbacks",
        "artifact",
        "evaluation",
        "loop",
        "losses",
        "encoder",
        "data",
        "errors",
        "importing",
    ),
    "cli": (
        "run",
        "importing",
        # What it shows: progress, the models there are, what is kept, the drawing of the loop.
        "callbacks",
        "encoder.catalog",
        "encoder.kept",
        "encoder.sizes",
        "encoder.store",
        "loop.events",
        "errors",
    ),
    "__main__": ("cli",),
}
# Reads its version (`nearer.__version__`) or its public names, which import nothing by themselves.
ROOT_PACKAGE = "nearer"

LOOKED_AT = {
    "run/spec.py": "all options of a run, in one list",
}
"""Files over 250 lines that were looked at again, and why they are whole; never over 300."""


def name_of(file: Path) -> str:
    return file.relative_to(SOURCE).as_posix()


def imports(file: Path) -> set[str]:
    """The modules of nearer that a file imports anywhere in it, as `encoder.protocol`."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(file)}, line {node.lineno}: a relative import"
            assert node.module is not None
            found.add(node.module)
            if node.module == ROOT_PACKAGE:
                found |= {f"{ROOT_PACKAGE}.{alias.name}" for alias in node.names}
    return {n.removeprefix("nearer.") for n in found if n.startswith("nearer.")}


def is_allowed(imported: str, by: str) -> bool:
    return any(imported == one or imported.startswith(f"{one}.") for one in (by, *ALLOWED[by]))


def test_every_arrow_points_down():
    wrong = []
    for file in FILES:
        package = file.relative_to(SOURCE).parts[0].removesuffix(".py")
        if package == "__init__":
            continue  # the public names: it imports them when they are used
        assert package in ALLOWED, f"{name_of(file)}: give {package} a line in ALLOWED ({__file__})"
        wrong += [
            f"{name_of(file)} imports nearer.{imported}; {package} may import "
            f"{', '.join(ALLOWED[package]) or 'nothing'} (the list: ALLOWED in "
            "tests/test_architecture.py)"
            for imported in sorted(imports(file))
            if not is_allowed(imported, package)
            if (SOURCE / imported.split(".")[0]).exists()
            or (SOURCE / f"{imported.split('.')[0]}.py").exists()
        ]
    assert not wrong, "\n" + "\n".join(wrong)


def test_the_list_has_no_circle():
    """Whatever it says, no package may come to import itself by way of others."""
    arrows = {p: {one.split(".")[0] for one in allowed} for p, allowed in ALLOWED.items()}
    while arrows:
        ends = [package for package, below in arrows.items() if not below & arrows.keys()]
        assert ends, f"a circle among {sorted(arrows)}"
        for package in ends:
            del arrows[package]


def test_every_package_of_the_list_exists():
    missing = {
        one
        for package, allowed in ALLOWED.items()
        for one in (package, *allowed)
        if not (SOURCE / one.replace(".", "/")).is_dir()
        and not (SOURCE / f"{one.replace('.', '/')}.py").is_file()
    }
    assert not missing


@pytest.mark.parametrize(
    ("imported", "by", "expected"),
    [
        ("encoder.protocol", "loop", True),
        ("encoder.sentence", "loop", False),
        ("callbacks", "loop", False),
        ("loop.state", "loop", True),
        ("loop.events", "callbacks", True),
        ("run", "callbacks", False),
        ("losses.protocol", "encoder", False),
        ("runner", "run", False),
    ],
)
def test_the_rule(imported, by, expected):
    assert is_allowed(imported, by) is expected


def test_files_are_short():
    long = {
        name_of(file): lines
        for file in FILES
        if (lines := len(file.read_text(encoding="utf-8").splitlines())) > 250
    }
    offenders = [f"{n}: {k} lines" for n, k in long.items() if n not in LOOKED_AT or k > 300]
    assert not offenders, "over 250 lines; split them: " + "; ".join(offenders)
    stale = set(LOOKED_AT) - set(long)
    assert not stale, f"no longer over 250 lines; take them out of LOOKED_AT: {stale}"


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_every_module_says_what_lives_in_it(file):
    docstring = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))
    assert docstring, f"{name_of(file)} has no docstring"


def python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


HEAVY = "{m.split('.')[0] for m in sys.modules} & {'torch', 'transformers', 'numpy', 'pyarrow'}"


def test_importing_nearer_and_its_command_line_imports_no_torch():
    assert python(f"import sys, nearer; print({HEAVY})") == "set()"
    code = (
        "import sys, nearer.cli.main as m\n"
        "m.run(['--help'])\n"
        f"print({HEAVY}, file=sys.stderr)\n"
        f"assert not {HEAVY}, {HEAVY}"
    )
    assert "fit" in python(code)


def test_the_rule_of_stopping_knows_no_tensors():
    """`callbacks/monitor.py` is arithmetic: it can be read, and tested, without the rest."""
    tree = ast.parse((SOURCE / "callbacks" / "monitor.py").read_text(encoding="utf-8"))
    modules = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    assert not {m for m in modules if m and m.split(".")[0] in ("torch", "numpy")}
