"""Deploys what the program declares with helm and kubectl, step by step, as one would by hand."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import tenacity
import yaml

from benchmarks.commands import python, run
from benchmarks.declared import GATEWAY, Chart, Declared
from benchmarks.program import CHECK_TIMEOUT, PREDICTIONS
from benchmarks.results import Deployment, Step

TIMEOUT = "600s"
SERVING = "KnativeServing/knative-serving"


@dataclass(frozen=True, kw_only=True)
class WorkStep:
    """One step that is timed: apply objects, install charts, then wait for conditions.

    Attributes:
        objects: keys as in Declared.
        charts: names of releases.
        ready: those of the objects that must get the condition Ready.

    """

    name: str
    objects: tuple[str, ...] = ()
    charts: tuple[str, ...] = ()
    ready: tuple[str, ...] = ()


def plan(declared: Declared) -> list[WorkStep]:
    """The steps in the order of the installation guides; Knative's operator installs the CRDs of Serving itself."""
    models = declared.of_kind("InferenceService")
    gateways = declared.of_kind(GATEWAY)
    return [
        WorkStep(name="namespaces", objects=declared.of_kind("Namespace")),
        WorkStep(name="cert-manager", charts=("cert-manager",)),
        WorkStep(name="Gateway API", charts=("gateway-api",)),
        WorkStep(
            name="Istio",
            objects=("Service/istio-ingressgateway",),
            charts=("istio-base", "istiod", "istio-ingressgateway"),
        ),
        WorkStep(name="Knative operator", charts=("knative-operator",)),
        WorkStep(name="Knative Serving", objects=(SERVING,), ready=(SERVING,)),
        WorkStep(
            name="net-gateway-api",
            objects=("ConfigMap/config-gateway", "Service/knative-local-gateway", *gateways),
            charts=("net-gateway-api",),
        ),
        WorkStep(name="KServe", charts=("kserve-crd", "kserve", "kserve-runtimes")),
        WorkStep(
            name="models",
            objects=(*declared.of_kind("Secret"), *declared.of_kind("ServiceAccount"), *models),
            ready=models,
        ),
    ]


@dataclass(frozen=True, kw_only=True)
class InSequence:
    """Deploys `declared` to the cluster that the variables in `environment` select."""

    declared: Declared
    environment: Mapping[str, str]

    def deploy(self, *, endpoints: str) -> Deployment:
        """Deploy to an empty cluster, then run the prediction check of these endpoints (JSON).

        Raises:
            CommandError: a command failed; it is tried again only while a webhook does not answer yet.
        """
        began = time.monotonic()
        steps = []
        for work in plan(self.declared):
            started = time.monotonic() - began
            self._do(work)
            steps.append(Step(name=work.name, intervals=((started, time.monotonic() - began),)))
        started = time.monotonic() - began
        self._check(endpoints)
        total = time.monotonic() - began
        return Deployment(steps=(*steps, Step(name=PREDICTIONS, intervals=((started, total),))), total_s=total)

    def _do(self, work: WorkStep) -> None:
        if work.objects:
            manifests = [self.declared.objects[key] for key in work.objects]
            self._retry_on_webhook_error("kubectl", "apply", "-f", "-", stdin=yaml.safe_dump_all(manifests))
        for name in work.charts:
            self._install(self.declared.charts[name])
        for key in work.ready:
            metadata = self.declared.objects[key]["metadata"]
            named = ("--namespace", metadata["namespace"], key)
            run("kubectl", "wait", "--for=condition=Ready", f"--timeout={TIMEOUT}", *named, env=self.environment)

    def _install(self, chart: Chart) -> None:
        command = ("helm", "upgrade", "--install", chart.name, chart.archive, "--namespace", chart.namespace)
        values = yaml.safe_dump(dict(chart.values))
        self._retry_on_webhook_error(*command, "--values", "-", "--wait", "--timeout", TIMEOUT, stdin=values)

    @tenacity.retry(
        retry=tenacity.retry_if_exception(lambda error: "failed calling webhook" in str(error)),
        wait=tenacity.wait_fixed(1),
        stop=tenacity.stop_after_delay(120),
        reraise=True,
    )
    def _retry_on_webhook_error(self, *command: str, stdin: str) -> None:
        """Run a command again while a webhook does not answer yet, as one does by hand."""
        run(*command, env=self.environment, stdin=stdin)

    def _check(self, endpoints: str) -> None:
        with TemporaryDirectory() as directory:
            file = Path(directory) / "endpoints.json"
            file.write_text(endpoints)
            python("predict", "--file", str(file), "--timeout", CHECK_TIMEOUT, env=self.environment)
