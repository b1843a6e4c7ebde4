"""The deployment, top to bottom: settings, cluster, platform, credentials, models, graphs, outputs."""

from pulumi import Inputs, ResourceOptions, run

from components.objects import cluster_provider, own_namespaces, this_stack
from components.ownership.marks import own_all_objects
from components.ownership.stack_identity import own_identity
from components.platform.context import InstallContext
from components.platform.platform import Platform, PlatformArgs
from components.preflight.cluster import find_cluster, preflight
from components.preflight.extra_images import require_extra_images
from components.preflight.kubeconfig import require_kubeconfig
from components.serving.context import ServingContext
from components.serving.inference_graph import InferenceGraph, InferenceGraphArgs
from components.serving.inference_service import InferenceService, InferenceServiceArgs
from components.serving.storage_credentials import storage_credentials
from components.settings.platform_stack import PlatformStack
from components.settings.stack import load, raw_config
from components.teardown.termination_wait import termination_waits


async def deploy() -> Inputs:
    """Declare everything, and return the stack's outputs."""
    platform_stack = await PlatformStack.named(raw_config().get("platform"))
    settings = load(platform=platform_stack)
    require_kubeconfig(settings)
    require_extra_images(settings)
    found = find_cluster(settings)
    settings = settings.with_context(found.access.context)
    identity = await own_identity(stack=this_stack(), cluster=found.identity)
    cluster = preflight(settings, identity=identity, found=found)
    own_all_objects(identity, connect=found.connect, namespace=found.access.namespace)
    provider = cluster_provider(
        "cluster",
        context=settings.cluster.context,
        uid=found.identity.uid,
        opts=ResourceOptions(depends_on=identity.kept_by),
    )
    install = InstallContext.from_settings(settings, identity=identity)
    platform = platform_stack or Platform(
        "platform",
        args=PlatformArgs(
            install=install,
            release=settings.release,
            ingress=settings.ingress,
            has_knative=settings.needs_knative,
            monitoring=settings.monitoring,
            foreign_namespaces=cluster.foreign_namespaces,
        ),
        opts=ResourceOptions(provider=provider),
    )
    namespaces = own_namespaces(cluster.own_namespaces, owner=identity.text, opts=ResourceOptions(provider=provider))
    credentials = storage_credentials(
        settings, stack=identity.stack, opts=ResourceOptions(provider=provider, depends_on=namespaces)
    )
    base = [*namespaces, *platform.ready]
    waits = termination_waits(settings, own=cluster.own_namespaces, opts=ResourceOptions(depends_on=base))
    ready = [*base, *credentials.values()]
    context = ServingContext.of(
        settings,
        identity=identity,
        install=install,
        gateway_address=platform.gateway_address,
        credentials=credentials,
        termination_waits=waits,
        changing_mode=cluster.changing_mode,
    )
    models = {
        model.name: InferenceService(
            model.name,
            args=InferenceServiceArgs(model=model, context=context),
            opts=ResourceOptions(provider=provider, depends_on=ready),
        )
        for model in settings.models
    }
    graphs = {
        graph.name: InferenceGraph(
            graph.name,
            args=InferenceGraphArgs(graph=graph, models=settings.models, context=context),
            opts=ResourceOptions(provider=provider, depends_on=[*ready, *(models[m] for m in sorted(graph.targets))]),
        )
        for graph in settings.graphs
    }
    example = next((model.example for model in models.values()), None)

    return {
        "endpoints": {name: served.endpoint for name, served in (models | graphs).items()},
        "gateway": {"address": platform.gateway_address, "example": example},
        "platform": {"settings": settings.shared, "gateway_address": platform.gateway_address},
        **({"monitoring": platform.monitoring} if platform.monitoring else {}),
    }


run(deploy)
