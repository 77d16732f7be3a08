"""The dialects of DPC: which resources and changes each version knows."""
