"""A session on a Spark Connect server: opened, told what the contract takes for granted, and closed."""

import contextlib
import socket
from collections.abc import Iterator

from pyspark.errors import utils as origins
from pyspark.sql.connect.session import SparkSession

from mmstats.engine_address import EngineAddress
from mmstats.engines.spark.channel import ChannelTo, FewRetries
from mmstats.engines.spark.dialect import SAIL, SPARK, Dialect
from mmstats.engines.spark.faults import CLUSTER_FAULTS, RUNS_THERE, explained, is_said, reason
from mmstats.errors import Unreadable

_PATIENCE = 5  # seconds to reach a host
_ASK_ADMIN = "have it set on the server, or ask another one"
_TIME_ZONE = "spark.sql.session.timeZone"
_TAKEN_FOR_GRANTED = {
    _TIME_ZONE: "UTC",
    "spark.sql.ansi.enabled": "false",  # a cast that cannot be is null, as the other engine has it
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
    """A session on a server, and how that one wants to be spoken to."""

    def __init__(self, address: EngineAddress) -> None:
        _reach(address)
        if origins._enable_debugging_cache is None:
            # Nobody asked for it, and two thirds of a plan would be which line of ours wrote which part.
            origins._enable_debugging_cache = False  # type: ignore[assignment] # which is how it is left undecided
        self._channel = ChannelTo(address)
        with self._closed_unless_done(), explained(address):
            # Not through its builder, which would make it the session of the whole program.
            self.spark = SparkSession(self._channel)  # type: ignore[arg-type] # any builder will do
            self.spark.client.set_retry_policies([FewRetries()])
            _set_up(self.spark, address)
            self.dialect = _dialect(self.spark)

    def lives(self) -> bool:
        """Whether the server still knows it, and as it was set up; else it is ended here too."""
        try:
            if self.spark.conf.get(_TIME_ZONE) == _TAKEN_FOR_GRANTED[_TIME_ZONE]:
                return True
            self.end()
        except CLUSTER_FAULTS:
            self._channel.close()
        return False

    def end(self) -> None:
        """End it, as far as that can be said to the server."""
        with contextlib.suppress(*CLUSTER_FAULTS):
            self.spark.stop()
        self._channel.close()

    def interrupt(self) -> bool:
        """Stop what runs on the cluster for this session; false where the server does not hear that, and it is over."""
        try:
            with self._closed_unless_done():
                self.spark.interruptAll()
        except (KeyboardInterrupt, *CLUSTER_FAULTS):
            return False
        return True

    @contextlib.contextmanager
    def _closed_unless_done(self) -> Iterator[None]:
        """Inside the block, whatever is raised leaves nothing to wait for."""
        try:
            yield
        except BaseException:
            self._channel.close()
            raise


def _reach(address: EngineAddress) -> None:
    """Raise Unreadable where nobody answers, which the client itself would try for ten minutes."""
    try:
        socket.create_connection((address.host.strip("[]"), address.port), _PATIENCE).close()
    except OSError as fault:
        why = "no answer" if isinstance(fault, TimeoutError) else fault.strerror or str(fault)
        raise Unreadable(f"{address}: {why}", hint=RUNS_THERE) from None


def _set_up(spark: SparkSession, address: EngineAddress) -> None:
    """Have the server take for granted what the contract does; raises Unreadable where it will not."""
    for name, value in _TAKEN_FOR_GRANTED.items():
        try:
            spark.conf.set(name, value)
        except CLUSTER_FAULTS as fault:
            if not is_said(fault):
                raise
            if str(spark.conf.get(name, "")).lower() != value.lower():
                why = reason(fault, address)
                raise Unreadable(f"{address}: {name} cannot be {value} there ({why})", hint=_ASK_ADMIN) from None


def _dialect(spark: SparkSession) -> Dialect:
    """Which kind of server it is: what Spark calls its version begins with that, Sail says its own."""
    said = spark.sql("SELECT version()").collect()[0][0]
    return SPARK if str(said).startswith(spark.version) else SAIL
