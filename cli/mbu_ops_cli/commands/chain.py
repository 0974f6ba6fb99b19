"""``mbu-ops chain``: edit pictures, one edit after another."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mbu_ops.batch import FilePlan, Report, plan_files
from mbu_ops.batch.job import PIPE
from mbu_ops.batch.plan import Existing, Shard
from mbu_ops.errors import ChainSyntaxError, ConfigurationError
from mbu_ops.frames.aligners import family_to_align
from mbu_ops.frames.box import Box
from mbu_ops.frames.choice import USUAL_VIEWS
from mbu_ops.ops.chain import ChainSpec
from mbu_ops.video.limits import MAX_FRAMES
from mbu_ops_cli.app import OK, SOME_FAILED
from mbu_ops_cli.completion import complete_files, complete_steps
from mbu_ops_cli.limits import limit_options
from mbu_ops_cli.options import (
    BatchSize,
    Compute,
    Share,
    choose_device,
    choose_dtype,
    device_option,
    dtype_option,
    existing_option,
    family_option,
    json_option,
    method_option,
    strip_option,
)
from mbu_ops_cli.pipes import check_stdout, refuse_unnamed_pipe
from mbu_ops_cli.progress import progress_with_frames
from mbu_ops_cli.report import show_plan, show_report
from mbu_ops_cli.steps import StepCommand

if TYPE_CHECKING:
    from mbu_ops.families import FamilySpec
    from mbu_ops.frames.choice import Which
    from mbu_ops.images.file import Strip
    from mbu_ops.ops.plan import StepPlan


@dataclass(frozen=True, slots=True)
class _Editing:
    box: Box | None
    family: FamilySpec | None
    which: Which
    views: int
    small: bool
    compile: bool
    steady: bool
    max_frames: int


@click.command(cls=StepCommand, short_help="Edit pictures: remove:smile add:glasses ...")
@click.argument("steps", nargs=-1, required=True, metavar="STEP...", shell_complete=complete_steps)
@click.option(
    "-i",
    "--input",
    "inputs",
    multiple=True,
    metavar="IN",
    help="File, folder, quoted pattern or - (stdin).",
    shell_complete=complete_files,
)
@click.option(
    "-o",
    "--output",
    "out",
    metavar="OUT",
    help="File, folder, pattern such as out/{stem}-new.{ext}, or - (stdout).",
    shell_complete=complete_files,
)
@click.option(
    "--format",
    metavar="FORMAT",
    help="Format of all pictures: jpg, png, webp, tiff, bmp, avif or heic.  [default: each input's]",
)
@click.option(
    "--quality",
    type=click.IntRange(1, 100),
    help="Of JPEG, WebP, AVIF, HEIC and video results.  [default: the input's, or the format's own]",
)
@click.option(
    "--recipe",
    metavar="FILE.toml",
    expose_value=False,
    help="Steps and options of this command, by their names; those of the command line come after them.",
    shell_complete=complete_files,
)
@family_option
@method_option
@click.option(
    "--guide", "guides", multiple=True, metavar="ATTR=PATH", help="Guide picture of the steps that name none."
)
@click.option(
    "--face", metavar="all|largest|N", help="Which of the places found to edit; 1 is the largest.  [default: all]"
)
@click.option(
    "--views",
    type=click.IntRange(1, 6),
    help=f"Views of each place to edit and average: 1 is the fastest, more are steadier.  [default: {USUAL_VIEWS}]",
)
@click.option("--no-align", is_flag=True, help="Look for nothing: the pictures are cut to what is found.")
@click.option("--small-faces", is_flag=True, help="Look for small ones too, as in crowds: a longer search.")
@click.option("--frame", metavar="L,T,R,B", help="Edit only this box of every picture, in pixels.")
@click.option("--save-mask", is_flag=True, help="Write what changed beside each result, as NAME.mask.png.")
@click.option("--save-boxes", is_flag=True, help="Write what was found beside each result, as NAME.boxes.json.")
@strip_option
@click.option("--no-steady", is_flag=True, help="Edit every frame of a video or an animation as a photo of its own.")
@click.option(
    "--max-frames",
    type=click.IntRange(1),
    default=MAX_FRAMES,
    show_default=True,
    help="Refuse longer videos and animations.",
)
@existing_option
@click.option(
    "--shard", type=Share(), metavar="I/N", help="Only the I-th of N parts of the pictures: one for each machine."
)
@click.option("--dry-run", is_flag=True, help="Check everything, say what would be done, do nothing.")
@json_option
@limit_options
@device_option
@dtype_option
@click.option("--compile", "compiled", is_flag=True, help="Compile the networks: pays for thousands of pictures.")
@click.option(
    "--batch-size",
    type=BatchSize(),
    default="auto",
    show_default=True,
    help="Pictures at a time; auto is one on the CPU, elsewhere as many as memory holds, up to 16. On the CPU a photo "
    "in which places are edited is always alone.",
)
def chain(
    steps: tuple[str, ...],
    inputs: tuple[str, ...],
    out: str | None,
    format: str | None,
    quality: int | None,
    family: str,
    method: str | None,
    guides: tuple[str, ...],
    face: str | None,
    views: int | None,
    no_align: bool,
    small_faces: bool,
    frame: str | None,
    save_mask: bool,
    save_boxes: bool,
    no_steady: bool,
    max_frames: int,
    existing: Existing,
    shard: Shard | None,
    strip: Strip | None,
    dry_run: bool,
    as_json: bool,
    device: str,
    dtype: str,
    compiled: bool,
    batch_size: int | None,
) -> int:
    """Edit pictures and videos, one edit after another.

    \b
    STEP is verb:attribute[@guide][,key=value...]
    {verbs}

    An attribute may be family/attribute, or the path of weights you trained (add:./my-hats).

    \b
    Options of a step:
    {options}

    \b
    mbu-ops chain adjust:smile,strength=0.6 adjust:hair_women,strength=-0.4   the demo
    mbu-ops chain remove:smile -i photo.jpg -o result.jpg
    mbu-ops chain add:glasses@ref.jpg -i photos -o results --existing skip
    mbu-ops chain remove:smile -i photos -o 'results/{stem}-serious.{ext}' --format jpg --quality 90
    mbu-ops chain remove:glasses -i clip.mp4 -o result.mp4
    cat photo.jpg | mbu-ops chain remove:glasses -i - -o - > result.jpg

    A family that finds its own in photos (faces does) edits all of them where they are; a photo without any fails,
    and the rest go on. --no-align edits whole pictures, which must be cut to the very square that is found in photos;
    --frame edits one box of each, as --frame 4,36,174,206 those of CelebA (178x218). Guides are photos too: the largest
    place in them counts. Weights of a family that looks for nothing (handbags), or of none, edit whole pictures.

    Videos (MP4, MOV, MKV, WebM; extra video) and animated GIF, WebP and PNG files are edited face by face through their
    frames, so that nothing flickers; sound stays. A run that was stopped goes on where it was: give the same command.

    A chain that is used again is kept in a file: mbu-ops chain --recipe look.toml -i photos -o results, where look.toml
    says steps = ["remove:smile", "add:glasses@ref.jpg"] and what else it needs, such as views = 2.

    Without -i, a picture that comes with the family is edited and mbu-ops-demo.png shows every step.
    """  # noqa: D301 - click wants the control character
    spec = parse_steps(steps)
    guide_paths = dict(parse_guide(guide) for guide in guides)
    box = Box.parse(frame) if frame is not None else None
    which = parse_face(face, placed=no_align or box is not None)
    if no_align and box is not None:
        raise ConfigurationError("--frame says where to edit already: leave --no-align out")
    if save_mask and spec.makes_mask:
        raise ConfigurationError(f"{spec.steps[-1].verb} writes the mask itself: leave --save-mask out")
    if not inputs and out is not None:
        raise ConfigurationError("expected -i IN with -o OUT: a file, a folder, a quoted pattern or - for stdin")
    if not inputs:
        _refuse_in_demo(
            {
                "--format": format,
                "--quality": quality,
                "--face": face,
                "--views": views,
                "--no-align": no_align,
                "--small-faces": small_faces,
                "--shard": shard,
                "--frame": frame,
                "--save-mask": save_mask,
                "--save-boxes": save_boxes,
                f"--strip-{strip}": strip,
                "--no-steady": no_steady,
                "--compile": compiled,
            }
        )
    demo = not inputs
    files = FilePlan(())
    if demo:
        refuse_unnamed_pipe(sys.stdin)
    else:
        if out is None and PIPE not in inputs:
            raise ConfigurationError("expected -o OUT, a folder or a file for the results, got none")
        files = plan_files(
            inputs,
            PIPE if out is None else out,
            format=format,
            quality=quality,
            makes_mask=spec.makes_mask,
            save_mask=save_mask,
            save_boxes=save_boxes,
            existing=existing,
            shard=shard,
            strip=strip,
            keep=(*spec.guide_paths, *guide_paths.values()),
        )
        check_stdout(files, as_json)
    plans = spec.plan(family, guide_paths, method)
    aligned = None if no_align or box is not None else family_to_align(plans)
    searching = {"--save-boxes": save_boxes, "--face": face, "--small-faces": small_faces, "--views": views and not box}
    if aligned is None and (option := next((name for name, given in searching.items() if given), None)):
        raise ConfigurationError(f"{option} needs photos to be searched, and these steps search none: leave it out")
    if dry_run:
        show_plan(plans, files, demo, as_json)
        return OK
    compute = Compute(device, dtype, batch_size)
    if demo:
        from mbu_ops_cli.demo import run_demo

        return run_demo(plans, family, compute, as_json)
    started = time.perf_counter()
    editing = _Editing(box, aligned, which, views or USUAL_VIEWS, small_faces, compiled, not no_steady, max_frames)
    if files.todo:
        report = _run(plans, files, compute, editing)
    else:
        report = Report(failed=files.refused, skipped=files.skipped, unread=files.unread)
    done = ChainSpec(tuple(plan.step for plan in plans))  # what was asked, with the commits of weights on a hub
    show_report(done, report, time.perf_counter() - started, as_json)
    return SOME_FAILED if report.failed else OK


def parse_steps(steps: Sequence[str]) -> ChainSpec:
    """Read the steps of a command line.

    Raises:
        ChainSyntaxError: if one does not follow the grammar, or is a file.
    """
    try:
        return ChainSpec.parse(steps)
    except ChainSyntaxError as error:
        stray = next((step for step in steps if Path(step).exists()), None)
        if stray is None:
            raise
        raise ChainSyntaxError(
            f"{error}\n{stray!r} is a file, not a step: give each input an -i of its own, or quote the pattern "
            "(-i 'photos/*.jpg')"
        ) from None


def parse_guide(text: str) -> tuple[str, str]:
    """Read ``--guide``: an attribute and a path.

    Raises:
        ConfigurationError: if it is anything else.
    """
    attribute, equals, path = text.partition("=")
    if not (attribute and equals and path):
        raise ConfigurationError(f"expected --guide ATTR=PATH, as in glasses=ref.jpg, got {text!r}")
    return attribute, path


def _refuse_in_demo(options: Mapping[str, object]) -> None:
    given = [name for name, value in options.items() if value]
    if given:
        raise ConfigurationError(f"the demo edits its own picture in its own way: {given[0]} needs -i")


def parse_face(text: str | None, placed: bool) -> Which:
    """Read ``--face``.

    Args:
        text: what was given.
        placed: whether photos are not searched.

    Raises:
        ConfigurationError: if it is none of the choices, or there is nothing to choose from.
    """
    if text is not None and placed:
        raise ConfigurationError("--face chooses among what is found: leave --no-align and --frame out")
    if text in (None, "all"):
        return "all"
    if text == "largest":
        return "largest"
    if text is not None and text.isdecimal() and len(text) < 9 and 1 <= int(text) <= 9999:
        return int(text)
    raise ConfigurationError(f"expected --face all, largest or a number from 1 (the largest), got {text!r}")


def _run(plans: Sequence[StepPlan], files: FilePlan, compute: Compute, editing: _Editing) -> Report:
    # torch's threads would spin while they wait, on the cores that decode and encode; read when torch is imported
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    device, dtype = choose_device(compute.device), choose_dtype(compute.dtype)
    from mbu_ops.batch import edit_planned
    from mbu_ops.frames.chains import assemble_on_photos

    op = assemble_on_photos(
        plans,
        editing.family,
        editing.box,
        which=editing.which,
        views=editing.views,
        small=editing.small,
        device=device,
        dtype=dtype,
        compile=editing.compile,
    )
    with progress_with_frames([job.clip for job in files.todo], "editing") as (advance, frames):
        try:
            return edit_planned(
                op,
                files,
                compute.batch_size,
                lambda *_: advance(),
                steady=editing.steady,
                max_frames=editing.max_frames,
                frames=frames,
            )
        except RuntimeError as error:
            if not editing.compile or not type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
                raise
            reason = str(error).strip().splitlines()[0]
            raise ConfigurationError(
                f"--compile failed ({reason}): install a C++ compiler, or leave --compile out"
            ) from error
