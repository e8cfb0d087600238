"""Errors that requests are answered with: one tree, rendered as HTTP in one place."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, TypedDict

_SEND_CODE: Final = "Send a code of the second factor as `otp`"


class FieldError(TypedDict):
    """One error of a request: its location, and a message."""

    loc: list[str | int]
    msg: str


class ProblemError(Exception):
    """An error as RFC 9457 has it; ``detail`` is for the client, and must leak nothing."""

    name: ClassVar[str]
    title: ClassVar[str]
    status: ClassVar[int]
    uri: ClassVar[str] = ""
    """Of a kind of problem that is registered elsewhere."""

    def __init__(
        self,
        detail: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        errors: Sequence[FieldError] = (),
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.headers = dict(headers or {})
        self.errors = list(errors)

    @property
    def type(self) -> str:
        """The URI that names this kind of problem."""
        return self.uri or f"urn:holdall:problem:{self.name}"

    @property
    def members(self) -> Mapping[str, Any]:
        """What the problem has beside the members that all have."""
        return {}


class BadRequest(ProblemError):
    name, title, status = "bad-request", "Bad request", 400


class InvalidCursor(ProblemError):
    name, title, status = "invalid-cursor", "The cursor is not one this list gave", 400


class DigestMismatch(ProblemError):
    name, title, status = "digest-mismatch", "The bytes do not match their digest", 400


class Unauthorized(ProblemError):
    name, title, status = "unauthorized", "Authentication is needed", 401

    def __init__(self, detail: str | None = None, *, error: str | None = None) -> None:
        """``error`` is the code of RFC 6750 §3.1, given when credentials were sent."""
        challenge = f'Bearer error="{error}"' if error else "Bearer"
        super().__init__(detail, headers={"WWW-Authenticate": challenge})


class CredentialNeeded(Unauthorized):
    """No credential was sent."""

    def __init__(self) -> None:
        super().__init__("Send an Authorization header with a bearer token")


class SecondFactorNeeded(Unauthorized):
    """The password is right, and the account has a second factor."""

    name, title = "second-factor-needed", "A code of the second factor is needed"

    def __init__(self, wrong: str | None = None, *, proof: str = "") -> None:
        """``wrong`` says what is wrong with a code; None: there was none.

        ``proof`` is that the password was right, for a page that asks for the code.
        """
        super().__init__(wrong or _SEND_CODE)
        self.wrong = wrong
        self.proof = proof


class PasswordNeeded(ProblemError):
    """A public link asks for its password; the user name doesn't matter."""

    name, title, status = "password-needed", "A password is needed", 401

    def __init__(self, detail: str | None = None) -> None:
        challenge = 'Basic realm="Holdall", charset="UTF-8"'
        super().__init__(detail, headers={"WWW-Authenticate": challenge})


class Forbidden(ProblemError):
    name, title, status = "forbidden", "You may not do this", 403


class ConfirmationNeeded(Forbidden):
    """A change needs a code of the second factor, beside the password."""

    name, title = SecondFactorNeeded.name, SecondFactorNeeded.title

    def __init__(self, wrong: str | None = None) -> None:
        """``wrong`` says what is wrong with a code; None: there was none."""
        super().__init__(wrong or _SEND_CODE)


class NotFound(ProblemError):
    name, title, status = "not-found", "Not found", 404


class MethodNotAllowed(ProblemError):
    name, title, status = "method-not-allowed", "Method Not Allowed", 405


class Failed(ProblemError):
    """An unexpected error; the log has it under the request's id."""

    name, title, status = "failed", "Internal Server Error", 500

    def __init__(self, request_id: str) -> None:
        super().__init__(f"The service failed; its log says why, under the request {request_id}")


class RequestTimeout(ProblemError):
    name, title, status = "request-timeout", "The body did not arrive in time", 408


class Conflict(ProblemError):
    name, title, status = "conflict", "Already exists", 409


class UsernameTaken(Conflict):
    def __init__(self) -> None:
        super().__init__("This user name is taken")


class EmailTaken(Conflict):
    def __init__(self) -> None:
        super().__init__("This email address is taken")


class TooManyFiles(ProblemError):
    """One more file that expires would evict another, which the client didn't allow."""

    name, title, status = "too-many-files", "Too many files that expire", 409

    def __init__(self, max_files: int) -> None:
        super().__init__(
            f"There are as many files that expire as there may be ({max_files}): "
            "delete one first, or keep this one"
        )


class BundleClosed(ProblemError):
    """Nothing can be added to a bundle: it is closed, or as full as it may be."""

    name, title, status = "bundle-closed", "The bundle is closed", 409


class InboxFull(ProblemError):
    """An inbox has as many files as it takes, or others are just bringing them."""

    name, title, status = "inbox-full", "The inbox takes no more files", 409


class LeaseLost(ProblemError):
    name, title, status = "upload-lost", "The upload was given up; send it again", 409


class OffsetMismatch(ProblemError):
    """Bytes for another place than where an upload goes on."""

    name, title, status = "offset-mismatch", "The upload goes on at another offset", 409

    def __init__(self, expected: int, provided: int) -> None:
        super().__init__(f"The upload goes on at {expected}, not at {provided}")
        self.expected = expected
        self.provided = provided


class Gone(ProblemError):
    name, title, status = "gone", "This is over", 410


class PreconditionFailed(ProblemError):
    name, title, status = "precondition-failed", "A precondition does not hold", 412


class ContentTooLarge(ProblemError):
    name, title, status = "content-too-large", "Too large", 413


class InboxOverflow(ContentTooLarge):
    """More bytes than an inbox takes."""

    def __init__(self, left: int) -> None:
        super().__init__(f"The inbox takes {left} more bytes")


class QuotaExceeded(ProblemError):
    name, title, status = "quota-exceeded", "The account's quota does not allow this", 413


class UploadComplete(ContentTooLarge):
    """Bytes for an upload that has all."""

    def __init__(self) -> None:
        super().__init__("The upload is complete, and takes no more bytes")


class LengthMismatch(ProblemError):
    """An upload's length that differs from what was said of it, or from what has arrived."""

    name, title, status = "length-mismatch", "The upload has another length", 400


class UnsupportedMediaType(ProblemError):
    name, title, status = "unsupported-media-type", "The content is of no kind taken here", 415


class RangeNotSatisfiable(ProblemError):
    name, title, status = "range-not-satisfiable", "The range is outside the content", 416


class InvalidRequest(ProblemError):
    name, title, status = "invalid-request", "The request is not valid", 422


class Locked(ProblemError):
    name, title, status = "locked", "The upload is being finished; ask again", 423

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": "2"})


class TooManyRequests(ProblemError):
    name, title, status = "too-many-requests", "Too many requests", 429

    def __init__(self, retry_after: int, detail: str | None = None) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after)})


class ServiceUnavailable(ProblemError):
    name, title, status = "unavailable", "The service can't do this right now", 503

    def __init__(self, detail: str | None = None, *, retry_after: int = 5) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after)})


class InsufficientStorage(ProblemError):
    name, title, status = "insufficient-storage", "The storage is full", 507


class ObjectDamaged(Exception):
    """A ready object whose bytes are missing or wrong: an alarm, and a 500 for the client."""
