import pytest

from protoclip_cli.gathering.journal import Entry, Journal
from protoclip_cli.gathering.outcomes import Outcome


def test_the_last_line_of_a_row_counts_also_after_opening_again(tmp_path):
    path = tmp_path / "journal.jsonl"
    journal = Journal(path, 4)
    journal.add(Entry(2, Outcome.DNS))
    journal.flush()
    journal.add(Entry(0, Outcome.OK, file="x.jpg", sha256="ab", width=3, height=4))
    journal.add(Entry(2, Outcome.HTTP_4XX, "404"))
    journal.flush()
    for one in (journal, Journal(path, 4)):
        assert list(one.entries([0, 2])) == [
            Entry(0, Outcome.OK, file="x.jpg", sha256="ab", width=3, height=4),
            Entry(2, Outcome.HTTP_4XX, "404"),
        ]
        assert one.counts() == {"ok": 1, "http_4xx": 1}
        assert one.to_do(lambda _: False).tolist() == [1, 3]
        assert one.to_do(lambda outcome: outcome is Outcome.HTTP_4XX).tolist() == [1, 2, 3]
    with pytest.raises(KeyError):
        list(journal.entries([1]))


@pytest.mark.parametrize("cut", [1, 5, 20])
def test_a_line_cut_off_by_a_crash_is_gone_and_the_next_one_is_whole(cut, tmp_path):
    path = tmp_path / "journal.jsonl"
    journal = Journal(path, 3)
    for row in range(2):
        journal.add(Entry(row, Outcome.EMPTY))
    journal.flush()
    path.write_bytes(path.read_bytes()[:-cut])
    journal = Journal(path, 3)
    assert journal.to_do(lambda _: False).tolist() == [1, 2]
    journal.add(Entry(1, Outcome.BOMB))
    journal.flush()
    assert [entry.outcome for entry in Journal(path, 3).entries([0, 1])] == [Outcome.EMPTY, Outcome.BOMB]


def test_what_is_not_flushed_is_not_there(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl", 2)
    journal.add(Entry(0, Outcome.OK))
    assert journal.counts() == {}
    assert not journal.path.exists()
