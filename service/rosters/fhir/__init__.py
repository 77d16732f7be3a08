"""FHIR JSON deliveries."""
