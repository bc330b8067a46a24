-- What arrived of some clients: the first and the last serial, and what stands on both sides of each break. Runs of
-- serials may overlap, repeat and nest: with the starts and the ends sorted each by themselves, serials are missing
-- between the i-th end and the start after it exactly when that start is greater than the end plus one. Serials are
-- never counted up. The small blocks keep the arrays of all threads within some ten MiB.
WITH wanted AS
(
    SELECT client FROM format(CSV, 'client UUID', @clients)
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
    WHERE client_id BETWEEN toUUID(@from) AND toUUID(@to) AND (@all = '1' OR client_id IN (wanted))
    GROUP BY client_id
)
SETTINGS optimize_aggregation_in_order = 1, aggregation_in_order_max_block_bytes = 4000000, max_block_size = 4096,
    max_threads = 2
