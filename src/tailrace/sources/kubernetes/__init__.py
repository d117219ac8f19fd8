"""Which container wrote a file: from its path at once, and what the API or a list of pods tells about its pod."""
