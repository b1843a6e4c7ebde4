"""Have Knative start a revision again that it has given up, where an update declares nothing new of the model."""

from __future__ import annotations

from dataclasses import dataclass

import httpx2 as httpx
import pulumi

from components.rollout.wait import WaitScope
from components.threads import in_own_thread
from kube.kubeconfig import KubeconfigError
from kube.read import PASSING_ERRORS, ForbiddenError, get, in_words, read
from kube.views.base import condition
from kube.views.knative import KnativeService, Revision
from kube.views.kserve import SPEC_HASH_ANNOTATION


@dataclass(frozen=True, kw_only=True)
class Revival:
    """Delete the revision of a server that was not ready in time; Knative then makes it again, with pods.

    Knative makes a new revision for another template alone. Where only keys in a Secret, or a model's files, were
    mended, the template is the same, and the revision that was given up would get no pods any more.

    Attributes:
        scope: where the server is.
        name: of Knative's Service.
        spec_hash: value of SPEC_HASH_ANNOTATION in the version that is declared.

    """

    scope: WaitScope
    name: str
    spec_hash: str

    async def run(self, _: pulumi.ResourceHookArgs) -> None:
        """Delete the revision, if there is one. Where that fails, warn: the update then says what is not ready."""
        try:
            revision = await in_own_thread(self.revive)
        except (*PASSING_ERRORS, KubeconfigError, ForbiddenError) as problem:
            pulumi.log.warn(
                f"{self.name}: a revision that Knative has given up is not started again: {in_words(problem)}"
            )
            return
        if revision:
            pulumi.log.info(f"{self.name}: Knative had given up {revision}, and starts it again")

    def revive(self) -> str | None:
        """Delete a revision that was given up; its name, or None where there is none."""
        with self.scope.connect() as client:
            path = KnativeService.path(namespace=self.scope.namespace, name=self.name)
            answer = get(client, path)
            if answer.status_code == httpx.codes.NOT_FOUND:
                return None
            service = KnativeService.model_validate(answer.raise_for_status().json())
            name = service.latest_created_revision
            declared = service.template_annotations.get(SPEC_HASH_ANNOTATION)
            if declared != self.spec_hash or name in {"", service.latest_ready_revision}:
                return None
            where = Revision.path(namespace=self.scope.namespace, name=name)
            ready = condition(read(Revision, client, where).conditions, "Ready")
            if ready is None or ready.status != "False":
                return None
            # In the foreground: what it owns has the names that the next one gives.
            deleted = client.request("DELETE", where, json={"propagationPolicy": "Foreground"})
            if deleted.status_code != httpx.codes.NOT_FOUND:
                deleted.raise_for_status()
            return name
