"""What can be counted in a sample: things named in a caption, parts of a page, shapes of a table, LaTeX commands."""
