-- The names of all collections, for pick lists.
SELECT name FROM collections FINAL WHERE deleted = 0 ORDER BY name LIMIT 500
