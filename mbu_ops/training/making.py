"""How pairs are made of training pictures, for methods that learn from such."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from mbu_ops.data.composites import Composites, check_shares, shows_enough
from mbu_ops.data.domains import Domains
from mbu_ops.data.handmade import handmade_masks
from mbu_ops.data.source import LabelledSource, Source
from mbu_ops.errors import ConfigurationError
from mbu_ops.families.choice import weights_for
from mbu_ops.families.frames import WHOLE_FRAME
from mbu_ops.methods import get_method
from mbu_ops.objectives.options import check_options, option
from mbu_ops.ops.chain import chain
from mbu_ops.ops.segment import Segment
from mbu_ops.training.pairs import (
    believed,
    content_bends,
    content_masks,
    drawn_masks,
    edited_photos,
    family_pen,
    hiding_masks,
    known_pairs,
    true_masks,
)
from mbu_ops.weights import load_pretrained, resolve


@dataclass(frozen=True)
class PairOptions:
    """How pairs are made.

    Attributes:
        pair: share of each kind, ``(kind, share)``, see :class:`mbu_ops.data.composites.Composites`; empty for what
            there is masks and a pen for.
        masks_from: weights that find the content; None for the family's own.
        masks: folder of hand-made masks.
        edits: step that adds the content, for pairs made of other weights' edits.
        grow_masks: by which share of the frame's height masks grow.

    Raises:
        ConfigurationError: if a value is none of those that it can have.
    """

    pair: tuple[tuple[str, float], ...] = option(
        (),
        "How pairs are made: cut out of pictures with the content, drawn by the family's pen, edited (--edits), or "
        "known, of pictures that the family draws.",
        metavar="KIND=SHARE",
        default="cut=3 drawn=5, or cut=1 where nothing draws it",
    )
    masks_from: str | None = option(
        None,
        "Trained weights that find the content in pictures.",
        metavar="NAME_OR_PATH",
        default="the family's own",
    )
    masks: Path | None = option(
        None,
        "Folder of hand-made masks: NAME.png for the picture NAME with the content, white where it is. Pictures "
        "without one get masks by --masks-from.",
    )
    edits: str | None = option(
        None,
        "Step of a chain that adds the content to pictures, for pairs of the kind edited: adjust:smile,strength=1",
        metavar="STEP",
    )
    grow_masks: float = option(
        0.0,
        "By which share of the frame's height the masks grow: 0.1 where the content is found by a part of it, as a "
        "smile by the mouth.",
        least=0,
        most=0.5,
    )

    def __post_init__(self) -> None:
        check_options(self)
        if self.pair:
            check_shares(self.pair)
        if bool(self.edits) != bool(dict(self.pair).get("edited")):
            raise ConfigurationError(
                "pairs of the kind edited need a step that adds the content, and a share: give --edits STEP and --pair "
                "edited=SHARE, or neither"
            )

    def check(self, method: str, source: Source | LabelledSource) -> None:
        """Make sure, before pictures are read, that the method learns from pairs if any of this was asked for.

        Raises:
            ConfigurationError: if it does not.
            WeightsError: if there are no weights that find the content.
        """
        if "pairs" in get_method(method).info.aids:
            if isinstance(source, Source):
                self._masks_from(source)
            return
        for one in fields(self):
            if getattr(self, one.name):
                name = one.name.replace("_", "-")
                raise ConfigurationError(f"{method} learns from no pairs: leave --{name} out, or --method native")

    def composites(
        self, domains: Domains, source: Source, note: Callable[[str], None], aids: Collection[str] = ()
    ) -> Composites:
        """Return pairs made of training pictures.

        Args:
            domains: the pictures.
            source: where they came from.
            note: told what is done.
            aids: what the method asks for beside pairs, of :attr:`mbu_ops.methods.info.MethodInfo.aids`:
                ``"reverse"`` for pairs the other way too, where the weights that find the content find its place also
                in pictures without it, as a mouth is found that does not smile; ``"bends"`` for pictures in the shape
                that the family knows the content to give them.

        Raises:
            ConfigurationError: if a kind of pairs cannot be made of them.
            WeightsError: if the weights that find the content are not sound, or see another frame.
        """
        name = self._masks_from(source)
        finder = None if name is None else _finder(name, source)
        seen, frame = domains, WHOLE_FRAME
        if not source.frame.is_whole and (self.edits if finder is None else finder.frame.is_whole):
            note("reading the pictures again, for the masks")
            size = domains.resolution if finder is None else finder.model.config.size
            seen, frame = replace(source, frame=WHOLE_FRAME).training(size, _silent), source.frame
        if name is not None:
            note(f"finding the content with {name}")
        kept, shown, bare = believed(domains, seen, finder and finder.presence)
        wrong = [len(domains.with_) - len(kept.with_), len(domains.without) - len(kept.without)]
        if any(wrong):
            note(f"left out, since they seem to be in the wrong folder: {wrong[0]} with and {wrong[1]} without")
        masks = (
            torch.zeros_like(kept.with_[:, :1])
            if finder is None
            else content_masks(Segment(finder.model), seen.with_[shown], frame, domains.size, self.grow_masks)
        )
        found_by = f"{name} grown by {self.grow_masks:g}" if self.grow_masks else name or ""
        whole = source.family if source.frame.is_whole else None  # of a part of a picture nobody asks it
        masks = hiding_masks(source.family, source.attribute, kept.with_, masks, source.frame.name)
        if (true := true_masks(whole, source.attribute, kept.with_)) is not None:
            told = true.flatten(1).any(1)
            masks[told] = true[told].to(torch.uint8) * 255
            found_by = ", ".join(filter(None, [f"{int(told.sum())} derived by the family", found_by]))
        truth = None
        if dict(self.pair).get("known") and source.family is not None and kept.pairs:
            note("drawing each content on somebody else")
            truth = known_pairs(source.family, kept, "views" in aids)
            masks, found_by = drawn_masks(kept), "drawn by the family"
        if self.masks is not None:
            if not kept.with_pictures:
                raise ConfigurationError(
                    "hand-made masks fit pictures that are cut already, and no photos in which faces are looked for "
                    "first: leave --masks out, or cut the pictures and add --no-align"
                )
            made, of = handmade_masks(self.masks, kept.with_pictures, domains.size, source.frame)
            if finder is None and len(of) < len(masks):
                raise ConfigurationError(
                    f"expected a hand-made mask for each of {len(masks)} pictures with the content, got {len(of)}: "
                    "name weights that find it in the others by --masks-from"
                )
            masks[of] = made
            found_by = ", ".join(filter(None, [f"{len(of)} made by hand", found_by]))
        pen = None
        if not self.pair or dict(self.pair).get("drawn"):
            pen = family_pen(source.family, source.attribute, source.frame.name, domains.size)
        shares = self.pair or ((("cut", 3.0), ("drawn", 5.0)) if pen else (("cut", 1.0),))
        edited = None
        if self.edits:
            note(f"editing pictures: {self.edits}")
            edit = chain(self.edits, source.family.name if source.family else "faces")
            edited = edited_photos(edit, seen.without[bare], frame, kept.without)
        bends = away = None
        if "bends" in aids and source.frame.is_whole | (frame is source.frame):
            known = partial(content_bends, source.family, source.attribute, frame=frame, size=domains.size)
            bends, away = known(seen.without[bare], True), known(seen.with_[shown], False)
        elif "bends" in aids and source.family is not None and source.family.bends is not None:
            note("nothing is bent: the weights that find the content see a part of the frame")
        reverse = None
        if "reverse" in aids and finder is not None:
            places = content_masks(Segment(finder.model), seen.without[bare], frame, domains.size, self.grow_masks)
            if shows_enough(places).float().mean() > 0.5:
                kinds = (("cut", 1.0),) if away is None else (("cut", 1.0), ("bent", 2.0))
                reverse = Composites(kept.exchanged, places, kinds, bends=away)
        return Composites(kept, masks, shares, pen, edited, truth, found_by, reverse, bends)

    def _masks_from(self, source: Source) -> str | None:
        """Return the weights that find the content; None if there are only hand-made masks.

        Raises:
            ConfigurationError: if there are neither.
            WeightsError: if there are none of that name.
        """
        if self.masks_from is not None:
            resolve(self.masks_from, verb="segment")
            return self.masks_from
        if dict(self.pair).get("known"):
            return None  # the family knows where its pictures show the content
        family, attribute = source.family, source.attribute
        if family is not None and attribute is not None:
            for spec in weights_for(family, attribute.name, verb="segment"):
                # what learnt from pairs itself learnt from masks of others
                learnt = "pairs" in get_method(spec.method).info.aids
                if not {spec.frame, None} - {source.frame.name, None} and not learnt:
                    return f"{family.name}/{attribute.name}/{spec.id}"
        if self.masks is not None:
            return None
        raise ConfigurationError(
            "expected weights that find the content in the pictures, the family has none: name some by --masks-from, "
            "such as the folder that mbu-ops train --method mbu wrote, or give hand-made --masks"
        )


def _finder(name: str, source: Source) -> Any:
    """Return weights that find the content, :class:`mbu_ops.weights.Pretrained`.

    Raises:
        ConfigurationError: if they see another frame than the pictures', and not the family's first.
    """
    of_family = resolve(name, verb="segment")[1] is not None  # which names the content too
    content = None if of_family or source.attribute is None else source.contents[0]
    found: Any = load_pretrained(name, verb="segment", content=content)
    if found.frame != source.frame and not found.frame.is_whole:
        raise ConfigurationError(
            f"expected weights of the frame {source.frame.name!r}, or of the family's first, to find the content with, "
            f"got {name} of {found.frame.name!r}: name others by --masks-from"
        )
    return found


def _silent(_line: str) -> None:
    """Say nothing: what is to be said of the pictures was said when they were read first."""
