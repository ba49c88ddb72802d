"""What the workflow asks of the library: its configuration, hashes and records, and GPUs."""
