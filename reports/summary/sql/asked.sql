-- Clients that a subject counts whether or not they say something of it, by what decides where they stand then.
SELECT d, cause, gap, scan, count() AS clients, sum(silent) AS silents
FROM standing
WHERE asked
GROUP BY d, cause, gap, scan
