-- Needs told before it. Where the clients of the site, or of the collection that is named, stand on every subject of asked_kinds. The site's counts are kept of now and of the end of days; a collection's are made over its members, and so are those of another moment. Those who scanned since an update was first seen are a rank (looked), less those of them who spoke; of another moment that is not known.
    -- if counted_from in now, then:
    (SELECT count() FROM members) AS scope_clients,
    scans AS
    (
        SELECT client_id, max(1000 * toUnixTimestamp64Milli(CAST(client_scans.last_scan, 'DateTime64(3, \'UTC\')'))) AS scan,
            client_id IN (SELECT ClientID FROM SR_MissingMessageRanges WHERE SerialJump = 0) AS gap
        FROM client_scans
        WHERE client_id IN (SELECT client_id FROM members)
        GROUP BY client_id
        -- if as_of:
        HAVING min(client_scans.first_arrival) <= fromUnixTimestamp64Micro({moment_us:Int64}, 'UTC')
        -- end:
    ),
    (SELECT count() FROM scans) AS all_scans,
    aimed AS
    (
        SELECT DISTINCT name, client_id
        FROM collection_members
        WHERE name IN (SELECT target FROM asked WHERE target != '') AND client_id IN (SELECT client_id FROM members)
    ),
    spoke AS
    (
        SELECT
            kind,
            topic_id,
            countIf(inside AND class = 1) AS good,
            countIf(inside AND class = 2) AS bad,
            countIf(inside AND class = 3) AS pending,
            countIf(inside AND class = 4) AS restart,
            countIf(inside AND class = 5) AS failed,
            countIf(inside AND class = 6) AS na_said,
            countIf(inside AND class IN (7, 8)) AS said_unknown,
            countIf(if(target = '', kind = 'update' AND scanned, inside)) AS spoke_asked,
            -- if as_of:
            toUInt64(0) AS spoke_looked,
            -- else:
            countIf(target = '' AND kind = 'update' AND scanned AND scan >= seen AND NOT gap) AS spoke_looked,
            -- end:
            maxIf(newest_ms, inside) AS newest,
            minIf(since_ms, inside AND class IN (2, 3, 4, 5)) AS oldest_bad
        FROM
        (
            SELECT told.kind AS kind, told.topic_id AS topic_id, told.class AS class, told.newest_ms AS newest_ms,
                told.since_ms AS since_ms, a.target AS target, a.seen AS seen, s.scanned AS scanned, s.scan AS scan,
                s.gap AS gap, a.target = '' OR (a.target, told.client_id) IN (SELECT name, client_id FROM aimed) AS inside
            FROM told
            INNER JOIN asked AS a ON a.kind = told.kind AND a.topic_id = told.topic_id
            LEFT JOIN (SELECT client_id, 1 AS scanned, scan, gap FROM scans) AS s ON s.client_id = told.client_id
        )
        GROUP BY kind, topic_id
    ),
    looked AS
    (
        SELECT kind, topic_id, clients
        FROM
        (
            SELECT kind, topic_id, sum(n) OVER (ORDER BY at DESC RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS clients
            FROM
            (
                SELECT '' AS kind, '' AS topic_id, scan AS at, count() AS n FROM scans
                -- if as_of:
                WHERE 0
                -- else:
                WHERE NOT gap
                -- end:
                GROUP BY scan
                UNION ALL
                SELECT kind, topic_id, seen AS at, toUInt64(0) AS n FROM asked WHERE kind = 'update' AND target = ''
            )
        )
        WHERE kind != ''
    ),
    -- else:
    -- if counted_from in days:
    (SELECT max(scope_clients) FROM subject_days FINAL WHERE day = {moment_day:Date} AND kind IN (SELECT arrayJoin(asked_kinds)))
        AS scope_clients,
    -- else:
    (SELECT count() FROM clients_seen FINAL WHERE client_id NOT IN (SELECT client_id FROM retired_clients)) AS scope_clients,
    -- end:
    -- end:
    standings AS
    (
        -- if counted_from in now, then:
        SELECT
            a.kind AS kind,
            a.topic_id AS topic_id,
            multiIf(a.target != '', 'targeted', a.kind = 'update', 'scanned', 'reported') AS counted,
            s.good AS good, s.bad AS bad, s.pending AS pending, s.restart AS restart, s.failed AS failed,
            s.na_said + toUInt64(greatest(toInt64(l.clients) - toInt64(s.spoke_looked), 0)) AS not_applicable,
            s.said_unknown + toUInt64(greatest(toInt64(multiIf(a.target != '', t.clients, a.kind = 'update', all_scans, 0))
                - toInt64(s.spoke_asked) - greatest(toInt64(l.clients) - toInt64(s.spoke_looked), 0), 0)) AS not_known,
            fromUnixTimestamp64Milli(s.newest, 'UTC') AS newest,
            if(s.oldest_bad = 0, NULL, fromUnixTimestamp64Milli(s.oldest_bad, 'UTC')) AS oldest_bad
        FROM asked AS a
        LEFT JOIN spoke AS s ON s.kind = a.kind AND s.topic_id = a.topic_id
        LEFT JOIN looked AS l ON l.kind = a.kind AND l.topic_id = a.topic_id
        LEFT JOIN (SELECT name, count() AS clients FROM aimed GROUP BY name) AS t ON t.name = a.target
        -- else:
        SELECT CAST(kind, 'String') AS kind, topic_id, CAST(counted, 'String') AS counted, good, bad, pending, restart,
            failed, na_said + na_implied AS not_applicable,
            said_unknown + other + arraySum(mapValues(not_known)) AS not_known, newest, oldest_bad
        -- if counted_from in days:
        FROM subject_days FINAL
        WHERE day = {moment_day:Date} AND deleted = 0 AND kind IN (SELECT arrayJoin(asked_kinds))
        -- else:
        FROM subject_counts FINAL
        WHERE deleted = 0 AND kind IN (SELECT arrayJoin(asked_kinds))
        -- end:
        -- end:
    ),
    (part, whole) -> if(whole = 0, NULL, intDiv(1000 * part, greatest(whole, 1)) / 10) AS portion,
