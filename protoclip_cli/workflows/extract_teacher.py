"""`protoclip extract-teacher`: features of all captions, once, for training to read."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from protoclip_cli.compute.processes import collect_ragged, is_main, wait_for_all
from protoclip_cli.compute.randomness import generator
from protoclip_cli.core.errors import DataError, ResourceError, UsageError
from protoclip_cli.core.reporter import Reporter
from protoclip_cli.data.captions import Captions
from protoclip_cli.models.builders import TEXT_ENCODERS
from protoclip_cli.models.pca import Pca
from protoclip_cli.models.text_encoder import TextEncoder, TextEncoderSpec
from protoclip_cli.store.bank import ABOUT, ENCODER, FEATURES, Bank, read_about
from protoclip_cli.store.checkpoints import free_bytes
from protoclip_cli.store.files import disk_errors, flush_file, flush_folder, read_json, write_json
from protoclip_cli.workflows.raw_features import RawFeatures

_VERSION = 1
_SAMPLE = 200_000
_CHUNK = 65_536

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
        ProtoclipError: whatever stops the encoder.
    """
    work = _Work(spec, captions, out, seed, device, dtype, reporter)
    if not _is_finished(work):
        _extract(work)
    return Bank.open(out, fingerprint=captions.fingerprint, captions=len(captions))


def _is_finished(work: _Work) -> bool:
    about = read_about(work.out)
    if about is None:
        return False
    known = {name: about.get(name) for name in work.origin()}
    if known != work.origin():
        different = ", ".join(sorted(name for name, value in work.origin().items() if known[name] != value))
        raise UsageError(
            f"{work.out} holds another bank (different: {different})",
            hint="choose another folder with --out, or delete this one",
        )
    work.reporter.note(f"{work.out} is finished: {about['captions']:,} captions, width {about['dim']}")
    return True


def _extract(work: _Work) -> None:
    if is_main():
        _prepare(work)
    wait_for_all()
    encoder = _open_encoder(work)
    raw = RawFeatures(work.out / ".raw", len(work.captions), encoder.width, work.dtype)
    for chunk in raw.missing():
        texts = work.captions.slice(chunk.start, chunk.stop)
        raw.write(chunk, encoder.embed(texts))
        work.reporter.progress("captions", raw.done, len(work.captions))
    raw.close()
    counts = np.array([[encoder.truncated, encoder.unknown]])
    truncated, unknown = _summed(counts, work.device)
    if truncated:
        work.reporter.warn(f"{truncated:,} captions were longer than the teacher takes and were cut")
    if unknown:
        work.reporter.warn(
            f"{unknown:,} captions have no word that the teacher knows; their features are zero"
        )
    wait_for_all()
    if is_main():
        _finish(work, raw)
    wait_for_all()


def _summed(counts: np.ndarray[Any, Any], device: Any) -> tuple[int, int]:
    import torch

    both = collect_ragged(torch.from_numpy(counts).to(device)).sum(dim=0).tolist()
    return int(both[0]), int(both[1])


def _prepare(work: _Work) -> None:
    """Make the folder ready; work of another kind that was left in it is thrown away."""
    begun, out = work.out / ".begun.json", work.out
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file", hint="choose another folder with --out")
    if begun.is_file() and read_json(begun) != work.origin():
        work.reporter.note(f"{out} holds the beginning of another bank; starting anew")
        shutil.rmtree(out)
    elif not begun.is_file() and out.is_dir() and any(out.iterdir()):
        raise UsageError(f"{out} has files in it but is no bank", hint="choose another folder with --out")
    with disk_errors(f"making {out}"):
        out.mkdir(parents=True, exist_ok=True)
        write_json(begun, work.origin())


def _open_encoder(work: _Work) -> TextEncoder:
    """The first process fits what is fitted on the captions; all use what it saved."""
    folder = work.out / ENCODER
    if is_main() and not (folder / "spec.json").is_file():
        encoder = work.spec.open(work.captions, seed=work.seed, device=work.device)
        folder.mkdir(exist_ok=True)
        encoder.save(folder)
        write_json(folder / "spec.json", work.spec.model_dump(mode="json"))
    wait_for_all()
    encoder = work.spec.reopen(folder, device=work.device)
    if is_main():
        need = len(work.captions) * encoder.width * np.dtype(work.dtype).itemsize
        if need > (free := free_bytes(work.out)):
            raise ResourceError(
                f"the features take {need / 1e9:.1f} GB on the way, and {free / 1e9:.1f} GB are free",
                hint="make room, choose another disk with --out, or a smaller type with --dtype float16",
            )
    return encoder


def _finish(work: _Work, raw: RawFeatures) -> None:
    """Reduce the features and put the bank together; its description comes last and makes it whole."""
    encoder, found = work.out / ENCODER, raw.read()
    pca = None
    if work.spec.dim is not None and work.spec.dim < raw.width:
        sample = generator(work.seed, "pca").permutation(len(found))[:_SAMPLE]
        sample.sort()
        if work.spec.dim > len(sample):
            raise DataError(
                f"{len(sample)} captions cannot be reduced to {work.spec.dim} components",
                hint="lower the teacher's dim",
            )
        pca = Pca.fit(np.asarray(found[sample], np.float32), work.spec.dim)
        pca.save(encoder)
    dim = raw.width if pca is None else work.spec.dim
    assert dim is not None
    beside = work.out / f".{FEATURES}.tmp"
    with disk_errors(f"writing {work.out / FEATURES}"):
        shape = (len(found), dim)
        made = np.lib.format.open_memmap(beside, mode="w+", dtype=np.dtype(work.dtype), shape=shape)
        for start in range(0, len(found), _CHUNK):
            rows = np.asarray(found[start : start + _CHUNK], np.float32)
            made[start : start + _CHUNK] = rows if pca is None else pca(rows)
        made.flush()
        del made
        flush_file(beside)
        beside.replace(work.out / FEATURES)
        flush_folder(work.out)
    reduced = None if pca is None else {"from": raw.width, "fitted_on": min(len(found), _SAMPLE)}
    write_json(work.out / ABOUT, {**work.origin(), "dim": dim, "pca": reduced})
    raw.remove()
    (work.out / ".begun.json").unlink()


def open_encoder_of(bank: Path, *, device: Any) -> tuple[TextEncoder, Pca | None]:
    """What embeds other texts, such as prompts, into the space of a bank: encode, then reduce.

    Raises:
        DataError: it is not a bank.
    """
    spec = bank / ENCODER / "spec.json"
    if not spec.is_file():
        raise DataError(f"{bank} is not a bank with an encoder")
    known = read_json(spec)
    encoder = TEXT_ENCODERS.spec(known["kind"]).model_validate(known)
    return encoder.reopen(bank / ENCODER, device=device), Pca.load(bank / ENCODER)
