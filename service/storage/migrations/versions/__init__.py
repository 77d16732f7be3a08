"""Steps of the database schema, oldest first; each is written out and never changed after a release."""
