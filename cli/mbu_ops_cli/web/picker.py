"""The controls that pick a step, in Gradio: what they offer is the catalogue's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from mbu_ops import images
from mbu_ops.families import FamilySpec, get_family
from mbu_ops.frames.choice import USUAL_VIEWS
from mbu_ops.frames.views import VIEWS
from mbu_ops.ops.options import Option
from mbu_ops.ops.verbs import get_verb, verbs
from mbu_ops_cli.guides import thumbnail
from mbu_ops_cli.web import catalogue
from mbu_ops_cli.web.catalogue import DefaultGuide, Dial
from mbu_ops_cli.web.choices import Pick, Upload, pick

PICTURES = sorted(images.READABLE_SUFFIXES)
"""Endings of the files that may be uploaded."""

STEP = 0.05
"""How far sliders move at a time."""

_FIRST_GUIDE, _FIRST_WEIGHTS = "", ""


class StepPicker:
    """The controls that pick a step; what they offer follows from the families and the table of verbs.

    Args:
        family: what is edited at first.
    """

    def __init__(self, family: FamilySpec) -> None:
        thing = catalogue.things(family)[0][1]
        word = catalogue.words(family, thing)[0]
        self.thing = gr.Dropdown(catalogue.things(family), value=thing, label="What", elem_id="thing")
        self.word = gr.Radio(**_words(family, thing, word), label="Do what", elem_id="word")
        self.main = [_slider(_at(_dials(word, False), n)) for n in range(_most_main())]
        with gr.Column(visible=bool(get_verb(word).guides), elem_id="guides") as self.guides:
            found = catalogue.default_guides(family, thing, word)
            self.gallery = gr.Gallery(
                **_pictures(found),
                columns=4,
                height=230,
                allow_preview=False,
                object_fit="contain",
                interactive=False,
                elem_id="gallery",
                label="Guides that come with it: choose one",
                buttons=[],
            )
            self.guide = gr.Dropdown(**_guides(found), label="Guide", elem_id="guide")
            self.guide_file = _guide_file("or a picture of yours that shows it")
        with gr.Column(visible=get_verb(word).guides > 1, elem_id="second") as self.second:
            self.to = gr.Dropdown(**_guides(found), label="Second guide")
            self.to_file = _guide_file("or a second picture of yours")
        with gr.Accordion("Fine tuning", open=False):
            self.views = gr.Slider(
                1, len(VIEWS), USUAL_VIEWS, step=1, label="Views", info="1 is the fastest, more are steadier"
            )
            self.method = gr.Dropdown(**_methods(family, thing, word), label="Weights")
            self.fine = [_slider(_at(_dials(word, True), n)) for n in range(catalogue.most("dials"))]
            self.typed = [_entry(_at(catalogue.entries(word), n)) for n in range(catalogue.most("entries"))]

    @property
    def inputs(self) -> list[Any]:
        """The components that :meth:`read` wants the values of, in this order."""
        return [
            self.views, self.thing, self.word, self.method, self.guide, self.guide_file, self.to, self.to_file,
            *self.main, *self.fine, *self.typed,
        ]  # fmt: skip

    @property
    def moved(self) -> list[Any]:
        """The events of controls that change no others."""
        plain = (self.views, self.guide, self.to, *self.main, *self.fine, *self.typed)
        files = (self.guide_file, self.to_file)
        return [*(one.input for one in plain), *(event for one in files for event in (one.upload, one.clear))]

    def views_of(self, values: Sequence[Any]) -> int:
        """Return how many views are asked for.

        Args:
            values: of :attr:`inputs`.
        """
        return int(values[0])

    def read(self, values: Sequence[Any]) -> Pick:
        """Return the step that the controls show.

        Args:
            values: of :attr:`inputs`.

        Raises:
            ConfigurationError: if what was typed is no value of its option.
        """
        _, thing, word, method, guide, guide_file, to, to_file, *rest = values
        main, fine = rest[: len(self.main)], rest[len(self.main) : len(self.main) + len(self.fine)]
        turned = {
            dial.option.name: float(value)
            for dials, shown in ((_dials(word, False), main), (_dials(word, True), fine))
            for dial, value in zip(dials, shown, strict=False)
        }
        typed = dict(
            zip([option.name for option in catalogue.entries(word)], rest[len(main) + len(fine) :], strict=False)
        )
        return pick(word, thing, method or None, _guide(guide, guide_file), _guide(to, to_file), turned, typed)

    def of(self, family: str, thing: str | None = None, word: str | None = None) -> dict[Any, Any]:
        """Return the changes that make the controls offer what there is for a family, one of its things and a verb."""
        spec = get_family(family)
        known = catalogue.things(spec)
        thing = thing if thing in [name for _, name in known] else known[0][1]
        words = catalogue.words(spec, thing)
        word = word if word in words else words[0]
        changes = {
            self.thing: gr.update(choices=known, value=thing),
            self.word: gr.update(**_words(spec, thing, word)),
            self.method: gr.update(**_methods(spec, thing, word)),
            self.second: gr.update(visible=get_verb(word).guides > 1),
            self.guide_file: None,
            self.to_file: None,
        }
        for sliders, dials in ((self.main, _dials(word, False)), (self.fine, _dials(word, True))):
            changes |= {slider: gr.update(**_slider_of(_at(dials, n))) for n, slider in enumerate(sliders)}
        entries = catalogue.entries(word)
        changes |= {box: gr.update(**_entry_of(_at(entries, n))) for n, box in enumerate(self.typed)}
        return changes | self.guides_of(family, thing, word, None)

    def guides_of(self, family: str, thing: str, word: str, method: str | None) -> dict[Any, Any]:
        """Return the changes that make the controls offer the guides of some weights."""
        found = catalogue.default_guides(get_family(family), thing, word, method or None)
        return {
            self.guides: gr.update(visible=bool(get_verb(word).guides)),
            self.gallery: gr.update(**_pictures(found)),
            self.guide: gr.update(**_guides(found)),
            self.to: gr.update(**_guides(found)),
        }

    @property
    def outputs(self) -> list[Any]:
        """The components that :meth:`of` changes."""
        return [*self.inputs, self.guides, self.second, self.gallery]


def _dials(word: str, fine: bool) -> list[Dial]:
    return [dial for dial in catalogue.dials(word) if dial.fine is fine]


def _most_main() -> int:
    return max(len(_dials(verb.name, False)) for verb in verbs())


def _at(found: Sequence[Any], number: int) -> Any:
    return found[number] if number < len(found) else None


def _slider_of(dial: Dial | None) -> dict[str, Any]:
    if dial is None:
        return {"visible": False}
    label = dial.option.name.capitalize()
    return {
        "minimum": dial.low, "maximum": dial.high, "value": dial.start, "label": label, "info": dial.option.help,
        "visible": True,
    }  # fmt: skip


def _slider(dial: Dial | None) -> Any:
    return gr.Slider(**_slider_of(dial), step=STEP)


def _entry_of(option: Option | None) -> dict[str, Any]:
    if option is None:
        return {"visible": False, "value": ""}
    return {
        "label": option.name.capitalize(), "info": option.help, "placeholder": option.default_text, "value": "",
        "visible": True,
    }  # fmt: skip


def _entry(option: Option | None) -> Any:
    return gr.Textbox(**_entry_of(option), max_length=40)


def _words(family: FamilySpec, thing: str, word: str) -> dict[str, Any]:
    choices = [(name.capitalize(), name) for name in catalogue.words(family, thing)]
    return {"choices": choices, "value": word, "info": get_verb(word).help.capitalize()}


def _methods(family: FamilySpec, thing: str, word: str) -> dict[str, Any]:
    found = catalogue.methods(family, thing, word)
    choices = [("the first that suits", _FIRST_WEIGHTS), *((f"of the method {name}", name) for name in found)]
    return {"choices": choices, "value": _FIRST_WEIGHTS}


def _guides(found: Sequence[DefaultGuide]) -> dict[str, Any]:
    choices = [("the first", _FIRST_GUIDE), *((f"{one.number}: {one.title}", str(one.number)) for one in found)]
    return {"choices": choices, "value": _FIRST_GUIDE}


def _pictures(found: Sequence[DefaultGuide]) -> dict[str, Any]:
    value = [(thumbnail(one.spec), one.title) for one in found if one.spec]
    return {"value": value, "visible": bool(value)}


def _guide_file(label: str) -> Any:
    return gr.File(label=label, file_types=PICTURES, height=120, elem_classes="drop")


def _guide(number: str | None, path: str | None) -> int | Upload | None:
    return Upload.of(path) if path else int(number) if number else None
