"""The status of a server: the table, its upkeep, who does what, what it uses, and what somebody should look at."""
