import pytest

from protoclip_cli.gathering.limits import DIRECTIVES, FetchLimits
from protoclip_cli.gathering.opt_out import opted_out


@pytest.mark.parametrize(
    ("tags", "word"),
    [
        ([], None),
        ([""], None),
        (["all"], None),
        (["noarchive, nofollow"], None),
        (["noai"], "noai"),
        (["NOINDEX"], "noindex"),
        (["none"], "none"),
        (["noml"], "noml"),
        (["nofollow,noimageai"], "noimageai"),
        (["nofollow", "noimageindex"], "noimageindex"),
        (["otherbot: noai"], None),
        (["otherbot: noai, noindex"], None),
        (["otherbot: noindex", "noai"], "noai"),
        (["protoclip: noai"], "noai"),
        (["ProtoClip/0.1 : nofollow, noai"], "noai"),
        (["*: noai"], "noai"),
        (["otherbot: noindex, protoclip: noml"], "noml"),
        (["protoclip: nofollow, otherbot: noai"], None),
        (["protoclipper: noai"], None),
        (["unavailable_after: 25 Jun 2010 15:00:00 PST, noai"], "noai"),
        (["unavailable_after: Wed, 21 Oct 2015 07:28:00 GMT, noai"], "noai"),
        (["unavailable_after: 2010-06-25T15:00:00Z"], None),
        (["max-snippet: 20, max-image-preview:large, noai"], "noai"),
        (["otherbot: max-snippet: 20, noai"], None),
        ([",,:,: noai,"], None),
    ],
)
def test_forms(tags, word):
    assert opted_out(tags, DIRECTIVES) == word


def test_the_words_can_be_chosen():
    assert opted_out(["noindex, noai"], frozenset({"noai"})) == "noai"
    assert opted_out(["noindex"], frozenset()) is None


@pytest.mark.parametrize("contact", ["a\r\nCookie: b", "é@example.org", "a\tb"])
def test_a_contact_is_one_line_of_plain_letters(contact):
    with pytest.raises(ValueError, match="printable ASCII"):
        FetchLimits(contact=contact)
