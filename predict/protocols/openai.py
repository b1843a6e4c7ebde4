"""OpenAI's completions, as vLLM serves them: prompts in, texts out."""

from pydantic import JsonValue

from predict.protocols.rest import RestProtocol


class OpenAI(RestProtocol):
    """Asks for the likeliest text, which is the same every time."""

    @property
    def ready_path(self) -> str:
        """GET /v1/models; vLLM's server is up when its model is loaded."""
        return self._endpoint.metadata_path

    def request(self, instances: list[JsonValue]) -> JsonValue:
        """Send the prompts together."""
        return {"model": self._endpoint.served_name, "prompt": instances, "temperature": 0}

    def predictions(self, answer: dict[str, JsonValue]) -> list[JsonValue]:
        """Take each choice's text."""
        choices = answer["choices"]
        if not isinstance(choices, list):
            raise TypeError("choices is not a list")
        return [choice["text"] if isinstance(choice, dict) else None for choice in choices]
