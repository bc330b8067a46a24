-- The greatest version of a cell of times to fix.
SELECT max(version) FROM subject_ttr
