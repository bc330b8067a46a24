-- +goose NO TRANSACTION
-- +goose Up
CREATE MATERIALIZED VIEW IF NOT EXISTS clients_seen_feed TO clients_seen AS
SELECT client_id, min(received_time) AS first_report_time, max(received_time) AS last_report_time, max(client_reports.loaded_time) AS loaded_time
FROM client_reports
GROUP BY client_id;
