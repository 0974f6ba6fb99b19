"""Edits in Ray Data: photos of any size stream through actors that have loaded the networks once, on many machines.

Needs the extra ``ray``. Ray reads, schedules, holds back what comes too fast, and tries again what a machine lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mbu_ops.batch.pictures import edit as edit_pictures
from mbu_ops.errors import ConfigurationError, DTypeError, MBUOpsError, MissingPackageError
from mbu_ops.frames.choice import USUAL_VIEWS, Missing, Which, check_missing, check_which
from mbu_ops.frames.framed import check_views
from mbu_ops.images import encode, read
from mbu_ops.ops.chain import ChainSpec

if TYPE_CHECKING:
    from ray.data import Dataset

ERROR = "error"
"""The column that says why a picture was not edited: empty where it was."""


def edit(
    dataset: Dataset,
    steps: str | Sequence[str],
    *,
    column: str = "image",
    family: str = "faces",
    method: str | None = None,
    which: Which = "all",
    views: int = USUAL_VIEWS,
    align: bool = True,
    missing: Missing = "raise",
    small: bool = False,
    batch_size: int = 16,
    actors: int | tuple[int, int] = 1,
    num_cpus: float = 1,
    num_gpus: float = 0,
) -> Dataset:
    """Edit the pictures of a dataset, as :func:`mbu_ops.edit` does.

    Nothing is computed before the result is consumed or written. A picture that cannot be edited stays as it is, and
    the column ``error`` says why: one bad file among a million stops nothing.

    Args:
        dataset: rows whose ``column`` holds arrays ``(H, W, 3)`` RGB of uint8 or uint16, of any sizes
            (``ray.data.read_images``), or whole image files as bytes (``ray.data.read_binary_files``), which keep
            their depth, profile and EXIF.
        steps: what to do, as on the command line: ``"remove:smile add:glasses@ref.jpg"``. Files that it names must be
            there on every machine.
        column: where the pictures are.
        family: see :func:`mbu_ops.edit`, as for the six options that follow.
        method: of the steps that name none.
        which: which of the faces to edit.
        views: views of each face to edit and average.
        align: False edits whole pictures.
        missing: what becomes of a picture without a face: an error in its row, or ``"keep"`` it without one.
        small: whether to look for small faces too.
        batch_size: pictures at a time; less where photos are large.
        actors: processes that edit, or the least and the most of them: one for each GPU, or for each core or two.
        num_cpus: cores of each.
        num_gpus: GPUs of each; a share of one, such as 0.5, lets two actors use it.

    Returns:
        The same rows with edited pictures, in the kind they came in, and the column ``error``.

    Raises:
        MissingPackageError: if Ray is not installed.
        ConfigurationError: if arguments do not go together.
        ChainSyntaxError: if a step does not follow the grammar.
        MBUOpsError: if weights or guides cannot be found here, where the dataset is made.

    Example:
        >>> import ray.data  # doctest: +SKIP
        >>> photos = ray.data.read_binary_files("photos", include_paths=True)  # doctest: +SKIP
        >>> edited = edit(photos, "remove:smile", column="bytes", actors=8)  # doctest: +SKIP
        >>> edited.write_parquet("edited")  # doctest: +SKIP
    """
    try:
        import ray.data  # noqa: F401
    except ImportError as error:
        raise MissingPackageError(f"Ray Data is not installed: pip install 'mbu-ops[ray]' ({error})") from error
    spec = ChainSpec.parse(steps)
    if column == ERROR:
        raise ConfigurationError(f"expected another column than {ERROR!r}, which says why pictures were not edited")
    check_which(which)
    check_views(views)
    check_missing(missing)
    spec.plan(family, method=method)
    options = {
        "family": family,
        "method": method,
        "which": which,
        "views": views,
        "align": align,
        "missing": missing,
        "small": small,
        "device": "cuda" if num_gpus else "cpu",
    }
    return dataset.map_batches(
        _Editor,
        batch_size=batch_size,
        concurrency=actors,
        num_cpus=num_cpus,
        num_gpus=num_gpus,
        fn_constructor_args=(str(spec), column, options),
    )


class _Editor:
    """What an actor keeps: the first picture loads the networks."""

    def __init__(self, steps: str, column: str, options: Mapping[str, Any]) -> None:
        self._steps, self._column, self._options = steps, column, options

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        import numpy as np

        if self._column not in batch:
            raise ConfigurationError(
                f"expected the pictures in the column {self._column!r}, got a dataset of {', '.join(batch)}: name "
                "theirs, column=..."
            )
        pictures, errors = [], []
        for picture in batch[self._column]:
            result, error = picture, ""
            try:
                result = self._edited(picture)
            except MBUOpsError as reason:
                error = str(reason)
            pictures.append(result)
            errors.append(error)
        column = np.empty(len(pictures), object)  # of pictures of many sizes no array can be made
        column[:] = pictures
        return batch | {self._column: column, ERROR: np.array(errors, object)}

    def _edited(self, picture: Any) -> Any:
        import numpy as np

        if isinstance(picture, bytes):
            file = read(picture)
            return encode(edit_pictures(self._steps, file, **self._options).pixels, file)
        if isinstance(picture, np.ndarray):
            return edit_pictures(self._steps, picture, **self._options)
        raise DTypeError(
            f"expected pictures as arrays (H, W, 3) or files as bytes in the column {self._column!r}, got "
            f"{type(picture).__name__}"
        )
