"""Reading FHIR: bodies, identifiers, profiles and the Provenance header (contract-v1 2.5, 5 and 9)."""
