"""JSON as it streams in: checked trees, and rosters that are lists of pairs."""
