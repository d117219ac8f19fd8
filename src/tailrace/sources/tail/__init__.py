"""Files that grow, rotate and vanish: followed without losing, repeating or reordering a line."""
