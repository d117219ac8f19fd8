"""The page: server-rendered, one small script, one stylesheet."""
