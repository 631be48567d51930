"""`protoclip export`: a trained model in the format of another tool."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from protoclip_cli import __version__
from protoclip_cli.core.errors import UsageError
from protoclip_cli.core.reporter import Reporter, Silent
from protoclip_cli.core.types import Modality
from protoclip_cli.evaluation.subjects import Subject, Wanted, open_subject
from protoclip_cli.models.dual_encoder import DualEncoder
from protoclip_cli.models.saved import weights_of
from protoclip_cli.sharing.export import EXPORTS, ExportSpec
from protoclip_cli.sharing.exported_folder import MARK, check_place, exported_folder
from protoclip_cli.sharing.hub import check_hub, push
from protoclip_cli.sharing.model_card import Facts, model_card
from protoclip_cli.sharing.same_features import TOLERANCE, Difference, compare
from protoclip_cli.store.checkpoints import tensors_hash
from protoclip_cli.store.files import read_json, write_json, write_text
from protoclip_cli.store.run import RunFolder
from protoclip_cli.workflows.scores_of_run import read_scores_of


@dataclass(frozen=True, slots=True)
class Exported:
    """What was made."""

    out: Path
    to: str
    files: tuple[str, ...]
    difference: Difference | None
    """None: it was not checked."""
    url: str | None
    """Where it was pushed."""


@dataclass(frozen=True, slots=True)
class Hub:
    """Where to push to."""

    repo: str
    private: bool = False
    api: Any = None
    """A `huggingface_hub.HfApi`; None: the usual one."""


def export(
    ckpt: str | Wanted,
    to: str,
    out: Path,
    *,
    force: bool = False,
    check: bool = True,
    hub: Hub | None = None,
    reporter: Reporter | None = None,
) -> Exported:
    """Write a model in another format, with a model card, and compare its features with ours.

    Args:
        ckpt: a run, a checkpoint, a folder of open_clip, or a file of weights.
        to: a kind of `sharing.export`.
        out: the folder to make.
        force: replace what was exported there before.
        check: read the model back with the library the format is for, and refuse other features.
        hub: also push it there.
        reporter: who is told what happens. None: nobody.

    Raises:
        UsageError: the model cannot be had in that format; the hint names those that work.
        MissingExtra: the format's library is not installed.
        ProtoclipError: there is no such model, or the folder cannot be written.
    """
    reporter = reporter or Silent()
    spec = _spec(to)
    spec.require()
    check_place(out, force=force)
    if hub is not None:
        check_hub(hub.repo)
    wanted = Wanted(ckpt) if isinstance(ckpt, str) else ckpt
    with open_subject(wanted, reporter.warn) as found:
        origin = _origin(found, wanted, to)
        model = found.model.eval()
    adapted = ", ".join(f"{side.value} {one.kind}" for side, one in model.adapter_specs.items())
    if model.merge_adapters():
        reporter.note(f"adapters are merged into the plain weights: {adapted}")
    if why := spec.refusal(model):
        raise UsageError(f"{wanted.name} cannot be exported to {to}: {why}", hint=_advice(model))
    with exported_folder(out, force=force) as folder:
        notes = spec.write(model, folder)
        difference = compare(model, spec.read(model, folder)) if check else None
        for note in notes:
            reporter.note(note)
        facts = _facts(found, wanted, spec, hub.repo if hub else str(out), origin["model_hash"])
        card = model_card(replace(facts, notes=notes, difference=_words(difference)))
        write_text(folder / "README.md", card)
        origin |= {"difference": None if difference is None else asdict(difference)}
        write_json(folder / MARK, origin)
        files = tuple(sorted(path.name for path in folder.iterdir()))
    url = push(out, hub.repo, private=hub.private, api=hub.api) if hub else None
    return Exported(out, to, files, difference, url)


def formats(ckpt: str | Wanted, reporter: Reporter | None = None) -> dict[str, str | None]:
    """Which formats can hold a model: why not, by kind; None where it can."""
    wanted = Wanted(ckpt) if isinstance(ckpt, str) else ckpt
    with open_subject(wanted, (reporter or Silent()).warn) as found:
        model = found.model.eval()
    try:
        model.merge_adapters()
    except UsageError as error:
        return dict.fromkeys(EXPORTS.kinds(), str(error))
    return _refusals(model)


def _spec(kind: str) -> ExportSpec:
    try:
        return EXPORTS.spec(kind).model_validate({"kind": kind})
    except ValueError as error:
        raise UsageError(f"--to {kind}: {error}", hint=f"formats: {', '.join(EXPORTS.kinds())}") from None


def _refusals(model: DualEncoder) -> dict[str, str | None]:
    return {kind: _spec(kind).refusal(model) for kind in EXPORTS.kinds()}


def _advice(model: DualEncoder) -> str:
    return f"formats that work: {', '.join(kind for kind, why in _refusals(model).items() if why is None)}"


def _words(difference: Difference | None) -> str:
    if difference is None:
        return "The exported model was not compared with the trained one."
    sides = "Images" if difference.text is None else "Images and texts"
    return (
        f"{sides} have the features of the trained model: those of unit length differ by at most "
        f"{TOLERANCE:.0e} in any coordinate, in float32 on a CPU."
    )


def _facts(found: Subject, wanted: Wanted, spec: ExportSpec, place: str, model_hash: str) -> Facts:
    """What the card says, but for what was found out while exporting."""
    model = found.model
    counts = dict.fromkeys(Modality, 0)
    for name, parameter in model.named_parameters():
        counts[model.modality_of(name)] += parameter.numel()
    preprocess = model.towers.preprocess
    about = {
        "images": f"{preprocess.size} x {preprocess.size} pixels, {preprocess.interpolation}, "
        f"{preprocess.resize_mode}, mean {preprocess.mean}, deviation {preprocess.std}",
        "texts": f"up to {model.towers.tokenizer.context_length} tokens",
        "features": f"{model.towers.width} numbers; divide by their length before comparing",
        "parameters": ", ".join(f"{side.value} {count:,}" for side, count in counts.items()),
    }
    facts = Facts(Path(wanted.name).name, spec.library, spec.usage(place), description=about)
    return facts if found.run is None else _facts_of_run(facts, found, found.run, model_hash)


def _facts_of_run(facts: Facts, found: Subject, run: RunFolder, model_hash: str) -> Facts:
    recipe = run.recipe.read_text(encoding="utf-8")
    tree: Mapping[str, Any] = yaml.safe_load(recipe)
    origin = read_json(run.path / "run.json") if (run.path / "run.json").is_file() else {}
    batch = (tree.get("batch") or {}).get("size")
    data = {
        "pairs": yaml.safe_dump(tree.get("pairs"), default_flow_style=True, width=10_000).strip(),
        "fingerprint": origin.get("pairs"),
        "pairs seen": f"{found.step * batch:,}" if found.step and batch else None,
    }
    environment = dict(origin.get("versions") or {}) | {
        key: origin.get(key) for key in ("platform", "device", "processes", "git")
    }
    return replace(
        facts,
        title=str(tree.get("name") or run.path.name),
        recipe=recipe,
        data={key: value for key, value in data.items() if value is not None},
        scores=[score.row() for score in read_scores_of(run) if score.model_hash == model_hash],
        environment={key: value for key, value in environment.items() if value is not None},
    )


def _origin(found: Subject, wanted: Wanted, to: str) -> dict[str, Any]:
    return {
        "version": 1,
        "to": to,
        "protoclip": __version__,
        "model": wanted.name,
        "model_hash": tensors_hash(weights_of(found.model)),
        "episode": found.episode,
        "step": found.step,
    }
