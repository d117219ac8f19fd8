"""Changes of file systems as events: how they are learned, settled, and handed out as rows of the table."""
