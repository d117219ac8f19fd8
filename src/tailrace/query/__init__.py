"""LogQL: from text to an answer."""
