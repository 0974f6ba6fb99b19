"""Content disentanglement without masks (Press, Galanti, Benaim, Wolf; ICLR 2019): the baseline of MBU.

The encoders are MBU's; one decoder draws the whole picture anew, so there is no mask, and every pixel may change.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mbu_ops.functional.layer import Layer, painted
from mbu_ops.methods.blocks import Stack
from mbu_ops.methods.inference import FoldedDecoder, InferenceNetworks
from mbu_ops.methods.info import MethodInfo
from mbu_ops.methods.networks import ContentNetworks, to_signed, to_unit

__all__ = ["Press"]


class PressInference(InferenceNetworks):
    """The fast form of the networks of Press et al.; arguments and results of the verbs are those of :class:`Press`.

    Args:
        networks: the networks; they stay as they are.
    """

    def __init__(self, networks: Press) -> None:
        super().__init__(networks.info, networks.config, networks.common_encoder, networks.separate_encoder)
        patch, known = self.config.patch, self.config.common_channels
        self.decoder = FoldedDecoder(networks.decoder, False, patch)
        self.content_decoder = FoldedDecoder(networks.decoder, True, patch, inputs=known)

    def transfer(self, image: Tensor, code: Tensor) -> Layer:
        """Return the image drawn anew with the guide's content, and a mask of ones."""
        return _whole(self.decoder(torch.cat([self.common_code(image), code], dim=1)))

    def remove(self, image: Tensor) -> Layer:
        """Return the image drawn anew without content, and a mask of ones."""
        return _whole(self.content_decoder(self.common_code(image, content=True)))

    def segment(self, image: Tensor) -> Tensor:
        """Return how much each pixel changes when the content goes."""
        return _change(image, self.remove(image))


class Press(ContentNetworks):
    """The networks of Press et al. and what they can do to images that fill the model frame.

    Every public method takes and returns pixels in [0, 1] at ``config.resolution``; the networks see [-1, 1].

    Args:
        config: sizes; a name from :data:`mbu_ops.methods.networks.CONFIGS` or an
            :class:`mbu_ops.methods.networks.MBUConfig`.

    Example:
        >>> import torch
        >>> model = Press("lite").eval()
        >>> layer = model.remove(torch.rand(2, 3, 128, 128))
        >>> layer.bias.shape, bool(layer.mask.eq(1).all())
        (torch.Size([2, 3, 128, 128]), True)
    """

    info = MethodInfo(
        name="press",
        verbs=frozenset({"transfer", "remove", "swap", "segment", "interpolate"}),
        objective="mbu_ops.objectives.press:PressObjective",
    )
    inference = PressInference
    heads = {"decoder": 3}  # noqa: RUF012 - a ClassVar of the base
    decoder: Stack

    def decode(self, common: Tensor, separate: Tensor, content: bool = False) -> Tensor:
        """Draw an image from both codes, ``(B, 3, R, R)`` in [-1, 1]."""
        return torch.tanh(self._decode(self.decoder, common, separate, content))

    def transfer(self, image: Tensor, code: Tensor) -> Layer:
        """Return the image drawn anew with the guide's content: ``D(Ec(image), code)``.

        Args:
            image: ``(B, 3, R, R)`` RGB in [0, 1].
            code: ``(B, *config.separate_code_shape)`` from :meth:`encode_guide`, or a mixture of such codes.

        Returns:
            The picture, and a mask of ones: nothing of the image is kept as it was.
        """
        return _whole(to_unit(self.decode(self.common_code(to_signed(image)), code)))

    def remove(self, image: Tensor) -> Layer:
        """Return the image drawn anew without content, ``D(Ec(image), 0)``, and a mask of ones.

        Args:
            image: ``(B, 3, R, R)`` RGB in [0, 1].
        """
        common = self.common_code(to_signed(image), content=True)
        return _whole(to_unit(self.decode(common, self.zero_code(common), content=True)))

    def segment(self, image: Tensor) -> Tensor:
        """Return how much each pixel changes when the content goes, ``(B, 1, R, R)`` in [0, 1].

        The mean over the channels of ``|D(Ec(image), 0) - image|``; MBU's paper compares its masks with it.

        Args:
            image: ``(B, 3, R, R)`` RGB in [0, 1].
        """
        return _change(image, self.remove(image))


def _whole(pixels: Tensor) -> Layer:
    return painted(pixels, torch.ones_like(pixels[:, :1]))


def _change(image: Tensor, drawn: Layer) -> Tensor:
    return (drawn.bias - image).abs().mean(1, keepdim=True)
