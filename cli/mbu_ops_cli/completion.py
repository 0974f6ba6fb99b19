"""What shells complete beside commands and options: steps, attributes, families, methods, weights. No torch here."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from glob import escape, glob
from pathlib import Path

import click
from click.shell_completion import BashComplete, CompletionItem, add_completion_class, split_arg_string

from mbu_ops.errors import MBUOpsError
from mbu_ops.families import FamilySpec, families, get_family
from mbu_ops.methods import method_names
from mbu_ops.ops.verbs import first_weights, get_verb

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem[str]]]


@add_completion_class
class WholeWords(BashComplete):
    """Bash's completion for words with ``:``, ``=`` and ``@``, at which bash itself would part them."""

    source_template = """\
%(complete_func)s() {
    local IFS=$'\\n' response type value
    response=$(env COMP_LINE="${COMP_LINE:0:COMP_POINT}" COMP_BREAKS="$COMP_WORDBREAKS" \\
        %(complete_var)s=bash_complete $1 2>/dev/null)
    COMPREPLY=()
    for completion in $response; do
        IFS=',' read -r type value <<< "$completion"
        if [[ $type == 'dir' || $type == 'file' ]]; then
            compopt -o default
        elif [[ $type == 'plain' ]]; then
            COMPREPLY+=("$value")
            [[ $value == *[=:/] ]] && compopt -o nospace
        fi
    done
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the words before the cursor, and the one that it stands in."""
        line = os.environ["COMP_LINE"]
        words = split_arg_string(line)[1:]
        return (words, "") if not words or line[-1:].isspace() else (words[:-1], words[-1])

    def format_completion(self, item: CompletionItem[str]) -> str:
        """Write what takes the place of the word as bash sees it: all after the last break in what is typed."""
        _, typed = self.get_completion_args()
        breaks = set(os.environ.get("COMP_BREAKS", "")) & set(":=@")
        start = max((typed.rfind(character) + 1 for character in breaks), default=0)
        return f"{item.type},{item.value[start:]}"


def complete_with(names: Callable[[click.Context, str], Iterable[str]]) -> Completer:
    """Return what click asks for completions of a parameter.

    Args:
        names: gives what there is; those that begin with what is typed are shown.
    """

    def complete(ctx: click.Context, _param: click.Parameter, typed: str) -> list[CompletionItem[str]]:
        try:
            return [CompletionItem(name) for name in names(ctx, typed) if name.startswith(typed)]
        except MBUOpsError:  # an unknown family or verb: the command itself will say so
            return []

    return complete


def complete_files(_ctx: click.Context, _param: click.Parameter, typed: str) -> list[CompletionItem[str]]:
    """Let the shell complete a file's name."""
    return [CompletionItem(typed, type="file")]


def _steps(ctx: click.Context, typed: str) -> Iterator[str]:
    """Give steps: verb and attribute, then options after a comma, and guides after ``@``."""
    head, comma, _ = typed.rpartition(",")
    verb, colon, _ = head.partition(":")
    step, at, path = typed.partition("@")
    if comma and colon:
        yield from (f"{head},{name}=" for name in get_verb(verb).accepts if f",{name}=" not in head)
    if at:
        yield from (f"{step}@{found}" for found in _paths(path))
    if not (comma or at):
        for family, prefix in _families(ctx, typed):
            for attribute in family.attributes:
                yield from (f"{word}:{prefix}{attribute.name}" for word in first_weights(family, attribute.name))


def _attributes(ctx: click.Context, typed: str) -> Iterator[str]:
    for family, prefix in _families(ctx, typed):
        yield from (f"{prefix}{attribute.name}" for attribute in family.attributes)
    yield from (f"{family.name}/" for family in families())


def _families(ctx: click.Context, typed: str) -> Iterator[tuple[FamilySpec, str]]:
    """Give the families whose attributes may be meant, and what names of their attributes begin with."""
    if "/" in typed:
        yield from ((family, f"{family.name}/") for family in families())
    else:
        yield get_family(ctx.params.get("family") or "faces"), ""


def _weights(_ctx: click.Context, typed: str) -> Iterator[str]:
    for family in families():
        for spec in family.weights:
            yield from (f"{family.name}/{attribute}/{spec.id}" for attribute in spec.attributes)
    yield from _paths(typed)


def _paths(start: str) -> Iterator[str]:
    for path in sorted(glob(f"{escape(start)}*")):  # noqa: PTH207 - what is typed must stay as it is, with its ./
        yield f"{path}/" if Path(path).is_dir() else path


complete_steps = complete_with(_steps)
complete_attributes = complete_with(_attributes)
complete_weights = complete_with(_weights)
complete_families = complete_with(lambda _ctx, _typed: (family.name for family in families()))
complete_methods = complete_with(lambda _ctx, _typed: method_names())
