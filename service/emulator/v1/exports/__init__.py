"""Bulk export: the synthetic claims, the jobs that collect them and the files they leave (contract-v1 10)."""
