"""Commands whose options and arguments may stand in a TOML file."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from mbu_ops.files import read_text


class CommandWithSettings(click.Command):
    """A command with an option that names a TOML file: what that says is put before what the command line says.

    So click reads both in the same way: later options replace earlier ones, and those that may be given several times
    add up, as arguments do.
    """

    file_option = "settings"

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the command line, and the file that it names."""
        given, _, _ = self.make_parser(ctx).parse_args(list(args))
        path = given.get(self.file_option)
        return super().parse_args(ctx, [*(self._arguments(ctx, Path(path)) if path else ()), *args])

    @classmethod
    def read(cls, path: str | Path) -> dict[str, Any]:
        """Return what a file says.

        Raises:
            click.BadParameter: if it cannot be read.
        """
        try:
            return tomllib.loads(read_text(Path(path)))
        except (OSError, ValueError) as error:
            raise click.BadParameter(f"--{cls.file_option} {str(path)!r} cannot be read as TOML: {error}") from error

    def _arguments(self, ctx: click.Context, path: Path) -> Iterator[str]:
        settings = self.read(path)
        known = {
            name.removeprefix("--"): parameter
            for parameter in self.get_params(ctx)
            if parameter.name != self.file_option
            for name in parameter.opts
        }
        for name, value in settings.items():
            if name not in known:
                raise click.BadParameter(f"{str(path)!r}: expected options of this command, got {name!r}")
            parameter = known[name]
            adds_up = parameter.multiple or parameter.nargs == -1
            values = value if adds_up and isinstance(value, list) else [value]
            if isinstance(parameter, click.Option) and parameter.is_flag:
                if not isinstance(value, bool):
                    raise click.BadParameter(f"{str(path)!r}: expected true or false for {name}, got {value!r}")
                yield from [f"--{name}"] * value
                continue
            for one in values:
                if isinstance(one, bool) or not isinstance(one, str | int | float):
                    several = " or a list of those" if adds_up else ""
                    raise click.BadParameter(
                        f"{str(path)!r}: expected text or a number{several} for {name}, got {one!r}"
                    )
                yield f"--{name}={one}" if isinstance(parameter, click.Option) else str(one)
