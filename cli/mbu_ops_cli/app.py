"""The command line's front door: a group that imports a command when it is used, and what each error exits with."""

from __future__ import annotations

import functools
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from io import StringIO
from typing import Any, NoReturn

import click

from mbu_ops import __version__
from mbu_ops.errors import GuideWarning, MBUOpsError, PluginError, WeightsError
from mbu_ops.foreign import one_line
from mbu_ops.limits import decoded_here
from mbu_ops_cli.groups import Group
from mbu_ops_cli.messages import echo, is_verbose, log, messages, with_verbosity
from mbu_ops_cli.streams import own_streams

OK, SOME_FAILED, USAGE, UNAVAILABLE, INTERRUPTED = 0, 1, 2, 3, 130

VARIABLE = "_MBU_OPS_COMPLETE"
"""Environment variable by which a shell's function asks for completions."""

COMMANDS: dict[str, tuple[str, str]] = {
    "chain": ("chain:chain", "Edit pictures: remove:smile add:glasses ..."),
    "completion": ("completion:completion", "Print a script that makes a shell complete commands, steps and weights."),
    "edit": ("edit:edit", "Redraw a photo to fit an edited mask."),
    "eval": ("eval:evaluate", "Measure how good edits are, on pictures not seen in training."),
    "eval-blind": ("eval_blind:eval_blind", "Real and edited pictures to tell apart by eye."),
    "eval-masks": ("eval_masks:eval_masks", "Measure masks against hand-made ones."),
    "eval-parsing": (
        "eval_parsing:eval_parsing",
        "Measure how well the parts of pictures are told apart.",
    ),
    "eval-portrait": (
        "eval_portrait:eval_portrait",
        "Measure how well pictures are put together.",
    ),
    "export": ("export:export", "Write a chain as a file for other programs: ONNX."),
    "families": ("families:families", "What can be edited, and what is installed for it."),
    "generate": ("generate:generate", "Make pictures from masks."),
    "methods": ("methods:methods", "Which methods there are; write one of your own."),
    "parse": ("parse:parse", "Tell the parts of photos apart: a mask for each."),
    "train": ("train:train", "Learn a new edit from two folders of pictures."),
    "train-judge": ("train_judge:train_judge", "Train a classifier that judges edits."),
    "web": ("web:web", "Edit photos on a page in your browser."),
    "weights": ("weights:weights", "List, check and convert trained weights."),
}
"""Each command's home and the line that the main help shows for it, so that help imports none of them."""


class LazyGroup(Group):
    """A group whose commands are imported when they are first used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names of the commands."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import and return a command."""
        return _load(cmd_name) if cmd_name in COMMANDS else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the list of commands from the table."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in sorted(COMMANDS.items())])


@functools.cache
def _load(name: str) -> click.Command:
    module, _, command = COMMANDS[name][0].partition(":")
    return with_verbosity(getattr(import_module(f"mbu_ops_cli.commands.{module}"), command))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, "-V", "--version", prog_name="mbu-ops")
def cli() -> None:
    """Add, remove, swap and segment a local thing in pictures: glasses, a smile, a beard.

    Try it: mbu-ops chain adjust:smile,strength=0.6 adjust:hair_women,strength=-0.4
    """


with_verbosity(cli)


def run(args: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Args:
        args: arguments; those of the process by default.

    Returns:
        0 = done, 1 = some inputs failed, 2 = wrong usage, 3 = a plugin or weights cannot be used, 130 = interrupted.
    """
    if VARIABLE in os.environ:
        import_module("mbu_ops_cli.completion")
    with messages():
        return _run(args)


def _run(args: Sequence[str] | None) -> int:
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("always", module="PIL")  # of every picture, not only of the first
            warnings.showwarning = partial(_show_warning, warnings.showwarning)
            code = cli.main(args, prog_name="mbu-ops", complete_var=VARIABLE, standalone_mode=False)
    except click.Abort:
        log.error("interrupted; files already written are whole")
        return INTERRUPTED
    except click.ClickException as error:
        said = StringIO()
        error.show(said)  # what was mistaken for an option may be a file's name
        echo(said.getvalue().rstrip("\n"), err=True)
        return USAGE
    except MBUOpsError as error:
        log.error(str(error), exc_info=is_verbose())
        return exit_code(error)
    except OSError as error:  # stdout or a log on a full disk, and the like
        log.error(str(error), exc_info=is_verbose())
        return SOME_FAILED
    return code if isinstance(code, int) else OK


def _show_warning(
    others: Callable[..., None], message: Warning | str, category: type[Warning], *where: Any, **more: Any
) -> None:
    """Say what is amiss with a guide or a picture in one line, without the line of code that noticed it."""
    if issubclass(category, GuideWarning):
        log.warning(str(message))
    elif picture := decoded_here():
        log.warning(f"{picture}: {one_line(message)}")
    else:
        others(message, category, *where, **more)


def exit_code(error: MBUOpsError) -> int:
    """Return what the process exits with after an error that ended it.

    Example:
        >>> exit_code(WeightsError("damaged"))
        3
    """
    if isinstance(error, WeightsError | PluginError):
        return UNAVAILABLE
    return USAGE


def main() -> NoReturn:
    """Run the command line and exit: the ``mbu-ops`` script."""
    own_streams()
    # torch would import every package that claims to be a device, and one whose entry points are no text would stop it
    os.environ.setdefault("TORCH_DEVICE_BACKEND_AUTOLOAD", "0")
    sys.exit(run())
