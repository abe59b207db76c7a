"""What goes wrong between here and an object store, in the domain's words.

The libraries' own texts name other URLs than the user did, may quote credentials and run over many lines: they are
looked through for what they tell, and never shown.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from mmstats.errors import DatasetError, NotEvents, Unreadable
from mmstats.visible import visible

_KEYS = "the environment, AWS_PROFILE or --storage-option say which keys are used"
_ENDPOINT = "check AWS_ENDPOINT_URL_S3 or --storage-option endpoint=URL, and that the server runs"
_AGAIN = "ask again; --storage-option max_retries=N and timeout=60s are more patient"
_ELSEWHERE = {
    _KEYS: "the environment or --storage-option say which keys are used",
    _ENDPOINT: "is the host spelt right, and does the server run?",
}


@dataclass(frozen=True, slots=True)
class _Known:
    """A trouble, and the sign of it in the text of a library."""

    sign: str
    what: str
    hint: str
    kind: type[DatasetError] = Unreadable


# The first whose sign is found: what the store says is surer than its status, and that than how the transfer ended.
_TROUBLES = (
    _Known("object with invalid path|Could not parse path",
           "a key with a control character, an empty level, . or .. cannot be read",
           "give the object another key, or name a location without it"),
    _Known("NoSuchBucket", "there is no such bucket", "check its name, and the endpoint if it has one", NotEvents),
    _Known("InvalidBucketName", "this is no name of a bucket", "check it for a slip", NotEvents),
    _Known("NoSuchKey|NoSuchObject|BlobNotFound|not found: ", "there is no such object", "", NotEvents),
    _Known("SignatureDoesNotMatch", "the store does not accept the signature: the secret key is wrong", _KEYS),
    _Known("InvalidAccessKeyId", "the store does not know the access key", _KEYS),
    _Known("ExpiredToken|TokenRefreshRequired|InvalidToken", "the credentials have expired", "log in again"),
    _Known("RequestTimeTooSkewed", "the store does not accept the time of this machine", "set its clock"),
    _Known(
        "PermanentRedirect|AuthorizationHeaderMalformed|IllegalLocationConstraint|status code: 301|bare redirect",
        "the bucket is in another region",
        "AWS_REGION or --storage-option region=NAME says which",
    ),
    _Known("XMinioServerNotInitialized|SlowDown|ServiceUnavailable|TooManyRequests|status code: (429|503)",
           "the store is overloaded, and stayed so when asked again", _AGAIN),
    _Known("AccessDenied|Forbidden|PermissionDenied|status code: 403", "access denied", _KEYS),
    _Known("Unauthenticated|Unauthorized|status code: 401", "the store wants other credentials", _KEYS),
    _Known("PreconditionFailed|Precondition", "changed while it was read", "ask again when it is complete"),
    _Known("status code: 5[0-9][0-9]", "the store failed, and failed again when asked again", _AGAIN),
    _Known("InvalidRange|status code: 416", "is shorter than it was when it was listed", "ask again"),
    _Known("status code: 404", "there is no such object", "", NotEvents),
    _Known("dns error|failed to lookup address", "the name of the endpoint's host is not known", _ENDPOINT),
    _Known("[Cc]onnection refused", "connection refused", _ENDPOINT),
    _Known("certificate|InvalidContentType|[Hh]andshake|[Tt]ls|rustls",
           "no secure connection: TLS or the certificate fails", "is the endpoint's scheme and its certificate right?"),
    _Known("[Tt]imed ?[Oo]ut|operation timed out|deadline", "the store does not answer, or too slowly", _AGAIN),
    _Known("unreachable|NetworkUnreachable", "the network cannot be reached", _ENDPOINT),
    _Known("IncompleteMessage|UnexpectedEof|[Cc]onnection (reset|closed)|end of file|error decoding response body"
           "|error reading a body|ConnectionReset|ConnectionAborted|Body|[Ll]ength mismatch|broken pipe",
           "the transfer broke off, and broke off again when tried again", _AGAIN),
    _Known("error sending request|[Cc]onnect", "no connection", _ENDPOINT),
)  # fmt: skip
_APPENDED = re.compile(r" \(path: .*\)")
_FOREIGN = re.compile(r"object-store error|Generic (S3|GCS|HTTP|MicrosoftAzure)|Error performing ")


def is_foreign(error: BaseException) -> bool:
    """Whether an error of the engine comes from an object store, rather than from what a file holds."""
    return bool(_FOREIGN.search(str(error)))


def blamed(paths: Sequence[str], error: BaseException) -> str:
    """The path that an error of the engine is of, or where all of them lie: it appends one that need not be that."""
    text = unquote(_APPENDED.sub("", str(error)))
    named = [path for path in paths if path.partition("://")[2] in text]
    return max(named, key=len) if named else paths[0] if len(paths) == 1 else _folder(paths)


def _folder(paths: Sequence[str]) -> str:
    """Where all of some paths of one storage lie."""
    scheme = paths[0].partition("://")[0]
    return f"{scheme}://{os.path.commonpath([path.partition('://')[2] for path in paths])}/"


def trouble(location: str, error: BaseException) -> DatasetError:
    """The error for what a library has met at a location: exit code 3 where nothing is there, else 4."""
    text = f"{type(error).__name__} {error}"
    for known in _TROUBLES:
        if re.search(known.sign, text):
            hint = known.hint if location.startswith("s3") else _ELSEWHERE.get(known.hint, known.hint)
            return known.kind(f"{visible(location)}: {known.what}", hint=hint)
    return Unreadable(f"{visible(location)}: the store cannot be read", hint=_AGAIN)
