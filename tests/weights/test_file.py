"""Weights files: what goes in comes out, and nothing that is not right goes in or comes out."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from mbu_ops import weights
from mbu_ops.errors import WeightsError
from mbu_ops.methods.mbu import MBU
from mbu_ops.testing import tiny_didd, tiny_maae
from mbu_ops.weights import WeightsInfo


@pytest.fixture
def info(model: MBU) -> WeightsInfo:
    return WeightsInfo(
        "mbu",
        MBU.config_to_dict(model.config),
        model.config.resolution,
        family="faces",
        attributes=("glasses",),
        licence="research",
        training={"steps": 3, "losses": {"confusion": 0.5}},
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tiny.safetensors"


def test_what_is_saved_is_loaded(model: MBU, info: WeightsInfo, path: Path) -> None:
    guides = torch.randn(3, *model.config.separate_code_shape)
    weights.save(path, model, info, guides=guides, dtype=torch.float32)
    loaded = weights.load(path)
    image = torch.rand(2, 3, 16, 16)
    assert torch.equal(loaded.model.segment(image), model.segment(image))
    assert torch.equal(loaded.guides, guides)
    assert loaded.info == replace(info, guides=3, dtype="float32") == weights.read_info(path)
    assert not loaded.model.training


@pytest.mark.parametrize("stored", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("wanted", [None, torch.float16, torch.float64])
def test_dtypes(model: MBU, info: WeightsInfo, path: Path, stored: torch.dtype, wanted: torch.dtype | None) -> None:
    weights.save(path, model, info, guides=torch.ones(1, *model.config.separate_code_shape), dtype=stored)
    assert {value.dtype for value in load_file(path).values()} == {stored}
    loaded = weights.load(path, dtype=wanted)
    floats = {value.dtype for value in loaded.model.state_dict().values() if value.is_floating_point()}
    assert floats == {loaded.guides.dtype} == {wanted or torch.float32}


def test_float16_is_the_default_and_close(model: MBU, info: WeightsInfo, path: Path) -> None:
    weights.save(path, model, info)
    assert weights.read_info(path).dtype == "float16"
    image = torch.rand(2, 3, 16, 16)
    torch.testing.assert_close(weights.load(path).model.segment(image), model.segment(image), atol=0.05, rtol=0)


def test_loading_leaves_the_random_state_alone(model: MBU, info: WeightsInfo, path: Path) -> None:
    weights.save(path, model, info)
    before = torch.random.get_rng_state()
    weights.load(path)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_batch_counters_are_not_stored(model: MBU, info: WeightsInfo, path: Path) -> None:
    weights.save(path, model, info)
    assert not [name for name in load_file(path) if "num_batches_tracked" in name]


@pytest.mark.parametrize(
    ("value", "dtype"), [(float("nan"), torch.float32), (float("inf"), torch.float32), (1e6, None)]
)
def test_numbers_that_are_not_finite_are_not_saved(
    model: MBU, info: WeightsInfo, path: Path, value: float, dtype: torch.dtype | None
) -> None:
    path.write_bytes(b"the file that was there")
    with torch.no_grad():
        model.common_encoder[0].weight[0, 0, 0, 0] = value
    with pytest.raises(WeightsError, match=r"NaN or infinity in common_encoder\.0\.weight"):
        weights.save(path, model, info, dtype=dtype)
    assert path.read_bytes() == b"the file that was there"
    assert list(path.parent.iterdir()) == [path]


def test_a_description_of_another_model_is_not_saved(model: MBU, info: WeightsInfo, path: Path) -> None:
    other = replace(info, config=dict(info.config) | {"common_widths": [8, 32]})
    with pytest.raises(WeightsError, match="expected common_encoder"):
        weights.save(path, model, other)
    with pytest.raises(WeightsError, match=r"expected guides to be float16 of shape \(2, 4, 4, 4\)"):
        weights.save(path, model, info, guides=torch.zeros(2, 4, 1, 1))
    with pytest.raises(WeightsError, match="resolution 32"):
        weights.save(path, model, replace(info, resolution=32))
    assert not path.exists()


def test_a_write_that_fails_leaves_nothing(
    model: MBU, info: WeightsInfo, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        weights.save(path, model, info)
    assert list(path.parent.iterdir()) == []


def test_the_digest_is_checked(model: MBU, info: WeightsInfo, path: Path) -> None:
    weights.save(path, model, info)
    weights.load(path, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    with pytest.raises(WeightsError, match=r"tiny\.safetensors: expected sha256 0000.*, got [0-9a-f]{64}"):
        weights.load(path, sha256="0" * 64)


def test_missing_files_and_folders_are_named(tmp_path: Path) -> None:
    for read in (weights.load, weights.read_info):
        with pytest.raises(WeightsError, match=r"nothing\.safetensors: there is no such file"):
            read(tmp_path / "nothing.safetensors")
        with pytest.raises(WeightsError, match="no regular file"):
            read(tmp_path)


def test_reading_what_a_file_says_imports_no_torch(model: MBU, info: WeightsInfo, path: Path) -> None:
    weights.save(path, model, info)
    code = f"""if True:
        import sys
        from mbu_ops import weights
        assert weights.read_info({str(path)!r}).attributes == ("glasses",)
        assert weights.resolve({str(path)!r})[1] is None
        assert "torch" not in sys.modules and "safetensors" not in sys.modules
    """
    subprocess.run([sys.executable, "-c", code], check=True)


# -- networks of several contents -------------------------------------------------------------------------------------


@pytest.fixture
def pair() -> WeightsInfo:
    model = tiny_didd()
    return WeightsInfo("didd", model.config_to_dict(model.config), 16, family="faces", attributes=("glasses", "smile"))


def test_a_pair_of_contents_is_loaded_whole_or_one_by_one(pair: WeightsInfo, path: Path) -> None:
    model, guides, image = tiny_didd(), torch.randn(3, 2, 4, 4, 4), torch.rand(2, 3, 16, 16)
    weights.save(path, model, pair, guides=guides, dtype=torch.float32)
    loaded = weights.load(path)
    assert loaded.model.contents == 2
    assert torch.equal(loaded.guides, guides)
    assert weights.read_info(path).guides == 3
    for index, content in enumerate(("glasses", "smile")):
        one = loaded.for_content(content, path)
        assert torch.equal(one.guides, guides[:, index])
        assert torch.equal(one.model.remove(image).bias, model.for_content(index).remove(image).bias)
        assert one.info == loaded.info
        assert weights.load_pretrained(path, content=content).model.index == index
    assert weights.load_pretrained(path).model.contents == 2
    for name, got in ((None, "none was named"), ("beard", "got 'beard'")):
        with pytest.raises(WeightsError, match=f"edit glasses and smile; name one of them as content, {got}"):
            loaded.for_content(name, path)
    with pytest.raises(WeightsError, match="got 'beard'"):
        weights.load_pretrained(path, content="beard")


def test_a_pair_without_guides(pair: WeightsInfo, path: Path) -> None:
    weights.save(path, tiny_didd(), pair)
    assert weights.load(path).for_content("smile", path).guides is None


def test_weights_of_one_content_are_all_of_themselves(model: MBU, info: WeightsInfo, path: Path) -> None:
    weights.save(path, model, info)
    loaded = weights.load(path)
    assert loaded.for_content(None, path) is loaded.for_content("glasses", path) is loaded


@pytest.mark.parametrize("attributes", [(), ("glasses",), ("glasses", "smile", "beard")])
def test_a_pair_is_saved_with_two_names(pair: WeightsInfo, path: Path, attributes: tuple[str, ...]) -> None:
    with pytest.raises(WeightsError, match="expected the names of the 2 contents that 'didd' edits"):
        weights.save(path, tiny_didd(), replace(pair, attributes=attributes))
    assert not path.exists()


@pytest.mark.parametrize("shape", [(3, 4, 4, 4), (3, 1, 4, 4, 4), (3, 3, 4, 4, 4), (3, 2, 4, 4)])
def test_a_pair_s_guides_have_a_code_for_each(pair: WeightsInfo, path: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(WeightsError, match=r"expected guides to be float16 of shape \(3, 2, 4, 4, 4\)"):
        weights.save(path, tiny_didd(), pair, guides=torch.zeros(shape))
    assert not path.exists()


def test_a_dial_is_loaded_with_its_positions(path: Path) -> None:
    """They are no weights: the layers' sizes say where they are."""
    model = tiny_maae()
    info = WeightsInfo("maae", model.config_to_dict(model.config), 16, attributes=("smile",))
    weights.save(path, model, info, guides=torch.ones(2, 1, 1, 1), dtype=torch.float32)
    assert "positions" not in load_file(path)
    loaded = weights.load(path)
    assert torch.equal(loaded.model.positions, model.positions)
    image, strength = torch.rand(2, 3, 16, 16), torch.tensor([1.0, -0.5])
    assert torch.equal(loaded.model.adjust(image, strength).bias, model.adjust(image, strength).bias)
    assert weights.load(path, dtype=torch.float64).model.positions.dtype == torch.float64
