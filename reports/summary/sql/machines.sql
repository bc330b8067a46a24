-- Where the machines of a slice stand, those that changed or all, unless they stand there just so.
INSERT INTO machine_now (client_id, required, pending, failed, restart, said_unknown, not_known, good, subjects,
    oldest_required, restart_since, restart_for, failed_for, last_scan, version)
WITH
    asked_machines AS
    (
        SELECT DISTINCT client_id
        FROM clients_seen
        WHERE client_id > {after:UUID} AND client_id <= {upto:UUID}
          AND ({whole:UInt8} = 1 OR client_id IN (SELECT client_id FROM machines_changed))
          AND client_id NOT IN (SELECT client_id FROM client_retirements FINAL WHERE state = 'erasing')
    ),
    -- Read once: titles are joined in the view.
    (
        SELECT groupArray((toUInt32(rowNumberInAllBlocks()), kind, topic_id, first_seen, target))
        FROM subjects
        WHERE kind IN ('update', 'deployment', 'baseline', 'scan')
    ) AS subject_rows,
    asked_subjects AS
    (
        SELECT arrayJoin(subject_rows) AS s, s.1 AS number, s.2 AS kind, s.3 AS topic_id, s.4 AS first_seen, s.5 AS target
    ),
    asked_states AS
    (
        SELECT client_id, topic_type, topic_id, state_id, message_time, serial
        FROM current_states
        WHERE topic_type IN (300, 301, 302, 400, 401, 402, 500, 501)
          AND client_id > {after:UUID} AND client_id <= {upto:UUID}
          AND ({whole:UInt8} = 1 OR client_id IN (SELECT client_id FROM asked_machines))
    )
SELECT client_id, required, pending, failed, restart, said_unknown, not_known, good, subjects, oldest_required,
    restart_since, restart_for, failed_for, last_scan, (SELECT max(version) FROM machine_now) + 1
FROM figures
WHERE sipHash64(client_id, required, pending, failed, restart, said_unknown, not_known, good, subjects,
    ifNull(oldest_required, toDateTime(0, 'UTC')), ifNull(restart_since, toDateTime(0, 'UTC')), restart_for, failed_for,
    ifNull(last_scan, toDateTime(0, 'UTC'))) NOT IN
(
    SELECT sipHash64(client_id, required, pending, failed, restart, said_unknown, not_known, good, subjects,
        ifNull(oldest_required, toDateTime(0, 'UTC')), ifNull(restart_since, toDateTime(0, 'UTC')), restart_for,
        failed_for, ifNull(last_scan, toDateTime(0, 'UTC')))
    FROM machine_now FINAL
    WHERE client_id > {after:UUID} AND client_id <= {upto:UUID}
)
