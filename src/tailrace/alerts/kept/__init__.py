"""What alerting keeps in the control database, and what is read of it: states, log, history, series, the lease."""
