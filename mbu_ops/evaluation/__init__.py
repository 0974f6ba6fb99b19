"""How good edits are: a judge who was trained on the same images, true masks and true images where they are known."""

from mbu_ops._lazy import lazy_exports

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "Examples": "mbu_ops.evaluation.examples",
        "Figure": "mbu_ops.evaluation.figures",
        "Judge": "mbu_ops.evaluation.judge",
        "measure": "mbu_ops.evaluation.measure",
        "train_judge": "mbu_ops.evaluation.judge",
    },
    globals(),
)
