-- +goose NO TRANSACTION
-- +goose Up
DROP VIEW IF EXISTS SR_MissingMessageRanges;
CREATE VIEW IF NOT EXISTS SR_MissingMessageRanges AS
SELECT client_id AS ClientID, first_serial AS FirstSerial, last_serial AS LastSerial, detected_time AS DetectedTime, jump AS SerialJump
FROM missing_ranges FINAL
WHERE closed = 0 AND client_id NOT IN (SELECT client_id FROM retired_clients);
