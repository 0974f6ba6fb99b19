"""The page: a thin layer of Gradio over :mod:`mbu_ops_cli.web.session`."""

from __future__ import annotations

import functools
import html
from collections.abc import Callable
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, TypeAlias

import gradio as gr

from mbu_ops.errors import MBUOpsError, is_out_of_memory
from mbu_ops.families import get_family
from mbu_ops_cli.web import catalogue
from mbu_ops_cli.web.painting import hex_colours, tinted
from mbu_ops_cli.web.photos import Outcome, with_boxes
from mbu_ops_cli.web.picker import PICTURES, StepPicker
from mbu_ops_cli.web.session import Session, parse_which

Changes: TypeAlias = "dict[Any, Any]"
"""What a handler changes: components, and their new values."""

CSS = (Path(__file__).parent / "page.css").read_text(encoding="utf-8")

THEME = gr.themes.Base(
    primary_hue="indigo",
    neutral_hue="slate",
    font=["system-ui", "sans-serif"],
    font_mono=["ui-monospace", "monospace"],
)

WORK: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": "work", "api_visibility": "private"}
"""How events that compute are carried out: one at a time."""

LIGHT: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
"""How events that only change what is shown are carried out."""

_HEAD = (
    "<h1>mbu-ops</h1><p>Change one thing in a photo, and nothing else. Photos stay on this computer and are deleted "
    "when you stop the page.</p>"
)
_EMPTY = '<div class="empty">The result appears here: choose a photo, pick a step, press Edit.</div>'


def build(folder: Path) -> Any:
    """Return the page.

    Args:
        folder: where results are written for download; made when needed.
    """
    with gr.Blocks(title="mbu-ops", analytics_enabled=False, fill_width=True) as page:
        Page(folder).wire()
    page.queue(max_size=16, default_concurrency_limit=1)
    return page


class Page:
    """All of the page's components, and what happens when they are used.

    Args:
        folder: see :func:`build`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        first = catalogue.usable_families()[0]
        self.session = gr.State(Session(first.name))
        gr.HTML(_HEAD, elem_id="head")
        with gr.Row(elem_id="columns"):
            with gr.Column(min_width=320, elem_id="asking"):
                self._place_photo(first.name)
                with gr.Tabs():
                    with gr.Tab("Pick steps"):
                        self._place_steps(first.name)
                    with gr.Tab("Paint parts"):
                        self._place_painting(first.name)
            with gr.Column(min_width=320, elem_id="showing"):
                self._place_result()

    def _place_photo(self, family: str) -> None:
        choices = [(one.title, one.name) for one in catalogue.usable_families()]
        self.file = gr.File(label="Photo", file_types=PICTURES, height=130, elem_id="photo", elem_classes="drop")
        with gr.Row(elem_id="beside"):
            self.family = gr.Dropdown(
                choices, value=family, label="Kind of picture", visible=len(choices) > 1, min_width=140
            )
            self.sample = gr.Button(
                "Use a sample", visible=bool(get_family(family).samples), min_width=80, elem_id="sample"
            )
        self.told = gr.HTML(visible=False, elem_id="told")
        self.faces = gr.Image(
            show_label=False, visible=False, interactive=False, height=260, buttons=[], elem_id="faces"
        )
        self.which = gr.Radio([("all", "all")], value="all", label="Which to edit", visible=False, elem_id="which")

    def _place_steps(self, family: str) -> None:
        self.picker = StepPicker(get_family(family))
        with gr.Row():
            self.add = gr.Button("Add to a list", elem_id="add", min_width=80)
            self.edit = gr.Button("Edit", variant="primary", elem_id="edit", min_width=80)
        self.list = gr.CheckboxGroup(label="Steps, in this order", visible=False, elem_id="list")
        self.clear = gr.Button("Empty the list", size="sm", visible=False, elem_id="clear")

    def _place_painting(self, family: str) -> None:
        spec = get_family(family)
        self.no_parts = gr.HTML("<p>Pictures of this kind have no parts to paint.</p>", visible=not spec.anatomy)
        self.show_parts = gr.Button("Show the parts", visible=catalogue.can_repaint(spec), elem_id="parts")
        self.legend = gr.HTML(visible=False, elem_id="legend")
        self.editor = gr.ImageEditor(
            label="Paint with the colour of a part", visible=False, sources=(), transforms=(), elem_id="editor",
            layers=gr.LayerOptions(allow_additional_layers=False), buttons=[],
        )  # fmt: skip
        self.redraw = gr.Button("Redraw", variant="primary", visible=False, elem_id="redraw")

    def _place_result(self) -> None:
        self.said = gr.HTML(_EMPTY, elem_id="said")
        self.slider = gr.ImageSlider(
            label="Before and after", format="png", visible=False, interactive=False, buttons=["fullscreen"],
            elem_id="slider", max_height=640,
        )  # fmt: skip
        self.command = gr.Textbox(
            label="The same in a shell", lines=2, max_lines=6, interactive=False, buttons=["copy"], elem_id="command"
        )
        self.files = gr.File(label="Download", visible=False, interactive=False, file_count="multiple", elem_id="files")
        self.mask = gr.Image(
            label="What changed", format="png", visible=False, interactive=False, buttons=[], height=240, elem_id="mask"
        )
        with gr.Accordion("Recipe, for mbu-ops chain --recipe look.toml", open=False):
            self.recipe = gr.Textbox(
                show_label=False, lines=4, interactive=False, buttons=["copy"], container=False, elem_id="recipe"
            )

    def wire(self) -> None:
        """Say what happens when something on the page is used."""
        picker, state = self.picker, self.session
        asked = [state, self.list, self.which, *picker.inputs]
        opened = [state, self.told, self.faces, self.which, *self._results(), *self._painting()]
        listed = [state, self.list, self.clear]
        guides = [picker.guides, picker.gallery, picker.guide, picker.to]
        other = [*opened, *picker.outputs, self.list, self.clear, self.no_parts, self.show_parts, self.sample]
        opens, samples, turns = (_guarded(self.told, one) for one in (self.opened, self.sampled, self.turned_to))
        adds, parses = (_guarded(self.said, one) for one in (self.added, self.parsed))
        changed = [
            self.file.upload(opens, [state, self.file], opened, **WORK),
            self.sample.click(samples, [state], [self.file, *opened], **WORK),
            self.family.input(turns, [state, self.family], other, **WORK),
            picker.thing.input(picker.of, [self.family, picker.thing], picker.outputs, **LIGHT),
            picker.word.input(picker.of, [self.family, picker.thing, picker.word], picker.outputs, **LIGHT),
            picker.method.input(
                picker.guides_of, [self.family, picker.thing, picker.word, picker.method], guides, **LIGHT
            ),
            picker.gallery.select(_selected, None, picker.guide, **LIGHT),
            self.add.click(adds, asked, [*listed, self.said], **LIGHT),
            self.clear.click(self.cleared, [state], listed, **LIGHT),
        ]
        # once what changes other controls is done, and whenever one is moved that does not
        for event in changed:
            event.then(self.shown, asked, [self.command, self.recipe], **LIGHT)
        for moved in (self.list.input, self.which.input, *picker.moved):
            moved(self.shown, asked, [self.command, self.recipe], trigger_mode="always_last", **LIGHT)
        results: dict[str, Any] = {
            "outputs": self._results(),
            "scroll_to_output": True,
            "show_progress_on": [self.said, self.slider],
        }
        self.edit.click(_guarded(self.said, self.edited), asked, **results, **WORK)
        self.show_parts.click(parses, [state, self.which], [state, *self._painting(), self.said], **WORK)
        painting = [state, self.editor, self.which]
        self.redraw.click(_guarded(self.said, self.repainted), painting, **results, **WORK)

    def _results(self) -> list[Any]:
        return [self.said, self.slider, self.mask, self.files, self.command]

    def _painting(self) -> list[Any]:
        return [self.legend, self.editor, self.redraw]

    def opened(self, session: Session, path: str) -> Changes:
        """Show a photo and what is found in it."""
        return self._with(session.opened(path))

    def sampled(self, session: Session) -> Changes:
        """Show the first picture that comes with the family."""
        path = str(session.spec.samples[0].locate())
        return {self.file: path} | self._with(session.opened(path))

    def turned_to(self, session: Session, family: str) -> Changes:
        """Offer what there is for another kind of picture."""
        session = session.of_family(family)
        can = catalogue.can_repaint(session.spec)
        return {
            **self.picker.of(family),
            **self._listed(session),
            **self._with(session),
            self.no_parts: gr.update(visible=not can),
            self.show_parts: gr.update(visible=can),
            self.sample: gr.update(visible=bool(session.spec.samples)),
        }

    def added(self, session: Session, kept: list[int], _which: str, *draft: Any) -> Changes:
        """Put the step that is being picked into the list."""
        return self._listed(session.with_pick(self.picker.read(draft)), kept) | {self.said: gr.update()}

    def cleared(self, session: Session) -> Changes:
        """Empty the list."""
        return self._listed(session.without_picks())

    def shown(self, session: Session, kept: list[int], which: str, *draft: Any) -> Changes:
        """Show the command line and the recipe of what would be done now."""
        try:
            order = session.order(self.picker.read(draft), kept, parse_which(which), self.picker.views_of(draft))
            return {self.command: order.command, self.recipe: order.recipe}
        except MBUOpsError as error:
            return {self.command: str(error), self.recipe: ""}

    def edited(self, session: Session, kept: list[int], which: str, *draft: Any) -> Changes:
        """Edit the photo."""
        order = session.order(self.picker.read(draft), kept, parse_which(which), self.picker.views_of(draft))
        return self._done(session.run(order, self._new_folder()), order.command)

    def parsed(self, session: Session, which: str) -> Changes:
        """Show the parts of the photo, to be painted over."""
        session = session.parsed(parse_which(which))
        photo, labels, anatomy = session.photo, session.labels, session.spec.anatomy
        if photo is None or labels is None or anatomy is None:
            return {self.session: session}
        colours = hex_colours(anatomy)
        brush = gr.Brush(default_size=12, colors=list(colours), default_color=colours[1], color_mode="fixed")
        names = zip(colours, (part.title for part in anatomy.parts), strict=True)
        chips = "".join(f'<li><i style="background:{colour}"></i>{html.escape(title)}</li>' for colour, title in names)
        return {
            self.session: session,
            self.legend: gr.update(value=f"<ul>{chips}</ul>", visible=True),
            self.editor: gr.update(
                value={"background": tinted(photo, labels, anatomy, session.box), "layers": [], "composite": None},
                brush=brush,
                visible=True,
            ),
            self.redraw: gr.update(visible=True),
            self.said: gr.update(),
        }

    def repainted(self, session: Session, painting: dict[str, Any] | None, which: str) -> Changes:
        """Redraw the photo to fit what was painted."""
        layers = painting["layers"] if painting else []
        return self._done(*session.repaint(layers[0] if layers else None, parse_which(which), self._new_folder()))

    def _new_folder(self) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        return Path(mkdtemp(dir=self.folder))

    def _with(self, session: Session) -> Changes:
        """Return the changes that show a session's photo, without a result."""
        photo = session.photo
        hidden = gr.update(visible=False)
        changes: Changes = {self.session: session, **dict.fromkeys(self._painting(), hidden)}
        changes[self.said] = gr.update(value=_EMPTY, visible=True)
        changes |= {self.slider: hidden, self.mask: hidden, self.files: hidden}
        if photo is None:
            return changes | {self.told: hidden, self.faces: hidden, self.which: hidden}
        found = len(photo.places)
        several = f"{found} {session.spec.noun}{'s' if found > 1 else ''} found"
        size = f"{photo.file.width} x {photo.file.height} pixels"
        text = ", ".join([size, *([several] if found else [])])
        return changes | {
            self.told: _problem(photo.problem) if photo.problem else gr.update(value=_line(text), visible=True),
            self.faces: gr.update(value=with_boxes(photo), visible=True),
            self.which: gr.update(choices=session.faces, value="all", visible=found > 1),
        }

    def _listed(self, session: Session, kept: list[int] | None = None) -> Changes:
        """Return the changes that show the list of steps; a new one is ticked."""
        choices = [(str(pick.step()), number) for number, pick in enumerate(session.picks)]
        ticked = [*(kept or []), *([len(choices) - 1] if choices else [])]
        return {
            self.session: session,
            self.list: gr.update(choices=choices, value=sorted(set(ticked)), visible=bool(choices)),
            self.clear: gr.update(visible=bool(choices)),
        }

    def _done(self, outcome: Outcome, command: str) -> Changes:
        notices = "".join(_line(notice, "notice") for notice in outcome.notices)
        return {
            self.said: gr.update(value=notices, visible=bool(notices)),
            self.slider: gr.update(value=(outcome.before, outcome.after), slider_position=outcome.middle, visible=True),
            self.mask: gr.update(value=outcome.mask, visible=True),
            self.files: gr.update(value=[str(path) for path in outcome.files], visible=True),
            self.command: command,
        }


def _guarded(where: Any, handler: Callable[..., Changes]) -> Callable[..., Changes]:
    """Return a handler whose errors are shown on the page, in the library's own words."""

    @functools.wraps(handler)
    def guarded(*values: Any) -> Changes:
        try:
            return handler(*values)
        except MBUOpsError as error:
            return {where: _problem(str(error))}
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            return {where: _problem("expected a photo that fits into memory, got a larger one: shrink it")}

    return guarded


def _problem(text: str) -> Any:
    return gr.update(value=_line(text, "problem"), visible=True)


def _line(text: str, kind: str = "plain") -> str:
    return f'<p class="{kind}" role="status">{html.escape(text)}</p>'


def _selected(event: gr.SelectData) -> str:
    return str(event.index)
