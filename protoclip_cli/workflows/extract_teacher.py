"""`protoclip extract-teacher`: features of all captions, once, for training to read."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from protoclip_cli.compute.main_process import on_main
from protoclip_cli.compute.processes import wait_for_all
from protoclip_cli.compute.randomness import generator
from protoclip_cli.compute.stop import StopFlag
from protoclip_cli.core.errors import DataError, Interrupted, ResourceError, Stopped, UsageError
from protoclip_cli.core.reporter import Reporter, Silent
from protoclip_cli.data.captions import Captions
from protoclip_cli.models.bank_encoder import BankEncoder, is_saved, open_encoder, save_encoder
from protoclip_cli.models.pca import Pca
from protoclip_cli.models.text_encoder import TextEncoder, TextEncoderSpec
from protoclip_cli.store.bank import ABOUT, ENCODER, FEATURES, Bank, read_about, write_features
from protoclip_cli.store.checkpoints import free_bytes
from protoclip_cli.store.files import disk_errors, read_json, write_json
from protoclip_cli.workflows.raw_features import RawFeatures

_VERSION = 1
_SAMPLE = 200_000
_CHUNK = 65_536
_BEGUN, _RAW = "begun.json", ".raw"

Dtype = Literal["float16", "float32"]


@dataclass(frozen=True, slots=True)
class _Work:
    """A bank in the making."""

    spec: TextEncoderSpec
    captions: Captions
    out: Path
    seed: int
    device: Any
    dtype: Dtype
    reporter: Reporter

    def origin(self) -> dict[str, Any]:
        """What must be the same for work to be continued."""
        return {
            "version": _VERSION,
            "pairs": self.captions.fingerprint,
            "captions": len(self.captions),
            "teacher": self.spec.model_dump(mode="json"),
            "seed": self.seed,
            "dtype": self.dtype,
        }


def extract_teacher(
    spec: TextEncoderSpec,
    captions: Captions,
    out: Path,
    *,
    seed: int,
    device: Any,
    reporter: Reporter,
    dtype: Dtype = "float32",
) -> Bank:
    """Make a bank, or continue one, or open it if it is finished. Collective.

    The result is the same for any number of processes, and after any number of stops.

    Args:
        spec: of the encoder.
        captions: of the pairs.
        out: the folder of the bank.
        seed: of what is left to chance.
        device: where to encode.
        reporter: who is told.
        dtype: of the features on disk.

    Raises:
        UsageError: the folder holds something else.
        Stopped: a signal asked for it; calling again goes on from there.
        ProtoclipError: whatever stops the encoder.
    """
    work = _Work(spec, captions, out, seed, device, dtype, reporter)
    if not on_main(lambda: _is_finished(work)):
        _extract(work)
    return Bank.open(out, fingerprint=captions.fingerprint, captions=len(captions))


def state_of(spec: TextEncoderSpec, captions: Captions, out: Path, *, seed: int, dtype: Dtype) -> str:
    """What extracting would find in a folder: `new`, `begun`, `begun by another` or `finished`.

    Raises:
        UsageError: the folder holds something else.
    """
    about, origin = read_about(out), _Work(spec, captions, out, seed, None, dtype, Silent()).origin()
    if about is not None:
        _refuse_another(out, about, origin)
        return "finished"
    _refuse_strangers(out)
    if not (out / _BEGUN).is_file():
        return "new"
    return "begun" if read_json(out / _BEGUN) == origin else "begun by another"


def _is_finished(work: _Work) -> bool:
    about = read_about(work.out)
    if about is None:
        return False
    _refuse_another(work.out, about, work.origin())
    _clear(work.out, _RAW, _BEGUN)
    work.reporter.note(
        f"{work.out} is finished: {about['captions']:,} captions, width {about['dim']}; nothing to do"
    )
    return True


def _refuse_another(out: Path, about: dict[str, Any], origin: dict[str, Any]) -> None:
    if different := [name for name, value in origin.items() if about.get(name) != value]:
        raise UsageError(
            f"{out} holds another bank (different: {', '.join(different)})",
            hint="delete it, or choose another folder",
        )


def _refuse_strangers(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file", hint="choose another folder")
    if not out.is_dir() or (out / _BEGUN).is_file():
        return
    if any(path.name != f".{_BEGUN}.tmp" for path in out.iterdir()):
        raise UsageError(f"{out} has files in it but is no bank", hint="choose another folder")


def _prepare(work: _Work) -> None:
    """Make the folder ready; what is left of other work is thrown away."""
    _refuse_strangers(work.out)
    begun = work.out / _BEGUN
    with disk_errors(f"making {work.out}"):
        if begun.is_file() and read_json(begun) != work.origin():
            if (work.out / _RAW).is_dir():
                work.reporter.note(f"{work.out} holds the beginning of another bank; starting anew")
            _clear(work.out, _RAW, ENCODER, FEATURES)
        work.out.mkdir(parents=True, exist_ok=True)
        write_json(begun, work.origin())


def _clear(out: Path, *names: str) -> None:
    for path in (out / name for name in names):
        if path.is_dir():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)


def _extract(work: _Work) -> None:
    on_main(lambda: _prepare(work))
    encoder = _open_encoder(work)
    raw = RawFeatures(work.out / _RAW, len(work.captions), encoder.encoder.width, work.dtype)
    with StopFlag() as stop:
        for chunk in raw.rounds():
            _stop_if_asked(stop, work.out)
            if chunk is not None:
                _encode(work, encoder, raw, chunk)
    wait_for_all()
    on_main(lambda: _finish(work, raw))


def _encode(work: _Work, encoder: BankEncoder, raw: RawFeatures, chunk: range) -> None:
    teacher = encoder.encoder
    teacher.truncated = teacher.unknown = 0
    features = encoder.raw(work.captions.slice(chunk.start, chunk.stop))
    raw.write(chunk, features, truncated=teacher.truncated, unknown=teacher.unknown)
    work.reporter.progress("captions", raw.done, raw.rows)


def _stop_if_asked(stop: StopFlag, out: Path) -> None:
    if number := stop.poll():
        kind = Interrupted if number == signal.SIGINT else Stopped
        raise kind(f"stopped while making {out}", hint="the same command continues it (train: with --resume)")


def _open_encoder(work: _Work) -> BankEncoder:
    """The first process fits what is fitted on the captions; all use what it saved."""
    folder = work.out / ENCODER

    made: list[TextEncoder] = []

    def fit() -> None:
        if not is_saved(folder):
            made.append(work.spec.open(work.captions, seed=work.seed, device=work.device))
            save_encoder(folder, work.spec, made[0])

    model = getattr(work.spec, "name", None) or getattr(work.spec, "path", "")
    work.reporter.note(f"teacher: {work.spec.kind} {model}".rstrip())
    on_main(fit)
    encoder = BankEncoder(made[0], work.spec.normalize) if made else open_encoder(folder, device=work.device)
    on_main(lambda: _check_room(work, encoder.encoder.width))
    return encoder


def _check_room(work: _Work, width: int) -> None:
    need, free = raw_bytes(len(work.captions), width, work.dtype), free_bytes(work.out)
    if need > free and not (work.out / _RAW).is_dir():
        raise ResourceError(
            f"features of {len(work.captions):,} captions take {need / 1e9:.1f} GB on the way, and "
            f"{free / 1e9:.1f} GB are free",
            hint="make room, choose another disk with --out, or a smaller type with --dtype float16",
        )


def raw_bytes(captions: int, width: int, dtype: Dtype) -> int:
    """What features take on disk before they are reduced."""
    return captions * width * np.dtype(dtype).itemsize


def _finish(work: _Work, raw: RawFeatures) -> None:
    """Reduce the features and put the bank together; its description comes last and makes it whole."""
    found, counts = raw.read(), {name: raw.counted(name) for name in ("truncated", "unknown")}
    if counts["truncated"]:
        work.reporter.warn(f"{counts['truncated']:,} captions are longer than the teacher takes and were cut")
    if counts["unknown"]:
        work.reporter.warn(
            f"{counts['unknown']:,} captions have no word that the teacher knows; their features are zero"
        )
    pca = _components(work, found)
    dim = raw.width if pca is None else len(pca.components)

    def reduced() -> Iterator[NDArray[np.float32]]:
        for start in range(0, len(found), _CHUNK):
            rows = np.asarray(found[start : start + _CHUNK], np.float32)
            yield rows if pca is None else pca(rows)

    write_features(work.out, (len(found), dim), work.dtype, reduced())
    about = None if pca is None else {"from": raw.width, "fitted_on": min(len(found), _SAMPLE)}
    write_json(work.out / ABOUT, {**work.origin(), "dim": dim, "pca": about, **counts})
    raw.remove()
    _clear(work.out, _BEGUN)


def _components(work: _Work, found: NDArray[Any]) -> Pca | None:
    """Principal components of a sample, saved with the encoder; none where it is narrow already."""
    dim, width = work.spec.dim, found.shape[1]
    if dim is None or dim >= width:
        if dim is not None and dim > width:
            work.reporter.note(f"the teacher's features have width {width} only and stay as they are")
        return None
    rows = np.sort(generator(work.seed, "pca").permutation(len(found))[:_SAMPLE])
    if dim > len(rows):
        raise DataError(
            f"{len(rows)} captions cannot be reduced to {dim} components", hint="lower the teacher's dim"
        )
    work.reporter.note(f"finding {dim} components of {width} in {len(rows):,} captions")
    pca = Pca.fit(found, rows, dim)
    pca.save(work.out / ENCODER)
    return pca
