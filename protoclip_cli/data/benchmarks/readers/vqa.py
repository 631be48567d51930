"""Visual question answering by choosing among statements that were made before (TAP-C).

    path/candidates.jsonl       a line for each question: {"question_id": 1, "image": "a.jpg", "candidates":
                                [{"answer": "red", "text": "the ball is red."}, ...]}
    path/v2_mscoco_val2014_annotations.json      as VQAv2 has it
    path/val2014/               the images

Turning questions into statements takes a language model and is done elsewhere; what is judged is the choice.

Song et al., CLIP Models are Few-shot Learners: Empirical Studies on VQA and Visual Entailment, 2022.
https://arxiv.org/abs/2203.07190
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.benchmarks.base import Benchmark
from protoclip_cli.data.benchmarks.image_files import images_by_name
from protoclip_cli.data.benchmarks.passage_file import refuse_twice
from protoclip_cli.data.benchmarks.readers._named_files import NamedFilesSpec
from protoclip_cli.data.benchmarks.text_files import LeftOut, need, numbered_objects
from protoclip_cli.data.benchmarks.text_tasks import Questions

_KINDS = ("yes/no", "number", "other")
_Row = tuple[int, str, str, list[tuple[str, str]]]
"""Line, question, image, and its answers with their statements."""
_Truth = tuple[str, tuple[str, ...]]
"""Kind of a question, and what people answered."""


class VqaSpec(NamedFilesSpec):
    """Questions about images with candidate answers as statements, and what people answered."""

    kind: Literal["vqa"] = "vqa"
    candidates: str = "candidates.jsonl"
    """Name of the file of candidates."""
    annotations: str = "v2_mscoco_val2014_annotations.json"
    """Name of the file of answers."""
    images: str = "val2014"
    """Name of the folder of images."""
    split: str = "val"
    """What scores call the questions."""

    named: ClassVar[tuple[str, ...]] = ("candidates", "annotations", "images")
    folders: ClassVar[tuple[str, ...]] = ("images",)

    @property
    def layout(self) -> str:
        """See `ReaderSpec`."""
        line = '{"question_id": 1, "image": "a.jpg", "candidates": [{"answer": "red", "text": "it is red."}]}'
        return (
            f"put {self.annotations}, the images as {self.images}/ and your {self.candidates} into "
            f"{self.path}; a line of the last is {line}"
        )

    def open(self) -> Benchmark:
        """See `ReaderSpec`."""
        candidate_file, annotation_file, folder = self.files()
        need(candidate_file, self.layout)
        left_out = LeftOut()
        rows = list(_candidates(candidate_file, left_out))
        refuse_twice(candidate_file, ((row[0], row[1]) for row in rows), lambda name: f"question {name}")
        truth = _annotations(need(annotation_file, self.layout))
        for row in rows:
            if row[1] not in truth:
                left_out.add(candidate_file, row[0], f"its question is not in {annotation_file.name}")
        rows = [row for row in rows if row[1] in truth]
        if not rows:
            raise DataError(
                f"{candidate_file} has no question that can be judged",
                hint="; ".join((self.layout, *left_out.notes())),
            )
        images, image_rows = images_by_name(folder, [row[2] for row in rows], self.layout)
        asked = len(truth) - len(rows)
        return Benchmark(
            name=self.label,
            split=self.split,
            texts=Questions(
                images=images,
                rows=image_rows,
                statements=tuple(tuple(text for _, text in row[3]) for row in rows),
                choices=tuple(tuple(answer for answer, _ in row[3]) for row in rows),
                answers=tuple(truth[row[1]][1] for row in rows),
                kinds=tuple(truth[row[1]][0] for row in rows),
            ),
            notes=(
                *(
                    [f"questions without candidates, which are not judged: {asked:,} of {len(truth):,}"]
                    if asked
                    else []
                ),
                *left_out.notes(),
            ),
        )


def _candidates(path: Path, left_out: LeftOut) -> Iterator[_Row]:
    for number, value in numbered_objects(path, left_out):
        question, image, listed = (value.get(key) for key in ("question_id", "image", "candidates"))
        candidates = listed if isinstance(listed, list) else []
        pairs = [
            (entry["answer"], entry["text"])
            for entry in candidates
            if isinstance(entry, dict)
            and all(isinstance(entry.get(key), str) and entry[key].strip() for key in ("answer", "text"))
        ]
        if question is None or not isinstance(image, str) or not image:
            left_out.add(path, number, "it has no `question_id` or no `image`")
        elif not pairs or len(pairs) != len(candidates):
            left_out.add(path, number, "its `candidates` are not a list of {answer, text}")
        else:
            yield number, str(question), image, pairs


def _annotations(path: Path) -> dict[str, _Truth]:
    """Kind and answers by question."""
    try:
        entries = json.loads(path.read_text("utf-8"))["annotations"]
        found = {str(entry["question_id"]): _truth(entry) for entry in entries}
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path} is not VQAv2's file of answers ({type(error).__name__}: {error})",
            hint='it holds {"annotations": [{"question_id", "answer_type", "answers": [{"answer"}]}]}',
        ) from None
    if len(found) != len(entries):
        raise DataError(f"{path} has {len(entries) - len(found)} questions twice", hint="fetch it again")
    return found


def _truth(entry: Any) -> _Truth:
    answers = tuple(str(answer["answer"]) for answer in entry["answers"])
    if entry["answer_type"] not in _KINDS or len(answers) < 2:
        raise ValueError(f"question {entry['question_id']} has no known answer_type or too few answers")
    return entry["answer_type"], answers
