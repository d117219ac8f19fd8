"""What runs scans: Polars in the process."""
