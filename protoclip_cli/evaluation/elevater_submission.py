"""Files for ELEVATER's leaderboard on EvalAI.

    OUT/predictions/<experiment>/<data set>.json          zero-shot
    OUT/predictions/<experiment>/seed<k>_<data set>.json  few-shot and full-shot, one a seed
    OUT/predictions/<experiment>/all_predictions.zip      what is submitted: all of them in one JSON file

The merged file equals that of the toolkit as JSON, but for the order of data sets and seeds: there it is the
order in which the system lists the folder, here that of names and numbers.
"""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from protoclip_cli.core.errors import DataError
from protoclip_cli.evaluation.elevater_counts import ParameterCounts
from protoclip_cli.evaluation.elevater_datasets import ELEVATER, ElevaterDataset
from protoclip_cli.store.files import write_bytes, write_text

Json = dict[str, Any]
MERGED = "all_predictions"
_DECIMALS = 6
_TOLERANCE = 1e-3
_JOINED = ("rnd_seeds", "predictions")
_AVERAGED = "num_trainable_params"
_KEYS = (
    "model_name",
    "dataset_name",
    "num_trainable_params",
    "num_params",
    "num_visual_params",
    "num_backbone_params",
    "n_shot",
    "rnd_seeds",
    "predictions",
)


@dataclass(frozen=True, slots=True)
class Entry:
    """Who predicted, and how."""

    model_name: str
    counts: ParameterCounts
    n_shot: int = 0
    """0: zero-shot. -1: all of the train split."""
    seed: int = 0


def write_predictions(folder: Path, dataset: str, probabilities: NDArray[np.floating], entry: Entry) -> Path:
    """Write the predictions of one data set.

    Args:
        folder: `OUT/predictions/<experiment>`; made if it is not there.
        dataset: its name on the leaderboard.
        probabilities: (n, C), a row for each test image in the order of the test list.
        entry: who predicted.

    Returns:
        The file. One that is there is replaced.

    Raises:
        DataError: rows are no probabilities.
    """
    rows = np.asarray(probabilities, np.float64)
    _check_rows(rows, dataset)
    content = {
        "model_name": entry.model_name,
        "dataset_name": dataset,
        **asdict(entry.counts),
        "n_shot": entry.n_shot,
        "rnd_seeds": [entry.seed],
        "predictions": [np.round(rows, _DECIMALS).tolist()],
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{'' if entry.n_shot == 0 else f'seed{entry.seed}_'}{dataset}.json"
    write_text(path, json.dumps(content, allow_nan=False))
    return path


def merge(folder: Path) -> Json:
    """All prediction files of a folder as one submission.

    Files of a data set are joined seed by seed and their numbers of trained parameters averaged; all else
    must be the same in each. Files that are not `.json` are left alone.

    Raises:
        DataError: there is no file, one is broken, or two do not belong together.
    """
    found: dict[str, list[tuple[Path, Json]]] = {}
    for path in sorted(folder.glob("*.json")):
        content = _read(path)
        found.setdefault(content["dataset_name"], []).append((path, content))
    if not found:
        raise DataError(f"{folder} has no prediction files", hint="write them with --submission first")
    return {"data": [_joined(found[name]) for name in sorted(found)]}


def write_merged(folder: Path, *, complete: bool = True) -> Path:
    """Write `all_predictions.zip`, the file to submit.

    Args:
        folder: that of the prediction files.
        complete: refuse what the leaderboard would: a data set that is missing or of another size.

    Raises:
        DataError: see `merge`; or the submission is not complete.
    """
    merged = merge(folder)
    if complete:
        _check_complete(merged)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        # A fixed date: the same predictions give the same bytes.
        member = zipfile.ZipInfo(f"{MERGED}.json", (1980, 1, 1, 0, 0, 0))
        member.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(member, json.dumps(merged, allow_nan=False))
    path = folder / f"{MERGED}.zip"
    write_bytes(path, content.getvalue())
    return path


def _check_rows(rows: NDArray[np.float64], where: str) -> None:
    """Each row must be what the leaderboard takes for probabilities."""
    if rows.ndim != 2 or not rows.size:
        raise DataError(f"{where}: predictions have the shape {rows.shape}, not images x classes")
    wrong = ~((rows >= 0) & (rows <= 1)).all(axis=1) | ~(np.abs(rows.sum(axis=1) - 1) <= _TOLERANCE)
    if wrong.any():
        raise DataError(
            f"{where}: {int(wrong.sum())} of {len(rows)} rows are no probabilities, the first is row "
            f"{int(wrong.argmax())}",
            hint="numbers lie in [0, 1] and rows sum to 1 within 0.001: take the softmax of the scores",
        )


def _read(path: Path) -> Json:
    try:
        content = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise DataError(f"{path} is not JSON: {error}", hint="write the predictions again") from None
    missing = [key for key in _KEYS if not isinstance(content, dict) or key not in content]
    if missing:
        raise DataError(
            f"{path} is not a prediction file: it has no {', '.join(missing)}", hint="move it elsewhere"
        )
    if len(content["rnd_seeds"]) != len(content["predictions"]):
        raise DataError(f"{path} has {len(content['predictions'])} predictions for other seeds")
    for seed, rows in zip(content["rnd_seeds"], content["predictions"], strict=True):
        try:
            values = np.asarray(rows, np.float64)
        except (ValueError, TypeError):
            raise DataError(f"{path}, seed {seed}: rows differ in length or are no numbers") from None
        _check_rows(values, f"{path}, seed {seed}")
    return dict(content)


def _joined(files: list[tuple[Path, Json]]) -> Json:
    """The files of one data set as one."""
    first_path, first = files[0]
    for path, content in files[1:]:
        for key in content.keys() | first.keys():
            if key not in (*_JOINED, _AVERAGED) and content.get(key) != first.get(key):
                raise DataError(
                    f"{path.name} and {first_path.name} differ in {key}: "
                    f"{content.get(key)} and {first.get(key)}",
                    hint="one folder holds one experiment; move the files of another elsewhere",
                )
        if np.shape(content["predictions"][0]) != np.shape(first["predictions"][0]):
            raise DataError(f"{path.name} and {first_path.name} differ in images or classes")
    pairs = [
        pair
        for _, content in files
        for pair in zip(content["rnd_seeds"], content["predictions"], strict=True)
    ]
    seeds = [seed for seed, _ in pairs]
    if len(set(seeds)) != len(seeds):
        raise DataError(f"{first['dataset_name']} has two files of one seed", hint="remove one of them")
    pairs.sort(key=lambda pair: pair[0])
    return {
        **first,
        _AVERAGED: sum(content[_AVERAGED] for _, content in files) / len(files),
        "rnd_seeds": [seed for seed, _ in pairs],
        "predictions": [rows for _, rows in pairs],
    }


def _check_complete(merged: Json) -> None:
    found = {entry["dataset_name"]: entry for entry in merged["data"]}
    if missing := [name for name in ELEVATER if name not in found]:
        raise DataError(
            f"{len(missing)} of {len(ELEVATER)} data sets have no predictions: {', '.join(missing)}",
            hint="the leaderboard takes all of them or none",
        )
    if unknown := sorted(found.keys() - ELEVATER.keys()):
        raise DataError(f"ELEVATER has no data set {', '.join(unknown)}", hint="move its files elsewhere")
    for name, entry in found.items():
        _check_size(ELEVATER[name], np.shape(entry["predictions"][0]))


def _check_size(dataset: ElevaterDataset, shape: tuple[int, ...]) -> None:
    if shape != (dataset.images, dataset.classes):
        raise DataError(
            f"{dataset.name} has predictions of {shape[0]:,} images and {shape[1]:,} classes instead of "
            f"{dataset.images:,} and {dataset.classes:,}",
            hint="predict for the test list of ELEVATER, in its order",
        )
