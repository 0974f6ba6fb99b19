"""`mbu-ops parse`, `edit` and `generate`: masks of parts out of photos, photos to fit masks, pictures from masks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mbu_ops.batch.plan import Existing, plan_files
from mbu_ops.errors import ConfigurationError, ImageFileError
from mbu_ops.families import Anatomy, FamilySpec, get_family
from mbu_ops.families.names import with_article
from mbu_ops.frames.box import Box
from mbu_ops_cli.labelled import check_part_count, labelled_source
from mbu_ops_cli.options import FiniteRange, choose_device, device_option

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from mbu_ops.frames.frame import Aligner

FILE = click.Path(path_type=Path)
family_option = click.option("--family", default="faces", show_default=True, help="Family whose parts masks show.")
weights_option = click.option(
    "--weights", metavar="NAME_OR_PATH", help="Trained weights.  [default: the family's first that can]"
)
face_option = click.option(
    "--face", metavar="all|largest|N", help="Which of the places found; 1 is the largest.  [default: all]"
)
align_option = click.option("--no-align", is_flag=True, help="Look for nothing: the picture is cut to it already.")
existing_option = click.option("--overwrite", is_flag=True, help="Replace the result if it exists.")


@click.command(short_help="Tell the parts of photos apart: a mask for each.")
@click.option("-i", "--input", "inputs", multiple=True, required=True, metavar="IN", help="File, folder or pattern.")
@click.option("-o", "--output", "out", required=True, metavar="OUT", help="PNG file, or folder (trees are mirrored).")
@family_option
@weights_option
@face_option
@align_option
@click.option(
    "--existing",
    type=click.Choice(["error", "skip", "overwrite"]),
    default="error",
    show_default=True,
    help="What to do where a result exists.",
)
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
    from mbu_ops_cli.chain import parse_face
    from mbu_ops_cli.progress import progress

    if "-" in (*inputs, out):
        raise ConfigurationError("expected files or folders, got -: masks are not piped")
    files = plan_files(inputs, out, makes_mask=True, existing=existing)
    which = parse_face(face, placed=no_align)
    spec, anatomy = _family(family)
    found = _weights(spec, anatomy, weights, "parse")
    import torch

    from mbu_ops import images
    from mbu_ops.errors import MBUOpsError
    from mbu_ops.frames.parts import FramedParse
    from mbu_ops.ops.parse import Parse

    place = choose_device(device)
    op = Parse.from_pretrained(found, device=place)
    check_part_count(found, op.part_count, anatomy)
    read = FramedParse(op, _aligner(spec, no_align, place), which)
    failed = 0
    with progress(len(files.todo), "parsing") as advance, torch.inference_mode():
        for job in files.todo:
            try:
                photo = images.read(_known(job.source)).to_tensor()[None].to(place)
                labels = read(photo)[0, 0].cpu().numpy()
                images.write_labels(_known(job.target), labels, anatomy.colours, overwrite=files.overwrite)
            except MBUOpsError as error:  # one picture's trouble must not cost the others
                click.echo(f"mbu-ops: {job}: {error}", err=True)
                failed += 1
            advance()
    click.echo(f"{len(files.todo) - failed} written, {len(files.skipped)} skipped, {failed} failed", err=True)
    return SOME_FAILED if failed else OK


@click.command(short_help="Redraw a photo to fit an edited mask.")
@click.option("-i", "--input", "source", type=FILE, required=True, help="The photo.")
@click.option("--mask", type=FILE, required=True, help="Its mask as parse wrote it, edited: PNG, of the photo's size.")
@click.option("-o", "--output", "out", type=FILE, required=True, help="File to write.")
@family_option
@weights_option
@face_option
@align_option
@existing_option
@device_option
def edit(
    source: Path,
    mask: Path,
    out: Path,
    family: str,
    weights: str | None,
    face: str | None,
    no_align: bool,
    overwrite: bool,
    device: str,
) -> None:
    """Redraw a photo to fit a mask that you edited: hair off the forehead, a wider mouth, raised brows.

    \b
    mbu-ops parse -i photo.jpg -o mask.png
    ... paint in mask.png ...
    mbu-ops edit -i photo.jpg --mask mask.png -o result.jpg

    Only what changed in the mask is redrawn, and a few pixels around it.
    """  # noqa: D301 - click's own mark for lines that it must not wrap
    from mbu_ops_cli.chain import parse_face

    which = parse_face(face, placed=no_align)
    spec, anatomy = _family(family)
    _refuse_existing(out, overwrite)
    found = _weights(spec, anatomy, weights, "edit")
    import torch

    from mbu_ops import images
    from mbu_ops.frames.parts import FramedReshape
    from mbu_ops.ops.reshape import Reshape

    photo = images.read(source)
    labels = _read_mask(mask, anatomy)
    if tuple(labels.shape[-2:]) != (photo.height, photo.width):
        raise ImageFileError(
            f"{mask}: expected a mask of the photo's size, {photo.width} x {photo.height}, got {labels.shape[-1]} x "
            f"{labels.shape[-2]}: edit the one that mbu-ops parse writes for this photo"
        )
    place = choose_device(device)
    op = Reshape.from_pretrained(found, device=place)
    check_part_count(found, op.part_count, anatomy)
    redraw = FramedReshape(op, _aligner(spec, no_align, place), which)
    with torch.inference_mode():
        result = redraw(photo.to_tensor()[None].to(place), labels.to(place))[0].cpu()
    images.write(out, result, photo, overwrite=overwrite)
    click.echo(str(out))


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
    overwrite: bool,
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
    spec, anatomy = _family(family)
    found = _weights(spec, anatomy, weights, "generate")
    if mask is None:
        for option, value in {"--like": like, "--guide": guide, "--background": background}.items():
            if value is not None:
                raise ConfigurationError(f"--labelled brings its own looks and backgrounds: leave {option} out")
        _generate_many(spec, found, labelled, holdout, count, seed, out, device)
        return
    if holdout or count is not None:
        raise ConfigurationError("--holdout and --count go with --labelled")
    _refuse_existing(out, overwrite)
    import torch

    from mbu_ops import images
    from mbu_ops.errors import FrameError, WeightsError
    from mbu_ops.ops.reshape import Generate

    place = choose_device(device)
    labels = _read_mask(mask, anatomy).to(place)
    op = Generate.from_pretrained(found, device=place)
    check_part_count(found, op.part_count, anatomy)
    drawn = torch.tensor([number is not None for number in anatomy.part_components])[labels.cpu().long()]
    if (share := float(drawn.float().mean())) < _LEAST_SHARE:
        click.echo(
            f"note: only {share:.0%} of {mask.name} is to be drawn; masks are expected to be cut to the frame that "
            f"{spec.name} are drawn in, as `mbu-ops parse --no-align` makes of pictures that are cut to it",
            err=True,
        )
    with torch.inference_mode():
        if like is not None:
            photo = images.read(like).to_tensor()[None].to(place)
            places = _aligner(spec, no_align, place).find(photo)
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
    images.write(out, picture, overwrite=overwrite)
    click.echo(str(out))


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
    pictures = source.training(max(op.frame_size), lambda line: click.echo(line, err=True))
    wanted = count or len(pictures.pixels)
    with progress(wanted, "drawing") as advance:
        write_generated(op, pictures, out, wanted, seed, advance)
    click.echo(str(out))


def _family(name: str) -> tuple[FamilySpec, Anatomy]:
    spec = get_family(name)
    if spec.anatomy is None:
        raise ConfigurationError(
            f"the family {spec.name!r} names no parts that masks could show: choose another --family"
        )
    return spec, spec.anatomy


def _weights(family: FamilySpec, anatomy: Anatomy, given: str | None, verb: str) -> str:
    """Return the weights' name, and make sure that there are such."""
    from mbu_ops.weights import resolve

    if given is None and verb != "parse" and not anatomy.whole:
        raise ConfigurationError(f"the family {family.name!r} has no name for all components: give --weights")
    name = given or f"{family.name}/{anatomy.whole if verb != 'parse' else anatomy.names[0]}"
    resolve(name, verb=verb)
    return name


def _aligner(family: FamilySpec, no_align: bool, device: torch.device) -> Aligner:
    from mbu_ops.frames.aligners import GuardedAligner, aligner

    if no_align or family.aligner is None:
        return _Everything()
    return GuardedAligner(family, aligner(family, device))


class _Everything:
    """Finds the whole picture."""

    def find(self, image: Tensor) -> list[Any]:
        """Return a box around all of it."""
        return [Box(0, 0, image.shape[-1], image.shape[-2])]


_LEAST_SHARE = 0.1
"""Of a mask that is cut to its frame, components cover more: of 99 in 100 of CelebAMask-HQ, 31% and up."""


def _read_mask(path: Path, anatomy: Anatomy) -> Tensor:
    import torch

    from mbu_ops import images

    return torch.from_numpy(images.read_labels(path, anatomy.colours))[None, None]


def _refuse_existing(path: Path, overwrite: bool) -> None:
    if path.exists() and not overwrite:
        raise ConfigurationError(f"{str(path)!r} exists already; add --overwrite")


def _known(path: Path | None) -> Path:
    assert path is not None  # noqa: S101 - pipes were refused
    return path
