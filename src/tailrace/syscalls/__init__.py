"""System-call events of files and connections: what they are called, what they carry, how they are written."""
