"""Where things lie: what is measured, what is made for it, and where reports go."""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
MODELS: Final = ROOT / "models"
FIXTURES: Final = ROOT / "tests" / "fixtures"
SAMPLES: Final = FIXTURES / "samples"
SCRATCH: Final = ROOT / "build" / "bench"
REPORTS: Final = ROOT / "bench" / "reports"
FIGURES: Final = ROOT / "docs" / "figures"
