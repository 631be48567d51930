"""The fixture `on_processes` reports what goes wrong in its processes. These tests end its pool."""

import time

import pytest

from protoclip_cli.compute.processes import rank, wait_for_all


def _fail_on_one():
    if rank() == 1:
        raise RuntimeError("this one fails")
    wait_for_all()


def test_an_error_of_one_process_is_shown_though_the_others_wait(on_processes):
    with pytest.raises(pytest.fail.Exception, match="this one fails"):
        on_processes(2, _fail_on_one)


def _sleep():
    time.sleep(60)


def test_a_process_that_hangs_is_ended(on_processes):
    with pytest.raises(pytest.fail.Exception, match="did not answer"):
        on_processes(1, _sleep, timeout=0.1)
