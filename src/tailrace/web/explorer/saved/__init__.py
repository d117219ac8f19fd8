"""Saved searches: addresses of the page with a name, their earlier versions, and short links."""
