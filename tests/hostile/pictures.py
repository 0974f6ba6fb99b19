"""Pictures made to do harm: damaged, far larger than they look, slow, or none at all."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from PIL import Image

from mbu_ops.errors import ImageFileError
from mbu_ops.images import Limits, encode, limited, read
from mbu_ops.images.formats import FORMATS, is_clip

from ..fuzz.damage import damaged_by_chance
from ..fuzz.test_fuzz import pictures as sound_pictures
from ..security.test_image_bombs import encoded, huge, png_chunk, repeated
from .cases import READ, REFUSED, Case
from .commands import check_foreseen, check_readable, check_whole, command, tiny_weights

MAX_MEMORY = "1G"
"""What ``--max-memory`` allows, so that the whole program stays within a gigabyte and a half."""

Maker = Callable[[Path], object]
_SUFFIXES = (".jpg", ".png", ".webp", ".tif", ".bmp", ".gif", ".avif", ".heic")


def cases(count: int, seed: int, shared: Path) -> Iterator[Case]:
    """Yield so many pictures, the same for the same seed."""
    random = Random(seed)
    kinds = (_damaged, _claims, _scans, _flat, _padded, _metadata, _no_picture, _text, _narrow, _moving)
    shares = (50, 8, 6, 6, 4, 6, 4, 4, 4, 8)
    seeds = [*sound_pictures(), *(bytes(encoded(name)) for name in ("GIF", "HEIF") if not FORMATS[name].missing)]
    for number in range(count):
        kind = random.choices(kinds, shares)[0]
        name, suffix, make = kind(random, seeds)
        path = f"{number}{suffix}"
        yield Case(f"{name} ({path})", partial(_make, path, make), partial(_edit, path, shared))


def _make(name: str, make: Maker, folder: Path) -> None:
    make(folder / name)


def _edit(name: str, shared: Path, folder: Path) -> str:
    """Read a picture, then edit it as strangers' pictures are."""
    path, out = folder / name, folder / "out"
    size = None
    if not is_clip(path):
        try:
            with limited(Limits(max_memory=10**9, timeout=60)):
                image = read(path)
        except ImageFileError:
            pass
        else:
            size = image.width, image.height
            del image
    result = out / f"result{Path(name).suffix if is_clip(path) else '.png'}"
    limits = ("--max-memory", MAX_MEMORY, "--timeout", "60")
    step = f"remove:{tiny_weights(shared)}"
    code, _, said = command("chain", step, "-i", path, "-o", result, "--no-align", "-q", *limits)
    check_foreseen(said)
    verdict = check_whole(out, result, code)
    if verdict == READ and size is not None:
        check_readable(result, size)
    if size is None and not is_clip(path):
        assert verdict == REFUSED, "edited what cannot be read"
    return verdict


def _damaged(random: Random, seeds: list[bytes]) -> tuple[str, str, Maker]:
    content = damaged_by_chance(random.choice(seeds), random)
    return "damaged", random.choice(_SUFFIXES), partial(_write, content)


def _claims(random: Random, _: list[bytes]) -> tuple[str, str, Maker]:
    format = random.choice(("PNG", "JPEG", "GIF", "BMP"))
    width, height = (random.choice((0, 1, 255, 9_999, 10_001, 30_000, 65_535)) for _ in range(2))
    return f"claims {width} x {height}", f".{format.lower()}", partial(_write, huge(format, width, height))


def _scans(random: Random, _: list[bytes]) -> tuple[str, str, Maker]:
    times, side = random.choice((5, 15, 60, 90, 200, 3000)), random.choice((64, 500, 2000, 4000, 9000))
    format = random.choice(("JPEG", "TIFF"))
    return (
        f"{times} scans of {side}",
        f".{format.lower()}",
        lambda path: path.write_bytes(repeated(times, side, format)),
    )


def _flat(random: Random, _: list[bytes]) -> tuple[str, str, Maker]:
    side = random.choice((1000, 3000, 5000, 7000, 9_900))
    format = random.choice(("PNG", "PNG16", "PNGA16", "TIFF", "GIF", "WEBP", "BMP"))
    make = partial(flat_png, side=side, deep=format != "PNG", alpha="A" in format)
    suffix = ".png" if format.startswith("PNG") else f".{format.lower()}"
    return (
        f"one colour, {side} x {side}, {format}",
        suffix,
        make if suffix == ".png" else partial(_flat_by_pillow, side, format),
    )


def flat_png(path: Path, side: int, deep: bool = False, alpha: bool = False) -> None:
    """Write a square PNG file of one colour, a row at a time: it compresses to nearly nothing."""
    row = bytes(1 + side * (4 if alpha else 3) * (2 if deep else 1))
    packer = zlib.compressobj(6)
    rows = b"".join([*(packer.compress(row) for _ in range(side)), packer.flush()])
    header = struct.pack(">IIBBBBB", side, side, 16 if deep else 8, 6 if alpha else 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", rows) + png_chunk(b"IEND", b"")
    )


def _flat_by_pillow(side: int, format: str, path: Path) -> None:
    every: dict[str, dict[str, Any]] = {
        "TIFF": {"compression": "tiff_adobe_deflate"},
        "WEBP": {"lossless": True, "method": 0},
    }
    mode = "P" if format in ("GIF", "BMP") else "RGB"
    Image.new(mode, (side, side), 3).save(path, format, **every.get(format, {}))


def _padded(random: Random, seeds: list[bytes]) -> tuple[str, str, Maker]:
    content, length = random.choice(seeds), random.choice((10 << 20, 65 << 20, 900 << 20, 5 << 30, 50 << 30))

    def make(path: Path) -> None:
        path.write_bytes(content)
        os.truncate(path, length)

    return f"padded to {length >> 20} MiB", random.choice(_SUFFIXES), make


def _metadata(random: Random, _: list[bytes]) -> tuple[str, str, Maker]:
    name = random.choice((b"zTXt", b"iCCP", b"iTXt", b"tEXt", b"fill", b"Exif"))
    length, times = random.choice((1, 30, 200)) << 20, random.choice((1, 3))
    if name == b"Exif":
        block = damaged_by_chance(_EXIF, random)
        return "EXIF", ".jpg", lambda path: Image.new("RGB", (30, 20)).save(path, "JPEG", exif=block)
    if name == b"fill":
        filled = b"\xff" * random.choice((100, 16_000, 10**6))
        data = bytes(encoded("JPEG"))
        return "filled room", ".jpg", partial(_write, data[:2] + filled + data[3:])

    def make(path: Path) -> None:
        if name == b"tEXt":
            body = b"a\0" + bytes(length >> 4)
        else:
            body = (b"a\0\1\0\0\0" if name == b"iTXt" else b"a\0\0") + zlib.compress(bytes(length), 9)
        data = bytes(encoded("PNG"))
        path.write_bytes(data[:33] + png_chunk(name, body) * times + data[33:])

    return f"{times} {name.decode()} of {length >> 20} MiB", ".png", make


def _exif() -> bytes:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E], exif[0x8769], exif[0x8825] = 6, "a" * 99, {0x9286: b"b" * 50}, {2: (1.0, 2.0, 3.0)}
    return exif.tobytes()


_EXIF = _exif()


def _no_picture(random: Random, _: list[bytes]) -> tuple[str, str, Maker]:
    kinds: dict[str, Maker] = {
        "pipe": lambda path: os.mkfifo(path),
        "folder": lambda path: path.mkdir(),
        "device": lambda path: path.symlink_to("/dev/zero"),
        "link to nothing": lambda path: path.symlink_to("nowhere"),
        "link to itself": lambda path: path.symlink_to(path),
        "link to a text": lambda path: path.symlink_to(__file__),
        "memory": lambda path: path.symlink_to("/proc/self/mem"),
        "what the system makes up": lambda path: path.symlink_to("/proc/self/maps"),
        "nothing": lambda path: path.touch(),
    }
    name = random.choice(list(kinds))
    return name, random.choice(_SUFFIXES), kinds[name]


def _text(random: Random, seeds: list[bytes]) -> tuple[str, str, Maker]:
    starts = [b"<svg", b"%PDF-1.7", b"%!PS-Adobe", b"PK\x03\x04", b"\x0a\x05\x01", b"8BPS", b"qoif", b"SIMPLE  =", b""]
    starts += [seed[:12] for seed in seeds]
    content = random.choice(starts) + random.randbytes(random.choice((0, 1, 100, 100_000)))
    return f"begins {content[:8]!r}", random.choice(_SUFFIXES), partial(_write, content)


def _narrow(random: Random, _: list[bytes]) -> tuple[str, str, Maker]:
    long, format = random.choice((100, 16_000, 60_000)), random.choice(("PNG", "JPEG", "TIFF", "BMP", "WEBP"))
    long = min(long, 16_000) if format == "WEBP" else long
    size = (1, long) if random.random() < 0.5 else (long, 1)
    return f"{size[0]} x {size[1]}", f".{format.lower()}", lambda path: Image.new("RGB", size).save(path, format)


def _moving(random: Random, _: list[bytes]) -> tuple[str, str, Maker]:
    format, frames = random.choice(("GIF", "WEBP", "PNG")), random.choice((2, 5, 60))
    side, is_damaged = random.choice((16, 40, 700)) if frames < 60 else 16, random.random() < 0.7
    chances = random.random()

    def make(path: Path) -> None:
        noise = np.random.default_rng(frames).integers(0, 255, (frames, side, side, 3), dtype=np.uint8)
        first, *rest = (Image.fromarray(frame) for frame in noise)
        first.save(path, format, save_all=True, append_images=rest, duration=50)
        if is_damaged:
            path.write_bytes(damaged_by_chance(path.read_bytes(), Random(chances)))

    return f"{frames} frames of {side}{', damaged' * is_damaged}", f".{format.lower()}", make


def _write(content: bytes, path: Path) -> None:
    path.write_bytes(content)


def sound(folder: Path, count: int) -> list[Path]:
    """Write pictures that nothing is wrong with, for runs that something else happens to."""
    noise = np.random.default_rng(0)
    paths = [folder / f"{number:02}{('.png', '.jpg', '.webp')[number % 3]}" for number in range(count)]
    folder.mkdir(parents=True)
    for path in paths:
        pixels = noise.integers(0, 255, (90, 120, 3), dtype=np.uint8)
        path.write_bytes(encode(pixels, format=path.suffix[1:].upper().replace("JPG", "JPEG")))
    return paths
