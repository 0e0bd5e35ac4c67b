"""Measures every version of ``cifar10`` on pictures of its classes from other sources than CIFAR-10.

``python -m bench.photographs FOLDER``: FOLDER holds the contents of two Debian packages (version 12)::

    apt-get download tuxpaint-stamps-default openclipart-png
    for package in *.deb; do dpkg-deb -x "$package" FOLDER; done

They hold photographs of cut-out objects and drawings, both on transparent background, which the service makes white.
All that show one object of the ten classes are used, also on grey background, except pick-up trucks, which by
CIFAR-10's rule are in no class. No picture was left out because of its result.
"""

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from bench.folders import MODELS
from contract import wilson_interval
from imaging import Target
from training.data.picture import read_picture
from training.onnx_classifier import OnnxClassifier

_MODELS = MODELS / "cifar10"
_STAMPS = Path("usr/share/tuxpaint/stamps")
_CLIP_ART = Path("usr/share/openclipart/png")
_BIRDS = (
    "blackbird crow cuckoo drake duck gander heron_greatblue heron_greatblue_flying lark magpie owl pigeon rooster "
    "seagull silver-gull vulture"
)

_PHOTOGRAPHS: Mapping[str, str] = {
    "airplane": "vehicles/flight/planes/747",
    "automobile": "vehicles/auto/beetle vehicles/auto/sedan vehicles/auto/sportscar2",
    "bird": " ".join(f"animals/birds/{name}" for name in _BIRDS.split()),
    "deer": " ".join(f"animals/mammals/deer/{name}" for name in ("caribou", "deer", "doe", "wapiti")),
    "dog": "animals/mammals/dogs/dingo animals/mammals/dogs/dog",
    "frog": "animals/amphibians/frog animals/amphibians/frog-1",
    "horse": "animals/mammals/equines/horse",
    "ship": "vehicles/ship/chineseJunk vehicles/ship/walnutBoat",
    "truck": "vehicles/emergency/firetruck vehicles/garbagetruck",
}
_DRAWINGS: Mapping[str, str] = {
    "airplane": "transportation/vehicles/airplane_nicu_buculei_01 transportation/vehicles/military_airplane_mo_01",
    "automobile": "transportation/car_jamin_ellis_ transportation/old_car_lumen_design_st_r "
    "transportation/sportcar_sergio_luiz_ara_01",
    "bird": "animals/birds/bird_of_peace_mauro_oliv_01 animals/birds/jonathon_s_duck_01 "
    "animals/birds/owl_on_branch_ganson",
    "cat": "animals/mammals/housecats/gatto_cat_architetto_fra_01 "
    "animals/mammals/housecats/gatto_cat_architetto_fra_03 animals/mammals/housecats/kitten_gerald_g._01 "
    "animals/mammals/housecats/sleeping_cat_ron_golan_01",
    "deer": "animals/mammals/deer_matt_todd_01",
    "dog": "animals/mammals/dog_03_drawn_with_strai_01 animals/mammals/dog_05_drawn_with_strai_02 "
    "animals/mammals/dog_on_leash_gerald_g._01 animals/mammals/dogs/bulldog_puppy_ganson",
    "frog": "animals/red-eye_frog_mirko_maisc_01",
    "horse": "animals/mammals/horses/horse_1_konstantin_r._01 animals/mammals/horses/horse_2_konstantin_r._01",
    "ship": "transportation/boating/boat_jarno_vasamaa_ transportation/boating/sailboat_illustration",
    "truck": "transportation/big_truck_01 transportation/truck_jarno_vasamaa1 "
    "transportation/vehicles/small_truck_steffen_gluc_01",
}


def main(place: Path) -> None:
    """Prints a table in Markdown, and the wrong answers of each version."""
    with tempfile.TemporaryDirectory() as scratch:
        photographs = _paths(place / _STAMPS, _PHOTOGRAPHS)
        drawings = _paths(place / _CLIP_ART, _DRAWINGS)
        kinds = {
            "photographs on white": photographs,
            "on grey": _on_grey(photographs, Path(scratch)),
            "drawings on white": drawings,
            "drawings on grey": _on_grey(drawings, Path(scratch)),
        }
        print("| cifar10 | " + " | ".join(f"{len(paths)} {kind}" for kind, paths in kinds.items()) + " | all |")
        print("| --- |" + " --- |" * (len(kinds) + 1))
        mistakes: list[str] = []
        for version in sorted((folder.name for folder in _MODELS.iterdir() if folder.name.isdigit()), key=int):
            classifier, right = OnnxClassifier.open(_MODELS / version / "model.onnx"), []
            for kind, paths in kinds.items():
                answers = dict(zip(paths, _ask(classifier, list(paths)), strict=True))
                right.append([answers[path] == label for path, label in paths.items()])
                wrong = [f"{path.stem} ({answers[path]})" for path, label in paths.items() if answers[path] != label]
                mistakes.append(f"version {version}, {kind}: {', '.join(wrong)}")
            cells = [f"{np.mean(found):.0%}" for found in right]
            share = float(np.concatenate(right).mean())
            low, high = wilson_interval(share, len(photographs) + len(drawings))
            print(f"| {version} | " + " | ".join(cells) + f" | {share:.0%} ({low:.0%} to {high:.0%}) |", flush=True)
    print("\nWrong, and taken for what:\n\n" + "\n".join(f"- {line}" for line in mistakes))


def _paths(folder: Path, names: Mapping[str, str]) -> dict[Path, str]:
    return {folder / f"{name}.png": label for label, listed in names.items() for name in listed.split()}


def _on_grey(paths: Mapping[Path, str], folder: Path) -> dict[Path, str]:
    """The same pictures with (128, 128, 128) where they are transparent."""
    made = {}
    for path, label in paths.items():
        picture = Image.open(path).convert("RGBA")
        grey = Image.new("RGBA", picture.size, (128, 128, 128))
        copy = folder / path.name
        Image.alpha_composite(grey, picture).convert("RGB").save(copy)
        made[copy] = label
    return made


def _ask(classifier: OnnxClassifier, paths: list[Path]) -> list[str]:
    """The most probable label of each picture, read as the service reads it."""
    said = classifier.metadata
    target = Target.of(said)
    pixels = np.stack([read_picture(path, target) for path in paths])
    return [said.labels[column] for column in classifier.predict(pixels).argmax(axis=1)]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
