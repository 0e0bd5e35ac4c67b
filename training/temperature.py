"""Temperature scaling: calibrates confidences with one number (Guo et al., 2017, section 4.2).

Logits are divided by a temperature before the softmax. That changes neither the ranking of the classes nor the
accuracy; it only lowers confidences that are too high, or raises those that are too low. Needs numpy only.

A network with few mistakes gives the fit little to go by, and chance can make the temperature worse than none: two
mistakes among 1,500 pictures once gave 0.67, where 10 among 3,000 gave 1.24. So a temperature is used only where a
likelihood-ratio test (Wilks, 1938) tells it from 1.
"""

import numpy as np
from numpy.typing import NDArray

from training.scores import Classes

LEAST_IMAGES = 100
"""On fewer pictures the temperature stays 1, since its random error would be too large."""

Logits = NDArray[np.float64]
_LEAST, _MOST = 0.05, 20.0
_BISECTIONS = 60
_CHI_SQUARE_95 = 3.841
"""With a true temperature of 1, twice the gain in log likelihood exceeds this in 5 of 100 draws (one parameter)."""
_AT_BOUND = 1e-3  # a result this near a bound means that the loss has no minimum between the bounds


def fit_temperature(logits: Logits, classes: Classes) -> float:
    """The temperature of least log loss.

    The loss is convex in 1 / temperature, and its slope there is the mean of (expected logit - true logit), so the
    zero of that slope is found by bisection.

    Args:
        logits: of the validation split, [N, K].
        classes: the truth, [N].

    Returns:
        A temperature between 0.05 and 20; 1.0 where no other lowers the log loss by more than chance may (a
        likelihood-ratio test at 5 %), where the loss has no minimum in this range (nearly all answers are right, or
        nearly none), and on fewer than 100 pictures.
    """
    if len(classes) < LEAST_IMAGES:
        return 1.0
    true_logits = logits[np.arange(len(classes)), classes]
    coldest, warmest = 1 / _MOST, 1 / _LEAST
    for _ in range(_BISECTIONS):
        inverse = (coldest + warmest) / 2
        expected = np.sum(softmax(logits * inverse) * logits, axis=1)
        if np.mean(expected - true_logits) > 0:
            warmest = inverse
        else:
            coldest = inverse
    temperature = 2 / (coldest + warmest)
    if not _LEAST * (1 + _AT_BOUND) < temperature < _MOST * (1 - _AT_BOUND):
        return 1.0
    gain = log_loss(logits, classes) - log_loss(logits / temperature, classes)
    return temperature if 2 * len(classes) * gain > _CHI_SQUARE_95 else 1.0


def log_loss(logits: Logits, classes: Classes) -> float:
    """Mean negative log-likelihood of the true classes, in nats."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_norm = np.log(np.exp(shifted).sum(axis=1))
    return float(np.mean(log_norm - shifted[np.arange(len(classes)), classes]))


def softmax(logits: Logits) -> Logits:
    """Probabilities, [N, K], each row summing to 1."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: Logits = powers / powers.sum(axis=1, keepdims=True)
    return probabilities
