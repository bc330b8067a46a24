-- The days that are counted, and whether each was final.
SELECT toDateTime(day, 'UTC'), min(final) FROM class_days FINAL WHERE kind = 'machine' GROUP BY day
