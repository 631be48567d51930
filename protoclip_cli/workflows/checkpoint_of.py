"""Which model a user means: a run, a checkpoint, or a folder of open_clip."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from protoclip_cli.core.errors import DataError
from protoclip_cli.core.reporter import Reporter
from protoclip_cli.models.builders import BUILDERS
from protoclip_cli.models.dual_encoder import DualEncoder
from protoclip_cli.models.saved import DESCRIPTION, load_model
from protoclip_cli.store.checkpoints import Checkpoint, last_good
from protoclip_cli.store.run import RunFolder


@dataclass(frozen=True, slots=True)
class Found:
    """A model, and where in which run it comes from, if from one."""

    model: DualEncoder
    run: RunFolder | None = None
    episode: int | None = None
    step: int | None = None


def find_model(name: str, reporter: Reporter) -> Found:
    """Load the model a user names.

    Args:
        name: a run folder or its name below runs/, a checkpoint folder, or a folder open_clip can load.
        reporter: is told of damaged checkpoints.

    Raises:
        DataError: nothing there is a model.
    """
    path = Path(name)
    if not path.exists() and (Path("runs") / name).is_dir():
        path = Path("runs") / name
    if not path.is_dir():
        raise DataError(f"there is no folder {name}", hint=_nearest(name))
    if RunFolder(path).exists:
        return _from_run(RunFolder(path), reporter)
    if (path / DESCRIPTION).is_file():
        return _from_checkpoint(Checkpoint(path))
    if (path / "open_clip_config.json").is_file():
        towers = (
            BUILDERS.spec("open_clip")
            .model_validate({"kind": "open_clip", "name": f"local-dir:{path}"})
            .build()
        )
        return Found(DualEncoder(towers, {}))
    raise DataError(
        f"{path} is neither a run (no recipe.yaml), a checkpoint (no {DESCRIPTION}) nor a folder of "
        "open_clip (no open_clip_config.json)",
        hint="name a folder under runs/, or one of its checkpoints/",
    )


def _from_run(run: RunFolder, reporter: Reporter) -> Found:
    checkpoint = last_good(run.checkpoints, reporter.warn)
    if checkpoint is None:
        raise DataError(f"{run.path} has no checkpoint yet", hint="train it further, with --resume")
    return _from_checkpoint(checkpoint)


def _from_checkpoint(checkpoint: Checkpoint) -> Found:
    checkpoint.check()
    state, run = checkpoint.state(), RunFolder(checkpoint.path.resolve().parents[1])
    model = load_model(checkpoint.path)
    return Found(model, run if run.exists else None, state.get("episode"), state.get("step"))


def _nearest(name: str) -> str:
    runs = (
        sorted(path.name for path in Path("runs").iterdir() if path.is_dir()) if Path("runs").is_dir() else []
    )
    if close := get_close_matches(Path(name).name, runs, n=1):
        return f"did you mean runs/{close[0]}?"
    return f"runs here: {', '.join(runs[-5:])}" if runs else "there are no runs in this directory"
