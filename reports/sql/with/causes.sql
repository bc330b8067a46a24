-- Why each client in untold, which the query says with the times of its scans, told nothing of the subject: line 7 of the rule, the first cause that applies.
    caused AS
    (
        SELECT
            client_id,
            last_scan,
            client_id IN (SELECT ClientID FROM SR_MissingMessageRanges WHERE SerialJump = 0) AS gap,
            multiIf(
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
                'never_told') AS cause
        FROM untold
    ),
