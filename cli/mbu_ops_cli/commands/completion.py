"""``mbu-ops completion``: teach a shell to complete commands, options, steps, attributes and weights."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from mbu_ops_cli import completion as _register  # noqa: F401 - our own form of bash's
from mbu_ops_cli.app import VARIABLE


@click.command(short_help="Print a script that makes a shell complete commands, steps and weights.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print a script that makes a shell complete commands, options, steps, attributes and weights.

    \b
    bash, in ~/.bashrc:                   eval "$(mbu-ops completion bash)"
    zsh, in ~/.zshrc after compinit:      eval "$(mbu-ops completion zsh)"
    fish, in ~/.config/fish/config.fish:  mbu-ops completion fish | source
    """  # noqa: D301 - click's own mark for lines that it must not wrap
    root = click.get_current_context().find_root()
    found = get_completion_class(shell)
    assert found is not None  # noqa: S101 - click knows these three
    click.echo(found(root.command, {}, "mbu-ops", VARIABLE).source())
