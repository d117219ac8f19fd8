"""One line: its panel, what stands around it, its bytes; and the pages of the list for the script."""
