"""Prompts: sentences with a place for the name of a class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator, Field

PHOTO_TEMPLATES = (
    "a photo of a {}.",
    "a photo of the {}.",
    "a close-up photo of a {}.",
    "a blurry photo of a {}.",
    "a picture of one {}.",
    "an image of a {}.",
)
"""For photographs of things, when nothing better is known."""


def fill(template: str, name: str) -> str:
    """A template with the name of a class. Braces and percent signs in the name mean nothing.

    >>> fill("a photo of a {}.", "{0} 100%")
    'a photo of a {0} 100%.'
    """
    return template.replace("{}", name)


def _with_one_place(templates: tuple[str, ...]) -> tuple[str, ...]:
    for template in templates:
        if template.count("{}") != 1:
            raise ValueError(f"'{template}' must have one {{}}, where the class name goes")
    return templates


Templates = Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(_with_one_place)]
"""The annotation of a field that takes templates."""

ClassNames = Annotated[tuple[str, ...], Field(min_length=1)]


def named(folders: Sequence[str]) -> list[str]:
    """Words of folder names: underscores and hyphens become spaces.

    >>> named(["golden_retriever", "sea-lion", "  tabby  "])
    ['golden retriever', 'sea lion', 'tabby']
    """
    return [" ".join(folder.replace("_", " ").replace("-", " ").split()) for folder in folders]
