"""Comma, semicolon, tab and pipe separated rosters."""
