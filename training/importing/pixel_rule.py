"""Decides which rule for pixels is applied before a network, so that what its graph does is not applied twice."""

from dataclasses import replace

from training.errors import ImportRefusedError
from training.importing.preprocessing import Preprocessing
from training.importing.source import Source
from training.importing.stated import Fact


def pixel_rule(
    origin: str, said: Fact[Preprocessing] | None, scales_inside: str, inside: Preprocessing | None
) -> Fact[Preprocessing] | None:
    """The stated rule for pixels, or none where the network itself scales them, so that nothing is applied twice.

    Args:
        origin: of the network, for messages.
        said: the stated rule.
        scales_inside: the names of the network's own scaling layers; empty where it has none.
        inside: the rule of these layers, where it can be written as one; without scaling layers, what the network
            subtracts from pixels of 0..1 and divides them by, or None.

    Returns:
        The rule; None where none is stated.

    Raises:
        ImportRefusedError: the network and the stated rule would scale pixels twice.
    """
    if not scales_inside:
        return _unscaled(origin, said, inside)
    raw = Fact(Preprocessing.parse("raw"), f"the network scales pixels itself: {scales_inside}")
    if said is None or said.value.is_identity:
        return raw
    if said.value.keeps_values:  # the network scales pixels itself, but takes them as BGR
        return said
    # If only means are subtracted before, and the network only divides, nothing is applied twice.
    if said.value.is_twice or (inside is not None and not any(inside.mean) and set(said.value.std) == {1.0}):
        return Fact(said.value, f"{said.origin}; {then_scaled(scales_inside)}")
    if inside is not None and said.value.equals(inside):
        asked = f"which is what {said.origin} asks for; it is not applied twice; --preprocessing RULE,twice would"
        return Fact(raw.value, f"{raw.origin}, {asked}")
    if inside is not None and inside.order == "RGB" and said.value.equals(replace(inside, order="BGR")):
        return Fact(Preprocessing.parse("raw,order=BGR"), said.origin)  # only the order is left to change
    raise ImportRefusedError(
        f"{origin}: {said.origin}, but the network scales pixels itself ({scales_inside}). Applied twice, its answers "
        "would be wrong. Say --preprocessing raw, or raw,order=BGR, if it takes pixels from 0 to 255; or add ,twice if "
        "the notebook did both"
    )


def _unscaled(
    origin: str, said: Fact[Preprocessing] | None, inside: Preprocessing | None
) -> Fact[Preprocessing] | None:
    """The stated rule, before a network that scales nothing, but may normalise pixels from 0 to 1."""
    if said is None:
        return None
    if inside is None:
        if said.value.is_twice:
            raise ImportRefusedError(f"{origin}: {said.origin}, but no scaling of its own was found; leave `twice` out")
        return said
    if said.value.is_unit:
        return said
    if said.value.is_twice:
        return Fact(said.value, f"{said.origin}; then the network {normalisation(inside)}")
    raise ImportRefusedError(
        f"{origin}: {said.origin}, but the network itself {normalisation(inside)}. Applied twice, its answers would be "
        "wrong. Say --preprocessing unit; or RULE,twice if the notebook did both"
    )


def normalisation(inside: Preprocessing) -> str:
    """What a network does with pixels of 0..1, as text."""
    mean, std = (", ".join(f"{value:.4g}" for value in values) for values in (inside.mean, inside.std))
    return f"subtracts {mean} and divides by {std}, which fit pixels from 0 to 1"


def then_scaled(scales_inside: str) -> str:
    """That a network scales pixels after the stated rule, as text."""
    return f"then the network scales pixels itself: {scales_inside}"


def check_order(source: Source, rule: Fact[Preprocessing] | None, *, measures: bool) -> None:
    """Checks that the rule names an order where the file says that the network takes BGR."""
    order = source.stated.order
    if order is None or order.value != "BGR" or (rule is None and not measures):
        return
    if rule is None or not rule.value.names_order:
        where = rule.origin if rule else "--preprocessing measured"
        raise ImportRefusedError(
            f"{order.origin} says that the network takes BGR, and {where} names no order; say it, such as "
            "--preprocessing unit,order=BGR, or unit,order=RGB if the metadata is wrong"
        )
