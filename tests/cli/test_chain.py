"""`mbu-ops chain` on real files, in this process unless the process itself is what is tested."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
import torch
from PIL import Image

import mbu_ops
from mbu_ops.families import FamilySpec
from mbu_ops.images import read
from mbu_ops_cli.app import run

from ..pictures import draw
from .conftest import Command, pixels_of


def tree(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_folder_is_mirrored_with_names_and_formats(
    hats: str, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run(["chain", f"remove:{hats}", f"add:{hats}", "-i", str(photos), "-o", str(out)]) == 0
    assert tree(out) == ["0.png", "1.png", "2.png", "trip/a.png", "trip/deep/b.jpg"]
    for name in tree(out):
        assert Image.open(out / name).format == Image.open(photos / name).format
        assert Image.open(out / name).size == Image.open(photos / name).size
    captured = capsys.readouterr()
    assert "5 pictures written" in captured.err
    assert not captured.out


def test_the_result_is_what_the_python_chain_makes(hats: str, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run(["chain", f"remove:{hats}", f"add:{hats},guide=2", "-i", str(photos), "-o", str(out)]) == 0
    module = mbu_ops.chain([f"remove:{hats}", f"add:{hats},guide=2"])
    for name in ("0.png", "trip/a.png"):
        expected = module(read(photos / name).to_tensor()[None])[0].mul(255).round().byte().permute(1, 2, 0).numpy()
        assert np.abs(pixels_of(out / name).astype(int) - expected).max() <= 1
        assert not np.array_equal(pixels_of(out / name), pixels_of(photos / name))


def test_outside_the_mask_nothing_changes(hats: str, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run(["chain", f"remove:{hats}", "--save-mask", "-i", str(photos / "0.png"), "-o", f"{out}/"]) == 0
    mask, before, after = (pixels_of(path) for path in (out / "0.png.mask.png", photos / "0.png", out / "0.png"))
    assert mask.shape == before.shape[:2]
    assert (mask == 0).any()
    assert (mask == 255).any()
    assert np.array_equal(before[mask == 0], after[mask == 0])
    assert (before[mask == 255] != after[mask == 255]).any()


def test_a_frame_limits_the_edit(hats: str, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.png"
    args = ["-i", str(photos / "0.png"), "-o", str(out), "--frame", "4,2,20,18", "--save-mask"]
    assert run(["chain", f"add:{hats},threshold=0,softness=0", *args]) == 0
    before, after, mask = pixels_of(photos / "0.png"), pixels_of(out), pixels_of(tmp_path / "out.png.mask.png")
    outside = np.ones(before.shape[:2], bool)
    outside[2:18, 4:20] = False
    assert np.array_equal(before[outside], after[outside])
    assert not mask[outside].any()
    assert mask[~outside].all()


def test_a_frame_outside_the_picture_fails_that_picture(
    hats: str, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run(["chain", f"remove:{hats}", "-i", str(photos), "-o", str(out), "--frame", "0,0,24,20"]) == 1
    assert tree(out) == ["0.png", "1.png", "2.png"]
    assert "trip/a.png" in capsys.readouterr().err


def test_segment_writes_a_grey_png_of_the_input_size(hats: str, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run(["chain", f"remove:{hats}", f"segment:{hats}", "-i", str(photos), "-o", str(out)]) == 0
    assert tree(out) == ["0.png", "1.png", "2.png", "trip/a.png", "trip/deep/b.png"]
    with Image.open(out / "trip/deep/b.png") as mask:
        assert (mask.mode, mask.size) == ("L", (16, 30))


@pytest.mark.parametrize(
    ("step", "other"),
    [
        ("add:{hats}@{guide}", "add:{hats},guide=0"),
        ("swap:{hats}", "add:{hats}"),
        ("interpolate:{hats},to=1,amount=0.5", "interpolate:{hats},to=1,amount=1"),
        ("add:{hats},threshold=0.9", "add:{hats}"),
    ],
)
def test_guides_and_options_change_the_result(step: str, other: str, hats: str, photos: Path, tmp_path: Path) -> None:
    results = []
    for index, text in enumerate((step, other)):
        text = text.format(hats=hats, guide=photos / "1.png")
        assert run(["chain", text, "-i", str(photos / "0.png"), "-o", str(tmp_path / f"{index}.png")]) == 0
        results.append(pixels_of(tmp_path / f"{index}.png"))
    assert not np.array_equal(results[0], results[1])


def test_guide_option_is_the_guide_of_the_steps_that_name_none(hats: str, photos: Path, tmp_path: Path) -> None:
    common = ["-i", str(photos / "0.png")]
    guide = photos / "1.png"
    assert run(["chain", f"add:{hats}", *common, "-o", str(tmp_path / "a.png"), "--guide", f"{hats}={guide}"]) == 0
    assert run(["chain", f"add:{hats}@{guide}", *common, "-o", str(tmp_path / "b.png")]) == 0
    assert np.array_equal(pixels_of(tmp_path / "a.png"), pixels_of(tmp_path / "b.png"))


@pytest.mark.parametrize("dtype", ["bfloat16", "float64"])
def test_networks_in_other_number_types(dtype: str, hats: str, photos: Path, tmp_path: Path) -> None:
    assert run(["chain", f"remove:{hats}", "-i", str(photos), "-o", str(tmp_path / "out"), "--dtype", dtype]) == 0


def test_globs_and_files_together(hats: str, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    inputs = ["-i", str(photos / "[01].png"), "-i", str(photos / "trip" / "a.png")]
    assert run(["chain", f"remove:{hats}", *inputs, "-o", str(out)]) == 0
    assert tree(out) == ["0.png", "1.png", "a.png"]


def test_broken_pictures_are_named_and_the_rest_is_done(
    hats: str, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "empty.jpg").write_bytes(b"")
    (photos / "text.jpg").write_text("not a picture")
    whole = (photos / "0.png").read_bytes()
    (photos / "cut.png").write_bytes(whole[: len(whole) // 2])
    args = ["chain", f"remove:{hats}", "-i", str(photos), "-o", str(tmp_path / "out")]
    assert run(args) == 1
    err = capsys.readouterr().err
    assert "5 pictures written, 3 failed" in err
    assert all(name in err for name in ("empty.jpg", "text.jpg", "cut.png"))
    assert len(tree(tmp_path / "out")) == 5

    times = {name: (tmp_path / "out" / name).stat().st_mtime_ns for name in tree(tmp_path / "out")}
    assert run([*args, "--existing", "skip", "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert (len(report["written"]), len(report["skipped"]), len(report["failed"])) == (0, 5, 3)
    assert times == {name: (tmp_path / "out" / name).stat().st_mtime_ns for name in tree(tmp_path / "out")}


def test_existing_results(hats: str, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    args = ["chain", f"remove:{hats}", "-i", str(photos), "-o", str(out)]
    assert run(args) == 0
    (out / "0.png").write_bytes(b"mine")
    assert run(args) == 2
    assert "--existing skip" in capsys.readouterr().err
    assert run([*args, "--existing", "skip"]) == 0
    assert (out / "0.png").read_bytes() == b"mine"
    assert run([*args, "--existing", "overwrite"]) == 0
    assert pixels_of(out / "0.png").shape == (20, 24, 3)


def test_dry_run_does_nothing(hats: str, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = tree(tmp_path)
    args = ["chain", f"add:{hats},guide=1", "-i", str(photos), "-o", str(tmp_path / "out"), "--dry-run"]
    assert run(args) == 0
    out = capsys.readouterr().out
    assert "guide 1" in out
    assert "5 pictures to edit" in out
    assert run([*args, "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["todo"][0]["output"] == str(tmp_path / "out" / "0.png")
    assert plan["steps"][0]["guides"] == [1]
    assert tree(tmp_path) == before


def test_pipes(hats: str, photos: Path, mbu_ops: Command) -> None:
    data = (photos / "trip" / "deep" / "b.jpg").read_bytes()
    done = mbu_ops("chain", f"remove:{hats}", "-i", "-", "-o", "-", input=data)
    assert done.returncode == 0, done.stderr
    with Image.open(io.BytesIO(done.stdout)) as image:
        assert (image.format, image.size) == ("JPEG", (16, 30))
    mask = mbu_ops("chain", f"segment:{hats}", "-i", "-", input=data)
    with Image.open(io.BytesIO(mask.stdout)) as image:
        assert (image.format, image.mode, image.size) == ("PNG", "L", (16, 30))
    unnamed = mbu_ops("chain", f"remove:{hats}", input=data)
    assert (unnamed.returncode, unnamed.stdout) == (2, b"")
    assert b"add -i -" in unnamed.stderr


def test_a_closed_stdin_shows_the_demo(hats: str, mbu_ops: Command) -> None:
    done = mbu_ops("chain", f"remove:{hats}", "--dry-run", preexec_fn=lambda: os.close(0))
    assert done.returncode == 0, done.stderr
    assert b"the demo picture" in done.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full device")
def test_stdout_on_a_full_disk(hats: str, photos: Path, mbu_ops: Command) -> None:
    with Path("/dev/full").open("wb") as full:
        args = ["chain", f"remove:{hats}", "-i", str(photos / "0.png"), "-o", "-"]
        done = mbu_ops(*args, capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1
    assert b"0.png: OSError: [Errno 28] No space left on device" in done.stderr
    assert b"1 failed" in done.stderr


def test_a_broken_pipe_input_fails_cleanly(hats: str, mbu_ops: Command) -> None:
    done = mbu_ops("chain", f"remove:{hats}", "-i", "-", input=b"no picture")
    assert done.returncode == 1
    assert not done.stdout
    assert b"1 failed" in done.stderr


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["remove:HATS", "-i", "PHOTOS"], 2, "-o OUT"),
        (["remove:HATS", "-o", "out"], 2, "-i IN"),
        (["remove:HATS", "-i", "PHOTOS", "-o", "PHOTOS"], 2, "same folder"),
        (["remove:HATS", "-i", "PHOTOS/0.png", "-o", "PHOTOS/0.png"], 2, "0.png"),
        (["remove:HATS", "-i", "PHOTOS/none.png", "-o", "out"], 2, "none.png"),
        (["remove:HATS", "-i", "-", "-i", "PHOTOS", "-o", "out"], 2, "-i - alone"),
        (["remove:HATS", "-i", "PHOTOS", "-o", "-"], 2, "takes one picture"),
        (["remove:HATS", "-i", "PHOTOS/0.png", "-o", "-", "--json"], 2, "stdout"),
        (["remove:HATS", "-i", "PHOTOS/0.png", "-o", "-", "--save-mask"], 2, "--save-mask"),
        (["segment:HATS", "-i", "PHOTOS/0.png", "-o", "out.jpg"], 2, ".png"),
        (["segment:HATS", "-i", "PHOTOS/0.png", "-o", "out", "--save-mask"], 2, "--save-mask"),
        (["remove:HATS", "-i", "PHOTOS", "-o", "PHOTOS/0.png/out"], 2, "cannot write"),
        (["remove:HATS", "-i", "PHOTOS", "-o", "out", "--frame", "1,2,3"], 2, "left,top,right,bottom"),
        (["remove:HATS", "-i", "PHOTOS", "-o", "out", "--device", "warp:9"], 2, "--device warp:9"),
        (["remove:HATS", "-i", "PHOTOS", "-o", "out", "--guide", "hat"], 2, "ATTR=PATH"),
        (["remove:HATS", "-i", "PHOTOS", "-o", "out", "--guide", "HATS=PHOTOS/0.png"], 2, "no step"),
        (["add:HATS@none.jpg", "-i", "PHOTOS", "-o", "out"], 2, "none.jpg"),
        (["add:HATS@TEXT", "-i", "PHOTOS", "-o", "out"], 2, "notes.jpg"),
        (["add:HATS,guide=3", "-i", "PHOTOS", "-o", "out"], 3, "0 to 2"),
        (["remove:./no-such-weights", "-i", "PHOTOS", "-o", "out"], 3, "no-such-weights"),
        (["remove:TEXT", "-i", "PHOTOS", "-o", "out"], 3, "notes.jpg"),
        (["remove:no_such_thing", "-i", "PHOTOS", "-o", "out"], 2, "no_such_thing"),
        (["remove:smil", "-i", "PHOTOS", "-o", "out"], 2, "Did you mean 'smile'"),
        (["remove:face/smile", "-i", "PHOTOS", "-o", "out"], 2, "Did you mean 'faces'"),
        (["remvoe:smile", "-i", "PHOTOS", "-o", "out"], 2, "Did you mean 'remove'"),
        (["segment:HATS", "add:HATS", "-i", "PHOTOS", "-o", "out"], 2, "makes a mask"),
        (["remove:HATS", "PHOTOS/0.png", "-i", "PHOTOS/1.png", "-o", "out"], 2, "is a file, not a step"),
    ],
)
def test_bad_input_is_told_before_any_work(
    args: list[str],
    code: int,
    message: str,
    hats: str,
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.jpg").write_text("not a picture")
    args = [arg.replace("HATS", hats).replace("PHOTOS", "photos").replace("TEXT", "./notes.jpg") for arg in args]
    before = tree(tmp_path)
    assert run(["chain", *args]) == code
    captured = capsys.readouterr()
    assert message in captured.err
    assert not captured.out
    assert tree(tmp_path) == before


def test_pictures_that_would_share_a_mask_or_replace_one_are_refused(
    hats: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw(tmp_path / "in" / "a.png")
    draw(tmp_path / "in" / "a.png.mask.png")
    args = ["chain", f"remove:{hats}", "-i", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--save-mask"]
    assert run(args) == 2
    assert "would replace" in capsys.readouterr().err


def test_a_full_disk_leaves_nothing_half_written(
    hats: str, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> NoReturn:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert run(["chain", f"remove:{hats}", "-i", str(photos), "-o", str(tmp_path / "out")]) == 1
    assert "No space left on device" in capsys.readouterr().err
    assert tree(tmp_path / "out") == []


@pytest.mark.parametrize("size", [(1, 1), (1, 400), (400, 1)])
def test_thin_pictures(size: tuple[int, int], hats: str, tmp_path: Path) -> None:
    draw(tmp_path / "thin.png", size)
    assert run(["chain", f"swap:{hats}", "-i", str(tmp_path / "thin.png"), "-o", str(tmp_path / "out.png")]) == 0
    assert Image.open(tmp_path / "out.png").size == size


@pytest.mark.parametrize(("mode", "suffix"), [("L", ".png"), ("RGBA", ".png"), ("I;16", ".png"), ("CMYK", ".jpg")])
def test_other_kinds_of_files_keep_their_kind(mode: str, suffix: str, hats: str, tmp_path: Path) -> None:
    source = tmp_path / f"in{suffix}"
    values = np.random.default_rng(0).integers(0, 256, (20, 24), dtype=np.uint8)
    image = Image.fromarray(values.astype(np.uint16) * 257) if mode == "I;16" else Image.fromarray(values).convert(mode)
    image.save(source)
    assert run(["chain", f"remove:{hats}", "-i", str(source), "-o", str(tmp_path / f"out{suffix}")]) == 0
    assert Image.open(tmp_path / f"out{suffix}").mode == ("RGB" if mode == "CMYK" else Image.open(source).mode)


def test_weights_full_of_nan_are_refused(
    hats: str, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from safetensors import safe_open
    from safetensors.torch import save_file

    with safe_open(f"{hats}/weights.safetensors", "pt") as file:
        tensors, metadata = {key: file.get_tensor(key) for key in file.keys()}, file.metadata()  # noqa: SIM118
    first = next(key for key in tensors if tensors[key].is_floating_point())
    tensors[first] = torch.full_like(tensors[first], torch.nan)
    save_file(tensors, tmp_path / "nan.safetensors", metadata)
    args = ["-i", str(photos), "-o", str(tmp_path / "out")]
    assert run(["chain", f"remove:{tmp_path / 'nan.safetensors'}", *args]) == 3
    assert "nan.safetensors" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_family_and_its_aliases(
    pets: FamilySpec, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    args = ["-i", str(photos / "0.png"), "--existing", "overwrite", "-o", str(tmp_path / "out.png")]
    for step in ("remove:pets/hat", "remove:pets/cap"):
        assert run(["chain", step, *args]) == 0
    assert run(["chain", "remove:cap", "--family", "pets", "--method", "mbu", *args]) == 0
    assert run(["chain", "remove:pets/collar", *args]) == 3
    assert "pets/collar" in capsys.readouterr().err


def test_links_to_the_input_count_as_the_input(
    hats: str, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "link.png").symlink_to(photos / "0.png")
    args = ["-i", str(photos / "0.png"), "-o", str(tmp_path / "link.png"), "--existing", "overwrite"]
    before = (photos / "0.png").read_bytes()
    assert run(["chain", f"remove:{hats}", *args]) == 2
    assert "replace the input" in capsys.readouterr().err
    assert (photos / "0.png").read_bytes() == before


def test_weights_in_a_folder_that_looks_like_a_family(
    hats: str, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(hats, tmp_path / "runs" / "hats")
    args = ["-i", "photos/0.png", "-o", "out.png"]
    assert run(["chain", "remove:runs/hats", *args]) == 2
    assert "'./runs/hats'" in capsys.readouterr().err
    assert run(["chain", "remove:./runs/hats", *args]) == 0
