"""Rollcall: rosters in, attested DPC attributions out, proof kept."""
