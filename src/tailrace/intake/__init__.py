"""What comes in by itself: receivers beside HTTP, and the gate that everything from outside passes."""
