"""Where batches become durable."""
