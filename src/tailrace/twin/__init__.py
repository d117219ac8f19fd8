"""The twin: the present state of every file system that events come from, and its past.

`logs` holds what happened; the table `files` beside it holds *records*, one per event and path, followed by `keeper`
exactly once. `fold` makes the living paths of records, whatever was folded before and in whatever pieces, so `condense`
may replace records by what they fold to at any time. `reading` answers as of now or of an instant; `sizes`, `changes`,
`health` and `usage` are the questions.
"""
