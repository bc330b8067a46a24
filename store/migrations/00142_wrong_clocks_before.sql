-- +goose NO TRANSACTION
-- +goose Up
-- What came before.
INSERT INTO wrong_clocks (client_id, last_received)
SELECT client_id, max(state_messages.received_time)
FROM state_messages
WHERE bitTest(flags, 0) = 1
GROUP BY client_id
SETTINGS max_threads = 1;
