import keras
import numpy as np
import onnx
import onnxruntime
import pytest

from contract import FEATURES_NAME, INPUT_NAME, OPSET, OUTPUT_NAME
from training.architectures import ARCHITECTURES
from training.batches import as_network_input
from training.data.dataset import DataSet, LabelledImages
from training.errors import ExportError
from training.export import check_parity, to_onnx
from training.onnx_classifier import OnnxClassifier
from training.onnx_file import features_shape

pytestmark = pytest.mark.slow

STEPS = 20


def _thousand(data: DataSet) -> LabelledImages:
    """1,000 different pictures: real ones, mirrored, upside down, and as negatives of all those."""
    images = data.train.followed_by(data.test)
    variants = [images.pixels, images.pixels[:, :, ::-1], images.pixels[:, ::-1], images.pixels[:, ::-1, ::-1]]
    pixels = np.concatenate([*variants, *(255 - variant for variant in variants)])[:1000]
    return LabelledImages(pixels, np.zeros(len(pixels), np.int64))


@pytest.fixture(scope="module", params=["cifar10", "mnist"])
def trained(request: pytest.FixtureRequest) -> tuple[keras.Sequential, DataSet]:
    """A network of the notebook's architecture, trained for a few steps on real images."""
    data: DataSet = request.getfixturevalue(f"{request.param}_data")
    keras.utils.set_random_seed(0)
    network = ARCHITECTURES[f"{request.param}_cnn"](data.input_shape, 10)
    network.compile(optimizer="adam", loss="categorical_crossentropy", jit_compile=False)
    inputs, targets = as_network_input(data.train, 10)
    rows = np.resize(np.arange(len(inputs)), STEPS * 32)
    network.fit(inputs[rows], targets[rows], batch_size=32, epochs=1, verbose=0)
    return network, data


def test_onnx_runtime_answers_as_keras_does(trained: tuple[keras.Sequential, DataSet]) -> None:
    network, data = trained
    images = _thousand(data)
    assert len(images) == 1000
    model = to_onnx(network, 1.0)
    inputs, _ = as_network_input(images, 10)
    expected = network.predict(inputs, batch_size=100, verbose=0)
    assert expected.std() > 0.01, "an untrained network's uniform answer proves nothing"
    classifier = OnnxClassifier(model.SerializeToString())
    for batch_size in (1, 7, 256):
        answered = classifier.predict(images.pixels, batch_size)
        assert np.abs(answered - expected).max() <= 1e-5
        np.testing.assert_array_equal(answered.argmax(axis=1), expected.argmax(axis=1))
    assert check_parity(model, network, images) <= 1e-5


def test_the_graph_is_what_the_contract_says(trained: tuple[keras.Sequential, DataSet]) -> None:
    network, data = trained
    model = to_onnx(network, 1.0)
    onnx.checker.check_model(model, full_check=True)
    assert [(entry.domain, entry.version) for entry in model.opset_import if entry.domain == ""] == [("", OPSET)]
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (image,), (probabilities, features) = session.get_inputs(), session.get_outputs()
    assert (image.name, image.type, image.shape) == (INPUT_NAME, "tensor(uint8)", ["N", *data.input_shape])
    assert (probabilities.name, probabilities.type, probabilities.shape) == (OUTPUT_NAME, "tensor(float)", ["N", 10])
    assert (features.name, features.type, features.shape[0]) == (FEATURES_NAME, "tensor(float)", "N")
    assert features_shape(model) == tuple(features.shape[1:])


def test_the_features_are_what_keras_flattens(trained: tuple[keras.Sequential, DataSet]) -> None:
    network, data = trained
    inputs, _ = as_network_input(data.test, 10)
    flatten = next(layer for layer in network.layers if isinstance(layer, keras.layers.Flatten))
    expected = keras.Model(network.inputs, flatten.input).predict(inputs, verbose=0).transpose(0, 3, 1, 2)
    session = onnxruntime.InferenceSession(to_onnx(network, 1.0).SerializeToString())
    (answered,) = session.run([FEATURES_NAME], {INPUT_NAME: data.test.pixels})
    assert expected.max() > 0.1
    np.testing.assert_allclose(answered, expected, atol=1e-5)


def test_the_graph_holds_no_superfluous_node(trained: tuple[keras.Sequential, DataSet]) -> None:
    network, data = trained
    kinds = [node.op_type for node in to_onnx(network, 1.0).graph.node]
    assert len(kinds) == {3: 18, 1: 15}[data.input_shape[-1]]
    # Scaling is folded into a kernel; only colour pictures need a transpose to channels first.
    assert not {"Mul", "Div", "Shape", "Gather", "Concat"} & set(kinds)
    assert kinds.count("Transpose") == (data.input_shape[-1] == 3)


def test_the_temperature_divides_the_logits(trained: tuple[keras.Sequential, DataSet]) -> None:
    network, data = trained
    plain, warm = (
        OnnxClassifier(to_onnx(network, t).SerializeToString()).predict(data.test.pixels) for t in (1.0, 2.0)
    )
    expected = np.sqrt(plain.astype(np.float64))
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(warm, expected, atol=1e-6)


def test_another_network_is_not_taken_for_this_one(trained: tuple[keras.Sequential, DataSet]) -> None:
    network, data = trained
    other = keras.models.clone_model(network)
    with pytest.raises(ExportError, match=r"ONNX Runtime differs from Keras by up to"):
        check_parity(to_onnx(other, 1.0), network, data.test)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (
            [keras.layers.Conv2D(2, 3), keras.layers.LayerNormalization(), keras.layers.Flatten()],
            r"LayerNormalization\) has no served form",
        ),
        ([keras.layers.Conv2D(2, 3), keras.layers.MaxPooling2D()], r"no Flatten or global pooling"),
        ([keras.layers.Conv2D(2, 3, activation="selu"), keras.layers.Flatten()], r"activation 'selu' has no served"),
        ([keras.layers.Conv2D(2, 3, dilation_rate=2), keras.layers.Flatten()], r"dilated, grouped"),
        ([keras.layers.Flatten()], r"no convolution to fold the division"),
    ],
)
def test_what_has_no_served_form_is_refused(layers: list[keras.Layer], message: str) -> None:
    network = keras.Sequential([keras.Input((8, 8, 3)), *layers])
    if isinstance(layers[-1], keras.layers.Flatten):
        network.add(keras.layers.Dense(2, activation="softmax"))
    with pytest.raises(ExportError, match=message):
        to_onnx(network, 1.0)


def test_the_last_layer_must_be_a_softmax() -> None:
    network = keras.Sequential(
        [keras.Input((8, 8, 3)), keras.layers.Conv2D(2, 3), keras.layers.Flatten(), keras.layers.Dense(2)]
    )
    with pytest.raises(ExportError, match=r"must be a Dense layer with softmax"):
        to_onnx(network, 1.0)
