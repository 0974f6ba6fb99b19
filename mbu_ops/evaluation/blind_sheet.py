"""The folder of a blind sheet: pictures, numbered grids of them, and a page that asks about one after another."""

from __future__ import annotations

import hashlib
import html
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mbu_ops.evaluation.blind import Key, Shown
from mbu_ops.images import encode, write_bytes

PICTURES, PAGE, ANSWERS = "pictures", "page.html", "answers.txt"

_SHEET, _CELL, _LABEL, _GAP = 2048, 640, 28, 8
"""Longest side of a grid, of a cell in it, height of its number, and what lies between: pixels."""


def write_blind_sheet(folder: Path, shown: Sequence[Shown], facts: Mapping[str, object]) -> Key:
    """Write everything that is shown, and return the key, which is kept elsewhere.

    Args:
        folder: where to; nothing in it is replaced.
        shown: the pictures, in the order in which they are shown.
        facts: how they were made, for the key.

    Returns:
        The key.

    Raises:
        ImageFileError: if a file exists, or cannot be written.
    """
    digits = max(3, len(str(len(shown))))
    files = {f"{number:0{digits}}": encode(_pixels(one), format="PNG") for number, one in enumerate(shown, 1)}
    digest = hashlib.sha256(b"".join(hashlib.sha256(data).digest() for data in files.values())).hexdigest()[:16]
    for name, data in files.items():
        write_bytes(folder / PICTURES / f"{name}.png", data)
    grids = list(_grids(dict(zip(files, map(_pixels, shown), strict=True))))
    for number, grid in enumerate(grids, 1):
        name = "sheet.png" if len(grids) == 1 else f"sheet-{number}.png"
        write_bytes(folder / name, encode(np.asarray(grid), format="PNG"))
    lines = ["# real or edited? Write one of the two in place of each question mark.", f"sheet {digest}"]
    write_bytes(folder / ANSWERS, "\n".join([*lines, *(f"{name} ?" for name in files), ""]).encode())
    write_bytes(folder / PAGE, page(folder.absolute().name, digest, list(files)).encode("utf-8", "replace"))
    pictures = {
        name: {"shown": str(one.word), "step": one.step, "source": one.source}
        for name, one in zip(files, shown, strict=True)
    }
    return Key(digest, pictures, dict(facts))


def _pixels(shown: Shown) -> np.ndarray:
    return shown.pixels.permute(1, 2, 0).numpy()


def _grids(pictures: Mapping[str, np.ndarray]) -> list[Image.Image]:
    """Return the pictures with their numbers, at their own size where a cell holds them, as many grids as it takes."""
    small = {}
    for name, pixels in pictures.items():
        small[name] = Image.fromarray(pixels)
        small[name].thumbnail((_CELL, _CELL), Image.Resampling.LANCZOS)
    width = max(one.width for one in small.values()) + _GAP
    height = max(one.height for one in small.values()) + _GAP + _LABEL
    columns = min(_SHEET // width, math.ceil(math.sqrt(len(small) * height / width)))
    rows = _SHEET // height
    names, font, grids = list(small), ImageFont.load_default(20), []
    for start in range(0, len(names), rows * columns):
        some = names[start : start + rows * columns]
        grid = Image.new("RGB", (columns * width, math.ceil(len(some) / columns) * height), "white")
        pen = ImageDraw.Draw(grid)
        for index, name in enumerate(some):
            left, top = index % columns * width, index // columns * height
            pen.text((left + _GAP, top + 2), name, fill="black", font=font)
            grid.paste(small[name], (left, top + _LABEL))
        grids.append(grid)
    return grids


def page(title: str, sheet: str, names: Sequence[str]) -> str:
    """Return a page of its own that shows one picture after another and collects answers; it knows none of them.

    Args:
        title: of the page, any text.
        sheet: digest of the pictures.
        names: of the pictures, which lie beside the page.

    Example:
        >>> "<title>&lt;b&gt;" in page("<b>", "ab12", ["001"])
        True
    """
    known = json.dumps({"sheet": sheet, "names": list(names)}).replace("<", "\\u003c")
    return _PAGE.replace("{title}", html.escape(title)).replace("{folder}", PICTURES).replace("{known}", known)


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}: real or edited?</title>
<style>
body { font: 18px/1.5 system-ui, sans-serif; margin: 1rem auto; max-width: 66rem; padding: 0 1rem }
img { display: block; max-width: none; margin: 0 0 1rem }
button { font: inherit; padding: .5rem 1.5rem; margin: 0 .5rem .5rem 0 }
textarea { width: 100%; height: 12rem; font: 14px monospace }
</style>
</head>
<body>
<main>
<h1>Real or edited?</h1>
<p id="status" role="status" aria-live="polite"></p>
<section id="asking">
<img id="picture" alt="">
<button id="real" aria-keyshortcuts="R">Real (R)</button>
<button id="edited" aria-keyshortcuts="E">Edited (E)</button>
<button id="back" aria-keyshortcuts="B">Back (B)</button>
<p>About half of the pictures are edited. Guess where you cannot tell.</p>
</section>
<section id="done" hidden>
<p><a id="save" download="answers.json">Save answers.json</a>, or copy this text into a file. Then let
<code>mbu-ops eval-blind --answers answers.json --key KEY</code> count.</p>
<label for="text">Your answers</label>
<textarea id="text" readonly></textarea>
<button id="again">Back</button>
</section>
<noscript>This page needs JavaScript. The pictures are in the folder {folder}: write into answers.txt.</noscript>
</main>
<script>
"use strict";
const known = {known};
const at = id => document.getElementById(id);
const answers = [];
function show() {
  const count = known.names.length, done = answers.length === count;
  at("asking").hidden = done;
  at("done").hidden = !done;
  const edited = answers.filter(word => word === "edited").length;
  const said = "so far real " + (answers.length - edited) + ", edited " + edited;
  at("status").textContent = done ? "All " + count + " pictures answered, " + said
    : "Picture " + (answers.length + 1) + " of " + count + " (" + known.names[answers.length] + "), " + said;
  at("back").disabled = answers.length === 0;
  if (done) {
    const pairs = known.names.map((name, index) => [name, answers[index]]);
    const text = JSON.stringify({sheet: known.sheet, answers: Object.fromEntries(pairs)}, null, 1);
    at("text").value = text;
    at("save").href = "data:application/json;charset=utf-8," + encodeURIComponent(text);
    at("save").focus();
  } else {
    at("picture").src = "{folder}/" + known.names[answers.length] + ".png";
    at("picture").alt = "Picture " + known.names[answers.length];
  }
}
function answer(word) {
  if (answers.length < known.names.length) { answers.push(word); show(); }
}
function back() { answers.pop(); show(); }
at("real").onclick = () => answer("real");
at("edited").onclick = () => answer("edited");
at("back").onclick = at("again").onclick = back;
document.onkeydown = event => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const key = event.key.toLowerCase();
  if (key === "r") answer("real"); else if (key === "e") answer("edited"); else if (key === "b") back();
};
show();
</script>
</body>
</html>
"""
