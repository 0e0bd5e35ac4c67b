import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]

# In a separate process, since logical devices must be configured before TensorFlow starts.
SCRIPT = """
import sys
from pathlib import Path
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from training import devices, recipes
from training.run_directory import RunDirectory
from training.data import sources
from training.fit import fit, run_identity
names = ["CPU:0", "CPU:1"]
assert devices.strategy(names).num_replicas_in_sync == 2
assert devices.strategy([]).num_replicas_in_sync == 1
data = sources.load("mnist", Path(sys.argv[1]), sources.OwnPictures())
recipe = recipes.find("mnist", "best").with_epochs(2)
fitted = fit(recipe, data, RunDirectory(Path(sys.argv[2]), run_identity(recipe, data, 0)), seed=0, device_names=names)
print("losses", *fitted.history["loss"])
"""


def test_two_devices_train_by_the_same_code(mnist_directory: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", SCRIPT, str(mnist_directory), str(tmp_path / "run")]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    _, first, second = result.stdout.splitlines()[-1].split()
    assert float(second) < float(first)
