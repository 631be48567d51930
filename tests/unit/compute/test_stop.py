"""Signals set a flag; only a second Ctrl-C breaks off."""

import os
import signal
import time

import pytest

from protoclip_cli.compute.stop import StopFlag


def _send(number):
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_a_signal_is_remembered_until_asked_for(number):
    with StopFlag() as flag:
        assert flag.poll() == 0
        _send(number)
        assert flag.poll() == number
        assert flag.poll() == number


def test_a_second_ctrl_c_stops_at_once(monkeypatch):
    with StopFlag():
        _send(signal.SIGINT)
        later = time.monotonic() + 3
        monkeypatch.setattr(time, "monotonic", lambda: later)
        with pytest.raises(KeyboardInterrupt):
            _send(signal.SIGINT)


def test_a_ctrl_c_that_a_launcher_repeats_is_one():
    with StopFlag() as flag:
        _send(signal.SIGINT)
        _send(signal.SIGINT)
        assert flag.poll() == signal.SIGINT


def test_a_scheduler_may_repeat_itself():
    with StopFlag() as flag:
        _send(signal.SIGTERM)
        _send(signal.SIGTERM)
        assert flag.poll() == signal.SIGTERM


def test_afterwards_signals_do_what_they_did():
    before = signal.getsignal(signal.SIGTERM)
    with StopFlag():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before
