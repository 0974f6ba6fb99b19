"""What a family's plugin must keep to: each family here breaks one promise, and the check of it says so."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from mbu_ops.families import AttributeSpec, FamilySpec, FrameSpec, GuideSpec, SampleSpec, WeightSpec, refresh
from mbu_ops.frames.box import Box
from mbu_ops.frames.frame import Frame
from mbu_ops.ops import Remove, Segment, plan
from mbu_ops.ops.edit import Edit
from mbu_ops.testing import tiny_didd, tiny_maae, tiny_mbu, tiny_parsing
from mbu_ops.testing.contract import check_aligner, check_edits, check_frames, check_guides, check_weights
from mbu_ops.weights import WeightsInfo, save, store

from ..tiny_faces import register

Make = Callable[..., FamilySpec]


class Finder:
    """Finds what it was told, whatever the photo."""

    def __init__(self, *places: object) -> None:
        self.places = places

    def find(self, image: Tensor) -> Sequence[object]:
        return self.places


@pytest.fixture
def dolls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Return a function that installs a family; each call replaces the one before."""
    monkeypatch.setenv("MBU_OPS_HOME", str(tmp_path))

    def make(*weights: WeightSpec, finder: object = None, **changes: Any) -> FamilySpec:
        names = dict.fromkeys(["hat", *(name for spec in weights for name in spec.attributes)])
        attributes = tuple(AttributeSpec(name, name) for name in names)
        family = register(monkeypatch, finder, attributes=attributes, weights=weights, anatomy=None, **changes)
        refresh()
        return family

    yield make
    monkeypatch.undo()
    refresh()


@pytest.fixture
def trained(tmp_path: Path) -> Callable[..., WeightSpec]:
    """Return a function that writes weights of an untrained network into the store."""

    def make(
        model: Any, verbs: tuple[str, ...] = (), guides: int = 2, attributes: tuple[str, ...] = ("hat",)
    ) -> WeightSpec:
        path = tmp_path / "weights" / "dolls" / f"dolls-{model.info.name}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        info = WeightsInfo(
            model.info.name, model.config_to_dict(model.config), model.config.resolution, "dolls", attributes, "none"
        )
        save(path, model, info, torch.rand(guides, *model.guide_shape) if guides else None)
        content = path.read_bytes()
        return WeightSpec(
            path.stem,
            model.info.name,
            attributes,
            path.name,
            hashlib.sha256(content).hexdigest(),
            len(content),
            "none",
            "no_such_package",
            verbs=verbs,
        )

    return make


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str | None]]:
    """Verb and content of each step that is made."""
    steps: list[tuple[str, str | None]] = []
    make = plan.step_module

    def spy(planned: plan.StepPlan, pretrained: Any) -> nn.Module:
        steps.append((planned.step.verb, planned.content))
        return make(planned, pretrained)

    monkeypatch.setattr(plan, "step_module", spy)
    return steps


# -- edits ------------------------------------------------------------------------------------------------------------

PAIR = ("hat", "tie")


@pytest.mark.parametrize(
    ("build", "verbs", "attributes", "expected"),
    [
        (tiny_mbu, ("segment",), ("hat",), {"segment"}),
        (tiny_mbu, ("transfer", "remove"), ("hat",), {"add", "remove"}),
        (tiny_mbu, (), ("hat",), {"add", "remove", "swap", "segment", "interpolate"}),
        (tiny_maae, ("adjust",), ("hat",), {"adjust"}),
        (tiny_didd, ("translate", "mix"), PAIR, {"translate"}),
        (tiny_parsing, (), ("hat", "tie", "shoe", "sock", "coat"), {"segment"}),
    ],
)
def test_each_attribute_takes_the_steps_that_its_weights_list_and_no_others(
    dolls: Make,
    trained: Callable[..., WeightSpec],
    tried: list[tuple[str, str | None]],
    build: Callable[[], nn.Module],
    verbs: tuple[str, ...],
    attributes: tuple[str, ...],
    expected: set[str],
) -> None:
    assert check_edits(dolls(trained(build(), verbs, 0 if build is tiny_parsing else 2, attributes))) == []
    assert len(tried) == len(set(tried))
    assert set(tried) == {(verb, attribute) for verb in expected for attribute in attributes}


def test_an_attribute_without_weights_is_tried_on_random_ones(dolls: Make, tried: list[tuple[str, str | None]]) -> None:
    assert check_edits(dolls()) == []
    assert set(tried) >= {("remove", "hat"), ("add", "hat"), ("segment", "hat")}


def test_each_file_is_loaded_once(
    dolls: Make, trained: Callable[..., WeightSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[str] = []
    load = store.load
    monkeypatch.setattr(store, "load", lambda path, **options: (loaded.append(path.name), load(path, **options))[1])
    family = dolls(trained(tiny_didd(), attributes=PAIR), trained(tiny_mbu()))
    assert check_edits(family) == []
    assert loaded == ["dolls-didd.safetensors", "dolls-mbu.safetensors"]


@pytest.mark.parametrize("check", [check_weights, check_edits])
def test_a_verb_that_the_method_lacks_is_named(
    dolls: Make, trained: Callable[..., WeightSpec], check: Callable[[FamilySpec], list[str]]
) -> None:
    (problem,) = check(dolls(trained(tiny_mbu(), ("adjust", "remove"))))
    assert "hat/dolls-mbu" in problem
    assert "adjust" in problem


def test_weights_of_an_unknown_method_and_missing_ones_are_named(
    dolls: Make, trained: Callable[..., WeightSpec], tmp_path: Path
) -> None:
    spec = trained(tiny_mbu())
    (tmp_path / "weights" / "dolls" / spec.file).unlink()
    (problem,) = check_edits(dolls(spec))
    assert "not installed" in problem


def test_default_guides_are_asked_of_weights_whose_verbs_need_them(
    dolls: Make, trained: Callable[..., WeightSpec]
) -> None:
    family = dolls(trained(tiny_mbu(), ("segment", "remove"), guides=0))
    assert check_weights(family) == check_edits(family) == []
    family = dolls(trained(tiny_mbu(), ("segment", "swap"), guides=0))
    (problem,) = check_weights(family)
    assert problem == (
        "dolls/hat/dolls-mbu: it holds no default guide codes and the family has no guides for it, "
        "so that swap needs a guide"
    )
    assert check_edits(family) == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda edit: edit._replace(image=edit.image + 1e-6), "pixels outside the mask changed"),
        (lambda edit: edit._replace(raw=edit.raw * torch.nan), "the result is not finite"),
    ],
)
def test_an_edit_that_breaks_its_promise_is_named(
    dolls: Make,
    trained: Callable[..., WeightSpec],
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Edit], Edit],
    says: str,
) -> None:
    edit = Remove.edit
    monkeypatch.setattr(Remove, "edit", lambda self, image: change(edit(self, image)))
    (problem,) = check_edits(dolls(trained(tiny_mbu())))
    assert problem == f"remove:dolls/hat/dolls-mbu,content=hat: {says}"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda mask: mask + 0.5, "leaves"),
        (lambda mask: mask * torch.nan, "leaves"),
        (lambda mask: mask[..., :4], r"has the shape \(2, 1, 40, 4\)"),
    ],
)
def test_a_mask_that_breaks_its_promise_is_named(
    dolls: Make,
    trained: Callable[..., WeightSpec],
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Tensor], Tensor],
    says: str,
) -> None:
    forward = Segment.forward
    monkeypatch.setattr(Segment, "forward", lambda self, image: change(forward(self, image)))
    (problem,) = check_edits(dolls(trained(tiny_mbu())))
    assert problem.startswith("segment:dolls/hat")
    assert says.replace("\\", "") in problem


# -- aligner and frames -----------------------------------------------------------------------------------------------


@pytest.fixture
def samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[SampleSpec, ...]]:
    """Return a function that writes a sample picture of 40 x 30 pixels."""
    package = tmp_path / "site" / "doll_pictures"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    Image.fromarray(np.full((30, 40, 3), 90, np.uint8)).save(package / "one.png")
    monkeypatch.syspath_prepend(package.parent)
    return lambda box=None: (SampleSpec("one", "one.png", "doll_pictures", "drawn by the tests", box),)


def test_guides_can_be_read_and_show_something(
    dolls: Make, samples: Callable[..., tuple[SampleSpec, ...]], tmp_path: Path
) -> None:
    (sample,) = samples()
    good = GuideSpec("one", "One", "hat", "one.png", sample.package, "drawn by the tests")
    assert check_guides(replace(dolls(), guides=(good,))) == []
    package = tmp_path / "site" / sample.package
    Image.fromarray(np.zeros((30, 40, 4), np.uint8)).save(package / "clear.png")
    Image.fromarray(np.zeros((9, 40, 3), np.uint8)).save(package / "low.png")
    named = [replace(good, name=name, file=f"{name}.png") for name in ("missing", "clear", "low")]
    missing, clear, low = check_guides(replace(dolls(), guides=tuple(named)))
    assert "guide hat/missing: expected a picture" in missing
    assert clear == "guide hat/clear: it is transparent all over"
    assert low == "guide hat/low: expected at least 16 pixels a side, got 40x9"


FRAMES = (FrameSpec("doll"), FrameSpec("hat", within="doll", y=0.2, width=0.6, height=0.4))


@pytest.mark.parametrize("finder", [None, Finder(Frame(20, 15, 20)), Finder(Box(2, 2, 20, 20), Frame(9, 9, 9, 30))])
def test_frames_are_cut_out_of_samples(
    dolls: Make, samples: Callable[..., tuple[SampleSpec, ...]], finder: object
) -> None:
    family = dolls(finder=finder, samples=samples(), frames=FRAMES)
    assert check_frames(family) == []


def test_frames_that_cannot_be_cut_out_are_named(dolls: Make, samples: Callable[..., tuple[SampleSpec, ...]]) -> None:
    problems = check_frames(dolls(samples=samples((0, 0, 41, 30)), frames=FRAMES))
    assert [problem.partition(" cannot be cut out: ")[0] for problem in problems] == ["sample one: its frame doll"]


def test_what_the_aligner_fails_at_is_told_once(dolls: Make, samples: Callable[..., tuple[SampleSpec, ...]]) -> None:
    family = dolls(finder=Finder("a place"), samples=samples(), frames=FRAMES)
    (problem,) = check_aligner(family)
    assert "expected Frame or Box, got str" in problem
    assert check_frames(family) == []


class Fussy(Finder):
    """Finds its places in photos of 30 rows, and does something else with others."""

    def find(self, image: Tensor) -> Sequence[object]:
        if image.shape[-2] != 30:
            return self.otherwise(image)
        return super().find(image)

    def otherwise(self, image: Tensor) -> Sequence[object]:
        raise LookupError(f"nothing in {image.shape[-1]} columns")


class Blind(Fussy):
    def otherwise(self, image: Tensor) -> Sequence[object]:
        return []


class Dreamy(Fussy):
    def otherwise(self, image: Tensor) -> Sequence[object]:
        return [Frame(500, 500, 20)]


@pytest.mark.parametrize(
    ("finder", "says"), [(Blind, None), (Fussy, "LookupError: nothing in 48 columns"), (Dreamy, "touches the image")]
)
def test_an_aligner_finds_nothing_where_nothing_is(
    dolls: Make, samples: Callable[..., tuple[SampleSpec, ...]], finder: type[Fussy], says: str | None
) -> None:
    problems = check_aligner(dolls(finder=finder(Frame(20, 15, 20)), samples=samples()))
    if says is None:
        assert problems == []
    else:
        assert says in problems[0]


def test_an_aligner_that_finds_nothing_in_a_sample_is_named(
    dolls: Make, samples: Callable[..., tuple[SampleSpec, ...]]
) -> None:
    assert check_aligner(dolls(finder=Finder(), samples=samples())) == [
        "sample one: the aligner found 0 places that can be cut out"
    ]
