"""The pages that compliance officers read."""
