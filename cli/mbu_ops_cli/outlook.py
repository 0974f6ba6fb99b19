"""What ``mbu-ops train --dry-run`` says of a run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mbu_ops import images
from mbu_ops.data import LabelledSource, Source

if TYPE_CHECKING:
    from mbu_ops.training import Plan


def outlook(plan: Plan, out: Path, step: int) -> Iterator[str]:
    """Give what a run would do, a line at a time.

    Args:
        plan: what is to be learnt, from what, and how.
        out: folder of the run.
        step: the step that it goes on from, 0 for a new run.

    Raises:
        ImageFileError: if a folder holds no pictures.
    """
    config, source = plan.config, plan.source
    family = f"{source.family.name}/" if source.family else ""
    yield f"learn    {', '.join(f'{family}{name}' for name in source.contents)}: {config.method}-{config.config}"
    for line in _pictures(source):
        yield f"from     {line}"
    coarse = f", up to step {config.coarse_steps} at half the resolution" if config.coarse_steps else ""
    yield f"steps    {step} to {config.steps}{coarse}; {config.batch_size} images of each domain in each"
    yield f"into     {out}: a state every {config.save_every} steps, a sheet and a chart every {config.sample_every}"
    yield "nothing was done (--dry-run)"


def _pictures(source: Source | LabelledSource) -> Iterator[str]:
    if isinstance(source, LabelledSource):
        yield from (f"{folder}: labelled pictures" for folder in source.folders)
        return
    yield from (f"{folder}: pictures in CelebA's layout" for folder in source.data)
    for kind, folders in (("with it", source.with_), ("without it", source.without), ("neither", source.neither)):
        yield from (f"{folder}: {len(images.find([str(folder)]))} pictures {kind}" for folder in folders)
    if source.drawn and source.family:
        yield f"{source.pictures} pictures of each kind that the family {source.family.name} draws"
