"""`mbu-ops generate`: pictures out of masks."""

from __future__ import annotations

from pathlib import Path

import click

from mbu_ops.batch import Existing
from mbu_ops.errors import ConfigurationError
from mbu_ops.families import FamilySpec
from mbu_ops.families.names import with_article
from mbu_ops_cli.labelled import check_part_count, labelled_source
from mbu_ops_cli.limits import limit_options
from mbu_ops_cli.masks import (
    FILE,
    align_option,
    aligner_of,
    family_of,
    family_option,
    read_mask,
    weights_of,
    weights_option,
)
from mbu_ops_cli.messages import echo, log
from mbu_ops_cli.options import FiniteRange, choose_device, device_option, existing_option, may_write

_LEAST_SHARE = 0.1
"""Of a mask that is cut to its frame, components cover more: of 99 in 100 of CelebAMask-HQ, 31% and up."""


@click.command(short_help="Make pictures from masks.")
@click.option("--mask", type=FILE, help="PNG in the palette of the family's parts, cut to one frame.")
@click.option(
    "--labelled",
    type=FILE,
    help="Folder of images/ and masks/ instead: writes such a folder, with the masks and backgrounds of some pictures "
    "and the looks of others.",
)
@click.option(
    "--holdout",
    type=FiniteRange(min=0, max=0.9),
    default=0.0,
    show_default=True,
    help="Share of --labelled that training leaves out, and that is left out here.",
)
@click.option("--count", type=click.IntRange(min=1), help="Pictures to make of --labelled.  [default: one a mask]")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the looks for --labelled.")
@click.option("-o", "--output", "out", type=FILE, required=True, help="File to write; with --labelled, a folder.")
@click.option("--like", type=FILE, help="Photo to look like; what is largest in it counts.")
@click.option("--guide", type=click.IntRange(min=0), help="Number of a default look instead.  [default: 0]")
@click.option("--background", type=FILE, help="Picture, cut as the mask is, whose background to take.  [default: grey]")
@family_option
@weights_option
@align_option
@existing_option
@limit_options
@device_option
def generate(
    mask: Path | None,
    labelled: Path | None,
    holdout: float,
    count: int | None,
    seed: int,
    out: Path,
    like: Path | None,
    guide: int | None,
    background: Path | None,
    family: str,
    weights: str | None,
    no_align: bool,
    existing: Existing,
    device: str,
) -> None:
    """Make a picture from a mask: its shapes, and the look of a photo or of one of the looks that the weights hold.

    With --labelled, make many: more pictures to train a parser with.

    \b
    mbu-ops generate --mask mask.png -o face.png
    mbu-ops generate --mask mask.png --like photo.jpg -o face.png
    mbu-ops generate --labelled celebamask/ --holdout 0.125 -o generated/

    Without --no-align the look is that of the largest place found in --like, cut to its frame.
    """  # noqa: D301 - click's own mark for lines that it must not wrap
    if like is not None and guide is not None:
        raise ConfigurationError("expected --like PHOTO or --guide N, got both; leave one out")
    if (mask is None) == (labelled is None):
        raise ConfigurationError("expected --mask FILE or --labelled FOLDER, one of the two")
    spec, anatomy = family_of(family)
    found = weights_of(spec, anatomy, weights, "generate")
    if mask is None:
        for option, value in {"--like": like, "--guide": guide, "--background": background}.items():
            if value is not None:
                raise ConfigurationError(f"--labelled brings its own looks and backgrounds: leave {option} out")
        _generate_many(spec, found, labelled, holdout, count, seed, out, device)
        return
    if holdout or count is not None:
        raise ConfigurationError("--holdout and --count go with --labelled")
    if not may_write(out, existing, mask, like, background):
        return
    import torch

    from mbu_ops import images
    from mbu_ops.errors import FrameError, WeightsError
    from mbu_ops.ops.reshape import Generate

    place = choose_device(device)
    labels = read_mask(mask, anatomy).to(place)
    op = Generate.from_pretrained(found, device=place)
    check_part_count(found, op.part_count, anatomy)
    drawn = torch.tensor([number is not None for number in anatomy.part_components])[labels.cpu().long()]
    if (share := float(drawn.float().mean())) < _LEAST_SHARE:
        log.warning(
            f"only {share:.0%} of {mask.name} is to be drawn; masks are expected to be cut to the frame that "
            f"{spec.name} are drawn in, as `mbu-ops parse --no-align` makes of pictures that are cut to it"
        )
    with torch.inference_mode():
        if like is not None:
            photo = images.read(like).to_tensor()[None].to(place)
            places = aligner_of(spec, no_align, place).find(photo)
            if not places:
                raise FrameError(
                    f"{like}: expected {with_article(spec.noun)}, found none; choose another photo, or --no-align"
                )
            code = op.encode(places[0].cut(photo))
        else:
            count = 0 if op.guides is None else len(op.guides)
            if op.guides is None or (guide or 0) >= count:
                raise WeightsError(
                    f"{found} holds {count} default looks, numbered from 0, got {guide or 0}: use --like"
                )
            code = op.guides[guide or 0 : (guide or 0) + 1]
        behind = None if background is None else images.read(background).to_tensor()[None].to(place)
        picture = op(labels, code, behind)[0].cpu()
    images.write(out, picture, overwrite=existing == "overwrite")
    echo(str(out))


def _generate_many(
    family: FamilySpec,
    weights: str,
    folder: Path | None,
    holdout: float,
    count: int | None,
    seed: int,
    out: Path,
    device: str,
) -> None:
    from mbu_ops.ops.reshape import Generate
    from mbu_ops.training.generated import write_generated
    from mbu_ops_cli.progress import progress

    assert folder is not None  # noqa: S101 - the caller saw to it
    op = Generate.from_pretrained(weights, device=choose_device(device))
    source = labelled_source(family.name, (folder,), holdout)
    check_part_count(weights, op.part_count, source.anatomy)
    pictures = source.training(max(op.frame_size), log.info)
    wanted = count or len(pictures.pixels)
    with progress(wanted, "drawing") as advance:
        write_generated(op, pictures, out, wanted, seed, advance)
    echo(str(out))
