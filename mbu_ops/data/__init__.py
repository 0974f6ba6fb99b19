"""With/without image sets: folders of pictures, CelebA's layout, what a family draws; and batches of them."""

from mbu_ops.data.pairs import Pair

__all__ = ["Pair"]
