"""Image files in and out: what was read is remembered, so that what is written goes back to it. Imports no torch."""

from mbu_ops.images.file import READABLE_SUFFIXES, WRITABLE_SUFFIXES, ImageFile, ImageKind
from mbu_ops.images.labels import encode_labels, read_labels, write_labels
from mbu_ops.images.paths import FoundImage, find, output_path, output_paths
from mbu_ops.images.reader import DEFAULT_MAX_PIXELS, count_pixels, read
from mbu_ops.images.writer import encode, encode_mask, write, write_bytes, write_mask

__all__ = [
    "DEFAULT_MAX_PIXELS",
    "FoundImage",
    "ImageFile",
    "ImageKind",
    "READABLE_SUFFIXES",
    "WRITABLE_SUFFIXES",
    "count_pixels",
    "encode",
    "encode_labels",
    "encode_mask",
    "find",
    "output_path",
    "output_paths",
    "read",
    "read_labels",
    "write",
    "write_bytes",
    "write_labels",
    "write_mask",
]
