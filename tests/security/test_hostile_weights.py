"""Weights files made to do harm: each must end in a WeightsError that names the file, soon and within little memory."""

from __future__ import annotations

import json
import os
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from mbu_ops import weights
from mbu_ops.errors import WeightsError
from mbu_ops.methods.mbu import MBU
from mbu_ops.testing import tiny_didd, tiny_maae
from mbu_ops.weights import WeightsInfo

Header = dict[str, Any]


@pytest.fixture
def good(model: MBU, tmp_path: Path) -> Path:
    path = tmp_path / "good.safetensors"
    info = WeightsInfo("mbu", MBU.config_to_dict(model.config), 16)
    weights.save(path, model, info, guides=torch.zeros(1, *model.config.separate_code_shape))
    return path


def split(path: Path) -> tuple[Header, bytes]:
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def join(header: Header | str, body: bytes) -> bytes:
    text = (header if isinstance(header, str) else json.dumps(header)).encode()
    return struct.pack("<Q", len(text)) + text + body


def describe(header: Header, **changes: object) -> Header:
    """Change the description in the metadata."""
    info = json.loads(header["__metadata__"]["mbu_ops"]) | changes
    return header | {"__metadata__": {"mbu_ops": json.dumps(info)}}


def config(header: Header, **changes: object) -> Header:
    return describe(header, config=json.loads(header["__metadata__"]["mbu_ops"])["config"] | changes)


def tensor(header: Header, **changes: object) -> Header:
    return header | {"guides": header["guides"] | changes}


def twice(header: Header) -> str:
    return json.dumps(header)[:-1] + ', "guides": ' + json.dumps(header["guides"]) + "}"


def overlap(header: Header) -> Header:
    names = [name for name in header if name.endswith("0.weight")]
    first = header[names[0]]
    return header | {"extra": first}


HEADERS: dict[str, tuple[Callable[[Header], Header | str], str]] = {
    "a name twice": (twice, "'guides'"),
    "a metadata name twice": (lambda h: '{"__metadata__": {"a": "1", "a": "2"}}', "'a'"),
    "no object": (lambda h: "[1, 2]", "not a JSON object"),
    "no JSON": (lambda h: "{" * 50, "header is damaged"),
    "deep nesting": (lambda h: '{"a":' * 100_000 + "1" + "}" * 100_000, "header is damaged"),
    "an enormous number": (lambda h: '{"a":' + "9" * 100_000 + "}", "header is damaged"),
    "metadata that is no text": (lambda h: h | {"__metadata__": {"mbu_ops": {}}}, "text only"),
    "metadata that is a list": (lambda h: h | {"__metadata__": []}, "text only"),
    "no metadata": (lambda h: h | {"__metadata__": {}}, "expected weights that mbu-ops wrote"),
    "a tensor that is text": (lambda h: h | {"guides": "x"}, "needs dtype, shape and data_offsets"),
    "an extra field": (lambda h: tensor(h, more=1), "needs dtype, shape and data_offsets"),
    "an unknown dtype": (lambda h: tensor(h, dtype="I64"), "expected a dtype"),
    "a dtype that is a list": (lambda h: tensor(h, dtype=["F16"]), "expected a dtype"),
    "a negative size": (lambda h: tensor(h, shape=[-1, -4, 4, 4]), "expected a shape"),
    "a size that is true": (lambda h: tensor(h, shape=[True, 4, 4, 4]), "expected a shape"),
    "a size that overflows": (lambda h: tensor(h, shape=[2**63, 2]), "expected a shape"),
    "a product that overflows": (lambda h: tensor(h, shape=[2**32, 2**32]), "does not fill"),
    "too many dimensions": (lambda h: tensor(h, shape=[1] * 1000), "expected a shape"),
    "offsets that are backward": (lambda h: tensor(h, data_offsets=[8, 0]), "does not fill"),
    "three offsets": (lambda h: tensor(h, data_offsets=[0, 1, 2]), "two data_offsets"),
    "offsets beyond the file": (lambda h: tensor(h, data_offsets=[10**9, 10**9 + 128]), "gap"),
    "overlapping tensors": (overlap, "overlap"),
    "another shape": (lambda h: tensor(h, shape=[1, 4, 16]), "expected guides to be float16 of shape"),
    "another dtype": (lambda h: tensor(h, dtype="BF16"), "expected guides to be float16 .* got bfloat16"),
    "a foreign tensor": (lambda h: {k: v for k, v in h.items() if k != "guides"} | {"evil": h["guides"]}, "evil"),
    "a newer schema": (lambda h: describe(h, schema=99), "expected schema"),
    "an unknown method": (lambda h: describe(h, method="mbv"), "Did you mean 'mbu'"),
    "a method that is a path": (lambda h: describe(h, method="os:system"), "no method"),
    "another resolution": (lambda h: describe(h, resolution=32), "resolution 32"),
    "an enormous resolution": (lambda h: describe(h, resolution=10**12), "expected resolution"),
    "guides that are not there": (lambda h: describe(h, guides=0), "unexpected: guides"),
    "more guides than there are": (lambda h: describe(h, guides=10**12), "expected guides to be"),
    "another dtype than it says": (lambda h: describe(h, dtype="float32"), "to be float32"),
    "an unknown setting": (lambda h: config(h, depth=3), "got 'depth'"),
    "a setting of the wrong type": (lambda h: config(h, separate_channels="4"), "separate_channels"),
    "a setting that is true": (lambda h: config(h, patch=True), "patch"),
    "widths that are negative": (lambda h: config(h, common_widths=[-8, 16]), "common_widths"),
    "widths that would fill all memory": (lambda h: config(h, common_widths=[10**7, 16]), "expected common_encoder"),
    "widths that overflow": (lambda h: config(h, common_widths=[10**30, 16]), "network cannot be built"),
    "no end of layers": (
        lambda h: config(h, common_widths=[8] * 10**4, separate_widths=[8] * 9999),
        "good.safetensors",
    ),
    "no layers": (lambda h: config(h, common_widths=[], separate_widths=[]), "separate_widths"),
    "a missing setting": (lambda h: describe(h, config={}), "missing"),
}


@pytest.mark.parametrize("case", HEADERS)
def test_hostile_headers(case: str, good: Path) -> None:
    change, reason = HEADERS[case]
    header, body = split(good)
    good.write_bytes(join(change(header), body))
    started = time.perf_counter()
    with pytest.raises(WeightsError, match=reason) as caught:
        weights.load(good)
    assert str(good) in str(caught.value)
    assert len(str(caught.value)) < 2_000 + len(str(good))
    assert "Exception raised" not in str(caught.value)
    assert time.perf_counter() - started < 5


OTHERS: dict[str, tuple[str, Callable[[Header], Header | str], str]] = {
    "one name for two contents": ("didd", lambda h: describe(h, attributes=["a"]), "names of the 2 contents"),
    "no names for two contents": ("didd", lambda h: describe(h, attributes=[]), "names of the 2 contents"),
    "a name too many": ("didd", lambda h: describe(h, attributes=["a", "b", "c"]), "names of the 2 contents"),
    "names that are none": ("didd", lambda h: describe(h, attributes=["a", 3]), "attributes"),
    "guides of one content": ("didd", lambda h: tensor(h, shape=[2, 4, 4, 4]), r"of shape \(1, 2, 4, 4, 4\)"),
    "guides of three contents": ("didd", lambda h: describe(h, guides=3), r"of shape \(3, 2, 4, 4, 4\)"),
    "a pair's file as one content's": (
        "didd",
        lambda h: describe(h, method="mbu"),
        "expected the settings .* got 'norm_channels'",
    ),
    "norms that divide nothing": ("didd", lambda h: config(h, norm_channels=10**30), "norm_channels must divide"),
    "separate codes that leave nothing": ("didd", lambda h: config(h, separate_channels=8), "separate_channels"),
    "a switch that is a number": ("didd", lambda h: config(h, one_encoding=1), "true or false for one_encoding"),
    "another encoder": ("didd", lambda h: config(h, one_encoding=True), "unexpected: separate_encoders.1"),
    "spectral norms that are not there": ("didd", lambda h: config(h, spectral_norm=True), "missing"),
    "guides that are pictures": ("maae", lambda h: tensor(h, shape=[1, 1, 1, 1, 1]), r"of shape \(1, 1, 1, 1\)"),
    "blocks without end": ("maae", lambda h: config(h, encoder_blocks=10**12), "encoder_blocks must lie between"),
    "blocks that draw without end": ("maae", lambda h: config(h, decoder_blocks=10**6), "decoder_blocks must lie"),
    "an even kernel": ("maae", lambda h: config(h, stem_kernel=10**6), "stem_kernel must be odd"),
    "a kernel beyond the image": ("maae", lambda h: config(h, stem_kernel=10**9 + 1), "good.safetensors"),
    "a shift that is no number": ("maae", lambda h: config(h, shift=float("nan")), "good.safetensors"),
    "a shift without end": ("maae", lambda h: config(h, shift=1e300), "expected a positive number for shift"),
    "halvings without end": ("maae", lambda h: config(h, judge_widths=[4] * 10**5), "good.safetensors"),
    "a picture of one block": ("maae", lambda h: config(h, patch=16), "resolution must be a multiple"),
    "the largest grid": (
        "maae",
        lambda h: describe(config(h, resolution=8192, widths=[6], judge_widths=[4]), resolution=8192),
        "good.safetensors",
    ),
}


@pytest.mark.parametrize("case", OTHERS)
def test_hostile_headers_of_other_methods(case: str, tmp_path: Path) -> None:
    method, change, reason = OTHERS[case]
    model = {"didd": tiny_didd, "maae": tiny_maae}[method]()
    good, names = tmp_path / "good.safetensors", ("hat", "tie")[: model.contents]
    info = WeightsInfo(method, model.config_to_dict(model.config), 16, attributes=names)
    weights.save(good, model, info, guides=torch.zeros(1, *model.guide_shape))
    weights.load(good)
    header, body = split(good)
    good.write_bytes(join(change(header), body))
    with pytest.raises(WeightsError, match=reason) as caught:
        weights.load(good)
    assert str(good) in str(caught.value)
    assert len(str(caught.value)) < 2_000 + len(str(good))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_numbers_that_are_not_finite(value: float, good: Path) -> None:
    header, body = split(good)
    begin, stop = header["guides"]["data_offsets"]
    bits = torch.full((1,), value, dtype=torch.float16).view(torch.int16).item()
    good.write_bytes(join(header, body[:begin] + struct.pack("<h", bits) * ((stop - begin) // 2) + body[stop:]))
    weights.read_info(good)  # the header is sound: only reading the numbers tells
    with pytest.raises(WeightsError, match="NaN or infinity in guides"):
        weights.load(good)


@pytest.mark.parametrize("length", [0, 1, 1_000_001, 2**40, 2**63, 2**64 - 1])
def test_a_header_length_that_lies(length: int, good: Path) -> None:
    good.write_bytes(struct.pack("<Q", length) + good.read_bytes()[8:])
    with pytest.raises(WeightsError, match="expected a safetensors file with a header"):
        weights.read_info(good)


def test_every_cut_is_noticed(good: Path) -> None:
    content = good.read_bytes()
    for end in [*range(0, 20), *range(20, len(content), 997), len(content) - 1]:
        good.write_bytes(content[:end])
        for read in (weights.read_info, weights.load):
            with pytest.raises(WeightsError, match=r"good\.safetensors"):
                read(good)


def test_bytes_after_the_end_are_noticed(good: Path) -> None:
    good.write_bytes(good.read_bytes() + b"PK\x03\x04 a second file in the same file")
    with pytest.raises(WeightsError, match="cut short or extended"):
        weights.read_info(good)


def test_other_peoples_safetensors(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"linear.weight": torch.zeros(2, 2)}, path, {"format": "pt"})
    with pytest.raises(WeightsError, match="another safetensors file"):
        weights.load(path)


def test_a_pickle_by_the_name_of_safetensors_is_not_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "evil.safetensors"
    torch.save({"a": torch.zeros(2)}, path)
    with pytest.raises(WeightsError, match="another kind of file"):
        weights.load(path)


@pytest.mark.skipif(sys.platform == "win32", reason="needs named pipes")
def test_a_pipe_is_not_a_weights_file(tmp_path: Path) -> None:
    path = tmp_path / "pipe.safetensors"
    os.mkfifo(path)
    for read in (weights.load, weights.read_info):  # opening it would wait for ever
        with pytest.raises(WeightsError, match="no regular file"):
            read(path)


def test_a_file_that_is_longer_than_its_header_says_is_not_read(good: Path) -> None:
    resource = pytest.importorskip("resource")
    with good.open("rb+") as file:
        file.truncate(3 << 30)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(WeightsError, match="cut short or extended"):
        weights.load(good)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 << 10
