-- The greatest version of a row of days.
SELECT max(version) FROM class_days
