"""What only the machine itself may do: turn the clock, plant faults, read the journal, onboard customers."""
