-- +goose NO TRANSACTION
-- +goose Up
-- Clients whose row of machine_now may be older than the rows it is made of; all, where none was made. A gap check closes
-- ranges without a message.
CREATE VIEW IF NOT EXISTS machines_changed AS
WITH
    (SELECT argMax(until, number) FROM summary_progress WHERE job = 'machines') AS summed
SELECT client_id, loaded
FROM
(
    SELECT client_id, CAST(clients_seen.loaded_time, 'DateTime64(3, \'UTC\')') AS loaded FROM clients_seen
    WHERE clients_seen.loaded_time >= summed
    UNION ALL
    SELECT client_id, loaded_time AS loaded FROM state_messages WHERE state_messages.loaded_time >= summed
    UNION ALL
    SELECT client_id, loaded_time AS loaded FROM client_retirements WHERE client_retirements.loaded_time >= summed
    UNION ALL
    SELECT client_id, toDateTime64(checked_time, 3, 'UTC') AS loaded FROM missing_ranges
    WHERE missing_ranges.checked_time >= summed
);
