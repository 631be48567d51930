from protoclip_cli.gathering.outcomes import Outcome, one_line

WORDS = """ok bad_url blocked_scheme blocked_address dns connect tls timeout_connect timeout_read
timeout_total http_4xx http_429 http_5xx redirect_limit too_large empty not_image decode_error bomb
too_small aspect opted_out_header opted_out_robots hash_mismatch duplicate io_error"""


def test_the_words():
    assert [str(outcome) for outcome in Outcome] == WORDS.split()
    assert Outcome("http_429") is Outcome.HTTP_429
    assert all(outcome.meaning and "\n" not in outcome.meaning for outcome in Outcome)


def test_what_may_end_better_another_time():
    lasting = {outcome for outcome in Outcome if not outcome.transient}
    assert {"ok", "http_4xx", "tls", "bomb", "opted_out_robots", "blocked_address"} <= lasting
    assert {"dns", "connect", "timeout_total", "http_429", "http_5xx", "io_error"}.isdisjoint(lasting)


def test_a_detail_is_one_short_line():
    assert one_line("a\nb\x1b]0;c\x07 \u202e" + "d" * 999) == "a b ]0;c " + "d" * 191
