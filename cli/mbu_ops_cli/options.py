"""Options that several commands share, written once."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mbu_ops._deprecation import Renamed
from mbu_ops.errors import ConfigurationError
from mbu_ops_cli.completion import complete_families, complete_methods
from mbu_ops_cli.messages import log

if TYPE_CHECKING:
    import torch

    from mbu_ops.batch import Existing

DTYPES = ("float32", "float16", "bfloat16", "float64")

family_option = click.option(
    "--family",
    default="faces",
    show_default=True,
    help="Family of the attributes that name none.",
    shell_complete=complete_families,
)
method_option = click.option(
    "--method",
    metavar="NAME",
    help="Use weights of this method.  [default: the family's first]",
    shell_complete=complete_methods,
)
device_option = click.option(
    "--device", default="auto", show_default=True, help="Where to compute: auto, cpu, cuda, cuda:1, mps ..."
)
dtype_option = click.option(
    "--dtype", type=click.Choice(DTYPES), default="float32", show_default=True, help="Number type of the networks."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")


class FiniteRange(click.FloatRange):
    """A range of numbers; unlike click's own it does not take ``nan`` for one of them, nor infinity."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number."""
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return number


EXAMPLES = {"TERM=WEIGHT": "confusion=0.05", "KIND=SHARE": "cut=1", "LABEL=SHARE": "Mouth_Slightly_Open=0.15"}


class Number(click.ParamType[tuple[str, float]]):
    """Text of the form NAME=NUMBER."""

    name = "NAME=NUMBER"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, float]:
        """Return name and number."""
        if isinstance(value, tuple):
            return value
        name, equals, number = str(value).partition("=")
        try:
            return name, float(number if equals else "nothing")
        except ValueError:
            form = param.metavar if isinstance(param, click.Option) and param.metavar else self.name
            raise click.BadParameter(
                f"expected {form}, such as {EXAMPLES.get(form, 'one=1')}, got {value!r}", ctx, param
            ) from None


class BatchSize(click.ParamType[int | None]):
    """``auto`` (None) or a number of pictures."""

    name = "auto|N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        """Return the number, or None."""
        if value is None or value == "auto":
            return None
        if not (str(value).isdecimal() and len(str(value)) < 9) or not 1 <= int(value) <= 1024:
            self.fail(f"expected auto or a number from 1 to 1024, got {value!r}.", param, ctx)
        return int(value)


class Share(click.ParamType[tuple[int, int]]):
    """Which part, counted from 1, of how many: ``2/8``."""

    name = "I/N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """Return both numbers."""
        part, slash, count = str(value).partition("/")
        numbers = [int(one) if one.isdecimal() and len(one) < 9 else 0 for one in (part, count)]
        if not slash or not 1 <= numbers[0] <= numbers[1]:
            self.fail(f"expected I/N with I from 1 to N, such as 2/8, got {value!r}.", param, ctx)
        return numbers[0], numbers[1]


@dataclass(frozen=True, slots=True)
class Compute:
    """How to compute.

    Attributes:
        device: name of the device, or ``auto``.
        dtype: number type of the networks, one of :data:`DTYPES`.
        batch_size: most pictures in a batch; None = as many as memory holds.
    """

    device: str
    dtype: str
    batch_size: int | None


def choose_device(name: str) -> torch.device:
    """Return the device of that name, or the best there is for ``auto``. Imports torch.

    Raises:
        ConfigurationError: if there is no such device here.
    """
    import torch

    if name == "auto":
        return torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device).cpu()
    except (RuntimeError, AssertionError, NotImplementedError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigurationError(f"--device {name} cannot be used here ({reason}); use --device cpu or auto") from None
    return device


def choose_dtype(name: str) -> torch.dtype:
    """Return torch's type of that name, one of :data:`DTYPES`. Imports torch."""
    import torch

    dtype: torch.dtype = getattr(torch, name)
    return dtype


_OVERWRITE = Renamed("--existing overwrite", "0.3.0")


def existing_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command ``--existing``: what to do where a result exists."""

    @functools.wraps(command)
    def with_existing(*args: Any, existing: Existing, overwrite: bool, **options: Any) -> Any:
        if overwrite:
            log.warning(_OVERWRITE.notice("--overwrite"))
        return command(*args, existing="overwrite" if overwrite else existing, **options)

    wrapped: Callable[..., Any] = click.option("--overwrite", is_flag=True, hidden=True)(with_existing)
    return click.option(
        "--existing",
        type=click.Choice(["error", "skip", "overwrite"]),
        default="error",
        show_default=True,
        help="What to do where a result exists.",
    )(wrapped)


def strip_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command ``--strip-metadata`` and ``--strip-gps``: one argument, ``strip``."""
    for name, value, text in (
        ("--strip-gps", "gps", "Leave out of results where photos were taken."),
        ("--strip-metadata", "metadata", "Leave out of results all that EXIF says."),
    ):
        command = click.option(name, "strip", flag_value=value, default=None, help=text)(command)
    return command


def may_write(path: Path, existing: Existing, *inputs: Path | None) -> bool:
    """Return whether a file is to be written; False where one exists and is to be left as it is.

    Args:
        path: the file.
        existing: what to do where it exists.
        inputs: what it is made from, which it may not replace.

    Raises:
        ConfigurationError: if it exists, and nobody said what to do.
        ImageFileError: if it is one of the inputs.
    """
    from mbu_ops.images.outputs import refuse_replacing

    refuse_replacing([given for given in inputs if given is not None], [path])
    if not path.exists() or existing == "overwrite":
        return True
    if existing == "error":
        raise ConfigurationError(f"{str(path)!r} exists already; add --existing overwrite, or skip")
    log.info(f"{path} exists already and was left as it is")
    return False
