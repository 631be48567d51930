"""Draw several pictures of one scene into a folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from protoclip_cli.core.errors import ProtoclipError
from protoclip_cli.drawing.page import save, style
from protoclip_cli.drawing.pictures.base import PictureSpec
from protoclip_cli.drawing.scene import Scene

Progress = Callable[[str, int, int], None]
"""Is told which picture comes next, how many are done, and of how many."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """What was drawn."""

    folder: Path
    files: tuple[Path, ...]
    left_out: dict[str, str]
    """Why, by the kind of each picture that could not be drawn."""


def draw(
    pictures: Sequence[PictureSpec], scene: Scene, folder: Path, *, svg: bool, progress: Progress
) -> Drawing:
    """Draw what can be drawn. One picture that cannot does not keep the others from being drawn.

    Args:
        pictures: which.
        scene: what there is to draw.
        folder: for the files; those of the same names are replaced.
        svg: write SVG beside PNG.
        progress: is told how far it is.
    """
    files: list[Path] = []
    left_out: dict[str, str] = {}
    names: dict[str, int] = {}
    scene.choose_fonts()
    with style(scene.letters.families):
        for number, picture in enumerate(pictures):
            progress(f"draw {picture.kind}", number, len(pictures))
            if reason := picture.refuses(scene):
                left_out[picture.kind] = reason
                continue
            try:
                for name, figure in picture.draw(scene):
                    names[name] = names.get(name, 0) + 1
                    place = folder / (name if names[name] == 1 else f"{name}_{names[name]}")
                    files += save(figure, place, svg=svg)
            except ProtoclipError as error:
                left_out[picture.kind] = f"{error} ({error.hint})" if error.hint else str(error)
    progress("draw", len(pictures), len(pictures))
    _tell(scene)
    return Drawing(folder, tuple(files), left_out)


def _tell(scene: Scene) -> None:
    """Say what could not be shown as it is."""
    if scene.missing_images:
        scene.note(f"{scene.missing_images} images could not be read, and are grey tiles")
    if missing := scene.letters.missing:
        some = " ".join(f"U+{ord(character):04X}" for character, _ in missing.most_common(5))
        scene.note(
            f"{len(missing)} characters are in no font here and are drawn as boxes ({some}); "
            "installing Noto fonts helps"
        )
