"""Pictures of noise in CelebA's layout, labelled."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

LABELS = ("Eyeglasses", "Smiling", "Male", "Young", "No_Beard")


def fill_celeba(folder: Path, labels: tuple[str, ...] = LABELS, count: int = 40) -> Path:
    """Write so many pictures for training, and as many for validation; half of them have each of the labels.

    Pictures with glasses have a dark bar in the upper half of the face.
    """
    (folder / "img_align_celeba").mkdir(parents=True)
    random = np.random.default_rng(0)
    shown = np.stack([random.permutation(2 * count) % 2 == 0 for _ in labels], 1)
    rows, parts = [f"{2 * count}", " ".join(labels)], []
    for index, row in enumerate(shown):
        name = f"{index:06d}.jpg"
        pixels = random.integers(100, 256, (218, 178, 3), dtype=np.uint8)
        if row[0]:
            pixels[95:125, 40:140] = 0
        Image.fromarray(pixels).save(folder / "img_align_celeba" / name)
        rows.append(" ".join([name, *("1" if one else "-1" for one in row)]))
        parts.append(f"{name} {0 if index < count else 1}")
    (folder / "list_attr_celeba.txt").write_text("\n".join(rows) + "\n")
    (folder / "list_eval_partition.txt").write_text("\n".join(parts) + "\n")
    return folder
