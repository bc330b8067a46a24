SELECT name FROM collections FINAL WHERE deleted = 0 ORDER BY name
