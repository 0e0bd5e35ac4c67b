"""A table in Markdown."""

import re
from collections.abc import Sequence

_NUMBER = re.compile(r"[\d,.]*%? *$")


def grid(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; columns of numbers are aligned to the right.

    Args:
        names: of the columns.
        rows: of as many cells as there are columns.
    """
    columns = [[row[place] for row in rows] for place in range(len(names))]
    are_numbers = [any(cells) and all(map(_NUMBER.match, cells)) for cells in columns]
    ruler = "|".join(" ---: " if to_right else " --- " for to_right in are_numbers)
    return "\n".join([f"| {' | '.join(names)} |", f"|{ruler}|", *(f"| {' | '.join(row)} |" for row in rows)])
