"""The type of an open transaction, for those who pass it on without knowing the database."""

from sqlalchemy import Connection

__all__ = ["Connection"]
