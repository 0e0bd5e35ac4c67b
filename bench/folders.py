"""The folders of models, samples, temporary files and reports."""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
MODELS: Final = ROOT / "models"
FIXTURES: Final = ROOT / "tests" / "fixtures"
SAMPLES: Final = FIXTURES / "samples"
SCRATCH: Final = ROOT / "build" / "bench"
REPORTS: Final = ROOT / "bench" / "reports"
FIGURES: Final = ROOT / "docs" / "figures"
