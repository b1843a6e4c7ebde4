"""The deployment, top to bottom: settings, cluster, platform, credentials, models, graphs, outputs."""

from pulumi import Inputs, Resource, ResourceOptions, run

from components.objects import own_namespaces
from components.platform.context import InstallContext
from components.platform.platform import Platform, PlatformArgs
from components.serving.context import ServingContext
from components.serving.inference_graph import InferenceGraph, InferenceGraphArgs
from components.serving.inference_service import InferenceService, InferenceServiceArgs
from components.serving.storage_credentials import storage_credentials
from components.settings.platform_stack import PlatformStack
from components.settings.stack import load, raw_config
from components.target_cluster import target_cluster
from components.teardown.cluster_guard import ClusterGuard, ClusterGuardArgs
from components.teardown.termination_wait import termination_waits


async def deploy() -> Inputs:
    """Declare everything, and return the stack's outputs."""
    platform_stack = await PlatformStack.named(raw_config().get("platform"))
    cluster = await target_cluster(load(platform=platform_stack))
    settings, identity, existing, provider = cluster.settings, cluster.identity, cluster.existing, cluster.provider
    install = InstallContext.from_settings(settings, identity=identity)
    platform = platform_stack or Platform(
        "platform",
        args=PlatformArgs.from_settings(settings, install=install, existing=existing.platform_parts),
        opts=ResourceOptions(provider=provider),
    )
    namespaces = own_namespaces(existing.own_namespaces, owner=identity.text, opts=ResourceOptions(provider=provider))
    # Before anything is in them, as an `up` may fail half-way.
    guards = [install.guards.namespace(made, of_models=True) for made in namespaces.values()]
    own = ResourceOptions(provider=provider)
    credentials = storage_credentials(settings, stack=identity.stack, namespaces=namespaces, opts=own)
    waits = termination_waits(settings, own=namespaces, opts=ResourceOptions(depends_on=[*platform.ready]))
    pull_secrets = install.pull_secrets.in_namespaces_of_models(settings.namespaces, own=namespaces, opts=own)

    def ready(namespace: str) -> list[Resource]:
        """What a model or graph of this namespace waits for."""
        here = [made[namespace] for made in (namespaces, pull_secrets) if namespace in made]
        keys = [access for (_, place), access in credentials.items() if place == namespace]
        return [*here, *platform.ready, *keys]

    context = ServingContext.of(
        settings,
        identity=identity,
        install=install,
        gateway_address=platform.gateway_address,
        gateway_service=platform.gateway_service,
        gateways=platform.gateways,
        credentials=credentials,
        termination_waits=waits,
        changing_mode=existing.changing_mode,
    )
    models = {
        model.name: InferenceService(
            model.name,
            args=InferenceServiceArgs(model=model, context=context),
            opts=ResourceOptions(provider=provider, depends_on=ready(settings.namespace_of(model))),
        )
        for model in settings.models
    }
    graphs = {
        graph.name: InferenceGraph(
            graph.name,
            args=InferenceGraphArgs(graph=graph, models=settings.models, context=context),
            opts=ResourceOptions(
                provider=provider,
                depends_on=[*ready(settings.namespace_of(graph)), *(models[m] for m in sorted(graph.targets))],
            ),
        )
        for graph in settings.graphs
    }
    declared = (namespaces, credentials, pull_secrets, waits, models, graphs)
    guarded = [*guards, *platform.resources, *platform.ready, *(one for made in declared for one in made.values())]
    guard = ClusterGuardArgs.from_settings(settings, identity=identity)
    ClusterGuard(args=guard, opts=ResourceOptions(depends_on=guarded))
    example = next((model.example for model in models.values()), None)

    return {
        "endpoints": {name: served.endpoint for name, served in (models | graphs).items()},
        "gateway": context.gateway_output(example=example),
        "platform": {"settings": settings.shared, **context.gateway},
        **({"monitoring": platform.monitoring} if platform.monitoring else {}),
    }


run(deploy)
