"""Rosters in Excel workbooks."""
