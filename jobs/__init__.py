"""The clock: its own process; APScheduler ticks, job_run rows decide."""
