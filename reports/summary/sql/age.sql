-- For how long things were stored that the summary of topics may not hold: 0 when it holds all.
SELECT if(stored < until, 0, dateDiff('second', until, now64(3, 'UTC')))
FROM
(
    SELECT (SELECT max(clients_seen.loaded_time) FROM clients_seen) AS stored,
           (SELECT argMax(until, number) FROM summary_progress WHERE job = 'subjects') AS until
)
