"""Runs on the CPU: in pieces, models that return too few rows or fail, interruption."""

import threading

import numpy as np
import pytest

from service.errors import InferenceFailedError
from tests.fixtures.odd_models import TRIGGER, open_session, short_model, slow_model

IMAGES = np.random.default_rng(3).integers(0, 250, (40, 28, 28, 1), np.uint8)


def test_parts_and_pieces_give_the_rows_of_each_image_in_order() -> None:
    session = open_session(slow_model(), max_batch_size=40)
    alone = np.concatenate([session.run(IMAGES[index : index + 1]) for index in range(40)])
    together = session.run_briefly([IMAGES[:3], IMAGES[3:4], IMAGES[4:]])
    assert np.abs(together - alone).max() < 1e-5


def test_a_model_that_gives_fewer_rows_than_images_fails_and_says_so() -> None:
    session = open_session(short_model())
    assert session.run(IMAGES[:1]).shape == (1, 10)
    with pytest.raises(InferenceFailedError, match=r"shape \(1, 10\) for 2 images, not \(2, 10\)"):
        session.run(IMAGES[:2])


def test_what_was_interrupted_in_the_calling_thread_leaves_the_session_usable() -> None:
    session = open_session(slow_model(rounds_of_trigger=25_000_000))
    for _ in range(3):
        with pytest.raises(TimeoutError):
            session.run_briefly([TRIGGER])
        assert session.run_briefly([IMAGES[:1]]).shape == (1, 10)


def test_a_stop_ends_its_own_run_and_no_other() -> None:
    session = open_session(slow_model(rounds_of_trigger=25_000_000))
    outcomes: list[object] = []
    is_done = threading.Semaphore(0)

    def done(outcome: object, _seconds: float) -> None:
        outcomes.append(outcome)
        is_done.release()

    stop_running = session.start([TRIGGER], done)
    stop_waiting = session.start([TRIGGER], done)
    session.start([IMAGES[:1]], done)
    stop_waiting()
    stop_running()
    for _ in range(3):
        assert is_done.acquire(timeout=10)
    assert [type(outcome) for outcome in outcomes] == [TimeoutError, TimeoutError, np.ndarray]
    stop_running()  # the run has ended, so this does nothing
    session.start([IMAGES[:1]], done)
    assert is_done.acquire(timeout=10)
    assert isinstance(outcomes[-1], np.ndarray)
