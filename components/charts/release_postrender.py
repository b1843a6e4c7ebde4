#!/usr/bin/env python3
"""Helm post-renderer for charts that are installed as one release.

With it, an uninstall deletes everything and is quick, and Knative's operator works faster. It edits text instead of
YAML, because it reads megabytes of CustomResourceDefinitions. Any Python can run it, as it imports no packages.
"""

import re
import sys

# Charts ask Helm to keep their CustomResourceDefinitions when they are uninstalled.
KEEP = re.compile(r"""^ *["']?helm\.sh/resource-policy["']?: *["']?keep["']?\n""", re.MULTILINE)
# In seconds. Controllers have no requests to finish, and a slow pod delays the deletion of its namespace by minutes.
GRACE_PERIOD = re.compile(r"(?<=terminationGracePeriodSeconds: )(?:[4-9]|\d{2,})$", re.MULTILINE)
LONGEST_GRACE_PERIOD = "3"
# Found only in Knative's operator, where more environment variables are added before it. The operator's default of 10
# requests a second to the API server is most of the time it takes to create or delete Knative's hundred objects.
OPERATOR_VARIABLE = re.compile(r"^( *)- name: KUBERNETES_MIN_VERSION\n", re.MULTILINE)
HIGHER_RATE_LIMIT = r"""\1- name: KUBE_API_QPS
\1  value: "100"
\1- name: KUBE_API_BURST
\1  value: "200"
\g<0>"""

# Annotation of a pod with the names of Secrets that it pulls images with, for a chart that has no value for them. It is
# the only one, and the pod's spec follows.
PULL_SECRETS = re.compile(
    r"""^ *kserve-multi-model/image-pull-secrets: *["']?([^\s"']+)["']?\n( *)spec: *\n""", re.MULTILINE
)


def with_pull_secrets(match: re.Match[str]) -> str:
    """The annotation and the begin of the pod's spec, with the pull secrets that the annotation names."""
    names, indent = match[1].split(","), match[2]
    listed = "".join(f"{indent}  - name: {name}\n" for name in names)
    return f"{match[0]}{indent}  imagePullSecrets:\n{listed}"


if __name__ == "__main__":
    chart = KEEP.sub("", sys.stdin.read())
    chart = GRACE_PERIOD.sub(LONGEST_GRACE_PERIOD, chart)
    chart = PULL_SECRETS.sub(with_pull_secrets, chart)
    sys.stdout.write(OPERATOR_VARIABLE.sub(HIGHER_RATE_LIMIT, chart))
