"""With/without image sets: folders of pictures, CelebA's layout, what a family draws; and batches of them.

Importing this package imports no torch; the first use of most names does.
"""

from typing import TYPE_CHECKING

from mbu_ops._lazy import lazy_exports

if TYPE_CHECKING:
    from mbu_ops.data.pairs import Pair
    from mbu_ops.data.source import LabelledSource, Search, Source
else:
    __getattr__, __dir__ = lazy_exports(
        __name__,
        {
            "LabelledSource": "mbu_ops.data.source",
            "Pair": "mbu_ops.data.pairs",
            "Search": "mbu_ops.data.source",
            "Source": "mbu_ops.data.source",
        },
        globals(),
    )

__all__ = ["LabelledSource", "Pair", "Search", "Source"]
