"""What the wire looks like: marshmallow shapes only."""
