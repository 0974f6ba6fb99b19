"""`mbu-ops train`: learn a content from pictures with it and pictures without it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mbu_ops.data import LabelledSource, Source
from mbu_ops.errors import ConfigurationError, DataError
from mbu_ops.weights import resolve
from mbu_ops_cli.labelled import LABELLED, VARIATION
from mbu_ops_cli.options import FiniteRange
from mbu_ops_cli.settings import CommandWithSettings
from mbu_ops_cli.sources import FOLDER, source_options
from mbu_ops_cli.train_checks import check_source, slow_precision
from mbu_ops_cli.train_pairs import PairOptions, numbers, pair_options, write_sheet

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

    from mbu_ops.data.domains import Domains
    from mbu_ops.data.labelled import Labelled
    from mbu_ops.data.pictures import Pictures
    from mbu_ops.families.spec import AttributeSpec
    from mbu_ops.training.config import TrainingConfig
    from mbu_ops.training.loop import Provenance


@click.command(cls=CommandWithSettings, short_help="Learn a content from pictures with it and pictures without it.")
@source_options
@LABELLED
@VARIATION
@pair_options
@click.option(
    "--parser", metavar="NAME_OR_PATH", help="Trained parser for methods that need one.  [default: the family's own]"
)
@click.option("--out", type=FOLDER, required=True, help="Folder for states, weights, log and sample sheets.")
@click.option(
    "--family-out",
    type=FOLDER,
    help="Package of the family's plugin: the weights go there too, and into its weights.json.",
)
@click.option(
    "--settings",
    type=FOLDER,
    expose_value=False,
    help="TOML file with options of this command, by their names. Options of the command line replace it; those that "
    "may be given several times are added to it.",
)
@click.option("--resume", is_flag=True, help="Go on from the state in --out.")
@click.option("--from", "start", metavar="NAME_OR_PATH", help="Begin with trained weights instead of random ones.")
@click.option("--method", default="mbu", show_default=True, help="Method to train.")
@click.option("--config", default="lite", show_default=True, help="Configuration of the method: lite or paper.")
@click.option("--recipe", help="Loss weights to start from.  [default: quick; for the paper's layers, the attribute's]")
@click.option(
    "--loss", multiple=True, metavar="TERM=WEIGHT", callback=numbers, help="Set a loss weight; 0 switches it off."
)
@click.option(
    "--distance",
    type=click.Choice(["l1", "l2", "l2-reconstruction", "l2-self-blend"]),
    default="l1",
    show_default=True,
    help="Of the reconstructions and the self-blends.",
)
@click.option("--hard-masks", is_flag=True, help="Blend in training with masks as hard as they are used later.")
@click.option(
    "--guide-variation",
    type=FiniteRange(min=0),
    help="How strongly guides are mirrored, moved and recoloured before they are encoded.  [default: 1; 0]",
)
@click.option("--no-flip", is_flag=True, help="Never mirror pictures: for digits, letters and all that has a side.")
@click.option(
    "--steps",
    type=click.IntRange(min=1),
    help="Steps of the whole run.  [default: 9000; 150000 for the paper's layers]",
)
@click.option(
    "--coarse-steps",
    type=click.IntRange(min=0),
    help="First steps, at half the resolution.  [default: two thirds of them; 0]",
)
@click.option("--batch-size", type=click.IntRange(min=2), help="Images of each domain in a step.  [default: 16; 32]")
@click.option(
    "--learning-rate",
    type=FiniteRange(min=0, min_open=True),
    help="Of the networks.  [default: 0.0005; 0.0002]",
)
@click.option(
    "--learning-rate-decay",
    type=FiniteRange(0, 1),
    help="Share of the run, its last part, in which the learning rates fall to a tenth.  [default: 0]",
)
@click.option(
    "--discriminator-rate",
    type=FiniteRange(min=0, min_open=True),
    help="How many times faster the discriminators learn.  [default: 1]",
)
@click.option(
    "--gradient-clip",
    type=FiniteRange(min=0, min_open=True),
    help="Largest norm of a gradient; smaller ones keep a run from exploding.  [default: 5]",
)
@click.option(
    "--adam-beta2",
    type=FiniteRange(0, 1, max_open=True),
    help="Decay of Adam's mean of squared gradients; 0.99 where gradients jump.  [default: 0.999]",
)
@click.option(
    "--average-decay",
    type=FiniteRange(0, 1, max_open=True),
    help="Of the moving average of the weights, which is what is written; 0 for the last step's own.  [default: 0.999]",
)
@click.option(
    "--removal-dilation",
    type=click.IntRange(min=1),
    help="How far removals with these weights grow the mask, in pixels of the frame; may change with --resume.  "
    "[default: 2; 1 for native]",
)
@click.option("--seed", type=click.IntRange(min=0), help="Of the first weights and of every batch.")
@click.option("--save-every", type=click.IntRange(min=1), help="Steps between states.")
@click.option("--sample-every", type=click.IntRange(min=1), help="Steps between sample sheets.")
@click.option("--mixed-precision", type=click.Choice(["no", "bf16", "fp16"]), default="no", show_default=True)
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads.  [default: all cores]")
@click.option("--licence", help="Terms of the weights, written into them.")
@click.option("--quiet", is_flag=True, help="No progress line.")
def train(
    source: Source | LabelledSource,
    making: PairOptions,
    variation: float | None,
    parser: str | None,
    out: Path,
    family_out: Path | None,
    resume: bool,
    start: str | None,
    method: str,
    config: str,
    recipe: str | None,
    loss: tuple[tuple[str, float], ...],
    distance: str,
    guide_variation: float | None,
    hard_masks: bool,
    no_flip: bool,
    steps: int | None,
    coarse_steps: int | None,
    batch_size: int | None,
    learning_rate: float | None,
    learning_rate_decay: float | None,
    discriminator_rate: float | None,
    gradient_clip: float | None,
    adam_beta2: float | None,
    average_decay: float | None,
    removal_dilation: int | None,
    seed: int | None,
    save_every: int | None,
    sample_every: int | None,
    mixed_precision: str,
    threads: int | None,
    licence: str | None,
    quiet: bool,
) -> None:
    """Learn a content from pictures with it and pictures without it; no masks and no pairs are needed.

    \b
    Two folders:        mbu-ops train --with hats/ --without nohats/ --out my-hats
    Photos of people:   mbu-ops train --family faces --with hats/ --without nohats/ --out my-hats
    Their eyes only:    mbu-ops train --family faces --frame eyes --with made-up/ --without plain/ --out my-lashes
    CelebA's layout:    mbu-ops train --attribute glasses --data celeba/ --out my-glasses
    Drawn pictures:     mbu-ops train --attribute avatars/glasses --out my-glasses
    Two in one network: mbu-ops train --method didd --attributes smile,glasses --data celeba/ --out my-pair
    A strength dial:    mbu-ops train --method maae --attribute smile --data celeba/ --out my-dial
    Parts of faces:     mbu-ops train --method parsing --labelled celebamask/ --holdout 0.125 --out my-parser
    Faces from parts:   mbu-ops train --method portrait --labelled celebamask/ --parser my-parser --out my-portraits
    A region, redrawn:  mbu-ops train --method native --config eyes --frame eyes --attribute glasses --data celeba/
                        --out my-remover
    Use what it learnt: mbu-ops chain add:./my-hats -i photo.jpg -o hats.jpg

    Ctrl-C finishes the step, saves, and leaves a run that --resume continues exactly where it stopped.
    """  # noqa: D301 - click's own mark for lines that it must not wrap
    if family_out is not None:
        _check_family_out(family_out, source)
    check_source(method, source, variation, parser)
    making.check(method, source)
    if resume and start is not None:
        raise ConfigurationError("--from begins a run and --resume goes on with one; leave one of them out")
    if (out / "state.safetensors").is_file() and not resume:
        raise ConfigurationError(
            f"{str(out)!r} holds a training run; add --resume to go on with it, or use another --out"
        )
    if start is not None:
        resolve(start)  # raises now rather than after all pictures have been read
    import torch

    from mbu_ops.training.config import network_config
    from mbu_ops.training.loop import Provenance, Trainer
    from mbu_ops.training.progress import ProgressReporter

    if threads:
        torch.set_num_threads(threads)
    settings = _settings(
        source.attribute,
        pairs=making.shares,
        method=method,
        config=config,
        recipe=recipe,
        loss_weights=loss,
        distance=distance,
        guide_variation=guide_variation,
        hard_masks=hard_masks,
        flip=not no_flip,
        steps=steps,
        coarse_steps=coarse_steps,
        batch_size=batch_size,
        learning_rate=learning_rate,
        learning_rate_decay=learning_rate_decay,
        discriminator_rate=discriminator_rate,
        gradient_clip=gradient_clip,
        adam_beta2=adam_beta2,
        average_decay=average_decay,
        removal_dilation=removal_dilation,
        seed=seed,
        save_every=save_every,
        sample_every=sample_every,
    )
    reporter = ProgressReporter(settings.steps, quiet)
    if (slow := slow_precision(mixed_precision)) is not None:
        reporter.note(slow)
    size = network_config(settings.method, settings.config).size
    pictures = _training(source, size, variation, method, reporter.note)
    try:
        preview = source.unseen(size, reporter.note, limit=8)
    except DataError as error:
        reporter.note(f"sample sheets show pictures of the training: {error}")
        preview = None
    reporter.note(pictures.summary)
    provenance = Provenance(
        attributes=source.contents,
        family=source.family.name if source.family else None,
        licence=licence or "decided by the licence of the training images",
        frame=None if source.frame.is_whole else source.frame.name,
    )
    learnt, aids = _aided(pictures, method, source, parser, making, reporter.note)
    if making.preview:
        click.echo(str(write_sheet(learnt, out)))
        return
    with reporter:
        trainer = Trainer(settings, learnt, out, provenance, preview, reporter, mixed_precision, aids)
        if resume:
            trainer.resume()
            reporter.note(f"going on from step {trainer.step}")
        elif start is not None:
            trainer.start_from(start)
        reporter.start(trainer.step)
        finished = trainer.run()
    if not finished:
        click.echo(f"stopped at step {trainer.step} and saved; go on with --resume", err=True)
        raise KeyboardInterrupt
    click.echo(str(out / "weights.safetensors"))
    if family_out is not None:
        click.echo(str(_into_plugin(out / "weights.safetensors", family_out, provenance, f"{method}-{config}")))


def _training(
    source: Source | LabelledSource,
    size: tuple[int, int],
    variation: float | None,
    method: str,
    note: Callable[[str], None],
) -> Domains | Labelled:
    """Read the training pictures, and say how batches are to vary them."""
    from mbu_ops.methods import get_method

    if not isinstance(source, LabelledSource):
        return source.training(size, note)
    draws = get_method(method).info.draws
    strength = variation if variation is not None else 0.0 if draws else 1.0  # turning blurs: it would be learnt
    return source.training(size, note).varied(strength, blurs=not draws)


def _aided(
    pictures: Domains | Labelled,
    name: str,
    source: Source | LabelledSource,
    parser: str | None,
    making: PairOptions,
    note: Callable[[str], None],
) -> tuple[Pictures, dict[str, nn.Module]]:
    """Return the pictures with the regions, and the networks, that the method asks for.

    Raises:
        MissingPackageError: if the package with the family's identity network is not installed: losses are part of a
            recipe, and one that was left out would not be noticed.
        PluginError: if the family's functions fail.
        WeightsError: if there is no parser where one is needed.
    """
    from mbu_ops.data.domains import Domains
    from mbu_ops.families.registry import load_target, plugin_code
    from mbu_ops.methods import get_method
    from mbu_ops.weights import load_pretrained

    found: dict[str, nn.Module] = {}
    family, attribute = source.family, source.attribute
    aids = get_method(name).info.aids
    if family is not None and family.identity is not None and "identity" in aids:
        build = load_target(family, "identity")
        with plugin_code(family, "building its identity network"):
            found["identity"] = build()
    if "identity" in aids and "identity" not in found:
        note(f"{name} learns without its identity loss: the pictures' family has no network that tells subjects apart")
    if isinstance(pictures, Domains) and "regions" in aids:
        if family is not None and attribute is not None:
            pictures = pictures.with_known_regions(family, attribute)
        if pictures.with_regions is None:
            note(f"{name} learns without its background loss: no family says where its edits belong")
    if "pairs" in aids and isinstance(source, Source) and isinstance(pictures, Domains):
        return making.composites(pictures, source, note, aids), found
    if "parser" in aids and isinstance(source, LabelledSource):
        found["parser"] = load_pretrained(parser or source.parser, method="parsing", whole=True).model
    return pictures, found


def _check_family_out(folder: Path, source: Source | LabelledSource) -> None:
    """Make sure, before hours of training, that their result will have a place.

    Raises:
        ConfigurationError: if it has none.
    """
    family = source.family
    if family is None or (source.attribute is None and not isinstance(source, LabelledSource)):
        raise ConfigurationError("--family-out needs --attribute, and --family: they name the weights")
    if not (folder / "__init__.py").is_file():
        raise ConfigurationError(
            f"expected the package of a family's plugin in --family-out, {str(folder)!r} has no __init__.py; "
            "mbu-ops families new writes one"
        )
    from mbu_ops.families.registry import weights_packages

    if (package := folder.resolve().name) not in (found := weights_packages(family)):
        raise ConfigurationError(
            f"the family {family.name!r} looks for its weights in the package {' or '.join(sorted(found))}, not in "
            f"{package}: give --family-out that one's folder"
        )


def _into_plugin(trained: Path, folder: Path, provenance: Provenance, identifier: str) -> Path:
    """Copy trained weights into a plugin's package and list them there."""
    from mbu_ops.files import atomic_path
    from mbu_ops.weights.manifest import update_manifest, weights_stem

    family = provenance.family or ""
    path = folder / f"{weights_stem(family, provenance.attributes)}-{identifier}.safetensors"
    with atomic_path(path) as temporary:
        temporary.write_bytes(trained.read_bytes())
    update_manifest(folder / "weights.json", [path], family)
    return path


def _settings(plan: AttributeSpec | None, **given: object) -> TrainingConfig:
    """Return the settings: what was given, then the paper's for its own layers, then the defaults."""
    from mbu_ops.methods import get_method
    from mbu_ops.training.config import PUBLISHED, TrainingConfig, network_config

    chosen = {name: value for name, value in given.items() if value is not None}
    if chosen["config"] == "paper":
        labelled = get_method(str(chosen["method"])).info.learns_from == "parts"
        chosen = PUBLISHED | {"recipe": "paper" if labelled else plan.recipe if plan else "glasses"} | chosen
    elif (
        not get_method(str(chosen["method"])).info.refines
        or network_config(str(chosen["method"]), str(chosen["config"])).patch % 2
    ):
        chosen.setdefault("coarse_steps", 0)  # it has no form of half the resolution
    elif "steps" in chosen:
        chosen.setdefault("coarse_steps", int(str(chosen["steps"])) * 2 // 3)
    return TrainingConfig(**chosen)  # type: ignore[arg-type]
