"""`mbu-ops parse`: a mask of its parts for each photo."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from mbu_ops.batch import Existing, FilePlan, plan_files
from mbu_ops.errors import ConfigurationError
from mbu_ops_cli.labelled import check_part_count
from mbu_ops_cli.limits import limit_options
from mbu_ops_cli.masks import (
    align_option,
    aligner_of,
    face_option,
    family_of,
    family_option,
    weights_of,
    weights_option,
)
from mbu_ops_cli.messages import log
from mbu_ops_cli.options import choose_device, device_option, existing_option


@click.command(short_help="Tell the parts of photos apart: a mask for each.")
@click.option("-i", "--input", "inputs", multiple=True, required=True, metavar="IN", help="File, folder or pattern.")
@click.option("-o", "--output", "out", required=True, metavar="OUT", help="PNG file, or folder (trees are mirrored).")
@family_option
@weights_option
@face_option
@align_option
@existing_option
@limit_options
@device_option
def parse(
    inputs: tuple[str, ...],
    out: str,
    family: str,
    weights: str | None,
    face: str | None,
    no_align: bool,
    existing: Existing,
    device: str,
) -> int:
    """Tell the parts of photos apart: write a mask for each, a PNG whose palette shows the parts.

    \b
    mbu-ops parse -i photo.jpg -o mask.png        then change the mask in a paint program, and
    mbu-ops edit -i photo.jpg --mask mask.png -o result.jpg
    mbu-ops parse -i photos/ -o masks/ --no-align       masks to train with

    Draw with a hard pencil in the palette's colours: mbu-ops families parts lists them. All that is not in one of
    the places found is background.
    """  # noqa: D301 - click's own mark for lines that it must not wrap
    from mbu_ops_cli.app import OK, SOME_FAILED
    from mbu_ops_cli.commands.chain import parse_face
    from mbu_ops_cli.progress import progress

    if "-" in (*inputs, out):
        raise ConfigurationError("expected files or folders, got -: masks are not piped")
    files = plan_files(inputs, out, makes_mask=True, existing=existing)
    which = parse_face(face, placed=no_align)
    spec, anatomy = family_of(family)
    found = weights_of(spec, anatomy, weights, "parse")
    import torch

    from mbu_ops import images
    from mbu_ops.errors import MBUOpsError
    from mbu_ops.frames.parts import FramedParse
    from mbu_ops.ops.parse import Parse

    place = choose_device(device)
    op = Parse.from_pretrained(found, device=place)
    check_part_count(found, op.part_count, anatomy)
    read = FramedParse(op, aligner_of(spec, no_align, place), which)
    failures, written = [failure.reason for failure in files.refused], 0
    with progress(len(files.todo), "parsing") as advance, torch.inference_mode():
        for job in files.todo:
            try:
                photo = images.read(_known(job.source)).to_tensor()[None].to(place)
                labels = read(photo)[0, 0].cpu().numpy()
                images.write_labels(_known(job.target), labels, anatomy.colours, overwrite=files.overwrite)
            except MBUOpsError as error:  # one picture's trouble must not cost the others
                failures.append(f"{job}: {error}")
            else:
                written += 1
            advance()
    _report(files, written, failures)
    return SOME_FAILED if failures else OK


def _report(files: FilePlan, written: int, failures: Sequence[str]) -> None:
    from mbu_ops_cli.report import not_read

    for reason in failures:
        log.error(reason)
    log.info(f"{written} written, {len(files.skipped)} skipped, {len(failures)} failed{not_read(files.unread)}")


def _known(path: Path | None) -> Path:
    assert path is not None  # noqa: S101 - pipes were refused
    return path
