-- +goose NO TRANSACTION
-- +goose Up
-- Clients that are retired at this moment. Whatever counts clients leaves these out.
CREATE VIEW IF NOT EXISTS retired_clients AS
SELECT client_id, retired_time, retired_by, reason
FROM client_retirements FINAL
WHERE state = 'retired';
