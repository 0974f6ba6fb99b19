"""``mbu-ops export``: a chain as one file for other programs."""

from __future__ import annotations

from pathlib import Path

import click

from mbu_ops.batch import Existing
from mbu_ops.errors import ConfigurationError
from mbu_ops.frames.aligners import family_to_align
from mbu_ops_cli.commands.chain import parse_guide, parse_steps
from mbu_ops_cli.completion import complete_steps
from mbu_ops_cli.masks import FILE
from mbu_ops_cli.messages import echo, echo_json
from mbu_ops_cli.options import existing_option, family_option, json_option, may_write, method_option
from mbu_ops_cli.steps import StepCommand

_SUFFIXES = (".onnx", ".pt2")


@click.command(cls=StepCommand, short_help="Write a chain as a file for other programs: ONNX.")
@click.argument("steps", nargs=-1, required=True, metavar="STEP...", shell_complete=complete_steps)
@click.option("-o", "--output", "out", type=FILE, required=True, metavar="OUT", help="File to write: *.onnx or *.pt2.")
@family_option
@method_option
@click.option(
    "--guide", "guides", multiple=True, metavar="ATTR=PATH", help="Guide picture of the steps that name none."
)
@click.option("--no-align", is_flag=True, help="Guides are cut to what is found already.")
@click.option("--size", metavar="HxW", help="Height and width of the pictures.  [default: any]")
@click.option("--batch", type=click.IntRange(1, 4096), help="Pictures at a time.  [default: any number]")
@click.option("--mask", is_flag=True, help="Give the mask of what changed as well.")
@click.option("--opset", type=click.IntRange(20, 23), default=20, show_default=True, help="Version of ONNX operators.")
@existing_option
@json_option
def export(
    steps: tuple[str, ...],
    out: Path,
    family: str,
    method: str | None,
    guides: tuple[str, ...],
    no_align: bool,
    size: str | None,
    batch: int | None,
    mask: bool,
    opset: int,
    existing: Existing,
    as_json: bool,
) -> None:
    """Write a chain as one file for other programs: weights, guides and all.

    \b
    STEP is verb:attribute[@guide][,key=value...]
    {verbs}

    \b
    mbu-ops export remove:smile -o remove-smile.onnx            onnxruntime
    mbu-ops export add:glasses@ref.jpg --mask -o glasses.onnx
    mbu-ops export segment:glasses -o glasses.pt2               torch.export.load

    The file takes pictures, (batch, 3, height, width) RGB in [0, 1], float32, of any size, cut to what its weights were
    trained on (faces: the square that mbu-ops finds), and gives them back edited. It is run and compared with the chain
    before it gets its name. ONNX needs pip install 'mbu-ops[export]'.
    """  # noqa: D301 - click's own mark for lines that it must not wrap
    spec = parse_steps(steps)
    guide_paths = dict(parse_guide(guide) for guide in guides)
    sides = _parse_size(size)
    if out.suffix not in _SUFFIXES:
        raise ConfigurationError(f"expected -o to name a file *.onnx or *.pt2, got {str(out)!r}")
    if mask and spec.makes_mask:
        raise ConfigurationError(f"{spec.steps[-1].verb} gives the mask itself: leave --mask out")
    if not may_write(out, existing):
        return
    plans = spec.plan(family, guide_paths, method)
    aligned = None if no_align else family_to_align(plans)
    import mbu_ops
    from mbu_ops.batch.editor import unframed
    from mbu_ops.frames.chains import assemble_on_photos

    op = unframed(assemble_on_photos(plans, aligned))  # the aligner cuts the guides
    found = mbu_ops.export(op, out, size=sides, batch=batch, mask=mask, opset=opset, overwrite=True)
    if as_json:
        echo_json({"output": str(out), "difference": found.difference, "edited": found.edited} | found.description)
        return
    names = [
        f"{port.name} ({', '.join(map(str, port.shape))})" for ports in (found.inputs, found.outputs) for port in ports
    ]
    echo(f"{out}: {', '.join(names[: len(found.inputs)])} -> {', '.join(names[len(found.inputs) :])}")
    echo(
        f"checked against the chain, on pictures of which it edits {found.edited:.0%}: the largest difference is "
        f"{found.difference:.1g} of the range"
    )


def _parse_size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    height, cross, width = text.partition("x")
    if not (cross and all(side.isdecimal() and len(side) < 6 and int(side) > 0 for side in (height, width))):
        raise ConfigurationError(f"expected --size HxW in pixels, as 256x256, got {text!r}")
    return int(height), int(width)
