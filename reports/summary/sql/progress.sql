-- The engine's clock, and how far a job is.
SELECT now64(3, 'UTC'), argMax(until, number), max(number)
FROM summary_progress
WHERE job = {job:String}
