import argparse
import shlex

import pytest

from training.repeat_command import repeating
from training.train_command import add_arguments


def _options(command: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(shlex.split(command))


@pytest.mark.parametrize(
    "command",
    [
        "mnist --recipe notebook --mirrored-view --epochs 3 --teacher 'an other/model.onnx' --seed 4",
        "pets --recipe best --limit 30 --start-from 'net 2.keras' --data-dir PICTURES --size 64 --color-mode RGB",
        "pets --recipe best --data-dir PICTURES --color-mode L --size 32 --folds 1 --skip-bad --licence 'CC BY 4.0'",
        "pets --recipe backbone --backbone 'my net.keras' --preprocessing '0.5 0.5' --data-dir PICTURES --seed 0",
    ],
)
def test_the_command_on_the_card_gives_the_options_again(command: str) -> None:
    options = _options(command)
    said = repeating(options, options.size or 64, options.color_mode or "RGB")
    assert _options(said.removeprefix("convoy train ")) == options


def test_a_citation_of_several_lines_is_one_line_of_the_card() -> None:
    said = repeating(_options("pets --recipe best --citation '@article{a,\n  year = 2024}'"), 32, "RGB")
    assert said.endswith("--citation '@article{a, year = 2024}'")
