"""How the schema of the database grows."""
