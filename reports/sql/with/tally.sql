-- How many clients are in each class, and the figures that follow, as one row. tally has (class, cause, machines) of the population; outside_spoke told of it and does not count.
    counted AS
    (
        SELECT class, cause, count() AS machines,
            countIf(client_id IN (SELECT client_id FROM clients_seen FINAL
                WHERE last_report_time < now64(6, 'UTC') - toIntervalSecond({stale_seconds:UInt32}))) AS silent
        FROM placed
        GROUP BY class, cause
    ),
    figures AS
    (
        SELECT
            groupArrayIf((class, cause, machines), class != 'outside') AS tally,
            sumIf(machines, class != 'outside') AS population,
            sumIf(silent, class != 'outside') AS stale,
            sumIf(machines, class = 'outside') AS outside_spoke,
            sumIf(machines, class = 'compliant') AS good,
            sumIf(machines, class IN ('bad', 'pending', 'restart', 'failed')) AS not_compliant,
            sumIf(machines, class IN ('said_unknown', 'not_known')) AS unknown
        FROM counted
    ),
    -- Down to one decimal, so that 100.0 means all; nothing where nobody counts.
    (part, whole) -> if(whole = 0, NULL, intDiv(1000 * part, greatest(whole, 1)) / 10) AS share,
