"""What the server counts of itself, for Prometheus."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector
from prometheus_client.exposition import choose_encoder

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """Counters, gauges and a histogram, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        self.requests = Counter(
            "mmstats_http_requests", "Requests answered.", ("method", "path", "status"), registry=self._registry
        )
        self.seconds = Histogram(
            "mmstats_http_request_seconds",
            "Seconds from a request's head to the end of its answer.",
            ("path",),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self.in_flight = Gauge("mmstats_http_requests_in_flight", "Requests on their way.", registry=self._registry)
        self.answers = Counter(
            "mmstats_answers", "Questions answered, by where the answer came from.", ("cache",), registry=self._registry
        )

    def watch(self, name: str, meaning: str, value: Callable[[], float]) -> None:
        """Show a value as it is whenever somebody looks."""
        Gauge(name, meaning, registry=self._registry).set_function(value)

    def text(self, accept: str) -> tuple[bytes, str]:
        """All of them in the text form that a client accepts, and its content type."""
        encoder, content_type = choose_encoder(accept)
        return encoder(self._registry), content_type
