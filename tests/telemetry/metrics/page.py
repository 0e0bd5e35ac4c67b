"""Parses a page of metrics for tests."""

import httpx
from prometheus_client.parser import text_string_to_metric_families


class Page:
    """The samples of one scrape."""

    def __init__(self, text: str) -> None:
        self.samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]

    @classmethod
    def of(cls, client: httpx.Client) -> "Page":
        response = client.get("/metrics")
        assert response.status_code == 200
        return cls(response.text)

    def value(self, name: str, **labels: str) -> float:
        """The sum of all samples with this name and these labels; 0 where there is none."""
        return sum(
            sample.value for sample in self.samples if sample.name == name and labels.items() <= sample.labels.items()
        )

    def series(self) -> set[tuple[str, tuple[tuple[str, str], ...]]]:
        return {(sample.name, tuple(sorted(sample.labels.items()))) for sample in self.samples}
