-- +goose NO TRANSACTION
-- +goose Up
-- Every client of the site once, with its figures and the one class that they put it into. A client that reported since the
-- summary and has no row there yet is not known, and in no group. not_known holds said_unknown. The groups are arrays, in one
-- order.
CREATE VIEW IF NOT EXISTS machine_states AS
SELECT
    client_id,
    multiIf(failed > 0, 'failed',
            restart > 0, 'restart',
            required > 0, 'required',
            not_known > 0 OR subjects = 0, 'not_known',
            'compliant') AS class,
    required, pending, failed, restart, said_unknown, not_known, good, subjects, oldest_required, restart_since,
    restart_for, failed_for, last_scan, group_names, group_classes, group_required, group_failed, group_restart,
    group_not_known, group_oldest
FROM
(
    SELECT client_id, required, pending, failed, restart, said_unknown, not_known, good, subjects, oldest_required,
        restart_since, restart_for, failed_for, last_scan, groups.name AS group_names, groups.class AS group_classes,
        groups.required AS group_required, groups.failed AS group_failed, groups.restart AS group_restart,
        groups.not_known AS group_not_known, groups.oldest_required AS group_oldest
    FROM machine_now FINAL
    WHERE client_id NOT IN (SELECT client_id FROM retired_clients)
    UNION ALL
    SELECT client_id, 0, 0, 0, 0, 0, 0, 0, 0, NULL, NULL, CAST([], 'Array(String)'), CAST([], 'Array(String)'), NULL,
        [], [], [], [], [], [], []
    FROM
    (
        SELECT DISTINCT client_id FROM clients_seen
        WHERE clients_seen.loaded_time >= (SELECT argMax(until, number) FROM summary_progress WHERE job = 'machines')
          AND client_id NOT IN (SELECT client_id FROM retired_clients)
    )
    WHERE client_id NOT IN
    (
        SELECT client_id FROM machine_now
        WHERE client_id IN
        (
            SELECT client_id FROM clients_seen
            WHERE clients_seen.loaded_time >= (SELECT argMax(until, number) FROM summary_progress WHERE job = 'machines')
        )
    )
);
