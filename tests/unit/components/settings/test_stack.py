"""All settings of a stack: what is refused with which message, and how they are read."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from components.settings.errors import SettingsError
from components.settings.server import RESERVED_KEYS, RESERVED_VARIABLES
from components.settings.stack import Settings, load, parse, raw_config
from components.settings.stores.s3 import S3Storage
from releases import RELEASES
from tests.unit.components.conftest import ACCESS_KEY, PROFILE, SECRET_KEY
from tests.unit.components.recording import PROJECT

Change = Callable[[dict[str, Any]], object]


def valid_settings() -> dict[str, Any]:
    """Valid settings that use every section."""
    return {
        "release": "local",
        "mirror": {"charts": "oci://registry.example:5000/charts", "images": "registry.example:5000"},
        "cluster": {"namespace": "models"},
        "ingress": {"domain": "example.com", "service_type": "NodePort", "address": "192.0.2.1", "node_port": 31080},
        "resources": "small",
        "storage": {"demo": {"kind": "s3", "endpoint": "http://192.0.2.2:9000", "profile": PROFILE}},
        "models": [
            {
                "name": "sklearn-model",
                "format": "sklearn",
                "storage_uri": "s3://models/sklearn",
                "storage": "demo",
                "replicas": {"min": 0, "max": 2},
                "scale": {"metric": "concurrency", "target": 4, "window": 6},
                "concurrency": 8,
                "request_timeout": 60,
                "resources": {"requests": {"cpu": "50m", "memory": "256Mi"}, "limits": {"cpu": 1}},
                "gpus": 1,
                "node_selector": {"kubernetes.io/arch": "amd64"},
                "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
                "environment": {"OMP_NUM_THREADS": "2"},
                "labels": {"team": "ml"},
                "annotations": {"example.com/owner": "ml@example.com"},
                "batcher": {"max_batch_size": 32, "max_latency": 50},
                "logger": {"url": "http://log.example.com"},
                "canary": {"traffic": 100},
                "check": {"instances": [[1.0, 2.0], [3.0, 4.0]], "predictions": [1, 0], "tolerance": 0},
            },
            {
                "name": "xgboost-model",
                "format": "xgboost",
                "storage_uri": "gs://models/xgboost",
                "protocol": "v2",
                "service_account": "reader",
            },
        ],
    }


def model(**changes: Any) -> Change:
    """Change settings of the first model; None removes a setting."""

    def change(settings: dict[str, Any]) -> None:
        first = settings["models"][0]
        for key, value in changes.items():
            first[key] = value
            if value is None:
                del first[key]

    return change


def put(*path: str, value: Any) -> Change:
    def change(settings: dict[str, Any]) -> None:
        place = settings
        for step in path[:-1]:
            place = place.setdefault(step, {})
        place[path[-1]] = value

    return change


def without(*path: str) -> Change:
    def change(settings: dict[str, Any]) -> None:
        place = settings
        for step in path[:-1]:
            place = place[step]
        del place[path[-1]]

    return change


NAMES = ", ".join(map(repr, RELEASES))
INVALID: list[tuple[Change, str]] = [
    (without("release"), "release: is missing"),
    (put("release", value="0.19"), f"release: '0.19' is not a release; the releases are {NAMES}"),
    (put("release", value="0.2"), f"the releases are {NAMES}; in YAML it needs quotes"),
    (put("release", value=0.2), "release: 0.2 is not a release"),
    (put("reelase", value="local"), "reelase: unknown setting; did you mean 'release'?"),
    (put("ingress", "domian", value="a.b"), "ingress.domian: unknown setting; did you mean 'domain'?"),
    (
        put("ingress", "qqq", value=1),
        "ingress.qqq: unknown setting; the settings here are domain, service_type, address, node_port, client_port, "
        "annotations, load_balancer_class, gateway, class_name",
    ),
    (
        put("storage", "demo", "end_point", value="x"),
        "storage.demo.end_point: unknown setting; did you mean 'endpoint'?",
    ),
    (model(storage_url="s3://a/b"), "models[0].storage_url: unknown setting; did you mean 'storage_uri'?"),
    (without("mirror"), "mirror: is required: the charts of release 'local' are in a mirror only"),
    (
        put("mirror", "charts", value="https://r/c"),
        "mirror.charts: 'https://r/c' is not a valid OCI registry: write oci://host",
    ),
    (put("mirror", "charts", value="oci://"), "mirror.charts: 'oci://' is not a valid OCI registry"),
    (
        put("mirror", "images", value="oci://r/i"),
        "mirror.images: 'oci://r/i' is not a valid image registry: write host/path",
    ),
    (put("mirror", "plain_http", value="perhaps"), "mirror.plain_http: must be true or false"),
    (put("cluster", "namespace", value="Models"), "cluster.namespace: 'Models' is not a valid Kubernetes name"),
    (put("cluster", "kubeconfig", value="nowhere"), "cluster.kubeconfig: is not a file; give the path of a kubeconfig"),
    (put("cluster", "kubeconfig", value="apiVersion: v1\nkind: Config"), "not its content"),
    (put("cluster", "context", value=""), "cluster.context: "),
    (
        put("ingress", "domain", value="http://example.com"),
        "ingress.domain: 'http://example.com' is not a valid domain",
    ),
    (put("ingress", "domain", value="-a.com"), "ingress.domain: '-a.com' is not a valid domain: write it like"),
    (
        put("ingress", "service_type", value="Ingress"),
        "ingress.service_type: must be 'LoadBalancer', 'NodePort' or 'ClusterIP'",
    ),
    (put("ingress", "node_port", value=80), "ingress.node_port: must be a port from 30000 to 32767"),
    (
        without("ingress", "node_port"),
        "ingress.node_port: must be a port from 30000 to 32767 with service_type NodePort",
    ),
    (put("ingress", "service_type", value="ClusterIP"), "ingress.node_port: has no effect with service_type ClusterIP"),
    (
        put("ingress", value={"service_type": "NodePort", "client_port": 8080}),
        "ingress.client_port: needs an address: it is the port that clients use there; add ingress.address",
    ),
    (put("ingress", "client_port", value=0), "ingress.client_port: "),
    (
        put("ingress", "load_balancer_class", value="tailscale"),
        "ingress.load_balancer_class: has no effect with service_type NodePort; drop it",
    ),
    (
        put("ingress", "annotations", value={"pulumi.com/skipAwait": "true"}),
        "ingress.annotations: 'pulumi.com/skipAwait' is reserved for this program; choose another",
    ),
    (
        put("ingress", "address", value="192.0.2.1:80"),
        "ingress.address: '192.0.2.1:80' is not a host name or IP address",
    ),
    (
        put("ingress", "domain", value=f"{'a' * 64}.com"),
        "is not a valid domain: write it like models.example.com, each part at",
    ),
    (
        put("ingress", "domain", value=".".join(["a" * 60] * 4)),
        "models[0].name: makes a host name of 264 characters, sklearn-model.models.a",
    ),
    (put("mode", value="Serverless"), "mode: must be 'Knative' or 'Standard'"),
    (put("resources", value="tiny"), "resources: must be 'default' or 'small'"),
    (put("storage", "demo", "kind", value="ftp"), "storage.demo.kind: must be one of 's3', 'gcs', 'azure', 'https', "),
    (
        put("storage", "demo", "endpoint", value="minio:9000"),
        "storage.demo.endpoint: 'minio:9000' is not an S3 endpoint",
    ),
    (
        put("storage", "demo", "endpoint", value="https://AKID:key@store"),
        "storage.demo.endpoint: 'https://…@store' is not an S3 endpoint",
    ),
    (put("storage", "demo", "profile", value="nobody"), "storage.demo.profile: no profile 'nobody' in "),
    (put("storage", "demo", "profile", value="half"), "storage.demo.profile: profile 'half' in "),
    (without("storage", "demo", "profile"), "storage.demo: needs exactly one of access_key_id with secret_access_key"),
    (put("storage", "demo", "anonymous", value=True), "it has profile and anonymous"),
    (
        put("storage", "demo", value={"kind": "s3", "access_key_id": "AKID"}),
        "storage.demo.secret_access_key: is missing: access_key_id needs it",
    ),
    (
        put("storage", "De mo", value={"kind": "s3", "anonymous": True}),
        "storage.De mo: 'De mo' is not a valid Kubernetes name",
    ),
    (put("storage", value=[]), "storage: must be a mapping"),
    (put("models", value={"name": "a"}), "models: must be a list"),
    (put("models", value=["sklearn"]), "models[0]: must be a mapping"),
    (model(name="Sklearn"), "models[0].name: 'Sklearn' is not a valid model name: start with a letter"),
    (model(name="1st"), "models[0].name: '1st' is not a valid model name"),
    (model(name="a" * 37), "models[0].name: "),
    (model(name=None), "models[0].name: is missing"),
    (model(name="xgboost-model"), "models: 'xgboost-model' is the name of more than one model; give each its own name"),
    (model(name=7), "models[0].name: must be text; quote it"),
    (model(format="sklaern"), "models[0].format: 'sklaern' with protocol v1 has no serving runtime in release"),
    (model(format="huggingface"), "it has sklearn 1 (v1, v2, grpc-v2), xgboost 2 (v1, v2, grpc-v2), lightgb"),
    (model(version="9"), "models[0].format: 'sklearn' 9 with protocol v1 has no serving runtime"),
    (model(runtime="kserve-none"), "models[0].runtime: 'kserve-none' is not in release \"local\"; it has "),
    (model(runtime="kserve-xgbserver"), "models[0].runtime: 'kserve-xgbserver' does not serve 'sklearn' with protocol"),
    (model(protocol="v3"), "models[0].protocol: must be 'v1', 'v2', 'grpc-v2' or 'openai'"),
    (model(protocol="openai"), "models[0].format: 'sklearn' with protocol openai has no serving runtime in release"),
    (model(format=None), "models[0].format: is missing; give a `format`, or a `container` of your own"),
    (model(storage_uri=None), "models[0].storage_uri: is missing; give the location of the model's files"),
    (
        model(container={"image": "a/b:1"}),
        "models[0].format: and container exclude each other: a container is a server",
    ),
    (
        model(container={"image": "a/b:1"}, format=None, version="1"),
        "models[0].version: and container exclude each other",
    ),
    (
        model(container={"image": "a/b:1"}, format=None, runtime="kserve-sklearnserver"),
        "models[0].runtime: and container exclude each other",
    ),
    (
        model(container={"image": "a/b:1"}, format=None, storage_uri=None),
        "models[0].storage: needs storage_uri, which is missing; give both or neither",
    ),
    (model(container={}), "models[0].container.image: is missing"),
    (
        model(container={"image": "a b"}),
        "models[0].container.image: 'a b' is not a valid image: write it like registry.",
    ),
    (model(container={"image": "a", "port": 0}), "models[0].container.port: must be greater than or equal to 1"),
    (
        model(container={"image": "a", "port": 8012}),
        "models[0].container.port: 8012 is a port that Knative uses itself",
    ),
    (
        model(container={"image": "a", "ready_path": "up"}),
        "models[0].container.ready_path: 'up' is not a valid path: begin it",
    ),
    (model(container={"image": "a", "args": "--x"}), "models[0].container.args: must be a list"),
    (model(environment={"STORAGE_URI": "s3://a"}), "models[0].environment.STORAGE_URI: STORAGE_URI is set by KServe"),
    (model(storage_uri="ftp://a/b"), "models[0].storage_uri: 'ftp://a/b' has no known scheme; use one of s3://, gs://"),
    (model(storage_uri="models/sklearn"), "models[0].storage_uri: 'models/sklearn' has no known scheme"),
    (
        model(storage_uri="s3://"),
        "models[0].storage_uri: 's3://' names no bucket or host; write s3://<bucket or host>/<path>",
    ),
    (
        model(storage_uri="gs://models/x"),
        "models[0].storage: 'demo' is of kind s3, which does not work for 'gs://models/x'",
    ),
    (model(storage="dmeo"), "models[0].storage: 'dmeo' is not under the stack's `storage`, which has demo"),
    (model(replicas={"min": 3, "max": 2}), "models[0].replicas.min: 3 is more than max, 2"),
    (model(replicas={"min": -1}), "models[0].replicas.min: must be greater than or equal to 0"),
    (model(replicas={"max": 0}), "models[0].replicas.max: must be greater than or equal to 1"),
    (model(replicas={"min": "many"}), "models[0].replicas.min: must be a whole number"),
    (model(replicas={"min": 1.5}), "models[0].replicas.min: must be a whole number"),
    (put("mode", value="Standard"), "models[0].replicas: min 0 needs mode Knative"),
    (model(scale={"window": 5}), "models[0].scale.window: must be greater than or equal to 6"),
    (model(scale={"metric": "gpu"}), "models[0].scale.metric: must be 'concurrency', 'rps', 'cpu' or 'memory'"),
    (model(scale={"target": 0}), "models[0].scale.target: must be greater than or equal to 1"),
    (
        model(scale={"target": 9}),
        "models[0].scale: target 9 is never reached: concurrency limits a server to 8 requests at a time",
    ),
    (model(concurrency=0), "models[0].concurrency: must be greater than or equal to 1"),
    (model(concurrency=1001), "models[0].concurrency: must be less than or equal to 1000"),
    (model(request_timeout=601), "models[0].request_timeout: must be less than or equal to 600"),
    (model(request_timeout="1m"), "models[0].request_timeout: must be a whole number"),
    (model(gpus=0), "models[0].gpus: must be greater than or equal to 1"),
    (
        model(resources={"limits": {"nvidia.com/gpu": 1}}),
        "models[0].gpus: and nvidia.com/gpu in resources mean the same; keep one of them",
    ),
    (
        model(resources={"requests": {"nvidia.com/gpu": 1}}),
        "models[0].gpus: and nvidia.com/gpu in resources mean the same; keep one of them",
    ),
    (
        model(node_selector={"a b": "c"}),
        "models[0].node_selector.a b: 'a b' is not a valid key: write it like team or example",
    ),
    (model(node_selector={"a": "b c"}), "models[0].node_selector.a: 'b c' is not a valid label value: use up to 63 of"),
    (model(node_selector={"a": True}), "models[0].node_selector.a: must be text; quote it"),
    (model(tolerations={"key": "a"}), "models[0].tolerations: must be a list"),
    (
        model(tolerations=[{"value": "b"}]),
        "models[0].tolerations[0].key: is missing; to tolerate every taint, use operator",
    ),
    (
        model(tolerations=[{"key": "a", "operator": "Exists", "value": "b"}]),
        "models[0].tolerations[0].value: has no effect with operator Exists; drop it, or use Equal",
    ),
    (
        model(tolerations=[{"key": "a", "effect": "NoSchedule", "seconds": 5}]),
        "models[0].tolerations[0].seconds: needs effect NoExecute",
    ),
    (model(tolerations=[{"key": "a", "effect": "Never"}]), "models[0].tolerations[0].effect: must be 'NoSchedule', "),
    (model(tolerations=[{"kye": "a"}]), "models[0].tolerations[0].kye: unknown setting; did you mean 'key'?"),
    (
        model(environment={"1ST": "a"}),
        "models[0].environment.1ST: '1ST' is not a valid variable name: use A-Z, a-z, 0-9",
    ),
    (model(environment={"A": 1}), "models[0].environment.A: must be text; quote it"),
    (model(environment=["A=1"]), "models[0].environment: must be a mapping"),
    (model(environment={"PORT": "80"}), "models[0].environment.PORT: PORT is set by Knative; leave it out"),
    (model(environment={"K_REVISION": "a"}), "models[0].environment.K_REVISION: K_REVISION is set by Knative"),
    (model(environment={"PYTHONPATH": "/x"}), "models[0].environment.PYTHONPATH: PYTHONPATH is set by KServe"),
    (
        model(environment={"PROMPT": "Hello {{name}}"}),
        "models[0].environment.PROMPT: contains '{{', which KServe would take for a placeholder of its own",
    ),
    (
        model(labels={"serving.kserve.io/inferenceservice": "x"}),
        "models[0].labels.serving.kserve.io/inferenceservice: serving.kserve.io/inferenceservice is reserved "
        "for KServe",
    ),
    (model(labels={"component": "x"}), "models[0].labels.component: component is reserved for KServe"),
    (model(labels={"a": "-"}), "models[0].labels.a: '-' is not a valid label value"),
    (model(labels={"a/b/c": "d"}), "models[0].labels.a/b/c: 'a/b/c' is not a valid key"),
    (
        model(labels={"networking.knative.dev/visibility": "cluster-local"}),
        "networking.knative.dev/visibility is reserved for Knative, and could hide the model from the gateway",
    ),
    (
        model(annotations={"autoscaling.knative.dev/max-scale": "3"}),
        "autoscaling.knative.dev/max-scale is reserved for Knative; use `replicas` and `scale`",
    ),
    (
        model(annotations={"serving.knative.dev/progress-deadline": "3s"}),
        "serving.knative.dev/progress-deadline is reserved for Knative; use `timeout`, `request_timeout` and `canary`",
    ),
    (
        model(annotations={"kserve-multi-model/declared": "x"}),
        "models[0].annotations.kserve-multi-model/declared: kserve-multi-model/declared is reserved for this program",
    ),
    (
        model(annotations={"serving.kserve.io/stop": "true"}),
        "serving.kserve.io/stop is reserved for KServe, and would remove",
    ),
    (
        model(service_account="reader"),
        "models[0].service_account: and storage exclude each other: 'demo' has a service account of its own",
    ),
    (
        model(service_account="Reader", storage=None),
        "models[0].service_account: 'Reader' is not a valid service account: give",
    ),
    (model(batcher={"max_batch_size": 32}), "models[0].batcher.max_latency: is missing"),
    (model(batcher={"max_batch_size": 0, "max_latency": 1}), "models[0].batcher.max_batch_size: must be greater than"),
    (
        model(protocol="v2"),
        "models[0].batcher: has no effect with protocol v2: KServe batches v1 requests only; drop it, or",
    ),
    (
        model(protocol="grpc-v2"),
        "models[0].batcher: has no effect with protocol grpc-v2: KServe batches v1 requests only",
    ),
    (
        model(protocol="grpc-v2"),
        "models[0].logger: does not work with protocol grpc-v2: KServe logs requests over HTTP",
    ),
    (
        model(protocol="grpc-v2", check={"instances": [["a"]], "predictions": [0]}),
        "models[0].check: protocol grpc-v2 sends `instances` as one tensor",
    ),
    (
        model(batcher={"max_batch_size": 32, "max_latency": 60000}),
        "models[0].batcher: max_latency 60000 ms is not less than the timeout of a request, 60 s",
    ),
    (
        model(batcher={"max_batch_size": 32, "max_latency": 300000}, request_timeout=None),
        "models[0].batcher: max_latency 300000 ms is not less than the timeout of a request, 300 s",
    ),
    (model(logger={"mode": "all"}), "models[0].logger.url: is missing"),
    (
        model(logger={"url": "log:80"}),
        "models[0].logger.url: 'log:80' is not an HTTP URL; write http://host:port/path",
    ),
    (model(logger={"url": "http://me:secret@log"}), "models[0].logger.url: 'http://…@log' is not an HTTP URL"),
    (model(logger={"url": "http://log", "mode": "none"}), "models[0].logger.mode: must be 'all', 'request' or 'respon"),
    (model(canary={}), "models[0].canary.traffic: is missing"),
    (model(canary={"traffic": 101}), "models[0].canary.traffic: must be less than or equal to 100"),
    (model(canary={"traffic": -1}), "models[0].canary.traffic: must be greater than or equal to 0"),
    (model(canary={"traffic": "30%"}), "models[0].canary.traffic: must be a whole number"),
    (model(canary={"percent": 30}), "models[0].canary.percent: unknown setting; the settings here are traffic, bandit"),
    (
        model(resources={"requests": {"cpu": "lots"}}),
        "models[0].resources.requests.cpu: 'lots' is not a Kubernetes quant",
    ),
    (
        model(resources={"requests": {"cpu": "-1"}}),
        "models[0].resources.requests.cpu: '-1' is not a Kubernetes quantity",
    ),
    (
        model(resources={"limits": {"gpu": "1"}}),
        "models[0].resources.limits.gpu: 'gpu' is not a valid resource: use cpu, memory",
    ),
    (
        model(resources={"requests": {"memory": "2Gi"}, "limits": {"memory": "2000Mi"}}),
        "models[0].resources.requests: memory 2Gi is more than its limit, 2000Mi",
    ),
    (
        model(resources={"requests": {"a.b/gpu": 1}, "limits": {"a.b/gpu": 2}}),
        "models[0].resources.requests: a.b/gpu 1 differs from its limit, 2: a device cannot be shared",
    ),
    (
        model(resources={"limits": {"nvidia.com/gpu": 0.5}}),
        "models[0].resources.limits: nvidia.com/gpu 0.5 is not a whole number",
    ),
    (
        model(protocol="v2", check={"instances": [[1], [1, 2]], "predictions": [0, 1]}),
        "models[0].check: protocol v2 sends `instances` as one tensor: make them rows of numbers of equal length",
    ),
    (
        model(protocol="v2", check={"instances": [["a", "b"]], "predictions": [0]}),
        "models[0].check: protocol v2 sends",
    ),
    (model(timeout=5), "models[0].timeout: must be greater than or equal to 30"),
    (model(check={"instances": [[1]], "predictions": []}), "models[0].check.predictions: "),
    (
        model(check={"instances": [[1], [2]], "predictions": [1]}),
        "models[0].check.predictions: has 1 for 2 instances; give one for each row",
    ),
    (
        model(check={"instances": [[1]], "predictions": [1], "tolerance": -1}),
        "models[0].check.tolerance: must be greater than or equal to 0",
    ),
    (model(check={"instances": [[1]], "predictions": [1], "tolerance": float("nan")}), "models[0].check.tolerance: "),
]


@pytest.mark.parametrize(("change", "problem"), INVALID, ids=[problem[:60] for _, problem in INVALID])
def test_invalid_settings_are_refused_with_path_and_remedy(change: Change, problem: str) -> None:
    settings = valid_settings()
    change(settings)
    with pytest.raises(SettingsError) as refused:
        parse(settings)
    assert problem in str(refused.value)


def test_valid_settings_are_accepted() -> None:
    settings = parse(valid_settings())
    assert settings.release.name == "local"
    assert settings.models[0].resources
    assert settings.models[0].resources.limits == {"cpu": "1"}
    assert settings.footprint.predictor


def test_one_error_has_every_problem() -> None:
    settings = valid_settings()
    for change in (
        model(storage="dmeo", format="sklaern", timeout=5),
        put("ingress", "node_port", value=80),
        put("releas", value="x"),
    ):
        change(settings)
    settings["models"].append({"name": "third", "format": "nothing", "storage_uri": "gs://a/b"})
    with pytest.raises(SettingsError) as refused:
        parse(settings)
    paths = [problem.partition(":")[0] for problem in refused.value.problems]
    assert paths == ["ingress.node_port", "models[0].timeout", "models[2].format", "releas"]


def test_one_error_has_both_problems_of_a_model() -> None:
    settings = valid_settings()
    model(storage="dmeo", format="sklaern")(settings)
    with pytest.raises(SettingsError) as refused:
        parse(settings)
    assert [p.partition(":")[0] for p in refused.value.problems] == ["models[0].storage", "models[0].format"]


def test_one_error_has_all_that_a_container_excludes() -> None:
    settings = valid_settings()
    settings["models"] = [
        {"name": "a", "format": "sklearn", "storage": "demo", "args": ["--x"], "container": {"image": "a:1"}}
    ]
    settings.pop("graphs", None)
    with pytest.raises(SettingsError) as refused:
        parse(settings)
    fields = [problem.partition(":")[0] for problem in refused.value.problems]
    assert fields == ["models[0].format", "models[0].args", "models[0].storage"]


def test_errors_and_reprs_contain_no_keys() -> None:
    settings = valid_settings()
    settings["storage"]["demo"] = {
        "kind": "s3",
        "access_key_id": "AKIDTYPED",
        "secret_access_key": "typed-secret",
        "profile": PROFILE,
        "region": 7,
    }
    with pytest.raises(SettingsError) as refused:
        parse(settings)
    assert "typed-secret" not in str(refused.value)
    assert "AKIDTYPED" not in str(refused.value)
    assert refused.value.__cause__ is None
    settings["storage"]["demo"] = {"kind": "s3", "access_key_id": "AKIDTYPED", "secret_access_key": "typed-secret"}
    assert "typed-secret" not in repr(parse(settings))


@pytest.mark.parametrize(
    ("storage", "keys"),
    [
        ({"profile": PROFILE}, (ACCESS_KEY, SECRET_KEY)),
        ({"access_key_id": "AKID", "secret_access_key": "s"}, ("AKID", "s")),
        ({"anonymous": True}, None),
    ],
)
def test_each_source_of_keys(storage: dict[str, Any], keys: tuple[str, str] | None) -> None:
    settings = valid_settings()
    settings["storage"]["demo"] = {"kind": "s3", **storage}
    store = parse(settings).storage["demo"]
    assert isinstance(store, S3Storage)
    found = store.keys
    values = found and (found.access_key_id.get_secret_value(), found.secret_access_key.get_secret_value())
    assert values == keys


labels = st.from_regex(r"[a-z]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True)
keys = st.builds(lambda prefix, name: prefix + name, st.sampled_from(["", "example.com/", "a-1.b/"]), labels).filter(
    lambda key: key not in RESERVED_KEYS
)
tolerations = st.one_of(
    st.fixed_dictionaries(
        {"key": keys, "operator": st.just("Equal"), "value": labels, "effect": st.none(), "seconds": st.none()}
    ),
    st.fixed_dictionaries(
        {
            "key": st.none() | keys,
            "operator": st.just("Exists"),
            "value": st.none(),
            "effect": st.just("NoExecute"),
            "seconds": st.none() | st.integers(0, 10**6),
        }
    ),
)


@st.composite
def models(draw: st.DrawFn) -> dict[str, Any]:
    low = draw(st.integers(0, 5))
    high = max(1, low + draw(st.integers(0, 5)))
    concurrency = draw(st.none() | st.integers(1, 1000))
    rows, width = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    numbers = st.floats(allow_nan=False, allow_infinity=False)
    return {
        "name": draw(labels),
        "format": draw(st.sampled_from(["sklearn", "xgboost"])),
        "protocol": draw(st.sampled_from(["v1", "v2"])),
        "storage_uri": draw(st.sampled_from(["s3", "gs", "hf", "https"])) + "://" + draw(labels) + "/" + draw(labels),
        "replicas": {"min": low, "max": high},
        "scale": {
            "metric": draw(st.sampled_from([None, "concurrency", "rps"])),
            "target": draw(st.none() | st.integers(1, concurrency or 10**6)),
            "window": draw(st.none() | st.integers(6, 3600)),
            "target_utilization_percentage": draw(st.none() | st.integers(1, 100)),
            "initial_scale": draw(st.none() | st.integers(1, high)),
            "scale_to_zero_pod_retention_period": draw(st.none() | st.integers(0, 3600)) if low == 0 else None,
        },
        "concurrency": concurrency,
        "request_timeout": draw(st.none() | st.integers(1, 600)),
        "gpus": draw(st.none() | st.integers(1, 16)),
        "node_selector": draw(st.dictionaries(keys, labels, max_size=2)),
        "tolerations": draw(st.lists(tolerations, max_size=2)),
        "environment": draw(
            st.dictionaries(
                st.from_regex("[A-Z_][A-Z0-9_]{0,9}", fullmatch=True).filter(
                    lambda name: name not in RESERVED_VARIABLES
                ),
                st.text().filter(lambda text: "{{" not in text),
                max_size=2,
            )
        ),
        "labels": draw(st.dictionaries(keys, labels, max_size=2)),
        "annotations": draw(st.dictionaries(keys, st.text(), max_size=2)),
        "service_account": draw(st.none() | labels),
        "logger": {"url": "http://" + draw(labels), "mode": draw(st.sampled_from(["all", "request", "response"]))},
        "canary": {
            "traffic": draw(st.integers(0, 99)),
            "bandit": draw(
                st.none() | st.fixed_dictionaries({"epsilon": st.floats(0, 1), "image": st.none() | labels})
            ),
        },
        "timeout": draw(st.integers(30, 3600)),
        "check": {
            "instances": draw(
                st.lists(st.lists(numbers, min_size=width, max_size=width), min_size=rows, max_size=rows)
            ),
            "predictions": draw(st.lists(numbers, min_size=rows, max_size=rows)),
            "explanations": None,
            "tolerance": draw(st.floats(0, 10)),
        },
    }


@given(
    listed=st.lists(models(), max_size=4, unique_by=lambda m: m["name"]),
    domain=st.lists(labels, min_size=1, max_size=4).map(".".join),
    port=st.integers(30000, 32767),
)
def test_valid_values_are_kept_unchanged(listed: list[dict[str, Any]], domain: str, port: int) -> None:
    document = valid_settings()
    document["models"] = listed
    document["ingress"] |= {"domain": domain, "node_port": port}
    document["storage"] = {}
    # Through JSON, as the engine passes them.
    settings = parse(json.loads(json.dumps(document)))
    kept = [m.model_dump(include=set(given)) for m, given in zip(settings.models, listed, strict=True)]
    assert json.loads(json.dumps(kept)) == listed
    assert (settings.ingress.domain, settings.ingress.node_port) == (domain, port)


@given(kind=st.sampled_from(["labels", "annotations"]), reserved=st.sampled_from(sorted(RESERVED_KEYS)), name=labels)
def test_a_reserved_label_or_annotation_is_refused(kind: str, reserved: str, name: str) -> None:
    key = f"{reserved}{name}" if reserved.endswith("/") else reserved
    settings = valid_settings()
    settings["models"][0][kind] = {key: "x"}
    with pytest.raises(SettingsError) as refused:
        parse(settings)
    assert refused.value.problems == (f"models[0].{kind}.{key}: {key} is reserved for {RESERVED_KEYS[reserved]}",)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda s: st.lists(s) | st.dictionaries(st.text(), s)
    )
)
def test_any_value_is_accepted_or_refused_with_a_settings_error(value: Any) -> None:
    for key in Settings.model_fields:
        with suppress(SettingsError):  # any other error fails the test
            parse({**valid_settings(), key: value})


def set_config(settings: dict[str, Any], *, secret: tuple[str, ...] = (), organization: str = "organization") -> None:
    """Make these the settings of the running stack; `secret` names those that contain a secret."""
    texts = {f"{PROJECT}:{k}": v if isinstance(v, str) else json.dumps(v) for k, v in settings.items()}
    pulumi.runtime.set_mocks(_NoResources(), project=PROJECT, organization=organization)
    pulumi.runtime.set_all_config(texts | {"aws:region": "eu-west-1"}, [f"{PROJECT}:{key}" for key in secret])


class _NoResources(pulumi.runtime.Mocks):
    def call(self, args: pulumi.runtime.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        raise AssertionError(args.token)

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        raise AssertionError(args.name)


def test_the_settings_of_the_running_stack_are_read() -> None:
    set_config(valid_settings())
    assert load() == parse(valid_settings())


@pytest.mark.parametrize("platform", ["123", "true", "null", {"existing": "auto"}])
def test_a_platform_is_read_as_text_or_as_a_section(platform: object) -> None:
    set_config({"release": "local", "platform": platform})
    assert raw_config() == {"release": "local", "platform": platform}


def test_an_unknown_setting_of_the_running_stack_is_refused() -> None:
    set_config({**valid_settings(), "modles": []})
    with pytest.raises(SettingsError, match="modles: unknown setting; did you mean 'models'"):
        load()


def test_text_in_place_of_a_section_is_refused() -> None:
    set_config({**valid_settings(), "ingress": "example.com"})
    with pytest.raises(SettingsError, match="ingress: must be a mapping"):
        load()


def test_keys_in_plain_text_are_refused() -> None:
    settings_with_keys = valid_settings()
    settings_with_keys["storage"]["demo"] = {"kind": "s3", "access_key_id": "AKID", "secret_access_key": "typed-secret"}
    set_config(settings_with_keys)
    with pytest.raises(SettingsError, match=r"storage.demo.secret_access_key: is in plain text; .*--secret") as refused:
        load()
    assert "typed-secret" not in str(refused.value)
    set_config(settings_with_keys, secret=("storage",))
    store = load().storage["demo"]
    assert isinstance(store, S3Storage)
    assert store.keys


@pytest.mark.parametrize("name", [f"{PROJECT}:storage", "storage"])
def test_a_plain_text_key_beside_a_secret_one_is_refused(
    name: str, project_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings_with_keys = valid_settings()
    settings_with_keys["storage"]["demo"] = {"kind": "s3", "access_key_id": "AKID", "secret_access_key": "typed-secret"}
    stored = {"kind": "s3", "access_key_id": {"secure": "v1:x"}, "secret_access_key": "typed-secret"}
    file = project_folder / "Pulumi.stack.yaml"
    file.write_text(yaml.safe_dump({"config": {name: {"demo": stored}}}))
    set_config(settings_with_keys, secret=("storage",))
    with pytest.raises(SettingsError, match=r"storage.demo.secret_access_key: is in plain text") as refused:
        load()
    assert "access_key_id" not in str(refused.value)
    monkeypatch.setenv("PULUMI_OPTION_CONFIG_FILE", str(project_folder / "elsewhere.yaml"))
    file.rename(project_folder / "elsewhere.yaml")
    with pytest.raises(SettingsError, match=r"storage.demo.secret_access_key: is in plain text"):
        load()


def test_the_path_of_a_kubeconfig_may_start_with_a_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "config").write_text("apiVersion: v1\nkind: Config\n")
    settings = valid_settings()
    settings["cluster"] = {"kubeconfig": "~/config"}
    assert parse(settings).cluster.kubeconfig == tmp_path / "config"


def test_errors_are_shown_without_a_traceback() -> None:
    assert issubclass(SettingsError, pulumi.RunError)
