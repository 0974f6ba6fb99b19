"""What the chain command says: its plan and its summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from mbu_ops.ops.chain import ChainSpec
from mbu_ops_cli.jobs import PIPE, Job, JobList, Summary
from mbu_ops_cli.options import echo_json

if TYPE_CHECKING:
    from mbu_ops.ops.plan import StepPlan

SHOWN = 20
"""Most pictures that are listed one by one; --json lists all."""


def show_plan(plans: Sequence[StepPlan], jobs: JobList, demo: bool, as_json: bool) -> None:
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
                "todo": [_as_json(job) for job in jobs.todo],
                "skipped": [_as_json(job) for job in jobs.skipped],
            }
        )
        return
    for number, plan in enumerate(plans, 1):
        guides = ", ".join(str(_guide_name(plan, index)) for index in range(len(plan.guides)))
        click.echo(
            f"step {number}: {plan.step}  ({plan.info.method}, {plan.path}{'; guide ' + guides if guides else ''})"
        )
    for job in jobs.todo[:SHOWN]:
        click.echo(f"{job} -> {_target(job)}")
    if len(jobs.todo) > SHOWN:
        click.echo(f"... and {len(jobs.todo) - SHOWN} more")
    what = "the demo picture" if demo else f"{_count(len(jobs.todo))} to edit, {len(jobs.skipped)} skipped"
    click.echo(f"{what}; nothing was done (--dry-run)")


def show_summary(spec: ChainSpec, summary: Summary, skipped: Sequence[Job], seconds: float, as_json: bool) -> None:
    """Say what was done: as JSON on stdout, or in words on stderr."""
    if as_json:
        echo_json(
            {
                "chain": str(spec),
                "written": [_as_json(job) for job in summary.written],
                "skipped": [_as_json(job) for job in skipped],
                "unchanged": [{"input": str(job), "step": step} for step, job in summary.idle],
                "failed": [{"input": str(job), "error": reason} for job, reason in summary.failed],
                "seconds": round(seconds, 3),
            }
        )
        return
    for job, reason in summary.failed[:SHOWN]:
        click.echo(f"failed: {reason if str(job) in reason else f'{job}: {reason}'}", err=True)
    if len(summary.failed) > SHOWN:
        click.echo(f"... and {len(summary.failed) - SHOWN} more failed; --json lists them all", err=True)
    for step, count in Counter(step for step, _ in summary.idle).items():
        click.echo(f"{step}: nothing to do in {_count(count)}, left unchanged (presence=0 edits all)", err=True)
    parts = [f"{_count(len(summary.written))} written"]
    if skipped:
        parts.append(f"{len(skipped)} skipped (results exist)")
    if summary.failed:
        parts.append(f"{len(summary.failed)} failed")
    click.echo(f"{', '.join(parts)} in {seconds:.1f} s", err=True)


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


def _target(job: Job) -> str:
    return PIPE if job.target is None else str(job.target)


def _count(number: int) -> str:
    return f"{number} picture{'' if number == 1 else 's'}"
