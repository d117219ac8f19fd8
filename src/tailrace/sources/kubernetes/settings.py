"""The settings of what is added to the logs of pods."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003  pydantic reads the annotations when the class is made
from typing import Annotated

from pydantic import Field, field_validator

from tailrace.settings import Mistake, Settings


class KubernetesSettings(Settings):
    """Labels and annotations of pods. Namespace, pod and container come from the path and need nothing of this."""

    labels: tuple[str, ...] = ()
    """Labels of the pod that become labels of its lines, named `pod_label_` and the key, such as `app`. Choose few,
    with few values."""

    fields: tuple[str, ...] = ()
    """Labels of the pod that become fields of its lines, named in the same way; `*` means all others."""

    annotations: tuple[str, ...] = ()
    """Annotations of the pod that become fields, named `pod_annotation_` and the key; `*` means all."""

    api: str = "auto"
    """Where to ask for pods: `auto` asks the cluster that this agent runs in, if it does, and no other; an address
    that begins with `https://`; or `off`. Nothing is asked while no key above is chosen."""

    node: str = ""
    """Name of the node whose pods are asked for; empty: the environment variable `NODE_NAME`, else this machine's
    name."""

    token_file: Path | None = None
    """File with the token for `api`; it is read again when it is refused. In a cluster: the service account's."""

    ca_file: Path | None = None
    """Certificates that `api` is checked with; none: those of the system. In a cluster: the service account's."""

    file: Path | None = None
    """A list of pods in JSON or YAML, as `kubectl get pods -A -o yaml` prints it, instead of an API. It is read again
    when it changes."""

    grace_s: Annotated[float, Field(ge=0)] = 600.0
    """Seconds for which a deleted pod is remembered; longer while lines of it wait to be read."""

    @property
    def wanted(self) -> bool:
        """Whether anything of the pods is asked for."""
        return bool(self.labels or self.fields or self.annotations)

    @field_validator("labels")
    @classmethod
    def _few(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if "*" in value:
            raise Mistake("not all labels of a pod can be labels of its lines", 'name the keys, or say `fields: ["*"]`')
        return value

    @field_validator("api")
    @classmethod
    def _address(cls, value: str) -> str:
        if value not in {"auto", "off"} and not value.startswith(("https://", "http://")):
            raise Mistake(f"{value!r} is no address of an API", "write 'auto', 'off' or 'https://HOST:PORT'")
        return value
