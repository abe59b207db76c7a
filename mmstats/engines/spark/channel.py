"""The way to a Spark Connect server: what an address says, sent as it is, and nothing that it does not say.

Calls that a living server answers at once have so many seconds; only those of a question may take as long as it does. A
call that the network cut off is made again a few times.
"""

import atexit
import threading
from collections.abc import Callable

import grpc
from pyspark.sql.connect.client.core import ChannelBuilder
from pyspark.sql.connect.client.retries import DefaultPolicy, RetryPolicyState

from mmstats.engine_address import EngineAddress

_SECONDS = {"Config": 15, "FetchErrorDetails": 10, "Interrupt": 1, "ReleaseExecute": 5, "ReleaseSession": 2}
# A question may take as long as it does, but not on a network that is gone; servers take it ill to be asked more often.
_ALIVE = {"grpc.keepalive_time_ms": 330_000, "grpc.keepalive_timeout_ms": 20_000}
_RETRIES = 3


class ChannelTo(ChannelBuilder):
    """Opens the channel to an address.

    The client's own builder takes a URL, which it reads otherwise than we do, and shows where it cannot; a token that
    it finds in the environment; and TLS for a token to any host but `localhost`.
    """

    def __init__(self, address: EngineAddress) -> None:
        super().__init__(params=dict(address.parameters))
        self._address = address
        self._opened: list[grpc.Channel] = []

    @property
    def host(self) -> str:
        """Where the channel leads to."""
        return self._address.host

    @property
    def token(self) -> str | None:
        """The address's token, whatever the environment has for other programs."""
        return self._address.token or None

    def toChannel(self) -> grpc.Channel:  # noqa: N802 - the client calls it so
        """The channel: encrypted if the address says so, else one that takes a secret to this machine only."""
        channel = self._channel()
        self._opened.append(channel)
        # At the end of a program the client has a server forget what we never ask of it: nobody waits for that.
        atexit.register(channel.close)
        return grpc.intercept_channel(channel, _Deadlines())

    def close(self) -> None:
        """End it, and all calls that are still waited for."""
        for channel in self._opened:
            atexit.unregister(channel.close)
            # gRPC waits for ever for a call that was interrupted as it began: not everybody does.
            closing = threading.Thread(target=channel.close, daemon=True)
            closing.start()
            closing.join(1)

    def _channel(self) -> grpc.Channel:
        target = f"{self._address.host}:{self._address.port}"
        for name, value in _ALIVE.items():
            self.setChannelOption(name, value)
        if self._address.is_loopback:
            self.setChannelOption("grpc.enable_http_proxy", 0)
        if not (self._address.is_encrypted or self._address.has_secrets):
            return self._insecure_channel(target)
        credentials = grpc.ssl_channel_credentials() if self._address.is_encrypted else grpc.local_channel_credentials()
        if self.token:
            call = grpc.access_token_call_credentials(self.token)
            credentials = grpc.composite_channel_credentials(credentials, call)
        return self._secure_channel(target, credentials)


class FewRetries(DefaultPolicy):
    """Calls that the network cut off are made again, and at last fail, without the client's warning of that."""

    def to_state(self) -> RetryPolicyState:
        """How often one call was made."""
        return _Retried(self)


class _Retried(RetryPolicyState):
    _times = 0

    def can_retry(self, exception: BaseException) -> bool:
        return self._times < _RETRIES and super().can_retry(exception)

    def next_attempt(self, exception: BaseException | None = None) -> int | None:
        self._times += 1
        return super().next_attempt(exception)


class _Deadlines(grpc.UnaryUnaryClientInterceptor):  # type: ignore[misc] # gRPC ships no types
    def intercept_unary_unary(
        self, go_on: Callable[..., grpc.Call], call: grpc.ClientCallDetails, asked: object
    ) -> grpc.Call:
        name = call.method.rpartition("/")[2]
        answered = go_on(call._replace(timeout=_SECONDS.get(name)), asked)
        if name == "Interrupt" and answered.exception():
            # The client tells a server, too, where somebody interrupts a question; what he did must not become a fault.
            raise KeyboardInterrupt
        return answered
