"""The service's model loader, without a server."""

from service.inference import ModelRepository
from service.models.catalog import ModelCatalog
from service.models.model_loader import ModelLoader
from service.models.publisher import BatchingPolicy
from service.telemetry.metrics import Metrics


def make_loader(
    repository: ModelRepository,
    default_name: str | None = None,
    start_patience_s: float = 30.0,
    alias: str | None = None,
) -> tuple[ModelLoader, ModelCatalog]:
    """The loader, and the catalog that it fills."""
    catalog = ModelCatalog(default_name, alias)
    policy = BatchingPolicy(max_queue_delay_s=0.0, queue_capacity=2048, loop_budget_s=5e-3)
    metrics = Metrics(version="1")
    loader = ModelLoader(
        repository,
        catalog,
        policy,
        metrics,
        lambda observer, _name, _version: observer,
        start_patience_s=start_patience_s,
    )
    return loader, catalog
