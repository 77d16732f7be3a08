"""Version 2: who may ask, and how a customer comes by credentials (contract-v2 3 and 10)."""
