"""Videos and animations: faces followed from frame to frame, edits that do not flicker, sound and time stamps kept.

Videos need the extra ``video`` (PyAV); animated GIF, WebP and PNG files need nothing more. Importing this package
imports neither PyAV nor torch; the first use of most names does.

Example:
    >>> import tempfile
    >>> from pathlib import Path
    >>> import torch
    >>> from PIL import Image
    >>> from mbu_ops.video import edit_clip
    >>> folder = Path(tempfile.mkdtemp())
    >>> greys = [Image.new("RGB", (32, 24), (level, level, level)) for level in (60, 90, 200)]
    >>> greys[0].save(folder / "in.gif", save_all=True, append_images=greys[1:], duration=80)
    >>> edit_clip(torch.nn.Hardtanh(0, 0.5), folder / "in.gif", folder / "out.gif").frames
    3
    >>> with Image.open(folder / "out.gif") as result:
    ...     result.seek(2)
    ...     result.convert("RGB").getpixel((9, 9))
    (128, 128, 128)
"""

from mbu_ops._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(__name__, __file__)
