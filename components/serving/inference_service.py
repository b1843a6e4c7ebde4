"""The InferenceService of a model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from components.objects import STACK_ANNOTATION, custom_resource
from components.rollout.hooks import model_hooks
from components.serving.bandit import Bandit, BanditArgs
from components.serving.context import ServingContext
from components.serving.disruption_budget import declare_disruption_budgets
from components.serving.model_runtime import ModelRuntime
from components.serving.modes import SERVING_MODES
from components.serving.paths import Paths
from components.serving.spec import InferenceServiceSpec, canary_traffic
from components.serving.storage_container import StorageContainer
from components.settings.model import Model
from components.settings.server import REQUEST_TIMEOUT
from endpoints.endpoint import Check, Endpoint
from kube.views.kserve import MODE_ANNOTATION, SPEC_HASH_ANNOTATION
from releases.runtimes import BANDIT_IMAGE
from releases.types import GRPC_V2

# Header of Knative that chooses one of a model's versions.
VERSION_HEADER = "Knative-Serving-Tag"


@dataclass(frozen=True, kw_only=True)
class InferenceServiceArgs:
    """A model, and what it shares with the other models of the stack."""

    model: Model
    context: ServingContext

    @property
    def namespace(self) -> str:
        """Namespace of the model."""
        return self.model.namespace or self.context.cluster.namespace


class InferenceService(pulumi.ComponentResource):
    """A model behind the gateway. It is done when the new version gets the requests.

    Attributes:
        endpoint: what a client needs to reach it, and what it should answer; known once it is ready.
        example: command that asks the model for its metadata.

    """

    endpoint: pulumi.Output[dict[str, Any]]
    example: pulumi.Output[str]

    def __init__(self, name: str, *, args: InferenceServiceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kserve-multi-model:serving:InferenceService", name, {}, opts)
        model, context = args.model, args.context
        store = context.store(model, namespace=args.namespace)
        storage = StorageContainer.of(
            model,
            namespace=args.namespace,
            default=context.footprint.storage_initializer,
            variables=store.variables if store else (),
        )
        runtime = ModelRuntime.of(model, namespace=args.namespace, runtimes=context.runtimes, images=context.images)
        spec = InferenceServiceSpec(
            model=model,
            runtimes=context.runtimes,
            store=store,
            resources=context.footprint.predictor,
            pull_secrets=context.pull_secrets,
            storage_container=storage,
            names_the_platforms=model.location in context.locations_with_own_container,
            own_runtime=runtime,
        )
        components = spec.components()
        hashes = {component: fields["annotations"][SPEC_HASH_ANNOTATION] for component, fields in components.items()}
        servers = context.servers(model.mode, namespace=args.namespace, timeout=model.timeout)
        needed = [own.declare(pulumi.ResourceOptions(parent=self)) for own in (storage, runtime) if own]
        service = custom_resource(
            name,
            api_version="serving.kserve.io/v1beta1",
            kind="InferenceService",
            name=model.service,
            namespace=args.namespace,
            annotations={**spec.annotations, STACK_ANNOTATION: context.owner},
            labels=spec.labels,
            spec=components,
            # With a transformer or an explainer, KServe may report the generation of its server as observed, which
            # need not be the model's. Then only the hooks wait.
            ready="Ready" if components.keys() == {"predictor"} else None,
            timeout=servers.timeout,
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[*filter(None, [context.termination_waits.get(args.namespace)]), *needed],
                hooks=model_hooks(
                    model.service,
                    key=model.name,
                    servers=servers,
                    spec_hashes=hashes,
                    share=components["predictor"].get("canaryTrafficPercent", 100),
                    secrets=(store.secrets if store else ()) if model.storage_uri else None,
                ),
                replace_on_changes=[f'metadata.annotations["{MODE_ANNOTATION}"]', *_routes_removed_by(model)],
                delete_before_replace=model.name in context.changing_mode or bool(_routes_removed_by(model)) or None,
            ),
        )
        _declare_bandit(
            args, versions=hashes["predictor"], opts=pulumi.ResourceOptions(parent=self, depends_on=[service])
        )
        declare_disruption_budgets(model, namespace=args.namespace, opts=pulumi.ResourceOptions(parent=self))
        self.endpoint = pulumi.Output.all(service.id, context.gateway_address).apply(
            lambda known: _endpoint(args, gateway_address=known[1])
        )
        self.example = self.endpoint.apply(_example)
        self.register_outputs({"endpoint": self.endpoint})


def _routes_removed_by(model: Model) -> list[str]:
    """Fields whose change replaces the object, because KServe leaves the routes of a model that becomes cluster-local.

    That is so in mode Standard only: in mode Knative, the routes follow the label. It is the only label, so the change
    that adds it is one of all labels.
    """
    return ["metadata.labels"] if model.mode == "Standard" and model.visibility else []


def _declare_bandit(args: InferenceServiceArgs, *, versions: str, opts: pulumi.ResourceOptions) -> None:
    """The bandit of a model whose settings ask for one; `versions` names the model's two versions."""
    model, context = args.model, args.context
    bandit = model.canary.bandit if model.canary else None
    if bandit is None:
        return
    image = bandit.image or (context.images.image(BANDIT_IMAGE) if context.images else None)
    if image is None:
        return
    Bandit(
        model.bandit_name,
        args=BanditArgs(
            model=model.service,
            namespace=args.namespace,
            host=context.host(model.bandit_name, namespace=args.namespace),
            gateway=context.gateways.knative,
            predict_path=Paths.of(model).predict,
            versions=versions,
            epsilon=bandit.epsilon,
            timeout=model.request_timeout or REQUEST_TIMEOUT,
            image=image,
            pull_secrets=(*context.pull_secrets, *model.image_pull_secrets),
        ),
        opts=opts,
    )


def _endpoint(args: InferenceServiceArgs, *, gateway_address: str | None) -> dict[str, Any]:
    model, context, paths = args.model, args.context, Paths.of(args.model)
    first = "transformer" if model.transformer else "predictor"
    host = (
        SERVING_MODES[model.mode].internal_host(model.service, first=first, namespace=args.namespace)
        if model.visibility
        else context.host(model.service, namespace=args.namespace)
    )
    has_bandit = model.canary and model.canary.bandit
    return Endpoint(
        name=model.name,
        service_name=model.service_name,
        model_name=model.model_name,
        cluster_local=model.visibility is not None,
        namespace=args.namespace,
        url=f"http://{host}",
        host=host,
        protocol=model.protocol,
        predict_path=paths.predict,
        metadata_path=paths.metadata,
        explain_path=paths.explain if model.explainer else None,
        gateway_address=gateway_address,
        gateway_service=context.gateway_service,
        context=context.cluster.context,
        check=Check(**model.check.model_dump()) if model.check else None,
        versions=_versions(model),
        bandit=context.host(model.bandit_name, namespace=args.namespace) if has_bandit else None,
    ).model_dump()


def _versions(model: Model) -> dict[str, dict[str, str]]:
    """Headers that choose a version of a model with a canary, by KServe's names for the two versions."""
    names = ("latest", "prev") if canary_traffic(model) is not None else ()
    return {name: {VERSION_HEADER: name} for name in names}


def _example(endpoint: Mapping[str, Any]) -> str:
    read = Endpoint.model_validate(endpoint)
    (before, address), host, path = read.way_by_hand, read.host, read.metadata_path
    if read.cluster_local:
        return f"from a pod of the cluster: curl http://{host}{path if read.protocol != GRPC_V2 else ''}"
    if read.protocol != GRPC_V2:
        return f"{before}curl -H 'Host: {host}' {address}{path}"
    name = json.dumps({"name": read.served_name})
    return (
        f"{before}grpcurl -plaintext -proto open_inference_grpc.proto -authority {host} -d '{name}' "
        f"{address.removeprefix('http://')} {path.removeprefix('/')}"
    )
