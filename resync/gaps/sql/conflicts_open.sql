-- How many conflicts are open.
SELECT count() FROM open_conflicts
