-- How many clients are in each class, and the figures that follow, as one row: the site's as they are kept of now or of a day, or counted. tally has (class, cause, machines) of the population; outside_spoke told of it and does not count. Needs asked, scope and placed before it.
    figures AS
    (
        -- if subject_kept:
        SELECT
            arrayFilter(t -> t.3 > 0, arrayConcat(
                [('compliant', '', s.good), ('bad', '', s.bad), ('pending', '', s.pending), ('restart', '', s.restart),
                 ('failed', '', s.failed), ('not_applicable', '', s.na_said), ('not_applicable_implied', '', s.na_implied),
                 ('said_unknown', '', s.said_unknown), ('other', '', s.other)],
                arrayMap((why, n) -> ('not_known', why, n), mapKeys(why_not), mapValues(why_not)))) AS tally,
            CAST(s.not_known, 'Map(String, UInt64)') AS why_not,
            arraySum(t -> t.3, tally) AS population,
            s.stale AS stale,
            s.outside_spoke AS outside_spoke,
            s.good AS good,
            s.bad + s.pending + s.restart + s.failed AS not_compliant,
            s.said_unknown + arraySum(mapValues(why_not)) AS unknown,
        -- if counted_from in days:
            s.scope_clients AS scope_clients
        FROM subject_days AS s FINAL
        WHERE s.day = {moment_day:Date} AND s.kind = the_kind
        -- else:
            greatest((SELECT count() FROM scope), population) AS scope_clients
        FROM subject_counts AS s FINAL
        WHERE s.kind = the_kind
        -- end:
          AND s.topic_id = the_id AND (the_kind != 'other' OR s.topic_type = the_type) AND s.deleted = 0
        LIMIT 1
        -- else:
        SELECT
            groupArrayIf((class, cause, machines), class != 'outside') AS tally,
            sumIf(machines, class != 'outside') AS population,
            sumIf(silent, class != 'outside') AS stale,
            sumIf(machines, class = 'outside') AS outside_spoke,
            sumIf(machines, class = 'compliant') AS good,
            sumIf(machines, class IN ('bad', 'pending', 'restart', 'failed')) AS not_compliant,
            sumIf(machines, class IN ('said_unknown', 'not_known', 'said_nothing')) AS unknown,
            greatest((SELECT count() FROM scope), population) AS scope_clients
        FROM
        (
            SELECT class, cause, count() AS machines,
                -- if as_of:
                toUInt64(0) AS silent
                -- else:
                countIf(client_id IN (SELECT client_id FROM clients_seen FINAL
                    WHERE last_report_time < now64(6, 'UTC') - toIntervalSecond({stale_seconds:UInt32}))) AS silent
                -- end:
            FROM placed
            GROUP BY class, cause
        )
        -- end:
    ),
    -- Down to one decimal, so that 100.0 means all; nothing where nobody counts.
    (part, whole) -> if(whole = 0, NULL, intDiv(1000 * part, greatest(whole, 1)) / 10) AS share,
