"""Networks with normalisations: initial weights, folding, and the mirrored view."""

import keras
import numpy as np
import pytest

from contract import FEATURES_NAME, INPUT_NAME, OUTPUT_NAME
from network.graph import read_graph
from service.explaining.hirescam import linear_head
from training.architectures import ARCHITECTURES
from training.batches import as_network_input
from training.calibrate import logits_of
from training.data.dataset import DataSet
from training.export import check_parity, to_onnx
from training.initial_weights import initialise
from training.onnx_classifier import OnnxClassifier
from training.temperature import softmax

NETWORKS = ("airbench_small_cnn", "mnist_deep_cnn", "own_cnn")


@pytest.fixture(scope="module", params=NETWORKS)
def network(request: pytest.FixtureRequest, cifar10_data: DataSet) -> keras.Sequential:
    """Has random statistics, biases and scales (some negative), so that a missing normalisation changes the answers."""
    keras.utils.set_random_seed(3)
    made = ARCHITECTURES[request.param]((32, 32, 3), 10)
    initialise(made, cifar10_data.train)
    rng = np.random.default_rng(3)
    for variable in made.variables:
        name, shape = variable.path.rsplit("/", 1)[-1], variable.shape
        if name in ("beta", "moving_mean"):
            variable.assign(rng.normal(0, 0.2, shape))
        elif name in ("gamma", "moving_variance"):
            variable.assign(rng.uniform(0.5, 2, shape) * (rng.choice([-1, 1], shape) if name == "gamma" else 1))
    head = made.layers[-1]
    head.kernel.assign(np.asarray(head.kernel) * 4)
    return made


@pytest.mark.slow
def test_onnx_runtime_answers_as_keras_does_with_normalisations_folded(
    network: keras.Sequential, cifar10_data: DataSet
) -> None:
    model = to_onnx(network, 1.0)
    expected = network.predict(as_network_input(cifar10_data.test, 10)[0], verbose=0)
    assert expected.std() > 0.01
    assert check_parity(model, network, cifar10_data.test) <= 1e-5
    assert {node.op_type for node in model.graph.node} & {"BatchNormalization", "Sub", "Div", "Sqrt"} == set()


@pytest.mark.slow
def test_the_mirrored_view_answers_from_both_views_and_alike_for_both(
    network: keras.Sequential, cifar10_data: DataSet
) -> None:
    model = to_onnx(network, 2.0, mirrored_view=True)
    classifier, pixels = OnnxClassifier(model.SerializeToString()), cifar10_data.test.pixels
    answered = classifier.predict(pixels, 7)
    expected = softmax(logits_of(network, cifar10_data.test, mirrored_view=True) / 2)
    np.testing.assert_allclose(answered, expected, atol=1e-5)
    np.testing.assert_allclose(classifier.predict(pixels[:, :, ::-1]), answered, atol=1e-5)
    assert np.abs(answered - softmax(logits_of(network, cifar10_data.test) / 2)).max() > 1e-3
    # The maps of both views add up exactly to the answer.
    head, names = linear_head(read_graph(model.SerializeToString())), (OUTPUT_NAME, FEATURES_NAME)
    assert head is not None
    assert head.is_mirrored
    for picture in pixels[:5, np.newaxis]:
        probabilities, features = classifier.outputs(names, picture)
        _, mirrored = classifier.outputs(names, picture[:, :, ::-1].copy())
        assert head.explains(head.contributions(features[0], mirrored[0]), probabilities[0])
    # The features are those of the picture that is not mirrored.
    one = OnnxClassifier(to_onnx(network, 2.0).SerializeToString())
    two_sessions = [item._session.run([FEATURES_NAME], {INPUT_NAME: pixels})[0] for item in (classifier, one)]
    np.testing.assert_allclose(two_sessions[0], two_sessions[1], atol=1e-4)


def test_whitened_patches_have_equal_variances_and_no_correlation(cifar10_data: DataSet) -> None:
    network = ARCHITECTURES["airbench_small_cnn"]((32, 32, 3), 10)
    initialise(network, cifar10_data.train)
    whitening = network.get_layer("whitening")
    answers = np.asarray(whitening(as_network_input(cifar10_data.train, 10)[0])).reshape(-1, 24)
    covariance = np.cov(answers[:, :12], rowvar=False)
    # Directions with almost no variance are noise, and are not scaled up to variance 1.
    assert np.diag(covariance)[:6] == pytest.approx(1.0, abs=0.05)
    assert np.abs(covariance - np.diag(np.diag(covariance))).max() < 0.02
    np.testing.assert_allclose(answers[:, :12], -answers[:, 12:], atol=1e-4)


def test_later_convolutions_begin_by_passing_their_input_on(cifar10_data: DataSet) -> None:
    network = ARCHITECTURES["airbench_small_cnn"]((32, 32, 3), 10)
    initialise(network, cifar10_data.train)
    layer = network.get_layer("conv2_1")
    values = np.random.default_rng(0).random((1, 5, 5, 28), np.float32)
    np.testing.assert_allclose(np.asarray(layer(values))[..., :28], values, atol=1e-6)


def test_a_larger_picture_makes_no_larger_head() -> None:
    small, large = (ARCHITECTURES["own_cnn"]((side, side, 3), 5) for side in (32, 224))
    assert large.layers[-1].count_params() == small.layers[-1].count_params() == 256 * 5 + 5
    # With Flatten and Dense there would be 25 million weights for this size.
    assert large.count_params() < 2_000_000
    assert ARCHITECTURES["own_cnn"]((8, 8, 3), 5).output_shape == (None, 5)
