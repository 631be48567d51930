"""`protoclip visualize`: pictures of runs and models."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch

from protoclip_cli.compute.device import ComputeSpec, start
from protoclip_cli.compute.processes import fail_together, is_main, wait_for_all
from protoclip_cli.core.errors import DataError, ProtoclipError
from protoclip_cli.core.reporter import Reporter, Silent
from protoclip_cli.data.benchmarks import open_benchmark
from protoclip_cli.drawing.pictures.base import PictureSpec
from protoclip_cli.drawing.records import Records
from protoclip_cli.drawing.scene import Material, Scene
from protoclip_cli.drawing.session import Drawing, draw
from protoclip_cli.evaluation.embedder import CachedEmbedder
from protoclip_cli.evaluation.model_embedder import ModelEmbedder
from protoclip_cli.evaluation.opened import OpenedBenchmarks
from protoclip_cli.evaluation.subjects import Subject, Wanted, open_subject
from protoclip_cli.evaluation.subjects.find import existing_path
from protoclip_cli.store.run import RunFolder
from protoclip_cli.workflows.scene import Choices, add_features, add_trends, choices_of_run, needed
from protoclip_cli.workflows.wise_ft import scores_between

MAP = "tsne_map.npz"
_OF_MODEL = frozenset({Material.GALLERY, Material.ANSWERS})


@dataclass(frozen=True, slots=True, kw_only=True)
class VisualizeSettings:
    """What is drawn of what."""

    choices: Choices = field(default_factory=Choices)
    out: Path | None = None
    """A folder for the pictures. None: `figures/` in the run, or here."""
    svg: bool = False
    """Write SVG beside PNG."""
    keep_map: bool = False
    """Draw t-SNE in the map of an earlier call; keep it if there is none yet."""
    before: str | None = None
    """The model that this one was fine-tuned from: evaluate weights in between, for `wise_ft`."""
    reference: Path | None = None
    """A table with accuracies of other models, for `robustness`."""
    reference_benchmark: str = "imagenet"
    """Its column without a shift."""
    data_root: Path | None = None
    """Where the data sets of benchmarks are."""
    batch: int = 256
    """Rows encoded at a time."""


def visualize(
    runs: Sequence[str],
    pictures: Sequence[PictureSpec],
    settings: VisualizeSettings,
    *,
    ckpt: str | None = None,
    reporter: Reporter | None = None,
) -> Drawing:
    """Draw pictures of runs and of a model.

    Args:
        runs: paths or names of runs; the first is the one whose model is shown.
        pictures: which, from `drawing.pictures.PICTURES`.
        settings: what is drawn of what.
        ckpt: another model to show: a run, a checkpoint, a folder of open_clip, a file of weights.
        reporter: who is told what happens. None: nobody.

    Raises:
        DataError: there is no such run or model, or nothing could be drawn.
    """
    accelerator = start(ComputeSpec())
    reporter = reporter if reporter is not None and is_main() else Silent()
    folders = [_run(name) for name in runs]
    scene = Scene(records=[Records.read(folder.path) for folder in folders], note=reporter.note)
    wanted = needed(pictures)
    with ExitStack() as stack:
        if ckpt is not None or (wanted & _OF_MODEL) or settings.before is not None:
            subject = _model(ckpt or runs[0], scene, stack, reporter, asked=ckpt is not None)
            if subject is not None and subject.run is not None and not folders:
                folders = [subject.run]
                scene.records = [Records.read(subject.run.path)]
            if subject is not None:
                _look(subject, scene, wanted, settings, folders, accelerator.device, reporter)
    if settings.reference is not None:
        add_trends(scene, settings.reference, settings.reference_benchmark)
    out = settings.out or (folders[0].path if folders else Path()) / "figures"
    scene.kept_map = out / MAP if settings.keep_map else None
    drawing = Drawing(out, (), {})
    if is_main():
        drawing = draw(pictures, scene, out, svg=settings.svg, progress=reporter.progress)
        for kind, reason in drawing.left_out.items():
            reporter.warn(f"{kind} is left out: it {reason}")
        if not drawing.files:
            raise DataError("nothing could be drawn", hint="the notes above say why, one by one")
    wait_for_all()
    return drawing


def _run(name: str) -> RunFolder:
    folder = RunFolder(existing_path(name))
    if not folder.exists:
        raise DataError(
            f"{name} is no run: it has no recipe.yaml", hint="name a folder under runs/, or use --ckpt"
        )
    return folder


def _model(name: str, scene: Scene, stack: ExitStack, reporter: Reporter, *, asked: bool) -> Subject | None:
    """The model on all processes; None if a run that was named for its records has none."""
    subject, error = None, None
    try:
        subject = stack.enter_context(open_subject(Wanted(name), reporter.warn))
    except ProtoclipError as met:
        error = met
    try:
        fail_together(error)
    except DataError as met:
        if asked:
            raise
        scene.lacking = dict.fromkeys(_OF_MODEL, f"needs a model: {met}")
        return None
    return subject


def _look(
    subject: Subject,
    scene: Scene,
    wanted: Collection[Material],
    settings: VisualizeSettings,
    folders: Sequence[RunFolder],
    device: torch.device,
    reporter: Reporter,
) -> None:
    """Embed what the pictures show with the model."""
    choices = choices_of_run(folders[0] if folders else None, settings.choices)
    opener = partial(open_benchmark, root=settings.data_root) if settings.data_root else open_benchmark
    opened = OpenedBenchmarks(opener, reporter.warn)
    model = subject.model.to(device)
    model.prefer_channels_last()
    embedder = ModelEmbedder(
        model,
        device,
        batch=settings.batch,
        progress=lambda what, done, total: reporter.progress(f"embed {what}", done, total),
    )
    add_features(scene, wanted, CachedEmbedder(embedder), choices, opened, reporter)
    if settings.before is not None:
        rows = scores_between(settings.before, model, choices.benchmarks, opened, embedder, reporter)
        scene.records = _with_scores(scene.records, rows, settings.before)


def _with_scores(records: Sequence[Records], rows: Sequence[dict[str, object]], name: str) -> list[Records]:
    first = records[0] if records else Records(name, [], [], 1)
    return [Records(first.name, first.metrics, [*first.scores, *rows], first.batch), *records[1:]]
