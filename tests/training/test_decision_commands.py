"""``convoy calibrate`` writes thresholds from held-out pictures, and ``convoy evaluate`` shows what they do."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

from contract import COVERAGES
from training.cli import main
from training.data.dataset import LabelledImages
from training.data.learnt_pictures import LearntPictures
from training.decisions import _read_metrics
from training.errors import ModelFileError
from training.onnx_classifier import OnnxClassifier
from training.onnx_file import with_metadata

CIFAR10 = Path("models/cifar10/2/model.onnx")


def without_levels() -> bytes:
    """The file of a model that has no thresholds yet."""
    said = dataclasses.replace(OnnxClassifier.open(CIFAR10).metadata, conformal=None, familiarity=None)
    return with_metadata(onnx.load(CIFAR10), said)


def save_noise(folder: Path, count: int, seed: int = 0) -> None:
    """Writes pictures of noise, which are all different."""
    folder.mkdir(parents=True)
    for number, pixels in enumerate(np.random.default_rng(seed).integers(0, 256, (count, 32, 32, 3), np.uint8)):
        Image.fromarray(pixels).save(folder / f"{number}.png")


class TestCalibrate:
    def test_evaluate_says_that_the_thresholds_are_of_these_pictures(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        model = tmp_path / "model.onnx"
        model.write_bytes(without_levels())
        for folder, seeds in (("held", range(10)), ("other", range(10, 20))):
            for seed, label in zip(seeds, OnnxClassifier.open(CIFAR10).metadata.labels, strict=True):
                save_noise(tmp_path / folder / label, 10, seed)
        assert main(["calibrate", str(model), str(tmp_path / "held")]) == 0
        said = []
        for folder in ("held", "other"):
            words = ["evaluate", str(model), "--data-dir", str(tmp_path / folder), "--part", "all", "--json"]
            assert main(words) == 0
            said.append("thresholds for coverage and familiarity were fitted on" in capsys.readouterr().err)
        assert said == [True, False]

    def test_a_folder_of_pictures_adds_metadata_and_leaves_the_graph(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        model = tmp_path / "model.onnx"
        model.write_bytes(without_levels())
        before = onnx.load(model).graph.SerializeToString()
        labels = OnnxClassifier.open(model).metadata.labels
        for seed, label in enumerate(labels):
            save_noise(tmp_path / "held" / label, 20, seed)
        (tmp_path / "MODEL_CARD.md").write_text("# a\n\n## To decide by\n\ncovered: 99.2 %\n")
        assert main(["calibrate", str(model), str(tmp_path / "held")]) == 0
        assert "coverage 0.9, 0.95, from 200 held-out pictures" in capsys.readouterr().out
        assert "99.2 %" not in (tmp_path / "MODEL_CARD.md").read_text()  # measured with the thresholds of before
        assert onnx.load(model).graph.SerializeToString() == before
        said = OnnxClassifier.open(model).metadata
        assert [level.coverage for level in said.conformal.levels] == [0.9, 0.95]
        assert said.labels == labels

    def test_levels_that_clients_may_ask_for_are_not_lost(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        shutil.copy(CIFAR10, tmp_path / "model.onnx")
        before = OnnxClassifier.open(tmp_path / "model.onnx").metadata
        save_noise(tmp_path / "held" / before.labels[0], 130)
        assert main(["calibrate", str(tmp_path / "model.onnx"), str(tmp_path / "held")]) == 2
        said = "would lose the coverage 0.95, 0.98, 0.99, for which 130 held-out pictures are too few: 1,000 are needed"
        assert said in capsys.readouterr().err
        assert OnnxClassifier.open(tmp_path / "model.onnx").metadata == before

    def test_copies_of_a_picture_count_once_and_classes_without_pictures_are_named(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "model.onnx").write_bytes(without_levels())
        save_noise(tmp_path / "held" / "cat", 100)
        for number in range(10):
            shutil.copy(tmp_path / "held" / "cat" / "0.png", tmp_path / "held" / "cat" / f"copy{number}.png")
        assert main(["calibrate", str(tmp_path / "model.onnx"), str(tmp_path / "held")]) == 0
        out, err = capsys.readouterr()
        assert "coverage 0.9, from 100 held-out pictures" in out
        assert "10 of 110 pictures are left out, since they are copies of others" in err
        assert "9 of 10 classes have no held-out picture, and the thresholds are not fitted for them: airplane" in err

    def test_a_picture_in_two_classes_is_refused(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (tmp_path / "model.onnx").write_bytes(without_levels())
        for label in ("cat", "dog"):
            save_noise(tmp_path / "held" / label, 2)
        assert main(["calibrate", str(tmp_path / "model.onnx"), str(tmp_path / "held")]) == 2
        said = "has the same picture as 'cat' and as 'dog', and 2 such pictures in all"
        assert said in capsys.readouterr().err

    def test_pictures_that_the_model_learnt_from_are_left_out(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        shutil.copy(CIFAR10, tmp_path / "model.onnx")
        label = OnnxClassifier.open(tmp_path / "model.onnx").metadata.labels[0]
        pixels = np.random.default_rng(0).integers(0, 256, (120, 32, 32, 3), np.uint8)
        (tmp_path / "held" / label).mkdir(parents=True)
        for number, picture in enumerate(pixels):
            Image.fromarray(picture).save(tmp_path / "held" / label / f"{number}.png")
        learnt = LabelledImages(pixels[:90], np.zeros(90, np.int64))
        (tmp_path / "learnt.json").write_text(LearntPictures.of(learnt).to_json())
        assert main(["calibrate", str(tmp_path / "model.onnx"), str(tmp_path / "held")]) == 2
        said = capsys.readouterr().err
        assert "90 of 120 pictures are left out, since the model learnt from them" in said
        assert "30 held-out pictures are too few" in said

    def test_too_few_pictures_leave_the_thresholds_as_they_are(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        shutil.copy(CIFAR10, tmp_path / "model.onnx")
        before = OnnxClassifier.open(tmp_path / "model.onnx").metadata
        (tmp_path / "held" / before.labels[0]).mkdir(parents=True)
        Image.new("RGB", (32, 32)).save(tmp_path / "held" / before.labels[0] / "a.png")
        assert main(["calibrate", str(tmp_path / "model.onnx"), str(tmp_path / "held")]) == 2
        assert "Nothing was changed" in capsys.readouterr().err
        assert OnnxClassifier.open(tmp_path / "model.onnx").metadata.conformal == before.conformal

    def test_the_folder_of_a_version_is_its_model(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (tmp_path / "model.onnx").write_bytes(without_levels())
        save_noise(tmp_path / "held" / "cat", 1)
        assert main(["calibrate", str(tmp_path), str(tmp_path / "held")]) == 2
        assert "1 held-out pictures are too few" in capsys.readouterr().err

    @pytest.mark.parametrize("folder", ["missing", "parts"])
    def test_what_is_no_folder_of_held_out_pictures_is_told(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], folder: str
    ) -> None:
        shutil.copy(CIFAR10, tmp_path / "model.onnx")
        for part in ("train", "test"):
            (tmp_path / "parts" / part).mkdir(parents=True)
        assert main(["calibrate", str(tmp_path / "model.onnx"), str(tmp_path / folder)]) == 2
        assert "Traceback" not in capsys.readouterr().err
        assert OnnxClassifier.open(tmp_path / "model.onnx").metadata.conformal is not None

    @pytest.mark.parametrize("content", ["", "[]", "[" * 100_000])
    def test_a_damaged_record_beside_the_model_is_named_before_anything_is_written(
        self, content: str, tmp_path: Path
    ) -> None:
        (tmp_path / "metrics.json").write_text(content)
        with pytest.raises(ModelFileError, match=r"metrics\.json is damaged"):
            _read_metrics(tmp_path / "metrics.json")


def test_evaluate_all_takes_the_validation_pictures_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    random = np.random.default_rng(0)
    for part, count in (("train", 3), ("val", 2), ("test", 1)):
        for label in ("cat", "dog"):
            (tmp_path / part / label).mkdir(parents=True)
            for number in range(count):
                pixels = random.integers(0, 256, (32, 32, 3), np.uint8)
                Image.fromarray(pixels).save(tmp_path / part / label / f"{number}.png")
    assert main(["evaluate", str(CIFAR10), "--data-dir", str(tmp_path), "--part", "all", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["images"] == 12


def test_evaluate_shows_all_figures_and_draws_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    random = np.random.default_rng(0)
    for part in ("train", "test"):
        for label in OnnxClassifier.open(CIFAR10).metadata.labels:
            (tmp_path / "pictures" / part / label).mkdir(parents=True)
            for number in range(3):
                pixels = random.integers(0, 256, (32, 32, 3), np.uint8)
                Image.fromarray(pixels).save(tmp_path / "pictures" / part / label / f"{number}.png")
    words = ["evaluate", str(CIFAR10), "--data-dir", str(tmp_path / "pictures"), "--figures", str(tmp_path / "drawn")]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert all(text in said for text in ("95 % interval", "Sets of labels", "Abstaining", "Familiar"))
    assert main([*words, "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)["decisions"]
    assert [level["asked"] for level in figures["sets"]] == list(COVERAGES)
    assert len(figures["interval"]) == 2
    drawn = {path.name for path in (tmp_path / "drawn").iterdir()}
    assert drawn == {"calibration.png", "risk_coverage.png", "sets_of_labels.png"}
    for path in (tmp_path / "drawn").iterdir():
        with Image.open(path) as picture:
            assert min(picture.size) > 300
