"""Classes of pairs: their numbers, and captions that are written from their names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import AfterValidator

from protoclip_cli.data.captions import Captions

_INTEGER = r"^\s*-?[0-9]{1,9}\s*$"
_BLANK = r"^\s*$"


def _with_one_place(template: str) -> str:
    if template.count("{}") != 1:
        raise ValueError(f"'{template}' must hold {{}} once, where the name of the class goes")
    return template


Templates = tuple[Annotated[str, AfterValidator(_with_one_place)], ...]
"""Captions with one `{}` each."""


def number_classes(values: pa.LargeStringArray) -> tuple[NDArray[np.int32], list[str]]:
    """The class of each row.

    Args:
        values: (N,), as a table has them. Blank ones, and -1 among whole numbers, are of no class.

    Returns:
        (N,), and the names of the classes. Whole numbers stay what they are and their classes have no names;
        otherwise classes are numbered in the order of their names.

    Raises:
        ValueError: a number is below -1.

    >>> number_classes(pa.array(["dog", "", "cat", "dog"], pa.large_string()))
    (array([ 1, -1,  0,  1], dtype=int32), ['cat', 'dog'])
    >>> number_classes(pa.array(["7", "-1", "", "2"], pa.large_string()))
    (array([ 7, -1, -1,  2], dtype=int32), [])
    """
    filled = pc.invert(pc.match_substring_regex(values, _BLANK))
    known = np.flatnonzero(filled.to_numpy(zero_copy_only=False))
    labels = np.full(len(values), -1, np.int32)
    texts = pc.utf8_trim_whitespace(values.take(pa.array(known)))
    if pc.all(pc.match_substring_regex(texts, _INTEGER)).as_py():
        labels[known] = texts.cast(pa.int32()).to_numpy()
        if len(labels) and labels.min() < -1:
            raise ValueError(f"{labels.min()} is no class")
        return labels, []
    coded = texts.dictionary_encode()
    names = coded.dictionary.to_pylist()
    order = sorted(range(len(names)), key=names.__getitem__)
    rank = np.empty(len(names), np.int32)
    rank[order] = np.arange(len(names), dtype=np.int32)
    labels[known] = rank[coded.indices.to_numpy()]
    return labels, [names[place] for place in order]


def captions_of_classes(
    labels: NDArray[np.int32], names: Sequence[str], templates: Sequence[str]
) -> Captions:
    """A caption from each template for each class, which the rows of the class share.

    Args:
        labels: (N,), none of them -1.
        names: of the classes.
        templates: with one `{}` each.

    >>> captions = captions_of_classes(np.array([1, 0, 1], np.int32), ["cat", "dog"], ["a {}.", "the {}."])
    >>> len(captions), [captions[number] for number in captions.of(2)]
    (4, ['a dog.', 'the dog.'])
    """
    texts = [template.replace("{}", name) for name in names for template in templates]
    first = np.arange(len(names) + 1, dtype=np.int64) * len(templates)
    return Captions(texts, first, labels)
