"""Search: a query, its lines, and what they have in common."""
