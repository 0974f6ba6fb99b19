"""What the chain command says: its plan and its report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mbu_ops.batch import Failure, FilePlan, Job, Report
from mbu_ops.batch.job import PIPE
from mbu_ops.foreign import printable_name
from mbu_ops.ops.chain import ChainSpec
from mbu_ops_cli.messages import echo, echo_json, log

if TYPE_CHECKING:
    from mbu_ops.images import UnreadFile
    from mbu_ops.ops.plan import StepPlan

SHOWN = 20
"""Most pictures that are listed one by one; --json lists all."""


def show_plan(plans: Sequence[StepPlan], files: FilePlan, demo: bool, as_json: bool) -> None:
    """Say what would be done, on stdout."""
    if as_json:
        echo_json(
            {
                "steps": [
                    {
                        "step": str(plan.step),
                        "weights": str(plan.path),
                        "method": plan.info.method,
                        "guides": [_guide_name(plan, index) for index in range(len(plan.guides))],
                    }
                    for plan in plans
                ],
                "demo": demo,
                "todo": [_as_json(job) for job in files.todo],
                "skipped": [_as_json(job) for job in files.skipped],
                "refused": _failures(files.refused),
                "unread": _unread(files.unread),
            }
        )
        return
    for number, plan in enumerate(plans, 1):
        guides = ", ".join(str(_guide_name(plan, index)) for index in range(len(plan.guides)))
        echo(f"step {number}: {plan.step}  ({plan.info.method}, {plan.path}{'; guide ' + guides if guides else ''})")
    for job in files.todo[:SHOWN]:
        echo(f"{printable_name(job)} -> {printable_name(_target(job))}")
    if len(files.todo) > SHOWN:
        echo(f"... and {len(files.todo) - SHOWN} more")
    for failure in files.refused[:SHOWN]:
        echo(f"refused: {failure.reason}")
    parts = [f"{_count(files.todo)} to edit, {len(files.skipped)} skipped"]
    if files.refused:
        parts.append(f"{len(files.refused)} refused")
    what = "the demo picture" if demo else ", ".join(parts) + not_read(files.unread)
    echo(f"{what}; nothing was done (--dry-run)")


def show_report(spec: ChainSpec, report: Report, seconds: float, as_json: bool) -> None:
    """Say what was done: as JSON on stdout, or in words on stderr."""
    if as_json:
        echo_json(
            {
                "chain": str(spec),
                "written": [
                    _as_json(written.job) | ({"frames": written.frames} if written.job.clip else {})
                    for written in report.written
                ],
                "skipped": [_as_json(job) for job in report.skipped],
                "unchanged": [
                    {"input": str(written.job), "step": step} for written in report.written for step in written.idle
                ],
                "failed": _failures(report.failed),
                "unread": _unread(report.unread),
                "metadata": {
                    "kept": sum(written.keeps_metadata for written in report.written),
                    "with_place": _kept_places(report),
                },
                "seconds": round(seconds, 3),
            }
        )
        return
    for failure in report.failed[:SHOWN]:
        job, reason = str(failure.job), failure.reason
        named = any(name in reason for name in (job, repr(job)))
        log.error(f"failed: {reason if named else f'{printable_name(job)}: {reason}'}")
    if len(report.failed) > SHOWN:
        log.error(f"... and {len(report.failed) - SHOWN} more failed; --json lists them all")
    _tell_idle(report)
    _tell_metadata(report)
    for written in report.written:
        if written.resumed:
            log.info(
                f"{printable_name(written.job)}: went on after {written.resumed} frames that a run before had edited"
            )
    frames = sum(written.frames for written in report.written)
    of_frames = f" ({_number(frames, 'frame')})" if frames else ""
    parts = [f"{_count([written.job for written in report.written])}{of_frames} written"]
    if report.skipped:
        parts.append(f"{len(report.skipped)} skipped (results exist)")
    if report.failed:
        parts.append(f"{len(report.failed)} failed")
    log.info(f"{', '.join(parts)} in {seconds:.1f} s{not_read(report.unread)}")


def _tell_idle(report: Report) -> None:
    idle: dict[str, list[Job]] = {}
    for written in report.written:
        for step in written.idle:
            idle.setdefault(step, []).append(written.job)
    for step, jobs in idle.items():
        log.info(f"{step}: nothing to do in {_count(jobs)}, left unchanged (presence=0 edits all)")


def _tell_metadata(report: Report) -> None:
    if kept := [written.job for written in report.written if written.keeps_metadata]:
        places = _kept_places(report)
        where = f", in {places} with the place where it was taken (--strip-gps)" if places else ""
        log.info(f"the source's metadata is kept in {_count(kept)}{where}: --strip-metadata leaves it out")


def _kept_places(report: Report) -> int:
    return sum(written.keeps_place for written in report.written)


def _guide_name(plan: StepPlan, index: int) -> str | int:
    guide = plan.guides[index]
    if isinstance(guide, int):
        return guide
    return str(dict(plan.step.options)["to"]) if index else plan.step.guide or "picture of --guide"


def _as_json(job: Job) -> dict[str, str | None]:
    beside = {"mask": job.mask, "boxes": job.boxes}
    return {"input": str(job), "output": _target(job)} | {
        name: None if path is None else str(path) for name, path in beside.items()
    }


def _failures(failures: Sequence[Failure]) -> list[dict[str, str]]:
    return [{"input": str(failure.job), "error": failure.reason} for failure in failures]


def _unread(files: Sequence[UnreadFile]) -> list[dict[str, str]]:
    return [{"input": str(file.path), "reason": file.reason} for file in files]


def not_read(files: Sequence[UnreadFile]) -> str:
    """Return a clause that counts files which are not read, or nothing where all are.

    Args:
        files: the files.
    """
    if not files:
        return ""
    from mbu_ops.images.paths import summarise_unread

    return f", {len(files)} not read: {summarise_unread(files)}"


def _target(job: Job) -> str:
    return PIPE if job.target is None else str(job.target)


def _count(jobs: Sequence[Job]) -> str:
    clips = sum(job.clip for job in jobs)
    pictures = [_number(len(jobs) - clips, "picture")] if len(jobs) > clips or not clips else []
    return " and ".join(pictures + ([_number(clips, "clip")] if clips else []))


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
