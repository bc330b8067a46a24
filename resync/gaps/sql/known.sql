-- What is known of some clients beside what arrived: the greatest serial claimed, the floor, the ranges that are open
-- in order, and the newest version of their rows. Clients of whom nothing of this is known are left out.
WITH wanted AS
(
    SELECT client FROM format(CSV, 'client UUID', @clients)
)
SELECT
    client_id,
    max(k.claimed) AS claimed,
    max(k.floor) AS floor,
    tupleElement(arraySort(groupArrayArray(k.ranges)) AS open, 1) AS open_first,
    tupleElement(open, 2) AS open_last,
    tupleElement(open, 3) AS open_detected,
    tupleElement(open, 4) AS open_jump,
    max(k.version) AS checked
FROM
(
    SELECT client_id, CAST(max(client_claims.last_serial), 'UInt64') AS claimed, toUInt64(0) AS floor,
           CAST([], 'Array(Tuple(UInt64, UInt64, Int64, UInt8))') AS ranges, toInt64(0) AS version
    FROM client_claims
    WHERE client_id BETWEEN toUUID(@from) AND toUUID(@to) AND (@all = '1' OR client_id IN (wanted))
    GROUP BY client_id
    UNION ALL
    SELECT client_id, 0, client_floors.floor, [], 0
    FROM client_floors
    WHERE client_id BETWEEN toUUID(@from) AND toUUID(@to) AND (@all = '1' OR client_id IN (wanted))
    UNION ALL
    SELECT client_id, 0, 0,
           groupArrayIf((first_serial, last_serial, toUnixTimestamp64Micro(detected_time), jump), closed = 0),
           max(toUnixTimestamp64Micro(checked_time))
    FROM missing_ranges FINAL
    WHERE client_id BETWEEN toUUID(@from) AND toUUID(@to) AND (@all = '1' OR client_id IN (wanted))
    GROUP BY client_id
) AS k
GROUP BY client_id
