"""What goes wrong between here and an object store, in the domain's words.

The libraries' own texts name other URLs than the user did, may quote credentials and run over many lines: they are
looked through for what they tell, and never shown.
"""

import os
import re
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from mmstats.errors import DatasetError, NotEvents, Unreadable
from mmstats.wording import visible

_KEYS = "the environment, AWS_PROFILE or --storage-option say which keys are used"
_ENDPOINT = "check AWS_ENDPOINT_URL_S3 or --storage-option endpoint=URL, and that the server runs"
_AGAIN = "ask again; --storage-option max_retries=N and timeout=60s are more patient"
_ELSEWHERE = {
    _KEYS: "the environment or --storage-option say which keys are used",
    _ENDPOINT: "is the host spelt right, and does the server run?",
}


@dataclass(frozen=True, slots=True)
class _Known:
    """A trouble and how it is known.

    By the words that stores answer with, by the status of an answer without one of them, by the class that the library
    raises, and by a sign in the text of a request that had no answer.
    """

    what: str
    hint: str = ""
    kind: type[DatasetError] = Unreadable
    codes: frozenset[str] = frozenset()
    statuses: Container[int] = ()
    classes: frozenset[str] = frozenset()
    sign: str = "(?!)"  # found nowhere


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TROUBLES = (
    _Known("there is no such bucket", "check its name, and the endpoint if it has one", NotEvents,
           codes=_words("NoSuchBucket ContainerNotFound")),
    _Known("this is no name of a bucket", "check it for a slip", NotEvents,
           codes=_words("InvalidBucketName InvalidResourceName")),
    _Known("the store does not accept the signature: the secret key is wrong", _KEYS,
           codes=_words("SignatureDoesNotMatch AuthenticationFailed")),
    _Known("the store does not know the access key", _KEYS, codes=_words("InvalidAccessKeyId")),
    _Known("the credentials have expired", "log in again",
           codes=_words("ExpiredToken TokenRefreshRequired InvalidToken")),
    _Known("the store does not accept the time of this machine", "set its clock", codes=_words("RequestTimeTooSkewed")),
    _Known("the bucket is in another region", "AWS_REGION or --storage-option region=NAME says which",
           codes=_words("PermanentRedirect AuthorizationHeaderMalformed IllegalLocationConstraintException"),
           statuses=(301, 307), sign="[Bb]are ?[Rr]edirect|redirect without LOCATION"),
    _Known("the store is overloaded, and stayed so when asked again", _AGAIN,
           codes=_words("XMinioServerNotInitialized SlowDown ServiceUnavailable ServerBusy TooManyRequests"),
           statuses=(429, 503)),
    _Known("access denied", _KEYS, codes=_words("AccessDenied"), statuses=(403,),
           classes=_words("PermissionDeniedError")),
    _Known("the store wants other credentials", _KEYS, statuses=(401,), classes=_words("UnauthenticatedError")),
    _Known("changed while it was read", "ask again when it is complete", codes=_words("PreconditionFailed"),
           statuses=(412,), classes=_words("PreconditionError")),
    _Known("is shorter than it was when it was listed", "ask again", codes=_words("InvalidRange"), statuses=(416,)),
    _Known("there is no such object", "", NotEvents, codes=_words("NoSuchKey NoSuchObject BlobNotFound"),
           statuses=(404,), classes=_words("NotFoundError FileNotFoundError")),
    _Known("the store failed, and failed again when asked again", _AGAIN, statuses=range(500, 600)),
    _Known("a key with a control character, an empty level, . or .. cannot be read",
           "give the object another key, or name a location without it", classes=_words("InvalidPathError"),
           sign="object with invalid path|Could not parse path"),
    _Known("the endpoint speaks plain http, which is not allowed", "--storage-option allow_http=true allows it",
           sign="BadScheme|scheme is not allowed"),
    _Known("the name of the endpoint's host is not known", _ENDPOINT, sign="dns error|failed to lookup address"),
    _Known("connection refused", _ENDPOINT, sign="[Cc]onnection ?[Rr]efused"),
    _Known("no secure connection: TLS or the certificate fails", "is the endpoint's scheme and its certificate right?",
           sign="certificate|InvalidContentType|[Hh]andshake|[Tt]ls|rustls"),
    _Known("the store does not answer, or too slowly", _AGAIN, sign="[Tt]imed ?[Oo]ut|deadline"),
    _Known("the network cannot be reached", _ENDPOINT, sign="unreachable|NetworkUnreachable"),
    _Known("the transfer broke off, and broke off again when tried again", _AGAIN,
           sign="IncompleteMessage|UnexpectedEof|[Cc]onnection (reset|closed)|end of file|error decoding response body"
           "|error reading a body|ConnectionReset|ConnectionAborted|Body|[Ll]ength mismatch|broken pipe"),
    _Known("no connection", _ENDPOINT, sign="error sending request|[Cc]onnect"),
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
_FOREIGN = re.compile(r"object-store error: |Generic (S3|GCS|HTTP|MicrosoftAzure) error: |Error performing [A-Z]+ ")


def is_foreign(error: BaseException) -> bool:
    """Whether an error of the engine comes from an object store, rather than from what a file holds."""
    return bool(_FOREIGN.match(str(error)))  # further on there may be names of files and columns


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
    known = _known(error)
    if known is None:
        return Unreadable(f"{visible(location)}: the store cannot be read", hint=_AGAIN)
    hint = known.hint if location.startswith("s3") else _ELSEWHERE.get(known.hint, known.hint)
    return known.kind(f"{visible(location)}: {known.what}", hint=hint)


def _known(error: BaseException) -> _Known | None:
    """What the store has answered is surer than what the library makes of it, and that than how the transfer ended."""
    answer = _ANSWER.search(str(error))
    code = _CODE.search(answer[2]) if answer else None
    status = int(answer[1] or 0) if answer else 0
    left = "" if answer else _NAMES.sub(" ", str(error))
    told: tuple[Callable[[_Known], object], ...] = (
        lambda one: code and code[1] in one.codes,
        lambda one: status in one.statuses,
        lambda one: type(error).__name__ in one.classes,
        lambda one: re.search(one.sign, left),
    )
    return next((one for is_told in told for one in _TROUBLES if is_told(one)), None)
