"""Access: client tokens, their exchange, public keys and allowed addresses (contract-v1 4)."""
