"""What a stack says of a model server in an image of its own."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from components.settings.fields import Section, matching

# Ports in a model's pod that are Knative's.
RESERVED_PORTS = (8008, 8012, 8013, 8022, 9090, 9091)


def _free_port(port: int) -> int:
    if port in RESERVED_PORTS:
        raise ValueError(f"{port} is a port of Knative's own; have the server listen at another")
    return port


class Container(Section):
    """A model server of your own, instead of a format's; it speaks the model's protocol."""

    image: Annotated[
        str,
        matching(
            r"[A-Za-z0-9][A-Za-z0-9._:/@-]*",
            what="image: write it like registry.example.com/team/server:v1",
            longest=512,
        ),
    ] = Field(description="its image, with a tag or digest")
    command: tuple[str, ...] = Field(default=(), description="instead of the image's entrypoint")
    args: tuple[str, ...] = Field(default=(), description="instead of the image's arguments")
    port: Annotated[int, AfterValidator(_free_port)] | None = Field(
        default=None, ge=1, le=65535, description="where it serves the protocol; 8080 when left out, 8081 for grpc-v2"
    )
    ready_path: Annotated[str, matching(r"/\S*", what="path: begin it with /")] | None = Field(
        default=None,
        description="path answered with an error until the model is loaded; that of v1 or v2 when left out. With "
        "grpc-v2 it is asked for at port 8080, and without it ready means that the port is open",
    )
