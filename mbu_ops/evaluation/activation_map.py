"""Class activation maps: the segmentation baseline that any classifier gives (Zhou et al., CVPR 2016)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mbu_ops.evaluation.judge import Classifier


class ActivationMap(Classifier):
    """A classifier of *with* and *without* whose last layer averages a 16x16 map, so that the map says where.

    Example:
        >>> ActivationMap()(torch.rand(2, 3, 64, 64)).shape
        torch.Size([2])
    """

    kind = "map"

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for width, stride in ((24, 2), (48, 2), (96, 2), (128, 1), (128, 1)):
            layers += [nn.Conv2d(channels, width, 3, stride, 1), nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
            channels = width
        self.layers = nn.Sequential(*layers)
        self.score = nn.Linear(channels, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Return a logit for each image."""
        logits: Tensor = self.score(self.layers(self.fitted(images) * 2 - 1).mean((2, 3)))
        return logits.squeeze(1)

    @torch.no_grad()
    def segment(self, images: Tensor) -> Tensor:
        """Return where the content is, as soft masks: each image's map, scaled to 0 to 1.

        Args:
            images: ``(N, 3, H, W)`` RGB in [0, 1].

        Returns:
            ``(N, 1, H, W)``.
        """
        features = self.layers(self.fitted(images) * 2 - 1)
        maps = torch.einsum("nchw,c->nhw", features, self.score.weight[0])[:, None]
        least, greatest = maps.amin((2, 3), keepdim=True), maps.amax((2, 3), keepdim=True)
        scaled = (maps - least) / (greatest - least).clamp(min=1e-6)
        return F.interpolate(scaled, images.shape[-2:], mode="bilinear", align_corners=False)
