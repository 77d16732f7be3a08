"""Version 2: bulk export, its jobs and files (contract-v2 7 and 9)."""
