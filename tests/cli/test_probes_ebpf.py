"""What `doctor` says of eBPF, on this machine and on others."""

import errno

import pytest

from ebpf.needs import bpf
from tailrace.cli import probes_ebpf
from tailrace.ebpf import btf
from tailrace.ebpf.bpf import BpfError, Handles
from tailrace.ebpf.btf import MissingError


def only():
    (finding,) = probes_ebpf.ebpf()
    return finding


@bpf
def test_this_machine():
    finding = only()
    assert finding.state == "ok"
    assert finding.what.startswith("raw tracepoints work; kprobe ")


def test_another_system(monkeypatch):
    monkeypatch.setattr("sys.platform", "darwin")
    finding = only()
    assert (finding.state, "a part of Linux" in finding.what) == ("warn", True)


def test_a_kernel_without_a_description(monkeypatch):
    def missing():
        raise MissingError("/sys/kernel/btf/vmlinux: No such file or directory")

    monkeypatch.setattr(btf, "of_this_kernel", missing)
    finding = only()
    assert finding.state == "warn"
    assert "CONFIG_DEBUG_INFO_BTF" in finding.do


@pytest.mark.skipif(not btf.PATH.exists(), reason="this kernel does not describe its structures")
def test_a_user_without_rights(monkeypatch):
    def refused(*_):
        raise BpfError("the program nothing", errno.EPERM)

    monkeypatch.setattr(Handles, "load", refused)
    finding = only()
    assert (finding.state, finding.do) == ("warn", "run it as root, or give it CAP_BPF and CAP_PERFMON")
    assert "EPERM" in finding.what
