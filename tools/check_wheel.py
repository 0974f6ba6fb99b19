"""Build the wheel, install it into a clean environment and run it there, away from the source tree.

python tools/check_wheel.py [TORCH], where TORCH is the requirement to install first ("torch==2.13.0").
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command and return what it prints on stdout."""
    return subprocess.run(
        [str(part) for part in command], cwd=cwd, check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def build(folder: Path) -> Path:
    """Build the wheel into a folder and return its path."""
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=ROOT)
    (wheel,) = folder.glob("*.whl")
    return wheel


def main() -> int:
    """Build, install, run; raises where one of them fails."""
    torch = sys.argv[1] if len(sys.argv) > 1 else "torch==2.13.0"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wheel = build(folder / "dist")
        venv.create(folder / "clean", with_pip=True)
        scripts = folder / "clean" / ("Scripts" if sys.platform == "win32" else "bin")
        pip = (scripts / "python", "-m", "pip", "install", "--quiet")
        run(*pip, torch, cwd=folder)
        run(*pip, wheel, cwd=folder)
        version = run(scripts / "mbu-ops", "--version", cwd=folder).strip()
        families = json.loads(run(scripts / "mbu-ops", "families", "list", "--json", cwd=folder))
        print(f"{wheel.name}, {wheel.stat().st_size / 2**20:.1f} MiB, installed into a clean environment: {version}")
        print(json.dumps(families, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
