"""Drawings of the page as numbers: places in an SVG, worked out from values. Pure."""
