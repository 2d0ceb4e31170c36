"""Algorithms as template sets and schedules of passes."""
