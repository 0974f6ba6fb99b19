from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image

from mbu_ops.families import FamilySpec, FrameSpec, discovery, get_family, refresh
from mbu_ops_cli.app import run


def test_list(pets: FamilySpec, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["families", "list"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["pets", "hat", "add,", "remove,"] in [row[:4] for row in rows]
    assert ["pets", "collar", "none:", "no", "weights", "yet"] in rows


def test_list_as_json(pets: FamilySpec, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["families", "list", "--json"]) == 0
    listed = {family["name"]: family for family in json.loads(capsys.readouterr().out)["families"]}
    assert [attribute["name"] for attribute in listed["pets"]["attributes"]] == ["hat", "collar"]
    assert listed["pets"]["weights"][0]["metrics"] == {"added": 0.5}


def test_show(pets: FamilySpec, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["families", "show", "pets"]) == 0
    out = capsys.readouterr().out
    assert all(text in out for text in ("Hat", "cap", "hat-tiny", "public domain", "added 0.5", "drawn by the tests"))
    assert run(["families", "show", "pets", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["samples"][0]["box"] == [4, 2, 34, 32]


def test_an_unknown_family(pets: FamilySpec, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["families", "show", "pest"]) == 2
    assert "Did you mean 'pets'" in capsys.readouterr().err


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(discovery.BUILT_IN[discovery.FAMILIES], "cars", "no_such_module:family")
    refresh()
    yield
    monkeypatch.undo()
    refresh()


def test_a_broken_plugin_is_listed_and_the_rest_works(
    pets: FamilySpec, broken: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["families", "list"]) == 0
    captured = capsys.readouterr()
    assert "cars: cannot be used" in captured.out
    assert "pets      hat" in captured.out
    assert captured.err.count("cars") == 1
    assert run(["families", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["broken"][0]["name"] == "cars"


def test_a_broken_family_asked_for_is_unavailable(
    broken: None, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["chain", "remove:cars/hat", "-i", str(photos), "-o", str(tmp_path / "out")]) == 3
    assert "no_such_module" in capsys.readouterr().err


def test_attributes_without_weights_are_marked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    faces = get_family("faces")
    module = ModuleType("thin")
    kept = tuple(one for one in faces.weights if one.attributes == ("glasses",))
    module.family = dataclasses.replace(faces, name="thin", weights=kept)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "thin", module)
    monkeypatch.setitem(discovery.BUILT_IN[discovery.FAMILIES], "thin", "thin:family")
    refresh()
    assert run(["families", "list"]) == 0
    monkeypatch.undo()
    refresh()
    glasses, others = [line for line in capsys.readouterr().out.splitlines() if line.startswith("thin ")]
    assert "glasses " in glasses
    assert "add, remove" in glasses
    assert "hair_men" in others
    assert others.endswith("none: no weights yet")


# -- parts ------------------------------------------------------------------------------------------------------------


def test_parts_are_listed_with_numbers_colours_and_components(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["families", "parts"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 19
    assert lines[0].split() == ["0", "background", "#000000", "Background", "-"]
    assert lines[4].split() == ["4", "left_eye", "#0050ff", "Left", "eye", "left_eye"]
    assert lines[13].split() == ["13", "hair", "#783c14", "Hair", "hair"]
    assert run(["families", "parts", "faces"]) == 0
    assert capsys.readouterr().out.splitlines() == lines


def test_parts_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["families", "parts", "faces", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["number"] for row in rows] == list(range(19))
    assert rows[8] == {
        "name": "left_ear",
        "title": "Left ear",
        "colour": [0, 120, 60],
        "mirror": "right_ear",
        "component": "skin",
        "number": 8,
    }
    assert run(["families", "show", "faces", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["parts"] == [row["name"] for row in rows]


def test_a_family_without_parts_says_so(pets: FamilySpec, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["families", "parts", "pets"]) == 2
    assert "the family 'pets' names no parts" in capsys.readouterr().err
    assert run(["families", "parts", "pest"]) == 2
    assert "Did you mean 'pets'" in capsys.readouterr().err
    assert run(["families", "show", "pets", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["parts"] == []


# -- frames -----------------------------------------------------------------------------------------------------------


def test_a_family_shows_its_frames_and_what_it_finds(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["families", "show", "faces"]) == 0
    out = capsys.readouterr().out
    assert "photos: of any size, it finds each face in them" in out
    assert "frames: face, eyes, eyes_and_cheeks, lower_face, head" in out
    assert run(["families", "show", "faces", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["noun"] == "face"
    assert [(frame["name"], frame["within"]) for frame in shown["frames"]][:2] == [("face", None), ("eyes", "face")]
    frames = {weight["frame"] for weight in shown["weights"] if not weight["method"].startswith("native")}
    assert frames == {None}
    assert {weight["frame"] for weight in shown["weights"]} == {None, "eyes_and_cheeks", "lower_face"}


def test_a_family_shows_which_weights_a_verb_takes_first(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["families", "show", "faces"]) == 0
    (dial,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("native_dial-lite")]
    assert dial.split()[1:5] == ["native_dial", "lower_face", "add,", "remove"]
    assert run(["families", "show", "faces", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    first = {attribute["name"]: attribute["first"] for attribute in shown["attributes"]}
    taken = {"remove": "native_dial-lite", "add": "native_dial-lite", "swap": "native_guided-lite"}
    assert first["smile"] | taken == first["smile"]
    assert (first["glasses"]["remove"], first["glasses"]["add"]) == ("native_guided-lite", "native_guided-lite")
    assert "remove" not in first["mouth"]
    dial = next(weight for weight in shown["weights"] if weight["method"] == "native_dial")
    assert (dial["first_for"], dial["follows_guides"]) == (["remove", "transfer"], False)


def test_weights_show_the_frame_that_they_were_trained_on(
    pets: FamilySpec, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (hat,) = pets.weights
    ears = FrameSpec("ears", within="pet", y=0.2, height=0.3)
    family = dataclasses.replace(
        pets, frames=(FrameSpec("pet"), ears), weights=(dataclasses.replace(hat, frame="ears"),)
    )
    monkeypatch.setattr(sys.modules["fake_pets"], "family", family)
    refresh()
    assert run(["families", "show", "pets"]) == 0
    assert ["hat-tiny", "mbu", "ears"] in [line.split()[:3] for line in capsys.readouterr().out.splitlines()]
    assert run(["weights", "list", "--json"]) == 0
    rows = {row["id"]: row["frame"] for row in json.loads(capsys.readouterr().out)}
    assert (rows["hat-tiny"], rows["parsing-lite"]) == ("ears", None)
    # the file is of the first frame, and says so wherever it is looked at
    reason = "expected weights trained on the frame 'ears', got 'pet'"
    assert run(["families", "list"]) == 0
    assert reason in capsys.readouterr().out
    assert run(["weights", "verify", "pets/hat"]) == 3
    assert reason in capsys.readouterr().err
    assert run(["families", "check", "pets", "--json"]) == 3
    assert reason in json.loads(capsys.readouterr().out)["weights"][0]


def test_guides_are_listed_and_drawn_side_by_side(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sheet = tmp_path / "sheet.png"
    assert run(["families", "guides", "glasses", "-o", str(sheet)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:2] == ["0", "square"]
    assert lines[-1] == str(sheet)
    with Image.open(sheet) as picture:
        assert picture.size == (4 * 320, 4 * (183 + 20))
    assert run(["families", "guides", "glasses", "-o", str(sheet)]) == 2
    assert run(["families", "guides", "glasses", "-o", str(sheet), "--existing", "overwrite"]) == 0
    capsys.readouterr()
    assert run(["families", "guides", "eyeglasses", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [guide["number"] for guide in listed] == list(range(len(listed)))
    assert listed[0]["credit"].endswith("CC0")


def test_an_attribute_without_guides_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["families", "guides", "mouth"]) == 2
    assert "has no guide pictures of mouth" in capsys.readouterr().err


def test_a_family_says_how_many_guides_it_has(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["families", "show", "faces"]) == 0
    assert "of glasses (mbu-ops families guides faces/glasses)" in capsys.readouterr().out


def test_sample_pictures_are_written_into_a_folder(
    pets: FamilySpec, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "photos"
    written = out / "rex.png"
    (sample,) = pets.samples
    assert run(["families", "samples", "pets", "-o", str(out)]) == 0
    assert capsys.readouterr().out == f"{written}  drawn by the tests\n"
    assert written.read_bytes() == sample.locate().read_bytes()
    written.write_bytes(b"mine")
    for existing, code, left in (("error", 2, b"mine"), ("skip", 0, b"mine"), ("overwrite", 0, None)):
        assert run(["families", "samples", "pets", "-o", str(out), "--existing", existing]) == code
        assert written.read_bytes() == (left or sample.locate().read_bytes())


def test_a_family_without_sample_pictures_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["families", "samples", "handbags", "-o", str(tmp_path)]) == 2
    assert "brings no sample pictures" in capsys.readouterr().err
