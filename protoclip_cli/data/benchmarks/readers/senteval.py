"""Sentence similarity in the folders of SentEval, as SimCSE packs them.

    path/STS/STS12-en-test/STS.input.MSRpar.txt    two sentences a line, with a tab between
    path/STS/STS12-en-test/STS.gs.MSRpar.txt       the score of each line; an empty one was not judged
    path/STS/STSBenchmark/sts-test.csv             tabs; the score is the 5th field, the sentences follow
    path/SICK/SICK_test_annotated.txt              tabs and a header; number, two sentences, score

Conneau and Kiela, SentEval: An Evaluation Toolkit for Universal Sentence Representations, 2018.
https://arxiv.org/abs/1803.05449
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.benchmarks.base import Benchmark
from protoclip_cli.data.benchmarks.readers.base import ReaderSpec
from protoclip_cli.data.benchmarks.text_files import LeftOut, number_in, numbered_lines
from protoclip_cli.data.benchmarks.text_tasks import SentencePairs

Task = Literal["STS12", "STS13", "STS14", "STS15", "STS16", "STSBenchmark", "SICK"]
Split = Literal["train", "dev", "test"]
_SUBSETS = {
    "STS12": ("MSRpar", "MSRvid", "SMTeuroparl", "surprise.OnWN", "surprise.SMTnews"),
    "STS13": ("FNWN", "headlines", "OnWN"),
    "STS14": ("deft-forum", "deft-news", "headlines", "images", "OnWN", "tweet-news"),
    "STS15": ("answers-forums", "answers-students", "belief", "headlines", "images"),
    "STS16": ("answer-answer", "headlines", "plagiarism", "postediting", "question-question"),
}
_SICK = {"train": "SICK_train.txt", "dev": "SICK_trial.txt", "test": "SICK_test_annotated.txt"}
_Row = tuple[str, str, float]


class SentEvalSpec(ReaderSpec):
    """One task of sentence similarity in the folders of SentEval."""

    kind: Literal["senteval"] = "senteval"
    path: Path
    """The folder that holds `STS` and `SICK`; it is called `downstream` where SimCSE unpacks it."""
    task: Task
    """Which one. STS12 to STS16 have several subsets and only a test split."""
    split: Split = "test"
    """Of STSBenchmark and SICK."""

    @property
    def label(self) -> str:
        """See `ReaderSpec`."""
        return self.name or f"{self.task.lower()}{'' if self.split == 'test' else f'_{self.split}'}"

    @property
    def layout(self) -> str:
        """See `ReaderSpec`."""
        return (
            f"put SentEval's {self.task} there, as {' and '.join(map(str, self._files()[:2]))}; "
            "the download script of SimCSE fetches all of its files"
        )

    def missing(self) -> tuple[Path, ...]:
        """See `ReaderSpec`."""
        return tuple(file for file in self._files() if not file.is_file())

    def open(self) -> Benchmark:
        """See `ReaderSpec`."""
        if self.split != "test" and self.task in _SUBSETS:
            raise DataError(f"{self.task} has no {self.split} split", hint="leave `split` out")
        if missing := self.missing():
            more = f", and {len(missing) - 1} more are missing" if len(missing) > 1 else ""
            raise DataError(f"there is no file {missing[0]}{more}", hint=self.layout)
        left_out = LeftOut()
        parts = {name: list(rows) for name, rows in self._parts(left_out)}
        rows = [row for part in parts.values() for row in part]
        if len(rows) < 2:
            raise DataError(
                f"{self.label} has {len(rows)} pairs with a score",
                hint="; ".join(("see its files", *left_out.notes())),
            )
        return Benchmark(
            name=self.label,
            split=self.split,
            texts=SentencePairs(
                first=[row[0] for row in rows],
                second=[row[1] for row in rows],
                gold=np.array([row[2] for row in rows]),
                subset=np.repeat(np.arange(len(parts)), [len(part) for part in parts.values()]),
                subsets=tuple(parts),
            ),
            notes=left_out.notes(),
        )

    def _files(self) -> list[Path]:
        root = self.path.expanduser()
        if self.task == "SICK":
            return [root / "SICK" / _SICK[self.split]]
        if self.task == "STSBenchmark":
            return [root / "STS" / "STSBenchmark" / f"sts-{self.split}.csv"]
        folder = root / "STS" / f"{self.task}-en-test"
        return [folder / f"STS.{part}.{name}.txt" for name in _SUBSETS[self.task] for part in ("input", "gs")]

    def _parts(self, left_out: LeftOut) -> Iterator[tuple[str, Iterator[_Row]]]:
        files = self._files()
        if self.task == "SICK":
            yield self.task, _fields(files[0], left_out, (1, 2, 3), header=True)
        elif self.task == "STSBenchmark":
            yield self.task, _fields(files[0], left_out, (5, 6, 4), header=False)
        else:
            for name, sentences, scores in zip(_SUBSETS[self.task], files[::2], files[1::2], strict=True):
                yield name, _line_by_line(sentences, scores, left_out)


def _line_by_line(sentences: Path, scores: Path, left_out: LeftOut) -> Iterator[_Row]:
    """The pairs of two files that go line by line."""
    pairs = list(numbered_lines(sentences, left_out, keep_blank=True))
    golds = list(numbered_lines(scores, left_out, keep_blank=True))
    if len(pairs) != len(golds):
        raise DataError(
            f"{sentences} has {len(pairs)} lines and {scores.name} has {len(golds)}",
            hint="they go line by line: fetch both again",
        )
    for (number, text), (_, score) in zip(pairs, golds, strict=True):
        gold, fields = number_in(score), text.split("\t")
        if not score.strip():
            left_out.add(sentences, number, "it has no score")
        elif gold is None:
            left_out.add(scores, number, "its score is no number")
        elif len(fields) < 2:
            left_out.add(sentences, number, "it is not two sentences with a tab between")
        else:
            yield _sentence(fields[0]), _sentence(fields[1]), gold


def _fields(path: Path, left_out: LeftOut, places: tuple[int, int, int], *, header: bool) -> Iterator[_Row]:
    """The pairs of a file with tabs: where its sentences and its score are."""
    for number, line in numbered_lines(path, left_out):
        if header and number == 1:
            continue
        fields = line.split("\t")
        if len(fields) <= max(places):
            left_out.add(path, number, f"it has less than {max(places) + 1} fields")
        elif (gold := number_in(fields[places[2]])) is None:
            left_out.add(path, number, "its score is no number")
        else:
            yield _sentence(fields[places[0]]), _sentence(fields[places[1]]), gold


def _sentence(text: str) -> str:
    """A sentence as SentEval gives it to a model: single spaces, and a full stop for none at all."""
    return " ".join(text.split()) or "."
