-- What arrived of some clients, whether or not there is a break: see gaps_arrived.sql.
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
    WHERE client_id IN (SELECT client FROM format(CSV, 'client UUID', $1))
    GROUP BY client_id
)
SETTINGS optimize_aggregation_in_order = 1, aggregation_in_order_max_block_bytes = 4000000, max_block_size = 4096, max_threads = 2
