-- How many clients there are within a range of ids, and those of whom something else may be missing than is recorded,
-- in order. Retired ones are left as they were: when one comes back, what came with it continues from there.
--
-- The trick: no run of serials is read. arrivals keeps, per client, the sum over its runs of
--     sipHash64(last_serial + 1) - sipHash64(first_serial)
-- in arithmetic that wraps at 64 bits. Where one run ends and the next begins the two hashes cancel out: 1 to 5 and 6
-- to 9 add up to the hash of 10 minus the hash of 1, in whatever order and pieces they came. So when only the next
-- serials came since the last look, the sum has grown by the hash of the new end minus the hash of the old end. A
-- break, or a serial that came twice, leaves hashes that do not cancel. The serials themselves in place of their hashes
-- would not do: two faults could make up for each other.
--
-- What is missing of a client is still what the last look at its serials found when those that came since continue its
-- last one without a break or a repetition, its floor is the same, it claims no more than arrived, or the same as then,
-- and nobody else wrote ranges of it. Without a look nothing is missing of a client whose serials came from 1 on: an
-- outer join yields 0 for all of the look, and the sum of the serials from 1 on begins at the hash of 1.
SELECT
    count() AS clients,
    tupleElement(arraySort(groupArrayIf((c.client_id, c.fingerprint, c.last, c.claimed, f.floor,
        toUnixTimestamp64Micro(m.checked_time)),
        {everybody:UInt8}
        OR c.fingerprint - l.fingerprint != sipHash64(c.last + 1) - sipHash64(l.last_serial + 1)
        OR f.floor != l.floor
        OR m.checked_time != l.checked_time
        OR (c.claimed > c.last OR l.claimed > l.last_serial)
            AND (c.claimed, c.last) != (l.claimed, l.last_serial))) AS suspects, 1) AS client_ids,
    tupleElement(suspects, 2) AS fingerprints,
    tupleElement(suspects, 3) AS lasts,
    tupleElement(suspects, 4) AS claims,
    tupleElement(suspects, 5) AS floors,
    tupleElement(suspects, 6) AS checked
FROM
(
    SELECT client_id, sum(serials.fingerprint) AS fingerprint, max(serials.last_serial) AS last,
        max(serials.claimed) AS claimed
    FROM
    (
        SELECT client_id, CAST(arrivals.fingerprint, 'UInt64') AS fingerprint,
            CAST(arrivals.last_serial, 'UInt64') AS last_serial,
               toUInt64(0) AS claimed
        FROM arrivals
        WHERE client_id BETWEEN {from:UUID} AND {to:UUID}
          AND client_id NOT IN (SELECT client_id FROM retired_clients)
        UNION ALL
        SELECT client_id, 0, 0, CAST(client_claims.last_serial, 'UInt64')
        FROM client_claims
        WHERE client_id BETWEEN {from:UUID} AND {to:UUID}
          AND client_id NOT IN (SELECT client_id FROM retired_clients)
    ) AS serials
    GROUP BY client_id
) AS c
LEFT JOIN
(
    SELECT client_id, fingerprint, last_serial, claimed, floor, checked_time
    FROM gap_looks FINAL
    WHERE client_id BETWEEN {from:UUID} AND {to:UUID}
) AS l ON l.client_id = c.client_id
LEFT JOIN
(
    SELECT client_id, floor FROM client_floors WHERE client_id BETWEEN {from:UUID} AND {to:UUID}
) AS f ON f.client_id = c.client_id
LEFT JOIN
(
    SELECT client_id, max(missing_ranges.checked_time) AS checked_time
    FROM missing_ranges
    WHERE client_id BETWEEN {from:UUID} AND {to:UUID}
    GROUP BY client_id
) AS m ON m.client_id = c.client_id
