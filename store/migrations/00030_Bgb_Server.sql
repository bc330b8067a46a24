-- +goose NO TRANSACTION
-- +goose Up
CREATE VIEW IF NOT EXISTS Bgb_Server AS
SELECT server_id AS ServerID, server_name AS ServerName
FROM notification_servers FINAL;
