"""Sizes of portrait networks: the paper's, those of any family, and those that cannot work; and weights files."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

import mbu_ops
from mbu_ops import weights
from mbu_ops.errors import ConfigurationError, WeightsError
from mbu_ops.families import Anatomy, ComponentSpec, PartSpec, get_family
from mbu_ops.functional.render import render
from mbu_ops.methods.portrait import CONFIGS, Portrait, PortraitConfig
from mbu_ops.ops.parse import Parse
from mbu_ops.ops.reshape import Generate, Reshape
from mbu_ops.testing.tiny import TINY_PORTRAIT

CONTENTS = ("eyes", "mouth", "skin", "face")


def faces() -> Anatomy:
    anatomy = get_family("faces").anatomy
    assert anatomy is not None
    return anatomy


def part(name: str, number: int, component: str | None = None) -> PartSpec:
    return PartSpec(name, name.title(), (number, number, number), component=component)


DOLL = Anatomy(
    (part("dress", 1, "body"), part("rest", 2), part("eye", 3, "eye"), part("arm", 4, "body")),
    (ComponentSpec("eye", "look", width=0.2, height=0.01), ComponentSpec("body", "clothes")),
    whole="doll",
)
"""Parts in no order, a background that is not the first, and an eye smaller than a crop can be."""


@pytest.fixture(params=[*CONFIGS, "tiny"])
def config(request: pytest.FixtureRequest) -> PortraitConfig:
    return TINY_PORTRAIT if request.param == "tiny" else CONFIGS[request.param]


@pytest.fixture
def fitted(config: PortraitConfig) -> PortraitConfig:
    return config.composed_of(faces())


def test_configurations_survive_the_file(config: PortraitConfig, fitted: PortraitConfig) -> None:
    for one in (config, fitted):
        assert Portrait.config_from_dict(Portrait.config_to_dict(one)) == one


def test_networks_of_faces_can_be_built(fitted: PortraitConfig) -> None:
    with torch.device("meta"):
        model = Portrait(fitted)
    assert (model.part_count, model.contents) == (19, 5)
    assert model.parser.config == fitted.parser


def test_the_papers_crops_of_faces() -> None:
    config = CONFIGS["paper"].composed_of(faces())
    crops = list(zip(config.crop_heights, config.crop_widths, strict=True))
    assert crops == [(32, 48), (32, 48), (80, 144), (256, 256), (256, 256)]
    assert (config.resolution, config.code_channels, config.generator_blocks) == (256, 512, 4)
    assert config.fuses_background
    assert config.local
    assert not config.extends


def test_parts_of_faces_belong_to_the_papers_components() -> None:
    config, anatomy = CONFIGS["lite"].composed_of(faces()), faces()
    owners = {one.name: number for one, number in zip(anatomy.parts, config.part_components, strict=True)}
    assert [owners[name] for name in ("left_eye", "right_eye", "inner_mouth", "skin", "hair")] == [2, 3, 4, 5, 6]
    assert {owners[name] for name in ("inner_mouth", "upper_lip", "lower_lip")} == {4}
    assert {owners[name] for name in ("skin", "nose", "left_brow", "right_ear")} == {5}
    assert {owners[name] for name in ("background", "glasses", "hat", "neck", "cloth")} == {1}
    assert dict(zip(anatomy.contents, config.contents, strict=True)) == {
        "eyes": (0, 1),
        "mouth": (2,),
        "skin": (3,),
        "hair": (4,),
        "face": (0, 1, 2, 3, 4),
    }


def test_components_of_other_families() -> None:
    config = TINY_PORTRAIT.composed_of(DOLL)
    assert config.part_components == (3, 1, 2, 3)
    assert config.component_contents == (1, 2)
    assert config.contents == ((0,), (1,), (0, 1))
    assert (config.crop_heights, config.crop_widths) == ((4, 32), (8, 32)), "multiples of 4, and at least that"
    assert (config.parts, config.components) == (4, 2)


def test_without_locality_one_component_is_exchanged_under_every_name() -> None:
    config = replace(TINY_PORTRAIT, local=False, crop_heights=(32,), crop_widths=(32,), part_components=(1, 2))
    fitted = config.composed_of(faces())
    assert fitted.components == 1
    assert fitted.contents == ((0,),) * len(faces().contents)
    assert fitted.part_components == tuple(1 if one.component is None else 2 for one in faces().parts)
    assert (fitted.crop_heights, fitted.crop_widths) == ((32,), (32,))
    assert len(Portrait(fitted).each_component()) == 1


def test_the_ablations_differ_from_small_by_their_switches_alone() -> None:
    pasted, one = CONFIGS["small_pasted"], CONFIGS["small_global"]
    assert replace(pasted, fuses_background=True) == CONFIGS["small"]
    assert replace(one, local=True) == pasted


@pytest.mark.parametrize("anatomy", [Anatomy(DOLL.parts, DOLL.components), Anatomy((part("a", 1), part("b", 2)))])
def test_families_without_components_or_a_name_for_them_all_are_refused(anatomy: Anatomy) -> None:
    with pytest.raises(ConfigurationError, match="expected an anatomy with components and a name for all"):
        TINY_PORTRAIT.composed_of(anatomy)


def test_training_fits_a_configuration_to_a_family() -> None:
    contents = Portrait.contents_in(faces())
    assert contents == ("eyes", "mouth", "skin", "hair", "face")
    assert Portrait.config_for(CONFIGS["lite"], contents, faces()) == CONFIGS["lite"].composed_of(faces())
    with pytest.raises(ConfigurationError, match="portrait needs the parts and components of a family"):
        Portrait.config_for(CONFIGS["lite"], contents)
    with pytest.raises(ConfigurationError, match="expected the contents eyes, mouth, skin, hair, face, got hair"):
        Portrait.config_for(CONFIGS["lite"], ("hair",), faces())


def test_a_dilation_is_no_part_of_what_networks_are() -> None:
    assert replace(TINY_PORTRAIT, removal_dilation=7) == TINY_PORTRAIT


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"crop_heights": (8, 8, 12)}, "expected 4 crop heights and widths, one for each component"),
        ({"crop_widths": ()}, "expected 4 crop heights"),
        ({"local": False}, "expected 1 crop heights"),
        ({"part_components": (1, 2, 3, 4, 4)}, "must name every one of the 4 components"),
        ({"part_components": (1, 2, 3, 4, 5, 6)}, "must name every one of the 4 components"),
        ({"part_components": (0, 2, 3, 4, 5)}, "must name every one of the 4 components"),
        ({"component_contents": (1, 1, 2, 4)}, "numbered from 1 without a gap"),
        ({"component_contents": (2, 2, 3, 3)}, "numbered from 1 without a gap"),
        ({"component_contents": (0, 1, 2, 3)}, "numbered from 1 without a gap"),
        ({"patch": 3}, "patch must be 1, 2 or 4, got 3"),
        ({"patch": 8}, "patch must be 1, 2 or 4, got 8"),
        ({"resolution": 36}, r"resolution must be a multiple of \d+, got 36"),
        ({"crop_heights": (8, 8, 12, 36)}, "from 4 to 32, got 36"),
        ({"crop_widths": (12, 10, 16, 32)}, "multiples of 4 from 4 to 32, got 10"),
        ({"crop_widths": (12, 0, 16, 32)}, "multiples of 4 from 4 to 32, got 0"),
        ({"generator_blocks": 0}, "between 1 and 64, got 0"),
        ({"generator_blocks": 65}, "between 1 and 64, got 65"),
        ({"parser_resolution": 30}, "resolution must be a multiple of"),
        ({"parser_widths": ()}, "resolution must be a multiple of"),
    ],
)
def test_sizes_that_cannot_work_are_named(changes: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        replace(TINY_PORTRAIT, **changes)


def test_the_judge_of_half_the_size_has_pixels_for_every_halving() -> None:
    """Half of 32 pixels, two by two, are 8 positions: three halvings leave one, and four none."""
    assert replace(TINY_PORTRAIT, judge_widths=(4, 4, 4)).judge_widths == (4, 4, 4)
    with pytest.raises(ConfigurationError, match="resolution must be a multiple of"):
        replace(TINY_PORTRAIT, judge_widths=(4, 4, 4, 4))


@pytest.mark.parametrize(
    "changes",
    [
        {"component_contents": (), "crop_heights": (), "crop_widths": (), "part_components": (1, 1)},
        {"component_contents": (), "crop_heights": (32,), "crop_widths": (32,), "part_components": (1, 2)}
        | {"local": False},
        {"encoder_widths": ()},
        {"judge_widths": ()},
        {"judge_widths": (1,) * 20_000},
        {"parser_resolution": 1 << 20},
    ],
    ids=["nothing", "no-contents", "no-encoder", "no-judge", "endless-judge", "giant-parser"],
)
def test_strangers_sizes_fail_as_configurations(changes: dict[str, object]) -> None:
    values = Portrait.config_to_dict(TINY_PORTRAIT) | {
        name: list(value) if isinstance(value, tuple) else value for name, value in changes.items()
    }
    with pytest.raises(ConfigurationError):
        Portrait.config_from_dict(values)


def test_a_strangers_number_of_contents_costs_no_memory() -> None:
    tracemalloc.start()
    try:
        with pytest.raises(ConfigurationError, match="without a gap"):
            replace(TINY_PORTRAIT, component_contents=(1, 1, 2, 500_000))
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("resolution", 0, "a positive whole number"),
        ("resolution", "32", "a positive whole number"),
        ("patch", 2.0, "a positive whole number"),
        ("code_channels", True, "a positive whole number"),
        ("local", 1, "true or false"),
        ("fuses_background", "no", "true or false"),
        ("part_components", [1, 2, 0], "a list of positive whole numbers"),
        ("part_components", 2, "a list of positive whole numbers"),
        ("crop_heights", [8.0], "a list of positive whole numbers"),
        ("encoder_widths", [[8]], "a list of positive whole numbers"),
        ("component_contents", None, "a list of positive whole numbers"),
    ],
)
def test_values_of_another_kind_are_refused(field: str, value: object, says: str) -> None:
    with pytest.raises(ConfigurationError, match=f"expected {says} for {field}, got"):
        Portrait.config_from_dict({field: value})


def test_unknown_settings_and_configurations_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="got 'hair'"):
        Portrait.config_from_dict({"hair": 1})
    with pytest.raises(ConfigurationError, match="expected a configuration of portrait"):
        Portrait("huge")


# -- weights files -------------------------------------------------------------------------------------------------


@pytest.fixture
def saved(model: Portrait, tmp_path: Path) -> Path:
    info = weights.WeightsInfo("portrait", model.config_to_dict(model.config), 32, attributes=CONTENTS)
    with torch.no_grad():
        guides = model.encode_guide(torch.rand(3, 3, 32, 32))
    weights.save(tmp_path / "portrait.safetensors", model, info, guides, torch.float32)
    return tmp_path / "portrait.safetensors"


def test_weights_come_back_with_one_guide_for_all_contents(model: Portrait, saved: Path, image: Tensor) -> None:
    loaded = weights.load(saved)
    assert loaded.guides is not None
    assert loaded.guides.shape == (3, *model.guide_shape) == (3, 24, 1, 1)
    for index, content in enumerate(CONTENTS):
        one = loaded.for_content(content, saved)
        assert one.guides is loaded.guides
        layer, expected = (
            each.swap(image, loaded.guides[:1].expand(2, -1, -1, -1)) for each in (one.model, model.for_content(index))
        )
        assert all(torch.equal(*pair) for pair in zip(render(image, layer), render(image, expected), strict=True))


def test_ops_find_their_weights(saved: Path, image: Tensor) -> None:
    swap = mbu_ops.Swap.from_pretrained(saved, content="mouth")
    assert swap.model.components == (2,)
    assert swap.bind()(image).shape == image.shape
    labels = Parse.from_pretrained(saved).labels(image)
    assert torch.equal(Reshape.from_pretrained(saved)(image, labels), image)
    assert Generate.from_pretrained(saved)(labels).shape == image.shape


def test_weights_name_as_many_contents_as_they_exchange(model: Portrait, saved: Path, tmp_path: Path) -> None:
    for content in (None, "hair"):
        with pytest.raises(WeightsError, match="these weights edit eyes and mouth and skin and face"):
            weights.load(saved).for_content(content, saved)
    info = weights.WeightsInfo("portrait", model.config_to_dict(model.config), 32, attributes=CONTENTS[:3])
    with pytest.raises(WeightsError, match="expected the names of the 4 contents"):
        weights.save(tmp_path / "other.safetensors", model, info)
