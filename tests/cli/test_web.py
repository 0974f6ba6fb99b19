"""What ``mbu-ops web`` offers, makes of choices, does to photos, and whom it answers."""

from __future__ import annotations

import asyncio
import json
import shlex
import stat
import sys
import threading
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import mbu_ops
from mbu_ops.errors import ChainSyntaxError, ConfigurationError, ImageFileError
from mbu_ops.families import FamilySpec, get_family
from mbu_ops.images import read
from mbu_ops.ops.verbs import first_weights, get_verb
from mbu_ops_cli.app import run
from mbu_ops_cli.web import catalogue, painting, photos, server
from mbu_ops_cli.web.choices import Order, Pick, Upload, edit_commands, pick
from mbu_ops_cli.web.session import Session

from ..pictures import draw
from ..portraits import head_on_texture, portrait

Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def portrait_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photos") / "eileen collins.png"
    portrait().save(path)
    return path


# -- what is offered --------------------------------------------------------------------------------------------------


def test_a_family_brings_its_own_things_and_verbs(pets: FamilySpec) -> None:
    assert catalogue.things(pets) == [("Hat", "hat")]  # no weights know the collar
    assert catalogue.words(pets, "hat") == list(first_weights(pets, "hat"))
    assert pets in catalogue.usable_families()


@pytest.mark.parametrize("thing", ["glasses", "smile", "nose"])
def test_everything_offered_can_be_planned(thing: str) -> None:
    faces = get_family("faces")
    for word in catalogue.words(faces, thing):
        for method in catalogue.methods(faces, thing, word):
            guides = catalogue.default_guides(faces, thing, word, method)
            step = pick(word, thing, method, guide=guides[-1].number if guides else None).step()
            assert mbu_ops.ops.ChainSpec((step,)).plan()[0].info.method == method


def test_sliders_begin_where_the_verb_does() -> None:
    for dial in catalogue.dials("adjust"):
        assert dial.low <= dial.start <= dial.high
        assert str(dial.option.kind(dial.option.default_text)) == str(dial.start)
    shown = {dial.option.name for dial in catalogue.dials("remove")} | {one.name for one in catalogue.entries("remove")}
    assert shown == {option.name for option in get_verb("remove").options}


def test_guides_of_the_family_are_shown_by_their_titles() -> None:
    found = catalogue.default_guides(get_family("faces"), "glasses", "add")
    shipped = [guide.title for guide in get_family("faces").guides if guide.attribute == "glasses"]
    assert [(guide.number, guide.title) for guide in found] == list(enumerate(shipped))
    assert all(guide.spec for guide in found)


# -- what choices become ----------------------------------------------------------------------------------------------


def test_what_nobody_touched_is_left_out() -> None:
    starts = {dial.option.name: dial.start for dial in catalogue.dials("remove")}
    assert str(pick("remove", "smile", guide=3, to=2, turned=starts, typed={"presence": " "}).step()) == "remove:smile"


@pytest.mark.parametrize(("typed", "says"), [("2", "presence must be a number from 0 to 1"), ("x", "got 'x'")])
def test_what_is_typed_is_checked(typed: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        pick("remove", "smile", typed={"presence": typed})


def test_the_command_line_does_the_same(portrait_file: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(portrait_file.parent)
    picks = pick("remove", "smile", turned={"detail": 0.5}), pick("add", "glasses", guide=Upload.of(portrait_file))
    order = Order(picks, Upload.of(portrait_file), which=1, views=2)
    program, *words = shlex.split(order.command)
    assert program == "mbu-ops"
    assert run([*words, "--dry-run", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert [step["step"] for step in plan["steps"]] == ["remove:smile,detail=0.5", "add:glasses@eileen collins.png"]
    assert [(job["input"], job["output"]) for job in plan["todo"]] == [
        ("eileen collins.png", "eileen collins-edited.png")
    ]
    assert words[-4:] == ["--face", "1", "--views", "2"]


def test_the_recipe_does_the_same(tmp_path: Path, capsys: Captured) -> None:
    order = Order((pick("adjust", "smile", turned={"strength": -0.25}),), views=1)
    (tmp_path / "look.toml").write_text(order.recipe)
    portrait().save(tmp_path / "a.png")
    assert tomllib.loads(order.recipe) == {"steps": ["adjust:smile,strength=-0.25"], "views": 1}
    words = ["--recipe", str(tmp_path / "look.toml"), "-i", str(tmp_path / "a.png"), "-o", str(tmp_path / "b.png")]
    assert run(["chain", *words, "--dry-run", "--json"]) == 0
    assert [step["step"] for step in json.loads(capsys.readouterr().out)["steps"]] == ["adjust:smile,strength=-0.25"]


@pytest.mark.parametrize("name", ["$(rm -rf ~).jpg", "-o.png", "a,guide=3.jpg", "'; true '.webp", "..", "é @x.jpg"])
def test_names_of_files_mean_nothing_to_shells_and_steps(name: str) -> None:
    order = Order((pick("add", "glasses", guide=Upload.of(f"/tmp/{name}")),), Upload.of(f"/tmp/{name}"))
    words = shlex.split(order.command)
    assert len(words) == 7
    assert not words[4].startswith("-")
    assert order.chain().steps[0].guide == Upload.of(f"/tmp/{name}").name


def test_a_guide_whose_name_looks_like_an_option_is_used(tmp_path: Path) -> None:
    path = draw(tmp_path / "ref,guide=2.jpg")
    guide = Upload.of(path)
    assert guide.name == "ref,guide_2.jpg"
    spec = Order((pick("add", "glasses", guide=guide),)).chain(private=True).steps[0]
    assert Path(str(spec.guide)).read_bytes() == path.read_bytes()


def test_a_step_after_a_mask_is_refused_at_once() -> None:
    session = Session("faces").with_pick(pick("segment", "glasses"))
    with pytest.raises(ChainSyntaxError, match="needs an image"):
        session.with_pick(pick("remove", "smile"))


def test_only_ticked_steps_run() -> None:
    session = Session("faces").with_pick(pick("remove", "smile")).with_pick(pick("add", "glasses"))
    draft = pick("remove", "glasses")
    assert [step.word for step in session.order(draft, [1]).picks] == ["add"]
    assert session.without_picks().order(draft).picks == (draft,)
    with pytest.raises(ConfigurationError, match="at least one step"):
        session.order(draft, [])


def test_commands_of_a_painting_name_the_mask() -> None:
    parse, edit = map(shlex.split, edit_commands("my photo.jpg", "dolls", 2).splitlines())
    assert parse[-5:] == ["my photo-parts.png", "--family", "dolls", "--face", "2"]
    assert edit[edit.index("--mask") + 1] == "my photo-parts.png"


# -- photos -----------------------------------------------------------------------------------------------------------


def test_faces_are_found_and_numbered(tmp_path: Path) -> None:
    head_on_texture(640, 400, (20, 60, 260), (360, 40, 200)).save(tmp_path / "two.png")
    session = Session("faces").opened(tmp_path / "two.png")
    assert [name for _, name in session.faces] == ["all", "1", "2"]
    assert session.photo is not None
    shown = photos.with_boxes(session.photo)
    assert (shown != np.asarray(photos.preview(session.photo.file))).any()


def test_a_photo_without_a_face_is_shown_with_the_reason(tmp_path: Path) -> None:
    Image.new("RGB", (200, 120), "green").save(tmp_path / "lawn.png")
    session = Session("faces").opened(tmp_path / "lawn.png")
    assert session.photo is not None
    assert session.photo.problem.startswith("expected a face in the photo, found none")
    assert session.faces == [("all", "all")]
    for tried in (
        lambda: session.run(session.order(pick("remove", "smile")), tmp_path),
        lambda: session.parsed("all"),
        lambda: session.repaint(None, "all", tmp_path),
    ):
        with pytest.raises(mbu_ops.errors.FrameError, match=r"found none: choose another photo, [^-]+$"):
            tried()


def test_a_phones_photo_is_upright_and_a_transparent_one_on_white(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    portrait().transpose(Image.Transpose.ROTATE_90).save(tmp_path / "phone.jpg", exif=exif)
    session = Session("faces").opened(tmp_path / "phone.jpg")
    assert len(session.faces) == 2
    Image.new("RGBA", (4, 2), (9, 9, 9, 0)).save(tmp_path / "clear.png")
    assert np.asarray(photos.preview(read(tmp_path / "clear.png"))).min() == 255


def test_a_large_photo_is_shown_small(tmp_path: Path) -> None:
    Image.new("RGB", (3000, 1500)).save(tmp_path / "large.png")
    assert photos.preview(read(tmp_path / "large.png")).size == (1024, 512)


def test_what_is_no_photo_is_named_as_it_came(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    with pytest.raises(ImageFileError, match=r"^'broken\.jpg': expected a JPEG"):
        Session("faces").opened(tmp_path / "broken.jpg")
    Image.new("RGB", (50, 50)).save(tmp_path / "large.png")
    monkeypatch.setattr("mbu_ops_cli.web.photos.MAX_PIXELS", 2000)
    with pytest.raises(ImageFileError, match=r"'large\.png': expected at most 0\.002 million pixels"):
        Session("faces").opened(tmp_path / "large.png")


def test_guides_are_held_to_the_same_limits(
    portrait_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session("faces").opened(portrait_file)
    Image.new("RGB", (50, 50)).save(tmp_path / "large.png")
    monkeypatch.setattr("mbu_ops_cli.web.photos.MAX_PIXELS", 2000)
    order = session.order(pick("add", "glasses", guide=Upload.of(tmp_path / "large.png")), views=1)
    with pytest.raises(ImageFileError, match=r"'large\.png': expected at most 0\.002 million pixels"):
        session.run(order, tmp_path / "out")


def test_a_picture_that_takes_too_long_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr("mbu_ops_cli.web.photos.TIMEOUT", 0.05)
    monkeypatch.setattr("mbu_ops.images.reader.decode", lambda *_: over.wait(30))
    (tmp_path / "slow.png").write_bytes(b"slow")
    with pytest.raises(ImageFileError, match=r"'slow\.png': expected to be decoded within 0\.05 s"):
        Session("faces").opened(tmp_path / "slow.png")
    over.set()


def test_a_run_is_that_of_the_library(pets: FamilySpec, tmp_path: Path) -> None:
    session = Session("pets").opened(str(pets.samples[0].locate()))
    order = session.order(pick("remove", "hat"), views=1)
    outcome = session.run(order, tmp_path / "out")
    assert [path.name for path in outcome.files] == ["rex-edited.png", "rex-edited.mask.png", "look.toml"]
    expected = mbu_ops.edit("remove:hat", read(str(pets.samples[0].locate())), family="pets", views=1)
    assert (read(outcome.files[0]).pixels == expected.pixels).all()
    assert outcome.files[2].read_text() == order.recipe
    assert (outcome.before.shape, outcome.after.shape) == (expected.pixels.shape, expected.pixels.shape)


def test_the_slider_begins_in_the_middle_of_what_changed() -> None:
    blank = np.zeros((4, 10, 3), np.uint8)
    mask = blank.copy()
    mask[1, 6:9] = 255
    assert photos.Outcome(blank, blank, mask, ()).middle == 70
    assert photos.Outcome(blank, blank, blank, ()).middle == 50


def test_a_mask_is_a_result(pets: FamilySpec, tmp_path: Path) -> None:
    session = Session("pets").opened(str(pets.samples[0].locate()))
    outcome = session.run(session.order(pick("segment", "hat")), tmp_path)
    assert outcome.files[0].name == "rex-mask.png"
    assert Image.open(outcome.files[0]).mode == "L"


def test_nothing_to_do_is_said(portrait_file: Path, tmp_path: Path) -> None:
    session = Session("faces").opened(portrait_file)
    outcome = session.run(session.order(pick("remove", "glasses"), views=1), tmp_path)
    assert any(notice.startswith("Nothing was changed") for notice in outcome.notices)


def test_a_guide_without_the_thing_is_named_as_it_came(portrait_file: Path, tmp_path: Path) -> None:
    Image.new("RGB", (200, 200), "green").save(tmp_path / "lawn.png")
    session = Session("faces").opened(portrait_file)
    order = session.order(pick("add", "glasses", guide=Upload.of(tmp_path / "lawn.png")), views=1)
    with pytest.raises(mbu_ops.errors.FrameError, match="picture of 'add:glasses@lawn\\.png', found none"):
        session.run(order, tmp_path / "out")


def test_without_a_photo_one_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="choose one first"):
        Session("faces").run(Order((Pick("remove", "smile"),)), tmp_path)


# -- painting ---------------------------------------------------------------------------------------------------------


def test_strokes_redraw_their_own_place(portrait_file: Path, tmp_path: Path) -> None:
    session = Session("faces").opened(portrait_file).parsed("all")
    anatomy = get_family("faces").anatomy
    assert anatomy is not None
    assert session.photo is not None
    assert session.labels is not None
    shown = painting.tinted(session.photo, session.labels, anatomy, session.box)
    strokes = np.zeros((shown.height, shown.width, 4), np.uint8)
    middle = slice(shown.height // 4, shown.height // 3), slice(shown.width * 2 // 5, shown.width * 3 // 5)
    strokes[middle] = (*anatomy.colours[anatomy.names.index("skin")], 255)
    outcome, commands = session.repaint(strokes, "all", tmp_path)
    assert commands.startswith("mbu-ops parse")
    names = [path.name for path in outcome.files]
    assert names == ["eileen collins-edited.png", "eileen collins-edited.mask.png", "eileen collins-parts.png"]
    changed = (read(outcome.files[0]).pixels != read(portrait_file).pixels).any(2)
    assert changed.any()
    left, top, right, bottom = session.box
    changed[top:bottom, left:right] = False
    assert not changed.any()


def test_nothing_painted_is_said(portrait_file: Path, tmp_path: Path) -> None:
    session = Session("faces").opened(portrait_file)
    with pytest.raises(ConfigurationError, match="show the parts first"):
        session.repaint(None, "all", tmp_path)
    with pytest.raises(ConfigurationError, match="choose a colour"):
        session.parsed("all").repaint(np.zeros((9, 9, 4), np.uint8), "all", tmp_path)


# -- the server -------------------------------------------------------------------------------------------------------


def answer(headers: dict[str, str], kind: str = "http") -> tuple[list[dict[str, Any]], bool]:
    """Send a request through the door: what comes back, and whether it got through."""
    reached, sent = [], []

    async def inner(scope: dict[str, Any], receive: object, send: Any) -> None:
        reached.append(scope)
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"type": kind, "headers": [(name.encode(), value.encode()) for name, value in headers.items()]}
    asyncio.run(server.OwnPageOnly(inner)(scope, None, send))  # type: ignore[arg-type]
    return sent, bool(reached)


@pytest.mark.parametrize(
    ("headers", "own"),
    [
        ({"host": "127.0.0.1:7860"}, True),
        ({"host": "localhost:7860", "origin": "http://localhost:7860", "sec-fetch-site": "same-origin"}, True),
        ({"host": "evil.example:7860"}, False),
        ({"host": "127.0.0.1.evil.example"}, False),
        ({}, False),
        ({"host": "127.0.0.1:7860", "origin": "http://evil.example"}, False),
        ({"host": "127.0.0.1:7860", "origin": "null"}, False),
        ({"host": "127.0.0.1:7860", "origin": "http://127.0.0.1:8000"}, False),
        ({"host": "127.0.0.1:7860", "sec-fetch-site": "cross-site"}, False),
    ],
)
def test_only_the_page_itself_is_answered(headers: dict[str, str], own: bool) -> None:
    sent, reached = answer(headers)
    assert reached is own
    assert sent[0]["status"] == (200 if own else 403)
    names = {name for name, _ in sent[0]["headers"]}
    assert (b"content-security-policy" in names) is own


def test_a_strangers_socket_is_closed() -> None:
    sent, reached = answer({"host": "evil.example"}, "websocket")
    assert (sent, reached) == ([{"type": "websocket.close", "code": 1008}], False)


@pytest.fixture
def taken() -> Iterator[int]:
    with server.listen(0) as own:
        yield own.getsockname()[1]


def test_a_port_that_is_taken_is_named(taken: int, capsys: Captured) -> None:
    assert run(["web", "--port", str(taken), "--no-open"]) == 2
    assert f"port {taken} of 127.0.0.1 cannot be used" in capsys.readouterr().err


def test_files_lie_in_a_folder_of_ones_own_that_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*server.QUIET, "GRADIO_TEMP_DIR"):
        monkeypatch.setenv(name, "before")
    with server.private_folder() as folder:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        (folder / "photo.jpg").write_bytes(b"private")
    assert not folder.exists()


def test_without_gradio_the_way_to_it_is_said(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    for name in (*server.QUIET, "GRADIO_TEMP_DIR"):
        monkeypatch.setenv(name, "before")
    monkeypatch.setitem(sys.modules, "gradio", None)
    assert run(["web", "--port", "0", "--no-open"]) == 3
    assert "pip install 'mbu-ops[web]'" in capsys.readouterr().err


def test_there_is_no_way_to_other_addresses(capsys: Captured) -> None:
    assert run(["web", "--host", "0.0.0.0"]) == 2
    assert "No such option" in capsys.readouterr().err
