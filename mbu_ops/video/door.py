"""Edit videos and animations: the door to this room."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import torch
from torch import nn

from mbu_ops._version import __version__
from mbu_ops.errors import ConfigurationError, FrameError, ImageFileError, MBUOpsError, VideoFileError
from mbu_ops.families.names import with_article
from mbu_ops.files import atomic_path, permissions
from mbu_ops.frames.aligners import family_to_align, noun_of
from mbu_ops.frames.box import Box
from mbu_ops.frames.chains import assemble_on_photos
from mbu_ops.frames.choice import USUAL_VIEWS, Which
from mbu_ops.frames.drawing import names_of
from mbu_ops.frames.framed import Framed
from mbu_ops.images.file import Strip, check_strip
from mbu_ops.images.formats import FORMAT_OF_SUFFIX, format_of
from mbu_ops.images.memory import Picture
from mbu_ops.ops.chain import ChainSpec
from mbu_ops.video.animations import AnimationFile, check_animation, write_animation
from mbu_ops.video.clip import ClipKind, ClipSource, HeldClip, check_length
from mbu_ops.video.editing import ClipEditor, Idle, digest_of
from mbu_ops.video.finding import search
from mbu_ops.video.limits import MAX_FRAMES
from mbu_ops.video.reading import VideoFile
from mbu_ops.video.tracks import Found, Track, tracks_of
from mbu_ops.video.work import WorkFolder, work_folder
from mbu_ops.video.writing import check_sound, encoding_of, write_video

ClipProgress: TypeAlias = Callable[[str, int, int], object]
"""Is told what is done (``"searching"``, ``"deciding"``, ``"editing"``, ``"writing"``), for how many frames it is done,
and how many there are."""


@dataclass(frozen=True, slots=True)
class ClipReport:
    """What became of a clip.

    Attributes:
        frames: how many it has.
        tracks: how many faces, or other things, were followed through a scene each and edited.
        idle: the steps that had nothing to do in it.
        resumed: how many of its frames a run before had edited.
        keeps_metadata: whether the result says what the clip's metadata says.
        keeps_place: whether it says where the clip was taken.
    """

    frames: int
    tracks: int
    idle: tuple[str, ...] = ()
    resumed: int = 0
    keeps_metadata: bool = False
    keeps_place: bool = False


def edit(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    steps: str | Sequence[str],
    *,
    family: str = "faces",
    guides: Mapping[str, Picture | int] | None = None,
    method: str | None = None,
    which: Which = "all",
    views: int = USUAL_VIEWS,
    box: Box | None = None,
    align: bool = True,
    small: bool = False,
    quality: int | None = None,
    steady: bool = True,
    max_frames: int = MAX_FRAMES,
    overwrite: bool = False,
    strip: Strip | None = None,
    device: str | torch.device | None = None,
    progress: ClipProgress | None = None,
) -> ClipReport:
    """Edit a video or an animation, as ``mbu-ops chain`` does: every face in it, followed from frame to frame.

    Args:
        source: an MP4, MOV, MKV or WebM file, or an animated GIF, WebP or PNG.
        out: the result, of any of these formats; it appears whole or not at all.
        steps: what to do, as on the command line: ``"remove:smile add:glasses@ref.jpg"``.
        family: family of the steps that name none.
        guides: attribute to guide, for steps that name none; see :func:`mbu_ops.edit`.
        method: method of the steps that name none.
        which: which of the faces of a scene to edit: all, the largest, or the one of this number.
        views: views of each face to edit and average, 1 to 6.
        box: where to edit instead of looking for faces.
        align: False edits whole frames, which must be cut to what is edited.
        small: whether to look for small faces too, as in crowds, which takes longer.
        quality: of lossy results, 1 (small) to 100; 80 by default.
        steady: whether faces' ways and what is drawn on them are smoothed in time; without, each frame is edited as
            a photo where something was found.
        max_frames: refuse longer clips.
        overwrite: replace an existing file.
        strip: leave ``"metadata"`` out of the result, or only ``"gps"``, where the clip was taken.
        device: where to compute; by default the accelerator, if there is one.
        progress: called for each frame of each stage.

    Returns:
        What became of it.

    Raises:
        VideoFileError: if the clip cannot be read or written, is too long, or needs PyAV and that is missing.
        ImageFileError: if the result exists.
        FrameError: if there is nothing to edit in any frame.
        ConfigurationError: if the arguments do not go together, or the steps end with a mask.
        MBUOpsError: if weights or guides cannot be found.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> folder = Path(tempfile.mkdtemp())
        >>> greys = [Image.new("RGB", (32, 32), (level, level, level)) for level in (60, 90)]
        >>> greys[0].save(folder / "in.gif", save_all=True, append_images=greys[1:], duration=80)
        >>> edit(folder / "in.gif", folder / "out.webp", "remove:smile", align=False, views=1).frames
        2
    """
    if box is not None and not align:
        raise ConfigurationError("box says where to edit already: leave align out")
    plans = ChainSpec.parse(steps).plan(family, guides, method)
    aligned = family_to_align(plans) if align and box is None else None
    computer = torch.device(device or torch.accelerator.current_accelerator(check_available=True) or "cpu")
    op = assemble_on_photos(plans, aligned, box, which=which, views=views, small=small, device=computer)
    return edit_clip(
        op,
        source,
        out,
        quality=quality,
        steady=steady,
        max_frames=max_frames,
        overwrite=overwrite,
        strip=strip,
        progress=progress,
    )


def edit_clip(
    op: nn.Module,
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    quality: int | None = None,
    steady: bool = True,
    max_frames: int = MAX_FRAMES,
    overwrite: bool = False,
    strip: Strip | None = None,
    progress: ClipProgress | None = None,
) -> ClipReport:
    """Edit a video or an animation by an op that is there already; see :func:`edit`.

    A run that is stopped, however it is, leaves its work in a hidden folder beside the result; the same call goes on
    from there and writes the same frames. The folder goes when the result is there.

    Args:
        op: what to do: a chain, an op that was told all but the image, :class:`mbu_ops.Framed` around either, or any
            module from images ``(B, 3, H, W)``, RGB in [0, 1], to images of the same size.
        source: see :func:`edit`.
        out: see :func:`edit`.
        quality: see :func:`edit`.
        steady: see :func:`edit`.
        max_frames: see :func:`edit`.
        overwrite: see :func:`edit`.
        strip: see :func:`edit`.
        progress: see :func:`edit`.

    Raises:
        VideoFileError: see :func:`edit`.
        ImageFileError: if the result exists, or its suffix names no format of clips.
        FrameError: see :func:`edit`.
        ConfigurationError: if the op makes masks.
    """
    source, out = Path(source), Path(out)
    check_strip(strip)
    format = format_of(out, clip=True).name
    if not overwrite and os.path.lexists(out):
        raise ImageFileError(f"{str(out)!r} exists already; remove it, or ask to overwrite it")
    if out.exists() and source.exists() and out.samefile(source):
        raise ConfigurationError(f"{str(out)!r}: the result would replace the clip; choose another output")
    clip = open_clip(source)
    framed = _framed(op, clip)
    check_length(source, clip.kind.frames or 0, max_frames)
    if FORMAT_OF_SUFFIX[out.suffix.lower()].video:
        encoding_of(clip.kind, format, quality)
        check_sound(clip.kind, format)
    else:
        check_animation(clip.kind, clip.kind.frames or 0)
    with work_folder(out, _identity(framed, source, steady)) as folder:
        try:
            editor, idle, resumed = _work(framed, clip, folder, steady, max_frames, progress)
        except MBUOpsError:
            if not folder.has_frames:  # the clip or the op will not do: there is nothing to go on with
                folder.remove()
            raise
        count = len(editor.found)
        told = _telling(progress, "writing", count)
        busy = any(len(steps) < len(editor.steps) for steps in idle.values())
        same = not busy and quality is None and strip is None and format == clip.kind.format
        kind = clip.kind.without(strip)
        _write(editor, kind, out, format, quality, same, told)
        folder.remove()
    nothing = [name for step, name in enumerate(names_of(framed.op)) if all(step in steps for steps in idle.values())]
    holds = FORMAT_OF_SUFFIX[out.suffix.lower()].video
    kept = holds and kind.described, holds and kind.located
    return ClipReport(count, len(editor.tracks), tuple(nothing), resumed, *kept)


def open_clip(path: Path) -> ClipSource:
    """Open a video or an animation, by its suffix; its frames are held to :func:`mbu_ops.images.limited`.

    Args:
        path: where it is.

    Raises:
        VideoFileError: if it cannot be read.
    """
    format = FORMAT_OF_SUFFIX.get(path.suffix.lower())
    return HeldClip(path, AnimationFile if format is not None and format.animated else VideoFile)


def _framed(op: nn.Module, clip: ClipSource) -> Framed:
    framed = op if isinstance(op, Framed) else Framed(op, Box(0, 0, clip.kind.width, clip.kind.height))
    if framed.makes_mask:
        raise ConfigurationError(
            "expected steps that change a clip, got some that end with a mask: leave that step out"
        )
    return framed


def _identity(framed: Framed, source: Path, steady: bool) -> str:
    """Return what work on a clip is made of and how: what another run may go on with only if it is the same."""
    status = source.stat()
    facts = [__version__, str(source.resolve()), status.st_size, status.st_mtime_ns, digest_of(framed), steady]
    return json.dumps(facts)


def _work(
    framed: Framed, clip: ClipSource, folder: WorkFolder, steady: bool, max_frames: int, progress: ClipProgress | None
) -> tuple[ClipEditor, Idle, int]:
    device = next((parameter.device for parameter in framed.parameters()), torch.device("cpu"))
    total = clip.kind.frames or 0
    found = search(clip, framed.aligner, folder, device, max_frames, _telling(progress, "searching", total))
    tracks = _tracks(framed, found, steady)
    editor = ClipEditor(framed, clip, found, tracks, folder, device, steady)
    idle = editor.decide(_telling(progress, "deciding", len(found)))
    return editor, idle, editor.edit(idle, _telling(progress, "editing", len(found)))


def _tracks(framed: Framed, found: Sequence[Found], steady: bool) -> list[Track]:
    tracks = tracks_of(found, framed.which, steady)
    if not tracks and framed.missing == "raise":
        noun = noun_of(framed.aligner)
        raise FrameError(
            f"expected {with_article(noun)} in some frames of the clip, found none; name its place (--frame L,T,R,B, "
            "in Python a Box), or edit frames whole (--no-align)"
        )
    return tracks


def _write(
    editor: ClipEditor,
    kind: ClipKind,
    out: Path,
    format: str,
    quality: int | None,
    same: bool,
    told: Callable[[int], object],
) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        with atomic_path(out, permissions(kind.path)) as temporary:
            if same:
                shutil.copyfile(kind.path, temporary)  # to encode it again would change it
            elif FORMAT_OF_SUFFIX[out.suffix.lower()].video:
                write_video(temporary, editor.edited(told), kind, format, quality)
            else:
                durations = [one.duration for one in editor.found]
                transparent = any(one.transparent for one in editor.found)
                write_animation(temporary, editor.edited(told), kind, format, durations, transparent, quality)
    except VideoFileError as error:
        raise VideoFileError(f"{str(out)!r}: {error}") from error
    except OSError as error:
        raise VideoFileError(
            f"{str(out)!r}: cannot be written ({error.strerror or error}); nothing was left under that name"
        ) from error


def _telling(progress: ClipProgress | None, stage: str, total: int) -> Callable[[int], object]:
    return (lambda _: None) if progress is None else lambda done: progress(stage, done, total)
