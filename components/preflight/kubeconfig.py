"""Check that Pulumi's Kubernetes provider finds the kubeconfig of the settings by itself."""

from __future__ import annotations

import shlex

from components.settings.errors import SettingsError
from components.settings.stack import Settings
from kube.kubeconfig import default_files


def require_kubeconfig(settings: Settings) -> None:
    """Refuse a `cluster.kubeconfig` that kubectl would not read; the provider reads the same file as kubectl.

    The provider could be given the path. Then it would leave a copy of the file in the temporary folder.

    Raises:
        SettingsError: $KUBECONFIG names another file or several; the text has the command that sets it.
    """
    kubeconfig = settings.cluster.kubeconfig
    if kubeconfig and [file.resolve() for file in default_files()] != [kubeconfig.resolve()]:
        problem = "cluster.kubeconfig: $KUBECONFIG names another file, which Pulumi's Kubernetes provider would read"
        command = f"export KUBECONFIG={shlex.quote(str(kubeconfig.resolve()))}"
        raise SettingsError([f"{problem}. make sets the variable; before plain pulumi commands, type: {command}"])
