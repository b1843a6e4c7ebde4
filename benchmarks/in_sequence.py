"""The way it is done by hand: helm and kubectl, one after the other, each waited for."""

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
class Work:
    """What is done between two looks at the clock: objects applied, charts installed, conditions waited for.

    Attributes:
        objects: keys as in Declared.
        charts: names of releases.
        ready: the objects, of those applied, whose condition Ready is waited for.

    """

    name: str
    objects: tuple[str, ...] = ()
    charts: tuple[str, ...] = ()
    ready: tuple[str, ...] = ()


def plan(declared: Declared) -> list[Work]:
    """The order of the projects' installation guides; Knative's operator brings Serving's definitions itself."""
    models = declared.of_kind("InferenceService")
    gateways = declared.of_kind(GATEWAY)
    return [
        Work(name="namespaces", objects=declared.of_kind("Namespace")),
        Work(name="cert-manager", charts=("cert-manager",)),
        Work(name="Gateway API", charts=("gateway-api",)),
        Work(
            name="Istio",
            objects=("Service/istio-ingressgateway",),
            charts=("istio-base", "istiod", "istio-ingressgateway"),
        ),
        Work(name="Knative operator", charts=("knative-operator",)),
        Work(name="Knative Serving", objects=(SERVING,), ready=(SERVING,)),
        Work(
            name="net-gateway-api",
            objects=("ConfigMap/config-gateway", "Service/knative-local-gateway", *gateways),
            charts=("net-gateway-api",),
        ),
        Work(name="KServe", charts=("kserve-crd", "kserve", "kserve-runtimes")),
        Work(
            name="models",
            objects=(*declared.of_kind("Secret"), *declared.of_kind("ServiceAccount"), *models),
            ready=models,
        ),
    ]


@dataclass(frozen=True, kw_only=True)
class InSequence:
    """Installs what the program declares; `environment` is what a shell has on this cluster."""

    declared: Declared
    environment: Mapping[str, str]

    def deploy(self, *, endpoints: str) -> Deployment:
        """Do all of it on an empty cluster, then the prediction check of these endpoints (JSON).

        Raises:
            CommandError: a command failed; nothing is tried again but what a webhook is not ready for.
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

    def _do(self, work: Work) -> None:
        if work.objects:
            manifests = [self.declared.objects[key] for key in work.objects]
            self._patiently("kubectl", "apply", "-f", "-", stdin=yaml.safe_dump_all(manifests))
        for name in work.charts:
            self._install(self.declared.charts[name])
        for key in work.ready:
            metadata = self.declared.objects[key]["metadata"]
            named = ("--namespace", metadata["namespace"], key)
            run("kubectl", "wait", "--for=condition=Ready", f"--timeout={TIMEOUT}", *named, env=self.environment)

    def _install(self, chart: Chart) -> None:
        command = ("helm", "upgrade", "--install", chart.name, chart.archive, "--namespace", chart.namespace)
        values = yaml.safe_dump(dict(chart.values))
        self._patiently(*command, "--values", "-", "--wait", "--timeout", TIMEOUT, stdin=values)

    @tenacity.retry(
        retry=tenacity.retry_if_exception(lambda error: "failed calling webhook" in str(error)),
        wait=tenacity.wait_fixed(1),
        stop=tenacity.stop_after_delay(120),
        reraise=True,
    )
    def _patiently(self, *command: str, stdin: str) -> None:
        """As whoever does it by hand: again when a webhook does not answer yet."""
        run(*command, env=self.environment, stdin=stdin)

    def _check(self, endpoints: str) -> None:
        with TemporaryDirectory() as directory:
            file = Path(directory) / "endpoints.json"
            file.write_text(endpoints)
            python("predict", "--file", str(file), "--timeout", CHECK_TIMEOUT, env=self.environment)
