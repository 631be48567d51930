"""Lists of class names and templates that other packages, or files of the user, carry.

A source is `open_clip:imagenet`, `torchvision:Flowers102`, `clip_benchmark:gtsrb`, or `names.json:birdsnap`:
the list of a data set in a file of the forms {data set: [names]}, {data set: [[synonyms], ...]},
{data set: [templates]} and {data set: {class: [prompts]}}. `{c}` in a template is `{}`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from protoclip_cli.core.errors import DataError, MissingExtra

Names = tuple[tuple[str, ...], ...]
"""All names of each class."""


def read_names(source: str) -> Names:
    """The class names of a source, in its own order.

    Raises:
        DataError: there is no such list.
        MissingExtra: the package that carries it is not installed.
    """
    package, _, key = source.rpartition(":")
    if package == "open_clip" and key == "imagenet":
        from open_clip.zero_shot_metadata import IMAGENET_CLASSNAMES

        return tuple((name,) for name in IMAGENET_CLASSNAMES)
    if package == "torchvision":
        from torchvision import datasets

        found = getattr(getattr(datasets, key, None), "classes", None)
        if not isinstance(found, list):
            raise DataError(f"torchvision has no list of names for {key}", hint="it has one for Flowers102")
        return tuple((str(name),) for name in found)
    found = _listed(source, "classnames")
    if isinstance(found, dict):
        return tuple((str(name),) for name in found)
    if not isinstance(found, list) or not found:
        raise DataError(f"{source} is no list of class names")
    return tuple(_synonyms(entry, source) for entry in found)


def read_templates(source: str) -> tuple[str, ...] | dict[str, tuple[str, ...]]:
    """The templates of a source, or whole prompts by class.

    Raises:
        DataError: there is no such list, or a template has not one place for the name.
        MissingExtra: the package that carries it is not installed.
    """
    package, _, key = source.rpartition(":")
    if package == "open_clip" and key in {"imagenet", "imagenet_simple"}:
        from open_clip import zero_shot_metadata as metadata

        functions = {
            "imagenet": metadata.OPENAI_IMAGENET_TEMPLATES,
            "imagenet_simple": metadata.SIMPLE_IMAGENET_TEMPLATES,
        }
        return tuple(function("{}") for function in functions[key])
    kind = "cupl" if key.endswith("@cupl") else "zeroshot_classification_templates"
    found = _listed(source.removesuffix("@cupl"), kind)
    if isinstance(found, dict):
        return {str(name): _texts(prompts, f"{source}, class {name}") for name, prompts in found.items()}
    return tuple(one_place(text, source) for text in _texts(found, source))


def one_place(template: str, source: str) -> str:
    """A template with `{c}` written `{}`.

    Raises:
        DataError: it has not one place for the name of a class.

    >>> one_place("a photo of {c}.", "mine.json")
    'a photo of {}.'
    """
    plain = template.replace("{c}", "{}")
    if plain.count("{}") != 1:
        raise DataError(f"{source}: '{template}' must have one {{}}, where the class name goes")
    return plain


@cache
def wordnet_ids() -> tuple[str, ...]:
    """The WordNet ids of ImageNet's 1,000 classes, in the order of their labels. timm carries them."""
    return tuple(_package_file("timm", "data/_info/imagenet_synsets.txt").read_text("utf-8").split())


def _listed(source: str, kind: str) -> Any:
    """What stands under the key of a source."""
    place, _, key = source.rpartition(":")
    if not place:
        raise DataError(f"'{source}' is no list", hint="write it as package:data_set or file.json:data_set")
    if place == "clip_benchmark":
        names = {"cupl": "cupl_prompts.json"}
        path = _package_file("clip_benchmark", f"datasets/{names.get(kind, f'en_{kind}.json')}")
    elif place.endswith(".json"):
        path = Path(place).expanduser()
    else:
        raise DataError(
            f"nothing called '{place}' carries lists", hint="open_clip, clip_benchmark or a file.json"
        )
    content = read_json(path)
    if not isinstance(content, dict) or key not in content:
        known = ", ".join(sorted(map(str, content))[:20]) if isinstance(content, dict) else "no data set"
        raise DataError(f"{path} has nothing for '{key}'", hint=f"it has {known}")
    return content[key]


def read_json(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        DataError: there is none, or it is not JSON.
    """
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        raise DataError(f"there is no file {path}") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is not JSON: {error}") from None


def _package_file(package: str, name: str) -> Path:
    """A file of a package, which is not imported: clip_benchmark alone would take seconds."""
    found = find_spec(package)
    if found is None or not found.submodule_search_locations:
        extra = package.replace("_", "-")
        raise MissingExtra(f"{extra} is not installed", hint=f"pip install 'protoclip[{extra}]'")
    path = Path(found.submodule_search_locations[0]) / name
    if not path.is_file():
        raise DataError(f"this version of {package} has no {name}", hint=f"pip install --upgrade {package}")
    return path


def _synonyms(entry: Any, source: str) -> tuple[str, ...]:
    names = [entry] if isinstance(entry, str) else entry
    if not isinstance(names, list) or not names or not all(isinstance(name, str) and name for name in names):
        raise DataError(f"{source}: {entry!r:.60} is neither a name nor a list of names")
    return tuple(names)


def _texts(found: Any, source: str) -> tuple[str, ...]:
    texts: Sequence[Any] = [found] if isinstance(found, str) else found
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise DataError(f"{source} is no list of texts")
    return tuple(texts)
