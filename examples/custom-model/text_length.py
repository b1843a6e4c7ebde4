"""A model server of one's own, on KServe's SDK: tells how long texts are."""

import os

from kserve import Model, ModelServer
from kserve.errors import InvalidInput


class TextLength(Model):
    """Takes texts, answers their lengths."""

    def load(self) -> bool:
        """Read what lies in /mnt/models, if the stack gives it a storage_uri; then the model is ready."""
        self.ready = True
        return self.ready

    def predict(self, payload: dict, headers: dict | None = None) -> dict:
        """Answer `{"instances": [text, …]}` with one length a text."""
        texts = payload.get("instances", [])
        if not texts or not all(isinstance(text, str) for text in texts):
            raise InvalidInput(f'"instances": expected texts, got {texts!r:.80}')
        return {"predictions": [len(text) for text in texts]}


if __name__ == "__main__":
    model = TextLength(os.environ["INFERENCE_SERVICE_NAME"])  # KServe says how it is called
    model.load()
    ModelServer().start([model])
