"""Files of JSON lines or Parquet, each row once."""
