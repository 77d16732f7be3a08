"""HL7 v2 ADT messages: always a delta, never a source of removals."""
