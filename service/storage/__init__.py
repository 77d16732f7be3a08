"""What we remember: tables, sealing of patient values, the ledger and its checkpoints, leases and runs."""
