"""Speeds measured side by side: what `sbn bench` runs and prints."""
