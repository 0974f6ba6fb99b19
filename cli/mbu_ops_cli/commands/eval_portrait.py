"""`mbu-ops eval-portrait`: how well portraits are put together from components."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from mbu_ops.errors import ConfigurationError
from mbu_ops_cli.completion import complete_weights
from mbu_ops_cli.eval_setup import note
from mbu_ops_cli.labelled import check_part_count, labelled_source
from mbu_ops_cli.messages import echo, echo_json
from mbu_ops_cli.options import FiniteRange, json_option
from mbu_ops_cli.sources import FOLDER


@click.command(name="eval-portrait", short_help="Measure how well pictures are put together from components.")
@click.option("--labelled", type=FOLDER, required=True, help="Folder of images/ and masks/.")
@click.option("--family", help="Family whose parts the masks show.  [default: faces]")
@click.option(
    "--holdout",
    type=FiniteRange(min=0, max=0.9),
    required=True,
    help="Share that training left out, which is measured.",
)
@click.option(
    "--weights",
    metavar="NAME_OR_PATH",
    shell_complete=complete_weights,
    multiple=True,
    required=True,
    help="Weights to measure; repeatable.",
)
@click.option(
    "--judge",
    metavar="NAME_OR_PATH",
    required=True,
    help="Parser that reads the results: another one than trained them.",
)
@click.option("--pairs", type=click.IntRange(min=4), default=400, show_default=True, help="Pairs of two pictures.")
@click.option("--out", type=FOLDER, help="Folder for sheets: 8 sources by 8 targets, for each thing that is exchanged.")
@json_option
def eval_portrait(
    labelled: Path,
    family: str | None,
    holdout: float,
    weights: tuple[str, ...],
    judge: str,
    pairs: int,
    out: Path | None,
    as_json: bool,
) -> None:
    """Measure how well pictures are put together from components, in the shapes of hand-made masks.

    Reported: PSNR of pictures put together from their own components; how far a parser reads the target's mask off
    results; distances from real pictures; and what changes outside a component that is exchanged.

    \b
    mbu-ops eval-portrait --labelled celebamask/ --holdout 0.125 --weights my-portraits --judge other-parser
    """  # noqa: D301 - click's own mark for lines that it must not wrap
    from mbu_ops import images
    from mbu_ops.evaluation.portrait import measure_portrait, swaps_sheet
    from mbu_ops.ops.parse import Parse
    from mbu_ops.weights import load_pretrained

    if not holdout:
        raise ConfigurationError("expected --holdout above 0: what training has seen tells nothing")
    source = labelled_source(family, (labelled,), holdout)
    parser = Parse.from_pretrained(judge)
    check_part_count(judge, parser.part_count, source.anatomy)
    found = {}
    for number, name in enumerate(weights, 1):
        pretrained = load_pretrained(name, method="portrait", whole=True)
        pictures = source.unseen(pretrained.info.resolution, note)
        assert pictures is not None  # noqa: S101 - with a holdout there are some
        contents = pretrained.info.attributes
        check_part_count(name, Parse(pretrained.model).part_count, source.anatomy)
        found[name] = measure_portrait(pretrained.model, pictures, contents, parser, pairs)
        if out is not None:
            folder = out / f"{number}-{Path(name).stem}" if len(weights) > 1 else out
            for index, content in enumerate(contents):
                sheet = swaps_sheet(pretrained.model, index, pictures.examples(16)[0])
                images.write(folder / f"swap_{content}.png", sheet, overwrite=True)
    if as_json:
        echo_json({name: [asdict(figure) for figure in figures] for name, figures in found.items()})
        return
    for name, figures in found.items():
        echo(name)
        for figure in figures:
            echo(f"  {figure}")
