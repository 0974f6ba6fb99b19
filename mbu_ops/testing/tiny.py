"""Networks small enough for tests, made so that their edits are visible."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from mbu_ops.methods.didd import DIDD, DIDDConfig
from mbu_ops.methods.maae import MAAE, MAAEConfig
from mbu_ops.methods.mbu import MBU, MBUConfig, to_signed
from mbu_ops.methods.native import Native, NativeConfig
from mbu_ops.methods.native_dial import NativeDial
from mbu_ops.methods.native_guided import NativeGuided
from mbu_ops.methods.parsing import Parsing, ParsingConfig
from mbu_ops.methods.portrait import Portrait, PortraitConfig
from mbu_ops.methods.presence import WIDTHS, Presence

TINY_CONFIG = MBUConfig(resolution=16, common_widths=(8, 16), separate_widths=(6,), separate_channels=4)
"""Two blocks, 16 pixels: about 12,000 weights."""

TINY_DIDD = DIDDConfig(
    resolution=16,
    common_widths=(8, 16),
    separate_widths=(6,),
    separate_channels=4,
    removal_dilation=1,
    spectral_norm=False,
)
TINY_MAAE = MAAEConfig(
    resolution=16,
    widths=(6, 8),
    decoder_widths=(6,),
    residual_width=8,
    encoder_blocks=1,
    decoder_blocks=1,
    stem_kernel=3,
    decoder_kernel=3,
    judge_widths=(4, 8),
    residual=True,
)

TINY_NATIVE = NativeConfig(resolution=16, height=16, channels=8, patch=2, removal_dilation=1)

TINY_PARSING = ParsingConfig(resolution=32, widths=(8, 12), parts=5, patch=2)
TINY_PORTRAIT = PortraitConfig(
    resolution=32,
    part_components=(1, 2, 3, 4, 5),
    component_contents=(1, 1, 2, 3),
    crop_heights=(8, 8, 12, 32),
    crop_widths=(12, 12, 16, 32),
    code_channels=6,
    feature_channels=6,
    encoder_widths=(6, 8),
    mask_channels=6,
    generator_channels=12,
    generator_blocks=1,
    background_channels=6,
    judge_widths=(4, 8),
    patch=2,
    parser_resolution=32,
    parser_widths=(8, 12),
    parser_patch=2,
)
"""Background, two eyes, a mouth and skin; contents are eyes, mouth, skin and all of them."""


@torch.no_grad()
def tiny_mbu(seed: int = 0, dtype: torch.dtype = torch.float32) -> MBU:
    """Return an untrained MBU network in eval mode whose masks reach from 0 to 1 and depend on image and guide.

    The same seed gives the same network; the global random state is left alone.

    Args:
        seed: of the weights.
        dtype: of the weights.

    Example:
        >>> model = tiny_mbu()
        >>> mask = model.segment(torch.rand(4, 3, 16, 16))
        >>> bool(mask.min() < 0.02), bool(mask.max() > 0.98)
        (True, True)
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = MBU(TINY_CONFIG)
        images = torch.rand(64, 3, TINY_CONFIG.resolution, TINY_CONFIG.resolution)
    # batch norm learns what these weights put out: otherwise an untrained signal fades from layer to layer
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None
    model.train()
    model.remove(images)
    model.measure_content([images])
    for norm in norms:
        norm.momentum = 0.1
    model.eval()
    # spread the mask's logits, the first of the head's four channels, over about -16 to 8: mostly background
    pixels = to_signed(images)
    codes = model.common_code(pixels), model.separate_code(pixels)
    logits = torch.logit(model.decode_with(*codes).mask, eps=1e-6)
    head = model.with_decoder[-1]
    assert isinstance(head, nn.ConvTranspose2d)  # noqa: S101
    assert head.bias is not None  # noqa: S101
    scale = 6 / logits.std()
    head.weight[:, 0] *= scale
    head.bias[0] = (head.bias[0] - logits.mean()) * scale - 4
    return model.to(dtype)


@torch.no_grad()
def tiny_didd(seed: int = 0, dtype: torch.dtype = torch.float32) -> DIDD:
    """Return an untrained DIDD network in eval mode whose edits of either content are seen in some places only.

    The same seed gives the same network; the global random state is left alone.

    Args:
        seed: of the weights.
        dtype: of the weights.

    Example:
        >>> import mbu_ops
        >>> model, image = tiny_didd(), torch.rand(4, 3, 16, 16)
        >>> mask = mbu_ops.Transfer(model.for_content(0)).edit(image, torch.rand(4, 3, 20, 20)).mask
        >>> bool(mask.min() == 0), bool(mask.max() > 0.5)
        (True, True)
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = DIDD(TINY_DIDD).eval()
        images = torch.rand(64, 3, TINY_DIDD.resolution, TINY_DIDD.resolution)
    for _ in range(3):  # tanh makes it a little less than proportional
        masks = [model.for_content(index).remove(images).mask.median() for index in range(model.contents)]
        _strengthen(model.decoder, 0.1 / float(sum(masks) / len(masks)))
    return model.to(dtype)


@torch.no_grad()
def tiny_maae(seed: int = 0, dtype: torch.dtype = torch.float32) -> MAAE:
    """Return an untrained M-AAE network in eval mode whose edits at full strength are seen in some places only.

    The same seed gives the same network; the global random state is left alone.

    Args:
        seed: of the weights.
        dtype: of the weights.

    Example:
        >>> import mbu_ops
        >>> mask = mbu_ops.Adjust(tiny_maae()).edit(torch.rand(4, 3, 16, 16), 1.0).mask
        >>> bool(mask.min() == 0), bool(mask.max() > 0.5)
        (True, True)
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = MAAE(TINY_MAAE).eval()
        images = torch.rand(64, 3, TINY_MAAE.resolution, TINY_MAAE.resolution)
    for _ in range(3):
        _strengthen(model.decoder, 0.15 / float(model.adjust(images, torch.ones(64)).mask.median()))
    return model.to(dtype)


@torch.no_grad()
def tiny_native(seed: int = 0, dtype: torch.dtype = torch.float32) -> Native:
    """Return an untrained native network in eval mode that keeps and redraws pixels in some places only.

    The same seed gives the same network; the global random state is left alone.

    Args:
        seed: of the weights.
        dtype: of the weights.

    Example:
        >>> mask = tiny_native().segment(torch.rand(4, 3, 16, 16))
        >>> bool(mask.min() < 0.02), bool(mask.max() > 0.5)
        (True, True)
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Native(TINY_NATIVE).eval()
        _draw_somewhere(model)
    return model.to(dtype)


@torch.no_grad()
def tiny_native_dial(seed: int = 0, dtype: torch.dtype = torch.float32) -> NativeDial:
    """Return an untrained native dial in eval mode that moves and redraws pixels in some places only.

    The same seed gives the same network; the global random state is left alone.

    Args:
        seed: of the weights.
        dtype: of the weights.

    Example:
        >>> layer = tiny_native_dial().adjust(torch.rand(2, 3, 16, 16), torch.tensor([-1.0, 1.0]))
        >>> bool(layer.own.flow.abs().max() > 0.001)
        True
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = NativeDial(replace(TINY_NATIVE, flow=True)).eval()
        for network in (model.less, model.more):
            assert network.arrows is not None  # noqa: S101
            nn.init.normal_(network.arrows.weight, std=0.03)
            _draw_somewhere(network)
    return model.to(dtype)


@torch.no_grad()
def tiny_native_guided(seed: int = 0, dtype: torch.dtype = torch.float32) -> NativeGuided:
    """Return an untrained guided native network in eval mode that takes pixels of guides in some places only.

    The same seed gives the same network; the global random state is left alone.

    Args:
        seed: of the weights.
        dtype: of the weights.

    Example:
        >>> model, images = tiny_native_guided(), torch.rand(2, 3, 16, 16)
        >>> bool(model.transfer(images, model.encode_guide(images.flip(0))).guide.gain.max() > 0.1)
        True
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = NativeGuided(TINY_NATIVE).eval()
        _draw_somewhere(model.less)
        adder, images = model.adder, torch.rand(64, 3, *TINY_NATIVE.size)
        nn.init.normal_(adder.arrows.weight, std=0.03)
        adder.window.fill_(1)
        adder.paint.weight *= 20
        _spread_mask(adder.paint, adder(images, model.encode_guide(images.flip(0))).mask)
    return model.to(dtype)


def _draw_somewhere(model: Native) -> None:
    """Let a native network redraw pixels in some places only."""
    images = torch.rand(64, 3, *TINY_NATIVE.size)
    model.window.fill_(1)  # a frame of so few pixels is all rim
    model.paint.weight *= 20
    _spread_mask(model.paint, model.segment(images))


def _spread_mask(paint: nn.Conv2d, masks: torch.Tensor) -> None:
    """Spread the logits of masks that a layer writes over about -12 to 6: mostly background."""
    block, logits = TINY_NATIVE.patch**2, torch.logit(masks, eps=1e-6)
    mask, scale = slice(3 * block, 4 * block), 4 / logits.std()  # after three colours
    assert paint.bias is not None  # noqa: S101
    paint.weight[mask] *= scale
    paint.bias[mask] = (paint.bias[mask] - logits.mean()) * scale - 4


@torch.no_grad()
def tiny_parsing(seed: int = 0, dtype: torch.dtype = torch.float32) -> Parsing:
    """Return an untrained parsing network in eval mode that finds every one of its five parts in noise.

    The same seed gives the same network; the global random state is left alone.

    Args:
        seed: of the weights.
        dtype: of the weights.

    Example:
        >>> tiny_parsing().parse(torch.rand(4, 3, 32, 32)).argmax(1).unique()
        tensor([0, 1, 2, 3, 4])
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Parsing(TINY_PARSING)
        images = torch.rand(64, 3, TINY_PARSING.resolution, TINY_PARSING.resolution)
    _balance(model, images)
    return model.to(dtype)


@torch.no_grad()
def tiny_portrait(seed: int = 0, dtype: torch.dtype = torch.float32) -> Portrait:
    """Return untrained portrait networks in eval mode whose parser finds every part in noise.

    The same seed gives the same network; the global random state is left alone.

    Args:
        seed: of the weights.
        dtype: of the weights.

    Example:
        >>> model, image = tiny_portrait(), torch.rand(2, 3, 32, 32)
        >>> bool((model.for_content(1).swap(image, model.encode_guide(image.flip(0))).mask.mean() > 0))
        True
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Portrait(TINY_PORTRAIT).eval()
        images = torch.rand(64, 3, TINY_PORTRAIT.resolution, TINY_PORTRAIT.resolution)
    _balance(model.parser, images)
    # untrained weights fade from layer to layer: codes, and what is drawn from them, must tell pictures apart
    for component in model.each_component():
        for parameter in component.encode.parameters():
            parameter.mul_(2)
    _strengthen(nn.Sequential(model.generator.paint), 8)
    return model.to(dtype)


def _balance(model: Parsing, images: torch.Tensor) -> None:
    """Have batch norm learn what these weights put out, and make all parts alike in how often they are found."""
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None
    model.train()
    model.logits(images)
    for norm in norms:
        norm.momentum = 0.1
    model.eval()
    logits = model.logits(images)
    block = model.config.patch**2
    spread = logits.std((0, 2, 3)).repeat_interleave(block)
    centre = logits.mean((0, 2, 3)).repeat_interleave(block)
    head = model.name_pixels
    assert head.bias is not None  # noqa: S101
    head.weight /= spread[:, None, None, None] / 4
    head.bias.sub_(centre).div_(spread / 4)


def _strengthen(decoder: nn.Sequential, factor: float) -> None:
    """Make a decoder draw with more contrast, or less."""
    head = decoder[-1]
    assert isinstance(head, nn.Conv2d | nn.ConvTranspose2d)  # noqa: S101
    head.weight *= factor


@torch.no_grad()
def tiny_presence(remove: float = 0.5, add: float = 0.5) -> Presence:
    """Return a detector that takes bright images for those that show the content.

    Args:
        remove: its threshold to remove.
        add: its threshold to add.

    Example:
        >>> tiny_presence()(torch.stack([torch.zeros(3, 8, 8), torch.ones(3, 8, 8)])).round()
        tensor([0., 1.])
    """
    presence = Presence({"remove": remove, "add": add})
    for parameter in presence.parameters():
        parameter.zero_()
    for layer in presence.layers:
        if isinstance(layer, nn.Conv2d):  # one channel takes every few pixels' mean along, raised above 0
            centre = layer.kernel_size[0] // 2
            layer.weight[0, :3, centre, centre] = 1 / 3 if layer.in_channels == 3 else torch.tensor([1.0, 0, 0])
            assert layer.bias is not None  # noqa: S101
            layer.bias[0] = float(layer.in_channels == 3)
        elif isinstance(layer, nn.Linear):
            positions = layer.in_features // WIDTHS[-1]
            layer.weight[0, :positions] = 20 / positions
            layer.bias.sub_(20)
    return presence.eval().requires_grad_(False)
