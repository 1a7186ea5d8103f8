"""The command line: names the commands, turns errors into exit codes. Imports no torch for help."""

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

import cyclopts
from cyclopts import App, CycloptsError, UnknownCommandError

from nearer.errors import NearerError, did_you_mean
from nearer.importing import process_is_ours

INTERRUPTED = 130

COMMANDS = {
    "fit": ("nearer.cli.fit:fit", "Fine-tune a model on your own data."),
    "evaluate": ("nearer.cli.evaluate:evaluate", "Score a model on queries and an index."),
    "encode": ("nearer.cli.encode:encode", "Embed the texts or pictures of a file."),
    "export": ("nearer.cli.export:export", "Export an artifact to ONNX, checked on real rows."),
    "search": ("nearer.cli.search:search", "Search a file with a model."),
    "runs": (
        "nearer.cli.runs:app",
        "List runs, show one, go on with one, compare some.",
    ),
    "cache": ("nearer.cli.cache:app", "Show or clear what is kept: embeddings, data, tokens."),
    "models": ("nearer.cli.models:models", "List well-chosen models by short name."),
    "loop": ("nearer.cli.loop:loop", "Print the training loop and who listens where."),
    "demo": ("nearer.cli.demo:demo", "See a whole run on the docstrings of what is installed."),
}


def make_app() -> App:
    """The app; a command's module is imported only when it is called."""
    app = App(
        name="nearer",
        help="Fine-tune embedding models on your own search data.\n\n"
        "Results go to stdout, progress and logs to stderr.",
        help_format="plaintext",
        version_flags=["--version"],
        default_parameter=cyclopts.Parameter(negative=()),
        result_action="return_value",
        suppress_keyboard_interrupt=False,  # it would leave without a word; `run` tells it
    )
    for name, (target, help_text) in COMMANDS.items():
        app.command(target, name=name, help=help_text)
    return app


def run(arguments: Sequence[str]) -> int:
    """Run one command line.

    Returns:
        The exit code: 0 finished or stopped early, 1 failed, 2 usage or bad input, 130 interrupted
        (143 by SIGTERM).
    """
    return guarded(
        lambda: make_app()(
            list(arguments), exit_on_error=False, print_error=False, help_on_error=False
        )
    )


def guarded(command: Callable[[], Any]) -> int:
    """Do what a command does; its errors are told on stderr and become exit codes."""
    try:
        result = command()
    except UnknownCommandError as error:
        return _fail(_unknown(error), 2)
    except CycloptsError as error:
        return _fail(str(error).strip(), 2)
    except NearerError as error:
        return error.exit_code if error.told else _fail(_with_notes(error), error.exit_code)
    except KeyboardInterrupt:
        return _fail("interrupted", INTERRUPTED)
    except BrokenPipeError:  # a reader such as `head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return result if isinstance(result, int) else 0


def main() -> None:
    """Entry point of the command `nearer`."""
    process_is_ours()
    sys.exit(run(sys.argv[1:]))


def _fail(message: str, code: int) -> int:
    from nearer.run.secrets import masked

    print(f"error: {masked(message)}", file=sys.stderr)
    return code


def _unknown(error: UnknownCommandError) -> str:
    """The command that there is not, and all that there are."""
    word = error.unused_tokens[0] if error.unused_tokens else ""
    known = [name for name in error.app or () if not name.startswith("-")]
    return f'there is no command "{word}"; there are {", ".join(known)}.{did_you_mean(word, known)}'


def _with_notes(error: BaseException) -> str:
    return "\n".join([str(error), *(f"  {note}" for note in getattr(error, "__notes__", []))])
