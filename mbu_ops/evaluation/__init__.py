"""How good edits are: a judge who was trained on the same images, true masks and true images where they are known."""

from typing import TYPE_CHECKING

from mbu_ops._lazy import lazy_exports

if TYPE_CHECKING:
    from mbu_ops.evaluation.examples import Examples
    from mbu_ops.evaluation.figures import Figure
    from mbu_ops.evaluation.judge import Judge, train_judge
    from mbu_ops.evaluation.measurement import measure
else:
    __getattr__, __dir__ = lazy_exports(
        __name__,
        {
            "Examples": "mbu_ops.evaluation.examples",
            "Figure": "mbu_ops.evaluation.figures",
            "Judge": "mbu_ops.evaluation.judge",
            "measure": "mbu_ops.evaluation.measurement",
            "train_judge": "mbu_ops.evaluation.judge",
        },
        globals(),
    )

__all__ = ["Examples", "Figure", "Judge", "measure", "train_judge"]
