import pytest

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.pairs import PAIRS


@pytest.mark.parametrize(("kind", "name"), [("parquet", "t.csv"), ("jsonl", "t.parquet"), ("jsonl", "t")])
def test_another_suffix_is_refused(kind, name, tmp_path):
    (tmp_path / name).write_text("filepath\ttitle\na\tb\n")
    with pytest.raises(DataError, match=r"does not end in \.") as caught:
        PAIRS.spec(kind)(path=tmp_path / name).open()
    assert "kind: csv" in caught.value.hint


@pytest.mark.parametrize(("kind", "name"), [("parquet", "t.PARQUET"), ("jsonl", "t.jsonl")])
def test_other_content_is_refused(kind, name, tmp_path):
    (tmp_path / name).write_text("filepath\ttitle\na\tb\n")
    with pytest.raises(DataError, match=r"cannot be read|not a JSON object") as caught:
        PAIRS.spec(kind)(path=tmp_path / name).open()
    assert caught.value.hint
