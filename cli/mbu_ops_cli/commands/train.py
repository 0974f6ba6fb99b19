"""`mbu-ops train`: learn a content from pictures with it and pictures without it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mbu_ops.data import LabelledSource, Source
from mbu_ops.errors import ConfigurationError
from mbu_ops.training.config import TrainingConfig
from mbu_ops_cli.completion import complete_methods, complete_weights
from mbu_ops_cli.labelled import LABELLED, VARIATION
from mbu_ops_cli.messages import echo, is_quiet, log
from mbu_ops_cli.option_fields import chosen, options_of
from mbu_ops_cli.outlook import outlook
from mbu_ops_cli.sources import FOLDER, source_options
from mbu_ops_cli.train_command import DEFAULT, TrainCommand

if TYPE_CHECKING:
    from mbu_ops.training import Plan, Provenance

SHEET = "pairs.png"


def _settings(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that all methods share."""
    for option in reversed(options_of(TrainingConfig)):
        command.__click_params__ = [*getattr(command, "__click_params__", []), option]  # type: ignore[attr-defined]
    return command


@click.command(cls=TrainCommand, short_help="Learn a content from pictures with it and pictures without it.")
@source_options
@LABELLED
@VARIATION
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
@click.option(
    "--from",
    "start",
    metavar="NAME_OR_PATH",
    help="Begin with trained weights instead of random ones.",
    shell_complete=complete_weights,
)
@click.option(
    "--method",
    default=DEFAULT,
    show_default=True,
    help="Method to train.",
    shell_complete=complete_methods,
)
@click.option("--config", default="lite", show_default=True, help="Configuration of the method: lite or paper.")
@_settings
@click.option("--dry-run", is_flag=True, help="Check everything, say what would be learnt, do nothing.")
@click.option("--mixed-precision", type=click.Choice(["no", "bf16", "fp16"]), default="no", show_default=True)
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads.  [default: all cores]")
@click.option(
    "--workers",
    type=click.IntRange(0, 64),
    default=0,
    show_default=True,
    help="Processes that make the next batches: pays where pairs are made and a core is free.",
)
@click.option("--licence", help="Terms of the weights, written into them.")
def train(
    source: Source | LabelledSource,
    method: str,
    config: str,
    out: Path,
    family_out: Path | None,
    resume: bool,
    start: str | None,
    variation: float | None,
    mixed_precision: str,
    threads: int | None,
    workers: int,
    licence: str | None,
    dry_run: bool,
    preview: bool = False,
    parser: str | None = None,
    **options: Any,
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

    The options of a method are listed with it: mbu-ops train --method NAME --help.

    Ctrl-C finishes the step, saves, and leaves a run that --resume continues exactly where it stopped.
    """  # noqa: D301 - click's own mark for lines that it must not wrap
    if family_out is not None:
        _check_family_out(family_out, source)
    import torch

    from mbu_ops.methods import get_method
    from mbu_ops.objectives import objective_of
    from mbu_ops.training import PairOptions, Plan
    from mbu_ops.training import train as learn
    from mbu_ops.training.backend import is_first_process
    from mbu_ops.training.progress import ProgressReporter
    from mbu_ops.training.readiness import check_ready

    if threads:
        torch.set_num_threads(threads)
    plan = Plan.of(
        source,
        method,
        config,
        options=chosen(objective_of(get_method(method)).options, options),
        pairs=PairOptions(**chosen(PairOptions, options)),
        parser=parser,
        variation=variation,
        **chosen(TrainingConfig, options),
    )
    if dry_run:
        step = check_ready(plan.source, plan.config, out, resume, start)
        for line in outlook(plan, out, step):
            echo(line)
        return
    first = is_first_process()
    with ProgressReporter(plan.config.steps, is_quiet() or not first) as reporter:
        if preview:
            echo(str(_write_sheet(plan, out, reporter.note)))
            return
        trained = learn(
            plan,
            out,
            resume=resume,
            start=start,
            licence=licence,
            mixed_precision=mixed_precision,
            workers=workers,
            reporter=reporter,
        )
    if not trained.finished:
        log.warning(f"stopped at step {trained.step} and saved; go on with --resume")
        raise KeyboardInterrupt
    if not first:
        return
    echo(str(trained.weights))
    if family_out is not None:
        provenance = plan.provenance(licence)
        echo(str(_into_plugin(trained.weights, family_out, provenance, f"{method}-{config}")))


def _write_sheet(plan: Plan, out: Path, note: Callable[[str], None]) -> Path:
    """Draw some pairs into a folder, and return the file.

    Raises:
        ImageFileError: if it cannot be written.
    """
    from mbu_ops import images
    from mbu_ops.training.pairs import pairs_sheet

    composites: Any = plan.pictures(note)[0]
    path = out / SHEET
    images.write(path, pairs_sheet(composites), overwrite=True)
    return path


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
