-- The same at the end of days: d counts them. What is missing, waits or is held back is known of this moment only: with
-- recent it is taken for the one day that has just ended, and so are the last scans and reports, which history has to be
-- searched for otherwise.
    standing AS
    (
        SELECT
            client_id,
            toUInt16(f.day) AS d,
            groupBitOr(f.bits) AS bits,
            toUInt8({target:String} = '' OR bitTest(bits, 6)) AS inside,
            toUInt8(if({target:String} = '', {kind:String} = 'update' AND bitTest(bits, 5), bitTest(bits, 6))) AS asked,
            toUInt8(NOT bitTest(bits, 8)) AS silent,
            max(f.scan) AS scan,
            toUInt8(bitTest(bits, 2)) AS gap,
            toUInt8(multiIf(bitTest(bits, 1), 1, gap, 2, bitTest(bits, 3), 3, bitTest(bits, 4), 4, silent, 5,
                max(f.wrong) > scan, 6, 0)) AS cause
        FROM
        (
            SELECT client_id,
                toUInt16(if({recent:UInt8} AND toUnixTimestamp64Micro(last_report_time)
                    >= {ends:Array(Int64)}[1] - 1000000 * {stale_seconds:UInt32}, 257, 1)) AS bits,
                toInt64(0) AS scan, toInt64(0) AS wrong,
                arrayJoin(arrayFilter(i -> toUnixTimestamp64Micro(first_report_time) <= {ends:Array(Int64)}[i],
                    arrayEnumerate({ends:Array(Int64)}))) AS day
            FROM clients_seen FINAL
            WHERE client_id BETWEEN {first:UUID} AND {last:UUID}
            UNION ALL
            SELECT client_id, toUInt16(128), toInt64(0), toInt64(0),
                arrayJoin(arrayFilter(i -> toUnixTimestamp64Micro(retired_time) <= {ends:Array(Int64)}[i]
                    AND (state IN ('retired', 'erasing') OR toUnixTimestamp64Micro(ended_time) > {ends:Array(Int64)}[i]),
                    arrayEnumerate({ends:Array(Int64)}))) AS day
            FROM client_retirements FINAL
            WHERE client_id BETWEEN {first:UUID} AND {last:UUID}
            UNION ALL
            SELECT client_id, toUInt16(32), if({recent:UInt8}, last, 0), if({recent:UInt8}, late, 0),
                arrayJoin(arrayFilter(i -> first <= {ends:Array(Int64)}[i], arrayEnumerate({ends:Array(Int64)}))) AS day
            FROM
            (
                SELECT client_id, toUnixTimestamp64Micro(min(client_scans.first_arrival)) AS first,
                    1000 * toUnixTimestamp64Milli(max(client_scans.last_scan)) AS last,
                    toUnixTimestamp64Micro(max(client_scans.wrong_clock)) AS late
                FROM client_scans
                WHERE client_id BETWEEN {first:UUID} AND {last:UUID}
                GROUP BY client_id
            )
            UNION ALL
            -- A scan whose time is more than five minutes after its arrival does not count.
            SELECT client_id, toUInt16(0), if(us > at + 300000000, 0, us), if(us > at + 300000000, at, 0),
                arrayJoin(arrayFilter(i -> at <= {ends:Array(Int64)}[i], arrayEnumerate({ends:Array(Int64)}))) AS day
            FROM
            (
                SELECT client_id, toInt64(bitNot(earliest)) AS at, toInt64(bitAnd(bitShiftRight(place, 64), 18446744073709551615)) AS us
                FROM topic_history
                WHERE NOT {recent:UInt8} AND topic_type = 501 AND state_id = 3 AND client_id BETWEEN {first:UUID} AND {last:UUID}
            )
            UNION ALL
            SELECT client_id, toUInt16(256), toInt64(0), toInt64(0),
                arrayJoin(arrayFilter(i -> at <= {ends:Array(Int64)}[i]
                    AND at >= {ends:Array(Int64)}[i] - 1000000 * {stale_seconds:UInt32}, arrayEnumerate({ends:Array(Int64)}))) AS day
            FROM
            (
                SELECT DISTINCT client_id, toUnixTimestamp64Micro(received_time) AS at
                FROM client_reports
                WHERE NOT {recent:UInt8}
                  AND received_time >= fromUnixTimestamp64Micro({ends:Array(Int64)}[1] - 1000000 * {stale_seconds:UInt32}, 'UTC')
                  AND received_time <= fromUnixTimestamp64Micro({ends:Array(Int64)}[-1], 'UTC')
                  AND client_id BETWEEN {first:UUID} AND {last:UUID}
            )
            UNION ALL
            SELECT client_id, toUInt16(2), toInt64(0), toInt64(0), toUInt32(1)
            FROM clients_waiting FINAL
            WHERE {recent:UInt8} AND waiting = 1 AND client_id BETWEEN {first:UUID} AND {last:UUID}
            UNION ALL
            SELECT ClientID, toUInt16(4), toInt64(0), toInt64(0), toUInt32(1)
            FROM SR_MissingMessageRanges
            WHERE {recent:UInt8} AND SerialJump = 0 AND ClientID BETWEEN {first:UUID} AND {last:UUID}
            UNION ALL
            SELECT r.client_id, toUInt16(8), toInt64(0), toInt64(0), toUInt32(1)
            FROM
            (
                SELECT client_id, set_aside_time,
                    if(kept_as != '', kept_as, concat(source_file, '.', toString(record_index), '.SMX')) AS name
                FROM set_aside_records FINAL
                WHERE {recent:UInt8} AND client_id BETWEEN {first:UUID} AND {last:UUID}
            ) AS r
            LEFT JOIN (SELECT name, max(set_aside_ends.until) AS last_end FROM set_aside_ends GROUP BY name) AS e
                ON e.name = r.name
            WHERE e.last_end < r.set_aside_time
            UNION ALL
            SELECT client_id, toUInt16(16), toInt64(0), toInt64(0), toUInt32(1)
            FROM client_caches FINAL
            WHERE {recent:UInt8} AND client_caches.unsent > 0 AND client_caches.unsent < 4294967295
              AND client_id BETWEEN {first:UUID} AND {last:UUID}
            UNION ALL
            SELECT client_id, toUInt16(64), toInt64(0), toInt64(0), arrayJoin(arrayEnumerate({ends:Array(Int64)})) AS day
            FROM collection_members
            WHERE name = {target:String} AND client_id BETWEEN {first:UUID} AND {last:UUID}
        ) AS f
        GROUP BY client_id, d
        HAVING bitTest(bits, 0) AND NOT bitTest(bits, 7)
    )
