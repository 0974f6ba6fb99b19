"""Groups of commands: what is common to those at the front door and to those below."""

from __future__ import annotations

import click

from mbu_ops.families.names import did_you_mean
from mbu_ops_cli.messages import with_verbosity


class Group(click.Group):
    """A group that says what a mistyped command was meant to be, and whose commands take ``-q`` and ``-v``."""

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """Take a command into the group."""
        super().add_command(with_verbosity(cmd), name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the arguments name."""
        name, known = args[0], self.list_commands(ctx)
        if name not in known and not name.startswith("-") and not ctx.resilient_parsing:
            ctx.fail(f"No such command {name!r}.{did_you_mean(name, known)}")
        return super().resolve_command(ctx, args)
