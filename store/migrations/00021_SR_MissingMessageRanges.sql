-- +goose NO TRANSACTION
-- +goose Up
CREATE VIEW IF NOT EXISTS SR_MissingMessageRanges AS
SELECT client_id AS ClientID, first_serial AS FirstSerial, last_serial AS LastSerial, detected_time AS DetectedTime
FROM missing_ranges FINAL
WHERE closed = 0;
