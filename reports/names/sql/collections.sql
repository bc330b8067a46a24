-- The names of collections, which targets are.
SELECT name FROM collections FINAL WHERE deleted = 0
