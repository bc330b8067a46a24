-- What is missing of each client, beside the ranges that are open: of all whose serials arrived without a break, and the ids of
-- the others. Nothing is broken between the first and the last serial when every run but one begins where another ends: then a
-- sum over the hashes of all begins less those of all ends is the first begin less the last end. A run that arrived twice, and
-- runs that overlap, spoil the sum; such a client is looked at again, run by run, as are those with gaps. Clients that have
-- nothing missing and nothing open are left out, and unless all are wanted those whose open ranges are right.
WITH
    changed AS
    (
        SELECT client_id FROM client_stats_data
        WHERE client_id BETWEEN {from:UUID} AND {to:UUID} AND client_stats_data.loaded_time >= {since:DateTime64(3, 'UTC')}
        UNION ALL
        SELECT client_id FROM client_claims
        WHERE client_id BETWEEN {from:UUID} AND {to:UUID} AND client_claims.loaded_time >= {since:DateTime64(3, 'UTC')}
        UNION ALL
        SELECT client_id FROM baselines
        WHERE client_id BETWEEN {from:UUID} AND {to:UUID} AND baselines.loaded_time >= {since:DateTime64(3, 'UTC')}
    ),
    arrived AS
    (
        SELECT
            client_id,
            min(serial_ranges.first_serial) AS seen_first,
            max(serial_ranges.last_serial) AS seen_last,
            sum(intHash64(bitXor(serial_ranges.first_serial, {seed:UInt64})) - intHash64(bitXor(serial_ranges.last_serial + 1, {seed:UInt64})))
                != intHash64(bitXor(seen_first, {seed:UInt64})) - intHash64(bitXor(seen_last + 1, {seed:UInt64})) AS broken
        FROM serial_ranges
        WHERE client_id BETWEEN {from:UUID} AND {to:UUID} AND ({full:UInt8} OR client_id IN (changed))
        GROUP BY client_id
    ),
    known AS
    (
        SELECT client_id, seen_first, seen_last, broken, toUInt64(0) AS claimed, toUInt64(0) AS floor,
               CAST([], 'Array(Tuple(UInt64, UInt64, Int64))') AS open, toInt64(0) AS checked
        FROM arrived
        UNION ALL
        SELECT client_id, 0, 0, 0, CAST(max(client_claims.last_serial), 'UInt64'), 0, [], 0
        FROM client_claims
        WHERE client_id BETWEEN {from:UUID} AND {to:UUID} AND ({full:UInt8} OR client_id IN (changed))
        GROUP BY client_id
        UNION ALL
        SELECT client_id, 0, 0, 0, 0, client_floors.floor, [], 0
        FROM client_floors
        WHERE client_id BETWEEN {from:UUID} AND {to:UUID} AND ({full:UInt8} OR client_id IN (changed))
        UNION ALL
        SELECT client_id, 0, 0, 0, 0, 0,
               groupArrayIf((first_serial, last_serial, toUnixTimestamp64Micro(detected_time)), closed = 0),
               max(toUnixTimestamp64Micro(checked_time))
        FROM missing_ranges FINAL
        WHERE client_id BETWEEN {from:UUID} AND {to:UUID} AND ({full:UInt8} OR client_id IN (changed))
        GROUP BY client_id
    )
SELECT
    client_id,
    tupleElement(missing, 1) AS missing_first,
    tupleElement(missing, 2) AS missing_last,
    tupleElement(open, 1) AS open_first,
    tupleElement(open, 2) AS open_last,
    tupleElement(open, 3) AS open_detected,
    checked,
    broken
FROM
(
    SELECT
        client_id,
        max(known.seen_first) AS seen_first,
        max(known.seen_last) AS seen_last,
        greatest(seen_last, max(known.claimed)) AS top,
        greatest(max(known.floor), toUInt64(1)) AS floor,
        max(known.checked) AS checked,
        max(known.broken) AS broken,
        arraySort(groupArrayArray(known.open)) AS open,
        arrayConcat(
            if(seen_first > 1, [(toUInt64(1), toUInt64(seen_first - 1))], []),
            if(top > seen_last, [(toUInt64(seen_last + 1), top)], [])) AS gaps,
        arrayMap(g -> (greatest(g.1, floor), g.2), arrayFilter(g -> g.2 >= floor, gaps)) AS missing
    FROM known
    GROUP BY client_id
)
WHERE broken OR if({all:UInt8}, notEmpty(missing) OR notEmpty(open), missing != arrayMap(o -> (o.1, o.2), open))
SETTINGS optimize_aggregation_in_order = 1, aggregation_in_order_max_block_bytes = 4000000, max_block_size = 2048, max_threads = 1
