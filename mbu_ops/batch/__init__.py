"""Many files at a time: which result goes where, threads that read and write meanwhile, and what became of each.

Importing this package imports no torch; the first use of :func:`edit_files` does.

Example:
    >>> import tempfile
    >>> from pathlib import Path
    >>> import torch
    >>> from mbu_ops import images
    >>> from mbu_ops.batch import edit_files
    >>> photos = Path(tempfile.mkdtemp())
    >>> images.write(photos / "a.png", torch.rand(3, 40, 60))
    >>> edit_files(torch.nn.Hardtanh(0, 0.5), photos, photos / "edited").written[0].job.target.name
    'a.png'
    >>> edit_files(torch.nn.Hardtanh(0, 0.5), photos, photos / "edited", existing="skip").skipped[0].source.name
    'a.png'
"""

from typing import TYPE_CHECKING

from mbu_ops._lazy import lazy_exports

if TYPE_CHECKING:
    from mbu_ops.batch.files import edit_files, edit_planned
    from mbu_ops.batch.plan import FilePlan, Job, plan_files
    from mbu_ops.batch.report import Failure, Report, Written
else:
    __getattr__, __dir__ = lazy_exports(
        __name__,
        {
            "Failure": "mbu_ops.batch.report",
            "FilePlan": "mbu_ops.batch.plan",
            "Job": "mbu_ops.batch.plan",
            "Report": "mbu_ops.batch.report",
            "Written": "mbu_ops.batch.report",
            "edit_files": "mbu_ops.batch.files",
            "edit_planned": "mbu_ops.batch.files",
            "plan_files": "mbu_ops.batch.plan",
        },
        globals(),
    )

__all__ = ["Failure", "FilePlan", "Job", "Report", "Written", "edit_files", "edit_planned", "plan_files"]
