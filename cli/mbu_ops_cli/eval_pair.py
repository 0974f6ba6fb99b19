"""`mbu-ops eval --attributes FIRST,SECOND`: how good edits of two contents are."""

from __future__ import annotations

from pathlib import Path

from mbu_ops.data import Source
from mbu_ops.errors import ConfigurationError
from mbu_ops.files import sha256_of
from mbu_ops_cli.eval_setup import Options, check, examples_of, judges_of, kept_judge, networks_of, note, trained_judge
from mbu_ops_cli.messages import echo
from mbu_ops_cli.progress import progress


def measure_pair(source: Source, options: Options, out: Path | None, as_json: bool) -> dict[str, object]:
    """Measure translations between two domains, print the figures unless as JSON, and return them as JSON holds them.

    Raises:
        ConfigurationError: if the weights do not edit both contents, or an option does not go with two contents.
    """
    if options.then or options.family_out:
        raise ConfigurationError("--then and --family-out go with one --attribute; leave them out")
    check(source, options)
    from mbu_ops.evaluation.report import Report, table
    from mbu_ops.evaluation.translation import PairEditor, measure_translations, write_translations
    from mbu_ops.weights import resolve

    contents = source.contents[0], source.contents[1]
    weights = options.weights
    if weights is None:
        if source.family is None:
            raise ConfigurationError("expected --weights NAME_OR_PATH of weights that edit both contents")
        path, _ = resolve(f"{source.family.name}/{contents[0]}", verb="translate", beside=contents)
        weights = str(path)
    editors = {name: PairEditor.of(name, contents) for name in (weights, *options.compare)}
    judge = kept_judge(source, options)
    judges = judges_of(source, options)
    learnt = judge.learnt if judge else {**source.facts, "steps": options.judge_steps}
    settings: dict[str, object] = {name: getattr(options, name) for name in ("partition", "count", "seed")}
    settings |= {"judge": learnt, "judges": [one.learnt for one in judges] if judges else None}
    report = None if out is None else Report(out, settings | {"pictures": source.facts})
    digests = {
        name: {f"file{number}": sha256_of(file) for number, file in enumerate(editor.files)}
        for name, editor in editors.items()
    }
    measured = {name: report.figures(name, digests[name]) if report else None for name in editors}
    examples = examples_of(source, options)
    if pending := [name for name, figures in measured.items() if figures is None]:
        identity, features = networks_of(source.family)
        judge = judge or trained_judge(source, options.judge, options.judge_steps)
        with progress(len(pending), "measuring") as advance:
            for name in pending:
                measured[name] = figures = measure_translations(
                    editors[name], examples, contents, judge, judges, identity, features, options.seed
                )
                if report is not None:
                    report.add(name, digests[name], figures)
                advance()
    columns = {name: figures or [] for name, figures in measured.items()}
    if not as_json:
        echo(table(columns) if options.compare else "\n".join(map(str, columns[weights])))
    if report is not None:
        sheets = {
            name: [write_translations(report.sheets(name) / "translation.png", editor, examples)]
            for name, editor in editors.items()
        }
        note(str(report.write_table(" and ".join(contents), columns, sheets)))
    plain = {
        name: [
            {key: getattr(figure, key) for key in ("name", "title", "value", "low", "high", "count", "unit")}
            for figure in figures
        ]
        for name, figures in columns.items()
    }
    return {"weights": weights, "partition": options.partition, "figures": plain.pop(weights), "compared": plain}
