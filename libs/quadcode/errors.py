"""Every error of the client. Its class says what is certain and whether trying again can help."""


class QuadcodeError(Exception):
    """Base of all."""


class NotConnected(QuadcodeError):
    """Nothing was sent: there is no usable connection now. Trying again later can help."""


class AuthenticationFailed(NotConnected):
    """The broker refuses the session id, and so it will again: the client has stopped for good."""


class RequestFailed(QuadcodeError):
    """Sent, and not answered as hoped."""


class ConnectionLost(RequestFailed):
    """The connection ended before the answer came: whether it was done is not known."""


class RequestTimeout(RequestFailed):
    """No answer in time: whether it was done is not known."""


class UnexpectedReply(RequestFailed):
    """Answered with something that the protocol does not describe: whether it was done is not known."""


class RequestRefused(RequestFailed):
    """The broker said no (status ≥ 4000, or a `result` without success); it was not done."""

    def __init__(self, request: str, status: int, message: str, details: object = None) -> None:
        super().__init__(f"{request} was refused with status {status}: {message}")
        self.request = request
        self.status = status
        self.message = message
        """The broker's words."""
        self.details = details
        """The reply's `msg`, undecoded shapes as JSON values."""


class FeatureDisabled(QuadcodeError):
    """Nothing was sent: the broker says that it has switched off what was asked for (quadcode-protocol §6)."""

    def __init__(self, feature: str) -> None:
        super().__init__(f"the broker has switched off {feature}")
        self.feature = feature
        """Its name at the broker, as in `libs.quadcode.features`."""


class OrderError(QuadcodeError):
    """A purchase that was sent and not confirmed; one that was not sent raises NotConnected."""


class OrderRejected(OrderError):
    """The broker refused the purchase; nothing was bought."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        """The broker's words."""


class OrderOutcomeUnknown(OrderError):
    """The answer was lost: it may be bought. Never send it again; compare with positions and history."""


class TranslationsUnavailable(QuadcodeError):
    """The broker's texts could not be loaded; names stay keys."""


class OAuthRefused(QuadcodeError):
    """The broker does not give tokens for what it was shown; status 0 when it was not even asked."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}" if code and not message.startswith(code) else message)
        self.status = status
        self.code = code
        """As in RFC 6749 §5.2."""
        self.message = message
        """The broker's words."""


class TokensNotStored(QuadcodeError):
    """The storage of tokens cannot be read or written now."""
