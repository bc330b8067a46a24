-- Rows that machines are made of and that were loaded since the summary, the newest of them, and how many times the
-- summary has written so far.
SELECT count(), max(loaded), (SELECT max(version) FROM machine_now)
FROM machines_changed
