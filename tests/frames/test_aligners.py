"""The aligner of a family by name, and that of the families that a chain's weights belong to."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import mbu_ops
from mbu_ops.errors import ConfigurationError, FamilyError, FrameError, GuideWarning, PluginError
from mbu_ops.families import FamilySpec, FrameSpec, get_family
from mbu_ops.frames.aligners import GuardedAligner, align_guides, family_to_align
from mbu_ops.frames.frame import Frame
from mbu_ops.images import ImageFile, ImageKind, Limits, limited
from mbu_ops.ops.plan import StepPlan
from mbu_ops.ops.step import StepSpec
from mbu_ops.weights import WeightsInfo

Install = Callable[..., Path]

FAMILY = """
from mbu_ops.families import FamilySpec
family = FamilySpec("{name}", aligner={aligner!r})
"""

PLUGIN = """
import sys
from mbu_ops.frames.frame import Frame

class Finder:
    def find(self, image):
        return (Frame(5, 6, 7),)

def good():
    print("finding")
    return Finder()

class Blind:
    def find(self, image):
        return []

class Stuck:
    def find(self, image):
        import threading
        threading.Event().wait(30)

def stuck():
    return Stuck()

class Thief:
    def find(self, image):
        import builtins
        builtins.len = None
        raise ValueError

def thief():
    return Thief()

class Modes:
    def find(self, image):
        import torch
        return [Frame(5, 6, 7 + torch.is_inference_mode_enabled())]

def modes():
    return Modes()

def blind():
    return Blind()

def raises():
    raise RuntimeError("no\\nluck")

def leaves():
    sys.exit(3)

def nothing():
    pass

def a_class():
    return type("Odd", (), {{"find": 7}})()

text = "not a function"
"""


def plans(*families: str | None) -> list[StepPlan]:
    return [
        StepPlan(StepSpec("remove", None, "x"), "x", Path("x"), WeightsInfo("mbu", {}, 16, family=name), None, "x", ())
        for name in families
    ]


def family_of(install: Install, aligner: str | None, name: str = "pets") -> FamilySpec:
    module = f"aligned_{name}_{(aligner or 'none').rpartition(':')[2]}"
    target = aligner and aligner.format(module=module)
    code = PLUGIN.format() + FAMILY.format(name=name, aligner=target)
    install(f"{name}-plugin", f"[mbu_ops.families]\n{name} = {module}:family\n", {module: code})
    return get_family(name)


def test_the_aligner_of_faces_is_ready_to_use() -> None:
    found = mbu_ops.aligner("faces")
    assert isinstance(found, torch.nn.Module)
    assert not found.training
    assert not any(parameter.requires_grad for parameter in found.parameters())
    assert list(found.find(torch.zeros(1, 3, 64, 64))) == []
    meta = mbu_ops.aligner(get_family("faces"), device="meta")
    assert {parameter.device.type for parameter in meta.parameters()} == {"meta"}


def test_a_plugin_s_aligner_is_one_like_any_other(install: Install, capsys: pytest.CaptureFixture[str]) -> None:
    family = family_of(install, "{module}:good")
    for named in ("pets", family):
        photo = torch.rand(1, 3, 20, 20)
        framed = mbu_ops.Framed(torch.nn.Hardtanh(0, 0.5), mbu_ops.aligner(named))
        assert framed.find(photo) == [(mbu_ops.frames.Frame(5, 6, 7),)]
        assert framed(photo).shape == photo.shape
    assert capsys.readouterr().out == "", "stdout belongs to the caller"


def test_families_that_do_not_exist() -> None:
    with pytest.raises(FamilyError, match="Did you mean 'faces'"):
        mbu_ops.aligner("face")


def test_families_without_an_aligner(install: Install) -> None:
    with pytest.raises(ConfigurationError, match=r"'handbags' has no aligner.*edited whole"):
        mbu_ops.aligner("handbags")
    with pytest.raises(ConfigurationError, match="'pets' has no aligner"):
        mbu_ops.aligner(family_of(install, None))
    with pytest.raises(ConfigurationError, match="'toys' has no search of its own for small places"):
        mbu_ops.aligner(family_of(install, "{module}:good", "toys"), small=True)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("{module}:raises", "building its aligner failed: RuntimeError: no"),
        ("{module}:leaves", "building its aligner failed: SystemExit: 3"),
        ("{module}:nothing", r"must return something with find\(photo\), got NoneType"),
        ("{module}:a_class", r"must return something with find\(photo\), got Odd"),
        ("{module}:text", "aligner names .* cannot be used: it is not a function"),
        ("{module}:missing", "aligner names .* cannot be used: AttributeError"),
        ("no_such_module:aligner", "aligner names .* cannot be used: ModuleNotFoundError"),
    ],
)
def test_plugins_whose_aligner_cannot_be_built(target: str, message: str, install: Install) -> None:
    family = family_of(install, target)
    with pytest.raises(PluginError, match=message) as caught:
        mbu_ops.aligner(family)
    assert "'pets'" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_family_that_a_chain_s_photos_are_aligned_for(install: Install) -> None:
    assert family_to_align(plans()) is None
    assert family_to_align(plans(None)) is None
    assert family_to_align(plans("handbags")) is None
    assert family_to_align(plans("a_family_of_another_machine")) is None
    faces = get_family("faces")
    for names in (("faces",), ("faces", "faces"), (None, "faces"), ("a_family_of_another_machine", "faces")):
        assert family_to_align(plans(*names)) is faces


def test_families_that_align_alike_go_together(install: Install) -> None:
    family_of(install, "mbu_ops_faces.aligner:pretrained", "portraits")
    found = family_to_align(plans("faces", "portraits"))
    assert found is not None
    assert found.aligner == get_family("faces").aligner


def test_families_that_align_differently_do_not(install: Install) -> None:
    family_of(install, "{module}:good")
    with pytest.raises(ConfigurationError, match=r"families faces and pets look for different things.*--no-align"):
        family_to_align(plans("faces", "pets"))


def test_guides_are_cut_to_the_largest_place(install: Install) -> None:
    family = family_of(install, "{module}:good")
    guarded = GuardedAligner(family, mbu_ops.aligner(family))
    photo = torch.rand(1, 3, 20, 30)
    plan = dataclasses.replace(plans("pets")[0], info=WeightsInfo("mbu", {}, 8, family="pets"))
    (aligned,) = align_guides([dataclasses.replace(plan, guides=(photo, 2))], guarded)
    assert torch.equal(aligned.guides[0].pixels, Frame(5, 6, 7).cut(photo))
    assert aligned.guides[1] == 2


@pytest.mark.parametrize(("noun", "called"), [("pet", "a pet"), ("animal", "an animal")])
def test_a_guide_without_anything_is_called_so_in_the_family_s_word(install: Install, noun: str, called: str) -> None:
    family = dataclasses.replace(family_of(install, "{module}:blind"), noun=noun)
    guarded = GuardedAligner(family, mbu_ops.aligner(family))
    (plan,) = plans("pets")
    with pytest.raises(
        FrameError, match=f"expected {called} in the guide picture of 'remove:x', found none.*its {noun}"
    ):
        align_guides([dataclasses.replace(plan, guides=(torch.rand(1, 3, 20, 30),))], guarded)


def test_a_guide_is_cut_by_the_frame_of_the_step(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    guarded = GuardedAligner(family := family_of(install, "{module}:good"), mbu_ops.aligner(family))
    plan, photo = dataclasses.replace(plans("pets")[0], info=WeightsInfo("mbu", {}, 4)), torch.rand(1, 3, 20, 30)
    for spec, inside in (
        (FrameSpec("paw", within="pet", y=0.6, width=0.5), True),
        (FrameSpec("ear", "pet", y=-3), False),
    ):
        monkeypatch.setattr("mbu_ops.ops.guides.frame_of", lambda *_, spec=spec: spec)
        guided = [dataclasses.replace(plan, guides=(photo,))]
        if inside:
            assert torch.equal(align_guides(guided, guarded)[0].guides[0].pixels, Frame(5, 6, 7).part(spec).cut(photo))
        else:
            with pytest.raises(FrameError, match=r"frame 'ear' of the .* inside the guide picture of 'remove:x'"):
                align_guides(guided, guarded)


@dataclasses.dataclass
class Looking:
    """Finds a face that looks somewhere."""

    yaw: float

    def find(self, image: torch.Tensor) -> list[Frame]:
        return [Frame(60, 60, 110, yaw=self.yaw)]


@pytest.mark.parametrize(
    ("yaw", "says"), [(-31.4, "a thing that looks 31 degrees to the left"), (25.6, "26 degrees to the right")]
)
def test_a_guide_who_looks_away_is_told(install: Install, yaw: float, says: str) -> None:
    family = family_of(install, "{module}:good")
    plan = dataclasses.replace(plans("pets")[0], info=WeightsInfo("mbu", {}, 8, family="pets"))
    guided = [dataclasses.replace(plan, guides=(torch.rand(1, 3, 120, 120),))]
    with pytest.warns(GuideWarning, match=f"guide picture of 'remove:x' shows.*{says}"):
        (aligned,) = align_guides(guided, GuardedAligner(family, Looking(yaw)))
    assert aligned.guides[0].yaw == yaw
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        align_guides(guided, GuardedAligner(family, Looking(yaw / 2)))


GLASSES = WeightsInfo("native_guided", {}, 224, family="faces", attributes=("glasses",), frame="eyes_and_cheeks")
ALPHA = np.zeros((60, 100), np.uint8)
ALPHA[20:40, 10:90] = 200
CUT_OUT = ImageFile(np.full((60, 100, 3), 90, np.uint8), ALPHA, ImageKind(alpha=True))


def guided_by(info: WeightsInfo, picture: ImageFile) -> StepPlan:
    return StepPlan(StepSpec("add", None, "x"), "x", Path("x"), info, None, "glasses", (picture,))


def test_a_cut_out_is_laid_where_the_family_s_own_lie(install: Install) -> None:
    blind = GuardedAligner(family := family_of(install, "{module}:blind"), mbu_ops.aligner(family))
    (aligned,) = align_guides([guided_by(GLASSES, CUT_OUT)], blind)
    laid = aligned.guides[0].pixels
    assert laid.shape[:2] == (1, 4)
    assert laid.shape[3] / laid.shape[2] == pytest.approx(224 / 128, rel=0.02)
    wide = (laid[0, 3] > 0.5).any(0).nonzero().flatten()
    assert int(wide[-1] - wide[0]) + 1 == pytest.approx(80, abs=2)  # at its own pixels
    assert float(wide.float().mean()) / laid.shape[3] == pytest.approx(0.5, abs=0.06)


def test_a_cut_out_needs_another_one_to_be_laid_like(install: Install) -> None:
    blind = GuardedAligner(family := family_of(install, "{module}:blind"), mbu_ops.aligner(family))
    smile = dataclasses.replace(GLASSES, attributes=("smile",))
    with pytest.raises(FrameError, match="expected a photo as the guide of 'add:x', got a picture with a transparent"):
        align_guides([guided_by(smile, CUT_OUT)], blind)


def test_methods_that_take_no_pixels_see_a_photo_in_a_cut_out(install: Install) -> None:
    guarded = GuardedAligner(family := family_of(install, "{module}:good"), mbu_ops.aligner(family))
    info = WeightsInfo("mbu", {}, 4, family="pets")
    (aligned,) = align_guides([guided_by(info, CUT_OUT)], guarded)
    assert aligned.guides[0].pixels.shape[:2] == (1, 3)


def test_small_guides_are_warned_of(install: Install) -> None:
    guarded = GuardedAligner(family := family_of(install, "{module}:good"), mbu_ops.aligner(family))
    (plan,) = plans("pets")
    guided = dataclasses.replace(plan, guides=(torch.rand(1, 3, 20, 30),))
    with pytest.warns(GuideWarning, match=r"'remove:x' shows the .* in 7 pixels, less than half of the 16"):
        align_guides([guided], guarded)


def test_asking_which_family_aligns_builds_nothing(install: Install) -> None:
    family = family_of(install, "{module}:raises")
    assert family_to_align(plans("pets")) is family


def test_an_aligner_that_never_returns_costs_its_photo_only(install: Install) -> None:
    family = family_of(install, "{module}:stuck")
    stuck = GuardedAligner(family, mbu_ops.aligner(family))
    photo = torch.rand(1, 3, 20, 20)
    with limited(Limits(timeout=0.1)), pytest.raises(PluginError, match=r"'pets': finding .* within 0\.1 s, and did"):
        stuck.find(photo)
    good = family_of(install, "{module}:good", "birds")
    with limited(Limits(timeout=30)):
        assert GuardedAligner(good, mbu_ops.aligner(good)).find(photo) == (Frame(5, 6, 7),)


@pytest.mark.parametrize("timeout", [None, 30])
def test_an_aligner_runs_in_inference_mode_where_its_caller_does(install: Install, timeout: float | None) -> None:
    family = family_of(install, "{module}:modes")
    aligner = GuardedAligner(family, mbu_ops.aligner(family))
    with limited(Limits(timeout=timeout)):
        assert aligner.find(torch.rand(1, 3, 20, 20))[0].side == 7
        with torch.inference_mode():
            assert aligner.find(torch.rand(1, 3, 20, 20))[0].side == 8


def test_an_aligner_that_takes_functions_away_is_told_of_in_one_line(
    install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    family = family_of(install, "{module}:thief")
    aligner = GuardedAligner(family, mbu_ops.aligner(family))
    with limited(Limits(timeout=30)), pytest.raises(PluginError, match="failed: ValueError"):
        aligner.find(torch.rand(1, 3, 20, 20))
    assert "Traceback" not in capsys.readouterr().err
