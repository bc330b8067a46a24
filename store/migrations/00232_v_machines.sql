-- +goose NO TRANSACTION
-- +goose Up
-- Every client of the site once: its name, when it reported, and where it stands over all its subjects. Both sides are read
-- in the order of their keys: a million are joined in little memory.
CREATE VIEW IF NOT EXISTS v_machines AS
SELECT
    m.client_id AS client_id, c.netbios_name AS netbios_name, m.class AS class, m.required AS required, m.pending AS pending,
    m.failed AS failed, m.restart AS restart, m.said_unknown AS said_unknown, m.not_known AS not_known, m.good AS good,
    m.subjects AS subjects, m.oldest_required AS oldest_required, m.restart_since AS restart_since,
    m.restart_for AS restart_for, m.failed_for AS failed_for, m.last_scan AS last_scan,
    nullIf(c.last_report_time, toDateTime64(0, 6, 'UTC')) AS last_report_time, c.client_version AS client_version
FROM machine_states AS m
LEFT JOIN (SELECT client_id, netbios_name, client_version, last_report_time FROM clients) AS c ON c.client_id = m.client_id
SETTINGS join_algorithm = 'full_sorting_merge';
