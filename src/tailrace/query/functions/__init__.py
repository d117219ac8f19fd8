"""Range and vector aggregations, one file each."""
