"""Lines become typed columns: one file per format, a chain that picks among them."""
