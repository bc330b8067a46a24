-- Each client that told of the subject or is asked, with its class and, where nothing is known of it, the cause: the first line of the rule that applies. Whoever of the scope is not here is outside.
    placed AS
    (
        SELECT
            client_id,
            client_id IN (SELECT ClientID FROM SR_MissingMessageRanges WHERE SerialJump = 0) AS gap,
            -- Line 6: it looked, nothing of it is missing, and so it does not need it.
            the_kind = 'update' AND the_target = '' AND last_scan >= the_seen AND NOT gap AS looked,
            multiIf(the_target != '' AND asked = 0, 'outside', said > 0, said_classes[said],
                looked, 'not_applicable_implied', 'not_known') AS class,
            if(class != 'not_known', '', multiIf(
                    client_id IN (SELECT client_id FROM clients_waiting FINAL WHERE waiting = 1), 'waiting',
                    gap, 'gap',
                    client_id IN
                    (
                        SELECT r.client_id
                        FROM
                        (
                            SELECT client_id, set_aside_time,
                                if(kept_as != '', kept_as, concat(source_file, '.', toString(record_index), '.SMX')) AS name
                            FROM set_aside_records FINAL
                        ) AS r
                        LEFT JOIN (SELECT name, max(set_aside_ends.until) AS last_end FROM set_aside_ends GROUP BY name) AS e
                            ON e.name = r.name
                        WHERE e.last_end < r.set_aside_time
                    ), 'set_aside',
                    client_id IN (SELECT client_id FROM client_caches FINAL
                        WHERE client_caches.unsent > 0 AND client_caches.unsent < 4294967295), 'unsent',
                    client_id IN (SELECT client_id FROM clients_seen FINAL
                        WHERE last_report_time < now64(6, 'UTC') - toIntervalSecond({stale_seconds:UInt32})), 'silent',
                    wrong_clock > last_scan, 'clock',
                    the_kind = 'update' AND last_scan < the_seen, 'not_scanned',
                    'never_told')) AS cause
        FROM judged
    ),
