"""Write docs/cli.md from the help of every command. With --check, only tell whether it is up to date."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import click

os.environ["MBU_OPS_PLUGINS"] = ""  # the page is of this package, whatever else is installed

from mbu_ops.methods import get_method, method_names
from mbu_ops_cli.app import cli
from mbu_ops_cli.train_command import method_options

PAGE = Path(__file__).resolve().parent.parent / "docs" / "cli.md"

HEAD = """# Command line

<!-- Written by tools/generate_cli_docs.py from the commands' own help: change that, then run `make docs`. -->

`mbu-ops COMMAND --help` shows the same text. Results and JSON go to stdout; progress, summaries and errors to stderr.

## Exit codes

| code | meaning |
|---|---|
| 0 | everything was done |
| 1 | some inputs failed; the summary names them and the rest are written |
| 2 | wrong usage: an unknown verb, option, attribute or family, inputs that are not there, results that exist |
| 3 | a plugin or weights cannot be used: missing, damaged, or not what was promised |
| 130 | interrupted (Ctrl-C); every file that has its final name is whole |

## Rules that hold for every run

- Results keep the input's name and format, EXIF and ICC data, alpha and bit depth; `segment` writes 8-bit grey PNG.
- Folders are searched to the bottom and their tree is mirrored under `-o`.
- A result never replaces an input, two results never share a name, and a file appears under its name whole or not
  at all.
- Only the pixels under the mask change; with `--frame`, only pixels in that box.
- Nothing is downloaded but weights that are named `hf://user/repo`: [the Hub](hub.md).
"""


def commands(command: click.Command, context: click.Context) -> Iterator[tuple[str, str]]:
    """Give the path and the help of a command and all below it."""
    yield context.command_path, command.get_help(context)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            if child is not None:
                yield from commands(child, click.Context(child, context, name, terminal_width=100))


def page() -> str:
    """Return the text of the page."""
    root = click.Context(cli, info_name="mbu-ops", terminal_width=100)
    sections = []
    for path, help_text in commands(cli, root):
        sections.append(f"## {path}\n\n```text\n{help_text}\n```\n")
        if path.endswith(" train"):
            sections += [f"### Options of --method {name}\n\n```text\n{text}```\n" for name, text in of_methods(root)]
    return "\n".join([HEAD, *sections])


def of_methods(context: click.Context) -> Iterator[tuple[str, str]]:
    """Give each method that can be trained, and the options that it adds to `train`."""
    for name in method_names():
        if get_method(name).info.objective is not None:
            formatter = click.HelpFormatter(width=100)
            lines = (option.get_help_record(context) for option in method_options(name))
            formatter.write_dl([line for line in lines if line is not None])
            yield name, formatter.getvalue()


def main() -> int:
    """Write the page, or check it."""
    text = page()
    if "--check" in sys.argv[1:]:
        if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
            print(f"{PAGE.name} is out of date: run tools/generate_cli_docs.py", file=sys.stderr)
            return 1
        return 0
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
