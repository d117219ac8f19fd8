"""What tests need that not every machine allows."""

import pytest

from tailrace.ebpf.bpf import BpfError, Handles


def why_no_bpf():
    """Return why no map can be made here, empty if one can."""
    try:
        with Handles() as handles:
            handles.map("array", 4, 8, 1)
    except (BpfError, OSError) as error:
        return str(error)
    return ""


WHY = why_no_bpf()
bpf = pytest.mark.skipif(bool(WHY), reason=f"no eBPF here: {WHY}")
