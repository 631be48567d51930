"""Which kind of thing a user means."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

from protoclip_cli.core.errors import DataError, UsageError
from protoclip_cli.evaluation.subjects.base import Note, Subject, Wanted
from protoclip_cli.evaluation.subjects.between import between
from protoclip_cli.evaluation.subjects.checkpoint import is_checkpoint, open_checkpoint
from protoclip_cli.evaluation.subjects.image_encoder import is_image_encoder, open_image_encoder
from protoclip_cli.evaluation.subjects.open_clip_folder import is_open_clip_folder, open_open_clip_folder
from protoclip_cli.evaluation.subjects.open_clip_model import open_open_clip_model
from protoclip_cli.evaluation.subjects.run import checkpoint_of
from protoclip_cli.evaluation.subjects.weights_file import open_weights_file
from protoclip_cli.models.saved import DESCRIPTION
from protoclip_cli.store.run import RunFolder


def locate(wanted: Wanted, note: Note) -> Wanted:
    """Say more precisely what a user means: of a run, which checkpoint.

    Args:
        wanted: its path or name.
        note: is told of damaged checkpoints.

    Raises:
        DataError: there is nothing of this name, or a run without such a checkpoint.
        UsageError: only runs have episodes.
    """
    if wanted.path is None:
        return wanted
    path = existing_path(wanted.path)
    if RunFolder(path).exists:
        path = checkpoint_of(RunFolder(path), wanted.episode, note).path
    elif wanted.episode is not None:
        raise UsageError(f"{path} is no run, and has no episodes", hint="leave --episode out")
    return replace(wanted, path=str(path.resolve() if is_checkpoint(path) else path), episode=None)


@contextmanager
def open_subject(wanted: Wanted, note: Note) -> Iterator[Subject]:
    """Load the model a user names. While it is open, nobody prunes its checkpoint.

    Args:
        wanted: its path or name.
        note: is told of damaged checkpoints, and of what else the user should know.

    Raises:
        DataError: nothing there is a model, or it is damaged.
        RecipeError: there is no such architecture or tag.
        UsageError: it takes more, or less, to name this model.
    """
    wanted = locate(wanted, note)
    if wanted.before is not None:
        after, before = replace(wanted, before=None), Wanted(wanted.before, model=wanted.model)
        with open_subject(after, note) as new, open_subject(before, note) as old:
            yield between(old, new, wanted.alpha)
        return
    if wanted.path is None:
        yield _named(wanted, note)
        return
    path = Path(wanted.path)
    if wanted.weights != "last" and not is_checkpoint(path):
        raise UsageError(f"{path} has no average of weights", hint="only runs have; leave --weights out")
    if path.is_file():
        yield open_weights_file(path, wanted.model, note)
    elif is_checkpoint(path):
        with open_checkpoint(path, wanted.weights) as subject:
            yield subject
    elif is_open_clip_folder(path):
        yield open_open_clip_folder(path)
    else:
        raise DataError(
            f"{path} is neither a run (no recipe.yaml), a checkpoint (no {DESCRIPTION}) nor a folder of "
            "open_clip (no open_clip_config.json)",
            hint="name a folder under runs/, or one of its checkpoints/",
        )


def _named(wanted: Wanted, note: Note) -> Subject:
    if wanted.model is None:
        raise UsageError("no model is named", hint="use --ckpt PATH, or --model NAME --pretrained TAG")
    if is_image_encoder(wanted.model):
        return open_image_encoder(wanted.model, wanted.pretrained, note)
    return open_open_clip_model(wanted.model, wanted.pretrained, note)


def existing_path(name: str) -> Path:
    """The path itself, or the run of that name.

    Raises:
        DataError: there is neither.
    """
    path = Path(name)
    if not path.exists() and (Path("runs") / name).is_dir():
        path = Path("runs") / name
    if not path.exists():
        raise DataError(f"there is no folder or file {name}", hint=_nearest(name))
    return path


def _nearest(name: str) -> str:
    runs = (
        sorted(path.name for path in Path("runs").iterdir() if path.is_dir()) if Path("runs").is_dir() else []
    )
    if close := get_close_matches(Path(name).name, runs, n=1):
        return f"did you mean runs/{close[0]}?"
    return f"runs here: {', '.join(runs[-5:])}" if runs else "there are no runs in this directory"
