"""Files in: bytes to columns, one reader per format, findings per row."""
