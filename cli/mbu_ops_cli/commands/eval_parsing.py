"""`mbu-ops eval-parsing`: how well the parts of pictures are told apart."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from mbu_ops_cli.completion import complete_weights
from mbu_ops_cli.eval_setup import note
from mbu_ops_cli.labelled import check_part_count, labelled_source
from mbu_ops_cli.messages import echo, echo_json
from mbu_ops_cli.options import FiniteRange, json_option
from mbu_ops_cli.sources import FOLDER


@click.command(name="eval-parsing", short_help="Measure how well the parts of pictures are told apart.")
@click.option("--labelled", type=FOLDER, required=True, help="Folder of images/ and masks/.")
@click.option("--family", help="Family whose parts the masks show.  [default: faces]")
@click.option(
    "--holdout",
    type=FiniteRange(min=0, max=0.9),
    default=0.0,
    show_default=True,
    help="Share that training left out: only those are measured; 0 measures all.",
)
@click.option(
    "--weights",
    metavar="NAME_OR_PATH",
    shell_complete=complete_weights,
    multiple=True,
    required=True,
    help="Weights to measure; repeatable.",
)
@click.option("--resolution", type=click.IntRange(16, 1024), default=256, show_default=True, help="Side to measure at.")
@click.option("--sheet", type=FOLDER, help="PNG to write: pictures, their masks, and what each of the weights found.")
@json_option
def eval_parsing(
    labelled: Path,
    family: str | None,
    holdout: float,
    weights: tuple[str, ...],
    resolution: int,
    sheet: Path | None,
    as_json: bool,
) -> None:
    """Measure how well networks tell the parts of pictures apart: right pixels, and overlaps (IoU) of the parts.

    Pictures are resized to --resolution, the networks see them at their own size, and their answers are enlarged again.

    \b
    mbu-ops eval-parsing --labelled celebamask/ --holdout 0.125 --weights faces/skin/parsing-lite
    """  # noqa: D301 - click's own mark for lines that it must not wrap
    import torch

    from mbu_ops import images
    from mbu_ops.evaluation.parsing import measure_parsing
    from mbu_ops.functional.grid import grid
    from mbu_ops.functional.palette import palette_image
    from mbu_ops.images.formats import format_of
    from mbu_ops.ops.parse import Parse

    if sheet is not None:
        format_of(sheet)  # raises now rather than after measuring
    source = labelled_source(family, (labelled,), holdout)
    networks = {name: Parse.from_pretrained(name) for name in weights}
    for name, parse in networks.items():
        check_part_count(name, parse.part_count, source.anatomy)
    pictures = source.unseen(resolution, note) if holdout else source.training(resolution, note)
    assert pictures is not None  # noqa: S101 - with a holdout there are some
    found = {name: measure_parsing(parse.labels, pictures) for name, parse in networks.items()}
    if sheet is not None:
        palette = torch.tensor(source.anatomy.colours) / 255
        shown = pictures.pixels[:8].float() / 255
        rows = [shown, palette_image(pictures.labels[:8], palette)]
        rows += [palette_image(parse.labels(shown), palette) for parse in networks.values()]
        images.write(sheet, grid(rows), overwrite=True)
    if as_json:
        echo_json({name: asdict(figures) for name, figures in found.items()})
        return
    for name, figures in found.items():
        echo(name)
        for figure in (figures.accuracy, figures.mean_overlap, *figures.overlaps):
            echo(f"  {figure}")
