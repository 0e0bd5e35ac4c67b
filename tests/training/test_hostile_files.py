"""Manipulated files, files of other kinds, and places that cannot be written: one clear line of error, at once."""

import gzip
import io
import json
import os
import pickle
import resource
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training.cli import main
from training.data import cifar10, kaggle_csv, mnist_idx
from training.data.picture import PictureRule
from training.data.picture_table import list_table
from training.errors import DataError, ModelFileError, PublishError, RunError, TrainingError
from training.files import reason, write_atomically
from training.onnx_classifier import OnnxClassifier
from training.publish import publishing
from training.run_directory import RunDirectory, State

BATCH = {b"labels": [1, 2], b"data": np.zeros((2, 3072), np.uint8)}
PICKLED = pickle.dumps(BATCH, protocol=2)


def refused(attempt: Callable[[], object], kind: type[TrainingError], message: str) -> None:
    """Checks that a command is refused with one line of error."""
    with pytest.raises(kind, match=message) as raised:
        attempt()
    assert "\n" not in str(raised.value)


class TestCifar10:
    @pytest.fixture
    def read(self, cifar10_directory: Path) -> Callable[[bytes], object]:
        def read(content: bytes) -> object:
            (cifar10_directory / "data_batch_1").write_bytes(content)
            return cifar10.load(cifar10_directory)

        return read

    @pytest.mark.parametrize("protocol", [2, 3, 4])
    def test_every_protocol_that_numpy_writes_is_read(self, read: Callable[[bytes], Any], protocol: int) -> None:
        pixels = np.random.default_rng(0).integers(0, 256, (2, 3072), np.uint8)
        for order in ("C", "F"):
            written = {b"labels": [1, 2], b"data": np.asarray(pixels, order=order)}
            found = read(pickle.dumps(written, protocol=protocol)).train
            np.testing.assert_array_equal(found.pixels[:2].transpose(0, 3, 1, 2).reshape(2, -1), pixels)
            np.testing.assert_array_equal(found.classes[:2], [1, 2])

    @pytest.mark.parametrize("data_type", [b"O8", b"V1", b"i8", b"?1", b"u2"])
    def test_a_false_data_type_does_not_reach_numpy(self, read: Callable[[bytes], object], data_type: bytes) -> None:
        """With ``O8`` numpy would use the pixels as addresses of objects, and the process would crash."""
        assert PICKLED.count(b"u1") == 1
        refused(lambda: read(PICKLED.replace(b"u1", data_type)), DataError, r"data_batch_1: data must be uint8")

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"\x80\x02.",
            b"\x80\x02]q\x00.",
            b"\x80\x02N\x8b" + b"\xff" * 20,  # a number of 4 GB
            b"\x80\x02}r\xff\xff\xff\xff.",  # a place in the memo that would take 64 GB
            b"\x80\x02})"
            + b"".join(b"q%ch%c\x86" % (place, place) for place in range(64))
            + b"Ns.",  # 2**64 steps to hash
            b"cos\nsystem\n(S'true'\ntR.",
            b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R.",
            PICKLED.replace(b"_reconstruct", b"fromstring"),
            PICKLED[:-1] + b"b.",
        ],
    )
    def test_a_hostile_pickle_is_refused(self, read: Callable[[bytes], object], content: bytes) -> None:
        refused(lambda: read(content), DataError, "data_batch_1 is ")

    def test_a_named_pipe_is_not_waited_for(self, cifar10_directory: Path) -> None:
        (cifar10_directory / "data_batch_1").unlink()
        os.mkfifo(cifar10_directory / "data_batch_1")
        refused(lambda: cifar10.load(cifar10_directory), DataError, "not a regular file")


class TestMnist:
    def test_a_bomb_is_not_held(self, mnist_directory: Path) -> None:
        path = mnist_directory / "train-images-idx3-ubyte.gz"
        path.write_bytes(gzip.compress(struct.pack(">4B3I", 0, 0, 8, 3, 500, 28, 28) + bytes(100 << 20), 1))
        tracemalloc.start()
        try:
            refused(lambda: mnist_idx.load(mnist_directory), DataError, "holds more than 392000")
            assert tracemalloc.get_traced_memory()[1] < 8 << 20
        finally:
            tracemalloc.stop()

    def test_a_header_cannot_ask_for_any_memory(self, mnist_directory: Path) -> None:
        path = mnist_directory / "train-images-idx3-ubyte.gz"
        path.write_bytes(gzip.compress(struct.pack(">4B3I", 0, 0, 8, 3, 2**32 - 1, 2**32 - 1, 2**32 - 1)))
        refused(lambda: mnist_idx.load(mnist_directory), DataError, "its header announces")

    def test_a_csv_may_be_no_pipe_and_no_single_line(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "test.csv")
        refused(lambda: kaggle_csv.read_unlabelled(tmp_path / "test.csv"), DataError, "not a regular file")
        (tmp_path / "train.csv").write_bytes(b"label," * 1_000_000)
        refused(lambda: kaggle_csv.read_labelled(tmp_path / "train.csv"), DataError, "must begin with the header")


class TestCheckpoint:
    @pytest.fixture
    def run(self, tmp_path: Path) -> RunDirectory:
        run = RunDirectory(tmp_path / "run", {"seed": 0})
        weights = [np.zeros((2, 3), np.float32)]
        run.save(State(1, weights, weights, weights, 1, 0.5, {"loss": [1.0]}))
        return run

    @pytest.mark.parametrize(
        "facts",
        [
            [],
            {},
            {"epochs_done": "1"},
            {"epochs_done": -1},
            {"best_epoch": 9},
            {"best_loss": None},
            {"history": {"loss": [1.0, 2.0]}},
            {"history": {"loss": ["x"]}},
            {"history": []},
            {"network_arrays": 2**62},
            {"network_arrays": "1"},
            {"something": "else"},
        ],
    )
    def test_false_facts_are_refused(self, run: RunDirectory, facts: dict[str, Any] | list[Any]) -> None:
        with np.load(run.checkpoint) as arrays:
            kept = dict(arrays)
        known = json.loads(str(kept.pop("facts")))
        written = known | facts if isinstance(facts, dict) and facts else facts
        np.savez(run.checkpoint, facts=np.array(json.dumps(written)), **kept)
        refused(run.load, RunError, "checkpoint.npz is damaged: delete")

    @pytest.mark.parametrize("header", ["[" * 195, "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", "\\d"])
    def test_a_hostile_array_is_refused(self, run: RunDirectory, header: str, recwarn: pytest.WarningsRecorder) -> None:
        text = header.encode().ljust(246) + b"\n"
        array = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + pickle.dumps(print)
        with zipfile.ZipFile(run.checkpoint, "w") as archive:
            archive.writestr("facts.npy", array)
        refused(run.load, RunError, "checkpoint.npz is damaged: delete")
        assert not recwarn

    def test_a_bomb_is_not_inflated(self, run: RunDirectory) -> None:
        content = io.BytesIO()
        np.save(content, np.zeros(64 << 20, np.uint8))
        with zipfile.ZipFile(run.checkpoint, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("facts.npy", content.getvalue())
        refused(run.load, RunError, "checkpoint.npz is damaged: delete")

    @pytest.mark.parametrize("content", [b"[]", b"[" * 100_000, b"\xff", b"", b"0"])
    def test_a_false_identity_is_refused(self, run: RunDirectory, content: bytes) -> None:
        (run.path / "run.json").write_bytes(content)
        refused(run.load, RunError, r"run.json .*: train with --fresh")

    @pytest.mark.parametrize("name", ["run.json", "checkpoint.npz"])
    def test_a_named_pipe_is_not_waited_for(self, run: RunDirectory, name: str) -> None:
        (run.path / name).unlink()
        os.mkfifo(run.path / name)
        refused(run.load, RunError, f"{name} cannot be read .not a regular file")


def test_a_model_may_be_no_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "model.onnx")
    refused(lambda: OnnxClassifier.open(tmp_path / "model.onnx"), ModelFileError, "not a regular file")


def test_a_huge_file_is_not_read_as_a_picture(picture_folder: Path) -> None:
    with (picture_folder / "bird" / "huge.png").open("wb") as file:
        file.truncate(1 << 40)
    rule = PictureRule(32, 32, "RGB", fit="cover", polarity="any")
    refused(lambda: rule.read(picture_folder / "bird" / "huge.png"), DataError, "at most 256 MiB are read")


def test_an_error_is_one_line_whatever_a_file_is_called(
    picture_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (picture_folder / "bird" / "a\n\x1b[31mb.png").write_bytes(b"no picture")
    assert main(["things", "--data-dir", str(picture_folder)]) == 2
    said = capsys.readouterr().err
    *report, error = said.splitlines()
    assert error.startswith("error: ")
    assert "a ?[31mb.png is not a picture" in error
    assert [line.strip()[:8] for line in report[1:]] == [
        "bird: 10",
        "ship: 10",
        "truck: 1",
        "sizes in",
        "cannot b",
        str(picture_folder)[:8],
    ]
    assert "\x1b" not in said


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError(), "no reason is given"),
        (MemoryError(), "there is not enough memory"),
        (RuntimeError("one\n  two"), "one two"),
    ],
)
def test_an_error_without_words_has_a_reason_too(error: Exception, said: str) -> None:
    assert reason(error) == said


class TestWriting:
    def test_a_full_disk_leaves_the_old_checkpoint(self, tmp_path: Path) -> None:
        run = RunDirectory(tmp_path / "run", {"seed": 0})
        run.save(State(epochs_done=1))
        large = State(epochs_done=2, network=[np.zeros(10_000, np.float32)])
        self._fill(lambda: refused(lambda: run.save(large), RunError, "cannot be written to .*/run .File too large"))
        found = run.load()
        assert found is not None
        assert found.epochs_done == 1
        assert {path.name for path in run.path.iterdir()} == {"run.json", "checkpoint.npz"}

    def test_a_full_disk_leaves_the_old_version(self, tmp_path: Path) -> None:
        def publish(content: bytes) -> None:
            with publishing(tmp_path, "model", "1") as folder:
                (folder / "model.onnx").write_bytes(content)

        publish(b"old")
        self._fill(lambda: refused(lambda: publish(bytes(10_000)), PublishError, "model/1 cannot be written .File too"))
        assert [path.name for path in (tmp_path / "model").iterdir()] == ["1"]
        assert (tmp_path / "model" / "1" / "model.onnx").read_bytes() == b"old"

    def test_a_full_disk_leaves_no_half_of_a_file(self, tmp_path: Path) -> None:
        def write() -> None:
            with pytest.raises(OSError, match="File too large"):
                write_atomically(tmp_path / "submission.csv", bytes(10_000))

        self._fill(write)
        assert list(tmp_path.iterdir()) == []

    def test_a_place_that_cannot_be_written_is_named(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (tmp_path / "file").touch()

        def publish() -> None:
            with publishing(tmp_path / "file", "model", "1"):
                pass

        refused(publish, PublishError, "file/model/1 cannot be written .Not a directory.: nothing is published")
        assert main(["evaluate", str(tmp_path), "--data-dir", str(tmp_path)]) == 2
        assert capsys.readouterr().err == f"error: {tmp_path} holds no model.onnx\n"

    @staticmethod
    def _fill(attempt: Callable[[], object]) -> None:
        """Simulates a full disk: within this context no file can be larger than 4 KiB."""
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
        try:
            attempt()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)


class TestTables:
    def test_a_row_of_more_cells_than_columns_is_told_and_not_guessed(self, tmp_path: Path) -> None:
        table = tmp_path / "pictures.csv"
        for rows in (("a,b.png,cat", "c.png,dog"), ("c.png,dog", "a,b.png,cat")):
            table.write_text("\n".join(("path,label", *rows)))
            listing = list_table(table)
            assert [(entry.path.name, entry.label) for entry in listing.entries] == [("c.png", "dog")]
            assert [trouble.kind for trouble in listing.troubles] == ["row of more cells than columns"]

    @pytest.mark.parametrize("name", ["a" * 5000, "a\0b", "gone.png"])
    def test_a_name_that_no_file_can_have_is_one_clear_line(self, tmp_path: Path, name: str) -> None:
        rule = PictureRule(8, 8, "RGB", "stretch", "any")
        refused(lambda: rule.read(tmp_path / name), DataError, "does not exist|cannot be read|not a picture")


def test_a_byte_order_mark_before_a_csv_is_no_part_of_it(tmp_path: Path) -> None:
    table = tmp_path / "train.csv"
    header = ",".join(["label", *(f"pixel{number}" for number in range(784))])
    table.write_bytes("\ufeff".encode() + f"{header}\n{','.join(['5', *['0'] * 784])}\n".encode() * 1)
    assert kaggle_csv.read_labelled(table).classes.tolist() == [5]
