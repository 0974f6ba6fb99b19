"""Mask Based Unsupervised content transfer (Mokady, Benaim, Wolf, Bermano; ICLR 2020).

Four networks. The *common encoder* describes what images of both domains share; the *separate encoder*
describes the content (which glasses, which smile); the *without decoder* draws the image free of the content;
the *with decoder* draws a soft mask and the raw pixels to put under it.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from mbu_ops.functional.layer import Layer, painted
from mbu_ops.methods.blocks import Stack
from mbu_ops.methods.inference import FoldedDecoder, FoldedEncoder, InferenceNetworks
from mbu_ops.methods.info import MethodInfo
from mbu_ops.methods.networks import CONFIGS, ContentNetworks, MBUConfig, to_signed, to_unit

__all__ = ["CONFIGS", "MBU", "Drawing", "MBUConfig", "to_signed", "to_unit"]


class Drawing(NamedTuple):
    """What the with decoder draws.

    Attributes:
        raw: ``(B, 3, R, R)`` in [-1, 1].
        mask: ``(B, 1, R, R)`` in [0, 1], 1 = content.
    """

    raw: Tensor
    mask: Tensor


class MBUInference(InferenceNetworks):
    """The fast form of MBU's networks; arguments and results of the verbs are those of :class:`MBU`.

    Args:
        networks: the networks; they stay as they are.
    """

    def __init__(self, networks: MBU) -> None:
        super().__init__(networks.info, networks.config, networks.common_encoder, networks.separate_encoder)
        patch = self.config.patch
        self.content_separate_encoder = FoldedEncoder(networks.separate_encoder, True, patch)
        self.with_decoder = FoldedDecoder(networks.with_decoder, False, patch, masks=1)
        self.content_with_decoder = FoldedDecoder(networks.with_decoder, True, patch, masks=1)
        # removal's separate code is 0, so the channels that read it are left out
        known = self.config.common_channels
        self.content_without_decoder = FoldedDecoder(networks.without_decoder, True, patch, inputs=known)

    def transfer(self, image: Tensor, code: Tensor) -> Layer:
        """Return the guide's content as it would sit on the image."""
        drawn = self.with_decoder(torch.cat([self.common_code(image), code], dim=1))
        return painted(drawn[:, 1:], drawn[:, :1])

    def remove(self, image: Tensor) -> Layer:
        """Return the image free of content, and the soft mask of where the content was."""
        common = self.common_code(image, content=True)
        return painted(self.content_without_decoder(common), self._own_mask(image, common))

    def segment(self, image: Tensor) -> Tensor:
        """Return the soft mask of the image's own content."""
        return self._own_mask(image, self.common_code(image, content=True))

    def _own_mask(self, image: Tensor, common: Tensor) -> Tensor:
        separate = self.content_separate_encoder(to_signed(image))
        return self.content_with_decoder.masks(torch.cat([common, separate], dim=1))


class MBU(ContentNetworks):
    """The networks of MBU and what they can do to images that fill the model frame.

    Every public method takes and returns pixels in [0, 1] at ``config.resolution``; the networks see [-1, 1].

    Args:
        config: sizes; a name from :data:`CONFIGS` or an :class:`MBUConfig`.

    Example:
        >>> import torch
        >>> model = MBU("lite").eval()
        >>> image, guide = torch.rand(2, 3, 128, 128), torch.rand(1, 3, 128, 128)
        >>> layer = model.transfer(image, model.encode_guide(guide).expand(2, -1, -1, -1))
        >>> layer.bias.shape, layer.mask.shape
        (torch.Size([2, 3, 128, 128]), torch.Size([2, 1, 128, 128]))
    """

    info = MethodInfo(
        name="mbu",
        verbs=frozenset({"transfer", "remove", "swap", "segment", "interpolate"}),
        objective="mbu_ops.objectives.mbu:MBUObjective",
    )
    inference = MBUInference
    heads = {"without_decoder": 3, "with_decoder": 4}  # noqa: RUF012 - a ClassVar of the base
    without_decoder: Stack
    with_decoder: Stack

    def decode_without(self, common: Tensor, content: bool = False) -> Tensor:
        """Draw the content-free image, ``(B, 3, R, R)`` in [-1, 1]."""
        return torch.tanh(self._decode(self.without_decoder, common, self.zero_code(common), content))

    def decode_with(self, common: Tensor, separate: Tensor, content: bool = False) -> Drawing:
        """Draw the content: raw pixels in [-1, 1] and mask in [0, 1]."""
        output = self._decode(self.with_decoder, common, separate, content)
        # contiguous: activations on channel slices of a channels_last tensor cost several times as much on CPU
        return Drawing(torch.tanh(output[:, 1:].contiguous()), torch.sigmoid(output[:, :1].contiguous()))

    def transfer(self, image: Tensor, code: Tensor) -> Layer:
        """Return the guide's content as it would sit on the image: ``Dwith(Ec(image), code)``.

        Args:
            image: ``(B, 3, R, R)`` RGB in [0, 1].
            code: ``(B, *config.separate_code_shape)`` from :meth:`encode_guide`, or a mixture of such codes.

        Returns:
            New pixels under a soft mask, to be blended with the image (section 3 of the paper).
        """
        raw, mask = self.decode_with(self.common_code(to_signed(image)), code)
        return painted(to_unit(raw), mask)

    def remove(self, image: Tensor) -> Layer:
        """Return the image free of content, and the soft mask of where the content was.

        Args:
            image: ``(B, 3, R, R)`` RGB in [0, 1].

        Returns:
            ``Dwithout(Ec(image), 0)`` under a mask as of :meth:`segment` (binarise it, then blend).
        """
        pixels = to_signed(image)
        common = self.common_code(pixels, content=True)
        _, mask = self.decode_with(common, self.separate_code(pixels, content=True), content=True)
        return painted(to_unit(self.decode_without(common, content=True)), mask)

    def segment(self, image: Tensor) -> Tensor:
        """Return the soft mask of the image's own content, ``(B, 1, R, R)`` in [0, 1].

        Args:
            image: ``(B, 3, R, R)`` RGB in [0, 1].
        """
        pixels = to_signed(image)
        common, separate = self.common_code(pixels, content=True), self.separate_code(pixels, content=True)
        return self.decode_with(common, separate, content=True).mask
