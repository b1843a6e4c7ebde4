"""The rights that the login needs: to make what the stack declares, and to read what its hooks and provider wait for.

`tools/cluster_role.py` makes ClusterRoles from these lists.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass

from components.serving.store_objects import needs_variables
from components.settings.stack import Settings
from components.settings.stores.certificates import Certificates

READ = ("get", "list", "watch")
# Pulumi creates and updates with server-side apply: a patch, for which an object that is new needs `create`, too.
MANAGE = (*READ, "create", "patch", "delete")
# Besides, the provider replaces CustomResourceDefinitions as a whole, and Helm its records.
REPLACE = (*MANAGE, "update")
# The cluster's first namespace, whose UID tells clusters apart.
SYSTEM_NAMESPACE = "kube-system"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Verbs on kinds of one API group, as a rule of a ClusterRole has them."""

    group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...]


# To identify the cluster, and the stack that made a namespace. Needed in kube-system and in each namespace.
IDENTIFY = (Rule(group="", resources=("namespaces",), verbs=("get",)),)
# To make namespaces, and to delete them with the stack.
NAMESPACES = (Rule(group="", resources=("namespaces",), verbs=MANAGE),)
# To see, before a namespace or a definition of the stack is deleted, whether others have something in it, or of it.
LOOK = (Rule(group="*", resources=("*",), verbs=("list",)),)
# Models and graphs, the objects that controllers make for them, and those that a roll-out and a destroy wait for.
MODELS = (
    Rule(group="serving.kserve.io", resources=("inferenceservices", "inferencegraphs"), verbs=MANAGE),
    Rule(group="", resources=("pods", "services"), verbs=READ),
    Rule(group="apps", resources=("deployments", "replicasets"), verbs=READ),
    Rule(group="autoscaling", resources=("horizontalpodautoscalers",), verbs=("get",)),
    Rule(group="gateway.networking.k8s.io", resources=("httproutes",), verbs=("get", "list")),
    # Only to see whether others have one of a name that KServe would use.
    Rule(group="networking.istio.io", resources=("virtualservices",), verbs=("list",)),
    Rule(group="serving.knative.dev", resources=("services", "routes"), verbs=("get", "list")),
    Rule(group="networking.internal.knative.dev", resources=("ingresses", "serverlessservices"), verbs=("get", "list")),
)
# To remove terminating pods from the API server. A destroy waits longer without it, so it is not asked for.
REMOVE_PODS = (Rule(group="", resources=("pods",), verbs=("delete",)),)
# To have Knative start a revision again that it has given up. An update warns without it, so it is not asked for.
REVIVE = (Rule(group="serving.knative.dev", resources=("revisions",), verbs=("get", "delete")),)
# To keep why a model's files could not be fetched. An update says it, too, so it is not asked for.
KEEP_REASONS = (Rule(group="", resources=("events",), verbs=("create",)),)
# Keys of stores.
STORAGE = (Rule(group="", resources=("secrets", "serviceaccounts"), verbs=MANAGE),)
# Certificates of a store's private authority.
CERTIFICATES = (Rule(group="", resources=("configmaps",), verbs=MANAGE),)
# Graphs in mode Standard, for which KServe makes no route.
ROUTES = (Rule(group="gateway.networking.k8s.io", resources=("httproutes",), verbs=MANAGE),)
# Bandits: a Deployment whose account may keep the rewards in a ConfigMap. Nobody may grant a right without having it,
# nor, without `bind`, bind a Role that is not there yet, as every preview does.
BANDITS = (
    Rule(group="", resources=("serviceaccounts", "services"), verbs=MANAGE),
    Rule(group="", resources=("configmaps",), verbs=("get", "create", "update")),
    Rule(group="", resources=("endpoints", "events", "persistentvolumeclaims"), verbs=("list", "watch")),
    Rule(group="apps", resources=("deployments",), verbs=MANAGE),
    Rule(group="rbac.authorization.k8s.io", resources=("roles",), verbs=(*MANAGE, "bind")),
    Rule(group="rbac.authorization.k8s.io", resources=("rolebindings",), verbs=MANAGE),
    Rule(group="networking.istio.io", resources=("virtualservices",), verbs=MANAGE),
)
# Disruption budgets of models.
BUDGETS = (Rule(group="policy", resources=("poddisruptionbudgets",), verbs=MANAGE),)
# Models with a `storage_initializer`, and those of some stores. These objects are in no namespace.
STORAGE_CONTAINERS = (Rule(group="serving.kserve.io", resources=("clusterstoragecontainers",), verbs=MANAGE),)
# Models of formats that the release's KServe has no serving runtime for.
RUNTIMES = (Rule(group="serving.kserve.io", resources=("servingruntimes",), verbs=MANAGE),)
# The charts of the platform, and what the program declares beside them.
PLATFORM = (
    Rule(group="", resources=("configmaps", "serviceaccounts", "services"), verbs=MANAGE),
    Rule(group="", resources=("secrets",), verbs=REPLACE),
    Rule(group="", resources=("endpoints", "events", "persistentvolumeclaims"), verbs=("list", "watch")),
    Rule(group="", resources=("pods",), verbs=READ),
    Rule(group="apps", resources=("deployments",), verbs=MANAGE),
    Rule(group="apps", resources=("replicasets",), verbs=READ),
    # Who needs Knative.
    Rule(group="serving.kserve.io", resources=("inferenceservices", "inferencegraphs"), verbs=("list",)),
    Rule(group="serving.knative.dev", resources=("services",), verbs=("list",)),
    Rule(group="apiextensions.k8s.io", resources=("customresourcedefinitions",), verbs=REPLACE),
    Rule(
        group="admissionregistration.k8s.io",
        resources=("mutatingwebhookconfigurations", "validatingwebhookconfigurations"),
        verbs=MANAGE,
    ),
    # The roles of the charts allow more than this login may do: hence `escalate` and `bind`.
    Rule(
        group="rbac.authorization.k8s.io",
        resources=("clusterroles", "roles"),
        verbs=(*MANAGE, "escalate", "bind"),
    ),
    Rule(group="rbac.authorization.k8s.io", resources=("clusterrolebindings", "rolebindings"), verbs=MANAGE),
    Rule(group="cert-manager.io", resources=("certificates", "issuers"), verbs=MANAGE),
    Rule(group="gateway.networking.k8s.io", resources=("gatewayclasses", "gateways"), verbs=MANAGE),
    Rule(group="serving.kserve.io", resources=("clusterservingruntimes", "clusterstoragecontainers"), verbs=MANAGE),
)
# To find the parts of a platform that is there and whose they are, to try their webhooks, and to read their settings.
LOOK_AT_PLATFORM = (
    Rule(group="apiextensions.k8s.io", resources=("customresourcedefinitions",), verbs=("get",)),
    Rule(group="apps", resources=("deployments",), verbs=("list",)),
    Rule(group="", resources=("namespaces", "configmaps"), verbs=("get",)),
    Rule(group="", resources=("services",), verbs=("list",)),
    Rule(group="gateway.networking.k8s.io", resources=("gateways", "gatewayclasses"), verbs=("get",)),
    Rule(group="networking.istio.io", resources=("gateways",), verbs=("get",)),
    Rule(group="serving.kserve.io", resources=("clusterservingruntimes",), verbs=("list",)),
    Rule(group="networking.istio.io", resources=("virtualservices",), verbs=("create",)),
    Rule(group="serving.knative.dev", resources=("services",), verbs=("create",)),
    Rule(group="serving.kserve.io", resources=("inferenceservices",), verbs=("create",)),
)
KNATIVE = (
    Rule(group="operator.knative.dev", resources=("knativeservings",), verbs=MANAGE),
    Rule(group="networking.istio.io", resources=("gateways",), verbs=MANAGE),
    Rule(group="autoscaling", resources=("horizontalpodautoscalers",), verbs=("get", "patch")),
)
# More than one pod of each part.
REPLICATED = (
    Rule(group="autoscaling", resources=("horizontalpodautoscalers",), verbs=MANAGE),
    Rule(group="policy", resources=("poddisruptionbudgets",), verbs=MANAGE),
)
# Kinds that only the published manifest of Gateway API has.
PUBLISHED = (
    Rule(
        group="admissionregistration.k8s.io",
        resources=("validatingadmissionpolicies", "validatingadmissionpolicybindings"),
        verbs=MANAGE,
    ),
)
MONITORING = (Rule(group="", resources=("persistentvolumeclaims",), verbs=MANAGE),)
WHOLE_PLATFORM = (*NAMESPACES, *LOOK, *LOOK_AT_PLATFORM, *PLATFORM, *KNATIVE, *REPLICATED, *PUBLISHED, *MONITORING)
ALL_OF_MODELS = (
    *(*IDENTIFY, *MODELS, *REMOVE_PODS, *REVIVE, *KEEP_REASONS),
    *(*STORAGE, *CERTIFICATES, *ROUTES, *BANDITS, *BUDGETS, *RUNTIMES),
)


@dataclass(frozen=True, kw_only=True)
class Right:
    """One verb on one kind.

    Attributes:
        namespace: where; empty for all namespaces, and for what is in none.
        name: of the one object; empty for all.

    """

    verb: str
    group: str
    resource: str
    namespace: str = ""
    name: str = ""


def platform_rules(settings: Settings) -> Iterator[Rule]:
    """What the platform of these settings needs, in all namespaces."""
    yield from (*NAMESPACES, *LOOK, *PLATFORM)
    if settings.needs_knative:
        yield from KNATIVE
    if settings.footprint.replicated:
        yield from REPLICATED
    if not settings.release.needs_mirror:
        yield from PUBLISHED
    if settings.monitoring and settings.monitoring.storage:
        yield from MONITORING


def model_rules(settings: Settings, *, namespace: str) -> Iterator[Rule]:
    """What the models and graphs of a namespace need in it."""
    yield from (*IDENTIFY, *MODELS)
    stores = [settings.storage[store] for store, used in settings.used_stores if used == namespace]
    if stores:
        yield from STORAGE
    if any(isinstance(store, Certificates) and store.ca_file for store in stores):
        yield from CERTIFICATES
    if any(graph.mode == "Standard" and settings.namespace_of(graph) == namespace for graph in settings.graphs):
        yield from ROUTES
    models = [model for model in settings.models if settings.namespace_of(model) == namespace]
    if any(model.canary and model.canary.bandit for model in models):
        yield from BANDITS
    if any(model.declared_runtime(settings.release.runtimes) for model in models):
        yield from RUNTIMES
    parts = (part for model in models for part in (model, model.transformer, model.explainer) if part)
    if any(part.disruption_budget for part in parts):
        yield from BUDGETS


def needed_rights(settings: Settings, *, missing: Set[str], own: Set[str]) -> frozenset[Right]:
    """Rights that the stack needs.

    Nobody can grant a right in a namespace that does not exist, so what is needed there is needed in all namespaces.

    Args:
        settings: of the stack.
        missing: its namespaces that do not exist yet.
        own: its namespaces that the stack made.

    """
    stores = [settings.storage[store] for store, _ in settings.used_stores]
    own_downloads = any(model.storage_initializer for model in settings.models) or any(map(needs_variables, stores))
    containers = STORAGE_CONTAINERS if own_downloads else ()
    if settings.installs_platform:
        models = (rule for name in settings.namespaces for rule in model_rules(settings, namespace=name))
        return _rights([*LOOK_AT_PLATFORM, *platform_rules(settings), *models, *containers], namespace="")
    found = _rights(IDENTIFY, namespace=SYSTEM_NAMESPACE, name=SYSTEM_NAMESPACE) | _rights(containers, namespace="")
    if settings.uses_whole_platform:
        found |= _rights((*LOOK_AT_PLATFORM, *((*NAMESPACES, *LOOK) if settings.monitoring else ())), namespace="")
    for name in settings.namespaces:
        place = "" if name in missing else name
        found |= _rights(model_rules(settings, namespace=name), namespace=place)
        if name in missing | own:
            found |= _rights((*NAMESPACES, *LOOK), namespace=place)
    return found


def _rights(rules: Iterable[Rule], *, namespace: str, name: str = "") -> frozenset[Right]:
    return frozenset(
        Right(verb=verb, group=rule.group, resource=resource, namespace=namespace, name=name)
        for rule in rules
        for resource in rule.resources
        for verb in rule.verbs
    )
