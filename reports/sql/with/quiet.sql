-- Who should have told of the subject and did not, with the class and the cause: members of its target, or for an update those who scan; without a topic id all that never told of the type. With as_of the class is said_nothing: why is not known of the past. Needs stated and asked before it; among details only the clients of page_ids.
    asked_clients AS
    (
        -- if as_of:
        SELECT client_id
        FROM client_scans FINAL
        WHERE the_kind = 'update' AND the_target = ''
          AND CAST(client_scans.first_arrival, 'DateTime64(6, \'UTC\')') <= fromUnixTimestamp64Micro({moment_us:Int64}, 'UTC')
        UNION ALL
        SELECT client_id
        FROM clients_seen FINAL
        WHERE the_target != '' AND client_id IN (SELECT client_id FROM collection_members WHERE name = the_target)
          AND toUnixTimestamp64Micro(first_report_time) <= {moment_us:Int64}
        -- else:
        -- if subject_id:
        SELECT client_id, CAST(client_scans.last_scan, 'DateTime64(3, \'UTC\')') AS last_scan,
            CAST(client_scans.wrong_clock, 'DateTime64(6, \'UTC\')') AS wrong_clock
        FROM client_scans
        WHERE the_kind = 'update' AND the_target = ''
           OR the_target != '' AND client_id IN (SELECT client_id FROM collection_members WHERE name = the_target)
        UNION ALL
        SELECT client_id, toDateTime64(0, 3, 'UTC') AS last_scan, toDateTime64(0, 6, 'UTC') AS wrong_clock
        FROM clients_seen
        WHERE the_target != '' AND client_id IN (SELECT client_id FROM collection_members WHERE name = the_target)
        -- else:
        SELECT client_id, CAST(client_scans.last_scan, 'DateTime64(3, \'UTC\')') AS last_scan,
            CAST(client_scans.wrong_clock, 'DateTime64(6, \'UTC\')') AS wrong_clock
        FROM client_scans
        UNION ALL
        SELECT client_id, toDateTime64(0, 3, 'UTC') AS last_scan, toDateTime64(0, 6, 'UTC') AS wrong_clock
        FROM clients_seen
        -- end:
        -- end:
    ),
    quiet AS
    (
        SELECT
            client_id,
            -- if as_of:
            'said_nothing' AS class,
            '' AS cause
            -- else:
            max(asked_clients.last_scan) AS scanned,
            max(asked_clients.wrong_clock) AS wrong,
            client_id IN (SELECT ClientID FROM SR_MissingMessageRanges WHERE SerialJump = 0) AS gap,
            -- It looked, nothing of it is missing, and so it does not need it.
            if(the_kind = 'update' AND the_target = '' AND scanned >= the_seen AND NOT gap, 'not_applicable_implied',
                'not_known') AS class,
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
                wrong > scanned, 'clock',
                the_kind = 'update' AND scanned < the_seen, 'not_scanned',
                'never_told')) AS cause
            -- end:
        FROM asked_clients
        -- if as_of:
        -- What was not there yet asked nobody.
        WHERE client_id NOT IN
        (
            SELECT client_id FROM topic_history
            WHERE topic_type IN (SELECT arrayJoin(arrayConcat(leading_types, detail_types))) AND topic_id = the_id
              AND earliest >= bitNot(toUInt64({moment_us:Int64}))
            UNION ALL
            SELECT client_id FROM instant_states_data
            WHERE topic_type IN (SELECT arrayJoin(arrayConcat(leading_types, detail_types))) AND topic_id = the_id
              AND toUnixTimestamp64Micro(received_time) <= {moment_us:Int64}
        )
          AND toUnixTimestamp64Micro(the_seen) <= {moment_us:Int64}
        -- else:
        WHERE client_id NOT IN
        (
            SELECT client_id FROM current_states_data
            WHERE topic_type IN (SELECT arrayJoin(arrayConcat(leading_types, detail_types)))
            -- if subject_id:
              AND topic_id = the_id
            -- end:
            -- if page_details:
              AND client_id IN (SELECT arrayJoin(page_ids))
            -- end:
            UNION ALL
            SELECT client_id FROM instant_states_data
            WHERE topic_type IN (SELECT arrayJoin(arrayConcat(leading_types, detail_types)))
            -- if subject_id:
              AND topic_id = the_id
            -- end:
        )
        -- end:
        -- if page_details:
          AND client_id IN (SELECT arrayJoin(page_ids))
        -- end:
        -- if collection:
          AND client_id IN (SELECT client_id FROM collection_members WHERE name = {collection:String})
        -- else:
          AND client_id NOT IN (SELECT client_id FROM gone)
        -- end:
        -- if as_of:
        -- else:
        GROUP BY client_id
        -- end:
    ),
