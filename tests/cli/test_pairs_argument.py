import pytest

from protoclip_cli.cli.pairs_argument import pairs_of


@pytest.mark.parametrize(
    ("argument", "kind"),
    [("t.tsv", "csv"), ("gone.parquet", "csv"), ("images", "folder"), ("a.tar", "tar"), ("*.tar", "tar")],
)
def test_a_path_says_what_it_is(argument, kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.tsv").touch()
    (tmp_path / "images").mkdir()
    assert pairs_of(argument) == {"kind": kind, "path": argument}
