"""eBPF without a toolchain: load programs, read their rings and maps, and know the processes of this machine."""
