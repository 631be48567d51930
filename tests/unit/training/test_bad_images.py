import pytest
import torch

from protoclip_cli.core.errors import DataError
from protoclip_cli.core.types import Batch
from protoclip_cli.data.loader import Fetched
from protoclip_cli.store.lines import read_lines
from protoclip_cli.store.run import RunFolder
from protoclip_cli.training.bad_images import BadImages


def fetched(rows, bad):
    place = torch.arange(rows)
    return Fetched(
        Batch(place, place, place, (), ()), tuple((row, f"{row}.jpg: no such file") for row in bad)
    )


@pytest.fixture
def images(tmp_path):
    return BadImages(RunFolder(tmp_path), 0.1, torch.device("cpu"))


def test_each_is_listed_with_its_step_row_and_reason(images):
    images.see(fetched(50, [7, 9]), step=3)
    images.see(fetched(50, []), step=4)
    images.judge()
    assert (images.read, images.bad) == (100, 2)
    assert list(read_lines(images.folder.events)) == [
        {"event": "bad_image", "step": 4, "row": 7, "reason": "7.jpg: no such file"},
        {"event": "bad_image", "step": 4, "row": 9, "reason": "9.jpg: no such file"},
    ]
    images.judge()
    assert (images.read, images.bad) == (100, 2)


def test_more_than_allowed_stop_the_run_and_one_is_shown(images):
    images.see(fetched(100, range(10)), step=0)
    images.judge()
    images.see(fetched(10, [3, 4]), step=1)
    with pytest.raises(DataError, match=r"^12 of 110 images could not be read, more than ") as caught:
        images.judge()
    assert "pairs.max_bad_fraction = 0.1 allows; one of them: 0.jpg: no such file" in str(caught.value)
    assert "events.jsonl" in caught.value.hint


def test_few_images_are_not_judged(images):
    images.see(fetched(99, range(99)), step=0)
    images.judge()
    images.see(fetched(1, []), step=1)
    with pytest.raises(DataError, match="99 of 100"):
        images.judge()
