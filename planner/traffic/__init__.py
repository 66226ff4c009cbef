"""Requests that come one by one to an engine which batches continuously: queues, percentiles, the load it carries."""
