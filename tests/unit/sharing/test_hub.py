"""Pushing, with nobody at the other end."""

import pytest

from protoclip_cli.core.errors import ProtoclipError, UsageError
from protoclip_cli.sharing.hub import check_hub, push


class Api:
    """Remembers what it was asked."""

    def __init__(self, error=None):
        self.asked, self.error = [], error

    def create_repo(self, repo, **fields):
        self.asked.append(("create", repo, fields["private"], fields["exist_ok"]))
        return f"https://hub/{repo}"

    def upload_folder(self, **fields):
        if self.error:
            raise self.error
        self.asked.append(("upload", fields["repo_id"], fields["folder_path"]))


def test_a_folder_is_pushed_to_a_repository_that_is_made_if_need_be(tmp_path):
    api = Api()
    assert push(tmp_path, "me/mine", private=True, api=api) == "https://hub/me/mine"
    assert api.asked == [("create", "me/mine", True, True), ("upload", "me/mine", str(tmp_path))]


def test_what_the_hub_refuses_is_one_line_and_the_model_is_kept(tmp_path):
    with pytest.raises(ProtoclipError, match=r"the hub did not take me/mine: no network$") as error:
        push(tmp_path, "me/mine", private=False, api=Api(OSError("no network\nat all")))
    assert str(tmp_path) in error.value.hint


def test_names_and_switches_are_looked_at_before_any_work(monkeypatch):
    with pytest.raises(UsageError, match="is no name of a repository"):
        check_hub("a/b/c")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    check_hub("me/mine")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(UsageError, match="HF_HUB_OFFLINE is set"):
        check_hub("me/mine")
