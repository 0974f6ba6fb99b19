"""The judge learns what the domains differ in, and is kept."""

import pytest
import torch

from mbu_ops.data.domains import Domains
from mbu_ops.errors import WeightsError
from mbu_ops.evaluation.judge import Judge, train_judge


def bright_spot(count, seed, shown):
    images = torch.randint(0, 100, (count, 3, 32, 32), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)
    if shown:
        images[:, :, 8:16, 8:24] = 255
    return images


@pytest.fixture(scope="module")
def judge():
    before = torch.random.get_rng_state()
    domains = Domains(bright_spot(40, 0, False), bright_spot(40, 1, True))
    trained = train_judge(domains, steps=12, backbone="small")
    assert torch.equal(before, torch.random.get_rng_state())  # the caller's randomness is the caller's
    return trained


def test_it_tells_images_it_has_not_seen(judge):
    assert judge.says_with(bright_spot(20, 2, True).float() / 255).float().mean() > 0.9
    assert judge.says_with(bright_spot(20, 3, False).float() / 255).float().mean() < 0.1


def test_it_takes_any_size_and_any_number(judge):
    assert judge.says_with(torch.rand(65, 3, 20, 36)).shape == (65,)


def test_it_is_kept_and_read_again(judge, tmp_path):
    judge.save(tmp_path / "judge.safetensors")
    images = torch.rand(3, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(judge(images), Judge.load(tmp_path / "judge.safetensors")(images))


@pytest.mark.parametrize("content", [b"", b"{}", b"\x08\0\0\0\0\0\0\0{}      "])
def test_a_file_that_is_no_judge_is_refused(tmp_path, content):
    (tmp_path / "judge.safetensors").write_bytes(content)
    with pytest.raises(WeightsError, match="expected a judge's weights"):
        Judge.load(tmp_path / "judge.safetensors")
