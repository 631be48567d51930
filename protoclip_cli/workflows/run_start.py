"""How a run folder begins: fresh, continued, or refused."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from protoclip_cli.compute.main_process import on_main
from protoclip_cli.compute.processes import world
from protoclip_cli.core.errors import UsageError
from protoclip_cli.recipe.load import difference, load_recipe, save_recipe
from protoclip_cli.recipe.train import TrainRecipe
from protoclip_cli.store.checkpoints import Checkpoint, last_good
from protoclip_cli.store.files import digest_file, read_json, write_json, write_text
from protoclip_cli.store.run import RunFolder

_PACKAGES = ("protoclip", "torch", "torchvision", "open_clip_torch", "accelerate", "numpy", "pillow")
_CODE_BYTES = 20 * 2**20


def begin(
    folder: RunFolder, recipe: TrainRecipe, *, resume: bool, allow_change: bool, note: Callable[[str], None]
) -> Checkpoint | None:
    """Make or open a run folder. The first process does it; all get its answer or its error.

    Returns:
        The checkpoint to continue from, or None to start.

    Raises:
        UsageError: there is a run already, or its recipe differs.
        DataError: it cannot be continued.
    """

    def work() -> str | None:
        found = _begin(folder, recipe, resume=resume, allow_change=allow_change, note=note)
        return None if found is None else found.path.name

    name = on_main(work)
    return None if name is None else Checkpoint(folder.checkpoints / name)


def _begin(
    folder: RunFolder, recipe: TrainRecipe, *, resume: bool, allow_change: bool, note: Callable[[str], None]
) -> Checkpoint | None:
    folder.create()
    if not folder.exists or _failed_at_its_start(folder):
        save_recipe(recipe, folder.recipe)
        return None
    if not resume:
        raise UsageError(
            f"{folder.path} already holds a run ({_where(folder)})",
            hint="continue it with --resume, or choose another folder with --run",
        )
    before = load_recipe(folder.recipe, TrainRecipe)
    changes = difference(before.resolved(), recipe.resolved())
    if changes and not allow_change:
        listed = "\n".join(f"  {change}" for change in changes)
        raise UsageError(
            f"the recipe of {folder.path} is another one\n{listed}",
            hint="continue with the recipe in the run folder, or add --allow-recipe-change",
        )
    if changes:
        folder.add_event("recipe_changed", changes=changes)
        save_recipe(recipe, folder.recipe)
    return last_good(folder.checkpoints, note)


def _failed_at_its_start(folder: RunFolder) -> bool:
    """Whether a mistake in recipe or data ended the run before its first step: there is nothing to keep."""
    started = folder.metrics.is_file() or last_good(folder.checkpoints, lambda _: None) is not None
    return folder.read_status().get("state") == "failed" and not started


def _where(folder: RunFolder) -> str:
    status = folder.read_status()
    return f"{status.get('state', 'unknown')}, step {status.get('step', 0)} of {status.get('steps', '?')}"


def data_of(recipe: TrainRecipe, pairs: str) -> dict[str, Any]:
    """What a run learns from, by content, for `run.json`.

    Args:
        recipe: the recipe.
        pairs: the fingerprint of its pairs.
    """
    files = [path for policy in recipe.views.text_policies for path in policy.files()]
    return {"pairs": pairs, "view_files": {str(path): digest_file(path.expanduser()) for path in files}}


def check_data(folder: RunFolder, data: Mapping[str, Any], note: Callable[[str], None]) -> None:
    """Tell when a run goes on with other pairs, or other files of its views, than it began with."""
    path = folder.path / "run.json"
    known = read_json(path) if path.is_file() else {}
    if known.get("pairs") not in {None, data["pairs"]}:
        note("the pairs have changed since this run began; it goes on with the new ones")
    before = known.get("view_files", {})
    for file, digest in data["view_files"].items():
        if before.get(file) not in {None, digest}:
            note(f"{file} has changed since this run began; it goes on with the new one")


def write_origin(folder: RunFolder, argv: Sequence[str], data: Mapping[str, Any], device: str) -> None:
    """Write `run.json`: what this run came from."""
    write_json(
        folder.path / "run.json",
        {
            "argv": list(argv),
            "versions": {"python": platform.python_version()} | {name: _version(name) for name in _PACKAGES},
            "platform": platform.platform(),
            "device": device,
            "processes": world(),
            "git": _git("rev-parse", "HEAD"),
            **data,
        },
    )


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _git(*arguments: str) -> str | None:
    """What git says about the working directory, or None where there is no git or no repository."""
    if shutil.which("git") is None:
        return None
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def snapshot_code(folder: RunFolder) -> None:
    """Keep the working directory's code: its commit and the difference to it, else a copy of its sources."""
    code = folder.path / "code"
    code.mkdir(exist_ok=True)
    commit = _git("rev-parse", "HEAD")
    if commit is not None:
        write_text(code / "commit.txt", commit + "\n")
        write_text(code / "difference.patch", (_git("diff", "HEAD", "--binary") or "") + "\n")
        write_text(code / "untracked.txt", (_git("ls-files", "--others", "--exclude-standard") or "") + "\n")
        return
    here, room = Path.cwd(), _CODE_BYTES
    for path in sorted(here.rglob("*.py")) + sorted(here.rglob("*.yaml")):
        relative = path.relative_to(here)
        hidden = any(part.startswith(".") or part in {"runs", "site-packages"} for part in relative.parts)
        if (
            hidden
            or folder.path.resolve() in path.resolve().parents
            or (room := room - path.stat().st_size) < 0
        ):
            continue
        (code / relative).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, code / relative)


def command_line() -> list[str]:
    """How this process was started."""
    return list(sys.argv)
