-- How many clients of the scope are in each class, and the figures that follow. tally has (class, cause, machines) of the population.
    (
        SELECT (groupArray((class, cause, machines)), sum(machines), sum(stale))
        FROM
        (
            SELECT class, cause, count() AS machines,
                countIf(client_id IN (SELECT client_id FROM clients_seen FINAL
                    WHERE last_report_time < now64(6, 'UTC') - toIntervalSecond({stale_seconds:UInt32}))) AS stale
            FROM placed
            GROUP BY class, cause
        )
    ) AS counts,
    counts.1 AS tally,
    counts.2 AS population,
    counts.3 AS stale,
    (SELECT count() FROM scope) AS scope_clients,
    arraySum(t -> if(t.1 = 'compliant', t.3, 0), tally) AS good,
    arraySum(t -> if(t.1 IN ('bad', 'pending', 'restart', 'failed'), t.3, 0), tally) AS not_compliant,
    arraySum(t -> if(t.1 IN ('said_unknown', 'not_known'), t.3, 0), tally) AS unknown,
    -- Down to one decimal, so that 100.0 means all; nothing where nobody counts.
    (part, whole) -> if(whole = 0, NULL, intDiv(1000 * part, greatest(whole, 1)) / 10) AS share,
