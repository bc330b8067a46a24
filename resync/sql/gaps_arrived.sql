-- Clients whose serials did not arrive without a break from 1 on: the first and the last one that arrived, and what stands on
-- both sides of each break. Runs of serials may overlap, repeat and nest: with the starts and the ends sorted each by themselves,
-- serials are missing between the i-th end and the start after it exactly when that start is greater than the end plus one.
-- Serials are never counted up. The small blocks keep the arrays of all threads within some hundred MiB.
WITH changed AS
(
    SELECT client_id FROM client_stats_data WHERE client_stats_data.loaded_time >= {since:DateTime64(3, 'UTC')}
    UNION ALL
    SELECT client_id FROM client_claims WHERE client_claims.loaded_time >= {since:DateTime64(3, 'UTC')}
    UNION ALL
    SELECT client_id FROM baselines WHERE baselines.loaded_time >= {since:DateTime64(3, 'UTC')}
)
SELECT
    client_id,
    starts[1] AS first,
    ends[-1] AS last,
    arrayFilter((e, s) -> s > e + 1, arrayPopBack(ends), arrayPopFront(starts)) AS break_ends,
    arrayFilter((s, e) -> s > e + 1, arrayPopFront(starts), arrayPopBack(ends)) AS break_starts
FROM
(
    SELECT client_id, arraySort(groupArray(first_serial)) AS starts, arraySort(groupArray(last_serial)) AS ends
    FROM serial_ranges
    WHERE {full:UInt8} OR client_id IN (changed)
    GROUP BY client_id
)
WHERE first > 1 OR notEmpty(break_starts)
SETTINGS optimize_aggregation_in_order = 1, aggregation_in_order_max_block_bytes = 4000000, max_block_size = 4096, max_threads = 2
