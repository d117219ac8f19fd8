"""What rules say: files and groups, expressions and templates, and what is doubtful about them."""
