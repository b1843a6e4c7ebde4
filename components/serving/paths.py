"""Paths at which a model answers, which depend on its protocol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from components.settings.model import Model
from releases.types import GRPC_V2, OPENAI

GRPC_SERVICE = "inference.GRPCInferenceService"


@dataclass(frozen=True, kw_only=True)
class Paths:
    """Paths at which a model answers. For gRPC they are those of its methods.

    Attributes:
        ready: always of HTTP; gives an error until the model is loaded.
        explain: None for all protocols but v1, which alone has explanations.

    """

    metadata: str
    ready: str
    predict: str
    explain: str | None = None

    @classmethod
    def of(cls, model: Model) -> Self:
        """Paths of v1, of OpenAI's protocol, or of the Open Inference Protocol over REST or gRPC."""
        if model.protocol == "v1":
            own = f"/v1/models/{model.served_name}"
            return cls(metadata=own, ready=own, predict=f"{own}:predict", explain=f"{own}:explain")
        if model.protocol == OPENAI:
            return cls(metadata="/v1/models", ready="/v1/models", predict="/v1/completions")
        own = f"/v2/models/{model.served_name}"
        if model.protocol == GRPC_V2:
            methods = f"/{GRPC_SERVICE}"
            return cls(metadata=f"{methods}/ModelMetadata", ready=f"{own}/ready", predict=f"{methods}/ModelInfer")
        return cls(metadata=own, ready=f"{own}/ready", predict=f"{own}/infer")
