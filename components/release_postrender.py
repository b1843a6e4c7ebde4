#!/usr/bin/env python3
"""Helm post-renderer for releases: lets an uninstall take everything, and at once; and Knative's operator hurry.

It reads megabytes of definitions, so it edits their text; any Python runs it.
"""

import re
import sys

# Charts ask Helm to keep their CustomResourceDefinitions.
KEEP = re.compile(r"""^ *["']?helm\.sh/resource-policy["']?: *["']?keep["']?\n""", re.MULTILINE)
# Controllers have nothing to finish, but a pod that is slow to end holds up the end of its namespace for minutes.
GRACE = re.compile(r"(?<=terminationGracePeriodSeconds: )(?:[4-9]|\d{2,})$", re.MULTILINE)
LONGEST_GRACE = "3"
# An environment variable of Knative's operator marks where to add ours: its default of 10 requests a second to the API
# server is most of the time it takes to create or delete Knative's hundred objects.
OF_KNATIVE = re.compile(r"^( *)- name: KUBERNETES_MIN_VERSION\n", re.MULTILINE)
FASTER = r"""\1- name: KUBE_API_QPS
\1  value: "100"
\1- name: KUBE_API_BURST
\1  value: "200"
\g<0>"""

if __name__ == "__main__":
    sys.stdout.write(OF_KNATIVE.sub(FASTER, GRACE.sub(LONGEST_GRACE, KEEP.sub("", sys.stdin.read()))))
