"""Names of classes, which must come in the order of the labels and nothing else.

The lists that papers and tools publish for one data set come in different orders, each that of its own files.
So a name is never joined to a label by its place in a list alone, where the data themselves say what a label
is: class folders and label files carry keys, and a name is found by its key.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Annotated

from pydantic import AfterValidator, Field

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.benchmarks.prompts import named
from protoclip_cli.data.benchmarks.sources import Names, read_names, wordnet_ids

ClassSetting = (
    None
    | Annotated[dict[str, str | tuple[str, ...]], Field(min_length=1)]
    | tuple[str | tuple[str, ...], ...]
    | str
)
"""The annotation of a field that names classes: a mapping from what the data call them; a list; `wnid` for
ImageNet's names by WordNet id; `camel_case`; or a source, such as `open_clip:imagenet`. None: as data do."""


def name_classes(keys: Sequence[str], setting: ClassSetting, *, ordered: bool, place: str) -> Names:
    """The names of classes.

    Args:
        keys: what the data call the classes, in the order of the labels.
        setting: where names come from.
        ordered: a list is known to be in the order of the labels, because both come from one hand. One with
            the very words of the keys is sorted as these are.
        place: where the data are, for messages.

    Returns:
        All names of each class, in the order of the labels.

    Raises:
        DataError: the names are not those of these classes.

    >>> name_classes(["sea_lion", "ant"], ["ant", ["sea lion", "seal"]], ordered=False, place="x")
    (('sea lion', 'seal'), ('ant',))
    """
    if setting is None:
        if _all_numbers(keys):
            raise DataError(
                f"the classes of {place} are numbers, and nothing says what they are called",
                hint="write their names into classes.txt there, `number<TAB>name` on each line",
            )
        return tuple((name,) for name in words(keys))
    if isinstance(setting, Mapping):
        return _by_key(keys, {key: _tuple(names) for key, names in setting.items()}, place)
    if setting == "camel_case":
        return tuple((camel_words(key),) for key in keys)
    if setting == "wnid":
        listed = read_names("open_clip:imagenet")
        return _by_key(keys, dict(zip(wordnet_ids(), listed, strict=True)), place)
    listed = read_names(setting) if isinstance(setting, str) else tuple(_tuple(names) for names in setting)
    if len(listed) != len(keys):
        raise DataError(
            f"{place} has {len(keys)} classes for {len(listed)} names: {_differences(keys, listed)}",
            hint="a folder without images is no class; a mapping from folder to name is safest",
        )
    if ordered and not _same_letters(keys, listed):
        return listed
    return _by_number(keys, listed, place) if _all_numbers(keys) else _by_likeness(keys, listed, place)


def words(keys: Sequence[str]) -> list[str]:
    """What folders are called, as words.

    >>> words(["001.Black_footed_Albatross", "n/a thing"])
    ['Black footed Albatross', 'n a thing']
    """
    return named([re.sub(r"^\d+\.", "", key).replace("/", " ") for key in keys])


def camel_words(key: str) -> str:
    """Words of a name whose words begin with capitals.

    >>> camel_words("ApplyEyeMakeup"), camel_words("YoYo")
    ('Apply Eye Makeup', 'Yo Yo')
    """
    return " ".join(re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", key)) or key


def _by_key(keys: Sequence[str], names: Mapping[str, tuple[str, ...]], place: str) -> Names:
    if unknown := [key for key in keys if key not in names]:
        raise DataError(
            f"{place} has {len(unknown)} classes without a name: {', '.join(unknown[:5])}",
            hint=f"the names are for {', '.join(list(names)[:5])}, ...",
        )
    return tuple(names[key] for key in keys)


def _by_number(keys: Sequence[str], listed: Names, place: str) -> Names:
    """Folders with numbers hold the classes in the order of the numbers, from 0 or from 1, with no gap."""
    numbers = [int(key) for key in keys]
    start = min(numbers)
    if start not in {0, 1} or sorted(numbers) != list(range(start, start + len(keys))):
        gap = next((n for n in range(start, start + len(keys)) if n not in set(numbers)), start)
        raise DataError(
            f"the class numbers of {place} are not 0 to {len(keys) - 1} or 1 to {len(keys)}: {gap} is odd",
            hint="a mapping from number to name would be clear",
        )
    return tuple(listed[number - start] for number in numbers)


def _by_likeness(keys: Sequence[str], listed: Names, place: str) -> Names:
    """By the letters and digits of the names, because a list may be in another order than the folders."""
    found: dict[str, tuple[str, ...]] = {}
    for names in listed:
        for name in names:
            if found.setdefault(_letters(name), names) is not names:
                raise DataError(
                    f"two classes of {place} are called '{name}', so names cannot be told apart",
                    hint="give a mapping from folder to name",
                )
    unknown = [key for key in keys if _letters(key) not in found]
    if unknown:
        unused = {names[0] for names in listed} - {
            found[_letters(key)][0] for key in keys if _letters(key) in found
        }
        raise DataError(
            f"{len(unknown)} classes of {place} are not in the list of names: {', '.join(unknown[:5])}",
            hint=f"the list has {', '.join(sorted(unused)[:5])}; give a mapping from folder to name",
        )
    return tuple(found[_letters(key)] for key in keys)


def _same_letters(keys: Sequence[str], listed: Names) -> bool:
    """Whether the list has the words of the keys, perhaps in another order."""
    return not _all_numbers(keys) and sorted(map(_letters, keys)) == sorted(
        _letters(names[0]) for names in listed
    )


def _letters(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _all_numbers(keys: Sequence[str]) -> bool:
    return bool(keys) and all(key.isascii() and key.isdigit() for key in keys)


def _tuple(names: str | Sequence[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def _differences(keys: Sequence[str], listed: Names) -> str:
    """The first places where the two lists differ. Of numbers, the first that are not there."""
    if _all_numbers(keys):
        there = {int(key) for key in keys}
        absent = [number for number in range(min(there), min(there) + len(listed)) if number not in there]
        return "there is no " + ", ".join(map(str, absent[:3])) if absent else f"the last is {keys[-1]}"
    pairs = zip_longest(keys, (names[0] for names in listed))
    unlike = [
        (key, name) for key, name in pairs if key is None or name is None or _letters(key) != _letters(name)
    ]
    return ", ".join(f"{key or 'nothing'} / {name or 'nothing'}" for key, name in unlike[:3])


def _not_empty(setting: ClassSetting) -> ClassSetting:
    if setting is not None and not setting:
        raise ValueError("is empty; leave it out, or name every class")
    return setting


Classes = Annotated[ClassSetting, AfterValidator(_not_empty)]
