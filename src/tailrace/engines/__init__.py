"""What runs scans: Polars in the process, or a cluster that speaks Spark Connect; `choose` says which."""
