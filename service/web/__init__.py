"""People and machines in: parse, call one verb, render."""
