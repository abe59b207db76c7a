"""The way to a Spark Connect server: what an address says, sent as it is, and nothing that it does not say."""

import grpc
from pyspark.sql.connect.client.core import ChannelBuilder

from mmstats.engineaddress import EngineAddress


class ChannelTo(ChannelBuilder):
    """Opens the channel to an address.

    The client's own builder takes a URL, which it reads otherwise than we do, and shows where it cannot; a token that
    it finds in the environment; and TLS for a token to any host but `localhost`.
    """

    def __init__(self, address: EngineAddress) -> None:
        super().__init__(params=dict(address.parameters))
        self._address = address

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
        target = f"{self._address.host}:{self._address.port}"
        if self._address.is_loopback:
            self.setChannelOption("grpc.enable_http_proxy", 0)
        if not (self._address.is_encrypted or self._address.has_secrets):
            return self._insecure_channel(target)
        credentials = grpc.ssl_channel_credentials() if self._address.is_encrypted else grpc.local_channel_credentials()
        if self.token:
            call = grpc.access_token_call_credentials(self.token)
            credentials = grpc.composite_channel_credentials(credentials, call)
        return self._secure_channel(target, credentials)
