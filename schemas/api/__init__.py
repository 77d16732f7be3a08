"""Our own HTTP bodies; unknown fields are refused."""
