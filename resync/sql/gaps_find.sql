-- What is missing of some clients, beside the ranges that are open. Runs of serials that arrived may overlap, repeat and
-- nest: with the starts and the ends sorted each by themselves, serials are missing between the i-th end and the start after
-- it exactly when that start is greater than the end plus one. Serials are never counted up, and all sums stay below 2^64
-- because no serial is above 2^62. Clients that have nothing missing and nothing open are left out, and unless all are
-- wanted those whose open ranges are right.
WITH
    wanted AS
    (
        SELECT client FROM format(CSV, 'client UUID', $1)
    ),
    arrived AS
    (
        SELECT
            client_id,
            arraySort(groupArray(serial_ranges.first_serial)) AS starts,
            arraySort(groupArray(serial_ranges.last_serial)) AS ends,
            arrayPopFront(starts) AS next_starts,
            arrayPopBack(ends) AS their_ends,
            if(arrayExists((e, s) -> s > e + 1, their_ends, next_starts),
                arrayZip(
                    arrayMap(e -> e + 1, arrayFilter((e, s) -> s > e + 1, their_ends, next_starts)),
                    arrayMap(s -> toUInt64(s - 1), arrayFilter((s, e) -> s > e + 1, next_starts, their_ends))),
                []) AS between,
            starts[1] AS seen_first,
            ends[-1] AS seen_last
        FROM serial_ranges
        WHERE client_id IN (wanted)
        GROUP BY client_id
    ),
    known AS
    (
        SELECT client_id, seen_first, seen_last, between, toUInt64(0) AS claimed, toUInt64(0) AS floor,
               CAST([], 'Array(Tuple(UInt64, UInt64, Int64))') AS open, toInt64(0) AS checked
        FROM arrived
        UNION ALL
        SELECT client_id, 0, 0, [], CAST(max(client_claims.last_serial), 'UInt64'), 0, [], 0
        FROM client_claims
        WHERE client_id IN (wanted)
        GROUP BY client_id
        UNION ALL
        SELECT client_id, 0, 0, [], 0, client_floors.floor, [], 0
        FROM client_floors
        WHERE client_id IN (wanted)
        UNION ALL
        SELECT client_id, 0, 0, [], 0, 0,
               groupArrayIf((first_serial, last_serial, toUnixTimestamp64Micro(detected_time)), closed = 0),
               max(toUnixTimestamp64Micro(checked_time))
        FROM missing_ranges FINAL
        WHERE client_id IN (wanted)
        GROUP BY client_id
    )
SELECT
    client_id,
    tupleElement(missing, 1) AS missing_first,
    tupleElement(missing, 2) AS missing_last,
    tupleElement(open, 1) AS open_first,
    tupleElement(open, 2) AS open_last,
    tupleElement(open, 3) AS open_detected,
    checked
FROM
(
    SELECT
        client_id,
        max(known.seen_first) AS seen_first,
        max(known.seen_last) AS seen_last,
        greatest(seen_last, max(known.claimed)) AS top,
        greatest(max(known.floor), toUInt64(1)) AS floor,
        max(known.checked) AS checked,
        arraySort(groupArrayArray(known.open)) AS open,
        arrayConcat(
            if(seen_first > 1, [(toUInt64(1), toUInt64(seen_first - 1))], []),
            groupArrayArray(known.between),
            if(top > seen_last, [(toUInt64(seen_last + 1), top)], [])) AS gaps,
        arrayMap(g -> (greatest(g.1, floor), g.2), arrayFilter(g -> g.2 >= floor, gaps)) AS missing
    FROM known
    GROUP BY client_id
)
WHERE if($2, notEmpty(missing) OR notEmpty(open), missing != arrayMap(o -> (o.1, o.2), open))
SETTINGS optimize_aggregation_in_order = 1, aggregation_in_order_max_block_bytes = 4000000, max_block_size = 2048, max_threads = 1
