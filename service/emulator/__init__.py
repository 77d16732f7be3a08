"""A stand-in for DPC with its own state and its own rules; shares no code with the product."""
