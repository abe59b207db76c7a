"""An Arrow extension type of nobody's."""

import pyarrow as pa


class Level(pa.ExtensionType):
    """A type that nobody knows."""

    def __init__(self, storage: pa.DataType) -> None:
        super().__init__(storage, "example.level")

    def __arrow_ext_serialize__(self) -> bytes:
        return b""

    @classmethod
    def __arrow_ext_deserialize__(cls, storage: pa.DataType, _: bytes) -> "Level":
        return cls(storage)
