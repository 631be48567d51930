import pytest

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.benchmarks.readers.jsonl import JsonlSpec


@pytest.fixture
def memes(tmp_path, draw):
    draw(tmp_path, "img/01.png", "img/02.png", "img/03.png")
    (tmp_path / "dev.jsonl").write_text(
        '{"id": 1, "img": "img/02.png", "label": 1, "text": "x"}\n\n{"img": "img/01.png", "label": 0}\n'
    )
    (tmp_path / "train.jsonl").write_text('{"img": "img/03.png", "label": 1}\n')
    return tmp_path


def reader(path, **settings):
    return JsonlSpec(
        path=path, test="dev.jsonl", train="train.jsonl", classes=["kind", "hateful"], **settings
    )


def test_rows(memes, contents):
    found = reader(memes, metric="roc_auc").open()
    assert (found.split, found.classes, found.metric) == ("dev", ("kind", "hateful"), "roc_auc")
    assert contents(found.test) == [(1, 2), (0, 1)]
    assert contents(found.train) == [(1, 3)]


def test_train_may_be_missing(memes):
    (memes / "train.jsonl").unlink()
    assert reader(memes).open().train is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"img": "img/01.png"}', "line 1 has no 'img' and 'label'"),
        ('{"img": "img/01.png", "label": 0}\n{', "line 2 has no"),
        ('{"img": "img/01.png", "label": 2}', "label 2, but classes are 0 to 1"),
        ("\n", "is empty"),
    ],
)
def test_what_is_wrong_is_said(memes, text, message):
    (memes / "dev.jsonl").write_text(text)
    with pytest.raises(DataError, match=message):
        reader(memes).open()


def test_a_missing_file(tmp_path):
    with pytest.raises(DataError, match=r"no file .*dev.jsonl") as error:
        reader(tmp_path).open()
    assert f"into {tmp_path}/" in error.value.hint
