"""The Files room: the twin of file systems as pages. Modules beside `views` know no HTML."""
