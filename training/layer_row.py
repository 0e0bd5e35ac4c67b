"""One row of the table that ``convoy describe`` prints of any network, and the table."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

from training.files import one_line

_WIDTH = 150


@dataclass(frozen=True, slots=True)
class LayerRow:
    """One row. A text is empty where it does not apply to the layer, and ``?`` where it is not known.

    Attributes:
        name: the layer's name.
        kind: its class in Keras, or its operation in ONNX.
        kernel: sides of the window.
        stride: of the window.
        padding: in pixels on each side, or a word.
        output: shape of its output, without the batch.
        parameters: the number of weights, including those that training does not change.
        multiply_adds: for one picture; None where that is not known.
    """

    name: str
    kind: str
    kernel: str
    stride: str
    padding: str
    output: str
    parameters: int
    multiply_adds: int | None


def print_rows(title: str, facts: Mapping[str, str], rows: Sequence[LayerRow], others: Counter[str]) -> None:
    """Prints a network.

    Args:
        title: of the table.
        facts: about the whole network, one per line.
        rows: of its layers.
        others: how many other operations there are, by kind.
    """
    console = Console(highlight=False, width=_WIDTH, soft_wrap=True)
    console.print(Text(one_line(title)))
    for name, value in facts.items():
        console.print(Text(f"  {name:<14}{one_line(value)}"))
    unknown = sum(row.multiply_adds is None for row in rows)
    table = Table("layer", "kind", show_footer=True)
    for heading in ("kernel", "stride", "padding", "output"):
        table.add_column(heading, justify="right")
    table.add_column("parameters", justify="right", footer=f"{sum(row.parameters for row in rows):,}")
    total = sum(row.multiply_adds or 0 for row in rows)
    table.add_column("multiply-adds", justify="right", footer=f"{total:,}{' and more' * bool(unknown)}")
    for row in rows:
        cost = "?" if row.multiply_adds is None else f"{row.multiply_adds:,}"
        words = (row.name, row.kind, row.kernel, row.stride, row.padding, row.output)
        table.add_row(*(Text(one_line(word)) for word in words), f"{row.parameters:,}", cost)
    Console(highlight=False, width=_WIDTH).print(table)
    if others:
        listed = ", ".join(f"{count} {kind}" for kind, count in others.most_common())
        console.print(Text(f"without weights of their own: {one_line(listed)}"))
    if unknown:
        console.print(f"? of {unknown} layers: the file leaves shapes open, or the operation's cost is not known here")
