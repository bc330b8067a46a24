-- +goose NO TRANSACTION
-- +goose Up
-- One row per client, right at any moment: the summary's, but for those who changed since.
DROP VIEW IF EXISTS clients;
CREATE VIEW IF NOT EXISTS clients AS
SELECT client_id, netbios_name, CAST(client_version, 'String') AS client_version, client_type, first_report_time, last_report_time
FROM
(
    SELECT * FROM client_now FINAL
    WHERE client_id NOT IN (SELECT client_id FROM clients_changed)
)
UNION ALL
SELECT client_id, netbios_name, client_version, client_type, first_report_time, last_report_time
FROM clients_fresh;
