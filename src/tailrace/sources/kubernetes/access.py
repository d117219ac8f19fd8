"""Where the API is and how to get in: from the settings, or from what Kubernetes puts into every container."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tailrace.sources.kubernetes.settings import KubernetesSettings

_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True, slots=True)
class Access:
    """Address of an API, the node to ask about, and the files that let in."""

    url: str
    node: str
    token_file: Path | None = None
    ca_file: Path | None = None

    def headers(self) -> dict[str, str]:
        """Return what lets in; the token is read each time, since it is replaced every hour. Raises `OSError`."""
        if self.token_file is None:
            return {}
        return {"Authorization": f"Bearer {self.token_file.read_text().strip()}"}

    def verify(self) -> ssl.SSLContext:
        """Return how the API's certificate is checked. Raises `OSError`."""
        return ssl.create_default_context(cadata=None if self.ca_file is None else self.ca_file.read_text())


def access_of(
    settings: KubernetesSettings,
    host: str,
    environment: Mapping[str, str] = os.environ,
    account: Path = _ACCOUNT,
) -> Access | None:
    """Return the way to the API, None if none is to be asked."""
    node = settings.node or environment.get("NODE_NAME") or host
    if settings.api == "off" or (settings.api == "auto" and settings.file is not None):
        return None
    if settings.api != "auto":
        return Access(settings.api.rstrip("/"), node, settings.token_file, settings.ca_file)
    address, port = environment.get("KUBERNETES_SERVICE_HOST"), environment.get("KUBERNETES_SERVICE_PORT", "443")
    if not address or not (account / "token").exists():
        return None
    address = f"[{address}]" if ":" in address else address
    token, certificates = settings.token_file or account / "token", settings.ca_file or account / "ca.crt"
    return Access(f"https://{address}:{port}", node, token, certificates)
