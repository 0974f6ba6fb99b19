"""`mbu-ops eval-blind`, or `eval --blind`: real and edited pictures to tell apart by eye, and the count of answers."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from mbu_ops.data import Source
from mbu_ops.errors import ChainSyntaxError, ConfigurationError
from mbu_ops.files import sha256_of
from mbu_ops.frames.aligners import family_to_align
from mbu_ops.frames.choice import USUAL_VIEWS
from mbu_ops.ops.chain import ChainSpec
from mbu_ops_cli.eval_setup import note
from mbu_ops_cli.messages import echo, echo_json
from mbu_ops_cli.options import FiniteRange, choose_device, device_option, family_option, json_option
from mbu_ops_cli.progress import progress
from mbu_ops_cli.sources import FOLDER, source_of

if TYPE_CHECKING:
    from mbu_ops.evaluation.blind import Camera, Photo
    from mbu_ops.families import FamilySpec
    from mbu_ops.ops.plan import StepPlan

Side = Literal["with", "without"]


@click.command(name="eval-blind", short_help="Real and edited pictures to tell apart by eye.")
@click.option(
    "--step",
    "steps",
    metavar="STEPS",
    multiple=True,
    help="An edit to judge, as chain takes it, several steps in quotes; repeatable, to compare edits.",
)
@click.option(
    "--with", "with_", type=FOLDER, multiple=True, help="Photos with the content: folder or quoted pattern; repeatable."
)
@click.option("--without", type=FOLDER, multiple=True, help="Photos without it.")
@click.option("--data", type=FOLDER, multiple=True, help="In their place a folder in CelebA's layout; repeatable.")
@click.option("--attribute", help="Says which pictures of --data show the content.")
@click.option(
    "--only", metavar="LABEL", multiple=True, help="Only pictures of --data with this label, or without as '!Male'."
)
@click.option(
    "--partition",
    type=click.Choice(["validation", "test"]),
    default="validation",
    show_default=True,
    help="Of --data.",
)
@click.option(
    "--holdout",
    type=FiniteRange(min=0, max=0.9),
    default=0.0,
    help="Share of --with and --without that training left out.",
)
@click.option(
    "--edit",
    "edited",
    type=click.Choice(["with", "without"]),
    help="Which photos are edited; the others stay real.  [default: with for remove:, without for add:]",
)
@family_option
@click.option("--frame", metavar="NAME", help="Which of the family's frames to show.  [default: its first, the face]")
@click.option("--no-align", is_flag=True, help="Look for nothing in --with and --without: they are cut to the frame.")
@click.option(
    "--count",
    type=click.IntRange(min=1),
    default=12,
    show_default=True,
    help="Pictures with each edit; there are as many real ones.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    help="Of the choice and the order, to make a sheet again.  [default: a new one; the key says which]",
)
@click.option("--out", type=FOLDER, help="Folder for the pictures, sheet.png and page.html; it must not be there yet.")
@click.option("--key", type=FOLDER, help="File that says which pictures are real.  [default: OUT-key.json, beside OUT]")
@click.option("--answers", type=FOLDER, help="Count these answers by --key: answers.json of the page, or answers.txt.")
@device_option
@json_option
def eval_blind(answers: Path | None, key: Path | None, out: Path | None, as_json: bool, **others: Any) -> None:
    """Show real and edited pictures, shuffled, and count how often somebody tells them apart.

    \b
    mbu-ops eval-blind --step remove:smile --with smiling/ --without serious/ --out blind
    mbu-ops eval-blind --step add:glasses --attribute glasses --data celeba/ --out blind
    mbu-ops eval-blind --answers answers.json --key blind-key.json

    Open blind/page.html and answer with the keys R and E, or look at blind/sheet.png and fill in blind/answers.txt;
    the key is not in that folder. Pictures have the photos' own pixels, and real ones are cut and written as edited
    ones are. Nobody is shown twice: 001_smile.jpg and 001_neutral.jpg are one person, or what CelebA's list says.
    An edit that nobody can see is called edited no more often than real photos are.
    """  # noqa: D301 - click's own mark for lines that it must not wrap
    if answers is not None:
        given = [option for option, value in {"--out": out, "--step": others["steps"]}.items() if value]
        if key is None or given:
            raise ConfigurationError(
                f"--answers are counted by the --key of their sheet: {f'leave {given[0]} out' if given else 'give it'}"
            )
        return _count(answers, key, as_json)
    if out is None or not others["steps"]:
        raise ConfigurationError("expected --step and --out to make a sheet, or --answers and --key to count answers")
    key = key or out.absolute().with_name(f"{out.absolute().name}-key.json")
    for path in (out, key):
        if path.exists():
            raise ConfigurationError(f"{str(path)!r} exists already: remove it, or name another")
    if key.resolve().is_relative_to(out.resolve()):
        raise ConfigurationError(f"--key {str(key)!r} lies in --out, beside the pictures: keep it elsewhere")
    _make(out, key, as_json, **others)
    return None


def _count(answers: Path, path: Path, as_json: bool) -> None:
    from mbu_ops.evaluation.blind import Key, read_answers, score

    key = Key.read(path)
    given = read_answers(answers, key)
    figures = score(key, given)
    if as_json:
        pictures = {name: {**picture, "answer": given[name]} for name, picture in key.pictures.items()}
        echo_json({"sheet": key.sheet, "figures": [asdict(figure) for figure in figures], "pictures": pictures})
    else:
        echo("\n".join(map(str, figures)))


def _make(
    out: Path,
    path: Path,
    as_json: bool,
    *,
    steps: Sequence[str],
    with_: tuple[Path, ...],
    without: tuple[Path, ...],
    data: tuple[Path, ...],
    attribute: str | None,
    only: tuple[str, ...],
    partition: Literal["validation", "test"],
    holdout: float,
    edited: Side | None,
    family: str,
    frame: str | None,
    no_align: bool,
    count: int,
    seed: int | None,
    device: str,
) -> None:
    specs = {str(spec): spec for spec in map(ChainSpec.parse, steps)}
    if len(specs) < len(steps):
        raise ConfigurationError("expected a --step of each kind once, got one twice; leave it out")
    for name, spec in specs.items():
        if spec.makes_mask:
            raise ChainSyntaxError(f"{name!r} makes a mask, and the eye judges pictures: leave it out")
    plans = {name: spec.plan(family) for name, spec in specs.items()}
    aligned = family_to_align([plan for some in plans.values() for plan in some])
    if not data and not (with_ and without):
        raise ConfigurationError("expected photos, --with and --without, or --data and --attribute, got none")
    if attribute is not None and not data:
        raise ConfigurationError("--attribute goes with --data: leave it out")
    owner = aligned.name if aligned is not None and not data else None
    content = attribute if attribute is None or "/" in attribute else f"{family}/{attribute}"
    source = source_of(owner, content, None, data, only, with_, without, holdout, None, frame, None, no_align)
    if len(source.contents) > 1:
        raise ConfigurationError("expected --without, photos that lack what those of --with show, got two --with alone")
    side = edited or _side(specs)
    seed = secrets.randbits(32) if seed is None else seed
    real, to_edit = _photos(source, side, partition, seed)
    from mbu_ops.evaluation.blind import take_pictures
    from mbu_ops.evaluation.blind_sheet import write_blind_sheet
    from mbu_ops.images import write_bytes

    camera = _camera(plans, None if no_align else aligned, source, device)
    left_out: list[str] = []
    with progress(2 * count * len(plans), "taking pictures") as advance:
        shown = take_pictures(camera, real, to_edit, list(plans), count, seed, left_out.append, advance)
    for line in left_out:
        note(line)
    digests = {step: [_digest(plan.path) for plan in some] for step, some in plans.items()}
    facts = {
        "seed": seed,
        "count": count,
        "edited": side,
        "steps": list(plans),
        "weights": digests,
        "left_out": left_out,
    }
    key = write_blind_sheet(out, shown, facts)
    write_bytes(path, key.to_json().encode())
    if as_json:
        echo_json({"sheet": key.sheet, "pictures": len(shown), "out": str(out), "key": str(path)})
    else:
        echo(f"{len(shown)} pictures: open {out / 'page.html'}; the key is in {path}")


def _side(specs: dict[str, ChainSpec]) -> Side:
    """Return which photos are edited, by the first steps.

    Raises:
        ConfigurationError: if they do not say, or contradict each other.
    """
    verbs = {spec.steps[0].verb for spec in specs.values()} & {"add", "remove"}
    if len(verbs) != 1:
        raise ConfigurationError(
            "expected --edit with, or --edit without: which photos are edited, those with the content or the others?"
        )
    return "with" if verbs == {"remove"} else "without"


def _photos(
    source: Source, side: Side, partition: Literal["validation", "test"], seed: int
) -> tuple[list[Photo], list[Photo]]:
    """Return photos to show as they are, and photos to edit."""
    from mbu_ops.data.folder import held_out
    from mbu_ops.evaluation.blind_photos import photos_of_celeba, photos_of_folders

    if source.data and source.attribute is not None:
        return photos_of_celeba(source.data, source.attribute, side, partition, seed)
    with_, without = (
        photos_of_folders(
            inputs, seed + number, (lambda path: held_out(path, source.holdout)) if source.holdout else None
        )
        for number, inputs in enumerate((source.with_, source.without))
    )
    return (without, with_) if side == "with" else (with_, without)


def _camera(plans: dict[str, tuple[StepPlan, ...]], aligned: FamilySpec | None, source: Source, name: str) -> Camera:
    from mbu_ops.evaluation.blind import Camera
    from mbu_ops.families.aligning import aligner
    from mbu_ops.frames.aligners import GuardedAligner, align_guides
    from mbu_ops.ops.plan import assemble

    device = choose_device(name)
    where = None if aligned is None else GuardedAligner(aligned, aligner(aligned, device))
    edits = {
        step: assemble(some if where is None else align_guides(some, where, device), device, None)
        for step, some in plans.items()
    }
    return Camera(edits, where, source.frame, 1 if where is None and not source.data else USUAL_VIEWS, device)


def _digest(path: Path) -> str:
    return sha256_of(path)
