"""The deployment, top to bottom: settings, cluster, platform, credentials, models, graphs, outputs."""

import pulumi

from components.objects.owner import this_stack
from components.platform.context import Supply
from components.platform.platform import Platform, PlatformArgs
from components.preflight.cluster import cluster_provider, declare_namespaces, look_at_cluster
from components.preflight.extra_images import require_extra_images
from components.serving.inference_graph import InferenceGraph, InferenceGraphArgs
from components.serving.inference_service import InferenceService, InferenceServiceArgs
from components.serving.storage_credentials import StorageCredentials, StorageCredentialsArgs
from components.settings.platform_stack import PlatformStack
from components.settings.stack import load, raw_config
from components.teardown.termination_wait import termination_waits


async def deploy() -> pulumi.Inputs:
    """Declare everything; gives the stack's outputs."""
    platform_stack = await PlatformStack.named(raw_config().get("platform"))
    settings = load(platform=platform_stack)
    require_extra_images(settings)
    found = look_at_cluster(settings, owner=this_stack())
    supply = Supply.of(settings)
    on_cluster = pulumi.ResourceOptions(provider=cluster_provider("cluster", settings.cluster))

    platform = platform_stack or Platform(
        "platform",
        args=PlatformArgs(
            supply=supply,
            release=settings.release,
            ingress=settings.ingress,
            has_knative=settings.needs_knative,
            monitoring=settings.monitoring,
            foreign_namespaces=found.foreign_namespaces,
        ),
        opts=on_cluster,
    )
    namespaces = declare_namespaces(found.own_namespaces, owner=this_stack(), opts=on_cluster)
    in_namespaces = pulumi.ResourceOptions.merge(on_cluster, pulumi.ResourceOptions(depends_on=namespaces))
    credentials = {
        (store, namespace): StorageCredentials(
            f"{namespace}/{store}",
            args=StorageCredentialsArgs(name=store, storage=settings.storage[store], namespace=namespace),
            opts=in_namespaces,
        )
        for store, namespace in settings.used_stores
    }
    all_ready = pulumi.ResourceOptions.merge(
        in_namespaces, pulumi.ResourceOptions(depends_on=[*platform.ready, *credentials.values()])
    )
    accounts = {opened: opening.service_account for opened, opening in credentials.items()}
    after_platform = pulumi.ResourceOptions(depends_on=[*namespaces, *platform.ready])
    ends = termination_waits(settings, own=found.own_namespaces, opts=after_platform)
    models = {
        model.name: InferenceService(
            model.name,
            args=InferenceServiceArgs(
                model=model,
                runtimes=settings.release.runtimes,
                cluster=settings.cluster,
                namespace=settings.namespace_of(model),
                owner=this_stack(),
                domain=settings.ingress.domain,
                service_account=accounts.get((model.storage or "", settings.namespace_of(model))),
                resources=supply.footprint.predictor,
                gateway_address=platform.gateway_address,
                images=supply.images,
                termination_wait=ends[settings.namespace_of(model)],
                changes_mode=model.name in found.changing_mode,
            ),
            opts=all_ready,
        )
        for model in settings.models
    }
    graphs = {
        graph.name: InferenceGraph(
            graph.name,
            args=InferenceGraphArgs(
                graph=graph,
                models={model.name: model for model in settings.models},
                cluster=settings.cluster,
                owner=this_stack(),
                domain=settings.ingress.domain,
                resources=supply.footprint.router,
                gateway_address=platform.gateway_address,
                termination_wait=ends[settings.namespace_of(graph)],
                changes_mode=graph.name in found.changing_mode,
            ),
            opts=pulumi.ResourceOptions.merge(
                all_ready, pulumi.ResourceOptions(depends_on=[models[name] for name in sorted(graph.targets)])
            ),
        )
        for graph in settings.graphs
    }

    examples = [model.example for model in models.values()]
    return {
        "endpoints": {name: served.endpoint for name, served in (models | graphs).items()},
        "gateway": {"address": platform.gateway_address, "example": examples[0] if examples else None},
        "platform": {"settings": settings.shared, "gateway_address": platform.gateway_address},
        **({"monitoring": platform.monitoring} if platform.monitoring else {}),
    }


pulumi.run(deploy)
