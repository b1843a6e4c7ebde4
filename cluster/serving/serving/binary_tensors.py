"""The binary tensor data extension of v2 over HTTP, where KServe's SDK leaves something to do.

A request says by a header how many bytes of JSON come first, and clients send it with any Content-Type or none; an
answer is binary where the request asks for it.
"""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Receive, Scope, Send

from .sdk import DataPlane, InferRequest, InvalidInput

JSON_LENGTH = "inference-header-content-length"
OCTETS = "application/octet-stream"


class V2Bodies:
    """Middleware: gives a v2 request the Content-Type that its body has in truth."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on the request."""
        if scope["type"] == "http" and scope["path"].endswith("/infer"):
            headers = MutableHeaders(scope=scope)
            if JSON_LENGTH in headers:
                headers["content-type"] = OCTETS
            elif headers.get("content-type", OCTETS) == OCTETS:  # as Triton's clients send JSON
                headers["content-type"] = "application/json"
        await self.app(scope, receive, send)


class CheckedDataPlane(DataPlane):  # type: ignore[misc]  # the SDK has no types
    """Refuses what cannot be taken apart with HTTP 400; the SDK would say 500."""

    def decode_inference_request(self, body: object, headers: dict[str, str], model_name: str) -> InferRequest:
        """Read a v2 request. :raises InvalidInput: it is none."""
        try:
            return super().decode_inference_request(body, headers, model_name)
        except InvalidInput:
            raise
        except (LookupError, TypeError, ValueError) as error:
            raise InvalidInput(
                f"body: expected a v2 request of JSON ({JSON_LENGTH} bytes), then the tensors' bytes in the order and "
                f"of the sizes (binary_data_size) given there: {type(error).__name__}: {error}"
            ) from error
