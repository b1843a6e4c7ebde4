"""Secrets with the logins of the stack's registries, which pods pull images with."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

import pulumi
import pulumi_kubernetes as k8s

from components.objects import inside
from components.settings.stack import Settings
from registries.login import DOCKER_HUB, Login

RESOURCE = "registries"
# Kubernetes looks for the login of Docker Hub under this name only.
DOCKER_HUB_KEY = "https://index.docker.io/v1/"


@dataclass(frozen=True, kw_only=True)
class PullSecrets:
    """What pods of the platform and of the stack's models pull images with.

    Attributes:
        own: name of the Secret with the stack's logins in each namespace.
        logins: the stack's logins; without any, there is no such Secret.
        others: names of Secrets that something else puts into the namespaces.

    """

    own: str = RESOURCE
    logins: tuple[Login, ...] = ()
    others: tuple[str, ...] = ()

    @classmethod
    def from_settings(cls, settings: Settings, *, stack: str) -> Self:
        """Pull secrets of the stack with this name; it is the first one, because a renamed stack keeps its objects."""
        return cls(
            # Another stack may have a Secret of its own in the namespace.
            own=f"{re.sub('[^a-z0-9-]', '-', stack.lower())}-{RESOURCE}",
            logins=tuple(registry.login for registry in settings.registries.values() if registry.images),
            others=settings.image_pull_secrets,
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all of them."""
        return ((self.own,) if self.logins else ()) + self.others

    @property
    def references(self) -> list[dict[str, str]]:
        """All of them as a pod names them."""
        return references(self.names)

    def put_into(self, namespace: k8s.core.v1.Namespace, *, opts: pulumi.ResourceOptions) -> pulumi.Output[str]:
        """Declare the stack's Secret in a namespace; return the namespace's name, for what needs the Secret there."""
        name = namespace.metadata.name
        if not self.logins:
            return name
        secret = self._secret(namespace.pulumi_resource_name, namespace=name, opts=opts)
        # Only to wait for the Secret. Its URN is known in a preview, too, and not secret.
        return pulumi.Output.all(name, secret.urn).apply(lambda known: str(known[0]))

    def in_namespaces_of_models(
        self, namespaces: Iterable[str], *, own: Mapping[str, pulumi.Resource], opts: pulumi.ResourceOptions
    ) -> dict[str, k8s.core.v1.Secret]:
        """Declare the stack's Secret in the namespaces of its models and graphs; the stack declares those in `own`."""
        wanted = sorted(namespaces) if self.logins else ()
        return {name: self._secret(name, namespace=name, opts=inside(name, own, opts)) for name in wanted}

    def _secret(
        self, resource: str, *, namespace: pulumi.Input[str], opts: pulumi.ResourceOptions
    ) -> k8s.core.v1.Secret:
        return k8s.core.v1.Secret(
            f"{resource}/{RESOURCE}",
            metadata=k8s.meta.v1.ObjectMetaArgs(name=self.own, namespace=namespace),
            type="kubernetes.io/dockerconfigjson",
            string_data={".dockerconfigjson": pulumi.Output.secret(json.dumps(docker_configuration(self.logins)))},
            opts=opts,
        )


def references(names: Iterable[str]) -> list[dict[str, str]]:
    """Secrets as a pod or an account names them."""
    return [{"name": name} for name in names]


def docker_configuration(logins: Iterable[Login]) -> Mapping[str, object]:
    """Logins in the form of Docker's configuration file, which Kubernetes reads."""
    return {
        "auths": {
            DOCKER_HUB_KEY if login.host in DOCKER_HUB else login.host: {
                "username": login.username,
                "password": login.password,
                "auth": login.encoded,
            }
            for login in logins
        }
    }
