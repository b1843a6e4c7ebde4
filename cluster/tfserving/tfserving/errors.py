"""What a client is told instead of an answer."""

from http import HTTPStatus


class RefusedError(Exception):
    """A request that is not answered; the message names the field, what was expected, and what came.

    Attributes:
        status: the HTTP status to answer with.
    """

    def __init__(self, message: str, *, status: HTTPStatus = HTTPStatus.BAD_REQUEST):
        super().__init__(message)
        self.status = status
