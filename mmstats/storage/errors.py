"""The errors of object stores in our words.

The libraries' own texts name other URLs than the user did, may quote credentials and run over many lines: they are
searched for what went wrong, and never shown.
"""

import os
import re
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from mmstats.errors import Changed, DatasetError, NotEvents, Unreadable
from mmstats.wording import visible

_KEYS = "the environment, AWS_PROFILE or --storage-option say which keys are used"
_ENDPOINT = "check AWS_ENDPOINT_URL_S3 or --storage-option endpoint=URL, and that the server runs"
_AGAIN = "ask again; --storage-option max_retries=N and timeout=60s are more patient"
_ELSEWHERE = {
    _KEYS: "the environment or --storage-option say which keys are used",
    _ENDPOINT: "is the host spelt right, and does the server run?",
}


@dataclass(frozen=True, slots=True)
class _Failure:
    """What may go wrong, and how it is recognised.

    By the `codes` that stores answer with (split at blanks), by the `statuses` of an answer without one of them, by the
    `classes` of the library's errors, and by a `pattern` in the text of a request that had no answer.
    """

    what: str
    hint: str = ""
    error: type[DatasetError] = Unreadable
    codes: str = ""
    statuses: Container[int] = ()
    classes: str = ""
    pattern: str = "(?!)"  # found nowhere


_FAILURES = (
    _Failure("there is no such bucket", "check its name, and the endpoint if it has one", NotEvents,
             codes="NoSuchBucket ContainerNotFound"),
    _Failure("this is no name of a bucket", "check it for a slip", NotEvents,
             codes="InvalidBucketName InvalidResourceName"),
    _Failure("the store does not accept the signature: the secret key is wrong", _KEYS,
             codes="SignatureDoesNotMatch AuthenticationFailed"),
    _Failure("the store does not know the access key", _KEYS, codes="InvalidAccessKeyId"),
    _Failure("the credentials have expired", "log in again",
             codes="ExpiredToken TokenRefreshRequired InvalidToken"),
    _Failure("the store does not accept the time of this machine", "set its clock", codes="RequestTimeTooSkewed"),
    _Failure("the bucket is in another region", "AWS_REGION or --storage-option region=NAME says which",
             codes="PermanentRedirect AuthorizationHeaderMalformed IllegalLocationConstraintException",
             statuses=(301, 307), pattern="[Bb]are ?[Rr]edirect|redirect without LOCATION"),
    _Failure("the store is overloaded, and stayed so when asked again", _AGAIN,
             codes="XMinioServerNotInitialized SlowDown ServiceUnavailable ServerBusy TooManyRequests",
             statuses=(429, 503)),
    _Failure("access denied", _KEYS, codes="AccessDenied", statuses=(403,),
             classes="PermissionDeniedError"),
    _Failure("the store wants other credentials", _KEYS, statuses=(401,), classes="UnauthenticatedError"),
    _Failure("changed while it was read", "try again when it is complete", Changed, codes="PreconditionFailed",
             statuses=(412,), classes="PreconditionError"),
    _Failure("is shorter than it was when it was listed", "ask again", Changed, codes="InvalidRange", statuses=(416,)),
    _Failure("there is no such object", "", NotEvents, codes="NoSuchKey NoSuchObject BlobNotFound",
             statuses=(404,), classes="NotFoundError FileNotFoundError"),
    _Failure("the store failed, and failed again when asked again", _AGAIN, statuses=range(500, 600)),
    _Failure("a key with a control character, an empty level, . or .. cannot be read",
             "give the object another key, or name a location without it", classes="InvalidPathError",
             pattern="object with invalid path|Could not parse path"),
    _Failure("the endpoint speaks plain http, which is not allowed", "--storage-option allow_http=true allows it",
             pattern="BadScheme|scheme is not allowed"),
    _Failure("the name of the endpoint's host is not known", _ENDPOINT, pattern="dns error|failed to lookup address"),
    _Failure("connection refused", _ENDPOINT, pattern="[Cc]onnection ?[Rr]efused"),
    _Failure("no secure connection: TLS or the certificate fails",
             "is the endpoint's scheme and its certificate right?",
             pattern="certificate|InvalidContentType|[Hh]andshake|[Tt]ls|rustls"),
    _Failure("the store does not answer, or too slowly", _AGAIN, pattern="[Tt]imed ?[Oo]ut|deadline"),
    _Failure("the network cannot be reached", _ENDPOINT, pattern="unreachable|NetworkUnreachable"),
    _Failure("the transfer broke off, and broke off again when tried again", _AGAIN,
             pattern="IncompleteMessage|UnexpectedEof|[Cc]onnection (reset|closed)|end of file|ConnectionReset|Body"
             "|error decoding response body|error reading a body|ConnectionAborted|[Ll]ength mismatch|broken pipe"),
    _Failure("no connection", _ENDPOINT, pattern="error sending request|[Cc]onnect"),
)  # fmt: skip
_ANSWER = re.compile(
    r"Error performing [A-Z]+ \S+ in [^-]+- Server returned (?:non-2xx status code: (\d+)|error response)(.*)",
    re.DOTALL,
)
_CODE = re.compile(r"<Code>(\w+)</Code>")
_NAMES = re.compile(r"""
    [ ]\(path:[ ].*\)                            # as the engine appends it
  | \bpath:[ ]"(?:[^"\\]|\\.)*"                 # as the library has it for debugging
  | (?:at[ ]location|for[ ]path)[ ].*?:[ ](?=Error[ ]performing[ ]|$)
  | \w+://\S+
""", re.VERBOSE | re.MULTILINE)  # fmt: skip
_APPENDED = re.compile(r" \(path: .*\)")
_STORE_ERROR = re.compile(r"object-store error: |Generic (S3|GCS|HTTP|MicrosoftAzure) error: |Error performing [A-Z]+ ")


def is_store_error(error: BaseException) -> bool:
    """Whether an error of the engine comes from an object store, rather than from what a file holds."""
    text = str(error)  # further on there may be names of files and columns
    return bool(_STORE_ERROR.match(text)) and " (path: file://" not in text


def failed_path(paths: Sequence[str], error: BaseException) -> str:
    """Which of `paths` an error of the engine names, else the folder of them all: the one it appends may be another."""
    text = unquote(_APPENDED.sub("", str(error)))
    named = [path for path in paths if path.partition("://")[2] in text]
    if named or len(paths) == 1:
        return max(named or paths, key=len)
    scheme = paths[0].partition("://")[0]
    return f"{scheme}://{os.path.commonpath([path.partition('://')[2] for path in paths])}/"


def store_error(location: str, error: BaseException, *, found: bool = False) -> DatasetError:
    """Our error for a library's at a location: NotEvents where nothing is there, else Unreadable.

    What was `found` there before, and is not there now, was removed meanwhile: that is Changed.
    """
    failure = _failure(error)
    if failure is None:
        return Unreadable(f"{visible(location)}: the store cannot be read", hint=_AGAIN)
    if found and failure.error is NotEvents:
        return Changed(f"{visible(location)}: {failure.what} any more", hint="it was removed: try again")
    hint = failure.hint if location.startswith("s3") else _ELSEWHERE.get(failure.hint, failure.hint)
    return failure.error(f"{visible(location)}: {failure.what}", hint=hint)


def _failure(error: BaseException) -> _Failure | None:
    """What went wrong, told by the store's answer first, then by the library's class, then by its text."""
    answer = _ANSWER.search(str(error))
    code = _CODE.search(answer[2]) if answer else None
    status = int(answer[1] or 0) if answer else 0
    text = "" if answer else _NAMES.sub(" ", str(error))
    recognise: tuple[Callable[[_Failure], object], ...] = (
        lambda failure: code and code[1] in failure.codes.split(),
        lambda failure: status in failure.statuses,
        lambda failure: type(error).__name__ in failure.classes.split(),
        lambda failure: re.search(failure.pattern, text),
    )
    return next((failure for matches in recognise for failure in _FAILURES if matches(failure)), None)
