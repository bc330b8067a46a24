-- Clients whose states may differ from the site's although nothing is missing: those that claimed what they hold at the
-- greatest serial that the site has seen, with nothing unsent and no range open; and those that claimed less well after
-- their last report came, so that no report was on its way: their counter went back, and they need not raise anything
-- for that to be seen. States below the first serial of the client's last whole cache do not count: it does not hold
-- them. A client that was given a baseline is not compared until its next completed resync: what was accepted need not
-- be equal. Yields those whose mark in differing_clients is wrong. A dry run has written no ranges: whoever has one
-- open is left out by the caller.
--
-- The trick: a digest is the XOR of the payload hashes, in whatever order, so that the site adds up its own without
-- sorting. The hash of a current state need not be read beside it: rank, which decides what is current, has it in bits
-- 64 to 127.
WITH
    polled AS
    (
        SELECT client_id, last_serial, states, digest, claimed_time
        FROM client_caches FINAL
        WHERE unsent = 0 AND client_id NOT IN (SELECT client_id FROM retired_clients) AND ({full:UInt8} OR client_id IN
        (
            SELECT client_id FROM client_stats_data WHERE client_stats_data.loaded_time >= {since:DateTime64(3, 'UTC')}
            UNION ALL
            SELECT client_id FROM client_caches WHERE client_caches.loaded_time >= {since:DateTime64(3, 'UTC')}
        ))
    ),
    compared AS
    (
        SELECT p.client_id AS client_id, p.states AS states, p.digest AS digest, f.completion_floor AS floor
        FROM polled AS p
        INNER JOIN
        (
            SELECT client_id, CAST(max(client_stats_data.last_serial), 'UInt64') AS last_serial,
                   CAST(max(client_stats_data.last_report_time), 'DateTime64(6, \'UTC\')') AS last_report_time
            FROM client_stats_data
            WHERE client_id IN (SELECT client_id FROM polled)
            GROUP BY client_id
        ) AS s ON s.client_id = p.client_id
        LEFT JOIN
        (
            SELECT client_id, completion_floor, baseline_floor
            FROM client_floors
            WHERE client_id IN (SELECT client_id FROM polled)
        ) AS f ON f.client_id = p.client_id
        WHERE (f.baseline_floor = 0 OR f.completion_floor > f.baseline_floor)
            AND (p.last_serial = s.last_serial OR p.last_serial < s.last_serial
                AND toUnixTimestamp64Micro(s.last_report_time) > 0
                 AND p.claimed_time > s.last_report_time + INTERVAL 2 MINUTE)
            AND ({dry:UInt8} OR p.client_id NOT IN (SELECT client_id FROM missing_ranges FINAL WHERE closed = 0))
    )
SELECT
    c.client_id AS client_id,
    toUInt64(c.states) AS client_states,
    c.digest AS client_digest,
    s.states AS site_states,
    s.digest AS site_digest,
    d.differs AS marked,
    d.detected_time AS detected_time,
    toUnixTimestamp64Micro(d.checked_time) AS checked
FROM compared AS c
LEFT JOIN
(
    SELECT h.client_id AS client_id, count() AS states,
           groupBitXor(toUInt64(bitAnd(bitShiftRight(h.rank, 64), toUInt256(18446744073709551615)))) AS digest
    FROM current_states_data AS h FINAL
    INNER JOIN compared AS floors ON floors.client_id = h.client_id
    WHERE h.topic_type != 700 AND h.serial >= floors.floor
    GROUP BY client_id
) AS s ON s.client_id = c.client_id
LEFT JOIN (SELECT client_id, differs, detected_time, checked_time
    FROM differing_clients FINAL) AS d ON d.client_id = c.client_id
WHERE (client_states != site_states OR client_digest != site_digest) != (d.differs = 1)
