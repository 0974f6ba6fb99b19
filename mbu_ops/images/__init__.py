"""Image files in and out: what was read is remembered, so that what is written goes back to it. Imports no torch."""

from mbu_ops.images.file import ImageFile, ImageKind
from mbu_ops.images.formats import READABLE_SUFFIXES, WRITABLE_SUFFIXES
from mbu_ops.images.labels import encode_labels, read_labels, write_labels
from mbu_ops.images.outputs import output_path, output_paths, shared_names
from mbu_ops.images.paths import FoundFiles, FoundImage, UnreadFile, find, search
from mbu_ops.images.reader import count_pixels, read
from mbu_ops.images.writer import encode, encode_mask, write, write_bytes, write_mask
from mbu_ops.limits import DEFAULT_MAX_PIXELS, Limits, current_limits, limited

__all__ = [
    "DEFAULT_MAX_PIXELS",
    "FoundFiles",
    "FoundImage",
    "ImageFile",
    "ImageKind",
    "Limits",
    "READABLE_SUFFIXES",
    "UnreadFile",
    "WRITABLE_SUFFIXES",
    "count_pixels",
    "current_limits",
    "encode",
    "encode_labels",
    "encode_mask",
    "find",
    "limited",
    "output_path",
    "output_paths",
    "read",
    "read_labels",
    "search",
    "shared_names",
    "write",
    "write_bytes",
    "write_labels",
    "write_mask",
]
