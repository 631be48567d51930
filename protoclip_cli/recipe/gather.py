"""The recipe of `protoclip gather`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from protoclip_cli.core.spec import Spec


class ListSpec(Spec):
    """A list of URLs and captions."""

    path: Path
    """Delimited text, .parquet or .jsonl; `-` for text on standard input."""
    split: str | None = Field(None, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    """What its rows belong to, such as `train`; each split has tables of its own."""
    preset: Literal["auto", "cc3m", "cc12m"] = "auto"
    """`cc3m`: caption, tab, URL. `cc12m`: URL, tab, caption. Both without a line of column names."""
    url_column: str | None = None
    """Name of the column of URLs. Empty: one of the usual names, such as `url`."""
    caption_column: str | None = None
    """Name of the column of captions. Empty: one of the usual names, such as `caption`."""


class ImagesSpec(Spec):
    """What becomes of an image."""

    side: int = Field(512, gt=0)
    """Pixels, of the side that `resize` names. Smaller images stay as they are."""
    resize: Literal["longest", "shortest", "pad", "crop", "keep"] = "longest"
    """Which side is brought to `side`; `pad` to a white square, `crop` to one from the centre, `keep`
    the size."""
    format: Literal["jpeg", "webp", "png"] = "jpeg"
    """Of the files."""
    quality: int = Field(95, ge=1, le=100)
    """Of jpeg and webp."""
    min_side: int = Field(32, gt=0)
    """Images with a shorter side, in pixels, are left out."""
    max_aspect: float | None = Field(3.0, ge=1)
    """Images that are longer than so many times their shorter side are left out. Empty: none is."""
    max_pixels: int = Field(40_000_000, gt=0)
    """Images of more pixels are left out before they are decoded."""


class NetworkSpec(Spec):
    """How hosts are asked."""

    concurrency: int = Field(64, gt=0)
    """Addresses at a time; fewer while names or answers fail to come."""
    per_host: int = Field(4, gt=0)
    """Requests to one host at a time."""
    pause: float = Field(0.0, ge=0)
    """Seconds between two requests to one host."""
    timeout: float = Field(20.0, gt=0)
    """Seconds for one address in all."""
    attempts: int = Field(2, gt=0)
    """Requests for one address, if failures may pass."""
    max_megabytes: float = Field(20.0, gt=0)
    """Largest answer."""
    contact: str | None = None
    """An address or page that hosts can turn to; part of the User-Agent."""
    allow_private: bool = False
    """Also ask addresses that are not on the public internet, and any port."""
    ignore_robots: str | None = Field(None, min_length=1)
    """Why robots.txt is not asked for; kept with the result."""
    ignore_opt_out: str | None = Field(None, min_length=1)
    """Why `X-Robots-Tag` is not obeyed; kept with the result."""
    keep_going: bool = False
    """Go on also when most addresses fail in one way that may pass."""


class GatherRecipe(Spec):
    """From lists of URLs to a table of images."""

    name: str = Field("gather", min_length=1)
    """What it is called."""
    seed: int = Field(0, ge=0)
    """Of the sample."""
    lists: list[ListSpec] = Field(min_length=1)
    """Where the URLs are."""
    limit: int | None = Field(None, gt=0)
    """Only the first rows of each list."""
    sample: int | None = Field(None, gt=0)
    """So many rows of each list, each as likely as any other."""
    dedup: bool = False
    """Of images with the same content keep only the one with the lowest row."""
    images: ImagesSpec = ImagesSpec()
    """What becomes of an image."""
    network: NetworkSpec = NetworkSpec()
    """How hosts are asked."""

    @model_validator(mode="after")
    def _reads_standard_input_once(self) -> GatherRecipe:
        if sum(str(one.path) == "-" for one in self.lists) > 1:
            raise ValueError("standard input can be one list only")
        return self

    def resolved(self) -> dict[str, Any]:
        """Plain values of all keys."""
        return self.model_dump(mode="json")
