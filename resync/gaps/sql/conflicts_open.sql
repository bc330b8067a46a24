SELECT count() FROM open_conflicts
