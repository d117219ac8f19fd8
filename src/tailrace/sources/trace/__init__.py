"""System calls on files and connections, as the kernel sees them: which, by whom, with what arguments and result."""
