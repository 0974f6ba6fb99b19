"""Build the wheels, install them into a clean environment and use them there, away from the source tree.

python tools/check_wheel.py [TORCH], where TORCH is the requirement to install first ("torch==2.13.0").

First our own wheel alone; then, beside it, the avatars', what measures, and one that `mbu-ops families new` has
written: checked, trained for a few steps on drawn pictures, built with its weights, used in a chain, and removed again.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STEPS = "50"


def run(*command: str | Path, cwd: Path, rc: int = 0) -> str:
    """Run a command, which must end with ``rc``, and return what it prints on stdout."""
    done = subprocess.run([str(part) for part in command], cwd=cwd, stdout=subprocess.PIPE, text=True)
    if done.returncode != rc:
        raise SystemExit(f"{' '.join(map(str, command))}: expected exit code {rc}, got {done.returncode}")
    return done.stdout


def build(project: Path, folder: Path) -> Path:
    """Build a project's wheel into a new folder and return its path."""
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=project)
    (wheel,) = folder.glob("*.whl")
    return wheel


class Environment:
    """A clean virtual environment in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        venv.create(folder / "clean", with_pip=True)
        self.scripts = folder / "clean" / ("Scripts" if sys.platform == "win32" else "bin")

    def pip(self, *arguments: str | Path) -> None:
        """Run pip."""
        run(self.scripts / "python", "-m", "pip", *arguments, cwd=self.folder)

    def mbu_ops(self, *arguments: str | Path, rc: int = 0) -> str:
        """Run mbu-ops and return what it prints on stdout."""
        return run(self.scripts / "mbu-ops", *arguments, cwd=self.folder, rc=rc)

    def families(self) -> list[str]:
        """Return the names of the installed families."""
        return [family["name"] for family in json.loads(self.mbu_ops("families", "list", "--json"))["families"]]


def check_ours(environment: Environment, wheel: Path, torch: str) -> None:
    """Install and run our own wheel."""
    environment.pip("install", "--quiet", torch)
    environment.pip("install", "--quiet", f"mbu-ops[train] @ {wheel.as_uri()}")
    version = environment.mbu_ops("--version").strip()
    size = wheel.stat().st_size / 2**20
    print(f"{wheel.name}, {size:.1f} MiB, installed into a clean environment: {version}, {environment.families()}")


def check_measuring(environment: Environment, wheel: Path, avatars: Path, measuring: Path) -> None:
    """Measure drawn pictures: not without the package of weights that only measure, and with it."""
    environment.pip("install", "--quiet", avatars)
    print(f"{avatars.name}, {avatars.stat().st_size / 2**20:.1f} MiB, beside it: {environment.families()}")
    few = ("--pictures", "8", "--count", "8", "--judge-steps", "1")
    command = ("eval", "--attribute", "avatars/glasses", *few, "--json")
    environment.mbu_ops(*command, rc=3)
    # in one command: so pip takes the extra's package from here, and asks no index for it
    environment.pip("install", "--quiet", f"mbu-ops[eval] @ {wheel.as_uri()}", measuring)
    figures = {figure["name"] for figure in json.loads(environment.mbu_ops(*command))["figures"]}
    if not {"remove", "kid_remove"} <= figures:
        raise SystemExit(f"expected figures of removals and distances of sets, got {', '.join(sorted(figures))}")
    print(f"{measuring.name}, {measuring.stat().st_size / 2**20:.1f} MiB, beside them: {len(figures)} figures measured")


def check_kit(environment: Environment) -> None:
    """Write a plugin, train it, publish it, use it and remove it, as a stranger would."""
    folder = environment.folder
    environment.mbu_ops("families", "draw", "avatars/glasses", "--count", "64", "--out", "pictures")

    environment.mbu_ops("families", "new", "party", "--attribute", "glasses")
    project = folder / "mbu-ops-party"
    environment.pip("install", "--quiet", build(project, folder / "without_weights"))
    print(f"generated plugin installed: {environment.families()}")
    print(environment.mbu_ops("families", "check", "party"), end="")

    sets = ("--with", "pictures/with", "--without", "pictures/without", "--attribute", "party/glasses")
    package = project / "mbu_ops_party"
    shown = environment.mbu_ops(
        "train", *sets, "--steps", STEPS, "--batch-size", "4", "--out", "run", "--family-out", package, "--quiet"
    )
    print(f"trained for {STEPS} steps: {Path(shown.split()[-1]).name}")
    environment.pip("install", "--quiet", "--force-reinstall", "--no-deps", build(project, folder / "with_weights"))
    print(environment.mbu_ops("families", "check", "party"), end="")
    chain = ("chain", "remove:party/glasses", "add:party/glasses", "-i", "pictures/with", "-o")
    environment.mbu_ops(*chain, "results")
    print(f"chain with its own weights: {len(list((folder / 'results').rglob('*.png')))} pictures written")

    environment.pip("uninstall", "--quiet", "--yes", "mbu-ops-party")
    environment.mbu_ops(*chain, "no-results", rc=2)
    print(f"removed again, and chain says so: {environment.families()}")


def main() -> int:
    """Build, install, run; ends with an error where one of them fails."""
    torch = sys.argv[1] if len(sys.argv) > 1 else "torch==2.13.0"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = Environment(folder)
        wheel = build(ROOT, folder / "ours")
        check_ours(environment, wheel, torch)
        avatars = build(ROOT / "plugins" / "avatars", folder / "avatars")
        check_measuring(environment, wheel, avatars, build(ROOT / "checkpoints" / "measuring", folder / "measuring"))
        check_kit(environment)
    return 0


if __name__ == "__main__":
    sys.exit(main())
