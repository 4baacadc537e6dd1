"""Where and when: jobs, engines, storage and the command line."""
