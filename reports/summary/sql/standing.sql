-- What is known of each client of the site, a part of them: whether it is a member of the target (inside), whether a
-- subject that it says nothing of counts it (asked), the cause that would be given then (0: none, see causes), whether
-- serials are missing, and the time of its last scan.
    standing AS
    (
        SELECT
            client_id,
            toUInt16(1) AS d,
            groupBitOr(f.bits) AS bits,
            toUInt8({target:String} = '' OR bitTest(bits, 6)) AS inside,
            toUInt8(if({target:String} = '', {kind:String} = 'update' AND bitTest(bits, 5), bitTest(bits, 6))) AS asked,
            toUInt8(max(f.report) < toUnixTimestamp64Micro(now64(6)) - 1000000 * {stale_seconds:UInt32}) AS silent,
            max(f.scan) AS scan,
            toUInt8(bitTest(bits, 2)) AS gap,
            toUInt8(multiIf(bitTest(bits, 1), 1, gap, 2, bitTest(bits, 3), 3, bitTest(bits, 4), 4, silent, 5,
                max(f.wrong) > scan, 6, 0)) AS cause
        FROM
        (
            SELECT client_id, toUInt8(1) AS bits,
                toUnixTimestamp64Micro(CAST(clients_seen.last_report_time, 'DateTime64(6, \'UTC\')')) AS report,
                toInt64(0) AS scan, toInt64(0) AS wrong
            FROM clients_seen
            WHERE client_id BETWEEN {first:UUID} AND {last:UUID}
              AND client_id NOT IN (SELECT client_id FROM retired_clients)
            UNION ALL
            SELECT client_id, toUInt8(32), toInt64(0),
                1000 * toUnixTimestamp64Milli(CAST(client_scans.last_scan, 'DateTime64(3, \'UTC\')')),
                toUnixTimestamp64Micro(CAST(client_scans.wrong_clock, 'DateTime64(6, \'UTC\')'))
            FROM client_scans
            WHERE client_id BETWEEN {first:UUID} AND {last:UUID}
            UNION ALL
            SELECT client_id, toUInt8(2), toInt64(0), toInt64(0), toInt64(0)
            FROM clients_waiting FINAL
            WHERE waiting = 1 AND client_id BETWEEN {first:UUID} AND {last:UUID}
            UNION ALL
            SELECT ClientID, toUInt8(4), toInt64(0), toInt64(0), toInt64(0)
            FROM SR_MissingMessageRanges
            WHERE SerialJump = 0 AND ClientID BETWEEN {first:UUID} AND {last:UUID}
            UNION ALL
            SELECT r.client_id, toUInt8(8), toInt64(0), toInt64(0), toInt64(0)
            FROM
            (
                SELECT client_id, set_aside_time,
                    if(kept_as != '', kept_as, concat(source_file, '.', toString(record_index), '.SMX')) AS name
                FROM set_aside_records FINAL
                WHERE client_id BETWEEN {first:UUID} AND {last:UUID}
            ) AS r
            LEFT JOIN (SELECT name, max(set_aside_ends.until) AS last_end FROM set_aside_ends GROUP BY name) AS e
                ON e.name = r.name
            WHERE e.last_end < r.set_aside_time
            UNION ALL
            SELECT client_id, toUInt8(16), toInt64(0), toInt64(0), toInt64(0)
            FROM client_caches FINAL
            WHERE client_caches.unsent > 0 AND client_caches.unsent < 4294967295
              AND client_id BETWEEN {first:UUID} AND {last:UUID}
            UNION ALL
            SELECT client_id, toUInt8(64), toInt64(0), toInt64(0), toInt64(0)
            FROM collection_members
            WHERE name = {target:String} AND client_id BETWEEN {first:UUID} AND {last:UUID}
        ) AS f
        GROUP BY client_id
        HAVING bitTest(bits, 0)
    )
