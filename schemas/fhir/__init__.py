"""FHIR shapes: only what DPC uses; unknown fields are ignored."""
