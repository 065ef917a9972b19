"""Where things are, and how a test runs a command."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
SPECS = sorted(p for p in (ROOT / "specs").rglob("*.yaml"))


def emissions() -> list[str]:
    """What is committed under generated/: every spec, and some variants, as `specc build` takes them."""
    variants: list[str] = []
    for path in sorted(ROOT.glob("generated/*.py")):
        stem = max((p.stem for p in SPECS if path.stem.startswith(p.stem)), key=len, default="")
        if stem and path.stem != stem:
            variants.append(f"specs/{stem}.yaml:{path.stem.removeprefix(f'{stem}_')}")
    return [f"specs/{spec.name}" for spec in SPECS] + variants


def run(*command: object, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command with the tools of this environment first on the path."""
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    settings = {**os.environ, "PATH": path, "NO_COLOR": "1", **environment}
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=settings,
        capture_output=True,
        text=True,
        check=False,
    )


def tracked(*patterns: str) -> list[Path]:
    """The files that are, or could be, part of a commit."""
    listed = run("git", "ls-files", "-co", "--exclude-standard", "--", *patterns)
    assert listed.returncode == 0, listed.stderr
    return [path for line in listed.stdout.splitlines() if (path := ROOT / line).is_file()]


def sources() -> list[Path]:
    """The Python files of the compiler and the runtime."""
    return sorted(
        [*ROOT.glob("compiler/specc/**/*.py"), *ROOT.glob("runtime/specc_runtime/**/*.py")]
    )
