"""A command whose options depend on the method that it trains."""

from __future__ import annotations

from typing import Any

import click

from mbu_ops_cli.settings import CommandWithSettings

DEFAULT = "mbu"
_METHOD = "mbu_ops.method"


class TrainCommand(CommandWithSettings):
    """The command: beside its own options it takes those of the method that the command line, or a file, names.

    So it does not import a method, and torch, before one is named.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Find out which method is meant, then read all options."""
        method = self.recognise(ctx, args)
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            text = f"Method {method} has no option {error.option_name}: mbu-ops train --method {method} --help."
            raise click.NoSuchOption(error.option_name, text, error.possibilities, ctx) from None

    def recognise(self, ctx: click.Context, args: list[str]) -> str | None:
        """Take the options of the method that is meant; return its name, or None where help of all is wanted."""
        method = self._named(args) or (None if {"--help", "-h"} & set(args) else DEFAULT)
        ctx.meta[_METHOD] = method
        return method

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return the command's own options, and the method's."""
        params = super().get_params(ctx)
        if method := ctx.meta.get(_METHOD):
            at = next(index for index, one in enumerate(params) if one.name == "quiet")
            params = [*params[:at], *method_options(method), *params[at:]]
        return params

    def _named(self, args: list[str]) -> str | None:
        """Return the method that is named on the command line, or else in a settings file."""
        named = _last(args, "--method")
        if named is None and (path := _last(args, "--settings")) is not None:
            named = self.read(path).get("method")
        return None if named is None else str(named)


def method_options(name: str) -> list[click.Option]:
    """Return the options that a method has beside those of all; imports the method, and torch.

    Raises:
        ConfigurationError: if there is no such method, or it cannot be trained here.
    """
    from mbu_ops.methods import get_method
    from mbu_ops.objectives import objective_of
    from mbu_ops.training.making import PairOptions
    from mbu_ops_cli.option_fields import options_of

    method = get_method(name)
    found = options_of(objective_of(method).options)
    if "pairs" in method.info.aids:
        sheet = click.Option(
            ["--preview"], is_flag=True, help="Write a sheet of pairs to pairs.png in --out, and train nothing."
        )
        found += [*options_of(PairOptions), sheet]
    if "parser" in method.info.aids:
        found.append(
            click.Option(["--parser"], metavar="NAME_OR_PATH", help="Trained parser.  [default: the family's own]")
        )
    return found


def _last(args: list[str], option: str) -> Any:
    """Return the last value of an option in arguments that nobody has read yet."""
    found = None
    for index, word in enumerate(args):
        if word == option and index + 1 < len(args):
            found = args[index + 1]
        elif word.startswith(f"{option}="):
            found = word.partition("=")[2]
    return found
