"""A session on a Spark Connect server: its channel, the settings that the contract needs, and its end."""

import atexit
import contextlib
import socket
import threading
from collections.abc import Callable

import grpc
from pyspark.errors import utils as origins
from pyspark.sql.connect.client.core import ChannelBuilder
from pyspark.sql.connect.client.retries import DefaultPolicy, RetryPolicyState
from pyspark.sql.connect.session import SparkSession

from mmstats.engine_address import EngineAddress
from mmstats.engines.spark.errors import CLUSTER_ERRORS, HINT_SERVER, first_line, is_from_server, translated
from mmstats.engines.spark.server_kind import SAIL, SPARK
from mmstats.errors import Unreadable

# Seconds for calls that a living server answers at once; only a question may take as long as it does.
_TIMEOUTS = {"Config": 15, "FetchErrorDetails": 10, "Interrupt": 1, "ReleaseExecute": 5, "ReleaseSession": 2}
# Notices a network that is gone while a question runs. Servers close connections that are probed more often.
_KEEPALIVE = {"grpc.keepalive_time_ms": 330_000, "grpc.keepalive_timeout_ms": 20_000}
_TIME_ZONE = "spark.sql.session.timeZone"
_SETTINGS = {
    _TIME_ZONE: "UTC",
    "spark.sql.ansi.enabled": "false",  # a cast that fails gives null, as in the other engine
    "spark.sql.caseSensitive": "true",
    "spark.sql.legacy.parquet.nanosAsLong": "true",
    "spark.sql.timestampType": "TIMESTAMP_LTZ",  # what `timestamp` means
    "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",  # one calendar for all years
    "spark.sql.parquet.int96RebaseModeInRead": "CORRECTED",
    "spark.sql.parquet.int96TimestampConversion": "false",
    "spark.sql.files.ignoreMissingFiles": "false",
    "spark.sql.files.ignoreCorruptFiles": "false",
}


class Session:
    """A session on a server, with what that kind of server needs."""

    def __init__(self, address: EngineAddress) -> None:
        try:  # the client itself would try for ten minutes
            socket.create_connection((address.host.strip("[]"), address.port), timeout=5).close()
        except OSError as error:
            text = "no answer" if isinstance(error, TimeoutError) else error.strerror or str(error)
            raise Unreadable(f"{address}: {text}", hint=HINT_SERVER) from None
        if origins._enable_debugging_cache is None:
            # Unless somebody asked for it: two thirds of a plan would be the line of our code that wrote each part.
            origins._enable_debugging_cache = False  # type: ignore[assignment] # the client leaves it undecided
        self._channel = Channel(address)
        try:
            with translated(address):
                # Not through SparkSession.builder, which would make it the session of the whole program.
                self.spark = SparkSession(self._channel)  # type: ignore[arg-type] # any ChannelBuilder will do
                self.spark.client.set_retry_policies([_FewRetries()])
                _configure(self.spark, address)
                # Spark's SQL version begins with the version of its API, Sail's is its own.
                version = self.spark.sql("SELECT version()").collect()[0][0]
                self.kind = SPARK if str(version).startswith(self.spark.version) else SAIL
        except BaseException:
            self._channel.close()
            raise

    def is_alive(self) -> bool:
        """Whether the server still has it, with our settings; otherwise it is closed here too."""
        try:
            if self.spark.conf.get(_TIME_ZONE) == _SETTINGS[_TIME_ZONE]:
                return True
            self.close()
        except CLUSTER_ERRORS:
            self._channel.close()
        return False

    def close(self) -> None:
        """Close it, on the server too if that can be reached."""
        with contextlib.suppress(*CLUSTER_ERRORS):
            self.spark.stop()
        self._channel.close()

    def interrupt(self) -> bool:
        """Stop what runs on the cluster for this session; false where the server does not answer: then it is closed."""
        try:
            self.spark.interruptAll()
        except (KeyboardInterrupt, *CLUSTER_ERRORS):
            self._channel.close()
            return False
        return True


def _configure(spark: SparkSession, address: EngineAddress) -> None:
    """Set what the contract needs; raises Unreadable, naming the setting, where the server will not have it."""
    for name, value in _SETTINGS.items():
        try:
            spark.conf.set(name, value)
        except CLUSTER_ERRORS as error:
            if not is_from_server(error):
                raise
            if str(spark.conf.get(name, "")).lower() != value.lower():
                text = f"{address}: {name} cannot be {value} there ({first_line(error, address)})"
                raise Unreadable(text, hint="have it set on the server, or ask another one") from None


class Channel(ChannelBuilder):
    """Opens the gRPC channel to an address.

    The client's own builder parses a URL otherwise than we do, and shows it in errors; it takes a token from the
    environment; and it uses TLS for a token to any host but `localhost`.
    """

    def __init__(self, address: EngineAddress) -> None:
        super().__init__(params=dict(address.parameters))
        self._address = address
        self._opened: list[grpc.Channel] = []

    @property
    def host(self) -> str:
        """The host of the address."""
        return self._address.host

    @property
    def token(self) -> str | None:
        """The address's own token, whatever the environment holds for other programs."""
        return self._address.token or None

    def toChannel(self) -> grpc.Channel:  # noqa: N802 - the client calls it so
        """The channel: with TLS if the address says so; without, a secret goes to this machine only."""
        channel = self._channel()
        self._opened.append(channel)
        # When a program ends, the client asks the server to forget things we never used; nobody waits for that.
        atexit.register(channel.close)
        return grpc.intercept_channel(channel, _Timeouts())

    def close(self) -> None:
        """Close it, and end all calls that still wait."""
        for channel in self._opened:
            atexit.unregister(channel.close)
            # gRPC waits for ever for a call that was interrupted as it began; we wait for a second.
            closing = threading.Thread(target=channel.close, daemon=True)
            closing.start()
            closing.join(1)

    def _channel(self) -> grpc.Channel:
        target = f"{self._address.host}:{self._address.port}"
        for name, value in _KEEPALIVE.items():
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


class _FewRetries(DefaultPolicy):
    """Repeats a call that the network cut off a few times, and then fails without the client's warning."""

    def to_state(self) -> RetryPolicyState:
        return _RetryState(self)


class _RetryState(RetryPolicyState):
    def can_retry(self, exception: BaseException) -> bool:
        return self._attempt < 3 and super().can_retry(exception)


class _Timeouts(grpc.UnaryUnaryClientInterceptor):  # type: ignore[misc] # gRPC ships no types
    def intercept_unary_unary(
        self, proceed: Callable[..., grpc.Call], details: grpc.ClientCallDetails, request: object
    ) -> grpc.Call:
        name = details.method.rpartition("/")[2]
        call = proceed(details._replace(timeout=_TIMEOUTS.get(name)), request)
        if name == "Interrupt" and call.exception():
            # The client itself interrupts on Ctrl-C; that this failed must not hide the Ctrl-C.
            raise KeyboardInterrupt
        return call
