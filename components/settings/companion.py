"""What a stack says of the containers beside a model's server: its transformer, its explainer."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field

from components.settings.fields import Section, matching
from components.settings.server import REQUEST_TIMEOUT, Environment, Replicas, Resources

# KServe's names for what stands beside a predictor.
Companionship = Literal["transformer", "explainer"]
COMPANIONSHIPS: tuple[Companionship, ...] = get_args(Companionship)
# Where KServe's SDK listens, and every serving runtime.
PORT = 8080


class Companion(Section):
    """A container of the stack's own beside a model's server, which it asks."""

    image: Annotated[str, matching(r"\S+", what="image: write it like registry.example/team/name:tag", longest=512)] = (
        Field(description="its image; KServe's arguments, --model_name and --predictor_host, reach what it starts")
    )
    command: list[str] = Field(default_factory=list, description="instead of the image's entrypoint")
    args: list[str] = Field(default_factory=list, description="arguments before KServe's own")
    replicas: Replicas = Replicas()
    concurrency: int | None = Field(
        default=None, ge=1, le=1000, description="requests one gets at a time, at the most; no limit when left out"
    )
    request_timeout: int | None = Field(
        default=None,
        ge=1,
        le=600,
        description=f"seconds a request may take, the model's part included; {REQUEST_TIMEOUT} when left out",
    )
    resources: Resources | None = None
    environment: Environment = Field(
        default_factory=dict, description="variables of its container, name to text; none is kept secret"
    )


class Transformer(Companion):
    """A container in front of the model: it turns a request into the model's, and the model's answer into its own."""

    port: int = Field(default=PORT, ge=1, le=65535, description="where it listens; it is told as --http_port")


class Explainer(Companion):
    """A container that answers requests to explain a prediction, by asking the model as often as it likes.

    It listens at port 8080: KServe tells every explainer so.
    """


def longest_name(companionship: Companionship) -> int:
    """How long the name of a model with such a companion may be.

    Knative names a companion's Deployment after the model, too, and Kubernetes allows 63 characters.
    """
    return 63 - len(f"-{companionship}-00001-deployment")
