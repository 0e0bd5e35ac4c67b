"""Arrays as bodies: read without a copy, and checked before use."""

import io
import pickle

import numpy as np
import pytest

from service.decoding import Target, read_images, write_array
from service.errors import InvalidImagesError, MalformedRequestError

TARGET = Target(4, 5, "RGB", "cover", light_on_dark=False)


def npy(array: object, **options: bool) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, **options)  # type: ignore[arg-type]
    return stream.getvalue()


def test_a_batch_is_read_as_it_was_written() -> None:
    batch = np.random.default_rng(0).integers(0, 256, (7, 4, 5, 3), np.uint8)
    assert (read_images(npy(batch), TARGET) == batch).all()


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((2, 5, 4, 3), np.uint8),
        np.zeros((2, 4, 5), np.uint8),
        np.zeros((0, 4, 5, 3), np.uint8),
        np.zeros((2, 4, 5, 3), np.float32),
        np.asfortranarray(np.zeros((2, 4, 5, 3), np.uint8)),
    ],
    ids=["turned", "no channels", "no images", "float", "fortran"],
)
def test_another_shape_or_type_is_refused_with_the_right_one(array: np.ndarray) -> None:
    with pytest.raises(InvalidImagesError, match=r"this model takes uint8 \[N, 4, 5, 3\] in C order"):
        read_images(npy(array), TARGET)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x93NUMPY",
        b"\x93NUMPY\x01\x00\xff\xff" + b" " * 100,
        npy(np.zeros((2, 4, 5, 3), np.uint8))[:-1],
        npy(np.zeros((2, 4, 5, 3), np.uint8)) + b"x",
        npy(np.zeros((2, 4, 5, 3), np.uint8)).replace(b"(2, 4, 5, 3)", b"(99999999999, 4, 5, 3)"[:12]),
    ],
    ids=["empty", "magic only", "endless header", "short", "long", "lying header"],
)
def test_a_broken_file_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedRequestError):
        read_images(data, TARGET)


def test_nothing_is_unpickled() -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, ...]:
            return pytest.fail, ("the pickle was loaded",)

    array = np.empty((1, 4, 5, 3), object)
    array[:] = 0
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "|O", "fortran_order": False, "shape": (1, 4, 5, 3)})
    with pytest.raises((InvalidImagesError, MalformedRequestError)):
        read_images(stream.getvalue() + pickle.dumps(Bomb()), TARGET)


def test_probabilities_are_written_as_numpy_reads_them() -> None:
    rows = np.random.default_rng(0).random((3, 10), np.float32)
    read = np.load(io.BytesIO(write_array(rows)))
    assert read.dtype == np.float32
    assert (read == rows).all()
