"""The deployment, top to bottom: settings, cluster, platform, credentials, models, outputs."""

import pulumi

from components.cert_manager import CertManager, CertManagerArgs
from components.cluster import cluster_provider, require_cluster
from components.gateway_api import GatewayAPI, GatewayAPIArgs
from components.inference import InferenceService, InferenceServiceArgs
from components.istio import Istio, IstioArgs
from components.knative import Knative, KnativeArgs
from components.kserve import KServe, KServeArgs
from components.settings import load
from components.storage import StorageCredentials, StorageCredentialsArgs
from components.supply import Supply

settings = load()
release, ingress, namespace = settings.release, settings.ingress, settings.cluster.namespace
require_cluster(settings.cluster, release=release)
supply = Supply.of(settings)
on_cluster = pulumi.ResourceOptions(provider=cluster_provider("cluster", settings.cluster))

cert_manager = CertManager(
    "cert-manager", args=CertManagerArgs(supply=supply, release=release.cert_manager), opts=on_cluster
)
gateway_api = GatewayAPI(
    "gateway-api", args=GatewayAPIArgs(supply=supply, definitions=release.gateway_api), opts=on_cluster
)
istio = Istio(
    "istio",
    args=IstioArgs(
        supply=supply, release=release.istio, ingress=ingress, model_namespace=namespace, gateway_api=gateway_api
    ),
    opts=on_cluster,
)
knative = Knative(
    "knative",
    args=KnativeArgs(
        supply=supply, release=release.knative, domain=ingress.domain, istio=istio, gateway_api=gateway_api
    ),
    opts=on_cluster,
)
kserve = KServe(
    "kserve",
    args=KServeArgs(
        supply=supply,
        release=release.kserve,
        domain=ingress.domain,
        cert_manager=cert_manager,
        gateway_api=gateway_api,
        istio=istio,
        knative=knative,
    ),
    opts=on_cluster,
)
credentials = {
    name: StorageCredentials(name, args=StorageCredentialsArgs(storage=storage, namespace=namespace), opts=on_cluster)
    for name, storage in settings.storage.items()
}
all_ready = pulumi.ResourceOptions(depends_on=[kserve, knative, istio, *credentials.values()])
models = {
    model.name: InferenceService(
        model.name,
        args=InferenceServiceArgs(
            model=model,
            runtimes=release.runtimes,
            cluster=settings.cluster,
            domain=ingress.domain,
            service_account=credentials[model.storage].service_account if model.storage else None,
            resources=supply.footprint.predictor,
            gateway_address=istio.gateway_address,
        ),
        opts=pulumi.ResourceOptions.merge(on_cluster, all_ready),
    )
    for model in settings.models
}

pulumi.export("endpoints", {name: model.endpoint for name, model in models.items()})
examples = [model.example for model in models.values()]
pulumi.export("gateway", {"address": istio.gateway_address, "example": examples[0] if examples else None})
